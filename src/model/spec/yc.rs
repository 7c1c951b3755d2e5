//! `yc serverless function version create`: the command, a flag a line, quoted for POSIX shells (flags:
//! the vendor's reference of the command).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::model::finding::Result;
use crate::model::manifest::Version;
use crate::model::options::{
    AsyncInvocation, EphemeralDisk, LogOptions, MetadataOptions, Mount, MountMode, ObjectStorage,
    QueueTarget, Secret, Switch,
};
use crate::model::request::Request;
use crate::model::settings::{format_memory, parse_memory, parse_timeout};
use crate::model::spec::fields::Fields;
use crate::model::spec::rest::read_level;
use crate::model::spec::{Code, Loss, Reading, Subject, Written, said, unreadable};

const COMMAND: [&str; 5] = ["yc", "serverless", "function", "version", "create"];
const LISTED: &str = "yc separates the parts of a flag's value with commas, and this has a comma, a quotation \
                      mark or a line break";

/// The flags in order, and what they cannot say.
#[derive(Default)]
struct Flags {
    flags: Vec<(&'static str, String)>,
    losses: Vec<Loss>,
}

impl Flags {
    fn add(&mut self, flag: &'static str, value: impl Into<String>) {
        self.flags.push((flag, value.into()));
    }

    fn add_said(&mut self, flag: &'static str, value: Option<&String>) {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            self.add(flag, value);
        }
    }

    /// A flag of `name=value` pairs, unless a value cannot be told from the next pair.
    fn add_pairs(&mut self, flag: &'static str, key: &str, pairs: &[(&str, Option<&str>)]) {
        let pairs = pairs.iter().filter_map(|(name, value)| Some((name, value.filter(|v| !v.is_empty())?)));
        let pairs: Vec<_> = pairs.collect();
        if pairs.iter().any(|(_, value)| value.contains([',', '"', '\n', '\r'])) {
            self.losses.push(Loss::new(key, LISTED));
        } else {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            self.add(flag, pairs.join(","));
        }
    }
}

/// # Errors
/// A value that is beyond the platform's limits.
pub fn write(subject: &Subject<'_>) -> Result<Written> {
    let version = subject.version();
    // Judges what is repeated as it stands in function.toml.
    Request::of(version)?;
    let mut flags = Flags::default();
    match &subject.choices.function_id {
        Some(id) => flags.add("function-id", id),
        None => flags.add("function-name", &subject.manifest.name),
    }
    flags.add_said("folder-id", subject.choices.folder_id.as_ref());
    flags.add("runtime", &version.runtime);
    flags.add("entrypoint", &version.entrypoint);
    flags.add("memory", format_memory(parse_memory(&version.memory)?));
    flags.add("execution-timeout", format!("{}s", parse_timeout(&version.timeout)?));
    match subject.package() {
        Some((bucket, object)) => {
            flags.add("package-bucket-name", bucket);
            flags.add("package-object-name", object);
            flags.add("package-sha256", &subject.archive.sha256);
        }
        None => flags.add("source-path", subject.archive_path()),
    }
    flags.add_said("service-account-id", version.service_account_id.as_ref());
    flags.add_said("description", version.description.as_ref());
    for (name, value) in &version.environment {
        if value.contains([',', '"', '\n', '\r']) {
            flags.losses.push(Loss::new(format!("environment.{name}"), LISTED));
        } else {
            flags.add("environment", format!("{name}={value}"));
        }
    }
    if !version.tags.is_empty() {
        flags.add("tags", version.tags.join(","));
    }
    if let Some(calls) = version.concurrency.filter(|calls| *calls != 0) {
        flags.add("concurrency", calls.to_string());
    }
    flags.add_said("network-id", version.network_id.as_ref());
    flags.add_said("tmpfs-size", version.tmpfs_size.as_ref());
    add_lists(&mut flags, version);
    if let Some(options) = &version.log_options {
        if options.disabled {
            flags.add("no-logging", "");
        }
        flags.add_said("log-group-id", options.group_id.as_ref());
        flags.add_said("log-folder-id", options.folder_id.as_ref());
        if let Some(level) = options.min_level {
            flags.add("min-log-level", level.id());
        }
    }
    if let Some(config) = &version.async_invocation {
        flags.add("async-max-retries", config.retries.to_string());
        flags.add_said("async-service-account-id", config.service_account_id.as_ref());
        if let Some(target) = &config.success {
            flags.add("async-success-ymq-arn", &target.ymq_arn);
            flags.add("async-success-sa-id", &target.service_account_id);
        }
        if let Some(target) = &config.failure {
            flags.add("async-failure-ymq-arn", &target.ymq_arn);
            flags.add("async-failure-sa-id", &target.service_account_id);
        }
    }
    if let Some(options) = &version.metadata_options {
        let word = |switch: Option<Switch>| {
            switch.map(|switch| if switch == Switch::Enabled { "enabled" } else { "disabled" })
        };
        let pairs = [
            ("gce-http-endpoint", word(options.gce_http_endpoint)),
            ("aws-v1-http-endpoint", word(options.aws_v1_http_endpoint)),
        ];
        if *options != MetadataOptions::default() {
            flags.add_pairs("metadata-options", "metadata-options", &pairs);
        }
    }
    Ok(Written { text: lay_out(&flags.flags), losses: flags.losses })
}

