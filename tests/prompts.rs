//! The prompts of `new` and `init`, driven through a pseudo-terminal as a person would.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests touch the disk and start processes, and fail by panicking"
)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use rexpect::process::WaitStatus;
use rexpect::session::{PtySession, spawn_command};

const DOWN: &str = "\x1b[B";
const SECONDS: u64 = 20;

fn start(directory: &Path, arguments: &[&str]) -> PtySession {
    start_in(directory, Command::new(env!("CARGO_BIN_EXE_fnscaffold")), arguments)
}

fn start_in(directory: &Path, mut command: Command, arguments: &[&str]) -> PtySession {
    command.args(arguments).current_dir(directory).env_remove("CI").env("TERM", "xterm").env("NO_COLOR", "1");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FNSCAFFOLD_")) {
        command.env_remove(name);
    }
    spawn_command(command, Some(SECONDS * 1000)).unwrap()
}

/// Waits for each prompt and answers it.
fn converse(session: &mut PtySession, exchange: &[(&str, &str)]) {
    for (prompt, answer) in exchange {
        session.exp_string(prompt).unwrap_or_else(|error| panic!("`{prompt}`: {error}"));
        answer_with(session, answer);
    }
}

/// Between the words of a prompt and the moment it listens, keys are lost. No person is that fast.
fn answer_with(session: &mut PtySession, answer: &str) {
    sleep(Duration::from_millis(200));
    session.send(answer).unwrap();
    session.flush().unwrap();
}

fn exit_code(session: &mut PtySession) -> i32 {
    let rest = session.exp_eof().unwrap();
    match session.process().wait().unwrap() {
        WaitStatus::Exited(_, code) => code,
        other => panic!("{other:?}: {rest}"),
    }
}

fn manifest(directory: &Path) -> toml::Table {
    fs::read_to_string(directory.join("function.toml")).unwrap().parse().unwrap()
}

#[test]
fn enter_everywhere_takes_the_guides_answers() {
    let directory = tempfile::tempdir().unwrap();
    let mut session = start(directory.path(), &["new"]);
    let prompts = [
        "Name",
        "Language",
        "IAM token from",
        "Runtime",
        "Service account id",
        "Change entry point",
        "Write it?",
    ];
    converse(&mut session, &prompts.map(|prompt| (prompt, "\r")));
    assert_eq!(exit_code(&mut session), 0);
    let manifest = manifest(&directory.path().join("my-app"));
    assert_eq!(manifest["version"]["runtime"].as_str(), Some("nodejs16"));
    assert_eq!(manifest["template"]["name"].as_str(), Some("nodejs/context"));
    assert!(directory.path().join("my-app/dist/index-js.zip").exists());
}

#[test]
fn every_answer_is_kept_and_a_wrong_one_is_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("taken/x")).unwrap();
    let mut session = start(directory.path(), &["new"]);
    converse(
        &mut session,
        &[
            ("Name", "My App\r"),
            ("`My App` is not allowed; take `my-app`", "\x15taken\r"),
            ("`taken` is not empty", "\x15hello-fn\r"),
            ("Language", DOWN),
            ("Python", "\r"),
            ("IAM token from", DOWN),
            ("metadata", "\r"),
            ("Runtime", "\x1b[A"),
            ("python312", "\r"),
            ("Service account id", "aje0123456789abcdefg\r"),
            ("Change entry point", "y"),
            ("Entry point", "app.handle\r"),
            ("Memory", "100MB\r"),
            ("`100MB` is not allowed; take `128MB`", "\x15256MB\r"),
            ("Timeout", "10s\r"),
            ("Write it?", "y"),
        ],
    );
    assert_eq!(exit_code(&mut session), 0);
    let function = directory.path().join("hello-fn");
    let manifest = manifest(&function);
    let version = &manifest["version"];
    for (key, value) in [
        ("runtime", "python312"),
        ("entrypoint", "app.handle"),
        ("memory", "256MB"),
        ("timeout", "10s"),
        ("service-account-id", "aje0123456789abcdefg"),
    ] {
        assert_eq!(version[key].as_str(), Some(value), "{key}");
    }
    assert!(fs::read_to_string(function.join("app.py")).unwrap().contains("def handle(event, context):"));
}

