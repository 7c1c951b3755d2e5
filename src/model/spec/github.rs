//! Steps for yc-actions/yc-sls-function 5 in a GitHub workflow, or the whole workflow, out and in (the
//! action's action.yml and src/parse).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::model::finding::Result;
use crate::model::manifest::Version;
use crate::model::options::{
    AsyncInvocation, LogOptions, Mount, MountMode, ObjectStorage, QueueTarget, Secret,
};
use crate::model::request::Request;
use crate::model::settings::{parse_memory, parse_timeout};
use crate::model::spec::fields::Fields;
use crate::model::spec::rest::read_level;
use crate::model::spec::{Code, Loss, Reading, Subject, Written, lost, parse_yaml, said, unreadable};

pub const ACTION: &str = "yc-actions/yc-sls-function";
const ACTION_VERSION: &str = "v5";
const NO_PLACE: &str = "the action has no input for it";
/// An expression that gives the text that begins one.
const ESCAPED: &str = "${{ '${{' }}";
/// What stands for the current version of a secret.
const LATEST: &str = "latest";

#[derive(Serialize)]
struct Workflow {
    name: String,
    on: Value,
    permissions: Value,
    jobs: BTreeMap<&'static str, Job>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Job {
    runs_on: &'static str,
    steps: Vec<Step>,
}

#[derive(Default, Serialize)]
struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uses: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    #[serde(rename = "with", skip_serializing_if = "Map::is_empty")]
    inputs: Map<String, Value>,
}

/// # Errors
/// A value that is beyond the platform's limits.
pub fn write(subject: &Subject<'_>) -> Result<Written> {
    Request::of(subject.version())?;
    let name = &subject.manifest.name;
    let unpacked = format!("{}dist/unpacked", subject.prefix);
    let mut inputs = Inputs::default();
    inputs.expression("yc-sa-json-credentials", "secrets.YC_SA_JSON_CREDENTIALS");
    match &subject.choices.folder_id {
        Some(id) => inputs.add("folder-id", id),
        None => inputs.expression("folder-id", "vars.YC_FOLDER_ID"),
    }
    inputs.add("function-name", name);
    inputs.add("source-root", &unpacked);
    inputs.add_said("bucket", subject.choices.bucket.as_ref());
    inputs.add_version(subject.version())?;
    let unpack = Step {
        name: Some("Unpack what fnscaffold packed".to_owned()),
        run: Some(format!(
            "unzip -q {} -d {}",
            shell_words::quote(&subject.archive_path()),
            shell_words::quote(&unpacked)
        )),
        ..Step::default()
    };
    let deploy = Step {
        name: Some(format!("Deploy {name}")),
        uses: Some(format!("{ACTION}@{ACTION_VERSION}")),
        inputs: inputs.map,
        ..Step::default()
    };
    let steps = vec![unpack, deploy];
    let text = if subject.choices.workflow {
        serde_saphyr::to_string(&workflow(subject, steps))
    } else {
        serde_saphyr::to_string(&steps)
    };
    let text = text.expect("texts and maps always serialise");
    Ok(Written { text, losses: inputs.losses })
}

fn workflow(subject: &Subject<'_>, steps: Vec<Step>) -> Workflow {
    let directory = subject.prefix.trim_end_matches('/');
    let directory = if directory.is_empty() { "." } else { directory };
    let run =
        |name: &str, run: String| Step { name: Some(name.to_owned()), run: Some(run), ..Step::default() };
    let mut all = vec![
        Step { uses: Some("actions/checkout@v5".to_owned()), ..Step::default() },
        run("Install fnscaffold", format!("cargo install --locked fnscaffold@{}", env!("CARGO_PKG_VERSION"))),
        // dist/ is not in the repository: what `new` writes keeps it out. The bytes are the same.
        run("Pack it", format!("fnscaffold -C {} {}", shell_words::quote(directory), subject.choices.pack())),
        run("Check it", format!("fnscaffold -C {} check", shell_words::quote(directory))),
    ];
    all.extend(steps);
    Workflow {
        name: format!("Deploy {}", subject.manifest.name),
        on: json!({ "push": { "branches": ["main"] } }),
        permissions: json!({ "contents": "read" }),
        jobs: BTreeMap::from([("deploy", Job { runs_on: "ubuntu-latest", steps: all })]),
    }
}

