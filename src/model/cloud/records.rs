//! What the API answers with, as far as it is read: names are those of cloudapi, functions/v1. What it may
//! leave out is left out by proto3 JSON when it is empty.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::cloud::answer::Status;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Function {
    pub id: String,
    pub name: String,
    pub http_invoke_url: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Version {
    pub id: String,
    pub description: String,
    pub created_at: String,
    pub runtime: String,
    pub status: String,
    pub tags: Vec<String>,
    /// The settings, for comparing and copying.
    #[serde(flatten)]
    pub settings: BTreeMap<String, Value>,
}

/// The tag that the platform sets on the newest version itself.
pub const LATEST: &str = "$latest";
pub const ACTIVE: &str = "ACTIVE";
pub const CREATING: &str = "CREATING";

impl Version {
    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }

    pub fn is_active(&self) -> bool {
        self.status == ACTIVE
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Operation {
    pub id: String,
    pub done: bool,
    pub metadata: Value,
    /// May be there before `done` is.
    pub error: Option<Status>,
    pub response: Value,
}

impl Operation {
    /// The id of the version or function that it makes.
    pub fn subject(&self) -> Option<&str> {
        ["functionVersionId", "functionId"]
            .iter()
            .find_map(|name| self.metadata.get(name).and_then(Value::as_str))
            .or_else(|| self.response.get("id").and_then(Value::as_str))
            .filter(|id| !id.is_empty())
    }
}

/// A record of the history of tags.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TagRecord {
    pub function_version_id: String,
    pub effective_from: String,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Binding {
    pub role_id: String,
    pub subject: Subject,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub struct Subject {
    pub id: String,
    #[serde(rename = "type")]
    pub kind: String,
}

/// Roles that let everyone call; the second is the older name of the first.
const CALLER_ROLES: [&str; 2] = ["functions.functionInvoker", "serverless.functions.invoker"];

impl Binding {
    /// What `public on` adds.
    pub fn public() -> Self {
        Self {
            role_id: CALLER_ROLES[0].to_owned(),
            subject: Subject { id: "allUsers".to_owned(), kind: "system".to_owned() },
        }
    }

    pub fn is_public(&self) -> bool {
        self.subject == Self::public().subject && CALLER_ROLES.contains(&self.role_id.as_str())
    }
}
