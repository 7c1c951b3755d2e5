//! What the entry point's code imports and what the archive declares in, what will be missing out.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::model::finding::{self, Severity};
use crate::model::javascript::Problem;
use crate::model::javascript::builtins;
use crate::model::javascript::entrypoint;
use crate::model::javascript::esm;
use crate::model::javascript::graph::{Answer, Graph};
use crate::model::javascript::npm;
use crate::model::javascript::resolve::{self, Request};
use crate::model::javascript::survey::{How, ImportSite, When};
use crate::model::javascript::vendored::{self, Closure};
use crate::model::runtime::Runtime;

/// The package that nodejs10, 12 and 14 bring along: the platform's SDK before its version 2.
const PREINSTALLED: &str = "yandex-cloud";
const PREINSTALLED_UNTIL: (u32, u32) = (16, 0);

/// Whether the platform has the package, or the module in it, in that runtime without being asked.
pub fn is_preinstalled(name: &str, runtime: &Runtime) -> bool {
    name.split('/').next() == Some(PREINSTALLED) && runtime.version() < PREINSTALLED_UNTIL
}

pub fn judge(graph: &Graph<'_>, runtime: &Runtime, entrypoint: &str) -> Vec<Problem> {
    let package = match npm::package(graph.sources) {
        Ok(package) => package,
        Err(problem) => return vec![problem],
    };
    let mut findings =
        package.as_ref().map(|package| npm::judge(graph.sources, package, runtime)).unwrap_or_default();
    let Some(entry) = entrypoint::file(graph.sources, entrypoint) else { return findings };
    let judge = Judge::new(graph, runtime, package.as_ref());
    let surely = graph.reached(&entry, |import| import.when == When::Load);
    let surely: BTreeSet<String> = surely.into_iter().map(|(path, _)| path).collect();
    for (path, module) in graph.reachable(&entry) {
        for import in &module.survey.imports {
            let Some(mut found) = judge.import(&path, import) else { continue };
            if !surely.contains(&path) {
                found.severity = found.severity.min(Severity::Warning);
            }
            // One package is one problem, however often it is imported: that which most surely fails.
            let same = |known: &&mut Problem| known.rule == found.rule && known.message == found.message;
            match findings.iter_mut().find(same) {
                Some(known) if known.severity >= found.severity => {}
                Some(known) => *known = found,
                None => findings.push(found),
            }
        }
    }
    if package.is_none() {
        let loaded = surely.iter().flat_map(|path| judge.vendored(path));
        findings.extend(Closure::of(graph.sources, loaded).judge(graph.sources));
    }
    findings
}

struct Judge<'j> {
    graph: &'j Graph<'j>,
    runtime: &'j Runtime,
    package: Option<&'j Json>,
    /// Packages of the archive's node_modules that npm leaves there, by their directories.
    kept: BTreeSet<String>,
    /// How many names are still looked for. Code that people write has fewer.
    questions: Cell<usize>,
}

const QUESTIONS_MAX: usize = 5_000;

impl<'j> Judge<'j> {
    fn new(graph: &'j Graph<'j>, runtime: &'j Runtime, package: Option<&'j Json>) -> Self {
        let mut judge =
            Self { graph, runtime, package, kept: BTreeSet::new(), questions: Cell::new(QUESTIONS_MAX) };
        if let Some(package) = package {
            let keys = ["dependencies", "optionalDependencies", "peerDependencies"];
            let named = keys.into_iter().flat_map(|key| vendored::names(package, key));
            let named = named.filter(|name| judge.declared(name));
            let roots = named.filter_map(|name| resolve::vendored(graph.sources, name, ""));
            judge.kept = Closure::of(graph.sources, roots).found;
        }
        judge
    }

    /// The packages of the archive's node_modules that a file loads with itself, by their directories.
    fn vendored(&self, path: &str) -> Vec<String> {
        let module = self.graph.module(path);
        let loaded = module.survey.imports.iter().filter(|import| import.when == When::Load);
        let named = loaded.filter_map(|import| match Request::of(&import.specifier, path) {
            Request::Package(name) if !builtins::is_builtin(&name) => Some(name),
            _ => None,
        });
        named.filter_map(|name| resolve::vendored(self.graph.sources, &name, path)).collect()
    }

    /// Whether a package in the archive's node_modules is still there when the function runs. Where there is a
    /// package.json the platform runs npm, and that removes from the root's what nothing needs.
    fn stays(&self, name: &str, directory: &str) -> bool {
        let Some(package) = self.package else { return true };
        directory != format!("node_modules/{name}")
            || self.kept.contains(directory)
            || package.get("workspaces").is_some()
    }

