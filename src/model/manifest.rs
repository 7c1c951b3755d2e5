//! function.toml: text in, a manifest with the line of each key out. It guarantees the shape (known
//! keys, right types); the values are judged in `rules`.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use crate::model::finding::{self, Result};
use crate::model::options::{AsyncInvocation, LogOptions, MetadataOptions, Mount, Secret};
use crate::model::settings::nearest;

pub const FILE: &str = "function.toml";

/// A function and the version of it that is to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "function.toml", extend("$id" = "function.schema.json"))]
pub struct Manifest {
    /// The function's name: 3 to 63 lower-case letters, digits and hyphens.
    #[schemars(regex(pattern = r"^[a-z][-a-z0-9]{1,61}[a-z0-9]$"))]
    pub name: String,
    pub version: Version,
    #[serde(default)]
    pub package: Package,
    /// What `fnscaffold new` recorded; not edited by hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRecord>,
}

impl Manifest {
    /// The text of function.toml. Only what stands here is written: `new` and `init` leave the rest to the
    /// person. No template of `templates/`: rendering one of this length would be a quarter of all that `new`
    /// does.
    pub fn to_text(&self, schema: &str) -> String {
        #[derive(Serialize)]
        struct Record<'a> {
            template: &'a TemplateRecord,
        }
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let version = &self.version;
        let account = match &version.service_account_id {
            Some(id) => format!("service-account-id = {}", quoted(id)),
            None => "# service-account-id = \"aje...\"      # without it the function gets no IAM token"
                .to_owned(),
        };
        let record = self.template.as_ref().map(|template| {
            let text = toml::to_string(&Record { template }).expect("maps of strings always serialise");
            format!("\n# What `fnscaffold new` recorded.\n{text}")
        });
        format!(
            r#"#:schema {schema}
name = {name}

[version]
runtime = {runtime}
entrypoint = {entrypoint}
memory = {memory}                    # 128MB to 8GB in steps of 128MB
timeout = {timeout}                      # 1s to 3600s
{account}
environment = {{}}                     # 4 KB of names and values in all
tags = []

[package]                            # gitignore syntax; .fnignore is read too
include = ["**"]
exclude = {exclude}
{record}"#,
            name = quoted(&self.name),
            runtime = quoted(&version.runtime),
            entrypoint = quoted(&version.entrypoint),
            memory = quoted(&version.memory),
            timeout = quoted(&version.timeout),
            exclude = toml::Value::from(self.package.exclude.clone()),
            record = record.unwrap_or_default(),
        )
    }
}

/// The settings of the version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Version {
    /// The runtime's id; `fnscaffold runtimes` lists them.
    #[schemars(transform = list_runtimes)]
    pub runtime: String,
    /// The handler's file without its extension, a dot, and the exported name: `index.main`.
    pub entrypoint: String,
    /// 128MB to 8GB in steps of 128MB.
    #[serde(default = "default_memory")]
    #[schemars(regex(pattern = r"^[0-9]+([Mm]|[Gg])[Bb]$"))]
    pub memory: String,
    /// 1s to 3600s; it covers an instance's first initialisation too.
    #[serde(default = "default_timeout")]
    #[schemars(regex(pattern = r"^[0-9]+[Ss]$"))]
    pub timeout: String,
    /// The service account that the function runs under. Without one it gets no IAM token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_id: Option<String>,
    /// Environment variables: 4 KB of names and values in all.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Tags of the version. The platform sets `$latest` itself.
    #[serde(default)]
    pub tags: Vec<String>,
    /// What the version is, in at most 600 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 600))]
    pub description: Option<String>,
    /// How many calls an instance serves at the same time, at most 16. Python serves one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 16))]
    pub concurrency: Option<i64>,
    /// The network whose addresses the function can reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_id: Option<String>,
    /// The size of /tmp in memory, from 512MB to three quarters of `memory`, which is then at least 1GB.
    /// Without one /tmp is on a disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[0-9]+([Mm]|[Gg])[Bb]$"))]
    pub tmpfs_size: Option<String>,
    /// Further service accounts, by the names that the code knows them by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub named_service_accounts: BTreeMap<String, String>,
    /// Values from Lockbox.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    /// Buckets, and at most one disk.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_options: Option<LogOptions>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub async_invocation: Option<AsyncInvocation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_options: Option<MetadataOptions>,
}

