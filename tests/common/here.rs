//! Whether this machine has a program.

use std::io::{Write, stderr};
use std::process::Command;

/// Where all tools are required, the absence of one is no success.
pub fn is_here(program: &str) -> bool {
    let here = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    let required = std::env::var("FNSCAFFOLD_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(here || !required, "{program} is required and was not found");
    if !here {
        // Not `eprintln!`: the test harness would keep it to itself.
        let _ = writeln!(stderr(), "left out: no {program} here");
    }
    here
}
