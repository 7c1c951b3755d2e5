//! Modules that load each other in, answers about what one of them exports out.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use crate::model::javascript::module::{Format, Module};
use crate::model::javascript::resolve::{self, Request};
use crate::model::javascript::survey::{How, ImportSite};
use crate::model::javascript::value::{DefaultMember, Import, Kind, Value};
use crate::model::sources::Sources;

/// How many steps one question may take, and how far it may lead.
const FUEL: usize = 20_000;
const DEPTH_MAX: usize = 60;

/// The archive's modules, each read once and only when it is asked for.
pub struct Graph<'s> {
    pub sources: &'s dyn Sources,
    modules: RefCell<BTreeMap<String, Rc<Module>>>,
    fuel: Cell<usize>,
}

/// What stands behind a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    Found(Place, Value),
    Absent,
    /// It cannot be told, and why.
    Unknown(String),
}

/// Where a value is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub path: String,
    pub line: u32,
}

/// Names that are being looked for, to notice modules that re-export each other.
type Trail = BTreeSet<(String, String)>;

impl<'s> Graph<'s> {
    pub fn new(sources: &'s dyn Sources) -> Self {
        Self { sources, modules: RefCell::default(), fuel: Cell::new(0) }
    }

    pub fn module(&self, path: &str) -> Rc<Module> {
        if let Some(module) = self.modules.borrow().get(path) {
            return Rc::clone(module);
        }
        let module = Rc::new(Module::read(self.sources, path));
        self.modules.borrow_mut().insert(path.to_owned(), Rc::clone(&module));
        module
    }

    /// The file that an import of another file loads; nothing if there is none.
    pub fn file(&self, request: &Request, how: How) -> Option<String> {
        let Request::File(path) = request else { return None };
        let path = path.as_ref()?;
        match how {
            How::Require => resolve::require(self.sources, path),
            // `import` wants the whole name.
            How::Statement | How::Call => self.sources.has(path).then(|| path.clone()),
        }
    }

    /// The entry point's module and all that it reaches through files, each once, nearest first.
    pub fn reachable(&self, entry: &str) -> Vec<(String, Rc<Module>)> {
        self.reached(entry, |_| true)
    }

