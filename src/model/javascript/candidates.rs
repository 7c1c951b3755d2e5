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

/// How likely an entry point is meant: the smaller, the likelier.
type Rank = (Doubt, bool, usize, usize, String);

/// What speaks against it. Of several kinds only the best is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doubt {
    None,
    /// A third parameter, which the platform does not give.
    Third,
    /// Neither its name nor those of its parameters are a handler's: any function could be one.
    Unnamed,
}

pub fn handlers(sources: &dyn Sources) -> Vec<String> {
    let graph = Graph::new(sources);
    let main = main(sources);
    let mut found: Vec<(Rank, String)> = Vec::new();
    for module in modules(sources, &[".js"]) {
        let path = format!("{module}.js");
        for export in graph.names(&path) {
            let usual = position(EXPORTS, &export);
            let answer = graph.export(&path, &export);
            let Some(doubt) = doubt(&answer, usual.is_some()).filter(|_| !export.contains('.')) else {
                continue;
            };
            let last = usize::from(export == "default");
            let rank = (
                doubt,
                usual.is_none(),
                module_rank(module, main.as_deref()),
                usual.unwrap_or(EXPORTS.len() + last),
                module.to_owned(),
            );
            found.push((rank, format!("{module}.{export}")));
        }
    }
    found.sort();
    if let Some(best) = found.first().map(|(rank, _)| rank.0) {
        found.retain(|(rank, _)| rank.0 == best);
    }
    found.into_iter().take(OFFERED_MAX).map(|(_, entrypoint)| entrypoint).collect()
}

/// package.json's main file.
fn main(sources: &dyn Sources) -> Option<String> {
    resolve::require(sources, "")
}

/// The modules that an entry point can name, in files with one of the extensions, the likeliest first.
pub fn modules<'s>(sources: &'s dyn Sources, extensions: &[&str]) -> Vec<&'s str> {
    let main = main(sources);
    let module = |name: &'s str| {
        let module = extensions.iter().find_map(|extension| name.strip_suffix(extension))?;
        let nameable = !module.contains('.') && !module.split('/').any(|part| FOREIGN.contains(&part));
        nameable.then_some(module)
    };
    let mut modules: Vec<&str> = sources.names().into_iter().filter_map(module).collect();
    modules.sort_by_key(|module| (module_rank(module, main.as_deref()), module.len()));
    modules.truncate(FILES_MAX);
    modules
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

/// What speaks against an export that the platform could call; nothing if it could not. What cannot be told
/// counts only under a usual name.
fn doubt(answer: &Answer, usual: bool) -> Option<Doubt> {
    match answer {
        Answer::Found(_, Value { kind: Kind::Function(signature), .. }) => {
            match (usual || signature.names_event, &signature.third) {
                (true, None) => Some(Doubt::None),
                (true, Some(_)) => Some(Doubt::Third),
                (false, None) => Some(Doubt::Unnamed),
                (false, Some(_)) => None,
            }
        }
        Answer::Found(_, Value { kind: Kind::Unknown, .. }) | Answer::Unknown(_) => {
            usual.then_some(Doubt::None)
        }
        _ => None,
    }
}
