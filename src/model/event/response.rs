//! What became of a call in; the HTTP response that its client gets, and what to tell the developer, out.
//! Source: the vendor's page functions/concepts/function-invoke. What no source tells is marked with its
//! entry in [`choices`](super::choices).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::model::event::PAYLOAD_LIMIT;
use crate::model::event::envelope::{self, Defect, Envelope};
use crate::model::event::integration::Integration;
use crate::model::event::redact::Redactor;
use crate::model::finding::{self, Finding};

/// What the client gets. `Content-Length` and `Date` are for whoever sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// Which function, version and request an answer is from.
#[derive(Debug, Clone)]
pub struct Origin {
    pub function_id: String,
    pub version_id: String,
    pub request_id: String,
}

/// An error as the language's runtime reports it: `stackTrace` is a list of objects in Node.js and of
/// strings in Python. Whatever a handler throws fits, also an error whose message is no string.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub error_message: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub error_type: Value,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub stack_trace: Value,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The text that the handler's result was serialised to; empty where the result was `undefined`.
    Answered(Vec<u8>),
    /// The handler, or loading it, raised an error.
    Raised(Failure),
    /// No answer within the version's timeout, in seconds.
    TimedOut(u64),
    /// The process ended before it answered: `exited with code 1`, `was killed by SIGKILL`.
    Died(String),
}

/// What the client gets, and what went wrong on the function's side.
#[derive(Debug)]
pub struct Answer {
    pub response: Response,
    /// `FUNCTION_FAILED` or `FUNCTION_TIMEOUT`. An error status that the handler chose itself is an answer.
    pub trouble: Option<Box<Finding>>,
}

/// What the client of a call gets.
pub fn respond(outcome: &Outcome, integration: Integration, origin: &Origin, redactor: &Redactor) -> Answer {
    let told = |text: &str| one_line(&redactor.text(text));
    let (response, trouble) = match outcome {
        Outcome::Answered(result) => match answered(result, integration) {
            Ok(response) => (response, None),
            Err(defect) => (malformed(&defect, result), Some(explain(&defect, redactor))),
        },
        Outcome::Raised(failure) => (raised(failure), Some(tell_raised(failure, redactor))),
        Outcome::TimedOut(seconds) => (timed_out(*seconds), Some(tell_timed_out(*seconds))),
        Outcome::Died(how) => {
            let message = format!("the function's process {} before it answered", told(how));
            // choice `death-body`
            let failure = Failure {
                error_message: Value::String(message.clone()),
                error_type: Value::String("FunctionDied".to_owned()),
                stack_trace: Value::Null,
            };
            let trouble = finding::FUNCTION_FAILED
                .finding(message)
                .why("the platform answers 502 and starts a new instance for the next call");
            (raised(&failure), Some(trouble))
        }
    };
    let mut response = match integration {
        Integration::Async => Response::accepted(),
        Integration::Http | Integration::Raw => response,
    };
    response.stamp(origin);
    Answer { response, trouble }
}

impl Response {
    /// The platform's own answer when it does not call the function, in its own shape.
    pub fn refusal(status: u16, message: &str, request_id: &str) -> Self {
        let mut response = Self::service(status, message, "ProxyIntegrationError");
        response.headers.push(("X-Request-Id".to_owned(), request_id.to_owned()));
        response
    }

    /// What `?integration=async` is answered with as soon as the call is queued.
    // choice `async-body`
    pub fn accepted() -> Self {
        Self { status: 202, headers: Vec::new(), body: Vec::new() }
    }

    /// The values of a header, whatever the case of its name.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = move |header: &&(String, String)| header.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(named).map(|(_, value)| value.as_str())
    }

    /// Adds what the platform adds to every answer of a function.
    pub fn stamp(&mut self, origin: &Origin) {
        for (name, value) in [
            ("X-Content-Type-Options", "nosniff"),
            ("X-Function-Id", &origin.function_id),
            ("X-Function-Version-Id", &origin.version_id),
            ("X-Request-Id", &origin.request_id),
        ] {
            self.headers.push((name.to_owned(), value.to_owned()));
        }
    }

    fn service(status: u16, message: &str, kind: &str) -> Self {
        Self::json(status, &json!({ "errorCode": status, "errorMessage": message, "errorType": kind }))
    }

    fn json(status: u16, body: &Value) -> Self {
        // choice `content-type`
        let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
        Self { status, headers, body: body.to_string().into_bytes() }
    }
}

