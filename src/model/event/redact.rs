//! A text in, the same text without IAM tokens out.

use std::borrow::Cow;
use std::ops::Range;
use std::str::Utf8Chunk;

use memchr::memmem;

const REDACTED: &str = "<redacted>";

/// A given token that is shorter would be found all over innocent text, and can be none.
const SHORTEST_TOKEN: usize = 8;
/// A password may be shorter.
const SHORTEST_SECRET: usize = 4;
/// What stands unquoted behind `access_token=` or `Bearer `, and is shorter, is a word.
const SHORTEST_UNQUOTED: usize = 16;
/// Digits of either part of `t1.CLAIMS.SIGNATURE`; the real ones are longer.
const SHORTEST_PART: usize = 20;

/// What must not be printed; so it is not `Debug` either.
#[derive(Clone, Default)]
pub struct Redactor {
    shows: bool,
    tokens: Vec<String>,
    secrets: Vec<String>,
}

impl Redactor {
    /// Hides `tokens`, and whatever looks like one.
    pub fn new(tokens: impl IntoIterator<Item = String>) -> Self {
        let tokens = tokens.into_iter().filter(|token| token.len() >= SHORTEST_TOKEN).collect();
        Self { shows: false, tokens, secrets: Vec::new() }
    }

    /// For `--show-token`: shows tokens.
    pub const fn off() -> Self {
        Self { shows: true, tokens: Vec::new(), secrets: Vec::new() }
    }

    /// Hides these values too, line by line, as they are and as they stand in JSON.
    pub fn hiding<'a>(mut self, values: impl IntoIterator<Item = &'a str>) -> Self {
        for line in values.into_iter().flat_map(str::lines).filter(|line| line.len() >= SHORTEST_SECRET) {
            let json = serde_json::Value::from(line).to_string();
            self.secrets.push(json[1..json.len() - 1].to_owned());
            self.secrets.push(line.to_owned());
        }
        self
    }

    /// `text` with `<redacted>` in place of each token. A token must not be cut in two before.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut found = self.find(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_unstable_by_key(|range| range.start);
        let mut clean = String::with_capacity(text.len());
        let mut copied = 0;
        for range in found {
            if range.start >= copied {
                clean.push_str(&text[copied..range.start]);
                clean.push_str(REDACTED);
            }
            copied = copied.max(range.end);
        }
        clean.push_str(&text[copied..]);
        Cow::Owned(clean)
    }

    /// As [`Self::text`], of what need not be a text.
    pub fn bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let clean = |chunk: Utf8Chunk<'_>| [self.text(chunk.valid()).as_bytes(), chunk.invalid()].concat();
        bytes.utf8_chunks().flat_map(clean).collect()
    }

    /// All ends are next to ASCII characters or are those of a token, so they never split a character.
    fn find(&self, text: &str) -> Vec<Range<usize>> {
        let bytes = text.as_bytes();
        let mut found = Vec::new();
        for given in self.secrets.iter().chain(&self.tokens) {
            found.extend(memmem::find_iter(bytes, given).map(|at| at..at + given.len()));
        }
        if self.shows {
            return found;
        }
        found.extend(memmem::find_iter(bytes, "t1.").filter_map(|at| iam_token(bytes, at)));
        for key in ["access_token", "accessToken"] {
            let after_key = memmem::find_iter(bytes, key).map(|at| at + key.len());
            found.extend(after_key.filter_map(|at| value_of(bytes, at)));
        }
        for scheme in ["Bearer ", "Api-Key "] {
            let after_scheme = memmem::find_iter(bytes, scheme).map(|at| at + scheme.len());
            found.extend(after_scheme.filter_map(|at| unquoted(bytes, at)));
        }
        found
    }
}

/// `t1.`, the claims and the signature, both in base64url.
fn iam_token(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    if at > 0 && is_digit(bytes[at - 1]) {
        return None;
    }
    let claims = at + 3;
    let dot = end_of(bytes, end_of(bytes, claims, is_digit), |byte| byte == b'=');
    let signature = dot + 1;
    let end = end_of(bytes, signature, is_digit);
    let is_token =
        bytes.get(dot) == Some(&b'.') && dot - claims >= SHORTEST_PART && end - signature >= SHORTEST_PART;
    is_token.then_some(at..end)
}

/// What stands behind a key, as JSON, JSON in a string, Python and Node.js print it, and as in a form.
fn value_of(bytes: &[u8], at: usize) -> Option<Range<usize>> {
    let is_quoting = |byte: u8| matches!(byte, b'\\' | b'"' | b'\'');
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let sign = end_of(bytes, end_of(bytes, at, is_quoting), is_blank);
    if !matches!(bytes.get(sign), Some(b':' | b'=')) {
        return None;
    }
    let begin = end_of(bytes, sign + 1, is_blank);
    let start = end_of(bytes, begin, |byte| byte == b'\\');
    match bytes.get(start) {
        Some(quote @ (b'"' | b'\'' | b'`')) => {
            let start = start + 1;
            // Without its closing quote the rest of the text may be the token.
            let end = end_of(bytes, start, |byte| byte != *quote && byte != b'\\');
            (end > start).then_some(start..end)
        }
        _ => unquoted(bytes, begin),
    }
}

fn unquoted(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let end = end_of(bytes, start, |byte| {
        is_digit(byte) || matches!(byte, b'.' | b'=' | b'%' | b'+' | b'/' | b'~')
    });
    (end - start >= SHORTEST_UNQUOTED).then_some(start..end)
}

