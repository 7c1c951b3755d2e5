//! The files of a function in, findings about what it imports out: is it in the archive, in the
//! standard library of that version, preinstalled, or declared in requirements.txt.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use ruff_python_stdlib::sys::is_known_standard_library;

use crate::model::finding::{self, Finding, Severity};
use crate::model::python::distributions::{self, PREINSTALLED, brings};
use crate::model::python::finder::{Finder, Found};
use crate::model::python::imports::{Import, Reach};
use crate::model::python::modules::{Module, Modules};
use crate::model::python::requirements::{self, Requirements};
use crate::model::python::resolve::{Resolver, Target};
use crate::model::runtime::Runtime;
use crate::model::sources::Sources;

/// Python 3 minor versions that have, or had, a runtime.
const MINORS: std::ops::RangeInclusive<u8> = 7..=14;

/// Modules that the interpreter itself contains: no file can stand in for them.
const BUILT_IN: [&str; 10] =
    ["atexit", "builtins", "errno", "faulthandler", "gc", "itertools", "marshal", "posix", "pwd", "sys"];
/// Modules that nothing in a function's process imports, so that hiding them harms nobody.
const HARMLESS: [&str; 10] = [
    "antigravity",
    "idlelib",
    "lib2to3",
    "msvcrt",
    "test",
    "this",
    "tkinter",
    "turtle",
    "turtledemo",
    "winreg",
];

/// Whether the platform has the module in that runtime without being asked.
pub fn is_preinstalled(module: &str, runtime: &Runtime) -> bool {
    let (_, minor) = runtime.version();
    minor <= 8 && PREINSTALLED.iter().any(|distribution| brings(distribution, module))
}

/// Findings about dependencies: requirements.txt parses as pip would; what the code reachable from the
/// entry point imports is declared there, vendored in the archive, in the standard library of that
/// version, or inside the archive.
pub fn judge_dependencies(sources: &dyn Sources, runtime: &Runtime, entrypoint: &str) -> Vec<Box<Finding>> {
    let mut modules = Modules::new(sources, runtime);
    let mut requirements = requirements::read(sources, runtime);
    let mut findings = std::mem::take(&mut requirements.findings);
    let module = entrypoint.rsplit_once('.').map_or(entrypoint, |(module, _)| module);
    let reachable = modules.reachable(module);
    findings.extend(shadows(&modules.finder, runtime));
    findings.extend(absent_names(&mut modules, &reachable));
    let judge = Judge {
        finder: &modules.finder,
        modules: &modules,
        requirements: &requirements,
        runtime,
        extends_path: reachable
            .iter()
            .any(|module| module.scope.as_ref().is_some_and(|scope| scope.extends_path)),
    };
    findings.extend(judge.all(reachable.iter().map(|module| &**module)));
    findings
}

/// Names that are taken from the archive's own modules, which do not have them.
fn absent_names(modules: &mut Modules<'_>, reachable: &[Rc<Module>]) -> Vec<Box<Finding>> {
    let scopes = || reachable.iter().filter_map(|module| module.scope.as_ref());
    // One module may put names into another, or another one in its place.
    if scopes().any(|scope| scope.dynamic || scope.extends_path) {
        return Vec::new();
    }
    let set: BTreeSet<&String> = scopes().flat_map(|scope| &scope.attributes).collect();
    let mut findings = Vec::new();
    for module in reachable {
        for import in module.imports.iter().filter(|import| import.reach <= Reach::Certain) {
            let Some(from) = &import.module else { continue };
            let (Found::Module(path) | Found::Package(path)) = modules.finder.find(from) else { continue };
            if modules.vendored.holds(from) {
                continue;
            }
            let name = import.names.iter().find(|name| {
                let is_there = |target: &Target| !matches!(target, Target::Missing(module) if module == from);
                let given = *name == "*" || name.starts_with("__") || set.contains(name);
                !given && !Resolver::new(modules).attribute_of_module(from, name, 0).iter().any(is_there)
            });
            let Some(name) = name else { continue };
            let finding = finding::DEPENDENCY_UNDECLARED
                .finding(format!(
                    "`{}` imports `{name}` from `{path}`, which does not define it",
                    module.path
                ))
                .why("importing it fails with an ImportError")
                .fix(format!("define `{name}` there, or correct the name"))
                .at(&module.path)
                .line(import.line);
            findings.push(doubted(finding, import));
        }
    }
    findings
}

