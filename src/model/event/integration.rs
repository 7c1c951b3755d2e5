//! How the platform stands between a request and the handler.

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
