//! A value in, what it is when imports are followed through the archive out.

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::model::python::finder::Found;
use crate::model::python::modules::Modules;
use crate::model::python::value::{Class, Function, Value, union};

/// Following further than this is given up: imports may go in circles.
const DEPTH_MAX: u32 = 48;
/// How many values one question may touch: each may have several more behind it.
const STEPS_MAX: u32 = 20_000;

/// What a value is in the end.
#[derive(Debug, Clone)]
pub enum Target {
    /// A function, and how many of its first arguments (an instance, a class) are given already.
    Function(Rc<Function>, usize),
    Class(Rc<Class>),
    Instance(Rc<Class>),
    /// `functools.partial` of a function.
    Partial,
    Module(String),
    /// Something that cannot be called, by what it is.
    Constant(String),
    /// The name is bound to nothing. Says where it was expected.
    Missing(String),
    Unknown,
}

pub struct Resolver<'m, 'a> {
    modules: &'m mut Modules<'a>,
    steps: u32,
    /// Star imports that are being followed, which may name each other.
    stars: BTreeSet<(String, String)>,
}

impl<'m, 'a> Resolver<'m, 'a> {
    pub fn new(modules: &'m mut Modules<'a>) -> Self {
        Self { modules, steps: 0, stars: BTreeSet::new() }
    }

    /// All that the attribute `name` of a module may be.
    pub fn attribute_of_module(&mut self, module: &str, name: &str, depth: u32) -> Vec<Target> {
        let missing = || vec![Target::Missing(module.to_owned())];
        match self.modules.finder.find(module) {
            Found::Module(path) | Found::Package(path) => {
                let read = self.modules.module(module, &path);
                let Some(scope) = &read.scope else { return vec![Target::Unknown] };
                let bound = scope.names.get(name).cloned().unwrap_or_default();
                let mut targets = Vec::new();
                for value in &bound {
                    if *value != Value::Unbound {
                        targets.extend(self.targets(value, depth + 1));
                    }
                }
                if bound.iter().all(|value| matches!(value, Value::Unbound | Value::Star { .. })) {
                    for star in scope.stars.iter().rev() {
                        targets.extend(match star {
                            Some(star) => self.starred(star, name, depth + 1),
                            None => vec![Target::Unknown],
                        });
                    }
                }
                if !targets.is_empty() {
                    return targets;
                }
                if scope.dynamic || scope.globals.contains(name) {
                    return vec![Target::Unknown];
                }
                self.submodule(module, name).unwrap_or_else(missing)
            }
            Found::Namespace(_) => self.submodule(module, name).unwrap_or_else(|| vec![Target::Unknown]),
            Found::Compiled(_) => vec![Target::Unknown],
            Found::InModule(_) => missing(),
            // A package that the platform installs, or the standard library's.
            Found::Missing => match module.split_once('.') {
                Some((top, _)) if matches!(self.modules.finder.find(top), Found::Package(_)) => missing(),
                _ => vec![Target::Unknown],
            },
        }
    }

    fn submodule(&self, module: &str, name: &str) -> Option<Vec<Target>> {
        let name = format!("{module}.{name}");
        match self.modules.finder.find(&name) {
            Found::Missing | Found::InModule(_) => None,
            _ => Some(vec![Target::Module(name)]),
        }
    }

    /// What a star import of the module binds the name to: nothing, if it does not.
    fn starred(&mut self, module: &str, name: &str, depth: u32) -> Vec<Target> {
        let key = (module.to_owned(), name.to_owned());
        if !self.stars.insert(key.clone()) {
            return Vec::new();
        }
        let exported = match self.modules.finder.find(module) {
            Found::Module(path) | Found::Package(path) => {
                let read = self.modules.module(module, &path);
                let list = read.scope.as_ref().and_then(|scope| scope.exported.clone());
                match list {
                    Some(list) => list.iter().any(|exported| exported == name),
                    None => !name.starts_with('_'),
                }
            }
            _ => !name.starts_with('_'),
        };
        let targets = if exported { self.attribute_of_module(module, name, depth + 1) } else { Vec::new() };
        self.stars.remove(&key);
        // A star import does not bring submodules that nobody loaded.
        targets
            .into_iter()
            .filter(|target| !matches!(target, Target::Missing(_) | Target::Module(_)))
            .collect()
    }

    pub fn targets(&mut self, value: &Value, depth: u32) -> Vec<Target> {
        self.steps += 1;
        if depth > DEPTH_MAX || self.steps > STEPS_MAX {
            return vec![Target::Unknown];
        }
        match value {
            Value::Function(function) => vec![self.decorated(function, depth)],
            Value::Class(class) => vec![Target::Class(class.clone())],
            Value::Call(inner) => self.each(inner, depth, |_, target| match target {
                Target::Class(class) => vec![Target::Instance(class)],
                // A module or a string cannot be called, but then loading it fails, not calling it.
                _ => vec![Target::Unknown],
            }),
            Value::Partial(inner) => self.each(inner, depth, |_, target| match target {
                Target::Function(..) | Target::Class(_) | Target::Partial => vec![Target::Partial],
                _ => vec![Target::Unknown],
            }),
            Value::Attribute(inner, name) => {
                self.each(inner, depth, |resolver, target| resolver.attribute(&target, name, depth + 1))
            }
            Value::Import { module, name } => self.attribute_of_module(module, name, depth + 1),
            Value::Star { module, name } => self.starred(module, name, depth + 1),
            Value::Module(name) => vec![Target::Module(name.to_string())],
            Value::Constant(kind) => vec![Target::Constant((*kind).to_owned())],
            Value::Unbound | Value::Unknown => vec![Target::Unknown],
        }
    }

