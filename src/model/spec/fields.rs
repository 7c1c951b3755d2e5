//! The fields of an object that was read, each taken once, and what is left of it: no setting is lost in
//! silence.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::spec::Loss;

pub const NO_PLACE: &str = "function.toml has no place for it";

/// What protobuf's JSON, Terraform and YAML have in common.
pub struct Fields {
    path: String,
    map: Map<String, Value>,
    pub losses: Vec<Loss>,
}

impl Fields {
    pub fn new(map: Map<String, Value>) -> Self {
        Self { path: String::new(), map, losses: Vec::new() }
    }

    pub fn has(&self, key: &str) -> bool {
        self.map.get(key).is_some_and(|value| !value.is_null())
    }

    pub fn names(&self) -> Vec<String> {
        self.map.keys().cloned().collect()
    }

    /// Sets what stands under `key`.
    pub fn put(&mut self, key: &str, value: Value) {
        self.map.insert(key.to_owned(), value);
    }

    /// Adds what the map under `key` does not have.
    pub fn put_into(&mut self, key: &str, more: &Map<String, Value>) {
        let place = self.map.entry(key).or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(map) = place {
            for (name, value) in more {
                map.entry(name).or_insert_with(|| value.clone());
            }
        }
    }

    /// The value under `key`, if there is one; null is none.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        self.map.shift_remove(key).filter(|value| !value.is_null())
    }

    /// Says that the value under `key` was not carried.
    pub fn lose(&mut self, key: &str, why: impl Into<String>, value: Value) {
        let key = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        self.losses.push(Loss { key, why: why.into(), value });
    }

    fn refuse<T>(&mut self, key: &str, wanted: &str, value: Value) -> Option<T> {
        self.lose(key, format!("it is not {wanted}"), value);
        None
    }

    pub fn text(&mut self, key: &str) -> Option<String> {
        match self.take(key)? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            other => self.refuse(key, "a text", other),
        }
    }

    /// A whole number, also as a text: protobuf's JSON writes 64 bits so.
    pub fn integer(&mut self, key: &str) -> Option<i64> {
        let value = self.take(key)?;
        let number = match &value {
            Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.or_else(|| self.refuse(key, "a whole number", value))
    }

    pub fn unsigned(&mut self, key: &str) -> Option<u64> {
        let number = self.integer(key)?;
        u64::try_from(number).ok().or_else(|| self.refuse(key, "a whole number from 0", number.into()))
    }

    pub fn flag(&mut self, key: &str) -> Option<bool> {
        match self.take(key)? {
            Value::Bool(flag) => Some(flag),
            Value::String(text) if text == "true" => Some(true),
            Value::String(text) if text == "false" => Some(false),
            other => self.refuse(key, "true or false", other),
        }
    }

    /// One of the words that `parse` knows.
    pub fn word<T>(&mut self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let word = self.text(key)?;
        parse(&word).or_else(|| self.refuse(key, "a value that is known", word.into()))
    }

    pub fn texts(&mut self, key: &str) -> Vec<String> {
        match self.take(key) {
            None => Vec::new(),
            Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
                items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect()
            }
            Some(other) => self.refuse(key, "a list of texts", other).unwrap_or_default(),
        }
    }

    /// A map of texts. What is none of them is lost under its own key.
    pub fn map(&mut self, key: &str) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        match self.take(key) {
            None => {}
            Some(Value::Object(map)) => {
                for (name, value) in map {
                    match value {
                        Value::String(text) => drop(texts.insert(name, text)),
                        Value::Number(number) => drop(texts.insert(name, number.to_string())),
                        Value::Bool(flag) => drop(texts.insert(name, flag.to_string())),
                        other => self.lose(&format!("{key}.{name}"), "it is not a text", other),
                    }
                }
            }
            Some(other) => drop(self.refuse::<()>(key, "a map", other)),
        }
        texts
    }

    /// Reads the object under `key`; what `read` does not take of it is lost.
    pub fn object<T>(&mut self, key: &str, read: impl FnOnce(&mut Self) -> T) -> Option<T> {
        match self.take(key)? {
            Value::Object(map) => Some(self.nested(key, map, read)),
            other => self.refuse(key, "an object", other),
        }
    }

    /// Reads each object of the list under `key`, or the one that stands there.
    pub fn objects<T>(&mut self, key: &str, mut read: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let items = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => vec![other],
        };
        let mut all = Vec::new();
        for (index, item) in items.into_iter().enumerate() {
            let place = format!("{key}.{index}");
            match item {
                Value::Object(map) => all.push(self.nested(&place, map, &mut read)),
                other => drop(self.refuse::<()>(&place, "an object", other)),
            }
        }
        all
    }

    fn nested<T>(&mut self, key: &str, map: Map<String, Value>, read: impl FnOnce(&mut Self) -> T) -> T {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        let mut inner = Self { path, map, losses: std::mem::take(&mut self.losses) };
        let result = read(&mut inner);
        self.losses = inner.finish();
        result
    }

    /// What was lost, with everything that nobody took.
    pub fn finish(mut self) -> Vec<Loss> {
        for (key, value) in std::mem::take(&mut self.map) {
            if !value.is_null() {
                self.lose(&key, NO_PLACE, value);
            }
        }
        self.losses
    }
}

/// A number that YAML or HCL wrote with a point or an exponent.
fn whole(number: f64) -> Option<i64> {
    // 2^53: up to there, every whole number is a float of its own.
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}
