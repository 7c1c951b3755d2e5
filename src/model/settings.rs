//! The values of a version: text in, the platform's unit or a finding out. Flags, prompts, answers
//! files and function.toml all pass here, so a value is allowed everywhere or nowhere.

use std::collections::BTreeMap;

use crate::model::finding::{self, Finding, Result};
use crate::model::options::Secret;
use crate::model::runtime::{Lang, RUNTIMES, Runtime};

pub const DEFAULT_NAME: &str = "my-app";

/// One step of memory in bytes: 128 MiB, which the platform calls 128MB.
/// Source: cloudapi, functions/v1/function.proto, `Resources.memory`.
pub const MEMORY_STEP: u64 = 128 << 20;
const MEMORY_MAX: u64 = 8 << 30;

/// Seconds. The API allows 0s too, which no function can keep.
/// Source: cloudapi, functions/v1/function_service.proto, `execution_timeout`.
const TIMEOUT_MAX: u64 = 3600;
/// Seconds above which a function must be a long-lived one.
const TIMEOUT_NORMAL_MAX: u64 = 600;

/// Bytes of all names and values together, and characters of one value.
const ENVIRONMENT_MAX: usize = 4096;

/// Names that the platform sets itself and does not let a version override.
/// Source: the vendor's page functions/concepts/runtime/environment-variables.
const RESERVED_VARIABLES: [&str; 6] = [
    "_HANDLER",
    "AWS_LAMBDA_RUNTIME_API",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "PATH",
    "LD_LIBRARY_PATH",
];

/// # Errors
/// [`finding::NAME_INVALID`], with a name that would be allowed.
pub fn check_name(name: &str) -> Result<()> {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    let bytes = name.as_bytes();
    let valid = (3..=63).contains(&bytes.len())
        && bytes[0].is_ascii_lowercase()
        && bytes.iter().copied().all(allowed)
        && bytes[bytes.len() - 1] != b'-';
    if valid {
        return Ok(());
    }
    let mut problem = finding::NAME_INVALID.finding(format!("the name `{name}` is not allowed")).why(
        "a name has 3 to 63 lower-case Latin letters, digits and hyphens, a letter first, no hyphen last",
    );
    if let Some(suggestion) = suggest_name(name) {
        problem = problem.fix(format!("take `{suggestion}`"));
    }
    Err(problem)
}

/// The allowed name that is nearest to `text`, such as a directory's name.
pub fn suggest_name(text: &str) -> Option<String> {
    let mut name = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || (c.is_ascii_digit() && !name.is_empty()) => name.push(c),
            _ if !name.is_empty() && !name.ends_with('-') => name.push('-'),
            _ => {}
        }
    }
    name.truncate(63);
    let name = name.trim_end_matches('-');
    (name.len() >= 3).then(|| name.to_owned())
}

/// # Errors
/// [`finding::RUNTIME_UNKNOWN`], with the nearest known id.
pub fn parse_runtime(id: &str) -> Result<&'static Runtime> {
    Runtime::find(id).ok_or_else(|| {
        let known: Vec<_> = RUNTIMES.iter().map(|runtime| runtime.id).collect();
        let nearest = nearest(id, known.iter().copied());
        finding::RUNTIME_UNKNOWN
            .finding(format!("the runtime `{id}` is not known"))
            .why(format!("known are {}", known.join(", ")))
            .fix(match nearest {
                Some(nearest) => format!("did you mean `{nearest}`? `fnscaffold runtimes` lists them all"),
                None => "`fnscaffold runtimes` lists them all".to_owned(),
            })
    })
}

/// Memory in bytes, from `128MB` to `8GB`.
///
/// # Errors
/// [`finding::MEMORY_INVALID`], with the nearest allowed value.
pub fn parse_memory(text: &str) -> Result<u64> {
    let bytes = scaled(text, &[("MB", 1 << 20), ("GB", 1 << 30)]);
    match bytes {
        Some(bytes) if (MEMORY_STEP..=MEMORY_MAX).contains(&bytes) && bytes % MEMORY_STEP == 0 => Ok(bytes),
        _ => {
            let nearest = bytes.map_or(MEMORY_STEP, |bytes| {
                bytes.div_ceil(MEMORY_STEP).saturating_mul(MEMORY_STEP).clamp(MEMORY_STEP, MEMORY_MAX)
            });
            Err(finding::MEMORY_INVALID
                .finding(format!("the memory `{text}` is not allowed"))
                .why("memory is 128MB to 8GB in steps of 128MB")
                .fix(format!("take `{}`", format_memory(nearest))))
        }
    }
}