    fn import(&self, path: &str, import: &ImportSite) -> Option<Problem> {
        if import.when == When::Try {
            return None;
        }
        let problem = match Request::of(&import.specifier, path) {
            request @ Request::File(_) => self.file(path, import, &request)?,
            Request::Builtin(name) => self.builtin(&name)?,
            Request::Package(name) => self.package(&name, path, import)?,
            Request::Other => return None,
        };
        let mut problem = problem.at(path).line(import.line);
        if import.when != When::Load {
            // The function that needs it may never be called.
            problem.severity = problem.severity.min(Severity::Warning);
        }
        if import.when == When::Depends {
            let before = problem.why.as_ref().map(|why| format!("{why}\n")).unwrap_or_default();
            let why = "the import stands behind a condition; if it is reached, it fails";
            problem = problem.why(format!("{before}{why}"));
        }
        Some(problem)
    }

    fn file(&self, path: &str, import: &ImportSite, request: &Request) -> Option<Problem> {
        if let Some(target) = self.graph.file(request, import.how) {
            return self.names(path, import, &target);
        }
        let specifier = &import.specifier;
        let problem = finding::DEPENDENCY_UNDECLARED
            .finding(format!("`{path}` imports `{specifier}`, which the archive does not have"));
        let would_be_required = match request {
            Request::File(Some(file)) => resolve::require(self.graph.sources, file),
            _ => None,
        };
        Some(match would_be_required {
            Some(file) => problem
                .why("`import` takes no extension for granted and looks into no directory")
                .fix(format!("write the whole name of `{file}`")),
            None => problem
                .why("`fnscaffold pack --list` shows what is packed")
                .fix("correct the path, or let [package] include the file"),
        })
    }

    /// Names that an ES module does not export cannot be linked to. What CommonJS exports is not judged.
    fn names(&self, path: &str, import: &ImportSite, target: &str) -> Option<Problem> {
        if !self.graph.module(target).is_es_module() {
            return None;
        }
        let is_absent = |name: &&String| {
            let left = self.questions.get();
            self.questions.set(left.saturating_sub(1));
            left > 0 && self.graph.export(target, name) == Answer::Absent
        };
        let name = import.names.iter().find(is_absent)?;
        Some(
            finding::DEPENDENCY_UNDECLARED
                .finding(format!("`{path}` imports `{name}` from `{target}`, which does not export it"))
                .why("the names of ES modules are linked before any code runs: none of it would be loaded")
                .fix(format!("export `{name}` there, or correct the name")),
        )
    }

    fn builtin(&self, name: &str) -> Option<Problem> {
        let id = self.runtime.id;
        let problem = &finding::DEPENDENCY_UNDECLARED;
        match builtins::prefixed_since(name) {
            Some(since) if since <= self.runtime.version() => None,
            Some((major, minor)) => Some(
                problem
                    .finding(format!("{id} does not know `node:{name}`"))
                    .why(format!(
                        "Node.js has it from {major}.{minor} on; {id} is {}",
                        self.runtime.interpreter
                    ))
                    .fix(if builtins::is_builtin(name) {
                        format!("leave the prefix out: `{name}`")
                    } else {
                        "take a newer runtime".to_owned()
                    }),
            ),
            None => Some(
                problem
                    .finding(format!("Node.js has no module `node:{name}`"))
                    .fix(format!("correct the name, or declare a package `{name}` and leave `node:` out")),
            ),
        }
    }

    fn package(&self, name: &str, path: &str, import: &ImportSite) -> Option<Problem> {
        if builtins::is_builtin(name) {
            return None;
        }
        let there = resolve::vendored(self.graph.sources, name, path);
        let vendored = there.clone().filter(|directory| self.stays(name, directory));
        let declared = self.declared(name);
        if vendored.is_some() || declared || is_preinstalled(name, self.runtime) || self.is_itself(name) {
            if let (None, Some(directory)) = (self.package, &vendored)
                && import.specifier == name
                && let Some(problem) = vendored::headless(self.graph.sources, name, directory)
            {
                return Some(problem);
            }
            let range = self.range("dependencies", name).filter(|_| vendored.is_none());
            return match range.and_then(|range| npm::missing_path(self.graph.sources, range)) {
                Some(missing) => Some(
                    finding::DEPENDENCY_UNDECLARED
                        .finding(format!("`{name}` is `{missing}`, which the archive does not have"))
                        .why("npm makes a link to it that leads nowhere")
                        .fix("put it into the function's directory, or take the package from a registry"),
                ),
                None => self.node_fetch(name, vendored.as_deref(), import),
            };
        }
        let problem = &finding::DEPENDENCY_UNDECLARED;
        if self.package.is_some() && self.locked(name).is_some_and(|entry| entry["dev"] != true) {
            let mut problem = problem
                .finding(format!("the package `{name}` is imported but not declared"))
                .why("package-lock.json has it for another package, which may do without it one day")
                .fix(format!("`npm install {name}`"));
            problem.severity = Severity::Warning;
            return Some(problem);
        }
        if self.range("devDependencies", name).is_some() {
            return Some(
                problem
                    .finding(format!("`{name}` is only in `devDependencies`"))
                    .why("the platform installs production dependencies only")
                    .fix(format!("move it: `npm install --save-prod {name}`")),
            );
        }
        if self.range("peerDependencies", name).is_some() {
            return Some(
                problem
                    .finding(format!("`{name}` is only in `peerDependencies`"))
                    .why(format!("the npm of {} does not install those", self.runtime.id))
                    .fix(format!("move it: `npm install --save-prod {name}`")),
            );
        }
        let why = match self.package {
            Some(_) if there.is_some() => {
                "it is in the archive's node_modules, but not in `dependencies` of package.json: the platform runs npm, which removes it"
            }
            Some(_) => "it is not in `dependencies` of package.json, nor in the archive's node_modules",
            None => "the archive has neither a package.json nor a node_modules with it",
        };
        Some(
            problem
                .finding(format!("the package `{name}` is imported but not declared"))
                .why(why)
                .fix(format!("`npm install {name}`, and pack package.json with its lock file")),
        )
    }

