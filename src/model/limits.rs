//! The tables under [version] in, findings out, each with the key it is about. Limits are those of
//! cloudapi, functions/v1/function.proto and function_service.proto; where they are silent, those of the
//! vendor's pages functions/concepts/mounting and functions/concepts/function.

use std::collections::BTreeSet;

use crate::model::finding::{self, Finding, Result};
use crate::model::manifest::Version;
use crate::model::options::{LogOptions, Mount, Secret};
use crate::model::runtime::{Lang, Runtime};
use crate::model::settings::{check_service_account, format_memory, judge_variable, parse_memory, scaled};

const DESCRIPTION_MAX: usize = 600;
const CONCURRENCY_MAX: i64 = 16;
const RETRIES_MAX: i64 = 100;
const GB: u64 = 1 << 30;
const TMPFS_MIN: u64 = 512 << 20;
const TMPFS_MEMORY_MIN: u64 = GB;
const DISK_MAX: u64 = 100 * GB;
/// Source: the reference of `yc serverless function version create`, `--mount`.
const BLOCK_SIZES: std::ops::RangeInclusive<u64> = (4 << 10)..=(128 << 10);

/// A finding and the dotted path of the key it is about.
pub type Judgement = (String, Box<Finding>);

/// Everything but what `new` asks for, which `settings` judges.
pub fn judge_options(version: &Version) -> Vec<Judgement> {
    let mut findings = Vec::new();
    let mut add = |key: &str, problem| findings.push((format!("version.{key}"), problem));
    let length = version.description.as_deref().unwrap_or_default().chars().count();
    if length > DESCRIPTION_MAX {
        add(
            "description",
            finding::DESCRIPTION_LONG.finding(format!(
                "the description has {length} characters, the platform takes {DESCRIPTION_MAX}"
            )),
        );
    }
    if let Some(problem) = version.concurrency.and_then(|calls| judge_concurrency(calls, &version.runtime)) {
        add("concurrency", problem);
    }
    if let Some(problem) = version.network_id.as_deref().and_then(|id| judge_id("network", id)) {
        add("network-id", problem);
    }
    // An invalid memory has been judged where it stands.
    if let (Some(size), Ok(memory)) = (&version.tmpfs_size, parse_memory(&version.memory))
        && let Err(problem) = parse_tmpfs_size(size, memory)
    {
        add("tmpfs-size", problem);
    }
    if let Some(runtime) = Runtime::find(&version.runtime).filter(|runtime| is_preloaded(version, runtime)) {
        for variable in version.environment.keys() {
            if let Some(problem) = judge_late_variable(variable, runtime) {
                add(&format!("environment.{variable}"), problem);
            }
        }
    }
    for (name, id) in &version.named_service_accounts {
        if let Err(problem) = check_service_account(id) {
            add(&format!("named-service-accounts.{name}"), problem);
        }
    }
    let mut taken: BTreeSet<&str> = version.environment.keys().map(String::as_str).collect();
    for (index, secret) in version.secrets.iter().enumerate() {
        for (key, problem) in judge_secret(secret, &mut taken) {
            add(&format!("secrets.{index}.{key}"), problem);
        }
    }
    for (key, problem) in judge_mounts(&version.mounts) {
        add(&key, problem);
    }
    for (key, problem) in version.log_options.iter().flat_map(judge_log_options) {
        add(&format!("log-options.{key}"), problem);
    }
    for (key, problem) in judge_async(version) {
        add(&format!("async-invocation.{key}"), problem);
    }
    findings
}

/// How many calls an instance serves at the same time.
pub fn calls_at_once(version: &Version, lang: Lang) -> u32 {
    let most = match lang {
        Lang::Nodejs => CONCURRENCY_MAX,
        Lang::Python => 1,
    };
    version.concurrency.map_or(1, |calls| calls.clamp(1, most)) as u32
}

