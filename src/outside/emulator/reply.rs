//! What became of a call in an interpreter, as values.

use std::time::Duration;

use serde::Deserialize;

use crate::model::event::response::{self, Outcome};

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Failure {
    /// The code raised an error, while it was loaded or called.
    Raised(Box<Raised>),
    /// The process ended, and how: `exited with code 1`.
    Ended(String),
    TimedOut(Duration),
}

impl Failure {
    pub fn had_ended() -> Self {
        Self::Ended("had ended".to_owned())
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Raised(raised) => Self::Raised(raised.error),
            Failure::Ended(how) => Self::Died(how),
            Failure::TimedOut(limit) => Self::TimedOut(limit.as_secs()),
        }
    }
}

/// An error that the code raised.
#[derive(Debug, Clone, PartialEq)]
pub struct Raised {
    /// As the platform answers it.
    pub error: response::Failure,
    /// As the interpreter prints it.
    pub text: String,
    pub problem: Option<Problem>,
}

impl Raised {
    /// The module or package that was not found, if that is what was raised.
    pub fn missing_module(&self) -> Option<&str> {
        let message = self.error.error_message.as_str()?;
        let rest = ["No module named '", "Cannot find module '"]
            .iter()
            .find_map(|said| message.strip_prefix(said))?;
        Some(rest.split_once('\'')?.0)
    }
}

/// What is wrong with an entry point whose module was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Problem {
    Missing,
    NotCallable,
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// What the handler gave, as JSON; empty for Node.js's `undefined`.
    pub result: std::result::Result<String, Failure>,
    /// Bytes of memory that the process has held at most so far, where the system tells.
    pub peak_memory: Option<u64>,
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        Self { result: Err(failure), peak_memory: None }
    }
}
