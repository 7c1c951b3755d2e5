//! What an exported name is, as far as it can be told without running the code.

use std::collections::{BTreeMap, BTreeSet};

/// A value that a module may export, with what is known to hang on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    pub kind: Kind,
    pub members: BTreeMap<String, Member>,
    /// Values whose members it has too: spreads, `export *`, `Object.assign`.
    pub from: Vec<Value>,
    /// It may have members that nobody can see: computed ones, or it was handed to other code.
    pub open: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    pub value: Value,
    pub line: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    Function(Signature),
    Class,
    /// Something that cannot be called, in words: `a string`.
    Data(&'static str),
    Object,
    Import(Import),
    Unknown,
}

/// Parameters, as far as the platform cares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Signature {
    /// Its parameters have the names of an event, and of a context where it takes one.
    pub names_event: bool,
    pub third: Option<Parameter>,
    /// It is synchronous, and no statement of it gives a value or throws one.
    pub gives_nothing: bool,
}

/// A third parameter without a default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    pub used: bool,
    pub line: u32,
}

/// What another module exports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    pub specifier: String,
    /// The members to go through, outermost first. None: the module's exports themselves.
    pub path: Vec<String>,
    pub default: DefaultMember,
}

/// What `default` of an imported CommonJS module is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultMember {
    /// `require`: a member like any other.
    Plain,
    /// A compiler's helper: the exports themselves unless they are marked `__esModule`.
    Marked,
    /// An import statement: the exports themselves.
    Whole,
}

/// What a module exports, and what it does not.
pub struct Exported {
    pub value: Value,
    /// Where `exports = …` was written, which exports nothing.
    pub detached: Option<u32>,
    /// The names in the module's own scope.
    pub declared: BTreeSet<String>,
}

/// Whether code that sets something surely runs, once, in the order of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    Certain,
    Possible,
}

impl Value {
    pub fn new(kind: Kind) -> Self {
        Self { kind, members: BTreeMap::new(), from: Vec::new(), open: false }
    }

    pub fn unknown() -> Self {
        Self::new(Kind::Unknown)
    }

    pub fn data(what: &'static str) -> Self {
        Self::new(Kind::Data(what))
    }

    pub fn object() -> Self {
        Self::new(Kind::Object)
    }

    pub fn import(specifier: &str, path: &[&str], default: DefaultMember) -> Self {
        let path = path.iter().map(|name| (*name).to_owned()).collect();
        Self::new(Kind::Import(Import { specifier: specifier.to_owned(), path, default }))
    }

    /// Sets a member; one that is only possible does not hide what was there.
    pub fn set(&mut self, name: &str, value: Self, line: u32, certainty: Certainty) {
        let value = match (certainty, self.members.get(name)) {
            (Certainty::Possible, Some(before)) => before.value.clone().or(value).doubted(),
            (Certainty::Possible, None) => value.perhaps().doubted(),
            (Certainty::Certain, _) => value,
        };
        self.members.insert(name.to_owned(), Member { value, line });
    }

    /// This value or the other one, nobody knows which.
    pub fn or(self, other: Self) -> Self {
        match (&self.kind, &other.kind) {
            (Kind::Function(one), Kind::Function(another)) => {
                let gives_nothing = one.gives_nothing && another.gives_nothing;
                let signature = Signature { gives_nothing, ..another.clone() };
                Self { kind: Kind::Function(signature), ..other }
            }
            (Kind::Class, Kind::Class) | (Kind::Data(_), Kind::Data(_)) => self,
            (Kind::Object, Kind::Object) => {
                let mut both = Self::object();
                both.open = self.open || other.open;
                both.from = vec![self, other];
                both
            }
            _ => Self::unknown(),
        }
    }

    /// Whether it is a function that is sure to give nothing.
    pub const fn gives_nothing(&self) -> bool {
        matches!(&self.kind, Kind::Function(signature) if signature.gives_nothing)
    }

    /// A value that another one may have replaced.
    pub fn doubted(mut self) -> Self {
        if let Kind::Function(signature) = &mut self.kind {
            signature.gives_nothing = false;
        }
        self
    }

    /// A value that may not be there: a function is believed, nothing else is.
    pub fn perhaps(self) -> Self {
        if matches!(self.kind, Kind::Function(_) | Kind::Class) { self } else { Self::unknown() }
    }

    /// `value.name`, when only this module is looked at.
    pub fn member(self, name: &str) -> Self {
        let Self { kind, mut members, from, open } = self;
        if let Some(Member { value, .. }) = members.remove(name) {
            // Code that cannot be followed may have put another one in its place.
            return if open || !from.is_empty() { value.doubted() } else { value };
        }
        match kind {
            Kind::Import(mut import) if from.is_empty() && !open => {
                import.path.push(name.to_owned());
                Self::new(Kind::Import(import))
            }
            Kind::Object if from.is_empty() && !open => Self::data("undefined"),
            _ => Self::unknown(),
        }
    }
}
