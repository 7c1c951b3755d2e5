//! An interpreter and an unpacked archive in, what the handler answers out.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than any handler takes; starting may take long on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Caller<'a> {
    pub program: &'a Path,
    /// Where Python finds packages that are not in the archive.
    pub packages: Option<&'a Path>,
}

/// What one call gave.
#[derive(Debug)]
pub struct Call {
    pub answer: Value,
    pub time: Duration,
    /// What the handler printed.
    pub output: String,
}

impl Caller<'_> {
    /// Calls the handler in a process of its own, with the metadata service at `port`.
    ///
    /// # Errors
    /// What the process said when it gave no answer.
    pub fn call(&self, code: &Path, entrypoint: &str, context: &Value, port: u16) -> Result<Call, String> {
        let scratch = tempfile::tempdir().unwrap();
        let result = scratch.path().join("result.json");
        let is_python =
            self.program.file_stem().is_some_and(|name| name.to_string_lossy().starts_with("python"));
        let driver = if is_python { "call.py" } else { "call.js" };
        let mut command = Command::new(self.program);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interpreters").join(driver));
        command.arg(code).arg(entrypoint).arg(context.to_string()).arg(&result).arg(port.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NODE_OPTIONS", "PYTHONPATH"] {
            command.env_remove(variable);
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        if let Some(packages) = self.packages {
            command.env("PYTHONPATH", packages);
        }
        let mut child = command.spawn().unwrap();
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() && began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        let _ = child.kill();
        let output = child.wait_with_output().unwrap();
        let output = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let Ok(result) = fs::read(&result) else {
            return Err(format!("no answer after {:?}: {output}", began.elapsed()));
        };
        let result: Value = serde_json::from_slice(&result).unwrap();
        let milliseconds = result["milliseconds"].as_f64().unwrap();
        let time = Duration::from_secs_f64(milliseconds / 1000.0);
        Ok(Call { answer: result["answer"].clone(), time, output })
    }
}
