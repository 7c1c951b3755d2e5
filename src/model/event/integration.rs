//! How the platform stands between a request and the handler.

use serde_json::Value;

/// The query parameter `integration`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Integration {
    /// The handler gets an event and gives an envelope; no parameter.
    Http,
    /// The handler gets the body and its result is the answer.
    Raw,
    /// As raw, but nobody waits for the result.
    Async,
}

impl Integration {
    /// How the platform calls a function with this event: a request comes over HTTP, also through a gateway
    /// (whose payload format 2.0 has its method elsewhere), and what a trigger sends is the body of a raw call.
    pub fn of(event: &Value) -> Self {
        let is_request = event.get("httpMethod").is_some() || event.pointer("/requestContext/http").is_some();
        if is_request { Self::Http } else { Self::Raw }
    }
}
