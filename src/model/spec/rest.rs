//! CreateFunctionVersionRequest as JSON: proto3's canonical form out; in, everything that protobuf's own
//! parsers take (cloudapi, functions/v1; protobuf.dev, "ProtoJSON format").

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::Serialize;
use serde_json::Value;

use crate::model::digest::sha256;
use crate::model::finding::Result;
use crate::model::manifest::Version;
use crate::model::options::{
    AsyncInvocation, EphemeralDisk, LogLevel, LogOptions, MetadataOptions, Mount, MountMode, ObjectStorage,
    QueueTarget, Secret, Switch,
};
use crate::model::request::Request;
use crate::model::spec::fields::Fields;
use crate::model::spec::{
    Code, KILOBYTES, Loss, MEGABYTES, Reading, Subject, Written, at_line, said, size, unreadable,
};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    function_id: Option<&'a str>,
    #[serde(flatten)]
    request: Request,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<PackageSource<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PackageSource<'a> {
    bucket_name: &'a str,
    object_name: &'a str,
    sha256: &'a str,
}

/// # Errors
/// Those of [`Request::of`].
pub fn write(subject: &Subject<'_>) -> Result<Written> {
    let package = subject.package().map(|(bucket_name, object_name)| PackageSource {
        bucket_name,
        object_name,
        sha256: &subject.archive.sha256,
    });
    let body = Body {
        function_id: subject.choices.function_id.as_deref(),
        request: Request::of(subject.version())?,
        package,
        content: subject.choices.content.as_ref().map(|bytes| STANDARD.encode(bytes)),
    };
    let mut losses = Vec::new();
    if body.function_id.is_none() {
        losses.push(Loss::new("functionId", "give the function's id with --function-id"));
    }
    if body.package.is_none() && body.content.is_none() {
        losses.push(Loss::new(
            "content",
            "embed the archive with --content, or say with --bucket and --object \
             where it is uploaded to",
        ));
    }
    let mut text = serde_json::to_string_pretty(&body).expect("strings always serialise");
    text.push('\n');
    Ok(Written { text, losses })
}

/// # Errors
/// [`crate::model::finding::SPEC_UNREADABLE`].
pub fn read(text: &str) -> Result<Reading> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| at_line(unreadable("it is not JSON").why(error.to_string()), error.line()))?;
    let Value::Object(mut map) = value else { return Err(unreadable("it is not a JSON object")) };
    camel_case(&mut map, 0);
    let mut fields = Fields::new(map);
    if !fields.has("runtime") && !fields.has("entrypoint") {
        return Err(unreadable("it has neither `runtime` nor `entrypoint`")
            .why("it should be a CreateFunctionVersionRequest"));
    }
    // The function's id belongs to the place that it is deployed to, not to the version.
    fields.take("functionId");
    let mut code = read_code(&mut fields);
    let name = read_ours(&mut fields, &mut code);
    let version = read_version(&mut fields);
    Ok(Reading { name, label: None, version, code, losses: fields.finish() })
}

/// dist/version.json is the same request, and says beside it whose it is and what its archive holds.
fn read_ours(fields: &mut Fields, code: &mut Code) -> Option<String> {
    fields.take("uploadMethod")?;
    fields.take("$schema");
    if let Some(archive) = fields.take("archive") {
        code.sha256 = archive["sha256"].as_str().map(str::to_owned);
    }
    fields.text("function")
}

/// Parsers of protobuf's JSON take the names of the .proto files too. Deeper than this, no message nests;
/// keys of the user's own maps stay as they are.
fn camel_case(map: &mut serde_json::Map<String, Value>, depth: u8) {
    const OWN_NAMES: [&str; 2] = ["environment", "namedServiceAccounts"];
    if depth > 4 {
        return;
    }
    for (key, mut value) in std::mem::take(map) {
        let mut name = String::new();
        let mut after_underscore = false;
        for c in key.chars() {
            match c {
                '_' => after_underscore = true,
                c if after_underscore => {
                    name.extend(c.to_uppercase());
                    after_underscore = false;
                }
                c => name.push(c),
            }
        }
        if !OWN_NAMES.contains(&name.as_str()) {
            match &mut value {
                Value::Object(map) => camel_case(map, depth + 1),
                Value::Array(items) => items
                    .iter_mut()
                    .filter_map(Value::as_object_mut)
                    .for_each(|map| camel_case(map, depth + 1)),
                _ => {}
            }
        }
        map.insert(name, value);
    }
}

fn read_code(fields: &mut Fields) -> Code {
    let mut code = Code::default();
    if let Some(content) = fields.text("content") {
        match STANDARD.decode(&content).or_else(|_| URL_SAFE.decode(&content)) {
            Ok(bytes) => code.sha256 = Some(sha256(&bytes)),
            Err(_) => fields.lose("content", "it is not base64", Value::Null),
        }
    }
    fields.object("package", |package| {
        code.bucket = said(package.text("bucketName"));
        code.object = said(package.text("objectName"));
        code.sha256 = said(package.text("sha256"));
    });
    if let Some(id) = fields.take("versionId") {
        fields.lose("versionId", "function.toml packs code and does not copy that of another version", id);
    }
    code
}

