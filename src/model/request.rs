//! A manifest in, CreateFunctionVersionRequest as proto3 JSON out: the API's names and units (cloudapi,
//! functions/v1/function_service.proto). What has its default value is left out, as protobuf prints it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::finding::Result;
use crate::model::limits::{parse_block_size, parse_disk_size, parse_tmpfs_size};
use crate::model::manifest::Version;
use crate::model::options;
use crate::model::settings::{parse_memory, parse_runtime, parse_timeout};

/// The request without the function's id and the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub runtime: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    pub entrypoint: String,
    pub resources: Resources,
    /// `3s`.
    pub execution_timeout: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account_id: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub named_service_accounts: BTreeMap<String, String>,
    /// Tags; the API's name is singular.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tag: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connectivity: Option<Connectivity>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_options: Option<LogOptions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub async_invocation_config: Option<AsyncInvocationConfig>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tmpfs_size: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata_options: Option<MetadataOptions>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Resources {
    /// Bytes, as the text that JSON carries int64 in.
    #[schemars(regex(pattern = r"^[0-9]+$"))]
    pub memory: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connectivity {
    pub network_id: String,
}

/// A value of a Lockbox secret, and the variable that gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secret {
    pub id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    pub key: String,
    pub environment_variable: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogOptions {
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_group_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_level: Option<LogLevel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AsyncInvocationConfig {
    /// A number, as the text that JSON carries int64 in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]+$"))]
    pub retries_count: Option<String>,
    pub success_target: ResponseTarget,
    pub failure_target: ResponseTarget,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_id: Option<String>,
}

/// Where the result of an asynchronous call goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum ResponseTarget {
    /// Nowhere.
    EmptyTarget {},
    YmqTarget {
        queue_arn: String,
        service_account_id: String,
    },
}

/// Exactly one of `objectStorage` and `ephemeralDiskSpec`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Mount {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<MountMode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_storage: Option<ObjectStorage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_disk_spec: Option<DiskSpec>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MountMode {
    ReadOnly,
    ReadWrite,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectStorage {
    pub bucket_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// Bytes, as the texts that JSON carries int64 in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DiskSpec {
    #[schemars(regex(pattern = r"^[0-9]+$"))]
    pub size: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]+$"))]
    pub block_size: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetadataOptions {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gce_http_endpoint: Option<MetadataOption>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_v1_http_endpoint: Option<MetadataOption>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum MetadataOption {
    Enabled,
    Disabled,
}

impl Request {
    /// # Errors
    /// The first value that has no unit or is beyond the platform's limits.
    pub fn of(version: &Version) -> Result<Self> {
        let memory = parse_memory(&version.memory)?;
        let tmpfs_size =
            version.tmpfs_size.as_deref().map(|size| parse_tmpfs_size(size, memory)).transpose()?;
        Ok(Self {
            runtime: parse_runtime(&version.runtime)?.id.to_owned(),
            description: said(version.description.as_ref()),
            entrypoint: version.entrypoint.clone(),
            resources: Resources { memory: memory.to_string() },
            execution_timeout: format!("{}s", parse_timeout(&version.timeout)?),
            service_account_id: said(version.service_account_id.as_ref()),
            environment: version.environment.clone(),
            named_service_accounts: version.named_service_accounts.clone(),
            tag: version.tags.clone(),
            concurrency: version.concurrency.filter(|calls| *calls != 0).map(|calls| calls.to_string()),
            connectivity: said(version.network_id.as_ref()).map(|network_id| Connectivity { network_id }),
            secrets: version.secrets.iter().map(secret).collect(),
            log_options: version.log_options.as_ref().and_then(log_options),
            async_invocation_config: version.async_invocation.as_ref().map(async_invocation),
            tmpfs_size: tmpfs_size.map(|bytes| bytes.to_string()),
            mounts: version.mounts.iter().map(mount).collect::<Result<_>>()?,
            metadata_options: version.metadata_options.as_ref().and_then(metadata_options),
        })
    }
}

/// An empty text is protobuf's default.
fn said(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn secret(secret: &options::Secret) -> Secret {
    Secret {
        id: secret.id.clone(),
        version_id: said(secret.version_id.as_ref()),
        key: secret.key.clone(),
        environment_variable: secret.environment_variable.clone(),
    }
}

fn log_options(options: &options::LogOptions) -> Option<LogOptions> {
    let request = LogOptions {
        disabled: options.disabled,
        log_group_id: said(options.group_id.as_ref()),
        folder_id: said(options.folder_id.as_ref()),
        min_level: options.min_level.map(|level| match level {
            options::LogLevel::Trace => LogLevel::Trace,
            options::LogLevel::Debug => LogLevel::Debug,
            options::LogLevel::Info => LogLevel::Info,
            options::LogLevel::Warn => LogLevel::Warn,
            options::LogLevel::Error => LogLevel::Error,
            options::LogLevel::Fatal => LogLevel::Fatal,
        }),
    };
    let empty = LogOptions { disabled: false, log_group_id: None, folder_id: None, min_level: None };
    (request != empty).then_some(request)
}

fn async_invocation(config: &options::AsyncInvocation) -> AsyncInvocationConfig {
    let target = |target: Option<&options::QueueTarget>| match target {
        None => ResponseTarget::EmptyTarget {},
        Some(queue) => ResponseTarget::YmqTarget {
            queue_arn: queue.ymq_arn.clone(),
            service_account_id: queue.service_account_id.clone(),
        },
    };
    AsyncInvocationConfig {
        retries_count: (config.retries != 0).then(|| config.retries.to_string()),
        success_target: target(config.success.as_ref()),
        failure_target: target(config.failure.as_ref()),
        service_account_id: said(config.service_account_id.as_ref()),
    }
}

fn mount(mount: &options::Mount) -> Result<Mount> {
    let disk = |disk: &options::EphemeralDisk| -> Result<DiskSpec> {
        Ok(DiskSpec {
            size: parse_disk_size(&disk.size)?.to_string(),
            block_size: match &disk.block_size {
                Some(size) => Some(parse_block_size(size)?.to_string()),
                None => None,
            },
        })
    };
    Ok(Mount {
        name: mount.name.clone(),
        mode: mount.mode.map(|mode| match mode {
            options::MountMode::Ro => MountMode::ReadOnly,
            options::MountMode::Rw => MountMode::ReadWrite,
        }),
        object_storage: mount.object_storage.as_ref().map(|storage| ObjectStorage {
            bucket_id: storage.bucket.clone(),
            prefix: said(storage.prefix.as_ref()),
        }),
        ephemeral_disk_spec: mount.ephemeral_disk.as_ref().map(disk).transpose()?,
    })
}

fn metadata_options(options: &options::MetadataOptions) -> Option<MetadataOptions> {
    let option = |switch: Option<options::Switch>| {
        switch.map(|switch| match switch {
            options::Switch::Enabled => MetadataOption::Enabled,
            options::Switch::Disabled => MetadataOption::Disabled,
        })
    };
    let request = MetadataOptions {
        gce_http_endpoint: option(options.gce_http_endpoint),
        aws_v1_http_endpoint: option(options.aws_v1_http_endpoint),
    };
    (request.gce_http_endpoint.is_some() || request.aws_v1_http_endpoint.is_some()).then_some(request)
}