/// Of base64url.
fn is_digit(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Where the run of bytes that `belongs` takes, beginning at `start`, ends.
fn end_of(bytes: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    start + rest.iter().position(|byte| !belongs(*byte)).unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shaped() -> String {
        format!("t1.{}.{}", "9euelZqP-".repeat(6), "kQ8_rLx".repeat(12))
    }

    #[test]
    fn what_is_no_text_hides_no_token() {
        let redactor = Redactor::new(["t0p-secret".to_owned()]);
        assert_eq!(redactor.bytes(b"\xff\xfe t0p-secret\n\x80"), b"\xff\xfe <redacted>\n\x80");
        assert_eq!(redactor.bytes(&[0, 200, 255]), [0, 200, 255]);
    }

    #[test]
    fn values_of_access_token_are_hidden_however_they_are_written() {
        for (text, expected) in [
            (
                r#"{"access_token":"CggVAgAAA","expires_in":1}"#,
                r#"{"access_token":"<redacted>","expires_in":1}"#,
            ),
            (
                r#"{"body":"{\"access_token\": \"secret\"}"}"#,
                r#"{"body":"{\"access_token\": \"<redacted>\"}"}"#,
            ),
            (r#"\\\"access_token\\\":\\\"secret\\\","#, r#"\\\"access_token\\\":\\\"<redacted>\\\","#),
            ("{'access_token': 'secret', 'x': 1}", "{'access_token': '<redacted>', 'x': 1}"),
            ("{ access_token: 'secret' }", "{ access_token: '<redacted>' }"),
            ("access_token=0123456789abcdef&x=1", "access_token=<redacted>&x=1"),
            (r#""access_token": "cut off"#, r#""access_token": "<redacted>"#),
            ("\"access_token\" :\n  \"ключ\"", "\"access_token\" :\n  \"<redacted>\""),
            ("Authorization: Api-Key AQVN0123456789abcdef\n", "Authorization: Api-Key <redacted>\n"),
            (r#"{"accessToken":"secret"}"#, r#"{"accessToken":"<redacted>"}"#),
        ] {
            assert_eq!(Redactor::default().text(text), expected);
        }
    }

    #[test]
    fn words_about_tokens_stay() {
        for text in [
            "the access_token is missing",
            "access_token: undefined",
            r#"{"access_token":null}"#,
            r#"{"access_token":""}"#,
            "access_token",
            "access_token=",
            "Bearer of news",
            "Authorization: Api-Key KEY",
            "t1.small.talk",
            "set1.aaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbb",
        ] {
            assert_eq!(Redactor::default().text(text), text);
        }
    }

    #[test]
    fn a_given_token_is_hidden_everywhere() {
        let redactor = Redactor::new(["fake-token-1".to_owned(), "short".to_owned(), "token-1-b".to_owned()]);
        assert_eq!(redactor.text("fake-token-1fake-token-1 short"), "<redacted><redacted> short");
        assert_eq!(redactor.text("ы fake-token-1-b ы"), "ы <redacted> ы");
    }

    #[test]
    fn a_token_is_known_by_its_shape() {
        let token = shaped();
        for (text, expected) in [
            (format!("got {token}, fine"), "got <redacted>, fine".to_owned()),
            (format!("Authorization: Bearer {token}\n"), "Authorization: Bearer <redacted>\n".to_owned()),
            (format!("{token} {token}"), "<redacted> <redacted>".to_owned()),
            (format!("x=t1.{}==.{}", "a".repeat(40), "b".repeat(86)), "x=<redacted>".to_owned()),
        ] {
            assert_eq!(Redactor::default().text(&text), expected);
        }
    }

    #[test]
    fn show_token_hides_nothing() {
        let text = format!(r#"{{"access_token":"{}"}}"#, shaped());
        assert_eq!(Redactor::off().text(&text), text);
    }

    #[test]
    fn secrets_are_hidden_whatever_is_shown() {
        let values = ["pa\"ss", "-----BEGIN\nMIIEvQ\n", "no"];
        for redactor in [Redactor::off(), Redactor::default()] {
            let redactor = redactor.hiding(values);
            let text = redactor.text("pa\"ss MIIEvQ, no, {\"body\":\"pa\\\"ss\"}").into_owned();
            assert_eq!(text, "<redacted> <redacted>, no, {\"body\":\"<redacted>\"}");
        }
    }

    #[test]
    fn json_stays_json() {
        let text = format!(r#"{{"a":"{0}","b":"\"access_token\":\"{0}\"","access_token":"{0}"}}"#, shaped());
        let clean = Redactor::default().text(&text).into_owned();
        let value: serde_json::Value = serde_json::from_str(&clean).unwrap();
        assert_eq!(value["access_token"], REDACTED);
        assert_eq!(value["b"], "\"access_token\":\"<redacted>\"");
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in r#"(access_token|t1\.|Bearer |"|'|\\|:|=|\.|[a-z]{0,24}|ы| ){0,40}"#) {
            let redactor = Redactor::new(["ыыыыы".to_owned()]);
            let _ = redactor.text(&text);
        }

        #[test]
        fn a_given_token_never_remains(before in ".{0,40}", after in ".{0,40}") {
            let token = "fnscaffold-fake-0123";
            let redactor = Redactor::new([token.to_owned()]);
            let clean = redactor.text(&format!("{before}{token}{after}")).into_owned();
            prop_assert!(!clean.contains(token));
        }
    }
}
