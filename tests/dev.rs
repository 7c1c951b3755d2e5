//! `dev` and `doctor` with the real binary, real interpreters and real HTTP requests.
#![cfg(unix)]
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "tests touch the disk and start processes, and fail by panicking"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

#[path = "common/here.rs"]
mod here;

use here::is_here;

const FNSCAFFOLD: &str = env!("CARGO_BIN_EXE_fnscaffold");

/// Longer than anything takes on a machine that does many other things.
const PATIENCE: Duration = Duration::from_secs(60);

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A function directory called `name` with one file of code.
fn function(root: &Path, name: &str, runtime: &str, settings: &str, code: &str) {
    let file = if runtime.starts_with("nodejs") { "index.js" } else { "index.py" };
    let manifest = format!(
        "name = \"{name}\"\n[version]\nruntime = \"{runtime}\"\nentrypoint = \"index.main\"\n{settings}\n"
    );
    write(root, &format!("{name}/function.toml"), &manifest);
    write(root, &format!("{name}/{file}"), code);
}

fn node(root: &Path, code: &str) {
    function(root, "func", "nodejs22", "timeout = \"20s\"", code);
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what} did not happen");
        sleep(Duration::from_millis(10));
    }
}

/// What every server finds in its environment.
const SECRET: &str = "pa55word-of-the-test";

struct Dev {
    child: Child,
    document: Value,
    port: u16,
    err: Arc<Mutex<String>>,
    rest_of_out: Option<JoinHandle<String>>,
    /// Where it makes temporary directories.
    homes: TempDir,
}

impl Dev {
    fn start(root: &Path, arguments: &[&str]) -> Self {
        Self::try_start(root, arguments).unwrap_or_else(|err| panic!("dev did not start: {err}"))
    }

    /// The server, or what it said instead of starting.
    fn try_start(root: &Path, arguments: &[&str]) -> Result<Self, String> {
        Self::start_by(&mut Command::new(FNSCAFFOLD), root, arguments)
    }

    fn start_by(fnscaffold: &mut Command, root: &Path, arguments: &[&str]) -> Result<Self, String> {
        let homes = TempDir::new().unwrap();
        let mut child = fnscaffold
            .args(["dev", "--port", "0", "--format", "json"])
            .args(arguments)
            .current_dir(root)
            .env_remove("FNSCAFFOLD_IAM_TOKEN")
            .env("TMPDIR", homes.path())
            .env("FNSCAFFOLD_SECRET_GIVEN_SECRET", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let err = Arc::new(Mutex::new(String::new()));
        let (mut stream, said) = (child.stderr.take().unwrap(), Arc::clone(&err));
        thread::spawn(move || {
            let mut chunk = [0; 1 << 16];
            while let Ok(count @ 1..) = stream.read(&mut chunk) {
                said.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..count]));
            }
        });
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let document: Value = match serde_json::from_str(&line) {
            Ok(document) => document,
            Err(_) => {
                out.read_to_string(&mut line).unwrap();
                child.wait().unwrap();
                return Err(format!("{line}{}", err.lock().unwrap()));
            }
        };
        let port = u16::try_from(document["port"].as_u64().unwrap()).unwrap();
        let rest_of_out = Some(thread::spawn(move || {
            let mut rest = String::new();
            let _ = out.read_to_string(&mut rest);
            rest
        }));
        Ok(Self { child, document, port, err, rest_of_out, homes })
    }

    fn err(&self) -> String {
        self.err.lock().unwrap().clone()
    }

    fn says(&self, text: &str) {
        until(&format!("`{text}`"), || self.err().contains(text));
    }

    fn get(&self, path: &str) -> Answer {
        request(self.port, "GET", path, &[], b"")
    }

    fn signal(&mut self, signal: Signal) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let mut status = None;
        until("the end of dev", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("standard error of dev:\n{}", self.err());
        }
        if self.child.try_wait().unwrap().is_none() {
            let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
            let _ = kill_process(pid, Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

fn request(port: u16, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
    request_of("localhost", port, method, path, headers, body)
}

/// Asks for `host`, whatever leads there.
fn request_of(host: &str, port: u16, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(reader.read_line(&mut head).unwrap() > 0, "the answer has a head: {head}");
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .map(|rest| rest.lines().next().unwrap().parse::<u64>().unwrap());
    let mut body = Vec::new();
    reader.take(length.unwrap_or(u64::MAX)).read_to_end(&mut body).unwrap();
    Answer { status, head, body }
}

/// Whether a process is at work. One that ended and that nobody asked about is not.
fn is_running(process: u64) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    match stat.rsplit_once(')') {
        Some((_, rest)) => !rest.trim_start().starts_with('Z'),
        None => false,
    }
}

fn is_gone(process: u64) {
    until(&format!("the end of process {process}"), || !is_running(process));
}

#[test]
fn templates_answer_the_token_document() {
    if !is_here("node") || !is_here("python3") {
        return;
    }
    for (lang, mode, runtime) in [
        ("nodejs", "context", "nodejs16"),
        ("nodejs", "api", "nodejs16"),
        ("nodejs", "context", "nodejs22"),
        ("nodejs", "api", "nodejs22"),
        ("python", "context", "python311"),
        ("python", "api", "python311"),
    ] {
        let root = TempDir::new().unwrap();
        let account = "--service-account-id=ajeabcdefghijklmnopq";
        let new = ["new", "-q", "--lang", lang, "--mode", mode, "--runtime", runtime, account];
        let made = Command::new(FNSCAFFOLD).args(new).current_dir(root.path()).status().unwrap();
        assert!(made.success());
        let dev = match Dev::try_start(root.path(), &["my-app"]) {
            Err(said) if said.contains("connect this machine") => {
                eprintln!("skipped: {lang} {mode} needs the package registry");
                continue;
            }
            dev => dev.unwrap_or_else(|said| panic!("{said}")),
        };
        let answer = dev.get("/");
        assert_eq!(answer.status, 200, "{lang} {mode}: {answer:?}");
        let token = answer.json();
        assert_eq!(token["token_type"], "Bearer", "{lang} {mode}");
        assert!(token["access_token"].as_str().unwrap().starts_with("fake-"), "{lang} {mode}");
        assert!(token["expires_in"].is_u64(), "{lang} {mode}");
        assert!(answer.head.contains("x-request-id: "), "{}", answer.head);
    }
}

#[test]
fn a_change_is_served() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    node(root.path(), "exports.main = () => ({ body: 'one' });");
    let dev = Dev::start(root.path(), &["func"]);
    assert_eq!(dev.get("/").text(), "one");
    node(root.path(), "exports.main = () => ({ body: require('./lib/two') });");
    // In a directory that was not there before.
    write(root.path(), "func/lib/two.js", "module.exports = 'two';");
    until("the change", || dev.get("/").body == b"two");
    dev.says("reloaded in ");
    write(root.path(), "func/lib/two.js", "module.exports = 'three';");
    until("a change below", || dev.get("/").body == b"three");
    let settings = "name = \"func\"\n[version]\nruntime = \"nodejs22\"\nentrypoint = \"index.other\"\n";
    write(root.path(), "func/index.js", "exports.other = () => ({ body: 'four' });");
    write(root.path(), "func/function.toml", settings);
    until("a change of the entry point", || dev.get("/").body == b"four");
    // No Node.js that runs fnscaffold's tests is as old.
    write(root.path(), "func/function.toml", &settings.replace("nodejs22", "nodejs12"));
    dev.says("nodejs12 runs here on");
}