/// Whether the interpreter may be running before the version's variables are known. Sources: the vendor's
/// pages functions/concepts/runtime/preload-runtime and functions/concepts/runtime/environment-variables.
pub fn is_preloaded(version: &Version, runtime: &Runtime) -> bool {
    let starts_regularly = version.tmpfs_size.is_some()
        || version.environment.get("X_YCF_NO_RUNTIME_POOL").is_some_and(|value| value == "1")
        || ["LD_PRELOAD", "LD_LIBRARY_PATH"].iter().any(|name| version.environment.contains_key(*name));
    runtime.preloaded && !starts_regularly
}

/// The variable that leads the interpreter to modules in more places, where the version has it in time.
pub fn search_path(version: &Version, runtime: &Runtime) -> Option<&'static str> {
    let name = match runtime.lang {
        Lang::Nodejs => "NODE_PATH",
        Lang::Python => "PYTHONPATH",
    };
    (version.environment.contains_key(name) && !is_preloaded(version, runtime)).then_some(name)
}

/// Whether the interpreter heeds the variable only when it starts. Sources: `node --help` and
/// `python --help-env`.
fn is_read_at_start(variable: &str, lang: Lang) -> bool {
    match lang {
        Lang::Nodejs => {
            ["NODE_DEBUG", "NODE_EXTRA_CA_CERTS", "NODE_NO_WARNINGS", "NODE_OPTIONS", "NODE_PATH"]
                .contains(&variable)
        }
        Lang::Python => {
            // Whatever else begins with `PYTHON_` is rather the function's own.
            let own = ["PYTHON_", "PYTHONASYNCIODEBUG", "PYTHONBREAKPOINT"];
            variable.starts_with("PYTHON") && !own.iter().any(|name| variable.starts_with(name))
        }
    }
}

fn judge_late_variable(variable: &str, runtime: &Runtime) -> Option<Box<Finding>> {
    is_read_at_start(variable, runtime.lang).then(|| {
        finding::ENVIRONMENT_LATE
            .finding(format!("the variable `{variable}` may have no effect on {}", runtime.id))
            .why("the runtime is preloaded: its interpreter has started before it gets the version's variables")
            .fix("add `X_YCF_NO_RUNTIME_POOL = \"1\"` to `environment`, which makes it start as a regular one")
    })
}

fn judge_concurrency(calls: i64, runtime: &str) -> Option<Box<Finding>> {
    if !(0..=CONCURRENCY_MAX).contains(&calls) {
        return Some(
            finding::CONCURRENCY_INVALID
                .finding(format!("the concurrency {calls} is not allowed"))
                .why(format!("an instance serves at most {CONCURRENCY_MAX} calls at the same time"))
                .fix(format!("take {}", calls.clamp(1, CONCURRENCY_MAX))),
        );
    }
    let is_python = Runtime::find(runtime).is_some_and(|runtime| runtime.lang == Lang::Python);
    (is_python && calls > 1).then(|| {
        finding::CONCURRENCY_INVALID
            .finding(format!("the concurrency {calls} is not allowed for {runtime}"))
            .why("an instance of a Python runtime serves one call at a time")
            .fix("take 1, or remove it")
    })
}

/// The shape of the platform's own ids. No source gives the pattern, so it is a warning.
fn judge_id(of: &str, id: &str) -> Option<Box<Finding>> {
    let valid = id.len() == 20 && id.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    (!valid).then(|| {
        finding::ID_SHAPE
            .finding(format!("`{id}` does not look like the id of a {of}"))
            .why("ids have 20 lower-case letters and digits")
    })
}

