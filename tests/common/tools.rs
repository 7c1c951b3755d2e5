//! The pins under `tests/tools` in, what they pin out, installed once under `target/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

use crate::commands::succeed;

const PINS: [&str; 4] = [
    include_str!("../tools/package.json"),
    include_str!("../tools/package-lock.json"),
    include_str!("../tools/my-app/package-lock.json"),
    include_str!("../tools/requirements.txt"),
];

pub fn pins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools")
}

/// The directory that npm fills from `tests/tools/package-lock.json`.
pub fn node_modules() -> PathBuf {
    static DONE: OnceLock<PathBuf> = OnceLock::new();
    let install = |directory: &Path| {
        for file in ["package.json", "package-lock.json"] {
            fs::copy(pins().join(file), directory.join(file)).unwrap();
        }
        npm_ci(directory);
    };
    DONE.get_or_init(|| installed("npm", install).join("node_modules")).clone()
}

/// Installs what `directory` locks, as the platform does.
pub fn npm_ci(directory: &Path) {
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let arguments = ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    succeed(Command::new(npm).args(arguments).current_dir(directory));
}

/// A directory that `install` has filled, in this run or in an earlier one. Test processes that run at
/// the same time wait for each other, and what was left half done is done anew.
pub fn installed(name: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let mut hasher = Sha256::new();
    PINS.iter().for_each(|pins| hasher.update(pins));
    let hash: String = hasher.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let tools = target.join(format!("tools-{hash}"));
    fs::create_dir_all(&tools).unwrap();
    let lock = File::create(tools.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let directory = tools.join(name);
    let done = tools.join(format!("{name}.done"));
    if !done.exists() {
        if directory.exists() {
            fs::remove_dir_all(&directory).unwrap();
        }
        fs::create_dir(&directory).unwrap();
        install(&directory);
        fs::write(done, "").unwrap();
    }
    directory
}
