//! An HTTP request in; what the handler is called with, or the platform's own refusal, out.
//! Sources: the vendor's page functions/concepts/function-invoke, "Request structure", and real requests.
//! What no source tells is marked with its entry in [`choices`](super::choices).

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::model::calendar;
use crate::model::event::integration::Integration;
use crate::model::event::response::Response;
use crate::model::event::{PAYLOAD_LIMIT, headers};
use crate::model::options::AsyncInvocation;

/// The host that functions are called at, when nobody names another.
pub const HOST: &str = "functions.yandexcloud.net";

/// What the request was addressed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// The function's own address, which has no path.
    Direct,
    /// An API gateway in front of it, which passes the path on.
    Gateway,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub route: Route,
    /// What follows the function's id: empty or `/` on a direct call.
    pub path: String,
    /// As it was sent, without the `?`.
    pub query: String,
    /// In the order sent; U+FFFD stands for bytes that are not UTF-8.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub source: SocketAddr,
    pub request_id: String,
    pub trace_id: String,
    pub epoch_seconds: u64,
}

/// What the handler is called with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    pub integration: Integration,
    /// JSON text of the event; with raw and async the body as it came, which may be anything.
    pub payload: Vec<u8>,
}

/// What the platform makes of a request.
///
/// # Errors
/// The platform's answer when it does not call the function: 400 or 413.
pub fn receive(request: Request) -> Result<Call, Response> {
    if request.route == Route::Direct && !matches!(request.path.as_str(), "" | "/") {
        // The text was seen with the function's id before the path; which function this is, is not known here.
        let message = format!("Invalid functionID: {}", request.path);
        return Err(Response::refusal(400, &message, &request.request_id));
    }
    judge_size(&request.body, &request.request_id)?;
    let integration = request.integration()?;
    let payload = match integration {
        Integration::Http => request.event().to_string().into_bytes(),
        Integration::Raw | Integration::Async => request.body,
    };
    judge_size(&payload, &request.request_id)?;
    Ok(Call { integration, payload })
}

/// # Errors
/// The platform's answer when the function would be called with more than it takes: 413.
pub fn judge_size(payload: &[u8], request_id: &str) -> Result<(), Response> {
    if payload.len() <= PAYLOAD_LIMIT {
        return Ok(());
    }
    let message = format!("the request's JSON structure is larger than {PAYLOAD_LIMIT} bytes");
    Err(Response::refusal(413, &message, request_id))
}

/// # Errors
/// The platform's answer to an asynchronous call of a version that is not set up for it: 400.
// choice `async-unconfigured`
pub fn judge_integration(
    integration: Integration,
    setup: Option<&AsyncInvocation>,
    request_id: &str,
) -> Result<(), Response> {
    if integration != Integration::Async || setup.is_some() {
        return Ok(());
    }
    let message = "the version has no [version.async-invocation], which sets up asynchronous calls";
    Err(Response::refusal(400, message, request_id))
}

impl Request {
    /// What the query asks for.
    ///
    /// # Errors
    /// The platform's answer to a value that it does not know.
    pub fn integration(&self) -> Result<Integration, Response> {
        // choices `integration-value`, `query-malformed`
        let asked = form_urlencoded::parse(self.query.as_bytes())
            .filter_map(|(name, value)| (name == "integration").then_some(value))
            .last();
        match asked.as_deref() {
            None => Ok(Integration::Http),
            Some("raw") => Ok(Integration::Raw),
            Some("async") => Ok(Integration::Async),
            Some(other) => {
                let message = format!("Invalid integration: {other}");
                Err(Response::refusal(400, &message, &self.request_id))
            }
        }
    }

    /// The default HTTP integration's event.
    pub fn event(&self) -> Value {
        let headers = self.visible_headers();
        let last_header = |name: &str| headers.get(name).and_then(|values| values.last());
        // choice `content-type-parameters`
        let is_json = last_header("Content-Type").is_some_and(|kind| kind == "application/json");
        let user_agent = last_header("User-Agent").map_or("", String::as_str);
        let mut parameters = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in form_urlencoded::parse(self.query.as_bytes()) {
            parameters.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        let path = match self.route {
            Route::Direct => "",
            Route::Gateway => self.path.as_str(),
        };
        json!({
            "httpMethod": self.method,
            "headers": last_values(&headers),
            "url": path,
            "path": path,
            "params": {},
            "multiValueParams": {},
            "pathParams": {},
            "multiValueHeaders": headers,
            "queryStringParameters": last_values(&parameters),
            "multiValueQueryStringParameters": parameters,
            "requestContext": {
                "identity": { "sourceIp": self.source.ip().to_string(), "userAgent": user_agent },
                "httpMethod": self.method,
                "requestId": self.request_id,
                "requestTime": calendar::clf(self.epoch_seconds),
                "requestTimeEpoch": self.epoch_seconds,
            },
            "body": self.body_text(is_json),
            // Measured: the flag says "not application/json", also where there is no body at all.
            "isBase64Encoded": !is_json,
        })
    }

    /// choice `body-not-utf8`
    fn body_text(&self, is_json: bool) -> String {
        if is_json { String::from_utf8_lossy(&self.body).into_owned() } else { STANDARD.encode(&self.body) }
    }

    /// The headers that the handler sees: the client's but for those that the platform keeps, and the
    /// platform's own. Every list has a value.
    fn visible_headers(&self) -> BTreeMap<String, Vec<String>> {
        let mut visible = BTreeMap::<String, Vec<String>>::new();
        for (name, value) in &self.headers {
            let name = headers::canonical(name);
            if headers::reaches_the_handler(&name) {
                visible.entry(name).or_default().push(value.clone());
            }
        }
        // choice `host`
        visible.entry("Host".to_owned()).or_insert_with(|| vec![HOST.to_owned()]);
        let ip = self.source.ip().to_string();
        let mut forwarded = visible.remove("X-Forwarded-For").unwrap_or_default();
        forwarded.push(ip.clone());
        // choice `own-header-sent`
        for (name, value) in [
            ("X-Forwarded-For", forwarded.join(", ")),
            // Seen with brackets round IPv4 addresses too.
            ("X-Real-Remote-Address", format!("[{ip}]:{}", self.source.port())),
            ("X-Request-Id", self.request_id.clone()),
            ("X-Trace-Id", self.trace_id.clone()),
        ] {
            visible.insert(name.to_owned(), vec![value]);
        }
        visible
    }
}

fn last_values(lists: &BTreeMap<String, Vec<String>>) -> Map<String, Value> {
    lists
        .iter()
        .filter_map(|(name, values)| Some((name.clone(), Value::String(values.last()?.clone()))))
        .collect()
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
