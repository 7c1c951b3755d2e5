//! Handlers that `new` wrote, under the real interpreters, against a metadata service on loopback.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests run the program from outside and fail where they stand"
)]

#[path = "common/calls.rs"]
mod calls;
#[path = "common/commands.rs"]
mod commands;
#[path = "common/fnscaffold.rs"]
mod fnscaffold;
#[path = "interpreters/metadata.rs"]
mod metadata;
#[path = "common/nodes.rs"]
mod nodes;
#[path = "common/pythons.rs"]
mod pythons;
#[path = "common/tools.rs"]
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use calls::{Call, Caller};
use commands::succeed;
use fnscaffold::{fnscaffold, run};
use metadata::{Behaviour, Metadata, closed_port};
use nodes::{Node, nodes};
use pythons::{Python, pythons};
use tools::{installed, npm_ci, pins};

/// The timeout that `new` gives a function.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A runtime, and the interpreter that stands for it here.
struct Interpreter {
    runtime: &'static str,
    program: PathBuf,
    /// For Python, to install with.
    python: Option<Python>,
}

impl Interpreter {
    /// All of a language, oldest first.
    fn all(lang: &str) -> Vec<Self> {
        if lang == "node" {
            let interpreter =
                |node: Node| Self { runtime: node.runtime, program: node.program, python: None };
            return nodes().into_iter().map(interpreter).collect();
        }
        let interpreter = |python: &Python| Self {
            runtime: match python.version.as_str() {
                "3.11" => "python311",
                // The platform has no 3.13.
                "3.12" | "3.13" => "python312",
                _ => "python314",
            },
            program: python.program.clone(),
            python: Some(python.clone()),
        };
        pythons().iter().map(interpreter).collect()
    }
}

/// What `new` wrote and an independent tool unpacked, with what it depends on installed.
struct Function<'a> {
    interpreter: &'a Interpreter,
    entrypoint: &'a str,
    directory: TempDir,
    /// Python's packages.
    packages: Option<PathBuf>,
}

impl<'a> Function<'a> {
    fn new(interpreter: &'a Interpreter, mode: &str, entrypoint: &'a str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let lang = if interpreter.python.is_some() { "python" } else { "nodejs" };
        let flags = [
            "new",
            "--lang",
            lang,
            "--mode",
            mode,
            "--runtime",
            interpreter.runtime,
            "--entrypoint",
            entrypoint,
        ];
        run(&mut fnscaffold(directory.path(), &flags)).expect(0);
        let archive = if lang == "python" { "index-py.zip" } else { "index-js.zip" };
        let archive = directory.path().join("my-app/dist").join(archive);
        let unpacked = directory.path().join("code");
        let unpack = ["-m", "zipfile", "--extract"];
        succeed(Command::new(&pythons()[0].program).args(unpack).arg(archive).arg(&unpacked));
        let mut function = Self { interpreter, entrypoint, directory, packages: None };
        function.install();
        function
    }

    fn code(&self) -> PathBuf {
        self.directory.path().join("code")
    }

    /// The packages that the archive asks for. Each set is installed once.
    fn install(&mut self) {
        if let Ok(package) = fs::read(self.code().join("package.json")) {
            let modules = installed(&format!("modules-{}", short_hash(&package)), |place| {
                fs::write(place.join("package.json"), &package).unwrap();
                fs::copy(pins().join("my-app/package-lock.json"), place.join("package-lock.json")).unwrap();
                npm_ci(place);
            });
            copy_tree(&modules.join("node_modules"), &self.code().join("node_modules"));
        }
        let (Some(python), Ok(requirements)) =
            (&self.interpreter.python, fs::read(self.code().join("requirements.txt")))
        else {
            return;
        };
        let name = format!("packages-{}-{}", python.version, short_hash(&requirements));
        self.packages = Some(
            installed(&name, |place| {
                let environment = place.join("pip");
                succeed(Command::new(&python.program).args(["-m", "venv"]).arg(&environment));
                let bin = if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" };
                let install = [
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--only-binary",
                    ":all:",
                ];
                let mut pip = Command::new(environment.join(bin));
                pip.args(install).arg("--constraint").arg(pins().join("requirements.txt"));
                pip.arg("--requirement").arg(self.code().join("requirements.txt"));
                succeed(pip.arg("--target").arg(place.join("site")));
            })
            .join("site"),
        );
    }

    fn call(&self, context: &Value, port: u16) -> Call {
        let interpreter = Caller { program: &self.interpreter.program, packages: self.packages.as_deref() };
        let called = interpreter.call(&self.code(), self.entrypoint, context, port);
        called.unwrap_or_else(|problem| panic!("{}: {problem}", self.interpreter.runtime))
    }
}

/// Checks the envelope; gives the status and the document in the body.
fn opened(call: &Call) -> (u64, Value) {
    assert_eq!(call.output, "", "a handler prints nothing");
    let envelope = call.answer.as_object().unwrap();
    let keys: Vec<_> = envelope.keys().map(String::as_str).collect();
    assert_eq!(keys, ["statusCode", "headers", "body"]);
    assert_eq!(envelope["headers"], json!({ "Content-Type": "application/json" }));
    let body = envelope["body"].as_str().expect("the body is a string");
    (envelope["statusCode"].as_u64().unwrap(), serde_json::from_str(body).expect("the body is JSON"))
}