#[derive(Default)]
struct Inputs {
    map: Map<String, Value>,
    losses: Vec<Loss>,
}

impl Inputs {
    /// A text in which GitHub finds no expression.
    fn add(&mut self, input: &str, text: &str) {
        self.map.insert(input.to_owned(), text.replace("${{", ESCAPED).into());
    }

    fn add_said(&mut self, input: &str, text: Option<&String>) {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            self.add(input, text);
        }
    }

    fn expression(&mut self, input: &str, expression: &str) {
        self.map.insert(input.to_owned(), format!("${{{{ {expression} }}}}").into());
    }

    fn lines(&mut self, input: &str, lines: &[String]) {
        if !lines.is_empty() {
            self.add(input, &format!("{}\n", lines.join("\n")));
        }
    }

    fn lose(&mut self, key: impl Into<String>, why: &str) {
        self.losses.push(Loss::new(key, why));
    }

    fn add_version(&mut self, version: &Version) -> Result<()> {
        let none = ["description", "concurrency", "tmpfs-size", "named-service-accounts", "metadata-options"];
        self.losses = lost(version, &none.map(|key| (key, NO_PLACE)).into());
        self.add("runtime", &version.runtime);
        self.add("entrypoint", &version.entrypoint);
        self.add("memory", &format!("{}Mb", parse_memory(&version.memory)? >> 20));
        self.add("execution-timeout", &parse_timeout(&version.timeout)?.to_string());
        self.add_said("service-account", version.service_account_id.as_ref());
        let mut lines = Vec::new();
        for (name, value) in &version.environment {
            if is_line(value) {
                lines.push(format!("{name}={value}"));
            } else {
                let why = "the action takes a line for each variable and trims it";
                self.lose(format!("environment.{name}"), why);
            }
        }
        self.lines("environment", &lines);
        self.add_secrets(&version.secrets);
        self.lines("tags", &version.tags);
        self.add_said("network-id", version.network_id.as_ref());
        self.add_mounts(&version.mounts);
        self.add_log_options(version.log_options.as_ref());
        self.add_async(version);
        Ok(())
    }

    fn add_secrets(&mut self, secrets: &[Secret]) {
        let mut lines = Vec::new();
        for (index, secret) in secrets.iter().enumerate() {
            let Secret { id, version_id, key, environment_variable } = secret;
            let version = version_id.as_deref().unwrap_or(LATEST);
            if is_line(key) && !key.contains(['/', '=']) {
                lines.push(format!("{environment_variable}={id}/{version}/{key}"));
            } else {
                let why =
                    "the action writes it as VARIABLE=ID/VERSION/KEY, and the key has a character of that";
                self.lose(format!("secrets.{index}"), why);
            }
        }
        self.lines("secrets", &lines);
    }

    fn add_mounts(&mut self, mounts: &[Mount]) {
        let mut lines = Vec::new();
        for (index, mount) in mounts.iter().enumerate() {
            let key = format!("mounts.{index}");
            let Some(ObjectStorage { bucket, prefix }) = &mount.object_storage else {
                self.lose(key, "the action mounts only buckets");
                continue;
            };
            let prefix = prefix.as_deref().unwrap_or_default();
            if !is_line(prefix) && !prefix.is_empty() || prefix.contains(':') {
                self.lose(
                    key,
                    "the action writes it as NAME:BUCKET/PREFIX:ro, and the prefix has a character of that",
                );
                continue;
            }
            let slash = if prefix.is_empty() { "" } else { "/" };
            let read_only = if mount.mode == Some(MountMode::Ro) { ":ro" } else { "" };
            if mount.mode.is_none() {
                self.lose(format!("{key}.mode"), "where none is given, the action says `rw`");
            }
            lines.push(format!("{}:{bucket}{slash}{prefix}{read_only}", mount.name));
        }
        self.lines("mounts", &lines);
    }

    fn add_log_options(&mut self, options: Option<&LogOptions>) {
        let Some(options) = options else { return };
        if options.disabled {
            self.add("logs-disabled", "true");
        }
        self.add_said("logs-group-id", options.group_id.as_ref());
        if options.folder_id.is_some() {
            self.lose("log-options.folder-id", NO_PLACE);
        }
        if let Some(level) = options.min_level {
            self.add("log-level", level.id());
        }
    }

    fn add_async(&mut self, version: &Version) {
        let Some(config) = &version.async_invocation else { return };
        self.add("async", "true");
        self.add("async-retries-count", &config.retries.to_string());
        match &config.service_account_id {
            Some(id) => self.add("async-sa-id", id),
            None if version.service_account_id.is_some() => self.lose(
                "async-invocation.service-account-id",
                "where none is given, the action takes the function's own",
            ),
            None => {}
        }
        for (name, target) in [("success", &config.success), ("failure", &config.failure)] {
            let Some(target) = target else { continue };
            if target.ymq_arn.trim() != target.ymq_arn || target.ymq_arn.is_empty() {
                self.lose(format!("async-invocation.{name}"), "the action trims the queue's ARN");
                continue;
            }
            self.add(&format!("async-{name}-ymq-arn"), &target.ymq_arn);
            self.add(&format!("async-{name}-sa-id"), &target.service_account_id);
        }
    }
}

