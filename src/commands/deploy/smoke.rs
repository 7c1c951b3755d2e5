//! `--smoke` and `--expect` in, whether the new version answers so out.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

use crate::commands::Context;
use crate::model::event::expect::Expectation;
use crate::model::event::fixtures::{self, Moment};
use crate::model::event::http::Integration;
use crate::model::event::response::{Origin, Outcome, Response, one_line, respond};
use crate::model::finding::{self, Finding, Result};
use crate::outside::cloud::{Call, Cloud};
use crate::outside::{clock, disk};

/// A tag that was just set is not known everywhere at once.
const PATIENCE: [u64; 4] = [1, 2, 4, 0];

pub struct Smoke {
    event: Vec<u8>,
    integration: Integration,
    expectations: Vec<Expectation>,
}

impl Smoke {
    /// # Errors
    /// [`finding::ANSWER_INVALID`] and [`finding::IO`].
    pub fn parse(context: &Context, event: &str, expect: &[String]) -> Result<Self> {
        let expectations = expect.iter().map(|text| Expectation::parse(text)).collect::<Result<Vec<_>>>()?;
        if let Ok(fixture) = fixtures::find(event) {
            let moment = Moment { epoch_seconds: clock::epoch_seconds(), id: clock::request_id() };
            let event = fixture.event(&moment, &[])?.to_string().into_bytes();
            return Ok(Self { event, integration: fixture.integration, expectations });
        }
        let text = disk::read_argument(&context.directory, Path::new(event))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| {
            finding::ANSWER_INVALID
                .finding(format!("--smoke `{event}` is not JSON"))
                .why(error.to_string())
                .fix("name an event of `invoke --event-template`, such as http, or a file with JSON")
        })?;
        let integration =
            if value.get("httpMethod").is_some() { Integration::Http } else { Integration::Raw };
        Ok(Self { event: text.into_bytes(), integration, expectations })
    }

    /// Calls as triggers and `yc serverless function invoke` do, so that any event can be given; the answer
    /// of an HTTP event is then read as the platform's front door would.
    ///
    /// # Errors
    /// [`finding::SMOKE_FAILED`], and what keeps the cloud from answering.
    pub fn call(&self, cloud: &Cloud<'_>, function_id: &str, tag: &str, patience: Duration) -> Result<()> {
        let redactor = cloud.redactor();
        let response = self.send(cloud, function_id, tag, patience)?;
        if response.status != 200 {
            let body = String::from_utf8_lossy(&response.body);
            return Err(finding::SMOKE_FAILED
                .finding(format!("the new version failed with HTTP {}", response.status))
                .why(one_line(&redactor.text(&body)))
                .fix("`fnscaffold invoke` runs it here; the tags are where they were"));
        }
        let origin = Origin {
            function_id: function_id.to_owned(),
            version_id: tag.to_owned(),
            request_id: String::new(),
        };
        let answer = respond(&Outcome::Answered(response.body), self.integration, &origin, &redactor);
        let unmet = self.expectations.iter().filter_map(|expected| expected.judge(&answer.response, &redactor));
        match answer.trouble.into_iter().chain(unmet).next() {
            None => Ok(()),
            Some(problem) => Err(failed(&problem)),
        }
    }

    fn send(&self, cloud: &Cloud<'_>, function_id: &str, tag: &str, patience: Duration) -> Result<Response> {
        let headers = [("Content-Type".to_owned(), "application/json".to_owned())];
        let call = Call {
            function_id,
            tag: Some(tag),
            method: "POST",
            query: "integration=raw",
            headers: &headers,
            body: &self.event,
            patience,
        };
        for pause in PATIENCE {
            let response = cloud.call(&call)?;
            // A function cannot answer 404 to a raw call: there is no such function or tag yet.
            if response.status != 404 || pause == 0 {
                return Ok(response);
            }
            sleep(Duration::from_secs(pause));
        }
        cloud.call(&call)
    }
}

fn failed(problem: &Finding) -> Box<Finding> {
    finding::SMOKE_FAILED
        .finding(format!("the new version did not prove itself: {}", problem.message))
        .why(problem.why.clone().unwrap_or_default())
        .fix("`fnscaffold invoke` runs it here; the tags are where they were")
}