/// The settings of a version, in the API's names and units.
pub fn read_version(fields: &mut Fields) -> Version {
    let mut version = Version::new(
        fields.text("runtime").unwrap_or_default(),
        fields.text("entrypoint").unwrap_or_default(),
    );
    let memory = fields.object("resources", |resources| read_size(resources, "memory", MEGABYTES)).flatten();
    if let Some(memory) = memory {
        version.memory = memory;
    }
    if let Some(timeout) = read_duration(fields, "executionTimeout") {
        version.timeout = timeout;
    }
    version.description = said(fields.text("description"));
    version.service_account_id = said(fields.text("serviceAccountId"));
    version.environment = fields.map("environment");
    version.named_service_accounts = fields.map("namedServiceAccounts");
    // A version that the API answers calls them `tags`.
    version.tags = fields.texts("tag");
    version.tags.extend(fields.texts("tags"));
    version.concurrency = fields.integer("concurrency").filter(|calls| *calls != 0);
    version.network_id =
        fields.object("connectivity", |connectivity| said(connectivity.text("networkId"))).flatten();
    version.secrets = fields.objects("secrets", |secret| Secret {
        id: secret.text("id").unwrap_or_default(),
        version_id: said(secret.text("versionId")),
        key: secret.text("key").unwrap_or_default(),
        environment_variable: secret.text("environmentVariable").unwrap_or_default(),
    });
    version.log_options =
        fields.object("logOptions", read_log_options).filter(|options| *options != LogOptions::default());
    version.async_invocation = fields.object("asyncInvocationConfig", read_async);
    version.tmpfs_size = match fields.integer("tmpfsSize") {
        None | Some(0) => None,
        Some(bytes) => sized(fields, "tmpfsSize", bytes, MEGABYTES),
    };
    version.mounts = fields.objects("mounts", read_mount);
    version.mounts.extend(fields.objects("storageMounts", |mount| Mount {
        name: mount.text("mountPointName").unwrap_or_default(),
        mode: Some(if mount.flag("readOnly") == Some(true) { MountMode::Ro } else { MountMode::Rw }),
        object_storage: Some(ObjectStorage {
            bucket: mount.text("bucketId").unwrap_or_default(),
            prefix: said(mount.text("prefix")),
        }),
        ephemeral_disk: None,
    }));
    version.metadata_options = fields
        .object("metadataOptions", |options| MetadataOptions {
            gce_http_endpoint: read_switch(options, "gceHttpEndpoint"),
            aws_v1_http_endpoint: read_switch(options, "awsV1HttpEndpoint"),
        })
        .filter(|options| *options != MetadataOptions::default());
    version
}

fn read_size(fields: &mut Fields, key: &str, units: &[(&str, u64)]) -> Option<String> {
    let bytes = fields.integer(key)?;
    sized(fields, key, bytes, units)
}

fn sized(fields: &mut Fields, key: &str, bytes: i64, units: &[(&str, u64)]) -> Option<String> {
    let text = u64::try_from(bytes).ok().and_then(|bytes| size(bytes, units));
    if text.is_none() {
        fields.lose(key, format!("function.toml has no unit for {bytes} bytes"), bytes.into());
    }
    text
}

/// `3s`, `3.000s`.
fn read_duration(fields: &mut Fields, key: &str) -> Option<String> {
    let text = fields.text(key)?;
    let number = text.strip_suffix('s').unwrap_or_default();
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.parse::<u64>().is_ok() && fraction.bytes().all(|digit| digit == b'0') {
        return Some(format!("{whole}s"));
    }
    fields.lose(key, "it is no whole number of seconds", text.into());
    None
}

fn read_log_options(fields: &mut Fields) -> LogOptions {
    LogOptions {
        disabled: fields.flag("disabled").unwrap_or_default(),
        group_id: said(fields.text("logGroupId")),
        folder_id: said(fields.text("folderId")),
        min_level: read_level(fields, "minLevel"),
    }
}

/// A level by its name, in capitals or not. The one that says nothing is none.
pub fn read_level(fields: &mut Fields, key: &str) -> Option<LogLevel> {
    fields
        .word(key, |word| match word.to_ascii_uppercase().as_str() {
            "" | "LEVEL_UNSPECIFIED" | "0" => Some(None),
            "TRACE" | "1" => Some(Some(LogLevel::Trace)),
            "DEBUG" | "2" => Some(Some(LogLevel::Debug)),
            "INFO" | "3" => Some(Some(LogLevel::Info)),
            "WARN" | "4" => Some(Some(LogLevel::Warn)),
            "ERROR" | "5" => Some(Some(LogLevel::Error)),
            "FATAL" | "6" => Some(Some(LogLevel::Fatal)),
            _ => None,
        })
        .flatten()
}