impl Version {
    /// A version with defaults for everything else.
    pub fn new(runtime: impl Into<String>, entrypoint: impl Into<String>) -> Self {
        Self {
            runtime: runtime.into(),
            entrypoint: entrypoint.into(),
            memory: default_memory(),
            timeout: default_timeout(),
            service_account_id: None,
            environment: BTreeMap::new(),
            tags: Vec::new(),
            description: None,
            concurrency: None,
            network_id: None,
            tmpfs_size: None,
            named_service_accounts: BTreeMap::new(),
            secrets: Vec::new(),
            mounts: Vec::new(),
            log_options: None,
            async_invocation: None,
            metadata_options: None,
        }
    }
}

/// The pattern of `include` that takes every file.
pub const EVERYTHING: &str = "**";

/// Which files are packed, in gitignore syntax.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// What is packed.
    #[serde(default = "everything")]
    pub include: Vec<String>,
    /// What is left out of that. `.fnignore` beside function.toml adds to it; .gitignore does not.
    #[serde(default)]
    pub exclude: Vec<String>,
}

/// Where a function directory came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TemplateRecord {
    pub name: String,
    pub version: String,
    /// The answers that it was rendered with.
    #[serde(default)]
    pub answers: BTreeMap<String, String>,
    /// The sha256 of each file as it was written.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

impl Default for Package {
    fn default() -> Self {
        Self { include: everything(), exclude: Vec::new() }
    }
}

pub fn default_memory() -> String {
    "128MB".to_owned()
}

pub fn default_timeout() -> String {
    "3s".to_owned()
}

fn everything() -> Vec<String> {
    vec![EVERYTHING.to_owned()]
}

fn list_runtimes(schema: &mut schemars::Schema) {
    let ids: Vec<_> = crate::model::runtime::RUNTIMES.iter().map(|runtime| runtime.id).collect();
    schema.insert("enum".to_owned(), ids.into());
}

/// The line of each key in function.toml, from 1, by its dotted path: `version.memory`,
/// `version.secrets.0.key`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lines(BTreeMap<String, u32>);

impl Lines {
    /// The line of `key`, or of the table that it would stand in.
    pub fn of(&self, key: &str) -> Option<u32> {
        let mut key = key;
        loop {
            if let Some(line) = self.0.get(key) {
                return Some(*line);
            }
            key = key.rsplit_once('.')?.0;
        }
    }
}

/// The keys of each table. A table that is not here holds names of the user's own.
const KNOWN_KEYS: &[(&str, &[&str])] = &[
    ("", &["name", "version", "package", "template"]),
    (
        "version",
        &[
            "runtime",
            "entrypoint",
            "memory",
            "timeout",
            "service-account-id",
            "environment",
            "tags",
            "description",
            "concurrency",
            "network-id",
            "tmpfs-size",
            "named-service-accounts",
            "secrets",
            "mounts",
            "log-options",
            "async-invocation",
            "metadata-options",
        ],
    ),
    ("version.secrets", &["id", "version-id", "key", "environment-variable"]),
    ("version.mounts", &["name", "mode", "object-storage", "ephemeral-disk"]),
    ("version.mounts.object-storage", &["bucket", "prefix"]),
    ("version.mounts.ephemeral-disk", &["size", "block-size"]),
    ("version.log-options", &["disabled", "group-id", "folder-id", "min-level"]),
    ("version.async-invocation", &["retries", "service-account-id", "success", "failure"]),
    ("version.async-invocation.success", &["ymq-arn", "service-account-id"]),
    ("version.async-invocation.failure", &["ymq-arn", "service-account-id"]),
    ("version.metadata-options", &["gce-http-endpoint", "aws-v1-http-endpoint"]),
    ("package", &["include", "exclude"]),
    ("template", &["name", "version", "answers", "files"]),
];

/// # Errors
/// [`finding::MANIFEST_SYNTAX`] and [`finding::MANIFEST_UNKNOWN_KEY`], each with its line.
pub fn parse(text: &str) -> Result<(Manifest, Lines)> {
    let table = DeTable::parse(text).map_err(|error| syntax(text, &error))?;
    let mut lines = Lines::default();
    Walk { text, lines: &mut lines }.table("", "", table.get_ref())?;
    let manifest = toml::from_str(text).map_err(|error| syntax(text, &error))?;
    Ok((manifest, lines))
}

/// A manifest as text, with the schema that editors check it by.
pub fn render(schema: &str, manifest: &Manifest) -> String {
    let text = toml::to_string(manifest).expect("texts, numbers and tables always serialise");
    format!("#:schema {schema}\n{text}")
}

