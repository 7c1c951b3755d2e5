//! The same call in, the answer of what is deployed out.

use std::time::Duration;

use serde_json::json;

use super::{Done, Invoke, judge, speech};
use crate::commands::Context;
use crate::model::cloud::records::Function;
use crate::model::event::expect::Expectation;
use crate::model::event::http::Request;
use crate::model::event::redact::Redactor;
use crate::model::event::response::Answer;
use crate::model::finding::{self, Exit, Result};
use crate::model::junit;
use crate::model::settings::parse_timeout;
use crate::outside::clock;
use crate::outside::cloud::{Call, Cloud, RAW, parse_method};
use crate::outside::disk;
use crate::outside::terminal::Format;

/// Seconds that a call may take beyond the function's own timeout.
const MARGIN: u64 = 30;

/// What this program says of a connection itself, or the platform does not pass on.
const OWN_HEADERS: [&str; 4] = ["Authorization", "Connection", "Content-Length", "Host"];

impl Invoke {
    pub(super) fn call_remote(&self, context: &Context) -> Result<Exit> {
        let terminal = &context.terminal;
        let (manifest, _) = disk::read_manifest(&context.directory)?;
        let expectations =
            self.expect.iter().map(|text| Expectation::parse(text)).collect::<Result<Vec<_>>>()?;
        let patience = Duration::from_secs(parse_timeout(&manifest.version.timeout)? + MARGIN);
        let progress = |line: &str| terminal.progress(line);
        let cloud = self.place.open(context, self.run.token_file.as_deref(), &progress)?;
        let function = self.place.function(&cloud, &manifest)?;
        if context.dry_run {
            return self.say_what_would_be_sent(context, &cloud, &function);
        }
        let mut done = Vec::new();
        for _ in 0..self.repeat {
            let (request_id, trace_id) = (clock::request_id(), clock::request_id());
            let begun = clock::epoch_milliseconds();
            let answer = if self.request.is_event() {
                let event = self.request.event_payload(context, &request_id)?;
                cloud.call_with_event(&function.id, self.tag.as_deref(), &event, patience)
            } else {
                let request = self.remote_request(context, &request_id, &trace_id)?;
                self.send(&cloud, &function.id, request, patience)
            };
            terminal.end_progress();
            // The token is known only once it was needed.
            let redactor = if self.run.show_token { Redactor::off() } else { cloud.redactor() };
            let answer = answer?;
            let unmet = judge(&answer, &expectations, &redactor);
            let (initialisation, peak_memory) = (None, None);
            let duration = Duration::from_millis(clock::epoch_milliseconds().saturating_sub(begun));
            done.push(Done { request_id, answer, unmet, duration, initialisation, peak_memory });
        }
        let redactor = if self.run.show_token { Redactor::off() } else { cloud.redactor() };
        let speech = speech::Speech::new(terminal, &manifest, self.run.log_format, redactor);
        done.iter().try_for_each(|done| speech.answer(done))?;
        speech.say(&done, None)
    }

    /// What --dry-run tells. The body may hold what nobody should read in a log.
    fn say_what_would_be_sent(
        &self,
        context: &Context,
        cloud: &Cloud<'_>,
        function: &Function,
    ) -> Result<Exit> {
        let terminal = &context.terminal;
        let id = clock::request_id();
        let (method, query, body) = if self.request.is_event() {
            ("POST".to_owned(), RAW.to_owned(), self.request.event_payload(context, &id)?.payload)
        } else {
            let request = self.remote_request(context, &id, &id)?;
            (request.method, request.query, request.body)
        };
        terminal.end_progress();
        let url = cloud.call_address(&function.id, self.tag.as_deref(), &query);
        let size = body.len();
        match terminal.format {
            Format::Text => terminal.say(&format!("would send {method} {url} with {size} bytes"))?,
            Format::Junit => terminal.say_bytes(junit::report(&function.name, &[]).as_bytes())?,
            Format::Json | Format::Sarif => terminal.say_json(&json!({
                "ok": true,
                "dryRun": true,
                "request": { "method": method, "url": url, "bytes": size },
            }))?,
        }
        Ok(Exit::Done)
    }

    fn remote_request(&self, context: &Context, request_id: &str, trace_id: &str) -> Result<Request> {
        let request = self.request.request(&context.directory, request_id, trace_id)?;
        parse_method(&request.method)?;
        if !request.path.is_empty() {
            return Err(finding::ANSWER_INVALID
                .finding("--path cannot be used with --remote")
                .why("the function's own address takes no path: only an API gateway does")
                .fix("call the gateway's address with another tool, or leave --path out"));
        }
        Ok(request)
    }

    fn send(
        &self,
        cloud: &Cloud<'_>,
        function_id: &str,
        request: Request,
        patience: Duration,
    ) -> Result<Answer> {
        let is_own = |name: &str| OWN_HEADERS.iter().any(|own| own.eq_ignore_ascii_case(name));
        let headers: Vec<_> = request.headers.into_iter().filter(|(name, _)| !is_own(name)).collect();
        cloud.call_over_http(&Call {
            function_id,
            tag: self.tag.as_deref(),
            method: &request.method,
            query: &request.query,
            headers: &headers,
            body: &request.body,
            patience,
        })
    }
}