/// What a process has started and has not taken leave of.
#[cfg(target_os = "linux")]
fn children(process: u32) -> usize {
    let stats = fs::read_dir("/proc").unwrap().flatten();
    let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    // Behind the name: the state, and the parent.
    let parents = stats.filter_map(|stat| stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse().ok());
    parents.filter(|parent: &u32| *parent == process).count()
}

#[cfg(target_os = "linux")]
#[test]
fn changes_leave_no_process_behind() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    node(root.path(), "exports.main = () => ({ body: 'first' });");
    let dev = Dev::start(root.path(), &["func"]);
    assert_eq!(dev.get("/").text(), "first");
    let before = children(dev.child.id());
    assert!(before > 1);
    for round in 0..10 {
        node(root.path(), &format!("exports.main = () => ({{ body: '{round}' }});"));
        until("the change", || dev.get("/").text() == round.to_string());
    }
    until("the end of all but the last", || children(dev.child.id()) == before);
}

#[test]
fn what_is_not_packed_or_a_log_restarts_nothing() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    node(root.path(), "exports.main = () => ({ body: String(process.pid) });");
    write(root.path(), "func/.fnignore", "*.txt\n");
    let dev = Dev::start(root.path(), &["func"]);
    let first = dev.get("/").text().to_owned();
    for name in ["func/notes.txt", "func/.git/index", "func/__pycache__/a.pyc", "func/dev.log"] {
        write(root.path(), name, "nothing");
    }
    // Written again, but the same.
    node(root.path(), "exports.main = () => ({ body: String(process.pid) });");
    sleep(Duration::from_secs(1));
    assert_eq!(dev.get("/").text(), first);
    assert!(!dev.err().contains("reloaded"));
}

