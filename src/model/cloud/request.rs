//! A version spec in, the settings of the request that makes the version out: CreateFunctionVersionRequest
//! (cloudapi, functions/v1/function_service.proto) as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::model::cloud::mark::Mark;
use crate::model::cloud::records::Version;
use crate::model::version::VersionSpec;

/// How the code comes with the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code<'a> {
    Content(&'a [u8]),
    Object {
        bucket: &'a str,
        object: &'a str,
        sha256: &'a str,
    },
    /// The code of another version of the function.
    Version(&'a str),
}

/// Fields of a version that are settings, by the name that request and answer share.
const SETTINGS: [&str; 16] = [
    "runtime",
    "entrypoint",
    "resources",
    "executionTimeout",
    "serviceAccountId",
    "environment",
    "namedServiceAccounts",
    "concurrency",
    "connectivity",
    "secrets",
    "logOptions",
    "storageMounts",
    "mounts",
    "asyncInvocationConfig",
    "tmpfsSize",
    "metadataOptions",
];

/// What version.json says beside the settings.
const NO_SETTINGS: [&str; 6] = ["$schema", "function", "uploadMethod", "archive", "tag", "description"];

/// The settings that a version spec asks for: its names and units are the request's already.
pub fn settings(spec: &VersionSpec) -> Map<String, Value> {
    let Ok(Value::Object(mut settings)) = serde_json::to_value(spec) else { return Map::new() };
    settings.retain(|name, value| {
        let is_empty =
            value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        !is_empty && !NO_SETTINGS.contains(&name.as_str())
    });
    settings
}

pub fn description(spec: &VersionSpec) -> String {
    let json = serde_json::to_value(spec).unwrap_or_default();
    json.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The settings that a deployed version has.
pub fn deployed(version: &Version) -> Map<String, Value> {
    let mut settings = Map::new();
    settings.insert("runtime".to_owned(), json!(version.runtime));
    for name in SETTINGS {
        if let Some(value) = version.settings.get(name) {
            settings.insert(name.to_owned(), value.clone());
        }
    }
    settings
}

/// The whole request. Its only tag is the version's own: the others are moved when it has proved itself.
pub fn create(
    function_id: &str,
    settings: &Map<String, Value>,
    description: &str,
    mark: &Mark,
    code: Code<'_>,
) -> Value {
    let mut request = settings.clone();
    request.insert("functionId".to_owned(), json!(function_id));
    request.insert("description".to_owned(), json!(mark.describe(description)));
    request.insert("tag".to_owned(), json!([mark.tag()]));
    let (name, value) = match code {
        Code::Content(bytes) => ("content", json!(STANDARD.encode(bytes))),
        Code::Object { bucket, object, sha256 } => {
            ("package", json!({ "bucketName": bucket, "objectName": object, "sha256": sha256 }))
        }
        Code::Version(id) => ("versionId", json!(id)),
    };
    request.insert(name.to_owned(), value);
    Value::Object(request)
}