fn is_the_token(call: &Call) {
    let wanted = json!({ "access_token": token(), "expires_in": 42299, "token_type": "Bearer" });
    assert_eq!(opened(call), (200, wanted));
}

/// What keeps it from being an error with a reason, given soon enough, that gives nothing away.
fn problem(call: &Call, wanted: u64) -> Option<String> {
    let (status, document) = opened(call);
    let token = token();
    let mut pieces = (0..token.len() - 12).map(|start| &token[start..start + 12]);
    let reason = document["error"].as_str().unwrap_or_default().strip_prefix("no token: ");
    if status != wanted {
        Some(format!("answers {status}"))
    } else if reason.is_none_or(str::is_empty) || document.as_object().is_none_or(|keys| keys.len() > 1) {
        Some("gives no reason".to_owned())
    } else if pieces.any(|piece| call.answer.to_string().contains(piece)) {
        Some(format!("gives the token away: {document}"))
    } else if call.time >= TIMEOUT {
        Some(format!("takes {:?}", call.time))
    } else {
        None
    }
}

/// As long as real ones are, and no token.
fn token() -> String {
    let digits: String = (0..200_u32).map(|place| char::from(b'a' + (place * place % 23) as u8)).collect();
    format!("t1.9euelZq{digits}")
}

fn token_document() -> Value {
    // What is not asked for is not passed on.
    json!({ "access_token": token(), "expires_in": 42299, "token_type": "Bearer", "scope": "all" })
}

fn short_hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

fn context_handlers(lang: &str) {
    for interpreter in Interpreter::all(lang) {
        for entrypoint in ["index.main", "app.handle_event"] {
            let function = Function::new(&interpreter, "context", entrypoint);
            let port = closed_port();
            is_the_token(&function.call(&json!({ "requestId": "1", "token": token_document() }), port));
            for context in [json!({ "requestId": "1" }), json!({ "requestId": "1", "token": null })] {
                let problem = problem(&function.call(&context, port), 500);
                assert_eq!(problem, None, "{}: {context}", interpreter.runtime);
            }
        }
    }
}

fn api_handlers(lang: &str) {
    // The context's token is not the one that is asked for.
    let context = json!({ "requestId": "1", "token": { "access_token": "another" } });
    let document = token_document().to_string();
    let answer = |status, body: &str| Behaviour::Answer(status, body.to_owned());
    let mut problems = Vec::new();
    for interpreter in Interpreter::all(lang) {
        let function = Function::new(&interpreter, "api", "index.main");
        let metadata = Metadata::start(answer(200, &document));
        is_the_token(&function.call(&context, metadata.port));
        assert_eq!(metadata.requests(), (1, 0));
        let about = |case: &str, problem: Option<String>| {
            problem.map(|problem| format!("{}, {case}: {problem}", interpreter.runtime))
        };
        problems.extend(about("nobody there", problem(&function.call(&context, closed_port()), 502)));
        let case_problem = |case: &str, behaviour: Behaviour| {
            let metadata = Metadata::start(behaviour);
            let problem = problem(&function.call(&context, metadata.port), 502);
            assert_eq!(metadata.requests(), (1, 0), "{case}");
            about(case, problem)
        };
        for (case, behaviour) in [
            ("no service account", answer(404, "not found")),
            ("no service account, in JSON", answer(404, r#"{"error":"none"}"#)),
            ("an error that talks too much", answer(500, &document)),
            ("an empty answer", answer(200, "")),
            ("a page", answer(200, "<html><body>hello</body></html>")),
            ("half a document", answer(200, &document[..document.len() / 2])),
            ("a bare token", answer(200, &token())),
            ("no token in the document", answer(200, r#"{"expires_in":1,"token_type":"Bearer"}"#)),
            ("an empty token", answer(200, r#"{"access_token":"","expires_in":1,"token_type":"Bearer"}"#)),
            ("null", answer(200, "null")),
            ("a list", answer(200, "[]")),
            ("a string", answer(200, r#""token""#)),
        ] {
            problems.extend(case_problem(case, behaviour));
        }
        // These take as long as the handler waits, and little else. A body that comes byte by byte is not
        // among them: `requests` limits each wait, not all of them together.
        problems.extend(thread::scope(|scope| {
            let waiting = [
                ("silence", Behaviour::Silence),
                ("half a body and silence", Behaviour::Stall(document.clone())),
                ("late headers and silence", Behaviour::LateStall),
            ]
            .map(|(case, behaviour)| {
                let case_problem = &case_problem;
                scope.spawn(move || case_problem(case, behaviour))
            });
            waiting.into_iter().filter_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        }));
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn node_context_handlers_answer_with_the_calls_token() {
    context_handlers("node");
}

#[test]
fn node_api_handlers_answer_with_the_metadata_services_token() {
    api_handlers("node");
}

#[test]
fn python_context_handlers_answer_with_the_calls_token() {
    context_handlers("python");
}

#[test]
fn python_api_handlers_answer_with_the_metadata_services_token() {
    api_handlers("python");
}
