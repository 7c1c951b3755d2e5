//! The program under test, run as a user would.

use std::env;
use std::path::Path;
use std::process::Command;

/// What a run ended with.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A command line that starts in `directory`, with nothing from this process's surroundings that would
/// change what it does.
pub fn fnscaffold(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fnscaffold"));
    for (name, _) in env::vars_os() {
        let ours = name.to_str().is_some_and(|name| name.starts_with("FNSCAFFOLD_"));
        if ours || name == "SOURCE_DATE_EPOCH" || name == "CI" {
            command.env_remove(name);
        }
    }
    command.current_dir(directory).args(arguments);
    command
}

pub fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap_or_else(|| panic!("{command:?}: {}", output.status)),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Run {
    /// # Panics
    /// When it ended with another code.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.stdout, self.stderr);
        self
    }
}