/// Notes the line of every key and looks for unknown ones. How deep tables nest is bounded by `toml`.
struct Walk<'a> {
    text: &'a str,
    lines: &'a mut Lines,
}

impl Walk<'_> {
    /// `kind` is the table's place in [`KNOWN_KEYS`], `path` its place in the file: the same, but for the
    /// numbers of tables in arrays.
    fn table(&mut self, kind: &str, path: &str, table: &DeTable<'_>) -> Result<()> {
        let known = KNOWN_KEYS.iter().find(|(name, _)| *name == kind).map(|(_, keys)| *keys);
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let line = line_of(self.text, key.span().start);
            if let Some(known) = known.filter(|known| !known.contains(&name)) {
                return Err(unknown_key(kind, name, known, line));
            }
            let (kind, path) = (joined(kind, name), joined(path, name));
            self.value(&kind, &path, value.get_ref())?;
            self.lines.0.insert(path, line);
        }
        Ok(())
    }

    fn value(&mut self, kind: &str, path: &str, value: &DeValue<'_>) -> Result<()> {
        match value {
            DeValue::Table(table) => self.table(kind, path, table),
            DeValue::Array(values) => values.iter().enumerate().try_for_each(|(index, value)| {
                let path = format!("{path}.{index}");
                self.value(kind, &path, value.get_ref())?;
                self.lines.0.insert(path, line_of(self.text, value.span().start));
                Ok(())
            }),
            _ => Ok(()),
        }
    }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn unknown_key(path: &str, name: &str, known: &[&str], line: u32) -> Box<finding::Finding> {
    let place = if path.is_empty() { "at the top level".to_owned() } else { format!("in [{path}]") };
    let elsewhere = KNOWN_KEYS.iter().find(|(other, keys)| *other != path && keys.contains(&name));
    let fix = if let Some((other, _)) = elsewhere {
        if other.is_empty() {
            format!("move `{name}` to the top level")
        } else {
            format!("move `{name}` to [{other}]")
        }
    } else if let Some(nearest) = nearest(name, known.iter().copied()) {
        format!("did you mean `{nearest}`?")
    } else {
        "remove it".to_owned()
    };
    finding::MANIFEST_UNKNOWN_KEY
        .finding(format!("unknown key `{name}` {place}"))
        .why(format!("known {place} are {}", known.join(", ")))
        .fix(fix)
        .at(FILE)
        .line(line)
}

fn syntax(text: &str, error: &toml::de::Error) -> Box<finding::Finding> {
    let mut problem = finding::MANIFEST_SYNTAX
        .finding(format!("`{FILE}` cannot be read: {}", without_value(error.message().trim())))
        .fix("`fnscaffold schema function` prints the keys and their types")
        .at(FILE);
    if let Some(span) = error.span() {
        problem = problem.line(line_of(text, span.start));
    }
    problem
}

/// A value of another type may be a variable's, and so a secret.
fn without_value(message: &str) -> Cow<'_, str> {
    const START: &str = "invalid type: ";
    let parts = message.strip_prefix(START).zip(message.rsplit_once(", expected "));
    let Some((found, (_, wanted))) = parts else { return message.into() };
    let kind = found.split(['`', '"']).next().unwrap_or_default().trim_end();
    format!("{START}{kind}, expected {wanted}").into()
}