/// The shortest way to write that many bytes: `128MB`, `2GB`.
pub fn format_memory(bytes: u64) -> String {
    if bytes.is_multiple_of(1 << 30) { format!("{}GB", bytes >> 30) } else { format!("{}MB", bytes >> 20) }
}

/// A timeout in seconds, from `1s` to `3600s`.
///
/// # Errors
/// [`finding::TIMEOUT_INVALID`], with the nearest allowed value.
pub fn parse_timeout(text: &str) -> Result<u64> {
    let seconds = scaled(text, &[("s", 1)]);
    match seconds {
        Some(seconds @ 1..=TIMEOUT_MAX) => Ok(seconds),
        _ => {
            let guess =
                seconds.or_else(|| scaled(text, &[("", 1), ("sec", 1), ("m", 60), ("min", 60), ("h", 3600)]));
            Err(finding::TIMEOUT_INVALID
                .finding(format!("the timeout `{text}` is not allowed"))
                .why("a timeout is a whole number of seconds from 1s to 3600s")
                .fix(format!("take `{}s`", guess.unwrap_or(3).clamp(1, TIMEOUT_MAX))))
        }
    }
}

/// The finding for a timeout that only long-lived functions may have.
pub fn judge_long_timeout(seconds: u64) -> Option<Box<Finding>> {
    (seconds > TIMEOUT_NORMAL_MAX).then(|| {
        finding::TIMEOUT_LONG
            .finding(format!("the timeout `{seconds}s` is allowed only for long-lived functions"))
            .why(format!("without that preview feature the platform allows at most {TIMEOUT_NORMAL_MAX}s"))
    })
}

/// # Errors
/// [`finding::SERVICE_ACCOUNT_SHAPE`]. It is a warning in `check`: no source gives the pattern.
pub fn check_service_account(id: &str) -> Result<()> {
    let valid = id.len() == 20 && id.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if valid {
        return Ok(());
    }
    Err(finding::SERVICE_ACCOUNT_SHAPE
        .finding(format!("`{id}` does not look like a service account's id"))
        .why("ids have 20 lower-case letters and digits")
        .fix("`yc iam service-account list` shows them"))
}

/// # Errors
/// [`finding::TAG_INVALID`].
pub fn check_tag(tag: &str) -> Result<()> {
    let mut bytes = tag.bytes();
    let valid = bytes.next().is_some_and(|c| c.is_ascii_lowercase())
        && bytes.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-' || c == b'_');
    if valid {
        return Ok(());
    }
    let why = if tag == "$latest" {
        "the platform sets `$latest` itself, on the newest version"
    } else {
        "a tag is a lower-case Latin letter followed by lower-case letters, digits, `-` or `_`"
    };
    Err(finding::TAG_INVALID
        .finding(format!("the tag `{tag}` is not allowed"))
        .why(why)
        .fix("rename or remove it"))
}

/// Whether the platform sets this variable itself, whatever the version says.
pub fn is_reserved_variable(name: &str) -> bool {
    RESERVED_VARIABLES.contains(&name)
}

/// What is wrong with the name of a variable.
pub fn judge_variable(name: &str) -> Option<Box<Finding>> {
    let mut bytes = name.bytes();
    let valid = bytes.next().is_some_and(|c| c.is_ascii_alphabetic())
        && bytes.all(|c| c.is_ascii_alphanumeric() || c == b'_');
    if is_reserved_variable(name) {
        Some(
            finding::ENVIRONMENT_RESERVED
                .finding(format!("the variable `{name}` is the platform's and cannot be overridden"))
                .fix("remove it, or take another name"),
        )
    } else if !valid {
        Some(
            finding::ENVIRONMENT_INVALID
                .finding(format!("the variable name `{name}` is not allowed"))
                .why("a name is a Latin letter followed by Latin letters, digits or `_`")
                .fix("rename it"),
        )
    } else {
        None
    }
}

