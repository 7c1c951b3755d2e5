//! One file in, all that the checks want to know of it out.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::model::javascript::commonjs;
use crate::model::javascript::esmodule;
use crate::model::javascript::parse::{self, Goal, Trouble};
use crate::model::javascript::resolve::{package_type, strip_mark};
use crate::model::javascript::survey::{Survey, survey};
use crate::model::javascript::value::{Certainty, Value};
use crate::model::sources::Sources;

pub struct Module {
    pub format: Format,
    pub exported: Value,
    pub survey: Survey,
    /// Where `exports = …` was written, which exports nothing.
    pub detached: Option<u32>,
    /// Functions and variables of the module itself, exported or not.
    pub declared: BTreeSet<String>,
    pub trouble: Option<Trouble>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    CommonJs,
    EsModule(Because),
    /// JSON, or a compiled addon: loaded, but not read here.
    Other,
}

/// What makes a file an ES module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Because {
    /// `.mjs`.
    Extension,
    /// `"type": "module"` in this package.json.
    Package(String),
    /// Only its own syntax does.
    Syntax,
    /// Its own syntax does, but this package.json says `"type": "commonjs"`.
    SyntaxAgainst(String),
}

impl Module {
    fn new(format: Format, exported: Value) -> Self {
        Self {
            format,
            exported,
            survey: Survey::default(),
            detached: None,
            declared: BTreeSet::new(),
            trouble: None,
        }
    }

    /// Reads the file `path`, which need not be there.
    pub fn read(sources: &dyn Sources, path: &str) -> Self {
        if path.ends_with(".json") {
            let bytes = sources.read_list(path).unwrap_or_default();
            return Self::new(Format::Other, json(&bytes));
        }
        if path.ends_with(".node") {
            return Self::new(Format::Other, Value::unknown());
        }
        let bytes = sources.read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(strip_mark(&bytes));
        if path.ends_with(".mjs") {
            return Self::of_module(&text, Because::Extension).unwrap_or_else(Self::of_trouble);
        }
        if path.ends_with(".cjs") {
            return Self::of_script(&text).unwrap_or_else(Self::of_trouble);
        }
        match package_type(sources, path) {
            Some((kind, package)) if kind == "module" => {
                Self::of_module(&text, Because::Package(package)).unwrap_or_else(Self::of_trouble)
            }
            Some((kind, package)) if kind == "commonjs" => {
                Self::of_either(&text, Because::SyntaxAgainst(package))
            }
            _ => Self::of_either(&text, Because::Syntax),
        }
    }

    /// A `.js` file whose package.json does not say that it is an ES module.
    fn of_either(text: &str, because: Because) -> Self {
        let script = match Self::of_script(text) {
            Ok(script) if script.survey.module_syntax.is_none() => return script,
            script => script,
        };
        match (script, Self::of_module(text, because)) {
            (_, Ok(module)) if module.survey.module_syntax.is_some() => module,
            (script, _) => script.unwrap_or_else(Self::of_trouble),
        }
    }

    fn of_trouble(trouble: Trouble) -> Self {
        Self { trouble: Some(trouble), ..Self::new(Format::CommonJs, Value::unknown()) }
    }

    fn of_script(text: &str) -> Result<Self, Trouble> {
        parse::read(text, Goal::Script, |program, lines| {
            let exported = commonjs::exported(program, lines);
            Self {
                survey: survey(program, lines),
                detached: exported.detached,
                declared: exported.declared,
                ..Self::new(Format::CommonJs, exported.value)
            }
        })
    }

    fn of_module(text: &str, because: Because) -> Result<Self, Trouble> {
        parse::read(text, Goal::Module, |program, lines| {
            let exported = esmodule::exported(program, lines);
            Self {
                survey: survey(program, lines),
                declared: exported.declared,
                ..Self::new(Format::EsModule(because), exported.value)
            }
        })
    }

    pub fn is_es_module(&self) -> bool {
        matches!(self.format, Format::EsModule(_))
    }
}

/// A JSON file's members, none of which can be called.
fn json(bytes: &[u8]) -> Value {
    let Ok(Json::Object(object)) = serde_json::from_slice(strip_mark(bytes)) else {
        return Value::data("a JSON value");
    };
    let mut value = Value::object();
    for name in object.keys() {
        value.set(name, Value::data("a JSON value"), 1, Certainty::Certain);
    }
    value
}