fn line_of(text: &str, offset: usize) -> u32 {
    let newlines = text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count();
    u32::try_from(newlines + 1).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::arbitrary;

    const SMALL: &str = "name = \"my-app\"\n[version]\nruntime = \"nodejs22\"\nentrypoint = \"index.main\"\n";

    const PIECES: &[&str] = &[
        "name",
        "version",
        "[version]",
        "[[version]]",
        "[package]",
        "include",
        "[version.environment]",
        "a.b",
        " = ",
        "\n",
        "\"x\"",
        "'''",
        "\"\"\"",
        "[",
        "]",
        "{",
        "}",
        ",",
        "1",
        "-inf",
        "1979-05-27",
        "true",
        "#",
        "\\u{d800}",
        "é",
    ];

    /// As deep as a parser without a limit would not survive.
    #[test]
    fn no_depth_overflows_the_stack() {
        for (open, close) in [("[", "]"), ("{a=", "}")] {
            for depth in [100, 100_000] {
                let text = format!("name = {}1{}", open.repeat(depth), close.repeat(depth));
                assert_eq!(parse(&text).unwrap_err().rule.id, "FN0202");
            }
        }
        assert!(parse(&format!("{} = 1", "a.".repeat(100_000) + "a")).is_err());
    }

    #[test]
    fn defaults_fill_what_is_absent() {
        let (manifest, lines) = parse(SMALL).unwrap();
        assert_eq!(manifest.version.memory, "128MB");
        assert_eq!(manifest.version.timeout, "3s");
        assert_eq!(manifest.package.include, ["**"]);
        assert_eq!(lines.of("version.runtime"), Some(3));
        assert_eq!(lines.of("version.memory"), Some(2));
        assert_eq!(lines.of("name"), Some(1));
    }

    #[test]
    fn unknown_keys_name_the_nearest() {
        for (text, fix, line) in [
            (format!("{SMALL}memroy = \"1GB\"\n"), "did you mean `memory`?", 5),
            (format!("runtime = \"nodejs22\"\n{SMALL}"), "move `runtime` to [version]", 1),
            (format!("{SMALL}[pakage]\n"), "did you mean `package`?", 5),
            (format!("{SMALL}[package]\nzzz = 1\n"), "remove it", 6),
            (format!("{SMALL}[[version.secrets]]\nid = ''\nkeys = ''\n"), "did you mean `key`?", 7),
            (
                format!("{SMALL}mounts = [\n{{ name = 'a' }},\n{{ object-storage = {{ buket = '' }} }}]"),
                "did you mean `bucket`?",
                7,
            ),
            (format!("{SMALL}[version.log-options]\nminlevel = 'info'\n"), "did you mean `min-level`?", 6),
        ] {
            let problem = parse(&text).unwrap_err();
            assert_eq!(problem.rule.id, "FN0203");
            assert_eq!(problem.fix.as_deref(), Some(fix));
            assert_eq!(problem.line, Some(line));
        }
    }

    #[test]
    fn wrong_types_and_broken_text_name_the_line() {
        let problem = parse(&format!("{SMALL}memory = 128\n")).unwrap_err();
        assert_eq!((problem.rule.id, problem.line), ("FN0202", Some(5)));
        for value in ["{ PIN = 123456 }", "{ PIN = [\"123456\"] }", "\"123456\"", "{ PIN = { A = 123456 } }"]
        {
            let problem = parse(&format!("{SMALL}environment = {value}\n")).unwrap_err();
            assert!(!format!("{problem:?}").contains("123456"), "{problem:?}");
            assert!(problem.message.contains("expected a "), "{problem:?}");
        }
        let problem = parse("name = \"x\n").unwrap_err();
        assert_eq!((problem.rule.id, problem.line), ("FN0202", Some(1)));
        assert_eq!(parse("").unwrap_err().rule.id, "FN0202");
    }

    /// The table above and the structs below it say the same.
    #[test]
    fn known_keys_are_those_of_the_schema() {
        let schema = serde_json::to_value(schemars::schema_for!(Manifest)).unwrap();
        for (table, keys) in KNOWN_KEYS {
            let definition = match *table {
                "" => &schema,
                "version" => &schema["$defs"]["Version"],
                "package" => &schema["$defs"]["Package"],
                "template" => &schema["$defs"]["TemplateRecord"],
                "version.secrets" => &schema["$defs"]["Secret"],
                "version.mounts" => &schema["$defs"]["Mount"],
                "version.mounts.object-storage" => &schema["$defs"]["ObjectStorage"],
                "version.mounts.ephemeral-disk" => &schema["$defs"]["EphemeralDisk"],
                "version.log-options" => &schema["$defs"]["LogOptions"],
                "version.async-invocation" => &schema["$defs"]["AsyncInvocation"],
                "version.metadata-options" => &schema["$defs"]["MetadataOptions"],
                _ => &schema["$defs"]["QueueTarget"],
            };
            let properties = &definition["properties"];
            let names: Vec<_> = properties.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(&names, keys, "{table}");
        }
    }

    proptest! {
        #[test]
        fn any_manifest_survives_the_round_trip(
            name in ".*",
            version in arbitrary::version(),
            lists in proptest::collection::vec(proptest::collection::vec(".*", 0..4), 2),
        ) {
            let package = Package { include: lists[0].clone(), exclude: lists[1].clone() };
            let manifest = Manifest { name, version, package, template: None };
            let text = render("schema.json", &manifest);
            prop_assert_eq!(parse(&text).unwrap().0, manifest);
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = parse(&text);
        }

        /// Closer to a manifest than any text is.
        #[test]
        fn no_pieces_panic(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..30)) {
            let _ = parse(&pieces.concat());
            let _ = parse(&[SMALL, &pieces.concat()].concat());
        }
    }
}