#[test]
fn a_request_in_flight_is_finished_by_the_old_code() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    let gate = root.path().join("gate");
    let slow = format!(
        "exports.main = async () => {{
           console.log('waiting');
           while (!require('fs').existsSync({gate:?})) await new Promise((r) => setTimeout(r, 20));
           return {{ body: 'old' }};
         }};"
    );
    node(root.path(), &slow);
    let dev = Dev::start(root.path(), &["func"]);
    let port = dev.port;
    let flying = thread::spawn(move || request(port, "GET", "/", &[], b""));
    dev.says("waiting");
    let waiting = thread::spawn(move || request(port, "GET", "/", &[], b""));
    sleep(Duration::from_millis(200));
    node(root.path(), "exports.main = () => ({ body: 'new' });");
    dev.says("reloaded in ");
    // Not one of these waits for the old one.
    assert_eq!(dev.get("/").text(), "new");
    assert_eq!(waiting.join().unwrap().text(), "new");
    fs::write(&gate, "").unwrap();
    assert_eq!(flying.join().unwrap().text(), "old");
}

#[test]
fn code_that_does_not_load_answers_502_until_it_is_mended() {
    if !is_here("python3") {
        return;
    }
    let root = TempDir::new().unwrap();
    let python = |code: &str| function(root.path(), "func", "python311", "", code);
    python("def main(event, context):\n    return {'body': 'fine'}\n");
    let dev = Dev::start(root.path(), &["func"]);
    assert_eq!(dev.get("/").text(), "fine");
    python("import nowhere_to_be_found\n");
    dev.says("No module named 'nowhere_to_be_found'");
    let answer = dev.get("/");
    assert_eq!(answer.status, 502);
    assert!(answer.head.contains("x-function-error: true"), "{}", answer.head);
    assert_eq!(answer.json()["errorType"], "ModuleNotFoundError");
    // What hangs is given up when it is mended.
    python("while True: pass\n");
    sleep(Duration::from_millis(300));
    python("def main(event, context):\n    return {'body': 'mended'}\n");
    until("mending", || dev.get("/").body == b"mended");
    // A manifest that cannot be read leaves what is there.
    write(root.path(), "func/function.toml", "name = [");
    dev.says("error[FN02");
    dev.says("calls are answered as before until it is mended");
    assert_eq!(dev.get("/").text(), "mended");
}

#[test]
fn no_fault_of_a_function_harms_the_server() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    let code = "
        exports.main = async (event) => {
          switch (event.queryStringParameters.fault) {
            case 'exit': process.exit(7);
            case 'hang': for (;;);
            case 'sleep': await new Promise(() => setTimeout(() => {}, 1e6));
            case 'flood': for (let i = 0; i < 40000; i++) console.log('a line of output ' + i); return { body: 'flooded' };
            case 'line': process.stdout.write('x'.repeat(5e6)); return { body: 'long' };
            case 'memory': { const all = []; for (;;) all.push(Buffer.alloc(1 << 20, 1)); }
            case 'large': return { body: 'x'.repeat(10 << 20) };
            case 'binary': return { body: Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('base64'), isBase64Encoded: true };
            case 'later': setTimeout(() => process.exit(3), 1); return { body: 'before' };
            case 'object': return { body: {} };
            default: return { body: 'well' };
          }
        };";
    function(root.path(), "func", "nodejs22", "timeout = \"5s\"", code);
    let dev = Dev::start(root.path(), &["func"]);
    let fault = |name: &str| dev.get(&format!("/?fault={name}"));
    let well = || assert_eq!(fault("none").text(), "well");
    let died = fault("exit");
    assert_eq!((died.status, died.json()["errorType"].as_str()), (502, Some("FunctionDied")));
    assert!(died.text().contains("exited with code 7"), "{}", died.text());
    well();
    for name in ["hang", "sleep"] {
        assert_eq!(fault(name).status, 504);
        well();
    }
    assert_eq!(fault("flood").text(), "flooded");
    well();
    assert_eq!(fault("line").text(), "long");
    well();
    let greedy = fault("memory");
    assert_eq!((greedy.status, greedy.json()["errorType"].as_str()), (502, Some("FunctionDied")));
    well();
    assert_eq!(fault("large").status, 413);
    well();
    assert_eq!(fault("binary").body, (0..=255).collect::<Vec<u8>>());
    assert_eq!(fault("object").json()["errorType"], "ProxyIntegrationError");
    assert_eq!(fault("later").text(), "before");
    sleep(Duration::from_millis(200));
    // That it ended between two calls is no fault of the next one.
    well();
}

#[test]
fn one_call_at_a_time() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    let code = "
        let running = 0, most = 0;
        exports.main = async () => {
          most = Math.max(most, ++running);
          await new Promise((r) => setTimeout(r, 20));
          running--;
          return { body: String(most) };
        };";
    node(root.path(), code);
    let dev = Dev::start(root.path(), &["func"]);
    let port = dev.port;
    assert_eq!(dev.get("/").text(), "1");
    // One that leaves does not make room while its call goes on.
    for _ in 0..5 {
        let mut leaver = TcpStream::connect(("127.0.0.1", port)).unwrap();
        leaver.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        sleep(Duration::from_millis(10));
    }
    let all: Vec<_> = (0..12).map(|_| thread::spawn(move || request(port, "GET", "/", &[], b""))).collect();
    for one in all {
        assert_eq!(one.join().unwrap().text(), "1");
    }
}