    fn each(
        &mut self,
        value: &Value,
        depth: u32,
        mut follow: impl FnMut(&mut Self, Target) -> Vec<Target>,
    ) -> Vec<Target> {
        let mut targets = Vec::new();
        for target in self.targets(value, depth + 1) {
            targets.extend(follow(self, target));
        }
        targets
    }

    fn attribute(&mut self, of: &Target, name: &str, depth: u32) -> Vec<Target> {
        match of {
            Target::Module(module) => self.attribute_of_module(module, name, depth),
            Target::Class(class) => self.member(class, name, Access::Class, depth),
            Target::Instance(class) => self.member(class, name, Access::Instance, depth),
            _ => vec![Target::Unknown],
        }
    }

    /// What an attribute of a class or an instance is, base classes included.
    pub fn member(&mut self, class: &Class, name: &str, access: Access, depth: u32) -> Vec<Target> {
        let Some(values) = self.inherited(class, name, depth) else { return vec![Target::Unknown] };
        if values.is_empty() {
            // An instance may get attributes from `__init__`, which is not read.
            return vec![match access {
                Access::Call => Target::Missing(class.name.clone()),
                Access::Class | Access::Instance => Target::Unknown,
            }];
        }
        let mut targets = Vec::new();
        for value in &values {
            targets.extend(match value {
                Value::Function(function) => vec![method(function, access)],
                Value::Unbound => Vec::new(),
                other => self.targets(other, depth + 1),
            });
        }
        targets
    }

    /// The values of a class's own or inherited name; empty if no class has it, nothing if one that is
    /// not known could have it.
    fn inherited(&mut self, class: &Class, name: &str, depth: u32) -> Option<Vec<Value>> {
        self.steps += 1;
        if depth > DEPTH_MAX || self.steps > STEPS_MAX || class.opaque {
            return None;
        }
        if let Some(values) = class.names.get(name) {
            return Some(values.clone());
        }
        let mut found = Vec::new();
        for base in &class.bases {
            if is_plain_base(base, name) {
                continue;
            }
            for target in self.targets(base, depth + 1) {
                let Target::Class(base) = target else { return None };
                found.push(self.inherited(&base, name, depth + 1)?);
            }
            if found.iter().any(|values| !values.is_empty()) {
                break;
            }
        }
        Some(union(found))
    }

    /// Whether calling the class runs the `__init__` that can be read, and nothing else.
    pub fn constructs(&mut self, class: &Class) -> bool {
        !class.decorated && matches!(self.inherited(class, "__new__", 0), Some(values) if values.is_empty())
    }

    /// What decorators leave of a function.
    fn decorated(&mut self, function: &Rc<Function>, depth: u32) -> Target {
        for decorator in &function.decorators {
            if let Value::Import { module, name } = decorator {
                match (&**module, &**name) {
                    ("builtins", "property" | "classmethod") | ("functools", "cached_property") => {
                        return Target::Constant(format!("a `{name}` object"));
                    }
                    _ => continue,
                }
            }
            for target in self.targets(decorator, depth + 1) {
                if let Target::Function(by, _) = target
                    && by.decorators.is_empty()
                    && !by.signature.answers
                {
                    let name = format!(
                        "what its decorator returns, which is `None` (`{}` line {})",
                        by.path, by.line
                    );
                    return Target::Constant(name);
                }
            }
        }
        Target::Function(function.clone(), 0)
    }
}

/// How a member is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    Class,
    Instance,
    /// By calling the instance: attributes of the instance itself do not count.
    Call,
}

fn method(function: &Rc<Function>, access: Access) -> Target {
    let builtin = function.decorators.iter().find_map(|decorator| match decorator {
        Value::Import { module, name } if &**module == "builtins" => Some(name.clone()),
        _ => None,
    });
    let hidden = match (builtin.as_deref(), access) {
        (None, Access::Class) | (Some("staticmethod"), _) => 0,
        (None, _) | (Some("classmethod"), _) => 1,
        (Some(_), _) => return Target::Unknown,
    };
    Target::Function(function.clone(), hidden)
}

/// Base classes from outside the archive of which it is known that they do not bring that name.
fn is_plain_base(base: &Value, name: &str) -> bool {
    match base {
        Value::Import { module, name: base } => match (&**module, &**base) {
            ("builtins", "object")
            | ("abc", "ABC")
            | ("typing" | "typing_extensions", "Protocol" | "Generic") => true,
            ("builtins", "Exception" | "BaseException" | "dict" | "list") => name == "__call__",
            _ => false,
        },
        Value::Attribute(module, base) => match &**module {
            Value::Module(module) => {
                is_plain_base(&Value::Import { module: module.clone(), name: base.clone() }, name)
            }
            _ => false,
        },
        _ => false,
    }
}
