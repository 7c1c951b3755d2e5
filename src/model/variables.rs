//! The text of a file of variables, such as `.env`, in, the variables out.
//!
//! Tools differ on what such a file may say. Here `$` is a sign like any other: no name that happens to stand
//! in a password is replaced by what this process, or nobody, has under it.

use std::collections::BTreeMap;

const BLANKS: [char; 2] = [' ', '\t'];

/// # Errors
/// The line that is neither empty, nor a comment, nor a variable.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, u32> {
    let text = text.replace("\r\n", "\n");
    let mut variables = BTreeMap::new();
    let mut rest = &*text;
    while !rest.is_empty() {
        let line = rest.split('\n').next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            rest = after_line(rest);
            continue;
        }
        let begin = text.len() - rest.len();
        let Some((name, value, after)) = variable(rest) else {
            let before = text[..begin].matches('\n').count();
            return Err(u32::try_from(before + 1).unwrap_or(u32::MAX));
        };
        variables.insert(name.to_owned(), value);
        rest = after;
    }
    Ok(variables)
}

/// The variable that a text begins with, and what follows its last line.
fn variable(text: &str) -> Option<(&str, String, &str)> {
    let (name, value) = text.split_once('=')?;
    let name = name.trim();
    let name = name.strip_prefix("export").filter(|name| name.starts_with(BLANKS)).unwrap_or(name).trim();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_part) {
        return None;
    }
    let value = value.trim_start_matches(BLANKS);
    if let Some(quote) = value.chars().next().filter(|first| ['"', '\'', '`'].contains(first)) {
        let (value, rest) = quoted(&value[1..], quote)?;
        let behind = rest.split('\n').next().unwrap_or_default().trim();
        return (behind.is_empty() || behind.starts_with('#')).then(|| (name, value, after_line(rest)));
    }
    let line = value.split('\n').next().unwrap_or_default();
    let comment = line.match_indices('#').find(|(at, _)| *at == 0 || line[..*at].ends_with(BLANKS));
    let plain = &line[..comment.map_or(line.len(), |(at, _)| at)];
    Some((name, plain.trim_end().to_owned(), after_line(value)))
}

/// What stands before the closing quote, and after it. Only double quotes have escapes.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = text.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            _ if letter == quote => return Some((value, &text[at + 1..])),
            '\\' if quote == '"' => match letters.next()?.1 {
                'n' => value.push('\n'),
                'r' => value.push('\r'),
                't' => value.push('\t'),
                sign @ ('"' | '\\' | '$') => value.push(sign),
                other => value.extend(['\\', other]),
            },
            _ => value.push(letter),
        }
    }
    None
}

fn after_line(text: &str) -> &str {
    text.split_once('\n').map_or("", |(_, after)| after)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn variables_are_read_as_they_stand() {
        for (text, value) in [
            ("A=1", "1"),
            ("A=1\r\n", "1"),
            ("A=1\r\n\r\n", "1"),
            ("  export A = 1  \n", "1"),
            ("export\tA=1", "1"),
            ("A=", ""),
            ("A= # nothing", ""),
            ("A=#", ""),
            ("A=two words # a comment", "two words"),
            ("A=a#b", "a#b"),
            ("A=pa$$word$HOME${HOME}", "pa$$word$HOME${HOME}"),
            (r"A=C:\new", r"C:\new"),
            ("A=it's", "it's"),
            (r#"A={"a":"b"}"#, r#"{"a":"b"}"#),
            ("A=b=c", "b=c"),
            (r#"A="pa$HOME" # a comment"#, "pa$HOME"),
            (r#"A="a\n\"b\"\\\t\$\d""#, "a\n\"b\"\\\t$\\d"),
            ("A=\"one\r\ntwo # three\"\r\n", "one\ntwo # three"),
            (r"A='a\n$b'", r"a\n$b"),
            ("A=`'\"`", "'\""),
            ("A='пароль'", "пароль"),
            ("#A=0\n\n  # B='\nA=1\n", "1"),
            ("A=0\nA=1\n", "1"),
        ] {
            assert_eq!(parse(text), Ok(BTreeMap::from([("A".to_owned(), value.to_owned())])), "{text}");
        }
        let two = parse("A='x\n'\nB_2=2").unwrap();
        assert_eq!((two["A"].as_str(), two["B_2"].as_str()), ("x\n", "2"));
        assert_eq!(parse(""), Ok(BTreeMap::new()));
    }

    #[test]
    fn a_line_that_is_no_variable_is_told() {
        for (text, line) in [
            ("A", 1),
            ("A\nB=1", 1),
            ("A: b", 1),
            ("A=1\n\nA-B=1\n", 3),
            ("=1", 1),
            ("1A=1", 1),
            ("A='x\ny'\r\n\r\nhunter2\r\n", 4),
            ("A=1\nB='never closed\nC=1", 2),
            ("A=\"a\\", 1),
            ("A='a'b", 1),
            ("A='a' b", 1),
        ] {
            assert_eq!(parse(text), Err(line), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[A-Z=#'\"`\\\\$\\n\\r\\t é]{0,40}") {
            let _ = parse(&text);
        }

        #[test]
        fn what_is_quoted_comes_back(value in "[^'\\r]{0,40}") {
            prop_assert_eq!(&parse(&format!("A='{value}'")).unwrap()["A"], &value);
        }
    }
}
