//! Pinned packages of npm and PyPI in, the directories that hold them out. What is there is not fetched
//! again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// # Panics
/// When the command fails.
pub fn must(command: &mut Command) {
    let done = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The `node_modules` below `home` with these packages.
pub fn npm(home: &Path, packages: &[&str]) -> PathBuf {
    once(&home.join("npm.txt"), packages, || {
        must(
            Command::new("npm")
                .args(["install", "--no-audit", "--no-fund", "--prefix"])
                .arg(home)
                .args(packages),
        );
    });
    home.join("node_modules")
}

/// The programs of the virtual environment below `home` with these packages.
pub fn pypi(home: &Path, packages: &[&str]) -> PathBuf {
    let environment = home.join("python");
    let programs = environment.join("bin");
    once(&home.join("pypi.txt"), packages, || {
        must(Command::new("python3").args(["-m", "venv"]).arg(&environment));
        must(Command::new(programs.join("pip")).args(["install", "-q"]).args(packages));
    });
    programs
}

/// Installs unless `record` says that just these were installed.
fn once(record: &Path, packages: &[&str], install: impl FnOnce()) {
    let packages = packages.join("\n");
    if fs::read_to_string(record).is_ok_and(|installed| installed == packages) {
        return;
    }
    fs::create_dir_all(record.parent().unwrap()).unwrap();
    install();
    fs::write(record, packages).unwrap();
}
