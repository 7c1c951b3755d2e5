//! Functions in the styles that people write them in, each a directory of `tests/styles`: adopted by
//! `init`, packed, checked, and called under the real interpreter, so that what is expected is true.
//!
//! `expected.toml` says what `init` finds and which findings about code `check` has. To add a style, add
//! a directory.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests run the program from outside and fail where they stand"
)]

#[path = "common/calls.rs"]
mod calls;
#[path = "common/commands.rs"]
mod commands;
#[path = "common/fnscaffold.rs"]
mod fnscaffold;
#[path = "common/nodes.rs"]
mod nodes;
#[path = "common/pythons.rs"]
mod pythons;
#[path = "common/tools.rs"]
mod tools;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use calls::{Call, Caller};
use commands::{absent, succeed};
use fnscaffold::{fnscaffold, run};
use nodes::nodes;
use pythons::pythons;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Expected {
    #[serde(rename = "about")]
    _about: String,
    /// The entry point that `init` finds without being told.
    found: Option<String>,
    /// Those that it finds where it cannot tell which is meant, the best guess first.
    #[serde(default)]
    choices: Vec<String>,
    /// What has to be told.
    #[serde(default)]
    flags: Vec<String>,
    entrypoint: Option<String>,
    runtime: String,
    /// What `check` says of the code, beside what it says of function.toml.
    #[serde(default)]
    findings: Vec<String>,
    /// Runtimes that cannot run it, which `check` has to know.
    #[serde(default)]
    fails_on: Vec<String>,
}

/// A style in a directory of its own.
struct Style {
    expected: Expected,
    place: TempDir,
    directory: PathBuf,
}

impl Style {
    fn copied(from: &Path) -> Self {
        let text = fs::read_to_string(from.join("expected.toml")).unwrap();
        let place = tempfile::tempdir().unwrap();
        let directory = place.path().join("hello");
        for (path, bytes) in files(from) {
            if path != "expected.toml" {
                let target = directory.join(path);
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::write(target, bytes).unwrap();
            }
        }
        Self { expected: toml::from_str(&text).unwrap(), place, directory }
    }

    /// Runs `init` and gives the entry point that it settles on.
    fn adopt(&self) -> String {
        let Expected { found, choices, flags, entrypoint, .. } = &self.expected;
        let before = files(&self.directory);
        let init = |flags: &[&str]| {
            run(&mut fnscaffold(&self.directory, &[&["init", "--format", "json"], flags].concat()))
        };
        let flags: Vec<_> = flags.iter().map(String::as_str).collect();
        let adopted = if choices.is_empty() {
            let adopted = init(&flags);
            let document = parsed(&adopted.stdout);
            let mut findings = document["findings"].as_array().unwrap().iter();
            let failed = findings.any(|finding| finding["severity"] == "error");
            assert_eq!((adopted.code, &document["ok"]), (i32::from(failed), &json!(!failed)), "{document}");
            adopted
        } else {
            let asked = init(&[]).expect(2);
            let error = &parsed(&asked.stdout)["error"];
            assert_eq!(error["code"], "FN0102", "{error}");
            assert!(error["why"].as_str().unwrap().contains(&choices.join(" or ")), "{error}");
            assert_eq!(files(&self.directory), before, "`init` wrote although it asked");
            init(&["--yes"]).expect(0)
        };
        let answers = &parsed(&adopted.stdout)["answers"];
        let wanted = found.as_ref().or(entrypoint.as_ref()).unwrap_or_else(|| &choices[0]);
        assert_eq!(answers["entrypoint"], **wanted);
        assert_eq!(answers["runtime"], *self.expected.runtime);
        assert_eq!(answers["name"], "hello");
        let mut after = files(&self.directory);
        assert!(after.remove("function.toml").is_some());
        assert_eq!(after, before, "`init` touched more than function.toml");
        wanted.clone()
    }