/// The size of /tmp in bytes, for a function with `memory` bytes.
///
/// # Errors
/// [`finding::TMPFS_INVALID`], with the nearest allowed value.
pub fn parse_tmpfs_size(text: &str, memory: u64) -> Result<u64> {
    let problem = || finding::TMPFS_INVALID.finding(format!("the tmpfs size `{text}` is not allowed"));
    if memory < TMPFS_MEMORY_MIN {
        return Err(problem()
            .why(format!("/tmp in memory needs a memory of at least {}", format_memory(TMPFS_MEMORY_MIN)))
            .fix("raise `memory`, or remove it"));
    }
    let max = memory / 4 * 3;
    let bytes = scaled(text, &[("MB", 1 << 20), ("GB", GB)]);
    bytes.filter(|bytes| (TMPFS_MIN..=max).contains(bytes)).ok_or_else(|| {
        let nearest = bytes.unwrap_or(TMPFS_MIN).clamp(TMPFS_MIN, max);
        problem()
            .why(format!(
                "/tmp in memory has {} to three quarters of the memory, here {}",
                format_memory(TMPFS_MIN),
                format_memory(max)
            ))
            .fix(format!("take `{}`", format_memory(nearest)))
    })
}

/// The size of a disk in bytes.
///
/// # Errors
/// [`finding::MOUNT_INVALID`], with the nearest allowed value.
pub fn parse_disk_size(text: &str) -> Result<u64> {
    let bytes = scaled(text, &[("MB", 1 << 20), ("GB", GB)]);
    bytes.filter(|bytes| (GB..=DISK_MAX).contains(bytes) && bytes % GB == 0).ok_or_else(|| {
        let nearest = bytes.map_or(GB, |bytes| bytes.div_ceil(GB).saturating_mul(GB).clamp(GB, DISK_MAX));
        finding::MOUNT_INVALID
            .finding(format!("the disk size `{text}` is not allowed"))
            .why("an ephemeral disk has 1GB to 100GB in steps of 1GB")
            .fix(format!("take `{}`", format_memory(nearest)))
    })
}

/// The size of a disk's blocks in bytes.
///
/// # Errors
/// [`finding::MOUNT_INVALID`].
pub fn parse_block_size(text: &str) -> Result<u64> {
    scaled(text, &[("KB", 1 << 10)]).filter(|bytes| BLOCK_SIZES.contains(bytes)).ok_or_else(|| {
        finding::MOUNT_INVALID
            .finding(format!("the block size `{text}` is not allowed"))
            .why("blocks have 4KB to 128KB")
            .fix("take `4KB`")
    })
}

/// `taken` are the variables that are set already.
fn judge_secret<'a>(secret: &'a Secret, taken: &mut BTreeSet<&'a str>) -> Vec<(&'static str, Box<Finding>)> {
    let mut findings = Vec::new();
    if secret.id.is_empty() {
        findings.push(("id", finding::SECRET_REFERENCE_INVALID.finding("the secret has no id")));
    } else if let Some(problem) = judge_id("secret", &secret.id) {
        findings.push(("id", problem.fix("`yc lockbox secret list` shows them")));
    }
    if let Some(problem) = secret.version_id.as_deref().and_then(|id| judge_id("secret's version", id)) {
        findings.push(("version-id", problem.fix("remove it to take the current version")));
    }
    if secret.key.is_empty() {
        findings.push(("key", finding::SECRET_REFERENCE_INVALID.finding("the secret's key is empty")));
    }
    let variable = secret.environment_variable.as_str();
    if let Some(problem) = judge_variable(variable) {
        findings.push(("environment-variable", problem));
    }
    if !taken.insert(variable) {
        findings.push((
            "environment-variable",
            finding::SECRET_REFERENCE_INVALID
                .finding(format!("the variable `{variable}` is set twice"))
                .why("only one of the values can be there when the function runs")
                .fix("rename or remove one"),
        ));
    }
    findings
}