fn read_async(fields: &mut Fields) -> AsyncInvocation {
    let target = |target: &mut Fields| {
        target.object("emptyTarget", |_| ());
        target.object("ymqTarget", |queue| QueueTarget {
            ymq_arn: queue.text("queueArn").unwrap_or_default(),
            service_account_id: queue.text("serviceAccountId").unwrap_or_default(),
        })
    };
    AsyncInvocation {
        retries: fields.integer("retriesCount").unwrap_or_default(),
        service_account_id: said(fields.text("serviceAccountId")),
        success: fields.object("successTarget", target).flatten(),
        failure: fields.object("failureTarget", target).flatten(),
    }
}

fn read_mount(fields: &mut Fields) -> Mount {
    let mode = fields.word("mode", |word| match word {
        "MODE_UNSPECIFIED" | "0" => Some(None),
        "READ_ONLY" | "1" => Some(Some(MountMode::Ro)),
        "READ_WRITE" | "2" => Some(Some(MountMode::Rw)),
        _ => None,
    });
    Mount {
        name: fields.text("name").unwrap_or_default(),
        mode: mode.flatten(),
        object_storage: fields.object("objectStorage", |storage| ObjectStorage {
            bucket: storage.text("bucketId").unwrap_or_default(),
            prefix: said(storage.text("prefix")),
        }),
        ephemeral_disk: fields.object("ephemeralDiskSpec", |disk| EphemeralDisk {
            size: read_size(disk, "size", MEGABYTES).unwrap_or_default(),
            block_size: match disk.integer("blockSize") {
                None | Some(0) => None,
                Some(bytes) => sized(disk, "blockSize", bytes, KILOBYTES),
            },
        }),
    }
}

fn read_switch(fields: &mut Fields, key: &str) -> Option<Switch> {
    fields
        .word(key, |word| match word {
            "METADATA_OPTION_UNSPECIFIED" | "0" => Some(None),
            "ENABLED" | "1" => Some(Some(Switch::Enabled)),
            "DISABLED" | "2" => Some(Some(Switch::Disabled)),
            _ => None,
        })
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::arbitrary;
    use crate::model::spec::fields::NO_PLACE;
    use crate::model::spec::tests::{same_but, subject_text, written};
    use crate::model::spec::{Choices, Consumer};

    proptest! {
        #[test]
        fn a_request_survives_the_round_trip(version in arbitrary::valid_version()) {
            let choices = Choices {
                function_id: Some("d4e0123456789abcdefg".to_owned()),
                content: Some(vec![0, 255]),
                ..Choices::default()
            };
            let first = written(Consumer::Rest, &version, &choices);
            prop_assert_eq!(&first.losses, &vec![]);
            let reading = read(&first.text).unwrap();
            prop_assert_eq!(&reading.losses, &vec![]);
            same_but(&first.losses, &version, &reading.version);
            prop_assert_eq!(&subject_text(Consumer::Rest, &reading.version, &choices), &first.text);
        }

        #[test]
        fn no_json_panics(text in "\\PC*") {
            let _ = read(&text);
        }
    }

    #[test]
    fn what_protobufs_parsers_take_is_taken() {
        let reading = read(
            r#"{"runtime":"nodejs22","entrypoint":"a.b","resources":{"memory":268435456},"execution_timeout":"5.000s",
            "service_account_id":"x","log_options":{"min_level":"INFO","disabled":null},"environment":{"a_b":"c_d"},
            "mounts":[{"name":"n","mode":1,"object_storage":{"bucket_id":"abc"}}]}"#,
        )
        .unwrap();
        let version = &reading.version;
        assert_eq!((version.memory.as_str(), version.timeout.as_str()), ("256MB", "5s"));
        assert_eq!(version.service_account_id.as_deref(), Some("x"));
        assert_eq!(version.log_options.as_ref().unwrap().min_level, Some(LogLevel::Info));
        assert_eq!(version.environment["a_b"], "c_d");
        assert_eq!(version.mounts[0].mode, Some(MountMode::Ro));
        assert_eq!(reading.losses, []);
    }

    #[test]
    fn what_is_not_carried_is_named() {
        let reading = read(
            r#"{"runtime":"nodejs22","entrypoint":"a.b","resources":{"memory":"1"},"executionTimeout":"1.5s",
            "connectivity":{"networkId":"n","subnetId":["s"]},"versionId":"v","color":"red"}"#,
        )
        .unwrap();
        let keys: Vec<_> = reading.losses.iter().map(|loss| loss.key.as_str()).collect();
        assert_eq!(
            keys,
            ["versionId", "resources.memory", "executionTimeout", "connectivity.subnetId", "color"]
        );
        assert!(reading.losses.iter().any(|loss| loss.why == NO_PLACE));
    }
}
