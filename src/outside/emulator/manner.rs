//! How functions are served, and what is told of them, as values.

use std::path::PathBuf;
use std::time::Duration;

use super::Route;
use super::elsewhere::Given;
use super::metadata::Fault;
use super::output::Line;
use crate::model::event::redact::Redactor;
use crate::model::finding::Finding;
use crate::model::log::Report;

/// Hears what happens to functions, with their names.
pub type Tell = Box<dyn Fn(&str, Told<'_>) + Send + Sync>;

/// How every function of a server is run.
pub struct Manner {
    /// Interpreters to choose from; with none, those on PATH.
    pub interpreters: Vec<PathBuf>,
    /// Another version than the runtime's is an error.
    pub strict_runtime: bool,
    pub offline: bool,
    pub token_file: Option<PathBuf>,
    pub given: Given,
    pub fault: Option<Fault>,
    pub route: Route,
    pub redactor: Redactor,
    pub tell: Tell,
}

/// What happens to a function.
pub enum Told<'a> {
    /// How it is run, for who wants to know more.
    Fact(&'a str),
    /// Something takes long.
    Progress(&'a str),
    Began {
        request_id: &'a str,
    },
    /// The function wrote a line.
    Line {
        line: Line<'a>,
        /// Whether a line of JSON is a record.
        structured: bool,
    },
    Ended {
        request_id: &'a str,
        report: Report,
        status: u16,
        /// As the interpreter tells an error.
        trace: Option<&'a str>,
        trouble: Option<&'a Finding>,
    },
    /// A request that the platform answers without the function.
    Refused {
        method: &'a str,
        path: &'a str,
        status: u16,
    },
    Loaded {
        took: Duration,
        /// It replaces another.
        again: bool,
    },
    /// It was deployed and does not load.
    Broken {
        finding: &'a Finding,
    },
    /// What stands in the way; what was deployed before stays.
    Problem(&'a Finding),
}

/// Where a function is, and how a debugger reaches it.
pub struct Place {
    pub directory: PathBuf,
    pub debug_port: Option<u16>,
}
