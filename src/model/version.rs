//! dist/version.json: a manifest and its archive in, the version spec that matches both out.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::archive::Record;
use crate::model::finding::Result;
use crate::model::manifest::Manifest;
use crate::model::request::{
    AsyncInvocationConfig, Connectivity, LogOptions, MetadataOptions, Mount, Request, Resources, Secret,
};

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named_service_accounts: BTreeMap<String, String>,
    /// A number, as the text that JSON carries int64 in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]+$"))]
    pub concurrency: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectivity: Option<Connectivity>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_options: Option<LogOptions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub async_invocation_config: Option<AsyncInvocationConfig>,
    /// Bytes, as the text that JSON carries int64 in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]+$"))]
    pub tmpfs_size: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_options: Option<MetadataOptions>,
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
    pub entries: Vec<Record>,
}

impl VersionSpec {
    /// # Errors
    /// The first value of the manifest that the platform does not take.
    pub fn of(manifest: &Manifest, archive: ArchiveRecord) -> Result<Self> {
        let request = Request::of(&manifest.version)?;
        Ok(Self {
            schema: "version.schema.json".to_owned(),
            function: manifest.name.clone(),
            runtime: request.runtime,
            entrypoint: request.entrypoint,
            upload_method: UploadMethod::Zip,
            archive,
            resources: request.resources,
            execution_timeout: request.execution_timeout,
            service_account_id: request.service_account_id,
            environment: request.environment,
            tag: request.tag,
            description: request.description,
            named_service_accounts: request.named_service_accounts,
            concurrency: request.concurrency,
            connectivity: request.connectivity,
            secrets: request.secrets,
            log_options: request.log_options,
            async_invocation_config: request.async_invocation_config,
            tmpfs_size: request.tmpfs_size,
            mounts: request.mounts,
            metadata_options: request.metadata_options,
        })
    }

    /// The file's bytes: indented JSON with a line feed at the end. With 100,000 entries they are 16 MB.
    ///
    /// # Errors
    /// What `out` gives.
    pub fn write_json(&self, mut out: impl Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut out, self)?;
        out.write_all(b"\n")
    }
}

/// The first entry, by name, in which an archive differs from the one that `rebuilt` lists.
pub fn first_difference(standing: &[Record], rebuilt: &[Record]) -> Option<String> {
    let by_path = |records: &[Record]| -> BTreeMap<String, Record> {
        records.iter().map(|record| (record.path.clone(), record.clone())).collect()
    };
    let (standing, rebuilt) = (by_path(standing), by_path(rebuilt));
    let paths: std::collections::BTreeSet<_> = standing.keys().chain(rebuilt.keys()).collect();
    paths.into_iter().find_map(|path| match (standing.get(path), rebuilt.get(path)) {
        (Some(_), None) => Some(format!("the first entry that differs: `{path}` is only in the archive")),
        (None, Some(_)) => Some(format!("the first entry that differs: `{path}` is not in the archive")),
        (Some(old), Some(new)) if old != new => Some(format!(
            "the first entry that differs: `{path}` has {} bytes with sha256 {} in the archive, {} bytes with sha256 {} here",
            old.size, old.sha256, new.size, new.sha256
        )),
        _ => None,
    })
}

/// The first key in which the text of a version.json differs from `spec`. Values are not repeated: an
/// environment may hold what nobody should read in a log.
pub fn describe_difference(text: &[u8], spec: &VersionSpec) -> String {
    let standing: serde_json::Value = match serde_json::from_slice(text) {
        Ok(value) => value,
        Err(error) => return format!("it is not JSON: {error}"),
    };
    let wanted = serde_json::to_value(spec).expect("strings and numbers always serialise");
    match differing_key(&standing, &wanted, "") {
        Some(key) => format!("`{key}` differs"),
        None => "only its layout differs".to_owned(),
    }
}

fn differing_key(standing: &serde_json::Value, wanted: &serde_json::Value, path: &str) -> Option<String> {
    let (Some(standing), Some(wanted)) = (standing.as_object(), wanted.as_object()) else {
        return (standing != wanted).then(|| path.to_owned());
    };
    let keys = wanted.keys().chain(standing.keys().filter(|key| !wanted.contains_key(*key)));
    keys.into_iter().find_map(|key| {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (standing.get(key), wanted.get(key)) {
            (Some(standing), Some(wanted)) => differing_key(standing, wanted, &path),
            _ => Some(path),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(path: &str, sha256: &str) -> Record {
        Record { path: path.to_owned(), size: 1, sha256: sha256.to_owned() }
    }

    #[test]
    fn the_first_difference_is_by_name() {
        let standing = [record("a", "1"), record("c", "1"), record("d", "1")];
        assert_eq!(first_difference(&standing, &standing), None);
        for (rebuilt, expected) in [
            (vec![record("a", "2"), record("d", "1")], "`a` has 1 bytes"),
            (vec![record("a", "1"), record("d", "2")], "`c` is only in the archive"),
            (vec![record("a", "1"), record("b", "1")], "`b` is not in the archive"),
        ] {
            let difference = first_difference(&standing, &rebuilt).unwrap();
            assert!(difference.contains(expected), "{difference}");
        }
    }

    #[test]
    fn a_difference_names_the_key_and_not_the_value() {
        let (manifest, _) = crate::model::manifest::parse(
            "name = 'my-app'\n[version]\nruntime = 'nodejs22'\nentrypoint = 'index.main'\nenvironment = { A = 's3cret' }\n",
        )
        .unwrap();
        let archive = ArchiveRecord {
            file: "index-js.zip".to_owned(),
            size: 1,
            sha256: "0".repeat(64),
            entries: vec![],
        };
        let spec = VersionSpec::of(&manifest, archive).unwrap();
        let mut json = Vec::new();
        spec.write_json(&mut json).unwrap();
        let json = String::from_utf8(json).unwrap();
        for (text, expected) in [
            (json.replace("s3cret", "other"), "`environment.A` differs"),
            (json.replace("134217728", "1"), "`resources.memory` differs"),
            (json.replace("\"size\": 1", "\"size\": 2"), "`archive.size` differs"),
            (json.replace("\"runtime\"", "\"runtimes\""), "`runtime` differs"),
            (json.replace('\n', ""), "only its layout differs"),
            ("{".to_owned(), "it is not JSON"),
        ] {
            let difference = describe_difference(text.as_bytes(), &spec);
            assert!(difference.starts_with(expected), "{difference}");
            assert!(!difference.contains("s3cret"));
        }
    }
}
