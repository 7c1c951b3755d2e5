//! One version, every consumer: function.toml's version in, the text of another format and what it
//! cannot carry out; and back.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::finding::{self, Finding, Result};
use crate::model::manifest::{Manifest, Version};
use crate::model::project;
use crate::model::version::ArchiveRecord;

pub mod difference;
mod fields;
pub mod github;
pub mod rest;
pub mod serverless;
pub mod terraform;
pub mod yc;

/// Who else can make the version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Consumer {
    /// CreateFunctionVersionRequest of the REST API, as JSON
    Rest,
    /// The command `yc serverless function version create`
    Yc,
    /// A resource `yandex_function`
    Terraform,
    /// A step of a GitHub workflow, with yc-actions/yc-sls-function
    Github,
    /// serverless.yml for @yandex-cloud/serverless-plugin
    Serverless,
}

impl Consumer {
    pub const fn id(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Yc => "yc",
            Self::Terraform => "terraform",
            Self::Github => "github",
            Self::Serverless => "serverless",
        }
    }

    /// What it is called in a sentence.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Rest => "the REST request",
            Self::Yc => "the yc command",
            Self::Terraform => "`yandex_function`",
            Self::Github => "yc-actions/yc-sls-function",
            Self::Serverless => "serverless.yml",
        }
    }
}

/// What is written for a consumer.
pub struct Subject<'a> {
    pub manifest: &'a Manifest,
    pub archive: &'a ArchiveRecord,
    /// The function directory as it is seen from where the text will be used: empty, or ending with `/`.
    pub prefix: &'a str,
    pub choices: &'a Choices,
}

/// What function.toml does not say.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    pub function_id: Option<String>,
    pub folder_id: Option<String>,
    /// The archive's bytes, to be embedded.
    pub content: Option<Vec<u8>>,
    /// The bucket, and the object in it, that the archive is uploaded to.
    pub bucket: Option<String>,
    pub object: Option<String>,
    /// Whether a whole workflow is wanted.
    pub workflow: bool,
    /// Whether the archive was packed with its dependencies.
    pub vendored: bool,
}

impl Choices {
    /// What makes the same archive anew.
    pub const fn pack(&self) -> &'static str {
        if self.vendored { "pack --vendor" } else { "pack" }
    }
}

impl Subject<'_> {
    pub const fn version(&self) -> &Version {
        &self.manifest.version
    }

    pub fn archive_path(&self) -> String {
        format!("{}dist/{}", self.prefix, self.archive.file)
    }

    /// A place in Object Storage, where one was given.
    pub fn package(&self) -> Option<(&str, &str)> {
        Some((self.choices.bucket.as_deref()?, self.choices.object.as_deref()?))
    }
}

/// The text for a consumer, and what it does not carry.
#[derive(Debug)]
pub struct Written {
    pub text: String,
    pub losses: Vec<Loss>,
}

/// A setting that one side has and the other has no place for.
#[derive(Debug, Clone, PartialEq)]
pub struct Loss {
    /// Its dotted path where it was read: `tags` under [version], or `labels` of a Terraform resource.
    pub key: String,
    pub why: String,
    /// What was read, to compare with. It may be a secret and is not shown.
    pub value: Value,
}

impl Loss {
    pub fn new(key: impl Into<String>, why: impl Into<String>) -> Self {
        Self { key: key.into(), why: why.into(), value: Value::Null }
    }
}

/// A version that another format describes.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// The function's name, where the format says it.
    pub name: Option<String>,
    /// What a file with several calls it: a resource's label, a key.
    pub label: Option<String>,
    pub version: Version,
    pub code: Code,
    pub losses: Vec<Loss>,
}

/// How the code gets there, as far as the format says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Code {
    pub sha256: Option<String>,
    pub bucket: Option<String>,
    pub object: Option<String>,
}

/// # Errors
/// A value of function.toml that is beyond the platform's limits.
pub fn write(consumer: Consumer, subject: &Subject<'_>) -> Result<Written> {
    match consumer {
        Consumer::Rest => rest::write(subject),
        Consumer::Yc => yc::write(subject),
        Consumer::Terraform => terraform::write(subject),
        Consumer::Github => github::write(subject),
        Consumer::Serverless => serverless::write(subject),
    }
}

