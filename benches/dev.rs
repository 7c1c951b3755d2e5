//! Warm requests to `dev` in a row and side by side with the languages' functions-frameworks, in one run:
//! `cargo bench --bench dev`. FNSCAFFOLD_BENCH_FRAMEWORKS names a directory with `node_modules` and `venv`
//! that hold them; without it only `dev` is measured.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark starts processes and prints what it measured"
)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const NODE: &str = "exports.main = async () => ({ statusCode: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ hello: 'world' }) });";
const PYTHON: &str = "import json\n\ndef main(event, context):\n    return {'statusCode': 200, 'headers': {'Content-Type': 'application/json'}, 'body': json.dumps({'hello': 'world'})}\n";
const FRAMEWORK_NODE: &str = "exports.main = (request, response) => response.set('Content-Type', 'application/json').send(JSON.stringify({ hello: 'world' }));";
const FRAMEWORK_PYTHON: &str = "import json\n\ndef main(request):\n    return (json.dumps({'hello': 'world'}), 200, {'Content-Type': 'application/json'})\n";
const BODY: [&[u8]; 2] = [br#"{"hello":"world"}"#, br#"{"hello": "world"}"#];

/// Each server is measured this often, in turn with the others, and the best counts: others use this
/// machine too.
const ROUNDS: usize = 3;
const ROUND: Duration = Duration::from_secs(4);
const CONNECTIONS: [usize; 2] = [1, 16];

struct Server {
    name: &'static str,
    address: SocketAddr,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

#[derive(Clone, Default)]
struct Figures {
    per_second: f64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
}

fn main() {
    // `cargo test --benches` only sees that it compiles.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let frameworks = std::env::var_os("FNSCAFFOLD_BENCH_FRAMEWORKS").map(PathBuf::from);
    let mut servers = vec![
        dev(root.path(), "dev, Node.js", "nodejs18", "index.js", NODE, &[]),
        dev(root.path(), "dev -q, Node.js", "nodejs18", "index.js", NODE, &["-q"]),
        dev(root.path(), "dev, Python", "python311", "index.py", PYTHON, &[]),
        dev(root.path(), "dev -q, Python", "python311", "index.py", PYTHON, &["-q"]),
    ];
    if let Some(frameworks) = frameworks {
        servers.push(framework_node(root.path(), &frameworks));
        servers.push(framework_python(root.path(), &frameworks));
    }
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for server in &servers {
        tokio.block_on(load(server.address, 4, Until::Elapsed(Duration::from_secs(1))));
    }
    println!("{:<22} {:>11} {:>12} {:>9} {:>9}", "server", "connections", "requests/s", "p50 ms", "p99 ms");
    for connections in CONNECTIONS {
        let mut best = vec![Figures::default(); servers.len()];
        for _ in 0..ROUNDS {
            for (server, best) in servers.iter().zip(&mut best) {
                let figures = tokio.block_on(load(server.address, connections, Until::Elapsed(ROUND)));
                if figures.per_second > best.per_second {
                    *best = figures;
                }
            }
        }
        for (server, Figures { per_second, p50, p99 }) in servers.iter().zip(best) {
            println!("{:<22} {connections:>11} {per_second:>12.0} {p50:>9.3} {p99:>9.3}", server.name);
        }
    }
    for server in servers.iter().filter(|server| server.name.starts_with("dev,")) {
        let before = resident(server.child.id());
        tokio.block_on(load(server.address, 16, Until::Answered(100_000)));
        let after = resident(server.child.id());
        println!("{}: 100000 requests at 16 connections, none lost, {before} kB -> {after} kB", server.name);
    }
}

fn dev(root: &Path, name: &'static str, runtime: &str, file: &str, code: &str, flags: &[&str]) -> Server {
    let directory = root.join(name.replace([' ', ',', '.'], "-"));
    fs::create_dir_all(&directory).unwrap();
    let manifest =
        format!("name = \"function\"\n[version]\nruntime = \"{runtime}\"\nentrypoint = \"index.main\"\n");
    fs::write(directory.join("function.toml"), manifest).unwrap();
    fs::write(directory.join(file), code).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_fnscaffold"))
        .args(["dev", "--port", "0", "--format", "json"])
        .args(flags)
        .arg(&directory)
        .stdout(Stdio::piped())
        .stderr(fs::File::create(root.join(format!("{name}.log"))).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let document: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = document["address"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
    Server { name, address, child }
}

fn framework_node(root: &Path, frameworks: &Path) -> Server {
    let directory = root.join("framework-node");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("index.js"), FRAMEWORK_NODE).unwrap();
    let mut command = Command::new("node");
    command
        .arg(frameworks.join("node_modules/@google-cloud/functions-framework/build/src/main.js"))
        .arg(format!("--source={}", directory.display()));
    framework("framework, Node.js", command)
}

fn framework_python(root: &Path, frameworks: &Path) -> Server {
    let file = root.join("framework.py");
    fs::write(&file, FRAMEWORK_PYTHON).unwrap();
    let mut command = Command::new(frameworks.join("venv/bin/functions-framework"));
    command.arg(format!("--source={}", file.display()));
    framework("framework, Python", command)
}

fn framework(name: &'static str, mut command: Command) -> Server {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let child = command
        .arg("--target=main")
        .arg(format!("--port={}", address.port()))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server { name, address, child };
    let began = Instant::now();
    while std::net::TcpStream::connect(address).is_err() {
        assert!(began.elapsed() < Duration::from_secs(30), "{name} does not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

#[derive(Clone, Copy)]
enum Until {
    Elapsed(Duration),
    Answered(usize),
}

/// Asks over so many connections, each again when it was answered. Any other answer than the right one
/// is a panic.
async fn load(address: SocketAddr, connections: usize, until: Until) -> Figures {
    let began = Instant::now();
    let clients: Vec<_> =
        (0..connections).map(|_| tokio::spawn(ask(address, connections, until, began))).collect();
    let mut took = Vec::new();
    for client in clients {
        took.extend(client.await.unwrap());
    }
    let elapsed = began.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize].as_secs_f64() * 1000.0;
    Figures { per_second: took.len() as f64 / elapsed, p50: at(0.5), p99: at(0.99) }
}

async fn ask(address: SocketAddr, connections: usize, until: Until, began: Instant) -> Vec<Duration> {
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut took = Vec::new();
    let mut bytes = Vec::with_capacity(4096);
    loop {
        match until {
            Until::Elapsed(limit) if began.elapsed() >= limit => return took,
            Until::Answered(count) if took.len() >= count / connections => return took,
            _ => {}
        }
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).await.unwrap();
        bytes.clear();
        let end = loop {
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the connection was closed");
            if let Some(end) = whole(&bytes) {
                break end;
            }
        };
        took.push(asked.elapsed());
        assert!(bytes.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&bytes));
        assert!(BODY.contains(&&bytes[end..]), "{}", String::from_utf8_lossy(&bytes));
    }
}

/// Where the body of an answer begins that has come in whole.
fn whole(bytes: &[u8]) -> Option<usize> {
    let end = memchr::memmem::find(bytes, b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).unwrap().to_ascii_lowercase();
    let length: usize = head.split("content-length: ").nth(1)?.lines().next()?.parse().unwrap();
    (bytes.len() == end + length).then_some(end)
}

/// kB of memory that a process holds, where the system tells.
fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
