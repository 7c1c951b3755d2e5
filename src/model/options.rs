//! The tables under [version]: their shape, as function.toml has it. The values are judged in `limits`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A value of a Lockbox secret that the function finds in its environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Secret {
    /// The secret's id.
    pub id: String,
    /// The id of the secret's version. Without one the current version is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// The key in the secret.
    pub key: String,
    /// The variable that gets the value.
    #[schemars(regex(pattern = r"^[a-zA-Z][a-zA-Z0-9_]*$"))]
    pub environment_variable: String,
}

/// Something that the function finds under `/function/storage/NAME`: one of `object-storage` and
/// `ephemeral-disk`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["object-storage"] }, { "required": ["ephemeral-disk"] }]))]
pub struct Mount {
    /// 1 to 100 letters, digits, hyphens and underscores.
    #[schemars(regex(pattern = r"^[-_0-9a-zA-Z]{1,100}$"))]
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<MountMode>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_storage: Option<ObjectStorage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ephemeral_disk: Option<EphemeralDisk>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MountMode {
    /// For reading only.
    Ro,
    /// For reading and writing.
    Rw,
}

/// A bucket, or a folder of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ObjectStorage {
    /// The bucket's name.
    #[schemars(regex(pattern = r"^[-.0-9a-zA-Z]{3,63}$"))]
    pub bucket: String,
    /// The folder in the bucket. Without one the whole bucket is mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
}

/// A disk that lives as long as the instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EphemeralDisk {
    /// 1GB to 100GB in steps of 1GB.
    #[schemars(regex(pattern = r"^[0-9]+([Mm]|[Gg])[Bb]$"))]
    pub size: String,
    /// 4KB to 128KB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]+[Kk][Bb]$"))]
    pub block_size: Option<String>,
}

/// Where the function's log goes: at most one of `group-id` and `folder-id`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("not" = { "required": ["group-id", "folder-id"] }))]
pub struct LogOptions {
    /// Whether nothing is logged.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// The id of the log group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-zA-Z][-a-zA-Z0-9_.]{0,63}$"))]
    pub group_id: Option<String>,
    /// The id of the folder whose default log group it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-zA-Z][-a-zA-Z0-9_.]{0,63}$"))]
    pub folder_id: Option<String>,
    /// What is less is not logged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_level: Option<LogLevel>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl LogLevel {
    pub const fn id(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

/// How the platform calls the function asynchronously.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct AsyncInvocation {
    /// How often a failed call is repeated: 0 to 100.
    #[serde(default)]
    #[schemars(range(min = 0, max = 100))]
    pub retries: i64,
    /// The service account that may invoke the function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_id: Option<String>,
    /// Where the result of a successful call goes. Without one it is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success: Option<QueueTarget>,
    /// Where the result goes when all retries have failed. Without one it is dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<QueueTarget>,
}

/// A queue of Message Queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct QueueTarget {
    /// The queue's ARN.
    #[schemars(length(min = 1))]
    pub ymq_arn: String,
    /// The service account that may write to the queue.
    #[schemars(length(min = 1))]
    pub service_account_id: String,
}

/// Which flavors of the metadata service the function can reach. What is not said is the platform's
/// default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct MetadataOptions {
    /// Google's flavor, from which handlers take their IAM token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gce_http_endpoint: Option<Switch>,
    /// Amazon's flavor, IMDSv1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aws_v1_http_endpoint: Option<Switch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    Enabled,
    Disabled,
}