/// Every version in a text: a Terraform module or a service has one of each of its functions.
///
/// # Errors
/// [`finding::SPEC_UNREADABLE`].
pub fn read(consumer: Consumer, text: &str) -> Result<Vec<Reading>> {
    match consumer {
        Consumer::Rest => rest::read(text).map(|reading| vec![reading]),
        Consumer::Yc => yc::read(text).map(|reading| vec![reading]),
        Consumer::Terraform => terraform::read(text),
        Consumer::Github => github::read(text),
        Consumer::Serverless => serverless::read(text),
    }
}

/// The format of a file, by its name and, where that does not tell, by how it begins.
pub fn recognise(name: &str, text: &str) -> Option<Consumer> {
    let lower = name.to_ascii_lowercase();
    let ends = |endings: &[&str]| endings.iter().any(|ending| lower.ends_with(ending));
    let has = |word| text.contains(word);
    if ends(&[".tf", ".hcl"]) {
        Some(Consumer::Terraform)
    } else if ends(&[".json"]) || text.trim_start().starts_with('{') {
        Some(Consumer::Rest)
    } else if has(github::ACTION) {
        Some(Consumer::Github)
    } else if has("function version create") {
        Some(Consumer::Yc)
    } else if has("\"yandex_function\"") {
        Some(Consumer::Terraform)
    } else if ends(&[".yml", ".yaml"]) || has("functions:") {
        Some(Consumer::Serverless)
    } else {
        None
    }
}

/// The one reading that is meant.
///
/// # Errors
/// [`finding::SPEC_UNREADABLE`] when there is none, or several and no name tells which.
pub fn choose(file: &str, mut readings: Vec<Reading>, name: Option<&str>) -> Result<Reading> {
    if let Some(name) = name {
        let names: Vec<_> = readings.iter().map(title).collect();
        let is_meant = |reading: &Reading| {
            [&reading.name, &reading.label].iter().any(|known| known.as_deref() == Some(name))
        };
        return readings.into_iter().find(is_meant).ok_or_else(|| {
            finding::SPEC_UNREADABLE
                .finding(format!("`{file}` has no function `{name}`"))
                .why(format!("it has {}", names.join(", ")))
                .at(file)
        });
    }
    match readings.len() {
        0 => Err(finding::SPEC_UNREADABLE.finding(format!("`{file}` has no function")).at(file)),
        1 => Ok(readings.remove(0)),
        count => Err(finding::SPEC_UNREADABLE
            .finding(format!("`{file}` has {count} functions"))
            .why(format!("they are {}", readings.iter().map(title).collect::<Vec<_>>().join(", ")))
            .fix("name one with --function NAME")
            .at(file)),
    }
}

fn title(reading: &Reading) -> String {
    reading.name.clone().or_else(|| reading.label.clone()).unwrap_or_else(|| "one without a name".to_owned())
}

/// A manifest for a version that was read.
pub fn manifest(name: String, reading: &Reading) -> Manifest {
    let version = reading.version.clone();
    Manifest { name, package: project::package_for(&version.entrypoint), version, template: None }
}

fn unreadable(message: impl Into<String>) -> Box<Finding> {
    finding::SPEC_UNREADABLE.finding(message)
}

/// A YAML document. Errors do not repeat its text, which may hold secrets.
fn parse_yaml(text: &str) -> Result<Value> {
    serde_saphyr::from_str(text).map_err(|error| {
        let message = error.without_snippet().to_string();
        let problem = unreadable("it is not YAML").why(message.lines().next().unwrap_or_default());
        at_line(problem, error.location().map_or(0, |location| location.line()))
    })
}

/// A line that a parser counted from 1; 0 is none.
fn at_line(problem: Box<Finding>, line: impl TryInto<u32>) -> Box<Finding> {
    match line.try_into() {
        Ok(line @ 1..) => problem.line(line),
        _ => problem,
    }
}

