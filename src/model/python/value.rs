//! What a Python name may be bound to, as far as reading shows.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::model::python::signature::Signature;

/// More possible values than this are as good as none known.
const VALUES_MAX: usize = 16;

/// What a name may be bound to. Modules are named absolutely, so a value means the same anywhere.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Function(Rc<Function>),
    Class(Rc<Class>),
    /// What a call of it answers.
    Call(Rc<Value>),
    /// `functools.partial` of it.
    Partial(Rc<Value>),
    Attribute(Rc<Value>, Rc<str>),
    Import {
        module: Rc<str>,
        name: Rc<str>,
    },
    /// The name as a star import of that module binds it, if it does.
    Star {
        module: Rc<str>,
        name: Rc<str>,
    },
    Module(Rc<str>),
    /// Something that cannot be called, by what it is: `a string`.
    Constant(&'static str),
    Unbound,
    Unknown,
}

#[derive(Debug)]
pub struct Function {
    pub path: Rc<str>,
    pub line: u32,
    pub signature: Signature,
    pub decorators: Vec<Value>,
    /// How many values hang below each other in it.
    pub depth: u32,
}

#[derive(Debug)]
pub struct Class {
    pub name: String,
    pub path: Rc<str>,
    pub line: u32,
    pub bases: Vec<Value>,
    pub names: BTreeMap<String, Vec<Value>>,
    /// A metaclass or a decorator may have put anything into it.
    pub opaque: bool,
    /// A decorator such as `dataclass` may have written its `__init__`.
    pub decorated: bool,
    pub depth: u32,
}

/// How many values may hang below each other: dropping and following them recurses.
const DEPTH_MAX: u32 = 64;

impl PartialEq for Function {
    /// A definition is where it stands. Comparing what it holds would not end soon in a large module.
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.line == other.line
    }
}

impl PartialEq for Class {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.line == other.line && self.name == other.name
    }
}

impl Value {
    fn depth(&self) -> u32 {
        match self {
            Self::Function(function) => function.depth + 1,
            Self::Class(class) => class.depth + 1,
            Self::Call(inner) | Self::Partial(inner) | Self::Attribute(inner, _) => inner.depth() + 1,
            _ => 0,
        }
    }

    /// The value, unless it hangs together with too many others to be kept in a further one.
    pub fn shallow(self) -> Self {
        if self.depth() < DEPTH_MAX { self } else { Self::Unknown }
    }
}

/// The depth of the deepest.
pub fn depth<'a>(values: impl IntoIterator<Item = &'a Value>) -> u32 {
    values.into_iter().map(Value::depth).max().unwrap_or(0)
}

/// All values, each once.
pub fn union(all: impl IntoIterator<Item = Vec<Value>>) -> Vec<Value> {
    let mut values: Vec<Value> = Vec::new();
    for value in all.into_iter().flatten() {
        if !values.contains(&value) {
            values.push(value);
        }
    }
    if values.len() > VALUES_MAX {
        values.truncate(VALUES_MAX);
        values.push(Value::Unknown);
    }
    values
}
