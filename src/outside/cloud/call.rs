//! A call of a deployed function in, its answer out. A call is made once: what a function does is not known
//! to be safe twice.

use std::thread::sleep;
use std::time::Duration;

use form_urlencoded::Serializer;
use ureq::http::Method;

use super::wire::{Body, Fault, Request};
use super::{Cloud, Failure, seconds};
use crate::model::cloud::answer::Refusal;
use crate::model::cloud::endpoint::Service;
use crate::model::cloud::retry;
use crate::model::event::http::Call as Event;
use crate::model::event::redact::Redactor;
use crate::model::event::response::{Answer, Origin, Outcome, Response, one_line, respond};
use crate::model::finding::{self, Finding, Result};

/// What to call, and with what.
pub struct Call<'a> {
    pub function_id: &'a str,
    /// Which version; without one the newest.
    pub tag: Option<&'a str>,
    pub method: &'a str,
    /// As in an address, without the question mark.
    pub query: &'a str,
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
    /// What the version may take, and a little more.
    pub patience: Duration,
}

/// What a raw call asks for.
pub const RAW: &str = "integration=raw";

/// # Errors
/// [`finding::ANSWER_INVALID`].
pub fn parse_method(text: &str) -> Result<Method> {
    Method::from_bytes(text.as_bytes()).map_err(|_| {
        finding::ANSWER_INVALID
            .finding(format!("--method `{text}` cannot be sent"))
            .why("a method is one word, such as GET")
    })
}

/// A tag that was just set is not known everywhere at once.
const UNKNOWN_YET: [u64; 3] = [1, 2, 4];

impl Cloud<'_> {
    /// Calls as triggers and `yc serverless function invoke` do, so that any event can be given; the answer
    /// to an HTTP event is then read as the platform's front door reads it.
    ///
    /// # Errors
    /// Those of [`Self::call`].
    pub fn call_with_event(
        &self,
        function_id: &str,
        tag: Option<&str>,
        event: &Event,
        patience: Duration,
    ) -> Result<Answer> {
        let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
        let body = event.payload.as_slice();
        let call = Call { function_id, tag, method: "POST", query: RAW, headers: &headers, body, patience };
        let mut response = self.call(&call)?;
        for pause in UNKNOWN_YET {
            // A function cannot answer 404 to a raw call.
            if response.status != 404 || tag.is_none() {
                break;
            }
            sleep(Duration::from_secs(pause));
            response = self.call(&call)?;
        }
        let redactor = self.redactor();
        if response.status != 200 {
            let trouble = failed(&response, &redactor);
            return Ok(Answer { response, trouble: Some(trouble) });
        }
        let origin = Origin {
            function_id: function_id.to_owned(),
            version_id: tag.unwrap_or_default().to_owned(),
            request_id: String::new(),
        };
        Ok(respond(&Outcome::Answered(response.body), event.integration, &origin, &redactor))
    }

    /// Calls over HTTP, as a client of the function does.
    ///
    /// # Errors
    /// Those of [`Self::call`].
    pub fn call_over_http(&self, call: &Call<'_>) -> Result<Answer> {
        let response = self.call(call)?;
        let is_failure = response.values("X-Function-Error").any(|value| value == "true");
        let trouble = is_failure.then(|| failed(&response, &self.redactor()));
        Ok(Answer { response, trouble })
    }

    /// Where a call with this query goes.
    pub fn call_address(&self, function_id: &str, tag: Option<&str>, query: &str) -> String {
        let mut of_tag = Serializer::new(String::new());
        if let Some(tag) = tag {
            of_tag.append_pair("tag", tag);
        }
        let tag = of_tag.finish();
        let query: Vec<_> = [query, &tag].into_iter().filter(|part| !part.is_empty()).collect();
        let path = format!("/{function_id}?{}", query.join("&"));
        self.endpoint.url(Service::Calls, path.trim_end_matches('?'))
    }

    /// # Errors
    /// What keeps the cloud from answering. Whatever the function answers is an answer.
    fn call(&self, call: &Call<'_>) -> Result<Response> {
        let action = "call the function";
        let url = self.call_address(call.function_id, call.tag, call.query);
        let token = self.token()?;
        let method = parse_method(call.method)?;
        let mut attempt = 1;
        loop {
            let request = Request {
                method: method.clone(),
                url: url.clone(),
                headers: call.headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect(),
                token: Some(&token),
                body: if call.body.is_empty() { Body::None } else { Body::Bytes(call.body) },
                patience: call.patience,
            };
            let fault = match self.wire.exchange(&request) {
                // All instances are busy: the function was not called.
                Ok(answer) if answer.status == 429 && attempt < retry::ATTEMPTS => {
                    Fault::Busy(Refusal { status: Some(429), ..Refusal::default() }, None)
                }
                Ok(answer) => {
                    let text = |value: &ureq::http::HeaderValue| {
                        String::from_utf8_lossy(value.as_bytes()).into_owned()
                    };
                    let headers =
                        answer.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
                    return Ok(Response { status: answer.status, headers, body: answer.body });
                }
                Err(fault) => fault,
            };
            let again = matches!(fault, Fault::Busy(..) | Fault::Unsent(_));
            let Some(wait) = fault.wait(attempt).filter(|_| again) else {
                return Err(self.tell(Failure::Fault(fault), action));
            };
            self.progress(&format!("{}; once more in {}", fault.short(), seconds(wait)));
            sleep(wait);
            attempt += 1;
        }
    }
}

fn failed(response: &Response, redactor: &Redactor) -> Box<Finding> {
    let body = String::from_utf8_lossy(&response.body);
    finding::FUNCTION_FAILED
        .finding(format!("the function failed with HTTP {}", response.status))
        .why(one_line(&redactor.text(&body)))
}
