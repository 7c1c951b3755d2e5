//! A handler's language in, what a bare call into an interpreter's process takes out: the same event as
//! `dev` sends, a line over the same kind of socket, to a loop that does nothing but call the handler.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::load::{BODIES, Figures};
use crate::servers::{FNSCAFFOLD, Language, NODE, PYTHON, write_function};

const LOOP_NODE: &str = r#"
const { main } = require("./index.js");
const socket = require("net").connect(process.argv[2]).setEncoding("utf8");
let rest = "";
socket.on("data", async (text) => {
  const lines = (rest + text).split("\n");
  rest = lines.pop();
  for (const line of lines) socket.write(JSON.stringify(await main(JSON.parse(line), {})) + "\n");
});
socket.on("close", () => process.exit());
"#;

const LOOP_PYTHON: &str = r#"
import json, socket, sys
from index import main

connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
for line in connection.makefile("rb"):
    connection.sendall(json.dumps(main(json.loads(line), {})).encode() + b"\n")
"#;

/// An interpreter that waits for events. It ends with its socket.
pub struct Bare {
    pub language: Language,
    writer: UnixStream,
    reader: BufReader<UnixStream>,
    event: String,
    child: Child,
}

impl Bare {
    pub fn start(root: &Path, language: Language) -> Self {
        let directory = root.join(format!("bare-{}", language.name()));
        fs::create_dir_all(&directory).unwrap();
        let (file, code, script, text) = match language {
            Language::Node => ("index.js", NODE, "loop.js", LOOP_NODE),
            Language::Python => ("index.py", PYTHON, "loop.py", LOOP_PYTHON),
        };
        fs::write(directory.join(file), code).unwrap();
        fs::write(directory.join(script), text).unwrap();
        let place = directory.join("socket");
        let listener = UnixListener::bind(&place).unwrap();
        let child = Command::new(language.program()).arg(directory.join(script)).arg(&place).spawn().unwrap();
        let writer = listener.accept().unwrap().0;
        let reader = BufReader::new(writer.try_clone().unwrap());
        Self { language, writer, reader, event: event(root), child }
    }

    /// Calls it one time after the other.
    pub fn call(&mut self, limit: Duration) -> Figures {
        let (began, mut took, mut line) = (Instant::now(), Vec::new(), String::new());
        while began.elapsed() < limit {
            let asked = Instant::now();
            self.writer.write_all(self.event.as_bytes()).unwrap();
            line.clear();
            self.reader.read_line(&mut line).unwrap();
            took.push(asked.elapsed());
            let answer: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(BODIES.contains(&answer["body"].as_str().unwrap().as_bytes()), "{line}");
        }
        Figures::of(took, began.elapsed())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a handler gets, as one line.
fn event(root: &Path) -> String {
    let directory = root.join("event");
    let code = "exports.main = (event) => ({ body: JSON.stringify(event) });";
    write_function(&directory, "nodejs22", "", "index.js", code);
    let mut command = Command::new(FNSCAFFOLD);
    command.args(["invoke", "-q", "--source", "-C"]).arg(&directory).arg("--interpreter");
    let output = command.arg(Language::Node.program()).output().unwrap();
    let event = String::from_utf8(output.stdout).unwrap();
    assert!(event.contains("httpMethod"), "{event}");
    event
}
