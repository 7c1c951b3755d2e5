//! The clients that functions use, unmodified, in; the token of the emulated metadata service out. By
//! each way there: led there from outside as they connect, or inside the interpreter.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests touch the disk and start processes, and fail by panicking"
)]

#[path = "common/commands.rs"]
mod commands;
#[path = "common/fnscaffold.rs"]
mod fnscaffold;
#[expect(dead_code, reason = "tests/invoke.rs needs more of it")]
#[path = "invoke/function.rs"]
mod function;
#[path = "common/nodes.rs"]
mod nodes;
#[path = "common/pythons.rs"]
mod pythons;
#[path = "common/tools.rs"]
mod tools;

#[cfg(target_os = "linux")]
use std::fs;
use std::io::{Write, stderr};
#[cfg(target_os = "linux")]
use std::process::Command;
#[cfg(target_os = "linux")]
use std::thread::sleep;
#[cfg(target_os = "linux")]
use std::time::{Duration, Instant};

use serde_json::Value;

use function::{Function, cache, every_node, every_python};

const FAKE: &str = "fake-iam-token-from-fnscaffold-0001";
const TRACE: [&str; 2] = ["--metadata-route", "trace"];
const PRELOAD: [&str; 2] = ["--metadata-route", "preload"];

/// Every client has the token.
fn judge(function: &Function, arguments: &[&str], least: usize) {
    let answers = function.body(arguments);
    let answers = answers.as_object().unwrap();
    assert!(answers.len() >= least, "{answers:?}");
    for (name, answer) in answers {
        assert_eq!(answer, FAKE, "{name} on {}: {answer}", function.interpreter.display());
    }
}

fn node_functions() -> Vec<Function> {
    every_node(&[
        ("index.js", include_str!("clients/index.js")),
        ("package.json", include_str!("tools/clients/package.json")),
        ("package-lock.json", include_str!("tools/clients/package-lock.json")),
    ])
}

#[test]
fn clients_of_nodejs_get_the_token() {
    for mut function in node_functions() {
        let least = if function.runtime == "nodejs16" { 5 } else { 6 };
        judge(function.account(), &[], least);
        judge(&function, &PRELOAD, least);
    }
}

const CLIENTS: &str = "requests urllib urllib3 httpx httpx_async aiohttp yandexcloud \
                       yandexcloud_by_address google_auth google_auth_default";

fn python_functions() -> Vec<Function> {
    let mut functions = every_python(&[
        ("index.py", include_str!("clients/index.py")),
        ("requirements.txt", include_str!("tools/clients/requirements.txt")),
    ]);
    for function in &mut functions {
        // Its own name is resolved only where Google runs it.
        function.account().variable("GCE_METADATA_HOST", "169.254.169.254").variable("CLIENTS", CLIENTS);
    }
    functions
}

#[test]
fn clients_of_python_get_the_token() {
    for function in python_functions() {
        judge(&function, &PRELOAD, 10);
    }
}

/// Whether programs can be led from outside here; says why not.
fn can_trace() -> bool {
    let directory = tempfile::tempdir().unwrap();
    let mut doctor = fnscaffold::fnscaffold(directory.path(), &["doctor", "--format", "json"]);
    let told: Value =
        serde_json::from_str(&fnscaffold::run(doctor.env("FNSCAFFOLD_CACHE", cache())).stdout).unwrap();
    let refused = &told["machine"]["traceRefused"];
    if !refused.is_null() {
        // A kernel that forbids it lacks nothing, so this is no failure under FNSCAFFOLD_REQUIRE_TOOLS.
        let _ = writeln!(stderr(), "left out: no program can be led from outside here: {refused}");
    }
    refused.is_null()
}

#[test]
fn led_from_outside_clients_need_no_preload() {
    if !can_trace() {
        return;
    }
    for mut function in node_functions() {
        let least = if function.runtime == "nodejs16" { 5 } else { 6 };
        judge(function.account(), &TRACE, least);
    }
    for mut function in python_functions() {
        // Its event loop is not Python's, so that nothing inside leads it there.
        function.variable("CLIENTS", &format!("{CLIENTS} uvloop"));
        judge(&function, &TRACE, 11);
    }
}

/// A program that loads nothing, or nothing where this machine cannot make one.
#[cfg(target_os = "linux")]
fn static_program() -> Option<Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("ask");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/ask.c");
    let compiled = Command::new("cc").args(["-static", "-o"]).arg(&program).arg(source).output();
    if compiled.is_ok_and(|compiled| compiled.status.success()) {
        return Some(fs::read(program).unwrap());
    }
    commands::absent("C compiler with a static library");
    None
}

#[cfg(target_os = "linux")]
#[test]
fn every_program_is_led_and_goes_on_as_if_nobody_looked() {
    if !can_trace() {
        return;
    }
    let ask = static_program();
    for mut function in every_python(&[("index.py", include_str!("clients/programs.py"))]) {
        let mut clients = "socket mapped threads fork isolated curl".to_owned();
        if let Some(ask) = &ask {
            fs::write(function.path().join("ask"), ask).unwrap();
            clients += " static";
        }
        function.account().variable("CLIENTS", &clients);
        let body = function.body(&TRACE);
        for name in clients.split(' ') {
            assert_eq!(body["clients"][name], FAKE, "{name}: {body}");
        }
        let expected = serde_json::json!({
            "local": true,
            "named": true,
            "signals": 5,
            "stopped": [true, true, -9],
            "ends": [7, -11],
            "variables": [null, null],
        });
        assert_eq!(body["beside"], expected);
        let told = function.invoke(&["-v"]).stderr;
        assert!(told.contains("169.254.169.254: every program of the function is led to it"), "{told}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn where_no_program_can_be_led_the_interpreter_leads() {
    let Some(function) = every_python(&[
        ("index.py", include_str!("clients/index.py")),
        ("requirements.txt", "requests==2.34.2\n"),
    ])
    .pop() else {
        return;
    };
    let mut function = function;
    function.account().variable("CLIENTS", "requests urllib");
    let refused = |arguments: &[&str]| {
        let allowed = function.command(arguments);
        let mut command = Command::new(&function.interpreter);
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/refuse.py"));
        command.arg(allowed.get_program()).args(allowed.get_args());
        command.current_dir(function.path());
        for (name, value) in allowed.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        fnscaffold::run(&mut command)
    };
    let run = refused(&["invoke", "-v", "--show-token"]).expect(0);
    assert_eq!(run.stdout.matches(FAKE).count(), 2, "{}", run.stdout);
    assert!(run.stderr.contains("169.254.169.254: led to it inside Node.js and Python"), "{}", run.stderr);
    assert!(run.stderr.contains("Operation not permitted"), "{}", run.stderr);
    let run = refused(&[&["invoke"][..], &TRACE].concat()).expect(3);
    assert!(run.stderr.contains("leave --metadata-route trace out"), "{}", run.stderr);
    assert!(refused(&["doctor"]).stdout.contains("169.254.169.254: led to it inside"));
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_leaves_the_group_of_those_that_are_led_and_lives() {
    if !can_trace() {
        return;
    }
    let code = "const child = require('child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });\nexports.main = async () => ({ body: String(child.pid) });\n";
    for function in every_node(&[("index.js", code)]).into_iter().take(1) {
        let body = function.call(&TRACE)["body"].as_str().unwrap().to_owned();
        let is_left = || {
            let stat = fs::read_to_string(format!("/proc/{body}/stat")).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        let began = Instant::now();
        while is_left() {
            assert!(began.elapsed() < Duration::from_secs(20), "{body} lives");
            sleep(Duration::from_millis(10));
        }
    }
}
