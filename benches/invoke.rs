//! `cargo bench --bench invoke`: what a cold `invoke` costs beside the bare interpreter that runs an equal
//! script: it loads the same handler, calls it once with an event and a context, and prints the body.
//!
//! Prints medians and their ratio. Nothing is asserted: machines are noisy, and ratios are for people to
//! judge.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark starts processes, has a clock, and fails by panicking"
)]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const RUNS: usize = 60;
const FNSCAFFOLD: &str = env!("CARGO_BIN_EXE_fnscaffold");
const ACCOUNT: &str = "ajeexampleaccount000";

const NODE: &str = r#"const { main } = require("./index.js");
const token = { access_token: "t", expires_in: 43200, token_type: "Bearer" };
const event = { httpMethod: "GET", headers: {}, body: "", isBase64Encoded: true };
const context = { requestId: "1", memoryLimitInMB: "128", token };
Promise.resolve(main(event, context)).then((answer) => console.log(answer.body));
"#;

const PYTHON: &str = r#"from index import main

class Context:
    request_id = "1"
    memory_limit_in_mb = 128
    token = {"access_token": "t", "expires_in": 43200, "token_type": "Bearer"}

event = {"httpMethod": "GET", "headers": {}, "body": "", "isBase64Encoded": True}
print(main(event, Context())["body"])
"#;

fn main() {
    compare("nodejs", "node", &["-p", "process.execPath"], "equal.js", NODE, &[&[]]);
    // As it is started by hand, and as the emulator starts it: without the packages of this machine.
    let flags: [&[&str]; 2] = [&["-B"], &["-S", "-s", "-B"]];
    compare("python", "python3", &["-c", "import sys; print(sys.executable)"], "equal.py", PYTHON, &flags);
}

fn compare(lang: &str, program: &str, itself: &[&str], name: &str, script: &str, flags: &[&[&str]]) {
    let Some(interpreter) = real_path(program, itself) else {
        println!("{lang}: left out, there is no {program}");
        return;
    };
    let directory = function(lang);
    let function = directory.path().join("my-app");
    fs::write(function.join("dist").join(name), script).unwrap();
    for file in ["index.js", "index.py"] {
        let _ = fs::copy(function.join(file), function.join("dist").join(file));
    }
    let invoke = || {
        let mut command = Command::new(FNSCAFFOLD);
        command.arg("-C").arg(&function).args(["invoke", "-q", "--interpreter"]).arg(&interpreter);
        command.env("FNSCAFFOLD_CACHE", directory.path().join("cache"));
        time(&mut command)
    };
    println!("cold invoke of a context handler, {lang} at {}", interpreter.display());
    for flags in flags {
        // With none of this machine's variables, as in the emulator: some make interpreters slow.
        let bare = || {
            let mut command = Command::new(&interpreter);
            time(command.args(*flags).arg(name).env_clear().current_dir(function.join("dist")))
        };
        // In turn, so that a machine that grows slower does so for both.
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            ours.push(invoke());
            theirs.push(bare());
        }
        let [ours, theirs] = [median(ours), median(theirs)];
        println!(
            "  {ours:>6.1} ms, bare{} {theirs:>6.1} ms, ratio {:.2}, {:+.1} ms",
            flags.iter().map(|flag| format!(" {flag}")).collect::<String>(),
            ours / theirs,
            ours - theirs
        );
    }
}

/// The program behind what PATH has, which may be a script that looks for it.
fn real_path(program: &str, itself: &[&str]) -> Option<PathBuf> {
    let output = Command::new(program).args(itself).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| PathBuf::from(path.trim()))
}

/// What `new` makes, archive included, in `my-app`.
fn function(lang: &str) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let new = ["new", "my-app", "--lang", lang, "--mode", "context", "--service-account-id", ACCOUNT, "-q"];
    run(Command::new(FNSCAFFOLD).args(new).current_dir(directory.path()));
    directory
}

fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

fn time(command: &mut Command) -> Duration {
    let start = Instant::now();
    run(command);
    start.elapsed()
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}
