//! What `--expect` says in, whether an answer is that, or a finding, out.

use serde_json::Value;

use crate::model::event::redact::Redactor;
use crate::model::event::response::{Response, one_line};
use crate::model::event::setting::json_or_string;
use crate::model::finding::{self, Finding, Result};

/// One `--expect`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// As it was written, for messages.
    text: String,
    wanted: Wanted,
}

#[derive(Debug, Clone, PartialEq)]
enum Wanted {
    Status(u16),
    /// The whole body.
    Body(String),
    /// A header, with any value or with this one among its values.
    Header {
        name: String,
        value: Option<String>,
    },
    /// What a JSON Pointer (RFC 6901) leads to in the body.
    Json {
        pointer: String,
        value: Option<Value>,
    },
}

impl Expectation {
    /// `status=200`, `body=TEXT`, `header:NAME`, `header:NAME=VALUE`, `json:POINTER`, `json:POINTER=VALUE`;
    /// the last value is JSON if it parses, else a string.
    ///
    /// # Errors
    /// `ANSWER_INVALID`.
    pub fn parse(text: &str) -> Result<Self> {
        let wanted = read(text).ok_or_else(|| {
            finding::ANSWER_INVALID
                .finding(format!("--expect `{text}` cannot be read"))
                .why("it is `status=CODE`, `body=TEXT`, `header:NAME[=VALUE]` or `json:POINTER[=VALUE]`")
                .fix("`--expect status=200`, `--expect json:/token_type=Bearer`, `--expect header:Content-Type`")
        })?;
        Ok(Self { text: text.to_owned(), wanted })
    }

    /// `EXPECTATION_UNMET` when `response` is something else.
    pub fn judge(&self, response: &Response, redactor: &Redactor) -> Option<Box<Finding>> {
        let found = match &self.wanted {
            Wanted::Status(status) => (response.status != *status).then(|| response.status.to_string()),
            Wanted::Body(body) => (response.body != body.as_bytes()).then(|| body_text(response)),
            Wanted::Header { name, value } => judge_header(response, name, value.as_deref()),
            Wanted::Json { pointer, value } => judge_json(response, pointer, value.as_ref()),
        }?;
        // Hidden before it is cut, so that no half of a token remains.
        let [expected, found] = [&self.text, &found].map(|text| one_line(&redactor.text(text)));
        Some(
            finding::EXPECTATION_UNMET
                .finding(format!("the answer is not as expected: `{expected}`"))
                .why(format!("found: {found}")),
        )
    }
}

fn read(text: &str) -> Option<Wanted> {
    let pair = |text: &str| match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    };
    if let Some(status) = text.strip_prefix("status=") {
        let status = status.parse().ok().filter(|status| (100..=599).contains(status))?;
        return Some(Wanted::Status(status));
    }
    if let Some(body) = text.strip_prefix("body=") {
        return Some(Wanted::Body(body.to_owned()));
    }
    if let Some(header) = text.strip_prefix("header:") {
        let (name, value) = pair(header);
        return (!name.is_empty()).then_some(Wanted::Header { name, value });
    }
    let (pointer, value) = pair(text.strip_prefix("json:")?);
    let is_pointer = pointer.is_empty() || pointer.starts_with('/');
    is_pointer.then(|| Wanted::Json { pointer, value: value.map(|value| json_or_string(&value)) })
}

/// What was found instead.
fn judge_header(response: &Response, name: &str, value: Option<&str>) -> Option<String> {
    let found: Vec<_> = response.values(name).collect();
    let is_met = value.map_or(!found.is_empty(), |value| found.contains(&value));
    if is_met {
        None
    } else if found.is_empty() {
        Some("no such header".to_owned())
    } else {
        Some(found.join(", "))
    }
}

/// What was found instead.
fn judge_json(response: &Response, pointer: &str, value: Option<&Value>) -> Option<String> {
    let body = match serde_json::from_slice::<Value>(&response.body) {
        Ok(body) => body,
        Err(_) => return Some(format!("a body that is not JSON: {}", body_text(response))),
    };
    match (body.pointer(pointer), value) {
        (None, _) => Some(format!("nothing at `{pointer}` in {body}")),
        (Some(_), None) => None,
        (Some(found), Some(value)) if is_same(found, value) => None,
        (Some(found), Some(_)) => Some(found.to_string()),
    }
}

