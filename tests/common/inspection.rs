//! An archive in, what Python's zipfile finds in it out.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::commands::succeed;
use crate::pythons::Python;

/// Each entry as `tests/common/inspect.py` tells of it.
pub fn entries(python: &Python, archive: &Path) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/common/inspect.py");
    let output = succeed(Command::new(&python.program).arg(script).arg(archive));
    serde_json::from_slice(&output.stdout).unwrap()
}

pub fn paths(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["path"].as_str().unwrap()).collect()
}