#[test]
fn as_many_calls_at_once_as_the_version_has() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    // Three calls wait for one another: with fewer at once none would end.
    let code = "
        const waiting = [];
        exports.main = async (event, context) => {
          const id = context.requestId;
          console.log('first ' + id);
          if (waiting.length < 2) await new Promise((go) => waiting.push(go));
          else waiting.splice(0).forEach((go) => go());
          await null;
          process.stdout.write('second ');
          process.stdout.write(id + '\\n');
          console.error('third ' + id);
          if (event.queryStringParameters.exit) process.exit(1);
          return { body: process.env.X_YCF_CONCURRENCY };
        };";
    function(root.path(), "func", "nodejs22", "concurrency = 3\ntimeout = \"20s\"", code);
    let dev = Dev::start(root.path(), &["func", "--log-format", "json"]);
    let port = dev.port;
    let all = |count, path: &'static str| {
        let ask = || thread::spawn(move || request(port, "GET", path, &[], b""));
        let all: Vec<_> = (0..count).map(|_| ask()).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    };
    assert!(all(9, "/").iter().all(|answer| answer.text() == "3"));
    until("the reports", || dev.err().matches("REPORT ").count() == 9);
    let records: Vec<Value> = dev.err().lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let said = |text: &str| {
        let of = |record: &&Value| record["message"].as_str().unwrap().starts_with(text);
        records.iter().filter(of).cloned().collect::<Vec<_>>()
    };
    for text in ["first ", "second ", "third "] {
        assert_eq!(said(text).len(), 9, "{text}");
        for record in said(text) {
            let id = record["message"].as_str().unwrap().strip_prefix(text).unwrap().trim_end();
            assert_eq!(record["requestId"], id, "{record}");
        }
    }
    // One that ends the process ends what else it does, and not what comes later.
    let answers = all(3, "/?exit=1");
    assert!(answers.iter().all(|answer| answer.status == 502), "{answers:?}");
    assert!(all(3, "/").iter().all(|answer| answer.status == 200));
}

#[test]
fn a_timeout_ends_every_call_of_the_instance() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    let code = "exports.main = async (event) => {
        console.log('called');
        if (event.queryStringParameters.well) return { body: 'well' };
        await new Promise(() => setInterval(() => {}, 1000));
    };";
    function(root.path(), "func", "nodejs22", "concurrency = 2\ntimeout = \"3s\"", code);
    let dev = Dev::start(root.path(), &["func"]);
    let port = dev.port;
    let first = thread::spawn(move || request(port, "GET", "/", &[], b""));
    dev.says("called");
    sleep(Duration::from_millis(500));
    let second = thread::spawn(move || request(port, "GET", "/", &[], b""));
    until("the second call", || dev.err().matches("called").count() == 2);
    let third = thread::spawn(move || request(port, "GET", "/?well=1", &[], b""));
    assert_eq!(first.join().unwrap().status, 504);
    let second = second.join().unwrap();
    assert_eq!((second.status, second.json()["errorType"].as_str()), (502, Some("FunctionDied")));
    assert_eq!(third.join().unwrap().text(), "well");
}

#[test]
fn waiting_for_a_turn_is_reported() {
    if !is_here("python3") {
        return;
    }
    let root = TempDir::new().unwrap();
    let gate = root.path().join("gate");
    let code = format!(
        "
import os, time
def main(event, context):
    print('called', flush=True)
    while not os.path.exists({gate:?}): time.sleep(0.01)
    return {{'body': ''}}
"
    );
    // Python serves one, whatever is asked for.
    function(root.path(), "func", "python311", "concurrency = 4\ntimeout = \"60s\"", &code);
    let dev = Dev::start(root.path(), &["func"]);
    let port = dev.port;
    let ask = || thread::spawn(move || request(port, "GET", "/", &[], b""));
    dev.says("loaded in ");
    let first = ask();
    dev.says("called");
    let second = ask();
    sleep(Duration::from_millis(500));
    assert_eq!(dev.err().matches("called").count(), 1);
    fs::write(&gate, "").unwrap();
    assert_eq!(first.join().unwrap().status, 200);
    assert_eq!(second.join().unwrap().status, 200);
    until("the reports", || dev.err().matches("REPORT ").count() == 2);
    let err = dev.err();
    let queuing = |line: &str| {
        let (_, rest) = line.split_once("Queuing Duration: ").unwrap();
        rest.split(' ').next().unwrap().parse::<f64>().unwrap()
    };
    let reports: Vec<f64> = err.lines().filter(|line| line.starts_with("REPORT ")).map(queuing).collect();
    assert!(reports[0] < reports[1], "{reports:?}");
}