/// Everything that is wrong with a version's environment, each with the variable it is about. The names
/// of secrets' variables take room too.
/// Values are never repeated: they may be secrets.
pub fn judge_environment<'a>(
    environment: &'a BTreeMap<String, String>,
    secrets: &[Secret],
) -> Vec<(Option<&'a str>, Box<Finding>)> {
    let mut findings = Vec::new();
    for (name, value) in environment {
        findings.extend(judge_variable(name).map(|problem| (Some(name.as_str()), problem)));
        if value.chars().count() > ENVIRONMENT_MAX {
            findings.push((
                Some(name.as_str()),
                finding::ENVIRONMENT_INVALID
                    .finding(format!("the value of `{name}` is longer than {ENVIRONMENT_MAX} characters"))
                    .fix("keep large values in a file, in Object Storage or in Lockbox"),
            ));
        }
    }
    let set: usize = environment.iter().map(|(name, value)| name.len() + value.len()).sum();
    let total = set + secrets.iter().map(|secret| secret.environment_variable.len()).sum::<usize>();
    if total > ENVIRONMENT_MAX {
        findings.push((
            None,
            finding::ENVIRONMENT_INVALID
                .finding(format!("the environment has {total} bytes, the platform takes {ENVIRONMENT_MAX}"))
                .why("names, values and Lockbox secrets count together")
                .fix("keep large values in a file or in Object Storage"),
        ));
    }
    findings
}

/// What an entry point is made of: `src/app.handle` is module `src/app`, function `handle`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrypoint<'a> {
    pub module: &'a str,
    pub function: &'a str,
}

/// Names that Python's grammar keeps for itself (The Python Language Reference, 2.3.1 Keywords).
const PYTHON_KEYWORDS: &[&str] = &[
    "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class", "continue", "def",
    "del", "elif", "else", "except", "finally", "for", "from", "global", "if", "import", "in", "is",
    "lambda", "nonlocal", "not", "or", "pass", "raise", "return", "try", "while", "with", "yield",
];

/// The entry point of a handler that a template writes. Code that is adopted may have others
/// (dotted Python packages, say), which only `check` judges.
///
/// # Errors
/// [`finding::ENTRYPOINT_FORMAT`].
pub fn parse_entrypoint(text: &str, lang: Lang) -> Result<Entrypoint<'_>> {
    let identifier = |part: &str| {
        let mut bytes = part.bytes();
        bytes.next().is_some_and(|c| c.is_ascii_alphabetic() || c == b'_')
            && bytes.all(|c| c.is_ascii_alphanumeric() || c == b'_')
    };
    let file = |part: &str| {
        !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_' || c == b'-')
    };
    let parsed = text.split_once('.').filter(|(module, function)| {
        identifier(function)
            && match lang {
                Lang::Nodejs => module.split('/').all(file),
                Lang::Python => {
                    identifier(module)
                        && ![module, function].iter().any(|part| PYTHON_KEYWORDS.contains(part))
                }
            }
    });
    match parsed {
        Some((module, function)) => Ok(Entrypoint { module, function }),
        None => Err(finding::ENTRYPOINT_FORMAT
            .finding(format!("the entry point `{text}` is not allowed"))
            .why(match lang {
                Lang::Nodejs => {
                    "it is FILE.FUNCTION: a file without `.js`, folders with `/`, one dot, an exported name"
                }
                Lang::Python => {
                    "it is FILE.FUNCTION: a file in the archive's root without `.py`, one dot, a function's name"
                }
            })
            .fix("take `index.main`")),
    }
}