fn judge_mounts(mounts: &[Mount]) -> Vec<Judgement> {
    let mut findings = Vec::new();
    let mut names = BTreeSet::new();
    let mut disks = 0;
    for (index, mount) in mounts.iter().enumerate() {
        let mut add = |key: &str, problem| findings.push((format!("mounts.{index}{key}"), problem));
        let invalid = |message: String| finding::MOUNT_INVALID.finding(message);
        let name = &mount.name;
        if !(1..=100).contains(&name.len())
            || !name.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
        {
            add(
                ".name",
                invalid(format!("the mount's name `{name}` is not allowed"))
                    .why("it has 1 to 100 Latin letters, digits, hyphens and underscores"),
            );
        }
        if !names.insert(name) {
            add(".name", invalid(format!("the mount's name `{name}` is taken")).fix("rename one of them"));
        }
        match (&mount.object_storage, &mount.ephemeral_disk) {
            (Some(storage), None) => {
                let bucket = &storage.bucket;
                if !(3..=63).contains(&bucket.len())
                    || !bucket.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'.')
                {
                    add(
                        ".object-storage.bucket",
                        invalid(format!("the bucket's name `{bucket}` is not allowed"))
                            .why("it has 3 to 63 Latin letters, digits, hyphens and dots"),
                    );
                }
            }
            (None, Some(disk)) => {
                disks += 1;
                if disks > 1 {
                    add(".ephemeral-disk", invalid("a function has at most one ephemeral disk".to_owned()));
                }
                if let Err(problem) = parse_disk_size(&disk.size) {
                    add(".ephemeral-disk.size", problem);
                }
                if let Some(Err(problem)) = disk.block_size.as_deref().map(parse_block_size) {
                    add(".ephemeral-disk.block-size", problem);
                }
            }
            (target, _) => {
                let count = if target.is_some() { "two targets" } else { "no target" };
                add(
                    "",
                    invalid(format!("the mount `{name}` has {count}"))
                        .fix("give it one of `object-storage` and `ephemeral-disk`"),
                );
            }
        }
    }
    findings
}

fn judge_log_options(options: &LogOptions) -> Vec<(&'static str, Box<Finding>)> {
    let mut findings = Vec::new();
    if options.group_id.is_some() && options.folder_id.is_some() {
        findings.push((
            "folder-id",
            finding::LOG_OPTIONS_INVALID
                .finding("`group-id` and `folder-id` exclude each other")
                .why("the log goes to one group: the one that is named, or the folder's default one")
                .fix("remove one of them"),
        ));
    }
    for (key, id) in [("group-id", &options.group_id), ("folder-id", &options.folder_id)] {
        let Some(id) = id else { continue };
        let mut bytes = id.bytes();
        let valid = id.len() <= 64
            && bytes.next().is_some_and(|c| c.is_ascii_alphabetic())
            && bytes.all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_' | b'.'));
        if !valid {
            findings.push((
                key,
                finding::LOG_OPTIONS_INVALID.finding(format!("the {key} `{id}` is not allowed")).why(
                    "it is a Latin letter followed by at most 63 letters, digits, hyphens, underscores and dots",
                ),
            ));
        }
    }
    findings
}