#[test]
fn integrations_and_limits() {
    if !is_here("python3") {
        return;
    }
    let root = TempDir::new().unwrap();
    let code = "
def main(event, context):
    print('called with', type(event).__name__)
    if isinstance(event, str):
        return event + '!'
    return {'body': event.get('body') or 'no body', 'headers': {'X-Own': 'yes'}}
";
    function(root.path(), "func", "python311", "[version.async-invocation]", code);
    let dev = Dev::start(root.path(), &["func"]);
    let post =
        |path: &str, body: &[u8]| request(dev.port, "POST", path, &["Content-Type: application/json"], body);
    let answer = post("/", b"{\"a\":1}");
    assert_eq!(answer.text(), "{\"a\":1}");
    assert!(answer.head.contains("x-own: yes"));
    assert_eq!(post("/?integration=raw", b"two\nlines").text(), "\"two\\nlines!\"");
    let answer = post("/?integration=async", b"plain");
    assert_eq!((answer.status, answer.body.len()), (202, 0));
    until("the asynchronous call", || dev.err().matches("called with str").count() == 2);
    assert_eq!(post("/?integration=other", b"").status, 400);
    assert_eq!(post("/path", b"").status, 400);
    assert_eq!(post("/", &vec![b'x'; 3_670_017]).status, 413);
    assert_eq!(post("/", &vec![b'x'; 20 << 20]).status, 413);
    // A body that has no end is not waited for.
    let mut stream = TcpStream::connect(("127.0.0.1", dev.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
    let chunk = [b"100000\r\n".as_slice(), &[b'x'; 1 << 20], b"\r\n"].concat();
    for _ in 0..66 {
        // It may have answered and closed by now.
        let _ = stream.write_all(&chunk);
    }
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
    assert_eq!(post("/", b"still").text(), "still");
    function(root.path(), "func", "python311", "", code);
    until("the version without asynchronous calls", || post("/?integration=async", b"plain").status == 400);
}

#[test]
fn hosts_of_others_are_refused() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    let code = "exports.main = () => ({ body: process.env.YC_METADATA_ADDR });";
    function(root.path(), "func", "nodejs22", "service-account-id = \"ajeabcdefghijklmnopq\"", code);
    let ask = |port, host: &str, path, headers: &[&str]| request_of(host, port, "GET", path, headers, b"");
    for (flags, elsewhere) in [(&[][..], 403), (&["--host", "0.0.0.0"], 200)] {
        let dev = Dev::start(root.path(), &[&["func"], flags].concat());
        for host in ["localhost", "fn.localhost:8080", "127.0.0.1:8080", "[::1]"] {
            assert_eq!(ask(dev.port, host, "/", &[]).status, 200, "{host}");
        }
        assert_eq!(ask(dev.port, "192.168.1.5:8080", "/", &[]).status, elsewhere);
        for headers in [&[][..], &["Host: localhost"]] {
            let answer = ask(dev.port, "evil.example:8080", "/", headers);
            assert_eq!(answer.status, 403);
            let message = answer.json()["errorMessage"].as_str().unwrap().to_owned();
            assert!(message.contains(dev.document["address"].as_str().unwrap()), "{message}");
            assert!(message.contains("--host"), "{message}");
        }
    }
    let dev = Dev::start(root.path(), &["func"]);
    let metadata = dev.get("/").text().rsplit(':').next().unwrap().parse().unwrap();
    let token = "/computeMetadata/v1/instance/service-accounts/default/token";
    let flavor = ["Metadata-Flavor: Google"];
    assert_eq!(ask(metadata, "169.254.169.254", token, &flavor).status, 200);
    assert_eq!(ask(metadata, "evil.example", token, &flavor).status, 403);
}

#[test]
fn that_others_can_call_is_said() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    node(root.path(), "exports.main = () => 1;");
    for (host, is_open) in [("127.0.0.1", false), ("0.0.0.0", true)] {
        let mut dev = Command::new(FNSCAFFOLD);
        dev.args(["dev", "func", "--port", "0", "--host", host]).current_dir(root.path());
        let mut dev = dev.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(dev.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.contains("listens at"), "{line}");
        kill_process(Pid::from_child(&dev), Signal::TERM).unwrap();
        let said = String::from_utf8(dev.wait_with_output().unwrap().stderr).unwrap();
        assert_eq!(said.contains("other machines can call"), is_open, "{said}");
    }
}

