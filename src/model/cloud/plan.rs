//! What is deployed and what is wanted in, the differences and what is to be done about them out.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::cloud::mark::Mark;
use crate::model::cloud::records::{CREATING, LATEST, Version};
use crate::model::cloud::request;

/// A setting, or the code, that is to become another one.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub field: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl Difference {
    pub fn line(&self) -> String {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => format!("~ {}: {before} -> {after}", self.field),
            (Some(before), None) => format!("- {}: {before}", self.field),
            (None, after) => format!("+ {}: {}", self.field, after.as_deref().unwrap_or_default()),
        }
    }
}

/// What the version step of a deployment does.
#[derive(Debug, PartialEq)]
pub enum Step<'a> {
    Create,
    /// The newest version is this one already, or is about to be: made by an earlier run that did not see
    /// the end.
    Keep(&'a Version),
}

/// Whether the newest version is what is wanted, by the mark and the words before it.
pub fn step<'a>(versions: &'a [Version], mark: &Mark, description: &str, force: bool) -> Step<'a> {
    let description = mark.describe(description);
    let is_wanted = |version: &Version| {
        (version.is_active() || version.status == CREATING) && version.description == description
    };
    match versions.iter().find(|version| version.has_tag(LATEST)) {
        Some(latest) if !force && is_wanted(latest) => Step::Keep(latest),
        // A version in the making is not the newest yet.
        _ => match versions.iter().find(|version| version.status == CREATING && is_wanted(version)) {
            Some(coming) if !force => Step::Keep(coming),
            _ => Step::Create,
        },
    }
}

/// The version that an unanswered request made: it has the mark and was not there before.
pub fn made_meanwhile<'a>(before: &[Version], now: &'a [Version], mark: &Mark) -> Option<&'a Version> {
    now.iter().find(|version| {
        before.iter().all(|old| old.id != version.id)
            && Mark::read(&version.description).as_ref() == Some(mark)
    })
}

/// Tags of the versions' own that are to go, oldest versions first: the platform allows ten tags a function.
/// A version without any tag is deleted by it.
pub fn surplus_tags(versions: &[Version], keep: usize) -> Vec<(&Version, &str)> {
    let mut own: Vec<_> = versions
        .iter()
        .flat_map(|version| version.tags.iter().map(move |tag| (version, tag.as_str())))
        .filter(|(_, tag)| Mark::is_own_tag(tag))
        .collect();
    own.sort_by(|(a, _), (b, _)| b.created_at.cmp(&a.created_at));
    own.split_off(keep.min(own.len())).into_iter().rev().collect()
}

/// Field by field. Values of the environment are not shown: they may be what nobody should read in a log.
pub fn differences(
    deployed: Option<&Version>,
    wanted: &Map<String, Value>,
    mark: &Mark,
    description: &str,
) -> Vec<Difference> {
    let mut before = BTreeMap::new();
    if let Some(version) = deployed {
        leaves("", &Value::Object(request::deployed(version)), &mut before);
        let code = Mark::read(&version.description).map_or_else(|| "unknown".to_owned(), |mark| mark.archive);
        before.insert("code.sha256".to_owned(), code);
        leaves("description", &Mark::text(&version.description).into(), &mut before);
    }
    let mut after = BTreeMap::new();
    leaves("", &Value::Object(wanted.clone()), &mut after);
    after.insert("code.sha256".to_owned(), mark.archive.clone());
    leaves("description", &Mark::text(&mark.describe(description)).into(), &mut after);
    let fields: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    fields
        .into_iter()
        .filter(|field| before.get(*field) != after.get(*field))
        .filter(|field| after.contains_key(*field) || !FILLED_IN.contains(&field.as_str()))
        .map(|field| {
            let shown = |value: &String| if is_hidden(field) { "(hidden)".to_owned() } else { value.clone() };
            Difference {
                field: field.clone(),
                before: before.get(field).map(shown),
                after: after.get(field).map(shown),
            }
        })
        .collect()
}

/// What the platform sets itself where nothing was asked for.
const FILLED_IN: [&str; 1] = ["logOptions.folderId"];

fn is_hidden(field: &str) -> bool {
    field.starts_with("environment.")
}

