//! What the platform's front door does, as values: an HTTP request in, the handler's event out; what became
//! of the call in, the HTTP response out. Time, ids and addresses come in as arguments.

pub mod choices;
mod envelope;
pub mod expect;
pub mod fixtures;
mod headers;
pub mod host;
pub mod http;
pub mod integration;
pub mod metadata;
pub mod redact;
pub mod response;
pub mod setting;

/// Bytes of the JSON structure of a request and of an answer, 3.5 MB each: Yandex Cloud's documentation,
/// Cloud Functions, "Quotas and limits".
pub const PAYLOAD_LIMIT: usize = 3_670_016;
