//! The CPythons of this machine, each as it really runs.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::commands::absent;

#[derive(Debug, Clone)]
pub struct Python {
    /// `3.12`.
    pub version: String,
    pub program: PathBuf,
}

/// One of each version from 3.11 on, oldest first, and at least one.
pub fn pythons() -> &'static [Python] {
    static FOUND: OnceLock<Vec<Python>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut running = BTreeMap::new();
        for program in candidates() {
            // A shim may be there and not run.
            if let Some(version) = reported_version(&program) {
                running.entry(version).or_insert(program);
            }
        }
        let mut found = Vec::new();
        for minor in 11..=14 {
            let version = format!("3.{minor}");
            match running.remove(&version) {
                Some(program) => found.push(Python { version, program }),
                None if minor <= 12 => absent(&format!("CPython {version}")),
                // Newer ones are tested where they happen to be.
                None => {}
            }
        }
        assert!(!found.is_empty(), "the tests need a CPython from 3.11 on: python3.11 to python3.14 on PATH");
        found
    })
}

fn candidates() -> Vec<PathBuf> {
    let names = ["python3.11", "python3.12", "python3.13", "python3.14", "python3", "python"];
    let path = env::var_os("PATH").unwrap_or_default();
    let mut directories: Vec<PathBuf> = env::split_paths(&path).collect();
    if let Ok(output) = Command::new("pyenv").arg("root").output() {
        let root = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let versions = Path::new(&root).join("versions").read_dir().into_iter().flatten().flatten();
        directories.extend(versions.map(|version| version.path().join("bin")));
    }
    let programs = directories
        .iter()
        .flat_map(|directory| names.map(|name| directory.join(format!("{name}{}", env::consts::EXE_SUFFIX))));
    programs.filter(|program| program.exists()).collect()
}

/// Nothing for what does not run, is no CPython, or cannot make a virtual environment.
fn reported_version(program: &Path) -> Option<String> {
    let code = "import ensurepip, sys, venv; assert sys.implementation.name == 'cpython'; \
                print(*sys.version_info[:2], sep='.')";
    let output = Command::new(program).args(["-c", code]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