    fn range(&self, key: &str, name: &str) -> Option<&str> {
        self.package?.get(key)?.get(name)?.as_str()
    }

    fn declared(&self, name: &str) -> bool {
        let has = |key| self.range(key, name).is_some();
        let peers = self.runtime.version() >= npm::NPM_7_SINCE;
        has("dependencies") || has("optionalDependencies") || (peers && has("peerDependencies"))
    }

    /// A package may import itself by its name if it says what it exports.
    fn is_itself(&self, name: &str) -> bool {
        let package = self.package.filter(|package| package.get("exports").is_some());
        package.and_then(|package| package.get("name")?.as_str()).is_some_and(|own| own == name)
    }

    /// node-fetch is the package that the platform's old examples require, and its version 3 cannot be.
    fn node_fetch(&self, name: &str, vendored: Option<&str>, import: &ImportSite) -> Option<Problem> {
        if name != "node-fetch" || import.how != How::Require || self.runtime.version() >= esm::REQUIRE_SINCE
        {
            return None;
        }
        let range = ["dependencies", "optionalDependencies", "peerDependencies"]
            .iter()
            .find_map(|key| self.range(key, name));
        // npm installs what the lock says; without one, the newest that the range allows.
        let major = self
            .locked(name)
            .and_then(|entry| major(entry["version"].as_str()?))
            .or_else(|| range.and_then(newest_major))
            .or_else(|| {
                let package = resolve::package(self.graph.sources, vendored?)?;
                major(package.get("version")?.as_str()?)
            })?;
        if major < 3 {
            return None;
        }
        Some(
            finding::DEPENDENCY_INCOMPATIBLE
                .finding(format!(
                    "node-fetch {major} cannot be loaded with `require()` on {}",
                    self.runtime.id
                ))
                .why("from version 3 on it is an ES module")
                .fix("`npm install node-fetch@2`, load it with `import()`, or use the built-in `fetch`"),
        )
    }

    fn locked(&self, name: &str) -> Option<Json> {
        let lock = npm::lock(self.graph.sources)?.ok()?;
        npm::locked(&lock, name).cloned()
    }
}

fn major(version: &str) -> Option<u64> {
    version.split('.').next()?.trim_start_matches(['v', '=']).parse().ok()
}

/// The highest major version that a range allows, with "any" as the newest that there is.
fn newest_major(range: &str) -> Option<u64> {
    const NEWEST: u64 = 3;
    let one = |alternative: &str| {
        let alternative = alternative.trim();
        let last = alternative.split_whitespace().last().unwrap_or_default();
        match last.trim_start_matches(['^', '~', '=', 'v']) {
            "" | "*" | "x" | "X" | "latest" => Some(NEWEST),
            text if text.starts_with('>') => Some(NEWEST),
            text if text.starts_with("<=") => major(text.trim_start_matches("<=")),
            text if text.starts_with('<') => {
                major(text.trim_start_matches('<')).map(|major| major.saturating_sub(1))
            }
            text => major(text),
        }
    };
    range.split("||").filter_map(one).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_allow_versions() {
        for (range, expected) in [
            ("^2.6.7", Some(2)),
            ("2", Some(2)),
            ("3.3.2", Some(3)),
            ("~3.0", Some(3)),
            ("*", Some(3)),
            ("latest", Some(3)),
            (">=2.6", Some(3)),
            (">=2 <3", Some(2)),
            ("^2 || ^3", Some(3)),
            ("github:node-fetch/node-fetch", None),
        ] {
            assert_eq!(newest_major(range), expected, "{range}");
        }
    }
}