    /// The same, through those imports only that `follows` says.
    pub fn reached(&self, entry: &str, follows: impl Fn(&ImportSite) -> bool) -> Vec<(String, Rc<Module>)> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::from([entry.to_owned()]);
        let mut queue = VecDeque::from([entry.to_owned()]);
        while let Some(path) = queue.pop_front() {
            let module = self.module(&path);
            for import in module.survey.imports.iter().filter(|import| follows(import)) {
                let file = self.file(&Request::of(&import.specifier, &path), import.how);
                queue.extend(file.filter(|file| seen.insert(file.clone())));
            }
            found.push((path, module));
        }
        found
    }

    /// What `require(path)[name]` is.
    pub fn export(&self, path: &str, name: &str) -> Answer {
        self.fuel.set(FUEL);
        self.find(path, &self.module(path).exported, name, &mut Trail::new(), 0)
    }

    /// The names that `require(path)` has, as far as they can be told.
    pub fn names(&self, path: &str) -> BTreeSet<String> {
        self.fuel.set(FUEL);
        let mut names = BTreeSet::new();
        self.collect_names(path, &self.module(path).exported, &mut names, 0);
        names.remove("__esModule");
        names
    }

    fn spend(&self, depth: usize) -> bool {
        let fuel = self.fuel.get();
        self.fuel.set(fuel.saturating_sub(1));
        fuel > 0 && depth < DEPTH_MAX
    }

    fn collect_names(&self, path: &str, value: &Value, names: &mut BTreeSet<String>, depth: usize) {
        if !self.spend(depth) {
            return;
        }
        names.extend(value.members.keys().cloned());
        for from in &value.from {
            self.collect_names(path, from, names, depth + 1);
        }
        if let Kind::Import(import) = &value.kind
            && import.path.is_empty()
            && let Some(target) = self.target(path, import)
        {
            self.collect_names(&target, &self.module(&target).exported, names, depth + 1);
        }
    }

    /// Looks for the member `name` of a value that stands in the file `path`.
    fn find(&self, path: &str, value: &Value, name: &str, trail: &mut Trail, depth: usize) -> Answer {
        match self.look(path, value, name, trail, depth) {
            Answer::Found(place, found)
                if found.gives_nothing() && self.may_be_replaced(path, value, name, depth) =>
            {
                Answer::Found(place, found.doubted())
            }
            answer => answer,
        }
    }

    /// Whether more than one thing may be the member, of which nobody knows the last.
    fn may_be_replaced(&self, path: &str, value: &Value, name: &str, depth: usize) -> bool {
        let has = |from: &&Value| {
            !matches!(self.find(path, from, name, &mut Trail::new(), depth + 1), Answer::Absent)
        };
        let places = value.from.iter().filter(has).count() + usize::from(value.members.contains_key(name));
        value.open || places > 1
    }

    fn look(&self, path: &str, value: &Value, name: &str, trail: &mut Trail, depth: usize) -> Answer {
        if !self.spend(depth) {
            return Answer::Unknown("the modules refer to each other too often".to_owned());
        }
        if let Some(member) = value.members.get(name) {
            let place = Place { path: path.to_owned(), line: member.line };
            return self.settle(place, &member.value, trail, depth + 1);
        }
        let mut unknown = None;
        for from in value.from.iter().rev() {
            match self.find(path, from, name, trail, depth + 1) {
                Answer::Absent => {}
                Answer::Unknown(reason) => unknown = Some(reason),
                found => return found,
            }
        }
        match &value.kind {
            Kind::Import(import) => match self.through(path, import, Some(name), trail, depth + 1) {
                Answer::Absent => {}
                answer => return answer,
            },
            Kind::Unknown => {
                unknown = Some(format!("what `{path}` exports is the result of a call or a choice"));
            }
            _ => {}
        }
        if value.open {
            unknown.get_or_insert_with(|| format!("`{path}` computes names that it exports"));
        }
        unknown.map_or(Answer::Absent, Answer::Unknown)
    }

    /// Follows a value to where it is made.
    fn settle(&self, place: Place, value: &Value, trail: &mut Trail, depth: usize) -> Answer {
        match &value.kind {
            Kind::Import(import) => match self.through(&place.path, import, None, trail, depth) {
                // `exports.x = require("./y").z` without a `z` is a member all the same.
                Answer::Absent => Answer::Found(place, Value::data("undefined")),
                answer => answer,
            },
            _ => Answer::Found(place, value.clone()),
        }
    }

    /// Follows an import, and then one name more.
    fn through(
        &self,
        path: &str,
        import: &Import,
        name: Option<&str>,
        trail: &mut Trail,
        depth: usize,
    ) -> Answer {
        if !self.spend(depth) {
            return Answer::Unknown("the modules refer to each other too often".to_owned());
        }
        let Some(target) = self.target(path, import) else {
            return Answer::Unknown(format!("it comes from `{}`", import.specifier));
        };
        let key = (target.clone(), format!("{:?} {name:?}", import.path));
        if !trail.insert(key.clone()) {
            return Answer::Absent;
        }
        let module = self.module(&target);
        let steps: Vec<&str> = import.path.iter().map(String::as_str).chain(name).collect();
        let steps = match steps.as_slice() {
            ["default", rest @ ..] if is_whole(&module, import.default) => rest,
            steps => steps,
        };
        let mut answer = Answer::Found(Place { path: target.clone(), line: 1 }, module.exported.clone());
        for step in steps {
            answer = match answer {
                Answer::Found(place, value) => self.find(&place.path, &value, step, trail, depth + 1),
                other => other,
            };
        }
        if let (Answer::Found(place, value), true) = (&answer, steps.is_empty()) {
            answer = self.settle(place.clone(), value, trail, depth + 1);
        }
        trail.remove(&key);
        answer
    }

    fn target(&self, path: &str, import: &Import) -> Option<String> {
        let how = match import.default {
            DefaultMember::Whole => How::Statement,
            DefaultMember::Plain | DefaultMember::Marked => How::Require,
        };
        self.file(&Request::of(&import.specifier, path), how)
    }
}

/// Whether `default` of a module is all that it exports.
fn is_whole(module: &Module, default: DefaultMember) -> bool {
    if module.is_es_module() {
        return false;
    }
    match default {
        DefaultMember::Plain => false,
        DefaultMember::Marked => !module.exported.members.contains_key("__esModule"),
        DefaultMember::Whole => matches!(module.format, Format::CommonJs | Format::Other),
    }
}