fn answered(result: &[u8], integration: Integration) -> Result<Response, Defect> {
    if result.len() > PAYLOAD_LIMIT {
        return Err(Defect::TooLarge(result.len()));
    }
    match integration {
        Integration::Http => {
            let Envelope { status, headers, body } = envelope::read(result)?;
            Ok(Response { status, headers, body })
        }
        Integration::Raw | Integration::Async => {
            Ok(Response { status: 200, headers: Vec::new(), body: result.to_vec() })
        }
    }
}

fn raised(failure: &Failure) -> Response {
    let mut response = Response::json(502, &json!(failure));
    response.headers.push(("X-Function-Error".to_owned(), "true".to_owned()));
    response
}

/// choice `timeout-body`
fn timed_out(seconds: u64) -> Response {
    Response::service(504, &format!("the function did not answer within {seconds} s"), "FunctionTimeout")
}

fn malformed(defect: &Defect, result: &[u8]) -> Response {
    match defect {
        Defect::TooLarge(_) => {
            let message = format!("the answer's JSON structure is larger than {PAYLOAD_LIMIT} bytes");
            Response::service(413, &message, "ProxyIntegrationError")
        }
        // choice `forbidden-header`
        Defect::ForbiddenHeader(name) => proxy_error(
            &format!("Malformed serverless function response: header {name} is not allowed"),
            result,
        ),
        Defect::Shape(_) => proxy_error("Malformed serverless function response: not a valid json", result),
    }
}

/// choice `malformed-marks`
fn proxy_error(message: &str, result: &[u8]) -> Response {
    Response::json(
        502,
        &json!({
            "errorMessage": message,
            "errorType": "ProxyIntegrationError",
            "payload": String::from_utf8_lossy(result),
        }),
    )
}

fn explain(defect: &Defect, redactor: &Redactor) -> Box<Finding> {
    match defect {
        Defect::TooLarge(length) => finding::FUNCTION_FAILED
            .finding(format!("the function's answer has {length} bytes"))
            .why(format!("the platform answers 413 to a JSON structure of more than {PAYLOAD_LIMIT} bytes"))
            .fix("put large results into Object Storage and answer with their address"),
        Defect::ForbiddenHeader(name) => finding::FUNCTION_FAILED
            .finding(format!("the function's answer has the header `{name}`"))
            .why("the platform refuses it and answers 502")
            .fix(format!("leave `{name}` out; the platform frames and forwards the answer itself")),
        Defect::Shape(what) => finding::FUNCTION_FAILED
            .finding(format!("the function's answer is malformed: {}", one_line(&redactor.text(what))))
            .why("the platform answers 502 with ProxyIntegrationError")
            .fix(
                "return `statusCode` (a number), `headers` (names to strings) and `body` (a string: \
                 `JSON.stringify(..)`, `json.dumps(..)`); or call with `?integration=raw`, which takes \
                 any result",
            ),
    }
}

fn tell_raised(failure: &Failure, redactor: &Redactor) -> Box<Finding> {
    let told = |value: &Value| one_line(&redactor.text(&plain(value)));
    let (kind, message) = (told(&failure.error_type), told(&failure.error_message));
    let what = match (kind.is_empty(), message.is_empty()) {
        (true, true) => "the function raised something that is no error".to_owned(),
        (false, true) => format!("the function raised {kind}"),
        (true, false) => format!("the function raised an error: {message}"),
        (false, false) => format!("the function raised {kind}: {message}"),
    };
    finding::FUNCTION_FAILED.finding(what).why("the platform answers 502 with `X-Function-Error: true`")
}

fn tell_timed_out(seconds: u64) -> Box<Finding> {
    finding::FUNCTION_TIMEOUT
        .finding(format!("the function did not answer within {seconds} s"))
        .why("the platform answers 504 and ends the instance, and with it every other call in it")
        .fix("raise `timeout` in function.toml, or do less in one call; it covers the first start too")
}

/// A string without its quotes, nothing for null, JSON for anything else.
fn plain(value: &Value) -> Cow<'_, str> {
    match value {
        Value::Null => Cow::Borrowed(""),
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// The beginning of a text that a handler made, without what could drive a terminal.
pub fn one_line(text: &str) -> String {
    const LONGEST: usize = 500;
    let mut line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST).collect();
    if text.chars().nth(LONGEST).is_some() {
        line.push('…');
    }
    line.trim().to_owned()
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
