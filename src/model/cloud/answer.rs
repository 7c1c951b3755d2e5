//! An HTTP answer of the cloud that is no success in, what to tell of it out.

use std::fmt::Write as _;

use serde::Deserialize;

use crate::model::event::redact::Redactor;
use crate::model::event::response::one_line;
use crate::model::finding::{Finding, Rule};

/// Codes of google.rpc.Code that are asked for by name.
pub const NOT_FOUND: i64 = 5;
pub const ALREADY_EXISTS: i64 = 6;

/// google.rpc.Status, as answers and operations carry it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Status {
    pub code: i64,
    pub message: String,
    details: Vec<Detail>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Detail {
    request_id: Option<String>,
}

/// Why the cloud did not do it, and what its support needs to find the reason.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Refusal {
    /// Of HTTP; none for an operation that failed.
    pub status: Option<u16>,
    pub code: i64,
    pub message: String,
    pub request_id: Option<String>,
    pub trace_id: Option<String>,
}

impl Refusal {
    /// `body` may be anything: a proxy on the way answers in HTML.
    pub fn of_answer(status: u16, body: &[u8], request_id: Option<&str>, trace_id: Option<&str>) -> Self {
        let told: Status = serde_json::from_slice(body).unwrap_or_default();
        let mut refusal = Self::of_status(told);
        refusal.status = Some(status);
        refusal.trace_id = trace_id.map(str::to_owned);
        if let Some(id) = request_id {
            refusal.request_id = Some(id.to_owned());
        }
        if refusal.message.is_empty() {
            refusal.message = match xml_message(body) {
                Some(message) => message,
                None if body.is_empty() => "an empty answer".to_owned(),
                None => "an answer that is not the API's".to_owned(),
            };
        }
        refusal
    }

    pub fn of_status(status: Status) -> Self {
        let request_id = status.details.into_iter().find_map(|detail| detail.request_id);
        Self { status: None, code: status.code, message: status.message, request_id, trace_id: None }
    }

    pub fn is_missing(&self) -> bool {
        self.code == NOT_FOUND || (self.code == 0 && self.status == Some(404))
    }

    pub fn exists_already(&self) -> bool {
        self.code == ALREADY_EXISTS || (self.code == 0 && self.status == Some(409))
    }

    /// The finding for it, with what helps: the way out where it is known, ids and the build log.
    pub fn finding(&self, rule: &'static Rule, action: &str, redactor: &Redactor) -> Box<Finding> {
        let mut why = one_line(&redactor.text(&self.message));
        if let Some(status) = self.status {
            let _ = write!(why, " (HTTP {status})");
        }
        for (name, id) in [("request id", &self.request_id), ("trace id", &self.trace_id)] {
            if let Some(id) = id {
                let _ = write!(why, "\n{name}: {}", one_line(&redactor.text(id)));
            }
        }
        let log = build_log(&self.message);
        if let Some(log) = log {
            let _ = write!(why, "\nbuild log: {log}");
        }
        let problem = rule.finding(format!("could not {action}")).why(why);
        match self.fix(log.is_some()) {
            Some(fix) => problem.fix(fix),
            None => problem,
        }
    }

    fn fix(&self, has_log: bool) -> Option<&'static str> {
        match (self.status, self.code) {
            (Some(401), _) | (_, 16) => Some(
                "take a new token: `export YC_IAM_TOKEN=$(yc iam create-token)`, or use a service account's key",
            ),
            (Some(403), _) | (_, 7) => Some(
                "the caller needs the role functions.editor in the folder, iam.serviceAccounts.user to attach a service account, functions.admin to change who may call, storage.uploader for the bucket",
            ),
            (Some(429), _) | (_, 8) => Some("wait and run it again; quotas are raised in the console"),
            _ if has_log => {
                Some("read the build log; `fnscaffold pack --vendor` installs the dependencies here instead")
            }
            _ => None,
        }
    }
}

/// `Logs: https://...` at the end of the message of a failed build.
fn build_log(message: &str) -> Option<&str> {
    let start = message.find("https://storage.yandexcloud.net/build-logs/")?;
    message[start..].split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ')' | ',')).next()
}

/// Object Storage answers errors as S3 does: `<Error><Code>...</Code><Message>...</Message>`.
fn xml_message(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let (_, rest) = text.split_once("<Message>")?;
    let (message, _) = rest.split_once("</Message>")?;
    text.contains("<Error").then(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding;

    fn told(refusal: &Refusal) -> (String, Option<String>) {
        let redactor = Redactor::new(["t0p-secret".to_owned()]);
        let problem = refusal.finding(&finding::CLOUD_REFUSED, "create the version", &redactor);
        (problem.why.clone().unwrap(), problem.fix.clone())
    }

    #[test]
    fn the_clouds_message_ids_and_log_are_shown() {
        let body = br#"{"code":7,"message":"Permission denied for t0p-secret","details":[{"@type":"x"},{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"r-1"}]}"#;
        let (why, fix) = told(&Refusal::of_answer(403, body, None, Some("t-1")));
        assert_eq!(why, "Permission denied for <redacted> (HTTP 403)\nrequest id: r-1\ntrace id: t-1");
        assert!(fix.unwrap().contains("functions.editor"));
        let status = Status {
            code: 3,
            message: "Build failed. Logs: https://storage.yandexcloud.net/build-logs/abc/x?y=1 ".to_owned(),
            details: vec![],
        };
        let (why, fix) = told(&Refusal::of_status(status));
        assert!(why.ends_with("\nbuild log: https://storage.yandexcloud.net/build-logs/abc/x?y=1"), "{why}");
        assert!(fix.unwrap().contains("build log"));
    }

    #[test]
    fn what_is_no_json_is_not_repeated() {
        for (body, expected) in [
            (&b"<html><body>Bad gateway</body></html>"[..], "an answer that is not the API's (HTTP 502)"),
            (b"", "an empty answer (HTTP 502)"),
            (b"[1]", "an answer that is not the API's (HTTP 502)"),
            (
                b"<?xml version=\"1.0\"?><Error><Code>NoSuchBucket</Code><Message>The bucket does not exist</Message></Error>",
                "The bucket does not exist (HTTP 502)",
            ),
        ] {
            assert_eq!(told(&Refusal::of_answer(502, body, None, None)).0, expected);
        }
    }

    #[test]
    fn missing_and_existing_are_told_by_the_code() {
        let of = |status, body: &str| Refusal::of_answer(status, body.as_bytes(), None, None);
        assert!(of(404, r#"{"code":5,"message":"x"}"#).is_missing());
        assert!(of(404, "").is_missing());
        assert!(!of(409, r#"{"code":10,"message":"aborted"}"#).exists_already());
        assert!(of(409, r#"{"code":6,"message":"x"}"#).exists_already());
    }
}