fn add_lists(flags: &mut Flags, version: &Version) {
    for (alias, id) in &version.named_service_accounts {
        let key = format!("named-service-accounts.{alias}");
        flags.add_pairs("add-service-account", &key, &[("alias", Some(alias)), ("id", Some(id))]);
    }
    for (index, secret) in version.secrets.iter().enumerate() {
        let pairs = [
            ("id", Some(secret.id.as_str())),
            ("version-id", secret.version_id.as_deref()),
            ("key", Some(secret.key.as_str())),
            ("environment-variable", Some(secret.environment_variable.as_str())),
        ];
        flags.add_pairs("secret", &format!("secrets.{index}"), &pairs);
    }
    for (index, mount) in version.mounts.iter().enumerate() {
        let storage = mount.object_storage.as_ref();
        let disk = mount.ephemeral_disk.as_ref();
        let kind = if disk.is_some() { "ephemeral-disk" } else { "object-storage" };
        let mode = mount.mode.map(|mode| if mode == MountMode::Ro { "ro" } else { "rw" });
        let pairs = [
            ("type", Some(kind)),
            ("mount-point", Some(mount.name.as_str())),
            ("bucket", storage.map(|storage| storage.bucket.as_str())),
            ("prefix", storage.and_then(|storage| storage.prefix.as_deref())),
            ("size", disk.map(|disk| disk.size.as_str())),
            ("block-size", disk.and_then(|disk| disk.block_size.as_deref())),
            ("mode", mode),
        ];
        flags.add_pairs("mount", &format!("mounts.{index}"), &pairs);
    }
}

/// A flag a line. A value that begins with a hyphen would be taken for a flag, so it is joined with `=`.
fn lay_out(flags: &[(&str, String)]) -> String {
    let mut text = COMMAND.join(" ");
    for (flag, value) in flags {
        text.push_str(" \\\n  --");
        text.push_str(flag);
        if *flag != "no-logging" {
            text.push(if value.starts_with('-') { '=' } else { ' ' });
            text.push_str(&shell_words::quote(value));
        }
    }
    text.push('\n');
    text
}

/// # Errors
/// [`crate::model::finding::SPEC_UNREADABLE`].
pub fn read(text: &str) -> Result<Reading> {
    let words = shell_words::split(text)
        .map_err(|error| unreadable("the command cannot be read").why(error.to_string()))?;
    let begin = words
        .windows(3)
        .position(|words| words == ["function", "version", "create"])
        .ok_or_else(|| unreadable("there is no `yc serverless function version create`"))?;
    let mut map = Map::new();
    let mut words = words.into_iter().skip(begin + 3).peekable();
    while let Some(word) = words.next() {
        let Some(flag) = word.strip_prefix("--") else {
            append(&mut map, "", word);
            continue;
        };
        let (flag, value) = match flag.split_once('=') {
            Some((flag, value)) => (flag, Some(value.to_owned())),
            None => (flag, words.next_if(|next| !next.starts_with("--"))),
        };
        append(&mut map, flag, value.unwrap_or_else(|| "true".to_owned()));
    }
    let mut fields = Fields::new(map);
    let name = one(&mut fields, "function-name");
    for place in ["function-id", "folder-id", "folder-name", "cloud-id", "profile", "source-path", "async"] {
        fields.take(place);
    }
    let code = Code {
        sha256: one(&mut fields, "package-sha256"),
        bucket: one(&mut fields, "package-bucket-name"),
        object: one(&mut fields, "package-object-name"),
    };
    let version = read_version(&mut fields);
    Ok(Reading { name, label: None, version, code, losses: fields.finish() })
}

