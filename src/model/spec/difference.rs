//! Two versions in, each field in which they differ out. How a value is spelt and in which order lists
//! stand makes no difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use toml::Value as Toml;

use crate::model::manifest::Version;
use crate::model::request::Request;
use crate::model::spec::fields::Fields;
use crate::model::spec::{Loss, Reading, rest};

/// A field that differs: its path under [version] of function.toml, or where the file has it.
#[derive(Debug, PartialEq, Serialize)]
pub struct Difference {
    pub key: String,
    /// The value on either side, as in function.toml; nothing where the side does not say it.
    pub a: Option<Shown>,
    pub b: Option<Shown>,
}

/// A value as TOML has it. Those of variables, and of what function.toml has no place for, are not shown:
/// they may be secrets.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Shown {
    Value(Toml),
    Hidden(&'static str),
}

const HIDDEN: Shown = Shown::Hidden("(not shown)");

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(f),
            Self::Hidden(text) => f.write_str(text),
        }
    }
}

/// A name, a checksum and a place in Object Storage count only where both sides say them.
pub fn differences(a: &Reading, b: &Reading) -> Vec<Difference> {
    let mut found = Vec::new();
    for (key, a, b) in [
        ("name", &a.name, &b.name),
        ("code.sha256", &a.code.sha256, &b.code.sha256),
        ("code.bucket", &a.code.bucket, &b.code.bucket),
        ("code.object", &a.code.object, &b.code.object),
    ] {
        if let (Some(a), Some(b)) = (a, b)
            && a != b
        {
            let show = |text: &String| Some(Shown::Value(Toml::String(text.clone())));
            found.push(Difference { key: key.to_owned(), a: show(a), b: show(b) });
        }
    }
    let (mut a_fields, mut b_fields) = (flat(&a.version), flat(&b.version));
    a_fields.extend(left(&a.losses));
    b_fields.extend(left(&b.losses));
    let keys: BTreeSet<_> = a_fields.keys().chain(b_fields.keys()).collect();
    for key in keys {
        let (a, b) = (a_fields.get(key), b_fields.get(key));
        if a != b {
            let show = |field: &Field| if field.hidden { HIDDEN } else { Shown::Value(field.value.clone()) };
            found.push(Difference { key: key.clone(), a: a.map(show), b: b.map(show) });
        }
    }
    found
}

#[derive(PartialEq)]
struct Field {
    value: Toml,
    hidden: bool,
}

/// What function.toml has no place for, by where it was read.
fn left(losses: &[Loss]) -> impl Iterator<Item = (String, Field)> {
    losses
        .iter()
        .map(|loss| (loss.key.clone(), Field { value: Toml::String(loss.value.to_string()), hidden: true }))
}

/// Each value under its dotted path. Secrets and mounts are known by their variable and name, not by
/// their place.
fn flat(version: &Version) -> BTreeMap<String, Field> {
    let version = canonical(version);
    let mut fields = BTreeMap::new();
    let Ok(Toml::Table(table)) = Toml::try_from(&version) else { return fields };
    for (key, value) in table {
        flatten(&key, value, &mut fields);
    }
    fields.retain(|_, field| !matches!(&field.value, Toml::Array(items) if items.is_empty()));
    fields
}

fn flatten(path: &str, value: Toml, fields: &mut BTreeMap<String, Field>) {
    match value {
        Toml::Table(table) => {
            for (key, value) in table {
                flatten(&format!("{path}.{key}"), value, fields);
            }
        }
        Toml::Array(mut items) if items.iter().all(Toml::is_str) => {
            items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            fields.insert(path.to_owned(), Field { value: Toml::Array(items), hidden: false });
        }
        Toml::Array(items) => {
            for (index, mut item) in items.into_iter().enumerate() {
                let name_key = if path == "secrets" { "environment-variable" } else { "name" };
                let name = item.as_table_mut().and_then(|item| item.remove(name_key));
                let name = name.and_then(|name| name.as_str().map(str::to_owned));
                flatten(&format!("{path}.{}", name.unwrap_or_else(|| index.to_string())), item, fields);
            }
        }
        value => {
            let hidden = path.starts_with("environment.");
            fields.insert(path.to_owned(), Field { value, hidden });
        }
    }
}

/// The version as it is read back from the request that it makes, so that `1024MB` is `1GB` and an empty
/// table is none. One that makes no request is compared as it stands.
fn canonical(version: &Version) -> Version {
    let request = Request::of(version).ok().and_then(|request| serde_json::to_value(request).ok());
    match request {
        Some(Value::Object(map)) => rest::read_version(&mut Fields::new(map)),
        _ => version.clone(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::arbitrary;
    use crate::model::options::LogOptions;
    use crate::model::spec::Code;

    fn reading(version: Version) -> Reading {
        Reading { name: None, label: None, version, code: Code::default(), losses: Vec::new() }
    }

    proptest! {
        #[test]
        fn a_version_equals_itself_in_any_order(version in arbitrary::valid_version()) {
            let mut turned = version.clone();
            turned.secrets.reverse();
            turned.mounts.reverse();
            turned.tags.reverse();
            prop_assert_eq!(differences(&reading(version), &reading(turned)), vec![]);
        }
    }

    #[test]
    fn fields_are_named_and_secrets_are_not_shown() {
        let mut a = Version::new("nodejs22", "index.main");
        a.memory = "1024MB".to_owned();
        a.environment.insert("TOKEN".to_owned(), "s3cret".to_owned());
        a.log_options = Some(LogOptions::default());
        let mut b = a.clone();
        b.memory = "1GB".to_owned();
        b.log_options = None;
        assert_eq!(differences(&reading(a.clone()), &reading(b.clone())), []);
        b.timeout = "5s".to_owned();
        b.tags = vec!["x".to_owned()];
        b.environment.insert("TOKEN".to_owned(), "other".to_owned());
        let found = differences(&reading(a), &reading(b));
        let said = |value: &Option<Shown>| value.as_ref().map(Shown::to_string);
        let shown: Vec<_> =
            found.iter().map(|found| (found.key.as_str(), said(&found.a), said(&found.b))).collect();
        let said = |text: &str| Some(text.to_owned());
        assert_eq!(
            shown,
            [
                ("environment.TOKEN", said("(not shown)"), said("(not shown)")),
                ("tags", None, said("[\"x\"]")),
                ("timeout", said("\"3s\""), said("\"5s\"")),
            ]
        );
    }
}