#[test]
fn several_directories_are_served_by_name() {
    if !is_here("node") || !is_here("python3") {
        return;
    }
    let root = TempDir::new().unwrap();
    function(root.path(), "first", "nodejs22", "", "exports.main = () => ({ body: 'node' });");
    function(root.path(), "second", "python311", "", "def main(e, c): return {'body': 'python'}");
    let mut dev = Dev::start(root.path(), &["first", "second"]);
    assert_eq!(dev.document["ok"], true);
    assert_eq!(dev.document["address"], format!("http://127.0.0.1:{}", dev.port));
    assert_eq!(dev.document["functions"][1]["url"], format!("http://127.0.0.1:{}/second", dev.port));
    assert_eq!(dev.get("/first").text(), "node");
    assert_eq!(dev.get("/second/?x=1").text(), "python");
    let missing = dev.get("/third");
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("/first, /second"), "{}", missing.text());
    assert_eq!(dev.signal(Signal::TERM).code(), Some(0));
    assert_eq!(dev.rest_of_out.take().unwrap().join().unwrap(), "", "one line of JSON and no more");
    let twice = Dev::try_start(root.path(), &["first", "first"]).map(|_| ()).unwrap_err();
    assert!(twice.contains("FN0"), "{twice}");
}

/// A function that tells its process and that of a child of its own.
const FAMILY: &str = "
    const child = require('child_process').spawn('sleep', ['1000'], { stdio: 'inherit' });
    exports.main = () => ({ body: JSON.stringify([process.pid, child.pid]) });";

fn family(dev: &Dev) -> Vec<u64> {
    let processes: Vec<_> =
        dev.get("/").json().as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect();
    assert!(processes.iter().all(|process| is_running(*process)));
    processes
}

#[test]
fn signals_end_it_cleanly() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    node(root.path(), FAMILY);
    for signal in [Signal::TERM, Signal::INT] {
        let mut dev = Dev::start(root.path(), &["func"]);
        let processes = family(&dev);
        assert_eq!(dev.signal(signal).code(), Some(0), "{signal:?}");
        processes.into_iter().for_each(is_gone);
        assert_eq!(fs::read_dir(dev.homes.path()).unwrap().count(), 0);
    }
}

#[test]
fn nothing_outlives_a_kill() {
    if !is_here("node") || !is_here("python3") {
        return;
    }
    let root = TempDir::new().unwrap();
    node(root.path(), FAMILY);
    // One that never looks up.
    let busy = "
import os
print('process', os.getpid(), flush=True)
def main(event, context):
    while True: pass
";
    function(root.path(), "busy", "python311", "timeout = \"600s\"", busy);
    let mut dev = Dev::start(root.path(), &["func"]);
    let mut processes = family(&dev);
    let mut other = Dev::start(root.path(), &["busy"]);
    let port = other.port;
    thread::spawn(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let _ = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let _ = stream.read(&mut [0]);
    });
    other.says("START RequestID");
    let said = other.err();
    let process = said.split("process ").nth(1).unwrap().lines().next().unwrap();
    processes.push(process.parse().unwrap());
    dev.signal(Signal::KILL);
    other.signal(Signal::KILL);
    processes.into_iter().for_each(is_gone);
    for dev in [&dev, &other] {
        until("the end of its directories", || fs::read_dir(dev.homes.path()).unwrap().count() == 0);
    }
}

