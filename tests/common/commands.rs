//! Commands of this machine: those that have to succeed, and a word about those that are not there.

use std::io::{Write, stderr};
use std::process::{Command, Output};

/// Runs a command that has to succeed.
pub fn succeed(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    output
}

/// Says that a part of a test is left out because this machine lacks something; with
/// FNSCAFFOLD_REQUIRE_TOOLS=1 that fails the test.
pub fn absent(what: &str) {
    let required = std::env::var("FNSCAFFOLD_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(!required, "{what} is required and was not found");
    // Not `eprintln!`: the test harness would keep it to itself.
    let _ = writeln!(stderr(), "left out: no {what} here");
}
