//! The archive's JavaScript in, out: what will keep the platform from loading or calling it.
//!
//! Nothing is run. Files are parsed, and what a module exports is followed from where it is written
//! to where it is made; where only running would tell, the answer is "unknown", never "missing".

mod binding;
mod builtins;
mod candidates;
mod commonjs;
mod dependencies;
mod effect;
mod entry;
mod entrypoint;
mod esm;
mod esmodule;
mod evaluate;
mod graph;
mod missing;
mod module;
mod nesting;
mod npm;
mod parse;
mod resolve;
mod survey;
mod syntax;
mod value;
mod vendored;

pub use dependencies::is_preinstalled;
pub use npm::LIFECYCLE;

use crate::model::finding::Finding;
use crate::model::javascript::graph::Graph;
use crate::model::runtime::Runtime;
use crate::model::sources::Sources;

/// A finding as it is handed on.
pub type Problem = Box<Finding>;

/// Whether the archive has the entry point, and whether it can be called with event and context.
pub fn judge_entrypoint(sources: &dyn Sources, runtime: &Runtime, entrypoint: &str) -> Vec<Problem> {
    entrypoint::judge(&Graph::new(sources), runtime, entrypoint)
}

/// The same, and whether package.json can be read and all that the entry point's code imports will be
/// there.
pub fn judge_code(sources: &dyn Sources, runtime: &Runtime, entrypoint: &str) -> Vec<Problem> {
    let graph = Graph::new(sources);
    let mut findings = entrypoint::judge(&graph, runtime, entrypoint);
    findings.extend(dependencies::judge(&graph, runtime, entrypoint));
    findings
}

/// Entry points that could be meant, the best guess first.
pub fn handlers(sources: &dyn Sources) -> Vec<String> {
    candidates::handlers(sources)
}

/// Modules that a handler could stand in, also those that the platform does not find, the best guess first.
pub fn likely_modules(sources: &dyn Sources) -> Vec<&str> {
    candidates::modules(sources, &[".js", ".ts", ".tsx", ".mts", ".cts", ".mjs", ".cjs"])
}

#[cfg(test)]
mod tests;