/// Flags may come several times, so each has a list.
fn append(map: &mut Map<String, Value>, flag: &str, value: String) {
    if let Value::Array(values) = map.entry(flag).or_insert_with(|| json!([])) {
        values.push(value.into());
    }
}

fn one(fields: &mut Fields, flag: &str) -> Option<String> {
    said(fields.texts(flag).pop())
}

fn read_version(fields: &mut Fields) -> Version {
    let mut version = Version::new(
        one(fields, "runtime").unwrap_or_default(),
        one(fields, "entrypoint").unwrap_or_default(),
    );
    if let Some(memory) = one(fields, "memory") {
        version.memory = spelled(&memory);
    }
    if let Some(timeout) = one(fields, "execution-timeout") {
        version.timeout = in_seconds(&timeout).map_or(timeout, |seconds| format!("{seconds}s"));
    }
    version.service_account_id = one(fields, "service-account-id");
    version.description = one(fields, "description");
    version.tmpfs_size = one(fields, "tmpfs-size").map(|size| spelled(&size)).filter(|size| size != "0B");
    version.network_id = one(fields, "network-id");
    version.concurrency = number(fields, "concurrency").filter(|calls| *calls != 0);
    for pair in fields.texts("environment") {
        version.environment.extend(pairs(&pair));
    }
    for tags in fields.texts("tags") {
        version.tags.extend(tags.split(',').map(str::to_owned));
    }
    for account in fields.texts("add-service-account") {
        let mut account = pairs(&account);
        if let (Some(alias), Some(id)) = (account.remove("alias"), account.remove("id")) {
            version.named_service_accounts.insert(alias, id);
        } else {
            fields.lose("add-service-account", "it names no alias or no id", json!(account));
        }
    }
    for secret in fields.texts("secret") {
        let mut secret = pairs(&secret);
        let mut part = |name: &str| secret.remove(name);
        version.secrets.push(Secret {
            id: part("id").or_else(|| part("name")).unwrap_or_default(),
            version_id: part("version-id"),
            key: part("key").unwrap_or_default(),
            environment_variable: part("environment-variable").unwrap_or_default(),
        });
    }
    version.mounts = fields.texts("mount").iter().map(|mount| read_mount(pairs(mount))).collect();
    // The older form of buckets, which the platform mounts alike.
    for mount in fields.texts("storage-mounts") {
        let is_read_only = mount.split(',').any(|part| matches!(part, "read-only" | "read-only=true"));
        let mode = if is_read_only { MountMode::Ro } else { MountMode::Rw };
        version.mounts.push(Mount { mode: Some(mode), ..read_mount(pairs(&mount)) });
    }
    let options = LogOptions {
        disabled: one(fields, "no-logging").is_some(),
        group_id: one(fields, "log-group-id"),
        folder_id: one(fields, "log-folder-id"),
        min_level: one(fields, "min-log-level").and_then(|word| {
            let mut level = Fields::new(Map::from_iter([("level".to_owned(), json!(word))]));
            read_level(&mut level, "level")
        }),
    };
    version.log_options = (options != LogOptions::default()).then_some(options);
    version.async_invocation = read_async(fields);
    let mut options = MetadataOptions::default();
    for (name, word) in fields.texts("metadata-options").iter().flat_map(|text| pairs(text)) {
        let switch = if word == "enabled" { Switch::Enabled } else { Switch::Disabled };
        match name.as_str() {
            "gce-http-endpoint" => options.gce_http_endpoint = Some(switch),
            _ => options.aws_v1_http_endpoint = Some(switch),
        }
    }
    version.metadata_options = (options != MetadataOptions::default()).then_some(options);
    version
}

fn number(fields: &mut Fields, flag: &str) -> Option<i64> {
    let text = one(fields, flag)?;
    let number = text.parse().ok();
    if number.is_none() {
        fields.lose(flag, "it is not a whole number", text.into());
    }
    number
}

