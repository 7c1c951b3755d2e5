//! The text of a requirements file in, its logical lines and their options out, split as pip does it.

use std::borrow::Cow;

/// The text of a file, in the encoding that its byte order mark tells, as PowerShell's `>` writes one.
pub fn decoded(bytes: &[u8]) -> Option<Cow<'_, str>> {
    let (rest, unit): (_, fn([u8; 2]) -> u16) = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => return str::from_utf8(rest).ok().map(Cow::Borrowed),
        [0xff, 0xfe, rest @ ..] => (rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => (rest, u16::from_be_bytes),
        _ => return str::from_utf8(bytes).ok().map(Cow::Borrowed),
    };
    let (units, rest) = rest.as_chunks();
    let text = char::decode_utf16(units.iter().map(|bytes| unit(*bytes))).collect::<Result<_, _>>();
    text.ok().filter(|_| rest.is_empty()).map(Cow::Owned)
}

/// A logical line: joined over backslashes, without comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The number of its first physical line, from 1.
    pub number: u32,
    pub text: String,
    /// What stands before the first option: `name==1.0`, or nothing.
    pub requirement: String,
    pub options: String,
}

/// What an option tells pip, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Directive {
    Requirements(String),
    Constraints(String),
    Editable(String),
    Links(String),
    Other,
}

pub fn split(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut pending: Option<(u32, String)> = None;
    for (number, physical) in (1_u32..).zip(text.split('\n')) {
        let physical = physical.strip_suffix('\r').unwrap_or(physical);
        let is_comment = physical.trim_start().starts_with('#');
        // A comment ends what a backslash continued; its own backslash continues nothing.
        let (part, continues) = match physical.strip_suffix('\\') {
            Some(part) if !is_comment => (part, true),
            _ if is_comment => ("", false),
            _ => (physical, false),
        };
        let (first, mut joined) = pending.take().unwrap_or((number, String::new()));
        joined.push_str(part);
        if continues {
            pending = Some((first, joined));
        } else {
            lines.extend(line(first, &joined));
        }
    }
    lines.extend(pending.and_then(|(first, joined)| line(first, &joined)));
    lines
}

fn line(number: u32, joined: &str) -> Option<Line> {
    let text = without_comment(joined).trim();
    if text.is_empty() {
        return None;
    }
    let mut start = 0;
    let options = text.split(' ').find_map(|word| {
        let here = start;
        start += word.len() + 1;
        word.starts_with('-').then_some(here)
    });
    let (requirement, options) = text.split_at(options.unwrap_or(text.len()));
    Some(Line {
        number,
        text: text.to_owned(),
        requirement: requirement.trim().to_owned(),
        options: options.to_owned(),
    })
}