/// Whether a text survives as a part of one line among others.
fn is_line(text: &str) -> bool {
    text.trim() == text && !text.is_empty() && !text.contains(['\n', '\r'])
}

/// # Errors
/// [`crate::model::finding::SPEC_UNREADABLE`].
pub fn read(text: &str) -> Result<Vec<Reading>> {
    let value = parse_yaml(text)?;
    let mut readings = Vec::new();
    let jobs = value.get("jobs").and_then(Value::as_object);
    let jobs = jobs.into_iter().flat_map(|jobs| jobs.values()).filter_map(|job| job.get("steps"));
    for steps in jobs.chain(std::iter::once(&value)) {
        let steps: Vec<_> = match steps {
            Value::Array(steps) => steps.iter().collect(),
            step => vec![step],
        };
        for step in steps {
            let uses = step.get("uses").and_then(Value::as_str).unwrap_or_default();
            if uses.split('@').next() == Some(ACTION)
                && let Some(Value::Object(inputs)) = step.get("with")
            {
                readings.push(read_step(inputs.clone()));
            }
        }
    }
    if readings.is_empty() {
        return Err(unreadable(format!("no step uses `{ACTION}`")));
    }
    Ok(readings)
}

fn read_step(inputs: Map<String, Value>) -> Reading {
    let mut fields = Fields::new(inputs);
    for place in [
        "yc-sa-json-credentials",
        "yc-iam-token",
        "yc-sa-id",
        "folder-id",
        "source-root",
        "include",
        "exclude",
    ] {
        fields.take(place);
    }
    let name = plain(&mut fields, "function-name");
    let code = Code { bucket: plain(&mut fields, "bucket"), ..Code::default() };
    let version = read_version(&mut fields);
    Reading { name, label: None, version, code, losses: fields.finish() }
}

/// An input without an expression, trimmed as the action does.
fn plain(fields: &mut Fields, input: &str) -> Option<String> {
    let text = fields.text(input)?;
    let parts: Vec<_> = text.split(ESCAPED).collect();
    if parts.iter().any(|part| part.contains("${{")) {
        fields.lose(input, "it has an expression of GitHub's", json!(text));
        return None;
    }
    said(Some(parts.join("${{").trim().to_owned()))
}