fn read_async(fields: &mut Fields) -> Option<AsyncInvocation> {
    let mut target = |arn: &str, account: &str| {
        let (arn, account) = (one(fields, arn), one(fields, account));
        (arn.is_some() || account.is_some()).then(|| QueueTarget {
            ymq_arn: arn.unwrap_or_default(),
            service_account_id: account.unwrap_or_default(),
        })
    };
    let success = target("async-success-ymq-arn", "async-success-sa-id");
    let failure = target("async-failure-ymq-arn", "async-failure-sa-id");
    let service_account_id = one(fields, "async-service-account-id");
    let retries = number(fields, "async-max-retries");
    let is_said = retries.is_some() || service_account_id.is_some() || success.is_some() || failure.is_some();
    is_said.then(|| AsyncInvocation {
        retries: retries.unwrap_or_default(),
        service_account_id,
        success,
        failure,
    })
}

fn read_mount(mut mount: BTreeMap<String, String>) -> Mount {
    let mut part = |name: &str| mount.remove(name);
    let bucket = part("bucket");
    let size = part("size");
    Mount {
        name: part("mount-point").unwrap_or_default(),
        mode: part("mode").map(|mode| if mode == "ro" { MountMode::Ro } else { MountMode::Rw }),
        object_storage: bucket.map(|bucket| ObjectStorage { bucket, prefix: part("prefix") }),
        ephemeral_disk: size.map(|size| EphemeralDisk {
            size: spelled(&size),
            block_size: part("block-size").map(|size| spelled(&size)),
        }),
    }
}

/// `name=value` pairs that commas separate.
fn pairs(text: &str) -> BTreeMap<String, String> {
    text.split(',')
        .filter_map(|pair| pair.split_once('='))
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect()
}

/// The seconds of a duration such as `90s`, `5m` or `1h30m`.
fn in_seconds(duration: &str) -> Option<u64> {
    let duration = humantime::parse_duration(duration).ok()?;
    (duration.subsec_nanos() == 0).then_some(duration.as_secs())
}

/// yc takes `128m` and `1gb` too.
fn spelled(size: &str) -> String {
    let size = size.to_ascii_uppercase();
    if size.ends_with(['K', 'M', 'G']) { format!("{size}B") } else { size }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::arbitrary;
    use crate::model::spec::tests::{same_but, subject_text, written};
    use crate::model::spec::{Choices, Consumer};

    #[test]
    fn durations_are_read_as_yc_does() {
        for (text, seconds) in [
            ("3s", Some(3)),
            ("5m", Some(300)),
            ("1m30s", Some(90)),
            ("1h", Some(3600)),
            ("500ms", None),
            ("1.5s", None),
            ("5", None),
            ("s", None),
            ("", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
        ] {
            assert_eq!(in_seconds(text), seconds, "{text}");
        }
        let version = read("yc function version create --execution-timeout 1m30s").unwrap().version;
        assert_eq!(version.timeout, "90s");
        let version = read("yc function version create --execution-timeout soon").unwrap().version;
        assert_eq!(version.timeout, "soon");
    }

    #[test]
    fn the_older_form_of_mounts_is_carried_over() {
        let reading = read(
            "yc function version create --storage-mounts mount-point=a,bucket=abc,prefix=p,read-only=true \
             --storage-mounts mount-point=b,bucket=abc",
        )
        .unwrap();
        assert_eq!(reading.losses, []);
        let mount = |name: &str, mode, prefix: Option<&str>| Mount {
            name: name.to_owned(),
            mode: Some(mode),
            object_storage: Some(ObjectStorage {
                bucket: "abc".to_owned(),
                prefix: prefix.map(str::to_owned),
            }),
            ephemeral_disk: None,
        };
        let expected = [mount("a", MountMode::Ro, Some("p")), mount("b", MountMode::Rw, None)];
        assert_eq!(reading.version.mounts, expected);
    }

    proptest! {
        #[test]
        fn a_command_survives_the_round_trip(version in arbitrary::valid_version()) {
            let choices = Choices::default();
            let first = written(Consumer::Yc, &version, &choices);
            let reading = read(&first.text).unwrap();
            prop_assert_eq!(&reading.losses, &vec![]);
            same_but(&first.losses, &version, &reading.version);
            prop_assert_eq!(&subject_text(Consumer::Yc, &reading.version, &choices), &first.text);
        }

        #[test]
        fn no_command_panics(text in "yc function version create \\PC*") {
            let _ = read(&text);
        }
    }
}
