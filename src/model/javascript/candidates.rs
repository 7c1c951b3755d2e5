//! The archive's files in, entry points that could be meant out.

use crate::model::javascript::graph::{Answer, Graph};
use crate::model::javascript::resolve;
use crate::model::javascript::value::{Kind, Value};
use crate::model::sources::Sources;

/// How many files are read, and how many entry points are offered.
const FILES_MAX: usize = 200;
const OFFERED_MAX: usize = 20;

/// Names that handlers have, the most usual first.
const EXPORTS: &[&str] = &["handler", "main", "handle", "index", "run", "app", "bot", "webhook"];
const FILES: &[&str] = &["index", "handler", "main", "app", "function", "server", "bot", "lambda"];
/// Where they lie: built code before sources.
const DIRECTORIES: &[&str] = &["", "dist", "build", "out", "lib", "cjs", "src"];
/// Directories whose code is never a function.
const FOREIGN: &[&str] =
    &["node_modules", "test", "tests", "__tests__", "spec", "coverage", "scripts", "examples", "docs"];

/// How likely an entry point is meant: the smaller, the likelier. First, whether nothing speaks for it:
/// neither its name nor those of its parameters.
type Rank = (bool, bool, usize, usize, String);

pub fn handlers(sources: &dyn Sources) -> Vec<String> {
    let graph = Graph::new(sources);
    let main = resolve::require(sources, "");
    let mut modules: Vec<&str> = sources.names().into_iter().filter_map(module).collect();
    modules.sort_by_key(|module| (module_rank(module, main.as_deref()), module.len()));
    let mut found: Vec<(Rank, String)> = Vec::new();
    for module in modules.into_iter().take(FILES_MAX) {
        let path = format!("{module}.js");
        for export in graph.names(&path) {
            let usual = position(EXPORTS, &export);
            let answer = graph.export(&path, &export);
            if export.contains('.') || !could_handle(&answer, usual.is_some()) {
                continue;
            }
            let last = usize::from(export == "default");
            let rank = (
                usual.is_none() && !names_event(&answer),
                usual.is_none(),
                module_rank(module, main.as_deref()),
                usual.unwrap_or(EXPORTS.len() + last),
                module.to_owned(),
            );
            found.push((rank, format!("{module}.{export}")));
        }
    }
    found.sort();
    // Any function could be one, but where some look like handlers the others are not offered.
    if found.first().is_some_and(|(rank, _)| !rank.0) {
        found.retain(|(rank, _)| !rank.0);
    }
    found.into_iter().take(OFFERED_MAX).map(|(_, entrypoint)| entrypoint).collect()
}

/// The module that an entry point can name, if a file is one.
fn module(name: &str) -> Option<&str> {
    let module = name.strip_suffix(".js")?;
    let nameable = !module.contains('.') && !module.split('/').any(|part| FOREIGN.contains(&part));
    nameable.then_some(module)
}

fn module_rank(module: &str, main: Option<&str>) -> usize {
    if main.and_then(|main| main.strip_suffix(".js")) == Some(module) {
        return 0;
    }
    let (directory, file) = module.rsplit_once('/').unwrap_or(("", module));
    let directory =
        position(DIRECTORIES, directory).unwrap_or(DIRECTORIES.len() + directory.matches('/').count());
    let file = position(FILES, file).unwrap_or(FILES.len());
    1 + file + 2 * directory
}

fn position(list: &[&str], word: &str) -> Option<usize> {
    list.iter().position(|known| *known == word)
}

/// Whether the platform could call it. What cannot be told counts only under a usual name.
fn could_handle(answer: &Answer, usual: bool) -> bool {
    match answer {
        Answer::Found(_, Value { kind: Kind::Function(signature), .. }) => signature.third.is_none(),
        Answer::Found(_, Value { kind: Kind::Unknown, .. }) | Answer::Unknown(_) => usual,
        _ => false,
    }
}

fn names_event(answer: &Answer) -> bool {
    matches!(answer, Answer::Found(_, Value { kind: Kind::Function(signature), .. }) if signature.names_event)
}
