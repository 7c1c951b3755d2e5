//! dist/version.json: a manifest and its archive in, the version spec that matches both out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::finding::Result;
use crate::model::manifest::Manifest;
use crate::model::settings::{parse_memory, parse_runtime, parse_timeout};

pub const FILE: &str = "version.json";

/// The version that the archive beside it is to become. From `resources` on, names and units are
/// those of CreateFunctionVersionRequest (cloudapi, functions/v1/function_service.proto).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "version.json", extend("$id" = "version.schema.json"))]
pub struct VersionSpec {
    #[serde(rename = "$schema")]
    pub schema: String,
    /// The function's name.
    pub function: String,
    pub runtime: String,
    pub entrypoint: String,
    pub upload_method: UploadMethod,
    pub archive: ArchiveRecord,
    pub resources: Resources,
    /// A duration in seconds with the unit: `3s`.
    #[schemars(regex(pattern = r"^[0-9]+s$"))]
    pub execution_timeout: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_id: Option<String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Tags; the API's name is singular.
    #[serde(default)]
    pub tag: Vec<String>,
}

/// How the code reaches the platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UploadMethod {
    Zip,
}

/// The archive beside version.json.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArchiveRecord {
    pub file: String,
    /// Bytes.
    pub size: u64,
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
    pub entries: Vec<EntryRecord>,
}

/// One entry of the archive, unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntryRecord {
    pub path: String,
    /// Bytes.
    pub size: u64,
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Bytes, as the text that JSON carries int64 in.
    #[schemars(regex(pattern = r"^[0-9]+$"))]
    pub memory: String,
}

impl VersionSpec {
    /// # Errors
    /// The first value of the manifest that the platform does not take.
    pub fn of(manifest: &Manifest, archive: ArchiveRecord) -> Result<Self> {
        let version = &manifest.version;
        Ok(Self {
            schema: "version.schema.json".to_owned(),
            function: manifest.name.clone(),
            runtime: parse_runtime(&version.runtime)?.id.to_owned(),
            entrypoint: version.entrypoint.clone(),
            upload_method: UploadMethod::Zip,
            archive,
            resources: Resources { memory: parse_memory(&version.memory)?.to_string() },
            execution_timeout: format!("{}s", parse_timeout(&version.timeout)?),
            service_account_id: version.service_account_id.clone(),
            environment: version.environment.clone(),
            tag: version.tags.clone(),
        })
    }

    /// The file's bytes: indented JSON with a line feed at the end.
    pub fn to_json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(self).expect("strings and numbers always serialise");
        json.push(b'\n');
        json
    }
}