#[test]
fn a_flag_is_a_prompt_that_is_not_asked() {
    let directory = tempfile::tempdir().unwrap();
    let flags =
        ["new", "abc", "--lang", "js", "--runtime", "latest", "--entrypoint", "a.b", "--memory", "1GB"];
    let mut session = start(directory.path(), &flags);
    let before = session.exp_string("IAM token from").unwrap();
    assert!(!before.contains("Name") && !before.contains("Language"), "{before}");
    answer_with(&mut session, "\r");
    converse(&mut session, &[("Service account id", "\r"), ("Change entry point", "n"), ("Write it?", "\r")]);
    assert_eq!(exit_code(&mut session), 0);
    assert!(directory.path().join("abc/a.js").exists());
}

#[test]
fn over_a_function_its_answers_are_not_asked_for_and_what_is_lost_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let first =
        ["new", "--runtime", "nodejs22", "--mode", "api", "--service-account-id", "aje0123456789abcdefg"];
    assert_eq!(exit_code(&mut start(directory.path(), &[&first[..], &["-y"]].concat())), 0);
    let mut session = start(directory.path(), &["new", "--force", "--memory", "256MB"]);
    converse(&mut session, &[("Name", "\r")]);
    session.exp_string("overwrites: .gitignore, ").unwrap();
    converse(&mut session, &[("Write it?", "\r")]);
    assert_eq!(exit_code(&mut session), 0);
    let version = &manifest(&directory.path().join("my-app"))["version"];
    assert_eq!((version["runtime"].as_str(), version["memory"].as_str()), (Some("nodejs22"), Some("256MB")));
}

#[test]
fn a_flag_that_is_wrong_is_told_before_anything_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let mut session = start(directory.path(), &["new", "--memory", "100MB"]);
    let seen = session.exp_eof().unwrap();
    assert!(seen.contains("100MB") && !seen.contains("Name"), "{seen}");
    assert_eq!(exit_code(&mut session), 2);
}

#[test]
fn leaving_at_any_prompt_leaves_nothing() {
    let prompts = [
        "Name",
        "Language",
        "IAM token from",
        "Runtime",
        "Service account id",
        "Change entry point",
        "Write it?",
    ];
    for last in 0..prompts.len() {
        for key in ["\x03", "\x1b"] {
            // Escape leaves a choice; in a text it is no answer.
            if key == "\x1b" && matches!(prompts[last], "Name" | "Service account id") {
                continue;
            }
            let directory = tempfile::tempdir().unwrap();
            let mut session = start(directory.path(), &["new"]);
            let mut exchange: Vec<_> = prompts[..last].iter().map(|prompt| (*prompt, "\r")).collect();
            exchange.push((prompts[last], key));
            converse(&mut session, &exchange);
            let rest = session.exp_eof().unwrap();
            let ended = session.process().wait().unwrap();
            assert!(matches!(ended, WaitStatus::Exited(_, 130)), "{} {key:?}: {ended:?}", prompts[last]);
            let shows_cursor = key == "\x1b" || rest.contains("\x1b[?25h");
            assert!(shows_cursor, "{} {key:?}: {rest:?}", prompts[last]);
            assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0, "{} {key:?}", prompts[last]);
        }
    }
}

/// One that wraps would stay behind whenever another is marked.
#[test]
fn choices_are_as_short_as_the_terminal_is_narrow() {
    let directory = tempfile::tempdir().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "stty cols 30 rows 20 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_fnscaffold")]);
    let mut session = start_in(directory.path(), shell, &["new", "my-app", "--lang", "js"]);
    converse(&mut session, &[("IAM token from", "\r"), ("Runtime", "\x03")]);
    let choices = session.exp_eof().unwrap();
    // Of bytes, and the dots that stand for the rest have three.
    let longest =
        choices.lines().filter(|line| line.contains("nodejs")).map(|line| line.chars().count()).max();
    assert!(longest.is_some_and(|longest| longest < 33), "{choices:?}");
}

