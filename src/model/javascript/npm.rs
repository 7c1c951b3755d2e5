//! package.json and its lock file in, what npm will refuse of them out.

use serde_json::Value as Json;

use crate::model::finding;
use crate::model::javascript::Problem;
use crate::model::javascript::resolve::{self, strip_mark};
use crate::model::runtime::Runtime;
use crate::model::sources::Sources;

const PACKAGE: &str = "package.json";
const LOCK: &str = "package-lock.json";
/// npm takes it instead of the other one.
const SHRINKWRAP: &str = "npm-shrinkwrap.json";

/// Scripts that npm runs when it installs.
pub const LIFECYCLE: [&str; 7] =
    ["preinstall", "install", "postinstall", "prepublish", "preprepare", "prepare", "postprepare"];

/// npm 7 came with Node.js 15. It installs peer dependencies.
pub const NPM_7_SINCE: (u32, u32) = (15, 0);

const KEYS: [&str; 4] = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];

/// What may stand before a colon. Other package managers know more: `workspace:`, `catalog:`, `link:`.
const SCHEMES: [&str; 11] =
    ["bitbucket", "file", "gist", "git", "github", "gitlab", "http", "https", "npm", "sourcehut", "ssh"];

fn invalid(message: String) -> Problem {
    finding::PACKAGE_JSON_INVALID
        .finding(message)
        .why("the platform runs npm on it when a version is created, and that would fail")
        .fix("correct it: `npm pkg fix` and `npm install --dry-run` read it as the platform does")
        .at(PACKAGE)
}

/// The archive's own package.json, if it has one.
///
/// # Errors
/// [`finding::PACKAGE_JSON_INVALID`].
pub fn package(sources: &dyn Sources) -> Result<Option<Json>, Problem> {
    let Some(bytes) = sources.read_list(PACKAGE) else { return Ok(None) };
    let json: Json = serde_json::from_slice(strip_mark(&bytes)).map_err(|error| {
        let line = u32::try_from(error.line()).unwrap_or(u32::MAX);
        invalid(format!("`{PACKAGE}` is not valid JSON: {error}")).line(line)
    })?;
    let Json::Object(object) = &json else {
        return Err(invalid(format!("`{PACKAGE}` is not a JSON object")));
    };
    for key in KEYS {
        match object.get(key) {
            None => {}
            Some(Json::Object(ranges)) => {
                if let Some((name, _)) = ranges.iter().find(|(_, range)| !range.is_string()) {
                    return Err(invalid(format!(
                        "`{name}` in `{key}` of `{PACKAGE}` is not a version range"
                    )));
                }
            }
            Some(_) => {
                return Err(invalid(format!("`{key}` in `{PACKAGE}` does not map names to version ranges")));
            }
        }
    }
    Ok(Some(json))
}

/// What npm will refuse of a package.json that can be read, or of the lock file beside it.
pub fn judge(sources: &dyn Sources, package: &Json, runtime: &Runtime) -> Vec<Problem> {
    let mut findings = Vec::new();
    for (key, name, range) in KEYS.into_iter().flat_map(|key| ranges(package, key)) {
        let refused = if is_foreign(range) {
            Some(format!("npm does not know `{range}`, which `{key}` names for `{name}`"))
        } else if is_no_range(range) {
            Some(format!("`{range}`, which `{key}` names for `{name}`, is no version range, tag or URL"))
        } else {
            // npm takes a package that is there already for what it would unpack.
            let missing = missing_path(sources, range)
                .filter(|path| is_archive(path) && !sources.has_directory(&format!("node_modules/{name}")));
            missing
                .map(|path| format!("`{key}` names `{path}` for `{name}`, which the archive does not have"))
        };
        findings.extend(refused.map(invalid));
    }
    let lock = lock(sources);
    // Without a lock file npm 6 runs no more than these for production.
    let few = runtime.version() < NPM_7_SINCE && lock.is_none();
    let scripts = if few { &LIFECYCLE[..3] } else { &LIFECYCLE };
    let readable = lock.as_ref().and_then(|lock| lock.as_ref().ok());
    findings.extend(scripts.iter().filter_map(|script| judge_script(package, script, readable)));
    findings.extend(lock.and_then(|lock| judge_lock(lock, package)));
    findings
}

