//! The parsers that read what `spec` writes, installed once under `target/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::commands::succeed;
use crate::pythons::pythons;
use crate::tools::{installed, npm_ci, pins};

/// Serverless with the vendor's plugin, in `node_modules`.
pub fn serverless() -> PathBuf {
    let lock = pins().join("spec/package-lock.json");
    let install = |directory: &Path| {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(pins().join("spec").join(file), directory.join(file)).unwrap();
        }
        npm_ci(directory);
    };
    installed(&named("serverless", &lock), install).join("node_modules")
}

/// A directory of programs: Python with the published protos and python-hcl2, and check-jsonschema.
pub fn readers() -> PathBuf {
    let requirements = pins().join("spec/requirements.txt");
    let programs = if cfg!(windows) { "Scripts" } else { "bin" };
    let python = &pythons()[0];
    let install = |directory: &Path| {
        succeed(Command::new(&python.program).args(["-m", "venv"]).arg(directory));
        let mut pip = Command::new(directory.join(programs).join("python"));
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]);
        pip.args(["--disable-pip-version-check", "--no-input", "--requirement"]).arg(&requirements);
        succeed(&mut pip);
    };
    installed(&named(&format!("readers-{}", python.version), &requirements), install).join(programs)
}

/// The name changes with the pins.
fn named(name: &str, file: &Path) -> String {
    let digest = Sha256::digest(fs::read(file).unwrap());
    let hash: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{hash}")
}