fn judge_async(version: &Version) -> Vec<Judgement> {
    let mut findings = Vec::new();
    let Some(config) = &version.async_invocation else { return findings };
    let retries = config.retries;
    if !(0..=RETRIES_MAX).contains(&retries) {
        findings.push((
            "retries".to_owned(),
            finding::ASYNC_INVALID
                .finding(format!("{retries} retries are not allowed"))
                .why(format!("a failed call is repeated at most {RETRIES_MAX} times"))
                .fix(format!("take {}", retries.clamp(0, RETRIES_MAX))),
        ));
    }
    let mut accounts = vec![("service-account-id".to_owned(), config.service_account_id.as_ref())];
    for (name, target) in [("success", &config.success), ("failure", &config.failure)] {
        let Some(target) = target else { continue };
        if target.ymq_arn.is_empty() {
            findings.push((
                format!("{name}.ymq-arn"),
                finding::ASYNC_INVALID
                    .finding(format!("the {name} target names no queue"))
                    .fix("give the queue's ARN"),
            ));
        }
        accounts.push((format!("{name}.service-account-id"), Some(&target.service_account_id)));
    }
    for (key, id) in accounts {
        if let Some(Err(problem)) = id.map(|id| check_service_account(id)) {
            findings.push((key, problem));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::arbitrary;
    use crate::model::finding::Severity;
    use crate::model::request::Request;

    fn judged(change: impl FnOnce(&mut Version)) -> Vec<(String, &'static str)> {
        let mut version = Version::new("nodejs22", "index.main");
        change(&mut version);
        judge_options(&version).into_iter().map(|(key, finding)| (key, finding.rule.id)).collect()
    }

    fn one(key: &str, id: &'static str) -> Vec<(String, &'static str)> {
        vec![(format!("version.{key}"), id)]
    }

    #[test]
    fn descriptions_and_concurrency_have_limits() {
        assert_eq!(judged(|version| version.description = Some("я".repeat(600))), []);
        assert_eq!(
            judged(|version| version.description = Some("я".repeat(601))),
            one("description", "FN0217")
        );
        for (runtime, calls, good) in [
            ("nodejs22", 0, true),
            ("nodejs22", 16, true),
            ("nodejs22", 17, false),
            ("nodejs22", -1, false),
            ("python312", 1, true),
            ("python312", 2, false),
        ] {
            let findings = judged(|version| {
                version.runtime = runtime.to_owned();
                version.concurrency = Some(calls);
            });
            assert_eq!(findings.is_empty(), good, "{runtime} {calls}");
            let mut version = Version::new(runtime, "index.main");
            version.concurrency = Some(calls);
            let lang = Runtime::find(runtime).unwrap().lang;
            let all = i64::from(calls_at_once(&version, lang));
            assert!(if good { all == calls.max(1) } else { (1..=16).contains(&all) }, "{runtime} {calls}");
        }
    }

    #[test]
    fn what_an_interpreter_reads_when_it_starts_comes_too_late_for_a_preloaded_one() {
        for (runtime, variables, late) in [
            ("nodejs22", &[("NODE_OPTIONS", "")][..], true),
            ("nodejs22", &[("NODE_EXTRA_CA_CERTS", ""), ("X_YCF_NO_RUNTIME_POOL", "1")], false),
            ("nodejs22", &[("NODE_EXTRA_CA_CERTS", ""), ("X_YCF_NO_RUNTIME_POOL", "0")], true),
            ("nodejs22", &[("NODE_OPTIONS", ""), ("LD_PRELOAD", "")], false),
            ("nodejs14", &[("NODE_OPTIONS", "")], false),
            ("nodejs22", &[("NODE_ENV", "")], false),
            ("nodejs22", &[("PYTHONPATH", "")], false),
            ("python312", &[("PYTHONHASHSEED", "")], true),
            ("python312", &[("PYTHONHASHSEED", ""), ("LD_LIBRARY_PATH", "")], false),
            ("python312", &[("PYTHONASYNCIODEBUG", "")], false),
            ("python312", &[("PYTHON_ENV", "")], false),
            ("python312", &[("NODE_OPTIONS", "")], false),
            ("python311", &[("PYTHONHASHSEED", "")], false),
        ] {
            let set = |version: &mut Version| {
                version.runtime = runtime.to_owned();
                let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
                version.environment = variables.collect();
            };
            let expected =
                if late { one(&format!("environment.{}", variables[0].0), "FN0225") } else { vec![] };
            assert_eq!(judged(set), expected, "{runtime} {variables:?}");
            let in_memory = judged(|version| {
                set(version);
                version.memory = "1GB".to_owned();
                version.tmpfs_size = Some("512MB".to_owned());
            });
            assert_eq!(in_memory, [], "{runtime} {variables:?}");
        }
    }

    #[test]
    fn modules_are_looked_for_where_a_variable_leads_in_time() {
        for (runtime, variable, leads) in [
            ("nodejs14", "NODE_PATH", true),
            ("nodejs14", "PYTHONPATH", false),
            ("nodejs22", "NODE_PATH", false),
            ("python311", "PYTHONPATH", true),
            ("python312", "PYTHONPATH", false),
        ] {
            let mut version = Version::new(runtime, "index.main");
            version.environment.insert(variable.to_owned(), "lib".to_owned());
            let found = search_path(&version, Runtime::find(runtime).unwrap());
            assert_eq!(found, leads.then_some(variable), "{runtime}");
        }
    }

    #[test]
    fn tmpfs_is_part_of_the_memory() {
        assert_eq!(parse_tmpfs_size("512MB", 1 << 30).unwrap(), 512 << 20);
        assert_eq!(parse_tmpfs_size("6gb", 8 << 30).unwrap(), 6 << 30);
        for (size, memory, fix) in [
            ("512MB", 896 << 20, "raise `memory`, or remove it"),
            ("511MB", 1 << 30, "take `512MB`"),
            ("0MB", 1 << 30, "take `512MB`"),
            ("769MB", 1 << 30, "take `768MB`"),
            ("half", 1 << 30, "take `512MB`"),
            ("99999999999999999999GB", 1 << 30, "take `512MB`"),
        ] {
            assert_eq!(parse_tmpfs_size(size, memory).unwrap_err().fix.unwrap(), fix, "{size}");
        }
    }

    #[test]
    fn disks_have_whole_gigabytes() {
        assert_eq!(parse_disk_size("1024MB").unwrap(), GB);
        for (size, nearest) in
            [("0GB", "1GB"), ("1500MB", "2GB"), ("101GB", "100GB"), ("17179869184GB", "1GB"), ("", "1GB")]
        {
            assert_eq!(
                parse_disk_size(size).unwrap_err().fix.unwrap(),
                format!("take `{nearest}`"),
                "{size}"
            );
        }
        assert_eq!(parse_block_size("128kb").unwrap(), 131_072);
        assert!(parse_block_size("3KB").is_err());
        assert!(parse_block_size("1MB").is_err());
    }

    #[test]
    fn a_variable_is_set_once() {
        let secret = |variable: &str| Secret {
            id: "e6q0123456789abcdefg".to_owned(),
            version_id: None,
            key: "k".to_owned(),
            environment_variable: variable.to_owned(),
        };
        let findings = judged(|version| {
            version.environment.insert("A".to_owned(), String::new());
            version.secrets = ["A", "B", "B", "PATH", "1"].map(secret).to_vec();
        });
        let keys = [(0, "FN0219"), (2, "FN0219"), (3, "FN0211"), (4, "FN0210")];
        assert_eq!(
            findings,
            keys.map(|(index, id)| (format!("version.secrets.{index}.environment-variable"), id))
        );
    }

    #[test]
    fn mounts_have_a_name_and_one_target() {
        use crate::model::options::{EphemeralDisk, ObjectStorage};
        let storage = |bucket: &str| Some(ObjectStorage { bucket: bucket.to_owned(), prefix: None });
        let disk = |size: &str| Some(EphemeralDisk { size: size.to_owned(), block_size: None });
        let mount = |name: &str, object_storage, ephemeral_disk| Mount {
            name: name.to_owned(),
            mode: None,
            object_storage,
            ephemeral_disk,
        };
        let findings = judged(|version| {
            version.mounts = vec![
                mount("a", storage("abc"), None),
                mount("a", None, disk("1GB")),
                mount("b", None, disk("1GB")),
                mount("c/d", storage("ab"), None),
                mount("e", storage("abc"), disk("1GB")),
                mount("f", None, None),
            ];
        });
        let keys = ["1.name", "2.ephemeral-disk", "3.name", "3.object-storage.bucket", "4", "5"];
        assert_eq!(findings, keys.map(|key| (format!("version.mounts.{key}"), "FN0220")));
    }

    proptest! {
        #[test]
        fn what_is_valid_makes_a_request(version in arbitrary::valid_version()) {
            let errors: Vec<_> = judge_options(&version)
                .into_iter()
                .filter(|(_, finding)| finding.severity == Severity::Error)
                .collect();
            prop_assert!(errors.is_empty(), "{errors:?}");
            prop_assert!(Request::of(&version).is_ok());
        }

        #[test]
        fn no_version_panics(version in arbitrary::version()) {
            judge_options(&version);
            let _ = Request::of(&version);
        }
    }
}