/// A Node.js that has a shell script as its npm.
fn node_with_npm(root: &Path, script: &str) -> PathBuf {
    let real = Command::new("node").args(["-p", "process.execPath"]).output().unwrap().stdout;
    let [program, npm] = ["node", "npm"].map(|name| root.join(name));
    std::os::unix::fs::symlink(String::from_utf8(real).unwrap().trim(), &program).unwrap();
    fs::write(&npm, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&npm, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    program
}

#[test]
fn a_change_of_code_beside_packages_installs_nothing() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    let code = |version: u32| {
        format!(
            "exports.main = () => ({{ body: {version} + require('a') + require('fs').readdirSync('node_modules') }});"
        )
    };
    node(root.path(), &code(1));
    write(root.path(), "func/package.json", r#"{ "dependencies": { "a": "1" } }"#);
    let package =
        |word: &str| format!("module.exports = ` ${{require('path').relative('.', __dirname)}} {word} `;");
    write(root.path(), "func/node_modules/a/index.js", &package("packed"));
    write(root.path(), "func/node_modules/unnamed/index.js", "");
    // Removes what package.json does not name, as npm does.
    let counting = format!("echo >> {}/installed\nrm -r node_modules/unnamed", root.path().display());
    let program = node_with_npm(root.path(), &counting);
    let arguments = ["func", "--interpreter", program.to_str().unwrap()];
    let cache = root.path().join("cache");
    let dev =
        Dev::start_by(Command::new(FNSCAFFOLD).env("FNSCAFFOLD_CACHE", &cache), root.path(), &arguments)
            .unwrap();
    assert_eq!(dev.get("/").text(), "1 node_modules/a packed a");
    write(root.path(), "func/index.js", &code(2));
    until("the new code", || dev.get("/").text() == "2 node_modules/a packed a");
    let installed = || fs::read_to_string(root.path().join("installed")).unwrap().lines().count();
    assert_eq!(installed(), 1);
    write(root.path(), "func/node_modules/a/index.js", &package("changed"));
    until("the new package", || dev.get("/").text() == "2 node_modules/a changed a");
    assert_eq!(installed(), 2);
}

#[test]
fn an_installation_ends_with_it() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    node(root.path(), "exports.main = () => ({});");
    write(root.path(), "func/package.json", r#"{ "dependencies": { "a": "1" } }"#);
    let processes = root.path().join("processes");
    let never_ends = format!("sleep 1000 &\necho $$ $! > {0}.new\nmv {0}.new {0}\nwait", processes.display());
    let program = node_with_npm(root.path(), &never_ends);
    for signal in [Signal::TERM, Signal::KILL] {
        let mut child = Command::new(FNSCAFFOLD)
            .args(["dev", "func", "--port", "0", "--interpreter"])
            .arg(&program)
            .current_dir(root.path())
            .env("FNSCAFFOLD_CACHE", root.path().join("cache"))
            .env("TMPDIR", root.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        until("npm", || processes.exists());
        let started = fs::read_to_string(&processes).unwrap();
        fs::remove_file(&processes).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        child.wait().unwrap();
        started.split_whitespace().for_each(|process| is_gone(process.parse().unwrap()));
        let cache = root.path().join("cache/dependencies");
        until("the end of what it began", || fs::read_dir(&cache).unwrap().count() == 0);
    }
}

#[test]
fn logs_are_readable_and_hold_no_token() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    let code = "exports.main = (event, context) => {
        console.log(JSON.stringify({ level: 'WARN', message: 'structured', token: context.token.access_token }));
        console.error('plain ' + context.token.access_token);
        return { body: context.token.access_token };
    };";
    function(root.path(), "func", "nodejs22", "service-account-id = \"ajeabcdefghijklmnopq\"", code);
    let token = "t1.9euelZqNotARealTokenAtAll.butOneThatLooksLikeOne";
    write(root.path(), "token", token);
    let dev = Dev::start(root.path(), &["func", "--token-file", "token"]);
    assert_eq!(dev.get("/").text(), token);
    dev.says("REPORT RequestID: ");
    let err = dev.err();
    assert!(err.contains("WARN structured (token=<redacted>)"), "{err}");
    assert!(err.contains("plain <redacted>"), "{err}");
    assert!(!err.contains(token), "{err}");
    drop(dev);
    let dev = Dev::start(root.path(), &["func", "--token-file", "token", "--log-format", "json"]);
    assert_eq!(dev.get("/").text(), token);
    dev.says("REPORT RequestID: ");
    let records: Vec<Value> = dev
        .err()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}")))
        .collect();
    let structured = records.iter().find(|record| record["message"] == "structured").unwrap();
    assert_eq!((&structured["level"], &structured["function"]), (&"WARN".into(), &"func".into()));
    assert!(structured["requestId"].is_string());
    assert!(!dev.err().contains(token));
}

#[test]
fn secrets_are_given_and_what_is_not_here_is_said() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    let code = "const http = require('http');
    const ask = (path) => new Promise((done, failed) => http.get('http://169.254.169.254' + path, { headers: { 'Metadata-Flavor': 'Google' } }, (response) => done(response.resume().statusCode)).on('error', failed));
    exports.main = async () => {
        console.log(process.env.GIVEN_SECRET);
        return { body: JSON.stringify([process.env.GIVEN_SECRET, await ask('/computeMetadata/v1/instance/service-accounts/default/token')]) };
    };";
    let secret = "secrets = [{ id = \"e6q\", key = \"k\", environment-variable = \"GIVEN_SECRET\" }]";
    let settings = format!(
        "service-account-id = \"ajeabcdefghijklmnopq\"\nmetadata-options = {{ gce-http-endpoint = \"disabled\" }}\n{secret}"
    );
    function(root.path(), "func", "nodejs22", &settings, code);
    let dev = Dev::start(root.path(), &["func"]);
    assert_eq!(dev.get("/").json(), serde_json::json!([SECRET, 404]));
    dev.says("<redacted>");
    assert!(!dev.err().contains(SECRET) && !dev.err().contains("FN0506"), "{}", dev.err());
    let settings =
        format!("{settings}\nmounts = [{{ name = \"data\", object-storage = {{ bucket = \"bucket\" }} }}]");
    function(root.path(), "func", "nodejs22", &settings, code);
    dev.says("warning[FN0506]: the function runs without the mount `data`");
    drop(dev);
    write(root.path(), "variables", "GIVEN_SECRET=another-one\nNOT_NAMED=1\n");
    let dev = Dev::start(root.path(), &["func", "--env-file", "variables"]);
    dev.says("warning[FN0506]: the function runs without the mount `data`");
    dev.says("warning[FN0507]: the function has variables only here: NOT_NAMED");
    assert_eq!(dev.get("/").json(), serde_json::json!(["another-one", 404]));
    dev.says("<redacted>");
    assert!(!dev.err().contains("another-one"), "{}", dev.err());
}