/// An import that may not be reached is no error.
fn doubted(mut finding: Box<Finding>, import: &Import) -> Box<Finding> {
    if import.reach == Reach::Depends && finding.severity == Severity::Error {
        finding.severity = Severity::Warning;
        return finding.why("the import stands behind a condition; if it is reached, it fails");
    }
    finding
}

fn minor(runtime: &Runtime) -> u8 {
    u8::try_from(runtime.version().1).unwrap_or(u8::MAX)
}

/// Files in the root that hide a module of the standard library.
fn shadows(finder: &Finder<'_>, runtime: &Runtime) -> Vec<Box<Finding>> {
    let tops: BTreeMap<&str, &str> = finder
        .names()
        .iter()
        .filter_map(|path| {
            let module = path.strip_suffix(".py")?;
            let module = module.strip_suffix("/__init__").unwrap_or(module);
            (!module.contains('/')).then_some((module, *path))
        })
        .filter(|(module, _)| {
            is_known_standard_library(minor(runtime), module)
                && !module.starts_with("__")
                && !HARMLESS.contains(module)
        })
        .collect();
    tops.into_iter()
        .map(|(module, path)| {
            let finding = finding::MODULE_SHADOWS
                .finding(format!("`{path}` has the name of the standard library's `{module}`"))
                .fix(format!("rename it, such as to `my_{module}`"))
                .at(path);
            if BUILT_IN.contains(&module) {
                finding.why("that module is built into the interpreter, so this one is never imported")
            } else {
                finding.why(format!("`import {module}` gets this one, or the standard one where that was imported before, also in packages"))
            }
        })
        .collect()
}

struct Judge<'j, 'a> {
    finder: &'j Finder<'a>,
    modules: &'j Modules<'a>,
    requirements: &'j Requirements,
    runtime: &'a Runtime,
    extends_path: bool,
}