/// A script that begins a command with a program of a package that is there only in development.
fn judge_script(package: &Json, script: &str, lock: Option<&Json>) -> Option<Problem> {
    let text = package.get("scripts")?.get(script)?.as_str()?;
    // What may fail is guarded by one, `husky || true`, or nobody waits for it.
    if text.contains('|') || text.replace("&&", "").contains('&') {
        return None;
    }
    // Nobody asks how what stands before it has ended.
    let (_, counted) = text.rsplit_once(';').unwrap_or(("", text));
    let has = |key: &str, name: &str| package.get(key).is_some_and(|table| table.get(name).is_some());
    counted.split("&&").find_map(|command| {
        let program = command.split_whitespace().next()?;
        let name = if program == "tsc" { "typescript" } else { program };
        let elsewhere = ["dependencies", "optionalDependencies", "peerDependencies"];
        if !has("devDependencies", name) || elsewhere.iter().any(|key| has(key, name)) {
            return None;
        }
        let entry = lock.and_then(|lock| locked(lock, name));
        let is_dev = entry.map(|entry| entry.get("dev").and_then(Json::as_bool) == Some(true));
        if is_dev == Some(false) {
            return None;
        }
        let mut problem =
            invalid(format!("the script `{script}` runs `{program}`, which is only in `devDependencies`"));
        if is_dev.is_none() {
            // Another package may bring it.
            problem.severity = finding::Severity::Warning;
        }
        let why = "the platform's npm installs production dependencies only, runs the script, and would fail";
        Some(problem.why(why).fix(format!(
            "let it do without: `{command} || true`, or move `{name}` to `dependencies`",
            command = text.trim()
        )))
    })
}

fn ranges<'p>(package: &'p Json, key: &'p str) -> impl Iterator<Item = (&'p str, &'p str, &'p str)> {
    let ranges = package.get(key).and_then(Json::as_object);
    ranges.into_iter().flatten().filter_map(move |(name, range)| Some((key, name.as_str(), range.as_str()?)))
}

/// Whether it begins with a scheme that npm does not have.
fn is_foreign(range: &str) -> bool {
    range.split_once(':').is_some_and(|(scheme, _)| {
        // One letter is a drive of Windows, which npm takes for a path.
        scheme.len() > 1
            && scheme.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known))
    })
}

/// Whether npm would take it for a tag, and a tag cannot have that name. npm reads almost any text with a
/// number in it as a range, so nothing is said of those.
fn is_no_range(range: &str) -> bool {
    let range = range.trim();
    let escaped = |c: char| !c.is_ascii_alphanumeric() && !"-_.!~*'()".contains(c);
    range.starts_with(|c: char| c.is_ascii_alphabetic())
        && range.contains(escaped)
        && !range.contains(|c: char| c.is_ascii_digit() || ":/*|+".contains(c))
        && !range.contains(" - ")
        && !is_archive(range)
        && !range
            .split(|c: char| !c.is_ascii_alphabetic())
            .any(|word| word.trim_start_matches(['v', 'V']).eq_ignore_ascii_case("x"))
}

fn is_archive(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    [".tgz", ".tar.gz", ".tar"].iter().any(|suffix| path.ends_with(suffix))
}

/// The file or directory that a `file:` names, where the archive does not have it.
pub fn missing_path<'r>(sources: &dyn Sources, range: &'r str) -> Option<&'r str> {
    let path = match range.get(..5) {
        Some(scheme) if scheme.eq_ignore_ascii_case("file:") => &range[5..],
        _ if range.starts_with("./") || range.starts_with("../") => range,
        _ => return None,
    };
    // Absolute paths, those from the home directory, and what a URL escapes.
    if path.is_empty() || path.starts_with(['/', '~']) || path.contains(['%', '#', '?', '\\', ':']) {
        return None;
    }
    let there = resolve::join("", path).is_some_and(|path| {
        let path = path.trim_end_matches('/');
        path.is_empty() || sources.has(path) || sources.has_directory(path)
    });
    (!there).then_some(path)
}

/// The lock file that `npm ci` would read, if there is one.
pub fn lock(sources: &dyn Sources) -> Option<serde_json::Result<Json>> {
    if sources.has(SHRINKWRAP) {
        return None;
    }
    let bytes = sources.read_list(LOCK)?;
    let json = serde_json::from_slice(strip_mark(&bytes));
    // npm joins the two sides of a merge by itself.
    let merged = json.is_err() && String::from_utf8_lossy(&bytes).contains("<<<<<<<");
    (!merged).then_some(json)
}

