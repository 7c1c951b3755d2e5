//! An entry point and the archive's files in, what keeps the platform from calling it out.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::model::finding;
use crate::model::javascript::Problem;
use crate::model::javascript::entry::{Entry, parse};
use crate::model::javascript::esm;
use crate::model::javascript::graph::{Answer, Graph, Place};
use crate::model::javascript::missing;
use crate::model::javascript::module::Module;
use crate::model::javascript::parse::Trouble;
use crate::model::javascript::resolve;
use crate::model::javascript::survey::GLOBALS_SINCE;
use crate::model::javascript::value::{Kind, Parameter, Signature, Value};
use crate::model::runtime::Runtime;
use crate::model::sources::Sources;

/// The file that the entry point's module is, if the entry point can be read and the file is there.
pub fn file(sources: &dyn Sources, entrypoint: &str) -> Option<String> {
    let entry = parse(entrypoint).ok()?;
    resolve::require(sources, &resolve::join("", entry.module)?)
}

pub fn judge(graph: &Graph<'_>, runtime: &Runtime, entrypoint: &str) -> Vec<Problem> {
    let entry = match parse(entrypoint) {
        Ok(entry) => entry,
        Err(problem) => return vec![problem],
    };
    let Some(path) = file(graph.sources, entrypoint) else {
        return vec![missing::file(graph.sources, entry)];
    };
    let mut findings = Vec::new();
    let reachable = graph.reachable(&path);
    for (path, module) in &reachable {
        findings.extend(judge_source(module, path, runtime));
    }
    findings.extend(judge_globals(&reachable, runtime));
    findings.extend(esm::judge(graph, runtime, &path));
    if graph.module(&path).trouble.is_none() {
        findings.extend(judge_export(graph, &path, entry));
    }
    findings
}

/// Whether a file parses, and whether the runtime has its syntax.
fn judge_source(module: &Module, path: &str, runtime: &Runtime) -> Vec<Problem> {
    let mut findings = Vec::new();
    match &module.trouble {
        Some(Trouble::Syntax { line, message }) => findings.push(
            finding::SOURCE_SYNTAX
                .finding(format!("`{path}` does not parse: {message}"))
                .fix("correct the syntax error")
                .at(path)
                .line(*line),
        ),
        Some(Trouble::TooMuch) => findings.push(
            finding::ENTRYPOINT_UNKNOWN
                .finding(format!("`{path}` is nested too deeply, or too long, to be read"))
                .fix("`fnscaffold check --load` loads it under the real interpreter")
                .at(path),
        ),
        None => {}
    }
    let (id, interpreter) = (runtime.id, runtime.interpreter);
    for (syntax, line) in &module.survey.syntax {
        let Some(support) = syntax.support().filter(|support| !support.has(runtime.version())) else {
            continue;
        };
        let why = match (support.since, support.until) {
            (_, Some((major, minor))) if runtime.version() >= (major, minor) => {
                format!("Node.js dropped it in {major}.{minor}; {id} is {interpreter}")
            }
            (Some((major, minor)), _) => {
                format!("Node.js has it from {major}.{minor} on; {id} is {interpreter}")
            }
            (None, _) => "no version of Node.js has it".to_owned(),
        };
        findings.push(
            finding::SYNTAX_TOO_NEW
                .finding(format!("`{path}` uses {}, which {id} does not have", support.name))
                .why(why)
                .fix("write it in older syntax, compile it for this version, or take a newer runtime")
                .at(path)
                .line(*line),
        );
    }
    findings
}

