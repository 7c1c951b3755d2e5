//! `pack --vendor`: what the real npm and pip install, in the archive instead of in the cloud.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests touch the disk and start processes, and fail by panicking"
)]

use std::fs;
use std::path::PathBuf;

#[path = "common/fnscaffold.rs"]
mod fnscaffold;

use fnscaffold::{fnscaffold, run};
use tempfile::TempDir;

struct Function {
    _place: TempDir,
    directory: PathBuf,
}

impl Function {
    fn new(lang: &str, runtime: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let flags = ["new", "--lang", lang, "--mode", "api", "--runtime", runtime, "-q"];
        run(&mut fnscaffold(place.path(), &flags)).expect(0);
        Self { directory: place.path().join("my-app"), _place: place }
    }

    fn run(&self, code: i32, arguments: &[&str]) -> fnscaffold::Run {
        run(&mut fnscaffold(&self.directory, arguments)).expect(code)
    }

    fn entries(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("dist/version.json")).unwrap();
        let version: serde_json::Value = serde_json::from_str(&text).unwrap();
        let entries = version["archive"]["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["path"].as_str().unwrap().to_owned()).collect()
    }
}

#[test]
fn npm_packages_stand_in_for_package_json() {
    let function = Function::new("nodejs", "nodejs16");
    function.run(0, &["pack", "--vendor"]);
    let entries = function.entries();
    assert!(entries.contains(&"node_modules/node-fetch/package.json".to_owned()), "{entries:?}");
    assert!(!entries.contains(&"package.json".to_owned()), "the platform would install again: {entries:?}");
    function.run(0, &["check", "--load"]);
    let verified = function.run(1, &["verify"]);
    assert!(verified.stderr.contains("`node_modules/.package-lock.json` is only in the archive"));
    function.run(0, &["verify", "--vendor"]);
    // Node.js reads this one, so it stays, and what satisfies it stays with it.
    let package = r#"{"name": "my-app", "main": "index.js", "dependencies": {"node-fetch": "2.x"}}"#;
    fs::write(function.directory.join("package.json"), package).unwrap();
    function.run(1, &["check"]);
    function.run(0, &["pack", "--vendor"]);
    assert!(function.entries().contains(&"package.json".to_owned()));
    let workflow = ["spec", "--format", "github", "--workflow"];
    assert!(function.run(0, &workflow).stdout.contains("fnscaffold -C . pack --vendor\n"));
    function.run(0, &["check", "--load"]);
    // And back again, as the platform would install it.
    function.run(0, &["pack"]);
    assert_eq!(function.entries(), ["index.js", "package.json"]);
    assert!(function.run(0, &workflow).stdout.contains("fnscaffold -C . pack\n"));
    function.run(0, &["verify"]);
}

#[test]
fn wheels_are_those_of_the_platforms_python() {
    let function = Function::new("python", "python312");
    function.run(0, &["pack", "--vendor"]);
    let entries = function.entries();
    let has = |start: &str| entries.iter().any(|entry| entry.starts_with(start));
    assert!(has("requests/") && has("requests-") && has("urllib3/"), "{entries:?}");
    assert!(!has("requirements.txt") && !has("bin/"), "{entries:?}");
    let native: Vec<_> = entries.iter().filter(|entry| entry.ends_with(".so")).collect();
    assert!(native.iter().all(|entry| entry.contains("cpython-312-x86_64-linux-gnu")), "{native:?}");
    function.run(0, &["check"]);
    function.run(0, &["verify", "--vendor"]);
    // The function's own file still counts.
    fs::write(function.directory.join("index.py"), "def main(event, context):\n    return {}\n").unwrap();
    let checked = function.run(1, &["check"]);
    assert!(checked.stdout.contains("changed since: index.py"), "{}", checked.stdout);
}

#[test]
fn nothing_to_vendor_is_said() {
    let function = Function::new("nodejs", "nodejs22");
    let packed = function.run(0, &["pack", "--vendor"]);
    assert!(packed.stderr.contains("FN0411"), "{}", packed.stderr);
    function.run(0, &["verify"]);
}

#[test]
fn a_package_that_is_not_there_leaves_the_archive_as_it_was() {
    let function = Function::new("python", "python312");
    let before = fs::read(function.directory.join("dist/index-py.zip")).unwrap();
    fs::write(function.directory.join("requirements.txt"), "fnscaffold-has-no-such-package==1\n").unwrap();
    let failed = function.run(3, &["pack", "--vendor"]);
    assert!(failed.stderr.contains("FN0504") && failed.stderr.contains("fnscaffold-has-no-such-package"));
    assert_eq!(fs::read(function.directory.join("dist/index-py.zip")).unwrap(), before);
}

/// As of a user whom a container made up.
#[cfg(unix)]
#[test]
fn npm_needs_no_home() {
    let function = Function::new("nodejs", "nodejs22");
    let place = function.directory.parent().unwrap();
    fs::write(function.directory.join("package.json"), r#"{"dependencies": {"near": "file:near"}}"#).unwrap();
    fs::create_dir(function.directory.join("near")).unwrap();
    fs::write(function.directory.join("near/package.json"), r#"{"name": "near", "version": "1.0.0"}"#)
        .unwrap();
    // Nobody, not even root, makes a directory in a file.
    fs::write(place.join("file"), "").unwrap();
    let mut pack = fnscaffold(&function.directory, &["pack", "--vendor"]);
    pack.env("HOME", place.join("file/home")).env("FNSCAFFOLD_CACHE", place.join("cache"));
    run(pack.env_remove("npm_config_cache").env_remove("NPM_CONFIG_CACHE")).expect(0);
    assert!(place.join("cache/npm").is_dir());
}

/// As in an image of a container that holds nothing but an interpreter.
#[cfg(target_os = "linux")]
#[test]
fn a_shell_that_is_missing_is_named() {
    let function = Function::new("python", "python311");
    let program = env!("CARGO_BIN_EXE_fnscaffold");
    let script = format!("mount --bind /dev/null \"$(readlink -f /bin/sh)\"; exec {program} pack --vendor");
    let mut unshare = std::process::Command::new("unshare");
    unshare.args(["--map-root-user", "--mount", "sh", "-euc", &script]).current_dir(&function.directory);
    unshare.env("FNSCAFFOLD_CACHE", function.directory.with_file_name("cache"));
    let allowed = std::process::Command::new("unshare").args(["--map-root-user", "--mount", "true"]).status();
    if !allowed.is_ok_and(|status| status.success()) {
        return eprintln!("skipped: unshare cannot make a mount namespace here");
    }
    let run = run(&mut unshare).expect(3);
    assert!(run.stderr.contains("could not start pip") && run.stderr.contains("`/bin/sh`"), "{run:?}");
}
