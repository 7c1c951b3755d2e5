//! `--smoke` and `--expect` in, whether the new version answers so out.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::commands::Context;
use crate::model::event::expect::Expectation;
use crate::model::event::fixtures::{self, Moment};
use crate::model::event::http::Call as Event;
use crate::model::event::integration::Integration;
use crate::model::finding::{self, Result};
use crate::outside::cloud::Cloud;
use crate::outside::{clock, disk};

pub struct Smoke {
    event: Event,
    expectations: Vec<Expectation>,
}

impl Smoke {
    /// # Errors
    /// [`finding::ANSWER_INVALID`] and [`finding::IO`].
    pub fn parse(context: &Context, event: &str, expect: &[String]) -> Result<Self> {
        let expectations = expect.iter().map(|text| Expectation::parse(text)).collect::<Result<Vec<_>>>()?;
        if let Ok(fixture) = fixtures::find(event) {
            let moment = Moment { epoch_seconds: clock::epoch_seconds(), id: clock::request_id() };
            let payload = fixture.event(&moment, &[])?.to_string().into_bytes();
            let event = Event { integration: fixture.integration, payload };
            return Ok(Self { event, expectations });
        }
        let text = disk::read_argument(&context.directory, Path::new(event))?;
        let value: Value = serde_json::from_str(&text).map_err(|error| {
            finding::ANSWER_INVALID
                .finding(format!("--smoke `{event}` is not JSON"))
                .why(error.to_string())
                .fix("name an event of `invoke --event-template`, such as http, or a file with JSON")
        })?;
        let integration = Integration::of(&value);
        Ok(Self { event: Event { integration, payload: text.into_bytes() }, expectations })
    }

    /// # Errors
    /// [`finding::SMOKE_FAILED`], and what keeps the cloud from answering.
    pub fn call(&self, cloud: &Cloud<'_>, function_id: &str, tag: &str, patience: Duration) -> Result<()> {
        let answer = cloud.call_with_event(function_id, Some(tag), &self.event, patience)?;
        let redactor = cloud.redactor();
        let unmet =
            self.expectations.iter().filter_map(|expected| expected.judge(&answer.response, &redactor));
        let Some(problem) = answer.trouble.into_iter().chain(unmet).next() else { return Ok(()) };
        Err(finding::SMOKE_FAILED
            .finding(format!("the new version did not prove itself: {}", problem.message))
            .why(problem.why.clone().unwrap_or_default())
            .fix("`fnscaffold invoke` runs it here; `fnscaffold invoke --remote` calls it there"))
    }
}
