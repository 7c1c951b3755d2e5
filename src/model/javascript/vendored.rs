//! The archive's node_modules in, what of it the code will not find when it runs out.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value as Json;

use crate::model::finding::{self, Severity};
use crate::model::javascript::Problem;
use crate::model::javascript::resolve;
use crate::model::sources::Sources;

/// Where pnpm keeps the packages that its links lead to.
const PNPM: &str = "node_modules/.pnpm";

/// Packages with all that they need, as far as the archive has it.
#[derive(Debug, Default)]
pub struct Closure {
    /// Their directories.
    pub found: BTreeSet<String>,
    /// A directory, and the package that it needs and the archive lacks.
    missing: Vec<(String, String)>,
}

impl Closure {
    pub fn of(sources: &dyn Sources, roots: impl IntoIterator<Item = String>) -> Self {
        let mut closure = Self::default();
        let mut waiting: VecDeque<String> = roots.into_iter().collect();
        while let Some(directory) = waiting.pop_front() {
            if !closure.found.insert(directory.clone()) {
                continue;
            }
            let Some(package) = resolve::package(sources, &directory) else { continue };
            let optional = package.get("optionalDependencies");
            for name in names(&package, "dependencies") {
                match resolve::vendored(sources, name, &format!("{directory}/package.json")) {
                    Some(needed) => waiting.push_back(needed),
                    // Types are read by compilers only.
                    None if name.starts_with("@types/") => {}
                    None if optional.is_some_and(|optional| optional.get(name).is_some()) => {}
                    None => closure.missing.push((directory.clone(), name.to_owned())),
                }
            }
        }
        closure
    }

    /// What is wrong where the platform installs nothing that could fill the gaps.
    pub fn judge(&self, sources: &dyn Sources) -> Option<Problem> {
        let (directory, name) = self.missing.first()?;
        let more = match self.missing.len() - 1 {
            0 => String::new(),
            more => format!(", and {more} more are missing"),
        };
        let mut problem = finding::DEPENDENCY_UNDECLARED
            .finding(format!("`{directory}` needs `{name}`, which the archive does not have there{more}"))
            .at(format!("{directory}/package.json"));
        if sources.has_directory(PNPM) {
            return Some(
                problem
                    .why("pnpm links packages, and what a link leads to is packed as a copy that lies apart from its dependencies")
                    .fix("write `node-linker=hoisted` into .npmrc and install again, or pack package.json, so that the platform installs"),
            );
        }
        problem.severity = Severity::Warning;
        Some(
            problem
                .why("there is no package.json, so the platform installs nothing")
                .fix("pack all of node_modules, or package.json with its lock file"),
        )
    }
}

/// What a key of package.json that maps names to version ranges names.
pub fn names<'p>(package: &'p Json, key: &str) -> impl Iterator<Item = &'p str> {
    package.get(key).and_then(Json::as_object).into_iter().flatten().map(|(name, _)| name.as_str())
}

/// A package whose package.json was left out, and which cannot be loaded without it.
pub fn headless(sources: &dyn Sources, name: &str, directory: &str) -> Option<Problem> {
    let is_whole =
        sources.has(&format!("{directory}/package.json")) || resolve::require(sources, directory).is_some();
    (!is_whole).then(|| {
        finding::DEPENDENCY_UNDECLARED
            .finding(format!("`{name}` cannot be loaded: the archive has no `{directory}/package.json`"))
            .why("it says which file is the package's first")
            .fix("to leave out only the function's own, write `/package.json`: without the slash a pattern means all of them")
    })
}
