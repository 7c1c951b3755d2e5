//! Functions, versions, tags and who may call: names and ids in, what the API knows of them out.

use std::collections::BTreeSet;

use form_urlencoded::Serializer;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::operation::Fate;
use super::{Ask, Cloud, Failure, Made, Setback, Trace};
use crate::model::cloud::endpoint::Service;
use crate::model::cloud::mark::Mark;
use crate::model::cloud::plan::made_meanwhile;
use crate::model::cloud::records::{Binding, Function, Operation, TagRecord, Version};
use crate::model::finding::{self, Result};

const FUNCTIONS: &str = "/functions/v1/functions";
const VERSIONS: &str = "/functions/v1/versions";

impl Cloud<'_> {
    /// # Errors
    /// What keeps the cloud from answering; so do all of these.
    pub fn function(&self, folder_id: &str, name: &str) -> Result<Option<Function>> {
        let filter = format!("name=\"{name}\"");
        let path = with_query(FUNCTIONS, &[("folderId", folder_id), ("filter", &filter)]);
        let found: Vec<Function> = self.list(&path, "functions", "find the function")?;
        // A server that does not know the filter lists all.
        Ok(found.into_iter().find(|function| function.name == name))
    }

    pub fn create_function(&self, folder_id: &str, name: &str) -> std::result::Result<Function, Setback> {
        let action = "create the function";
        let body = json!({ "folderId": folder_id, "name": name }).to_string();
        let ask = Ask::post(FUNCTIONS.to_owned(), body.as_bytes(), action);
        let answer = match self.change(&ask, || self.function(folder_id, name))? {
            Made::Found(function) => return Ok(function),
            Made::Answered(answer) => answer,
        };
        self.finish(answer, action, &finding::CLOUD_REFUSED)?;
        // Names are unique in a folder: what is there now is what was made.
        self.function(folder_id, name)?.ok_or_else(|| {
            finding::CLOUD_REFUSED
                .finding("could not create the function")
                .why(format!("the cloud says that it did, but the folder has no function `{name}`"))
                .into()
        })
    }

    /// Newest first.
    pub fn versions(&self, function_id: &str) -> Result<Vec<Version>> {
        let path = with_query(VERSIONS, &[("functionId", function_id)]);
        let mut versions: Vec<Version> = self.list(&path, "versions", "list the versions")?;
        versions.sort_by(|a, b| b.created_at.cmp(&a.created_at));
        Ok(versions)
    }

    pub(super) fn try_version(&self, id: &str) -> std::result::Result<Version, Failure> {
        let answer = self.try_get(Service::Functions, format!("{VERSIONS}/{id}"), "look at the version")?;
        Ok(serde_json::from_value(answer).unwrap_or_default())
    }

    /// Makes a version and waits until it is active; never two of them, whatever happens on the way.
    /// `before` is what was there.
    ///
    /// # Errors
    /// [`finding::VERSION_FAILED`], [`finding::VERSION_PENDING`], and what keeps the cloud from answering.
    pub fn create_version(
        &self,
        function_id: &str,
        request: &Value,
        before: &[Version],
        mark: &Mark,
    ) -> std::result::Result<Version, Setback> {
        let action = "create the version";
        let body = request.to_string();
        let ask = Ask::post(VERSIONS.to_owned(), body.as_bytes(), action);
        let look = || Ok(made_meanwhile(before, &self.versions(function_id)?, mark).cloned());
        let id = match self.change(&ask, look)? {
            Made::Found(version) => version.id,
            Made::Answered(answer) => {
                let begun: Operation = serde_json::from_value(answer.clone()).unwrap_or_default();
                let fate = self.finish(answer, action, &finding::VERSION_FAILED).map_err(|problem| {
                    // What the operation itself says failed left nothing.
                    let failed = problem.rule == &finding::VERSION_FAILED;
                    Setback { finding: problem, trace: if failed { Trace::Nothing } else { Trace::Unknown } }
                })?;
                let named = match fate {
                    Fate::Done(operation) => operation.subject().map(str::to_owned),
                    Fate::Vanished => begun.subject().map(str::to_owned),
                };
                match named {
                    Some(id) => id,
                    None => look()?.map(|version| version.id).ok_or_else(|| {
                        finding::VERSION_FAILED
                            .finding("could not create the version")
                            .why(format!("the operation `{}` vanished and left no version", begun.id))
                    })?,
                }
            }
        };
        self.settle(&id).map_err(|finding| Setback { finding, trace: Trace::Version(id) })
    }

    /// The version as it is with the tag.
    pub fn set_tag(&self, version_id: &str, tag: &str) -> Result<Version> {
        let action = format!("move the tag `{tag}`");
        self.change_tag(version_id, tag, "setTag", &action)?;
        let version = self.settle(version_id)?;
        if version.has_tag(tag) {
            return Ok(version);
        }
        Err(finding::CLOUD_REFUSED
            .finding(format!("could not {action}"))
            .why("the cloud says that it did, but the version does not have it"))
    }

    pub fn remove_tag(&self, version_id: &str, tag: &str) -> Result<()> {
        self.change_tag(version_id, tag, "removeTag", &format!("remove the tag `{tag}`"))
    }

    fn change_tag(&self, version_id: &str, tag: &str, verb: &str, action: &str) -> Result<()> {
        let path = format!("{VERSIONS}/{version_id}:{verb}");
        let answer = self.post(path, &json!({ "tag": tag }), action)?;
        self.finish(answer, action, &finding::CLOUD_REFUSED).map(|_| ())
    }

    /// Where a tag has been, newest first.
    pub fn tag_history(&self, function_id: &str, tag: &str) -> Result<Vec<TagRecord>> {
        let path = with_query(&format!("{FUNCTIONS}/{function_id}:tagHistory"), &[("tag", tag)]);
        let mut records: Vec<TagRecord> =
            self.list(&path, "functionTagHistoryRecord", "read the tag's history")?;
        records.sort_by(|a, b| b.effective_from.cmp(&a.effective_from));
        Ok(records)
    }

    pub fn bindings(&self, function_id: &str) -> Result<Vec<Binding>> {
        let path = with_query(&format!("{FUNCTIONS}/{function_id}:listAccessBindings"), &[]);
        self.list(&path, "accessBindings", "list who may call the function")
    }

    /// Adds or removes exactly one binding, whatever others there are.
    pub fn change_binding(&self, function_id: &str, change: BindingChange, binding: &Binding) -> Result<()> {
        let action = "change who may call the function";
        let path = format!("{FUNCTIONS}/{function_id}:updateAccessBindings");
        let deltas = json!([{ "action": change.word(), "accessBinding": binding }]);
        let answer = self.post(path, &json!({ "accessBindingDeltas": deltas }), action)?;
        self.finish(answer, action, &finding::CLOUD_REFUSED).map(|_| ())
    }

    /// All pages.
    fn list<T: DeserializeOwned>(&self, path: &str, field: &str, action: &str) -> Result<Vec<T>> {
        let mut found = Vec::new();
        let mut page = path.to_owned();
        let mut followed = BTreeSet::new();
        loop {
            let mut answer = self.get(Service::Functions, page, action)?;
            let items = answer.get_mut(field).map(Value::take).unwrap_or_else(|| json!([]));
            let items: Vec<T> = serde_json::from_value(items).map_err(|error| {
                finding::CLOUD_UNREACHABLE
                    .finding(format!("could not {action}"))
                    .why(format!("`{field}` of the answer is not what the API documents: {error}"))
                    .fix("check --endpoint (YC_ENDPOINT)")
            })?;
            found.extend(items);
            match answer.get("nextPageToken").and_then(Value::as_str) {
                // One that leads to where it has been ends the list too.
                Some(token)
                    if !token.is_empty()
                        && followed.len() < MOST_PAGES
                        && followed.insert(token.to_owned()) =>
                {
                    let mut query = Serializer::new(format!("{path}&"));
                    page = query.append_pair("pageToken", token).finish();
                }
                _ => return Ok(found),
            }
        }
    }
}

/// Pages of a list that are followed at most, each of 100 records.
const MOST_PAGES: usize = 1_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingChange {
    Add,
    Remove,
}

impl BindingChange {
    const fn word(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Remove => "REMOVE",
        }
    }
}

fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("pageSize", "100").extend_pairs(pairs);
    format!("{path}?{}", query.finish())
}