impl Judge<'_, '_> {
    fn all<'m>(&self, modules: impl Iterator<Item = &'m Module>) -> Vec<Box<Finding>> {
        // Of several imports of one package the one that most surely fails speaks for all.
        let mut worst: BTreeMap<String, Box<Finding>> = BTreeMap::new();
        let mut order = Vec::new();
        for module in modules {
            for import in &module.imports {
                if import.reach > Reach::Certain {
                    continue;
                }
                let Some((key, finding)) = self.import(module, import) else { continue };
                let finding = doubted(finding, import);
                match worst.get(&key) {
                    Some(known) if known.severity >= finding.severity => {}
                    Some(_) => {
                        worst.insert(key, finding);
                    }
                    None => {
                        order.push(key.clone());
                        worst.insert(key, finding);
                    }
                }
            }
        }
        order.into_iter().filter_map(|key| worst.remove(&key)).collect()
    }

    /// What is wrong with an import, and what it is about.
    fn import(&self, module: &Module, import: &Import) -> Option<(String, Box<Finding>)> {
        let Some(name) = &import.module else {
            return Some((format!("{}:{}", module.path, import.line), beyond_root(module, import)));
        };
        let top = name.split('.').next().unwrap_or_default();
        match self.finder.find(top) {
            Found::Missing | Found::Namespace(_) => {}
            _ => return self.inside(module, import, name).map(|finding| (name.clone(), finding)),
        }
        if is_known_standard_library(minor(self.runtime), top) || matches!(top, "__main__" | "__future__") {
            return None;
        }
        let mut meant: Vec<String> = import.names.iter().map(|part| format!("{name}.{part}")).collect();
        meant.push(name.clone());
        let in_archive = |name: &String| {
            matches!(self.finder.find(name), Found::Module(_) | Found::Package(_) | Found::Compiled(_))
                || (import.names.is_empty() && matches!(self.finder.find(name), Found::Namespace(_)))
        };
        if meant.iter().any(in_archive)
            || meant.iter().any(|name| self.is_installed(name))
            || (self.extends_path && self.is_somewhere(top))
        {
            return None;
        }
        Some((top.to_owned(), self.undeclared(module, import, &meant[0], top)))
    }

    /// An import of the archive's own module, which must be there whole.
    fn inside(&self, module: &Module, import: &Import, name: &str) -> Option<Box<Finding>> {
        let found = self.finder.find(name);
        if !matches!(found, Found::Missing | Found::InModule(_))
            || self.modules.vendored.holds(name)
            || self.extends_path
        {
            return None;
        }
        let finding = finding::DEPENDENCY_UNDECLARED
            .finding(format!(
                "`{}` imports `{}`, which the archive does not have",
                module.path, import.written
            ))
            .at(&module.path)
            .line(import.line);
        Some(match found {
            Found::InModule(path) => finding.why(format!("`{path}` is a module and no package")),
            _ => finding
                .why(format!("its package is in the archive, `{}.py` is not", name.replace('.', "/")))
                .fix(
                    "`fnscaffold pack --list` shows what is packed; include, exclude and .fnignore decide it",
                ),
        })
    }

    /// Whether the platform or pip installs what brings the module.
    fn is_installed(&self, module: &str) -> bool {
        self.requirements.declared.iter().any(|distribution| brings(distribution, module))
            || is_preinstalled(module, self.runtime)
    }

    /// Whether any directory of the archive, put on `sys.path`, would bring it.
    fn is_somewhere(&self, top: &str) -> bool {
        let mut directories = BTreeSet::new();
        for name in self.finder.names() {
            directories.extend(name.match_indices('/').map(|(index, _)| &name[..index]));
        }
        directories.iter().any(|directory| self.finder.find_below(directory, top) != Found::Missing)
    }

    /// The archive's file that an import seems to mean, and how to write it: one beside the module, or one
    /// that is named from a directory above the archive's root.
    fn misplaced(&self, module: &Module, import: &Import) -> Option<(String, String)> {
        let name = import.module.as_deref()?;
        let file = |found| match found {
            Found::Module(path) | Found::Package(path) => Some(path),
            _ => None,
        };
        let names = import.names.join(", ");
        let (directory, _) = module.path.rsplit_once('/').unwrap_or_default();
        if let Some(path) = file(self.finder.find_below(directory, name)).filter(|path| *path != module.path)
        {
            let instead = match name.rsplit_once('.') {
                _ if !names.is_empty() => format!("from .{name} import {names}"),
                Some((package, last)) => format!("from .{package} import {last}"),
                None => format!("from . import {name}"),
            };
            return Some((path, instead));
        }
        // One name alone may be the same by chance.
        let (_, below) = name.split_once('.').filter(|(_, below)| below.contains('.'))?;
        let path = file(self.finder.find(below))?;
        let instead =
            if names.is_empty() { format!("import {below}") } else { format!("from {below} import {names}") };
        Some((path, instead))
    }

    fn undeclared(&self, module: &Module, import: &Import, meant: &str, top: &str) -> Box<Finding> {
        let Module { path, .. } = module;
        let finding = finding::DEPENDENCY_UNDECLARED
            .finding(format!("`{path}` imports `{}`, which nothing declares", import.written))
            .at(path)
            .line(import.line);
        let minors: Vec<u8> = MINORS.filter(|minor| is_known_standard_library(*minor, top)).collect();
        let version = minor(self.runtime);
        if let Some(last) = minors.last().filter(|last| **last < version) {
            return finding
                .why(format!(
                    "`{top}` left the standard library with Python 3.{}, and the runtime is `{}`",
                    last + 1,
                    self.runtime.id
                ))
                .fix(match top {
                    "distutils" => "add `setuptools` to requirements.txt, or do without".to_owned(),
                    "imp" => "use `importlib`".to_owned(),
                    "cgi" | "cgitb" => "add `legacy-cgi` to requirements.txt, or do without".to_owned(),
                    "asyncore" | "asynchat" | "smtpd" => {
                        format!("use `asyncio`, or add `py{top}` to requirements.txt")
                    }
                    _ => format!("add `standard-{top}` to requirements.txt, or do without"),
                });
        }
        if let Some(first) = minors.first() {
            return finding
                .why(format!(
                    "`{top}` is in the standard library from Python 3.{first} on, and the runtime is `{}`",
                    self.runtime.id
                ))
                .fix("take a newer runtime, or a package that brings it to older ones");
        }
        let distribution = distributions::recommended(meant);
        let known = distributions::modules_of(&distribution).next().is_some() || is_popular(&distribution);
        if let Some((file, instead)) = self.misplaced(module, import).filter(|_| !known && !self.extends_path)
        {
            let mut finding = finding
                .why(format!("the archive has `{file}`, but modules are looked for in its root only"))
                .fix(format!("write `{instead}`, or let the file lie where the import looks for it"));
            if self.requirements.unnamed {
                finding.severity = Severity::Warning;
            }
            return finding;
        }
        let fix = if known {
            format!("add `{distribution}` to requirements.txt, or vendor it with `fnscaffold pack --vendor`")
        } else if top.ends_with("_pb2") || top.ends_with("_pb2_grpc") {
            format!("`protoc` makes `{top}.py`: include it in the archive")
        } else {
            format!(
                "if `{top}` is a package, add `{distribution}` to requirements.txt; if it is your own module, include it in the archive"
            )
        };
        let mut finding = finding.fix(fix);
        if !self.requirements.is_empty() {
            finding.severity = Severity::Warning;
            return finding
                .why("requirements.txt does not name it; it may come with a package that is named there");
        }
        if self.extends_path {
            finding.severity = Severity::Warning;
            return finding.why(
                "the archive does not have it; the code extends `sys.path`, so it may be found elsewhere",
            );
        }
        let others = ["pyproject.toml", "Pipfile", "setup.py"];
        let other = others.iter().find(|file| self.finder.sources.has(file));
        finding.why(match (self.finder.sources.has(requirements::FILE), other) {
            (true, _) => format!("requirements.txt installs nothing under `{}`", self.runtime.id),
            (false, Some(other)) => format!(
                "the archive has no requirements.txt in its root, and the platform does not read `{other}`"
            ),
            (false, None) => "the archive has no requirements.txt in its root".to_owned(),
        })
    }
}

/// Packages that are imported by their own names, for a plainer advice.
fn is_popular(distribution: &str) -> bool {
    matches!(
        distribution,
        "aiogram"
            | "aiohttp"
            | "boto3"
            | "cryptography"
            | "fastapi"
            | "flask"
            | "gspread"
            | "httpx"
            | "numpy"
            | "openai"
            | "pandas"
            | "pydantic"
            | "pymysql"
            | "redis"
            | "requests"
            | "sqlalchemy"
            | "urllib3"
    )
}

fn beyond_root(module: &Module, import: &Import) -> Box<Finding> {
    let bare = import.written.trim_start_matches('.');
    let instead = match (bare.is_empty(), import.names.first()) {
        (true, Some(name)) => format!("import {name}"),
        _ => format!("from {bare} import {}", import.names.join(", ")),
    };
    finding::DEPENDENCY_UNDECLARED
        .finding(format!(
            "`{}` imports `{}`, which leads out of the archive's root",
            module.path, import.written
        ))
        .why("a relative import works only inside a package, and the root is none")
        .fix(format!("write `{instead}`"))
        .at(&module.path)
        .line(import.line)
}
