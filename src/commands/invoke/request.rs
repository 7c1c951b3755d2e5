//! The flags of a call in, what the handler is called with out.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::commands::Context;
use crate::model::event::fixtures::{self, Fixture, Moment};
use crate::model::event::http::{Call, HOST, Request, Route, judge_size, receive};
use crate::model::event::integration::Integration;
use crate::model::event::response::Response;
use crate::model::finding::{self, Result};
use crate::outside::terminal::read_stdin;
use crate::outside::{clock, disk};

// The call: an HTTP request by default, or an event
#[derive(Debug, Args)]
#[command(next_help_heading = "The call")]
pub struct RequestArgs {
    /// The handler's first argument, as JSON; without httpMethod it is a trigger's; - is standard input
    #[arg(long, value_name = "FILE", env = "FNSCAFFOLD_EVENT", hide_env = true)]
    event: Option<PathBuf>,
    /// An event as the platform makes it: http, gateway, timer, ymq, ys3, yds, iot, logging, registry, budget, mail, telegram
    #[arg(long, value_name = "NAME", env = "FNSCAFFOLD_EVENT_TEMPLATE", hide_env = true)]
    event_template: Option<String>,
    /// Change a value of the event template: messages.0.details.payload=text; may be repeated
    #[arg(long, value_name = "KEY=VALUE", env = "FNSCAFFOLD_SET", hide_env = true)]
    set: Vec<String>,
    /// The request's body; @FILE reads it from a file, @- from standard input
    #[arg(short, long, value_name = "TEXT", env = "FNSCAFFOLD_DATA", hide_env = true)]
    data: Option<String>,
    /// The request's method [default: GET, with --data POST]
    #[arg(long, value_name = "METHOD", env = "FNSCAFFOLD_METHOD", hide_env = true)]
    method: Option<String>,
    /// The request's path, as through an API gateway
    #[arg(long, value_name = "PATH", env = "FNSCAFFOLD_PATH", hide_env = true)]
    path: Option<String>,
    /// A query parameter; may be repeated
    #[arg(long, value_name = "NAME=VALUE", env = "FNSCAFFOLD_QUERY", hide_env = true)]
    query: Vec<String>,
    /// A header; may be repeated. A body that is JSON is sent as application/json
    #[arg(long, value_name = "NAME: VALUE", env = "FNSCAFFOLD_HEADER", hide_env = true)]
    header: Vec<String>,
    /// As with ?integration=raw: the handler gets the body as it is, and what it returns is the answer
    #[arg(long)]
    raw: bool,
}

impl RequestArgs {
    /// What the handler is called with, or the platform's answer when it does not call it.
    ///
    /// # Errors
    /// [`finding::ANSWER_INVALID`], [`finding::UNKNOWN_NAME`] and [`finding::IO`].
    pub fn payload(
        &self,
        context: &Context,
        request_id: &str,
        trace_id: &str,
    ) -> Result<std::result::Result<Call, Response>> {
        if self.is_event() {
            let call = self.event_payload(context, request_id)?;
            return Ok(judge_size(&call.payload, request_id).map(|()| call));
        }
        Ok(receive(self.request(&context.directory, request_id, trace_id)?))
    }

    /// Whether an event is given as such, not as an HTTP request.
    pub const fn is_event(&self) -> bool {
        self.event.is_some() || self.event_template.is_some()
    }

    /// # Errors
    /// As [`Self::payload`]; [`finding::ANSWER_INVALID`] also when no event is given.
    pub fn event_payload(&self, context: &Context, request_id: &str) -> Result<Call> {
        if let Some(name) = &self.event_template {
            let fixture = fixtures::find(name)?;
            let payload = self.fixture_event(fixture, request_id)?;
            let integration = if self.raw { Integration::Raw } else { fixture.integration };
            return Ok(Call { integration, payload });
        }
        if let Some(file) = &self.event {
            let payload = disk::read_argument(&context.directory, file)?;
            let integration = if self.raw {
                Integration::Raw
            } else {
                let event = serde_json::from_str(&payload).map_err(|error| {
                    finding::ANSWER_INVALID
                        .finding(format!("--event `{}` is not JSON", file.display()))
                        .why(error.to_string())
                        .fix("correct it, or pass any text as it is with --raw")
                })?;
                Integration::of(&event)
            };
            return Ok(Call { integration, payload: payload.into_bytes() });
        }
        Err(finding::ANSWER_INVALID.finding("no event is given").fix("--event or --event-template"))
    }

    fn fixture_event(&self, fixture: &Fixture, request_id: &str) -> Result<Vec<u8>> {
        let moment = Moment { epoch_seconds: clock::epoch_seconds(), id: request_id.to_owned() };
        Ok(fixture.event(&moment, &self.set)?.to_string().into_bytes())
    }

    /// # Errors
    /// As [`Self::payload`].
    pub fn request(&self, directory: &Path, request_id: &str, trace_id: &str) -> Result<Request> {
        let body = match &self.data {
            None => Vec::new(),
            Some(data) => match data.strip_prefix('@') {
                None => data.clone().into_bytes(),
                Some("-") => read_stdin()?,
                Some(file) => disk::read(&directory.join(file))?,
            },
        };
        let (path, mut query) = match self.path.as_deref().and_then(|path| path.split_once('?')) {
            Some((path, query)) => (path.to_owned(), vec![query.to_owned()]),
            None => (self.path.clone().unwrap_or_default(), Vec::new()),
        };
        for parameter in &self.query {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            query.push(form_urlencoded::Serializer::new(String::new()).append_pair(name, value).finish());
        }
        if self.raw {
            query.push("integration=raw".to_owned());
        }
        let method = self.method.as_deref().unwrap_or(if self.data.is_some() { "POST" } else { "GET" });
        Ok(Request {
            method: method.to_uppercase(),
            route: if self.path.is_some() { Route::Gateway } else { Route::Direct },
            path,
            query: query.join("&"),
            headers: self.headers(&body)?,
            body,
            source: ([127, 0, 0, 1], 0).into(),
            request_id: request_id.to_owned(),
            trace_id: trace_id.to_owned(),
            epoch_seconds: clock::epoch_seconds(),
        })
    }

    fn headers(&self, body: &[u8]) -> Result<Vec<(String, String)>> {
        let mut headers = Vec::new();
        for header in &self.header {
            let (name, value) = header
                .split_once(':')
                .filter(|(name, value)| is_sent(name.trim(), value))
                .ok_or_else(|| {
                    finding::ANSWER_INVALID
                        .finding(format!("--header `{header}` cannot be read"))
                        .why("it is a name, a colon and a value")
                        .fix("`--header 'Content-Type: application/json'`")
                })?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        let agent = concat!("fnscaffold/", env!("CARGO_PKG_VERSION"));
        let mut defaults =
            vec![("Accept", "*/*".to_owned()), ("Host", HOST.to_owned()), ("User-Agent", agent.to_owned())];
        if self.data.is_some() {
            defaults.push(("Content-Length", body.len().to_string()));
            if serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok() {
                defaults.push(("Content-Type", "application/json".to_owned()));
            }
        }
        for (name, value) in defaults {
            if !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)) {
                headers.push((name.to_owned(), value));
            }
        }
        Ok(headers)
    }
}

/// Whether HTTP has such a header: a name with a space or a value of several lines reaches no function.
fn is_sent(name: &str, value: &str) -> bool {
    !name.is_empty()
        && name.chars().all(|c| c.is_ascii_graphic())
        && !value.trim().contains(['\r', '\n', '\0'])
}