    fn edit(&self, from: &str, to: &str) {
        let file = self.directory.join("function.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(file, text.replacen(from, to, 1)).unwrap();
    }

    /// Packs, and gives what `check` says of the code, by id and severity.
    fn checked(&self) -> BTreeMap<String, String> {
        run(&mut fnscaffold(&self.directory, &["pack"])).expect(0);
        let checked = run(&mut fnscaffold(&self.directory, &["check", "--format", "json"]));
        let document = parsed(&checked.stdout);
        let text = |finding: &Value, key: &str| finding[key].as_str().unwrap().to_owned();
        let findings: BTreeMap<_, _> = document["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|finding| (text(finding, "code"), text(finding, "severity")))
            .filter(|(code, _)| !code.starts_with("FN02"))
            .collect();
        let failed = findings.values().any(|severity| severity == "error");
        assert_eq!((checked.code, &document["ok"]), (i32::from(failed), &json!(!failed)), "{document}");
        findings
    }

    /// `check --load` has to come to the same verdict as `check`.
    fn loaded(&self, interpreter: &Path) {
        let check = |flags: &[&str]| run(&mut fnscaffold(&self.directory, &[&["check"], flags].concat()));
        let loaded = check(&["--load", "--interpreter", interpreter.to_str().unwrap()]);
        let checked = check(&[]);
        assert_eq!(loaded.code, checked.code, "check: {}\ncheck --load: {}", checked.stderr, loaded.stderr);
    }

    /// What the interpreter of `runtime` makes of the archive, if it is here.
    fn called(&self, runtime: &str, entrypoint: &str) -> Option<Result<Call, String>> {
        let code = self.place.path().join("code");
        let _ = fs::remove_dir_all(&code);
        let archive = if runtime.starts_with("python") { "index-py.zip" } else { "index-js.zip" };
        let unpack = ["-m", "zipfile", "--extract"];
        let archive = self.directory.join("dist").join(archive);
        succeed(Command::new(&pythons()[0].program).args(unpack).arg(archive).arg(&code));
        let program = match runtime.strip_prefix("python3") {
            Some(minor) => {
                let version = format!("3.{minor}");
                pythons().iter().find(|python| python.version == version).map(|python| python.program.clone())
            }
            None => nodes().into_iter().find(|node| node.runtime == runtime).map(|node| node.program),
        };
        let Some(program) = program else {
            absent(&format!("interpreter of {runtime}"));
            return None;
        };
        self.loaded(&program);
        let caller = Caller { program: &program, packages: None };
        // Nothing here asks the metadata service.
        Some(caller.call(&code, entrypoint, &json!({ "requestId": "1" }), 1))
    }

    fn is_understood(&self) {
        let entrypoint = self.adopt();
        let findings = self.checked();
        assert_eq!(findings.keys().collect::<Vec<_>>(), self.expected.findings.iter().collect::<Vec<_>>());
        let is_well = !findings.values().any(|severity| severity == "error");
        match self.called(&self.expected.runtime, &entrypoint) {
            Some(Ok(call)) => {
                assert!(is_well, "`check` says {findings:?}, and yet it answers {}", call.answer);
                assert_eq!(call.answer["statusCode"], 200, "after {:?}: {}", call.time, call.output);
            }
            Some(Err(problem)) => assert!(!is_well, "`check` says that all is well: {problem}"),
            None => {}
        }
        for runtime in &self.expected.fails_on {
            self.edit(&format!("\"{}\"", self.expected.runtime), &format!("\"{runtime}\""));
            let findings = self.checked();
            assert!(findings.values().any(|severity| severity == "error"), "on {runtime}: {findings:?}");
            if let Some(Ok(call)) = self.called(runtime, &entrypoint) {
                panic!("on {runtime} it is said to fail: {call:?}");
            }
            self.edit(&format!("\"{runtime}\""), &format!("\"{}\"", self.expected.runtime));
        }
        if is_well {
            let (module, name) = entrypoint.rsplit_once('.').unwrap();
            let misspelt = format!("{module}.{}", &name[..name.len() - 1]);
            self.edit(&format!("\"{entrypoint}\""), &format!("\"{misspelt}\""));
            let findings = self.checked();
            assert!(findings.contains_key("FN0303"), "of a missing `{misspelt}`, `check` says {findings:?}");
            if let Some(Ok(call)) = self.called(&self.expected.runtime, &misspelt) {
                panic!("`{misspelt}` is there: {call:?}");
            }
        }
    }
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Every file below `directory` by `/`-separated path.
fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    fn add(root: &Path, directory: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                add(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    add(directory, directory, &mut found);
    found
}

#[test]
fn every_style_is_understood() {
    let styles = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/styles");
    let mut styles: Vec<_> = fs::read_dir(styles).unwrap().map(|entry| entry.unwrap().path()).collect();
    styles.sort();
    assert!(styles.len() >= 16);
    // Looked for once, before the threads do.
    pythons();
    nodes();
    let mut failed = Vec::new();
    for styles in styles.chunks(4) {
        thread::scope(|scope| {
            let running: Vec<_> = styles
                .iter()
                .map(|style| {
                    let name = style.file_name().unwrap().to_string_lossy().into_owned();
                    let thread = thread::Builder::new().name(name.clone());
                    (name, thread.spawn_scoped(scope, || Style::copied(style).is_understood()).unwrap())
                })
                .collect();
            failed.extend(running.into_iter().filter_map(|(name, thread)| thread.join().err().map(|_| name)));
        });
    }
    assert!(failed.is_empty(), "not as expected: {}", failed.join(", "));
}

#[test]
fn a_language_that_all_candidates_share_is_not_asked_for() {
    let styles = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/styles");
    let style = Style::copied(&styles.join("node-several-handlers"));
    let asked = run(&mut fnscaffold(&style.directory, &["init"])).expect(2);
    assert!(asked.stderr.contains("--entrypoint") && !asked.stderr.contains("--lang"), "{}", asked.stderr);
}
