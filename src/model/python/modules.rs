//! Dotted names in, the archive's modules with what their files say out. Each file is read once.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use crate::model::finding::Finding;
use crate::model::python::finder::{Finder, Found};
use crate::model::python::imports::{self, Import, Reach};
use crate::model::python::scope::{self, Scope, Surroundings};
use crate::model::python::source::{self, Unparsed};
use crate::model::python::vendored::Vendored;
use crate::model::runtime::Runtime;
use crate::model::sources::Sources;

/// How many modules of one archive are read.
const MODULES_MAX: usize = 5000;

/// What one of the archive's files says.
#[derive(Debug, Default)]
pub struct Module {
    pub path: String,
    pub imports: Vec<Import>,
    /// Nothing if the file cannot be judged.
    pub scope: Option<Scope>,
    /// Why it does not parse, and what in it the runtime is too old for.
    pub findings: Vec<Box<Finding>>,
}

pub struct Modules<'a> {
    pub finder: Finder<'a>,
    pub vendored: Vendored,
    runtime: &'a Runtime,
    read: BTreeMap<String, Rc<Module>>,
}

impl<'a> Modules<'a> {
    pub fn new(sources: &'a dyn Sources, runtime: &'a Runtime) -> Self {
        let finder = Finder::new(sources);
        let vendored = Vendored::of(&finder);
        Self { finder, vendored, runtime, read: BTreeMap::new() }
    }

    /// The module of that name in the file that [`Finder::find`] gave.
    pub fn module(&mut self, name: &str, path: &str) -> Rc<Module> {
        if let Some(module) = self.read.get(name) {
            return module.clone();
        }
        let module = Rc::new(self.load(name, path));
        self.read.insert(name.to_owned(), module.clone());
        module
    }

    fn load(&self, name: &str, path: &str) -> Module {
        let unknown = Module { path: path.to_owned(), ..Module::default() };
        let Some(bytes) = self.finder.sources.read(path).filter(|_| self.read.len() < MODULES_MAX) else {
            return unknown;
        };
        match source::parse(path, &bytes, self.runtime) {
            Ok(source) => {
                let surroundings = Surroundings {
                    module: name,
                    path,
                    is_package: path.ends_with("/__init__.py"),
                    version: self.runtime.version(),
                    lines: &source.lines,
                };
                let body = source.tree.suite();
                Module {
                    imports: imports::read(body, &surroundings),
                    scope: Some(scope::read(body, &surroundings)),
                    findings: source.too_new,
                    ..unknown
                }
            }
            Err(Unparsed::Broken(finding)) => Module { findings: vec![finding], ..unknown },
            Err(Unparsed::Undecided) => unknown,
        }
    }

    /// The archive's own modules that loading `name` may load, itself first. Vendored packages are
    /// others' code and are not followed.
    pub fn reachable(&mut self, name: &str) -> Vec<Rc<Module>> {
        let mut seen = BTreeSet::new();
        let mut waiting = VecDeque::from(with_parents(name));
        let mut modules = Vec::new();
        while let Some(name) = waiting.pop_front() {
            if !seen.insert(name.clone()) || self.vendored.holds(&name) {
                continue;
            }
            let (Found::Module(path) | Found::Package(path)) = self.finder.find(&name) else { continue };
            let module = self.module(&name, &path);
            for text in module.scope.iter().flat_map(|scope| &scope.texts) {
                self.finder.add(text, &path);
            }
            for import in module.imports.iter().filter(|import| import.reach != Reach::Forgiven) {
                let Some(target) = &import.module else { continue };
                waiting.extend(with_parents(target));
                waiting.extend(import.names.iter().map(|name| format!("{target}.{name}")));
            }
            modules.push(module);
        }
        modules
    }
}

/// Loading `a.b.c` loads `a` and `a.b` before.
fn with_parents(name: &str) -> Vec<String> {
    let dots = name.match_indices('.').map(|(index, _)| name[..index].to_owned());
    dots.chain([name.to_owned()]).collect()
}