/// Equal as JSON; `1` and `1.0` are one number, which Python and JavaScript write differently.
fn is_same(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) if found.is_f64() != expected.is_f64() => {
            found.as_f64() == expected.as_f64()
        }
        _ => found == expected,
    }
}

fn body_text(response: &Response) -> String {
    match std::str::from_utf8(&response.body) {
        Ok("") => "an empty body".to_owned(),
        Ok(text) => text.to_owned(),
        Err(_) => format!("{} bytes that are not text", response.body.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response() -> Response {
        Response {
            status: 200,
            headers: vec![
                ("Set-Cookie".to_owned(), "a=1".to_owned()),
                ("Set-Cookie".to_owned(), "b=2".to_owned()),
            ],
            body: br#"{"token_type":"Bearer","access_token":"t0p-secret","n":1.0,"a/b":[null]}"#.to_vec(),
        }
    }

    fn judge(text: &str) -> Option<Box<Finding>> {
        Expectation::parse(text).unwrap().judge(&response(), &Redactor::default())
    }

    #[test]
    fn met() {
        for text in [
            "status=200",
            "header:set-cookie",
            "header:Set-Cookie=b=2",
            "json:/token_type=Bearer",
            r#"json:/token_type="Bearer""#,
            "json:/access_token",
            "json:/n=1",
            "json:/a~1b/0=null",
            "json:/a~1b=[null]",
            r#"body={"token_type":"Bearer","access_token":"t0p-secret","n":1.0,"a/b":[null]}"#,
        ] {
            assert_eq!(judge(text), None, "{text}");
        }
    }

    #[test]
    fn unmet() {
        for (text, found) in [
            ("status=201", "found: 200"),
            ("header:X-No", "found: no such header"),
            ("header:Set-Cookie=c", "found: a=1, b=2"),
            ("json:/token_type=bearer", r#"found: "Bearer""#),
            ("json:/n=\"1\"", "found: 1.0"),
            ("json:/a~1b/1", "found: nothing at `/a~1b/1` in {"),
            ("body=", "found: {"),
        ] {
            let finding = judge(text).unwrap();
            assert_eq!(finding.rule.id, "FN0703");
            assert!(finding.why.unwrap().starts_with(found), "{text}");
        }
    }

    #[test]
    fn a_token_is_not_told() {
        for text in ["json:/access_token_=x", "body=x"] {
            let finding = format!("{:?}", judge(text));
            assert!(finding.contains("<redacted>") && !finding.contains("t0p-secret"), "{finding}");
        }
        let redactor = Redactor::new(["t0p-secret".to_owned()]);
        let finding = Expectation::parse("json:/access_token=x").unwrap().judge(&response(), &redactor);
        assert!(finding.unwrap().why.unwrap().contains("<redacted>"));
    }

    #[test]
    fn bodies_that_are_no_json() {
        let mut response = response();
        for (body, found) in [
            (&b"oops"[..], "found: a body that is not JSON: oops"),
            (&b"\xff"[..], "found: a body that is not JSON: 1 bytes that are not text"),
            (&b""[..], "found: a body that is not JSON: an empty body"),
        ] {
            response.body = body.to_vec();
            let finding = Expectation::parse("json:=1").unwrap().judge(&response, &Redactor::default());
            assert_eq!(finding.unwrap().why.unwrap(), found);
        }
        response.body = b"1".to_vec();
        assert_eq!(Expectation::parse("json:=1").unwrap().judge(&response, &Redactor::default()), None);
    }

    #[test]
    fn what_is_no_expectation_is_refused() {
        for text in [
            "",
            "status",
            "status=",
            "status=ok",
            "status=20",
            "header:",
            "header:=1",
            "json:a=1",
            "cookie=1",
        ] {
            assert_eq!(Expectation::parse(text).unwrap_err().rule.id, "FN0103", "{text}");
        }
    }
}