fn lines(fields: &mut Fields, input: &str) -> Vec<String> {
    let text = plain(fields, input).unwrap_or_default();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn read_version(fields: &mut Fields) -> Version {
    let mut version = Version::new(
        plain(fields, "runtime").unwrap_or_default(),
        plain(fields, "entrypoint").unwrap_or_default(),
    );
    // The action's own defaults.
    version.memory = plain(fields, "memory").map_or("128MB".to_owned(), |memory| memory.replace(' ', ""));
    version.timeout = format!("{}s", plain(fields, "execution-timeout").as_deref().unwrap_or("5"));
    version.service_account_id = plain(fields, "service-account");
    version.description = plain(fields, "description");
    version.network_id = plain(fields, "network-id");
    version.tags = lines(fields, "tags");
    for line in lines(fields, "environment") {
        let (name, value) = line.split_once('=').unwrap_or((&line, ""));
        version.environment.insert(name.trim().to_owned(), value.trim().to_owned());
    }
    for line in lines(fields, "secrets") {
        let (variable, reference) = line.split_once('=').unwrap_or((&line, ""));
        let mut parts = reference.split('/').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        let (id, version_id, key) = (part(), part(), part());
        let version_id = said(Some(version_id)).filter(|id| id != LATEST);
        version.secrets.push(Secret { id, version_id, key, environment_variable: variable.to_owned() });
    }
    for line in lines(fields, "mounts") {
        match read_mount(&line) {
            Some(mount) => version.mounts.push(mount),
            None => fields.lose("mounts", "it is not NAME:BUCKET/PREFIX:ro", json!(line)),
        }
    }
    let options = LogOptions {
        disabled: fields.flag("logs-disabled").unwrap_or_default(),
        group_id: plain(fields, "logs-group-id"),
        folder_id: None,
        min_level: read_level(fields, "log-level"),
    };
    version.log_options = (options != LogOptions::default()).then_some(options);
    version.async_invocation = read_async(fields);
    version
}

fn read_mount(line: &str) -> Option<Mount> {
    let (line, mode) = match line.strip_suffix(":ro") {
        Some(line) => (line, MountMode::Ro),
        None => (line, MountMode::Rw),
    };
    let (name, place) = line.split_once(':')?;
    let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
    Some(Mount {
        name: name.to_owned(),
        mode: Some(mode),
        object_storage: Some(ObjectStorage {
            bucket: bucket.to_owned(),
            prefix: said(Some(prefix.to_owned())),
        }),
        ephemeral_disk: None,
    })
}

/// Inputs that begin with `async-` say nothing unless `async` is true.
fn read_async(fields: &mut Fields) -> Option<AsyncInvocation> {
    let is_on = fields.flag("async").unwrap_or_default();
    let retries = fields.integer("async-retries-count");
    let service_account_id = plain(fields, "async-sa-id");
    let mut target = |name: &str| {
        let arn = plain(fields, &format!("async-{name}-ymq-arn"));
        let account = plain(fields, &format!("async-{name}-sa-id"));
        arn.map(|ymq_arn| QueueTarget { ymq_arn, service_account_id: account.unwrap_or_default() })
    };
    let (success, failure) = (target("success"), target("failure"));
    is_on.then(|| AsyncInvocation { retries: retries.unwrap_or(3), service_account_id, success, failure })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::arbitrary;
    use crate::model::spec::tests::{same_but, subject_text, written};
    use crate::model::spec::{Choices, Consumer};

    proptest! {
        #[test]
        fn a_step_survives_the_round_trip(version in arbitrary::valid_version(), workflow in any::<bool>()) {
            let choices = Choices { workflow, ..Choices::default() };
            let first = written(Consumer::Github, &version, &choices);
            let readings = read(&first.text).unwrap();
            prop_assert_eq!(readings.len(), 1);
            prop_assert_eq!(&readings[0].losses, &vec![]);
            same_but(&first.losses, &version, &readings[0].version);
            let second = subject_text(Consumer::Github, &readings[0].version, &choices);
            prop_assert_eq!(&second, &first.text);
        }

        #[test]
        fn no_workflow_panics(text in "jobs:\\PC*") {
            let _ = read(&text);
        }
    }
}