/// What a lock file of any version says of a package that the function itself names.
pub fn locked<'l>(lock: &'l Json, name: &str) -> Option<&'l Json> {
    let entry = lock.get("packages").and_then(|packages| packages.get(format!("node_modules/{name}")));
    entry.or_else(|| lock.get("dependencies")?.get(name))
}

fn judge_lock(lock: serde_json::Result<Json>, package: &Json) -> Option<Problem> {
    let problem = match lock {
        Err(error) => invalid(format!("`{LOCK}` is not valid JSON: {error}"))
            .line(u32::try_from(error.line()).unwrap_or(u32::MAX)),
        Ok(lock) => {
            let named = ["dependencies", "devDependencies"].into_iter().flat_map(|key| ranges(package, key));
            let missing: Vec<_> = named
                .filter(|(_, name, _)| locked(&lock, name).is_none())
                .map(|(_, name, _)| format!("`{name}`"))
                .collect();
            if missing.is_empty() {
                return None;
            }
            invalid(format!("`{LOCK}` lacks {}, which `{PACKAGE}` names", missing.join(", ")))
        }
    };
    let why = "the platform runs `npm ci` when a version is created, and that would fail";
    Some(problem.why(why).fix("`npm install` brings it up to date; pack both files").at(LOCK))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Each was tried with npm 8 to 11.
    #[test]
    fn npm_refuses_what_is_no_range() {
        for range in [
            "not a range!!",
            "latest stable",
            "axios@latest",
            "workspace:*",
            "workspace:^",
            "catalog:",
            "link:../z",
            "portal:../z",
            "patch:z",
        ] {
            assert!(is_foreign(range) || is_no_range(range), "{range}");
        }
        for range in [
            "",
            " ",
            "*",
            "x",
            "X",
            "vx -",
            "latest",
            "next",
            "it's(a)~tag!",
            "^1 || >=2 <3",
            "||",
            "1.x",
            "~1",
            "~> 1",
            "1 - 2",
            "v1.0.0",
            ">= 1.0, <2",
            "1.0.0 && 2",
            "next - 2",
            "npm:axios@^1",
            "npm:@scope/axios@latest",
            "user/repo",
            "user/repo#semver:^1",
            "github:user/repo",
            "gist:11081aaa281",
            "git@github.com:user/repo.git",
            "git+ssh://git@github.com/user/repo.git#main",
            "git://github.com/user/repo",
            "https://example.com/a.tgz",
            "HTTP://example.com/a b.tgz",
            "file:../x",
            "FILE:x",
            "./a b",
            "../x y",
            "~/x y",
            "C:\\my lib",
            "my lib.tgz",
        ] {
            assert!(!is_foreign(range) && !is_no_range(range), "{range}");
        }
    }

    fn runtime(id: &str) -> &'static Runtime {
        Runtime::find(id).unwrap()
    }

    fn package_of(files: &BTreeMap<String, Vec<u8>>) -> Json {
        package(files).unwrap().unwrap()
    }

    fn told(files: &[(&str, &str)]) -> Vec<String> {
        let files: BTreeMap<String, Vec<u8>> =
            files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        judge(&files, &package_of(&files), runtime("nodejs22"))
            .iter()
            .map(|problem| problem.message.clone())
            .collect()
    }

    #[test]
    fn files_must_be_in_the_archive() {
        let package = r#"{"dependencies": {
            "a": "file:lib", "b": "file:./lib/", "c": "file:a.tgz", "d": "./a.tgz", "e": "file:/opt/x.tgz",
            "f": "file:~/x.tgz", "g": "file:gone", "h": "file:a%20b.tgz", "i": "file:there.tgz"
        }}"#;
        let there =
            [("package.json", package), ("lib/package.json", "{}"), ("node_modules/i/package.json", "{}")];
        let lost = |path, name| {
            format!("`dependencies` names `{path}` for `{name}`, which the archive does not have")
        };
        assert_eq!(told(&there), [lost("a.tgz", "c"), lost("./a.tgz", "d")]);
        assert_eq!(told(&[there.as_slice(), &[("a.tgz", "")]].concat()), [""; 0]);
    }

    /// Tried with npm 6, 10 and 11.
    #[test]
    fn scripts_of_the_installation_have_no_development_packages() {
        let told_on = |id: &str, script: &str, more: &str, lock: Option<&str>| {
            let package = format!(
                r#"{{"scripts": {{"{script}"}}, "devDependencies": {{"husky": "9", "typescript": "5"}}{more}}}"#
            );
            let mut files = BTreeMap::from([("package.json".to_owned(), package.into_bytes())]);
            files.extend(lock.map(|lock| ("package-lock.json".to_owned(), lock.as_bytes().to_vec())));
            let package = package_of(&files);
            let findings = judge(&files, &package, runtime(id));
            findings.iter().map(|problem| (problem.severity, problem.message.clone())).collect::<Vec<_>>()
        };
        let told = |script: &str, more: &str, lock: Option<&str>| told_on("nodejs22", script, more, lock);
        let (error, warning) = (finding::Severity::Error, finding::Severity::Warning);
        let found = |severity, script, program| {
            let message =
                format!("the script `{script}` runs `{program}`, which is only in `devDependencies`");
            vec![(severity, message)]
        };
        let lock = |dev: &str| {
            format!(r#"{{"packages": {{"node_modules/husky": {{{dev}}}, "node_modules/typescript": {{}}}}}}"#)
        };
        assert_eq!(told(r#"prepare": "husky install"#, "", None), found(warning, "prepare", "husky"));
        assert_eq!(told(r#"postinstall": "echo a && tsc"#, "", None), found(warning, "postinstall", "tsc"));
        let locked = lock(r#""dev": true"#);
        assert_eq!(told(r#"prepare": "husky"#, "", Some(&locked)), found(error, "prepare", "husky"));
        assert_eq!(told(r#"prepare": "husky"#, "", Some(&lock(""))), []);
        assert_eq!(told(r#"prepare": "husky"#, r#", "dependencies": {"husky": "9"}"#, None), []);
        for harmless in [
            r#"prepare": "husky || true"#,
            r#"prepare": "husky; true"#,
            r#"prepare": "husky &"#,
            r#"test": "husky"#,
            r#"prepare": "node husky"#,
        ] {
            assert_eq!(told(harmless, "", None), [], "{harmless}");
        }
        assert_eq!(told(r#"prepare": "true; husky"#, "", None), found(warning, "prepare", "husky"));
        // npm 6.
        assert_eq!(told_on("nodejs14", r#"prepare": "husky"#, "", None), []);
        let install = r#"postinstall": "husky"#;
        assert_eq!(told_on("nodejs14", install, "", None), found(warning, "postinstall", "husky"));
        let prepare = told_on("nodejs14", r#"prepare": "husky"#, "", Some(&locked));
        assert_eq!(prepare, found(error, "prepare", "husky"));
    }

    #[test]
    fn the_lock_must_have_what_package_json_names() {
        let package =
            r#"{"dependencies": {"a": "1"}, "devDependencies": {"b": "1"}, "peerDependencies": {"c": "1"}}"#;
        let lacks = |names| format!("`package-lock.json` lacks {names}, which `package.json` names");
        for (lock, expected) in [
            (r#"{"lockfileVersion": 3, "packages": {"node_modules/a": {}, "node_modules/b": {}}}"#, vec![]),
            (r#"{"lockfileVersion": 1, "dependencies": {"a": {}, "b": {}}}"#, vec![]),
            (r#"{"packages": {"": {"dependencies": {"a": "1"}}}}"#, vec![lacks("`a`, `b`")]),
            (
                r#"{"packages": {"node_modules/b/node_modules/a": {}, "node_modules/b": {}}}"#,
                vec![lacks("`a`")],
            ),
            (r#"{"dependencies": {"a": {}}}"#, vec![lacks("`b`")]),
            ("[]", vec![lacks("`a`, `b`")]),
            ("<<<<<<< HEAD\n{}", vec![]),
        ] {
            assert_eq!(told(&[("package.json", package), ("package-lock.json", lock)]), expected, "{lock}");
            let both =
                [("package.json", package), ("package-lock.json", lock), ("npm-shrinkwrap.json", "{}")];
            assert_eq!(told(&both), [""; 0], "{lock}");
        }
        let broken = told(&[("package.json", "{}"), ("package-lock.json", "{\"a\":")]);
        assert!(broken[0].starts_with("`package-lock.json` is not valid JSON"), "{broken:?}");
        assert_eq!(told(&[("package.json", "{}"), ("package-lock.json", "\u{feff}{}")]), [""; 0]);
    }
}