/// Globals that the runtime does not have, unless some module brings them.
fn judge_globals(modules: &[(String, Rc<Module>)], runtime: &Runtime) -> Vec<Problem> {
    if runtime.version() >= GLOBALS_SINCE {
        return Vec::new();
    }
    let provided: BTreeSet<_> = modules.iter().flat_map(|(_, module)| &module.survey.provided).collect();
    let uses = modules
        .iter()
        .flat_map(|(path, module)| module.survey.globals.iter().map(move |(name, line)| (path, name, line)));
    uses.filter(|(_, name, _)| !provided.contains(name))
        .map(|(path, name, line)| {
            let (major, minor) = GLOBALS_SINCE;
            let mut problem = finding::SYNTAX_TOO_NEW
                .finding(format!("`{path}` uses the global `{name}`, which {} does not have", runtime.id))
                .why(format!(
                    "Node.js has it from {major}.{minor} on; {} is {}",
                    runtime.id, runtime.interpreter
                ))
                .fix("take a newer runtime, or a package in its place, such as node-fetch 2")
                .at(path)
                .line(*line);
            // A package may bring it.
            problem.severity = finding::Severity::Warning;
            problem
        })
        .collect()
}

fn judge_export(graph: &Graph<'_>, path: &str, entry: Entry<'_>) -> Option<Problem> {
    match graph.export(path, entry.export) {
        Answer::Found(place, value) => judge_value(&place, &value, entry),
        Answer::Absent => Some(missing::export(graph, path, entry)),
        Answer::Unknown(why) => Some(unknown(path, entry, why)),
    }
}

fn judge_value(place: &Place, value: &Value, entry: Entry<'_>) -> Option<Problem> {
    let Entry { export, .. } = entry;
    let not_callable = |what: &str, why: &str, fix: &str| {
        finding::ENTRYPOINT_NOT_CALLABLE
            .finding(format!("`{export}` is {what}, not a function"))
            .why(why)
            .fix(fix)
            .at(&place.path)
            .line(place.line)
    };
    let calls = "the platform calls it as `handler(event, context)`";
    let fix = "export a function by that name";
    match &value.kind {
        Kind::Function(signature) => judge_signature(place, signature, export),
        Kind::Class => Some(not_callable(
            "a class",
            "a class cannot be called without `new`",
            "export a function that makes an instance and calls its method",
        )),
        Kind::Data("undefined") => Some(not_callable("undefined", "nothing that is known sets it", fix)),
        Kind::Data(what) => Some(not_callable(what, calls, fix)),
        Kind::Object => Some(not_callable("an object", calls, fix)),
        Kind::Import(_) | Kind::Unknown => {
            let why = "its value is the result of a call or a choice";
            Some(unknown(&place.path, entry, why.to_owned()).line(place.line))
        }
    }
}

fn judge_signature(place: &Place, signature: &Signature, export: &str) -> Option<Problem> {
    let needless = |third: &&Parameter| third.used || !signature.gives_nothing;
    let Some(third) = signature.third.as_ref().filter(needless) else {
        return signature.gives_nothing.then(|| gives_nothing(place, export));
    };
    let name = &third.name;
    let mut problem = finding::ENTRYPOINT_SIGNATURE
        .finding(format!("`{export}` takes a third parameter, `{name}`"))
        .why("the platform passes event and context only: there is no callback, so the third is undefined")
        .fix("make it an `async` function that returns the response")
        .at(&place.path)
        .line(third.line);
    if !third.used {
        // It stands there for nothing, and the function works without it.
        problem.severity = finding::Severity::Warning;
        problem = problem.fix(format!("remove `{name}`"));
    }
    Some(problem)
}

fn gives_nothing(place: &Place, export: &str) -> Problem {
    finding::ENTRYPOINT_NO_RESULT
        .finding(format!("`{export}` returns nothing, and is not `async`"))
        .why("the platform answers an error to every call whose handler gives neither a value nor a Promise")
        .fix("make it an `async` function, or return the response or a Promise of it")
        .at(&place.path)
        .line(place.line)
}

fn unknown(path: &str, entry: Entry<'_>, why: String) -> Problem {
    finding::ENTRYPOINT_UNKNOWN
        .finding(format!("whether `{}` can be called cannot be told without running the code", entry.export))
        .why(why)
        .fix("`fnscaffold check --load` loads it under the real interpreter")
        .at(path)
}