/// `number + unit` as a count of the smallest unit; the unit's case does not matter.
pub fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The known word that `word` is most likely a misspelling of.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(similarity, _)| *similarity > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_platforms_pattern() {
        for name in ["abc", "my-app", "a1-2b", &"a".repeat(63)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", "ab", "1abc", "-abc", "abc-", "Abc", "a_c", "a.c", "мой", &"a".repeat(64)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_suggested_name_is_allowed() {
        for text in ["My App", "2fast", "__x_y_z", "a--b--c", "Ünïcode name", &"Z9".repeat(80)] {
            if let Some(name) = suggest_name(text) {
                assert!(check_name(&name).is_ok(), "{text}: {name}");
            }
        }
        assert_eq!(suggest_name("My App").as_deref(), Some("my-app"));
        assert_eq!(suggest_name("я"), None);
    }

    #[test]
    fn memory_is_bytes_in_steps() {
        assert_eq!(parse_memory("128MB").unwrap(), 134_217_728);
        assert_eq!(parse_memory("1gb").unwrap(), 1 << 30);
        assert_eq!(parse_memory("8GB").unwrap(), 8_589_934_592);
        for (text, nearest) in
            [("100MB", "128MB"), ("129MB", "256MB"), ("9GB", "8GB"), ("0GB", "128MB"), ("x", "128MB")]
        {
            assert_eq!(parse_memory(text).unwrap_err().fix.unwrap(), format!("take `{nearest}`"), "{text}");
        }
        assert!(parse_memory("99999999999999999999GB").is_err());
        assert!(parse_memory("18446744073709551615GB").is_err());
    }

    #[test]
    fn timeouts_are_seconds() {
        assert_eq!(parse_timeout("1s").unwrap(), 1);
        assert_eq!(parse_timeout("3600s").unwrap(), 3600);
        for (text, nearest) in [("0s", "1s"), ("5m", "300s"), ("10", "10s"), ("3601s", "3600s"), ("", "3s")] {
            assert_eq!(parse_timeout(text).unwrap_err().fix.unwrap(), format!("take `{nearest}`"), "{text}");
        }
        assert!(judge_long_timeout(600).is_none());
        assert!(judge_long_timeout(601).is_some());
    }

    #[test]
    fn environment_is_judged_without_its_values() {
        let environment = BTreeMap::from([
            ("GOOD".to_owned(), "x".to_owned()),
            ("1BAD".to_owned(), "x".to_owned()),
            ("PATH".to_owned(), "x".to_owned()),
            ("LONG".to_owned(), "s3cret".repeat(1000)),
        ]);
        let findings = judge_environment(&environment, &[]);
        let ids: Vec<_> = findings.iter().map(|(name, f)| (*name, f.rule.id)).collect();
        assert_eq!(
            ids,
            [(Some("1BAD"), "FN0210"), (Some("LONG"), "FN0210"), (Some("PATH"), "FN0211"), (None, "FN0210")]
        );
        assert!(findings.iter().all(|(_, f)| !f.message.contains("s3cret")));
    }

    #[test]
    fn entrypoints_of_templates() {
        let parsed = parse_entrypoint("src/app.handle", Lang::Nodejs).unwrap();
        assert_eq!((parsed.module, parsed.function), ("src/app", "handle"));
        assert!(parse_entrypoint("index.main", Lang::Python).is_ok());
        for text in
            ["index", "a.b.c", ".main", "index.", "../x.main", "/x.main", "a//b.main", "in dex.main", "x.1y"]
        {
            assert!(parse_entrypoint(text, Lang::Nodejs).is_err(), "{text}");
            assert!(parse_entrypoint(text, Lang::Python).is_err(), "{text}");
        }
        assert!(parse_entrypoint("src/app.handle", Lang::Python).is_err());
        assert!(parse_entrypoint("index.class", Lang::Python).is_err());
        assert!(parse_entrypoint("index.delete", Lang::Nodejs).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_value_is_judged(text in "\\PC{0,20}|[0-9]{0,25}([MGmgsS][Bb]?)?|[a-z./]{0,9}") {
            let _ = (parse_runtime(&text), parse_memory(&text), parse_timeout(&text), check_name(&text));
            for lang in Lang::ALL {
                let _ = parse_entrypoint(&text, lang);
            }
        }
    }
}