#[test]
fn no_is_an_answer_too() {
    let directory = tempfile::tempdir().unwrap();
    let mut session =
        start(directory.path(), &["new", "--lang", "py", "--mode", "api", "--runtime", "latest"]);
    converse(
        &mut session,
        &[("Name", "\r"), ("Service account id", "\r"), ("Change entry point", "\r"), ("Write it?", "n")],
    );
    assert_eq!(exit_code(&mut session), 130);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn nobody_is_asked_who_said_so() {
    for arguments in [&["new", "--no-input"][..], &["new", "-y"], &["new", "--format", "json"]] {
        let directory = tempfile::tempdir().unwrap();
        let mut session = start(directory.path(), arguments);
        let said = session.exp_eof().unwrap();
        assert!(said.contains("FNSCAFFOLD_LANG") && said.contains("FNSCAFFOLD_MODE"), "{said}");
        assert!(matches!(session.process().wait().unwrap(), WaitStatus::Exited(_, 2)), "{said}");
    }
    let directory = tempfile::tempdir().unwrap();
    let mut session = start(directory.path(), &["new", "-y", "--lang", "py", "--mode", "api"]);
    assert_eq!(exit_code(&mut session), 0);
    assert!(directory.path().join("my-app/index.py").exists());
}

#[test]
fn init_asks_where_the_code_leaves_a_choice() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(
        directory.path().join("index.py"),
        "def first(event, context):\n    return {}\n\n\ndef second(event, context):\n    return {}\n",
    )
    .unwrap();
    let mut session = start(directory.path(), &["init"]);
    converse(&mut session, &[("Entry point", DOWN), ("second", "\r"), ("Name", "\x15adopted\r")]);
    assert_eq!(exit_code(&mut session), 0);
    let manifest = manifest(directory.path());
    assert_eq!(manifest["name"].as_str(), Some("adopted"));
    assert_eq!(manifest["version"]["entrypoint"].as_str(), Some("index.second"));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2);
}

#[test]
fn init_asks_for_the_language_before_the_entry_point() {
    let directory = tempfile::tempdir().unwrap();
    for file in ["package.json", "requirements.txt"] {
        fs::write(directory.path().join(file), "{}").unwrap();
    }
    let mut session = start(directory.path(), &["init"]);
    converse(
        &mut session,
        &[
            ("Language", "\r"),
            ("no exported function", ""),
            ("Entry point", "src/a.b.c\r"),
            ("more than one dot", "\x15src/a.b\r"),
            ("Name", "\x15adopted\r"),
        ],
    );
    // It says that the file is missing.
    assert_eq!(exit_code(&mut session), 1);
    let manifest = manifest(directory.path());
    assert_eq!(manifest["version"]["runtime"].as_str(), Some("nodejs16"));
    assert_eq!(manifest["version"]["entrypoint"].as_str(), Some("src/a.b"));
}

#[test]
fn a_language_that_all_files_share_is_not_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("src")).unwrap();
    for file in ["package.json", "tsconfig.json", "src/index.ts"] {
        fs::write(directory.path().join(file), "{}").unwrap();
    }
    let mut session = start(directory.path(), &["init"]);
    converse(&mut session, &[("no JavaScript file", ""), ("Entry point", "\r"), ("Name", "\x15adopted\r")]);
    assert_eq!(exit_code(&mut session), 1);
    let manifest = manifest(directory.path());
    assert_eq!(manifest["version"]["entrypoint"].as_str(), Some("index.main"));
}

#[test]
fn what_comes_while_a_person_is_asked_is_not_overwritten() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("my-app/index.js");
    let answers = ["--lang", "js", "--mode", "context", "--runtime", "latest", "--service-account-id", ""];
    let settings = ["--entrypoint", "index.main", "--memory", "1GB", "--timeout", "3s"];
    let mut session = start(directory.path(), &[&["new", "my-app"], &answers[..], &settings].concat());
    session.exp_string("Write it?").unwrap();
    fs::create_dir(path.parent().unwrap()).unwrap();
    fs::write(&path, "precious").unwrap();
    answer_with(&mut session, "y");
    assert_eq!(exit_code(&mut session), 4);
    assert_eq!(fs::read(&path).unwrap(), b"precious");

    fs::write(&path, "exports.main = async (event, context) => 1;\n").unwrap();
    let manifest = directory.path().join("my-app/function.toml");
    let mut session = start(directory.path(), &["-C", "my-app", "init"]);
    session.exp_string("Name").unwrap();
    fs::write(&manifest, "precious").unwrap();
    answer_with(&mut session, "\r");
    assert_eq!(exit_code(&mut session), 4);
    assert_eq!(fs::read(&manifest).unwrap(), b"precious");
}