#[test]
fn a_port_that_is_taken_is_an_error_of_the_environment() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    node(root.path(), "exports.main = () => ({});");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output = Command::new(FNSCAFFOLD)
        .args(["dev", "func", "--format", "json", "--port", &port])
        .current_dir(root.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["ok"], false);
    assert!(document["error"]["fix"].as_str().unwrap().contains("--port 0"));
    // An address for documentation (RFC 5737): no port of it is free here.
    let output = Command::new(FNSCAFFOLD)
        .args(["dev", "func", "--host", "192.0.2.1", "--port", "0"])
        .current_dir(root.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("fix: `--host`"), "{said}");
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
#[test]
fn what_nohup_started_outlives_the_terminal() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    let slow = "exports.main = () => new Promise((done) => setTimeout(() => done({ body: 'here' }), 300));";
    node(root.path(), slow);
    let mut nohup = Command::new("sh");
    nohup.args(["-c", "trap '' HUP; exec \"$@\"", "sh", FNSCAFFOLD]);
    let mut dev = Dev::start_by(&mut nohup, root.path(), &["func"]).unwrap();
    kill_process(Pid::from_child(&dev.child), Signal::HUP).unwrap();
    // The first may be taken while a server ends.
    for _ in 0..2 {
        assert_eq!(dev.get("/").text(), "here");
    }
    assert_eq!(dev.signal(Signal::TERM).code(), Some(0));
}

#[test]
fn a_debugger_is_let_in() {
    if !is_here("node") {
        return;
    }
    let root = TempDir::new().unwrap();
    let code = |text: &str| format!("exports.main = () => ({{ body: '{text}' }});");
    node(root.path(), &code("one"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dev = Dev::start(root.path(), &["func", &format!("--inspect={free}")]);
    assert_eq!(dev.get("/").text(), "one");
    let inspected = || request(free, "GET", "/json/list", &[], b"").text().contains("bootstrap.js");
    assert!(inspected());
    node(root.path(), &code("two"));
    until("the change", || dev.get("/").body == b"two");
    assert!(inspected());
    assert_eq!(dev.err().matches("Debugger listening on").count(), 2, "{}", dev.err());
}

#[test]
fn the_doctor_tells_what_can_run() {
    let all = Command::new(FNSCAFFOLD).args(["doctor", "--format", "json"]).output().unwrap();
    let document: Value = serde_json::from_slice(&all.stdout).unwrap();
    let machine = &document["machine"];
    assert!(machine["candidates"].as_array().unwrap().len() >= 6);
    assert!(machine["cache"].is_string());
    if is_here("node") {
        assert_eq!(all.status.code(), Some(0));
        let of_node = |candidate: &&Value| candidate["runtime"] == "nodejs22";
        let node = machine["candidates"].as_array().unwrap().iter().find(of_node).unwrap();
        assert!(node["interpreter"]["version"].is_string(), "{node}");
    }
    let empty = TempDir::new().unwrap();
    let none = Command::new(FNSCAFFOLD).arg("doctor").env("PATH", empty.path()).output().unwrap();
    assert_eq!(none.status.code(), Some(3));
    let said = String::from_utf8(none.stdout).unwrap();
    assert!(said.contains("nodejs22") && said.contains("install npm"), "{said}");
}

#[test]
fn the_doctor_tells_of_a_cache_that_cannot_be_used_and_makes_none() {
    let root = TempDir::new().unwrap();
    let place = root.path().join("file");
    std::fs::write(&place, "").unwrap();
    let doctor = |variable: &str, cache: &Path, format: &str| {
        let mut doctor = Command::new(FNSCAFFOLD);
        doctor.args(["doctor", "--format", format]).current_dir(root.path()).env("PATH", root.path());
        let output = doctor.env_remove("FNSCAFFOLD_CACHE").env(variable, cache).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let said = doctor("FNSCAFFOLD_CACHE", &place, "text");
    assert!(
        said.contains("nodejs22") && said.contains("- functions with dependencies do not run here"),
        "{said}"
    );
    let machine = |variable: &str, cache: &Path| {
        let document: Value = serde_json::from_str(&doctor(variable, cache, "json")).unwrap();
        document["machine"].clone()
    };
    assert!(machine("FNSCAFFOLD_CACHE", &place)["cacheRefused"].is_string());
    let own = root.path().join("own");
    let usable = machine("FNSCAFFOLD_CACHE", &own);
    assert!(usable["cacheRefused"].is_null() && !own.exists(), "{usable}");
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::ffi::OsStrExt;
        let odd = root.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
        assert!(machine("FNSCAFFOLD_CACHE", &odd)["cache"].as_str().unwrap().contains("caf"));
        // The specification of the variable wants it absolute.
        let relative = machine("XDG_CACHE_HOME", Path::new("relative"));
        assert!(!relative["cache"].as_str().unwrap().contains("relative"), "{relative}");
    }
}
