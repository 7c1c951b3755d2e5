//! What fnscaffold and a bootstrap say to each other, one line after the other.

use serde::Deserialize;
use serde_json::json;

use super::Call;
use super::reply::{Problem, Raised};
use crate::model::event::response;

/// A call as the bootstrap reads it: a line of facts, and one of the event where it is one line.
pub fn message(id: u64, event: &str, call: &Call<'_>, deadline: u64) -> String {
    let is_line = memchr::memchr2(b'\n', b'\r', event.as_bytes()).is_none();
    let mut facts = json!({
        "type": "call",
        "id": id,
        "request_id": call.request_id,
        "trace_id": call.trace_id,
        "deadline": deadline,
    });
    if !is_line {
        facts["event"] = event.into();
    }
    let mut message = facts.to_string();
    message.reserve(event.len() + 2);
    message.push('\n');
    if is_line {
        message.push_str(event);
        message.push('\n');
    }
    message
}

/// What the bootstrap says.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Message {
    Ready,
    Broken(Told),
    /// The result is the next line.
    Answer {
        id: u64,
    },
    Raised {
        id: u64,
        #[serde(flatten)]
        told: Told,
    },
}

/// An error as the bootstrap tells it.
#[derive(Debug, Deserialize)]
pub struct Told {
    #[serde(flatten)]
    error: response::Failure,
    text: String,
    problem: Option<Problem>,
}

impl From<Told> for Box<Raised> {
    fn from(told: Told) -> Self {
        Self::new(Raised { error: told.error, text: told.text, problem: told.problem })
    }
}