/// The bytes of a size in function.toml's units.
fn size(bytes: u64, units: &[(&str, u64)]) -> Option<String> {
    let (unit, factor) = units.iter().find(|(_, factor)| bytes.is_multiple_of(*factor))?;
    Some(format!("{}{unit}", bytes / factor))
}

const MEGABYTES: &[(&str, u64)] = &[("GB", 1 << 30), ("MB", 1 << 20)];
const KILOBYTES: &[(&str, u64)] = &[("KB", 1 << 10)];

/// An empty text says nothing.
fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The secrets, mounts and the like of a version that `known` lists are in no other key.
fn lost(version: &Version, why: &BTreeMap<&str, &str>) -> Vec<Loss> {
    let said = [
        ("description", version.description.as_ref().is_some_and(|text| !text.is_empty())),
        ("concurrency", version.concurrency.is_some_and(|calls| calls != 0)),
        ("network-id", version.network_id.is_some()),
        ("tmpfs-size", version.tmpfs_size.is_some()),
        ("named-service-accounts", !version.named_service_accounts.is_empty()),
        ("secrets", !version.secrets.is_empty()),
        ("mounts", !version.mounts.is_empty()),
        ("log-options", version.log_options.is_some()),
        ("async-invocation", version.async_invocation.is_some()),
        ("metadata-options", version.metadata_options.is_some()),
        ("tags", !version.tags.is_empty()),
        ("service-account-id", version.service_account_id.is_some()),
    ];
    said.into_iter()
        .filter(|(_, said)| *said)
        .filter_map(|(key, _)| why.get(key).map(|why| Loss::new(key, *why)))
        .collect()
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// What a consumer gets for a version, with an archive of one byte.
    pub fn written(consumer: Consumer, version: &Version, choices: &Choices) -> Written {
        let manifest = Manifest {
            name: "my-app".to_owned(),
            version: version.clone(),
            package: project::package_for(""),
            template: None,
        };
        let archive = ArchiveRecord {
            file: "index-js.zip".to_owned(),
            size: 1,
            sha256: "0123456789abcdef".repeat(4),
            entries: Vec::new(),
        };
        let subject = Subject { manifest: &manifest, archive: &archive, prefix: "", choices };
        write(consumer, &subject).unwrap()
    }

    pub fn subject_text(consumer: Consumer, version: &Version, choices: &Choices) -> String {
        written(consumer, version, choices).text
    }

    /// # Panics
    /// When the two differ in anything but what was reported as lost.
    pub fn same_but(losses: &[Loss], wanted: &Version, got: &Version) {
        let reading = |version: &Version| Reading {
            name: None,
            label: None,
            version: version.clone(),
            code: Code::default(),
            losses: Vec::new(),
        };
        let found = difference::differences(&reading(wanted), &reading(got));
        let is_lost = |key: &str| losses.iter().any(|loss| key.starts_with(loss.key.as_str()));
        // Entries of lists are lost by their number and differ by their name.
        let has_lost = |list: &str| losses.iter().any(|loss| loss.key.starts_with(list));
        let left: Vec<_> = found
            .iter()
            .filter(|found| !is_lost(&found.key))
            .filter(|found| {
                !["secrets.", "mounts."].iter().any(|list| found.key.starts_with(list) && has_lost(list))
            })
            .collect();
        assert!(left.is_empty(), "{left:?}\n{wanted:?}\n{got:?}");
    }

    #[test]
    fn files_are_recognised() {
        for (name, text, consumer) in [
            ("main.tf", "", Some(Consumer::Terraform)),
            ("request.json", "", Some(Consumer::Rest)),
            ("-", " {\"runtime\": 1}", Some(Consumer::Rest)),
            ("deploy.yml", "uses: yc-actions/yc-sls-function@v5", Some(Consumer::Github)),
            ("deploy.sh", "yc serverless function version create", Some(Consumer::Yc)),
            ("-", "resource \"yandex_function\" \"a\" {}", Some(Consumer::Terraform)),
            ("serverless.yml", "", Some(Consumer::Serverless)),
            ("x.txt", "hello", None),
        ] {
            assert_eq!(recognise(name, text), consumer, "{name} {text}");
        }
    }
}
