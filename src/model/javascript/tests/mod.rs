//! What the checks say, told in one line for each finding.

use std::collections::BTreeMap;

use crate::model::javascript::graph::Graph;
use crate::model::javascript::{Problem, dependencies, judge_entrypoint};
use crate::model::runtime::Runtime;

mod exports;
mod hostile;
mod imports;
mod loading;

type Files = BTreeMap<String, Vec<u8>>;
type Texts<'t> = &'t [(&'t str, &'t str)];

fn files(files: Texts<'_>) -> Files {
    files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

/// Each finding as `name path:line`, with `(severity)` where it is not the rule's own.
fn told(findings: &[Problem]) -> Vec<String> {
    let tell = |finding: &Problem| {
        let path = finding.path.as_deref().unwrap_or("-");
        let line = finding.line.map_or_else(String::new, |line| format!(":{line}"));
        let other =
            (finding.severity != finding.rule.severity).then(|| format!(" ({})", finding.severity.id()));
        format!("{} {path}{line}{}", finding.rule.name, other.unwrap_or_default())
    };
    findings.iter().map(tell).collect()
}

fn judge(sources: &Files, runtime: &str, entrypoint: &str) -> Vec<Problem> {
    judge_entrypoint(sources, Runtime::find(runtime).unwrap(), entrypoint)
}

fn depend(sources: &Files, runtime: &str, entrypoint: &str) -> Vec<Problem> {
    dependencies::judge(&Graph::new(sources), Runtime::find(runtime).unwrap(), entrypoint)
}