/// `#` begins a comment at the start of a line or after white space.
fn without_comment(text: &str) -> &str {
    let begins = |index: usize| text[..index].chars().next_back().is_none_or(char::is_whitespace);
    match text.match_indices('#').find(|(index, _)| begins(*index)) {
        Some((index, _)) => &text[..index],
        None => text,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    Value,
    Nothing,
}

/// Long options that pip knows in a requirements file, and whether they may follow a requirement.
const OPTIONS: &[(&str, Takes, bool)] = &[
    ("--config-settings", Takes::Value, true),
    ("--constraint", Takes::Value, false),
    ("--editable", Takes::Value, false),
    ("--extra-index-url", Takes::Value, false),
    ("--find-links", Takes::Value, false),
    ("--global-option", Takes::Value, true),
    ("--hash", Takes::Value, true),
    ("--index-url", Takes::Value, false),
    ("--install-option", Takes::Value, true),
    ("--no-binary", Takes::Value, false),
    ("--no-index", Takes::Nothing, false),
    ("--only-binary", Takes::Value, false),
    ("--pre", Takes::Nothing, false),
    ("--prefer-binary", Takes::Nothing, false),
    ("--pypi-url", Takes::Value, false),
    ("--require-hashes", Takes::Nothing, false),
    ("--requirement", Takes::Value, false),
    ("--trusted-host", Takes::Value, false),
    ("--use-feature", Takes::Value, false),
];

const SHORT: [(&str, &str); 6] = [
    ("-C", "--config-settings"),
    ("-c", "--constraint"),
    ("-e", "--editable"),
    ("-f", "--find-links"),
    ("-i", "--index-url"),
    ("-r", "--requirement"),
];

/// # Errors
/// Why pip refuses them.
pub fn options(text: &str, after_requirement: bool) -> Result<Vec<Directive>, String> {
    let words = shell_words::split(text).map_err(|_| "a quotation mark is not closed".to_owned())?;
    let mut words = words.into_iter();
    let mut options = Vec::new();
    while let Some(word) = words.next() {
        if word == "--" {
            break;
        }
        if !word.starts_with('-') || word == "-" {
            // optparse collects stray words, and pip ignores them.
            continue;
        }
        let (written, inline) = parts(&word);
        let Some((name, takes, follows)) = known(written) else {
            return Err(format!("`{written}` is not an option of requirements files"));
        };
        let value = match (takes, inline) {
            (Takes::Nothing, None) => String::new(),
            (Takes::Nothing, Some(_)) => return Err(format!("`{written}` takes no value")),
            (Takes::Value, Some(value)) => value.to_owned(),
            (Takes::Value, None) => words.next().ok_or_else(|| format!("`{written}` needs a value"))?,
        };
        if after_requirement && !follows {
            // pip reads it and does nothing with it.
            continue;
        }
        options.push(match name {
            "--requirement" => Directive::Requirements(value),
            "--constraint" => Directive::Constraints(value),
            "--editable" => Directive::Editable(value),
            "--find-links" => Directive::Links(value),
            _ => Directive::Other,
        });
    }
    Ok(options)
}

/// The option's name and the value that is written to it: `--hash=x`, `-rother.txt`.
fn parts(word: &str) -> (&str, Option<&str>) {
    if word.starts_with("--") {
        return match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
    }
    let end = word.char_indices().nth(2).map_or(word.len(), |(index, _)| index);
    let (name, value) = word.split_at(end);
    (name, (!value.is_empty()).then_some(value))
}

/// An option by its name or, as optparse allows, by an unambiguous beginning of it.
fn known(written: &str) -> Option<(&'static str, Takes, bool)> {
    let long = SHORT.iter().find(|(short, _)| *short == written).map_or(written, |(_, long)| long);
    if let Some(option) = OPTIONS.iter().find(|(name, ..)| *name == long) {
        return Some(*option);
    }
    let mut matches = OPTIONS.iter().filter(|(name, ..)| long.len() > 2 && name.starts_with(long));
    match (matches.next(), matches.next()) {
        (Some(option), None) => Some(*option),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_joined_and_comments_dropped() {
        let text = "# head\na==1 \\\n  --hash=sha256:1 # why\n\nb#c\r\nd # e\n# x \\\nf\\\n# g\nh\\";
        let lines: Vec<_> = split(text).into_iter().map(|line| (line.number, line.text)).collect();
        let expected = [(2, "a==1   --hash=sha256:1"), (5, "b#c"), (6, "d"), (8, "f"), (10, "h")];
        assert_eq!(lines, expected.map(|(number, text)| (number, text.to_owned())));
    }

    #[test]
    fn byte_order_marks_tell_the_encoding() {
        for (bytes, expected) in [
            (&b"a==1\n"[..], Some("a==1\n")),
            (b"\xef\xbb\xbfa", Some("a")),
            (b"\xff\xfea\0=\0\x61\x04", Some("a=\u{461}")),
            (b"\xfe\xff\0a", Some("a")),
            (b"\xff\xfea", None),
            (b"\xff\xfe\0\xd8", None),
            (b"a\0=\xff", None),
        ] {
            assert_eq!(decoded(bytes).as_deref(), expected, "{bytes:?}");
        }
    }

    #[test]
    fn options_are_known_or_refused() {
        let read = |text: &str| options(text, false);
        assert_eq!(read("-r a.txt"), Ok(vec![Directive::Requirements("a.txt".to_owned())]));
        assert_eq!(read("-ra.txt"), Ok(vec![Directive::Requirements("a.txt".to_owned())]));
        assert_eq!(read("--requirement=a.txt"), Ok(vec![Directive::Requirements("a.txt".to_owned())]));
        assert_eq!(read("--extra-index https://x --pre"), Ok(vec![Directive::Other, Directive::Other]));
        for text in ["--nonsense", "-r", "--pre=1", "-x", "--index-url 'a", "--no"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
