//! The files of a project in, the entry points that could be meant out: for adopting code that has
//! no function.toml yet.

use std::cmp::Reverse;
use std::rc::Rc;

use crate::model::python::finder::{Finder, Found};
use crate::model::python::modules::Modules;
use crate::model::python::resolve::{Resolver, Target};
use crate::model::python::value::Function;
use crate::model::runtime::Lang;
use crate::model::sources::Sources;

/// Names that people give to handlers and to their files, best first.
const FUNCTIONS: [&str; 9] =
    ["handler", "main", "lambda_handler", "handle", "entrypoint", "run", "app", "bot", "webhook"];
/// How many of them say enough for what cannot be told to be callable.
const SPEAKING: usize = 5;
const FILES: [&str; 7] = ["index", "main", "handler", "app", "lambda_function", "function", "entry"];
/// Those of their parameters, without the underscore of an unused one.
const PARAMETERS: [&[&str]; 2] = [&["event", "evt", "request", "req"], &["context", "ctx", ""]];

/// Directories that hold no handlers, by the whole of their names.
const SKIPPED: [&str; 13] = [
    "test",
    "tests",
    "testing",
    "venv",
    "env",
    "virtualenv",
    "site-packages",
    "node_modules",
    "__pycache__",
    "docs",
    "examples",
    "build",
    "dist",
];
/// Files that are read in the search, those nearest to the root first.
const FILES_MAX: usize = 200;

/// For `init`: entry points that could be meant, best guess first.
pub fn handlers(sources: &dyn Sources) -> Vec<String> {
    let mut modules = Modules::new(sources, Lang::Python.latest_runtime());
    let files = candidates(sources, &modules);
    let mut found = Vec::new();
    for path in files {
        let Some(module) = module_name(&modules.finder, path) else { continue };
        let read = modules.module(&module, path);
        let Some(scope) = &read.scope else { continue };
        for name in scope.names.keys().filter(|name| !name.starts_with('_')) {
            let mut resolver = Resolver::new(&mut modules);
            let targets = resolver.attribute_of_module(&module, name, 0);
            let best = targets.iter().filter_map(|target| likelihood(name, path, target)).max();
            if let Some(likelihood) = best {
                found.push((likelihood, format!("{module}.{name}")));
            }
        }
    }
    found.sort_by(|a, b| (Reverse(a.0), &a.1).cmp(&(Reverse(b.0), &b.1)));
    // What cannot be told is offered where there is nothing else.
    if found.first().is_some_and(|(best, _)| best.is_known) {
        found.retain(|(likelihood, _)| likelihood.is_known);
    }
    found.into_iter().map(|(_, handler)| handler).collect()
}

/// Modules that a handler could stand in, the best guess first.
pub fn likely_modules(sources: &dyn Sources) -> Vec<&str> {
    let modules = Modules::new(sources, Lang::Python.latest_runtime());
    let mut files = candidates(sources, &modules);
    files.sort_by_key(|path| {
        (path.matches('/').count(), known_file(path).map_or(FILES.len(), |Reverse(index)| index))
    });
    let likely = files.into_iter().filter(|path| module_name(&modules.finder, path).is_some());
    likely.filter_map(|path| path.strip_suffix(".py")).filter(|stem| !stem.contains('/')).collect()
}

/// The files that are searched, those nearest to the root first.
fn candidates<'s>(sources: &'s dyn Sources, modules: &Modules<'_>) -> Vec<&'s str> {
    let mut files: Vec<&str> =
        sources.names().into_iter().filter(|path| is_candidate(modules, path)).collect();
    files.sort_by_key(|path| path.matches('/').count());
    files.truncate(FILES_MAX);
    files
}

fn known_file(path: &str) -> Option<Reverse<usize>> {
    let stem = path.strip_suffix(".py").unwrap_or(path);
    let file = stem.rsplit('/').next().unwrap_or(stem);
    FILES.iter().position(|known| *known == file).map(Reverse)
}

fn is_candidate(modules: &Modules<'_>, path: &str) -> bool {
    let Some((directories, stem)) = path
        .strip_suffix(".py")
        .map(|stem| stem.rsplit_once('/').map_or(("", stem), |(directories, stem)| (directories, stem)))
    else {
        return false;
    };
    let skipped = |directory: &str| {
        directory.starts_with('.') || SKIPPED.iter().any(|name| directory.eq_ignore_ascii_case(name))
    };
    let is_test = stem.starts_with("test_") || stem.ends_with("_test") || stem == "conftest";
    !is_test && stem != "setup" && !directories.split('/').any(skipped) && !modules.vendored.holds_path(path)
}

/// The dotted name under which a file is imported, if it is the file that importlib finds there.
fn module_name(finder: &Finder<'_>, path: &str) -> Option<String> {
    let stem = path.strip_suffix(".py")?;
    let stem = stem.strip_suffix("/__init__").unwrap_or(stem);
    if stem.contains('.') {
        return None;
    }
    let module = stem.replace('/', ".");
    match finder.find(&module) {
        Found::Module(found) | Found::Package(found) if found == path => Some(module),
        _ => None,
    }
}

/// How much speaks for a name: its parameters, its own name, its file's name, the archive's root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Likelihood {
    is_known: bool,
    says_event_and_context: bool,
    known_name: Option<Reverse<usize>>,
    in_root: bool,
    known_file: Option<Reverse<usize>>,
    shallowness: Reverse<usize>,
    defined_here: bool,
}

fn likelihood(name: &str, path: &str, target: &Target) -> Option<Likelihood> {
    let known_name = FUNCTIONS.iter().position(|known| *known == name).map(Reverse);
    let mut is_known = !matches!(target, Target::Unknown);
    let (says_event_and_context, defined_here) = match target {
        Target::Function(function, hidden) => {
            let says = says_event_and_context(function, *hidden);
            // What a decorator makes of the parameters is not known.
            is_known = takes_two(function, *hidden);
            if !says && (known_name.is_none() || !is_known && function.decorators.is_empty()) {
                return None;
            }
            (says, *function.path == *path)
        }
        // Other callables only under a name that says what they are for.
        Target::Partial | Target::Instance(_) => {
            known_name?;
            (false, true)
        }
        // What a call gives: `handler = Mangum(app)`.
        Target::Unknown => {
            known_name.filter(|Reverse(index)| *index < SPEAKING)?;
            (false, true)
        }
        _ => return None,
    };
    Some(Likelihood {
        is_known,
        says_event_and_context,
        known_name,
        in_root: !path.contains('/'),
        known_file: known_file(path),
        shallowness: Reverse(path.matches('/').count()),
        defined_here,
    })
}

fn says_event_and_context(function: &Rc<Function>, hidden: usize) -> bool {
    let mut names = function.signature.positional.iter().skip(hidden);
    takes_two(function, hidden)
        && PARAMETERS
            .iter()
            .all(|known| names.next().is_some_and(|name| known.contains(&name.trim_start_matches('_'))))
}

fn takes_two(function: &Rc<Function>, hidden: usize) -> bool {
    function.signature.refuses(2 + hidden, hidden).is_none()
}