/// Every value that says something. The API leaves out what is empty, zero or false, and so do we.
fn leaves(path: &str, value: &Value, found: &mut BTreeMap<String, String>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| leaves(&join(key), value, found)),
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, value)| leaves(&join(&index.to_string()), value, found));
        }
        Value::Null | Value::Bool(false) => {}
        Value::String(text) if text.is_empty() || text == "0" || text.ends_with("UNSPECIFIED") => {}
        Value::Number(number) if number.as_f64() == Some(0.0) => {}
        Value::String(text) => {
            found.insert(path.to_owned(), text.clone());
        }
        other => {
            found.insert(path.to_owned(), other.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mark() -> Mark {
        Mark { archive: "a".repeat(64), settings: "b".repeat(12) }
    }

    fn version(id: &str, value: Value) -> Version {
        let mut version: Version = serde_json::from_value(value).unwrap();
        version.id = id.to_owned();
        version
    }

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    #[test]
    fn only_the_newest_version_counts_as_deployed() {
        let marked = |status: &str, tags: &[&str]| {
            version("1", json!({ "status": status, "tags": tags, "description": mark().describe("mine") }))
        };
        for (versions, kept) in [
            (vec![], false),
            (vec![marked("ACTIVE", &["$latest"])], true),
            (vec![marked("ACTIVE", &["prod"])], false),
            (
                vec![version(
                    "1",
                    json!({ "status": "ACTIVE", "tags": ["$latest"], "description": mark().describe("other") }),
                )],
                false,
            ),
            (vec![marked("OBSOLETE", &["$latest"])], false),
            (vec![marked("CREATING", &[])], true),
            (vec![version("2", json!({ "status": "ACTIVE", "tags": ["$latest"] }))], false),
        ] {
            assert_eq!(
                matches!(step(&versions, &mark(), "mine", false), Step::Keep(_)),
                kept,
                "{versions:?}"
            );
            assert_eq!(step(&versions, &mark(), "mine", true), Step::Create);
        }
    }

    #[test]
    fn what_the_api_leaves_out_is_no_difference() {
        let deployed = version(
            "1",
            json!({
                "runtime": "nodejs22", "entrypoint": "index.main", "resources": { "memory": "134217728" },
                "executionTimeout": "3s", "environment": {}, "concurrency": "0", "imageSize": "4096",
                "logOptions": { "disabled": false, "folderId": "b1g" }, "metadataOptions": { "gceHttpEndpoint": "METADATA_OPTION_UNSPECIFIED" },
                "description": mark().describe(""),
            }),
        );
        let wanted = map(json!({
            "runtime": "nodejs22", "entrypoint": "index.main", "resources": { "memory": "134217728" },
            "executionTimeout": "3s",
        }));
        assert_eq!(differences(Some(&deployed), &wanted, &mark(), ""), []);
    }

    #[test]
    fn differences_are_told_by_field_and_hide_the_environment() {
        let deployed = version(
            "1",
            json!({ "runtime": "nodejs18", "environment": { "A": "s3cret", "B": "x" }, "serviceAccountId": "aje", "description": "old" }),
        );
        let wanted = map(json!({ "runtime": "nodejs22", "environment": { "A": "other", "C": "s3cret" } }));
        let found: Vec<_> =
            differences(Some(&deployed), &wanted, &mark(), "new").iter().map(Difference::line).collect();
        assert_eq!(
            found,
            [
                format!("~ code.sha256: unknown -> {}", "a".repeat(64)),
                "~ description: old -> new".to_owned(),
                "~ environment.A: (hidden) -> (hidden)".to_owned(),
                "- environment.B: (hidden)".to_owned(),
                "+ environment.C: (hidden)".to_owned(),
                "~ runtime: nodejs18 -> nodejs22".to_owned(),
                "- serviceAccountId: aje".to_owned(),
            ]
        );
    }

    #[test]
    fn old_tags_of_versions_go_first() {
        let of = |id: &str, at: &str, tags: &[&str]| version(id, json!({ "createdAt": at, "tags": tags }));
        let versions = [
            of("2", "2026-01-02T00:00:00Z", &["sha-222222222222", "prod"]),
            of("1", "2026-01-01T00:00:00Z", &["sha-111111111111"]),
            of("3", "2026-01-03T00:00:00Z", &["sha-333333333333", "$latest"]),
        ];
        let tags: Vec<_> = surplus_tags(&versions, 1).into_iter().map(|(_, tag)| tag).collect();
        assert_eq!(tags, ["sha-111111111111", "sha-222222222222"]);
        assert!(surplus_tags(&versions, 3).is_empty() && surplus_tags(&versions, 9).is_empty());
    }
}
