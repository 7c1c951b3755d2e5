//! Servers that call a function for every HTTP request in, what it costs to start one and to ask it out.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, iter, thread};

use sha2::{Digest, Sha256};

use crate::measure::{Contest, Sample, hex, used};
use crate::peers::FNSCAFFOLD;

/// Requests to a server, one after the other.
const REQUESTS: usize = 1_000;

/// How long a server may take to give its first answer.
const PATIENCE: Duration = Duration::from_secs(60);

const NODE: &str = "
exports.main = async () => ({ statusCode: 200, body: JSON.stringify({ hello: 'world' }) });
exports.framework = (request, response) => response.send(JSON.stringify({ hello: 'world' }));
";

const PYTHON: &str = "
import json

def main(event, context):
    return {'statusCode': 200, 'body': json.dumps({'hello': 'world'})}

def framework(request):
    return json.dumps({'hello': 'world'})
";

/// A program and how it is called to serve at a port.
struct Server {
    name: &'static str,
    command: Box<dyn Fn(u16) -> Command>,
}

/// One server a peer a round, for each language.
pub fn contests(place: &Path, home: &Path, rounds: usize) -> Vec<Contest> {
    let node = function(place, "serve-node", "nodejs22", "index.js", NODE);
    let python = function(place, "serve-python", "python311", "main.py", PYTHON);
    let mut framework_node = Command::new("node");
    framework_node.arg(home.join("node_modules/@google-cloud/functions-framework/build/src/main.js"));
    let framework_python = Command::new(home.join("python/bin/functions-framework"));
    [
        ("Node.js", [dev(&node), framework("functions-framework (Node.js)", framework_node, &node)]),
        ("Python", [dev(&python), framework("functions-framework (Python)", framework_python, &python)]),
    ]
    .into_iter()
    .map(|(lang, servers)| {
        let work = format!("start a function in {lang} and ask it {REQUESTS} times over HTTP");
        let mut contest = Contest::new(&work, servers.iter().map(|server| server.name));
        for _ in 0..rounds {
            for (server, samples) in servers.iter().zip(&mut contest.samples) {
                samples.push(run(server));
                println!("{work}: {} {:?}", server.name, samples.last().map(|sample| sample.wall));
            }
        }
        contest
    })
    .collect()
}

/// A function directory that either kind of server can serve.
fn function(place: &Path, name: &str, runtime: &str, file: &str, code: &str) -> std::path::PathBuf {
    let directory = place.join(name);
    fs::create_dir_all(&directory).unwrap();
    let module = file.split('.').next().unwrap_or_default();
    let manifest =
        format!("name = \"compare\"\n[version]\nruntime = \"{runtime}\"\nentrypoint = \"{module}.main\"\n");
    fs::write(directory.join("function.toml"), manifest).unwrap();
    fs::write(directory.join(file), code).unwrap();
    directory
}

fn dev(directory: &Path) -> Server {
    let directory = directory.to_owned();
    let command = move |port: u16| {
        let mut command = Command::new(FNSCAFFOLD);
        command.args(["dev", "-q", "--port", &port.to_string()]).arg(&directory);
        command
    };
    Server { name: "fnscaffold dev", command: Box::new(command) }
}

fn framework(name: &'static str, program: Command, directory: &Path) -> Server {
    let directory = directory.to_owned();
    let command = move |port: u16| {
        let mut command = Command::new(program.get_program());
        command.args(program.get_args()).args(["--target=framework", &format!("--port={port}")]);
        command.current_dir(&directory);
        command
    };
    Server { name, command: Box::new(command) }
}

/// Until the last answer has come.
fn run(server: &Server) -> Sample {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let mut command = (server.command)(address.port());
    let start = Instant::now();
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = spawned.unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stream = loop {
        if let Ok(stream) = TcpStream::connect(address) {
            break stream;
        }
        let still_runs = child.try_wait().unwrap().is_none();
        assert!(still_runs && start.elapsed() < PATIENCE, "{command:?} does not listen");
        thread::sleep(Duration::from_millis(2));
    };
    stream.set_nodelay(true).unwrap();
    let (mut sha256, mut bytes) = (Sha256::new(), 0);
    for _ in 0..REQUESTS {
        let body = ask(&mut stream, address);
        bytes += body.len() as u64;
        sha256.update(body);
    }
    let wall = start.elapsed();
    drop(stream);
    let while_it_ran = of_tree(child.id());
    let stopped = Command::new("kill").arg(child.id().to_string()).status();
    assert!(stopped.unwrap().success(), "{} had stopped by itself", server.name);
    let (in_the_end, _) = used(child);
    let sample = while_it_ran.unwrap_or(in_the_end);
    Sample { wall, bytes, sha256: hex(sha256), ..sample }
}

/// What a process and those below it have taken up to now, where the system tells: a server need not wait
/// for the processes that it started, and then they would be missing in what it took.
fn of_tree(root: u32) -> Option<Sample> {
    let ids = fs::read_dir("/proc").ok()?.flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let processes: BTreeMap<_, _> = ids.filter_map(|id| Some((id, process(id)?))).collect();
    let mut tree = Sample::default();
    for (id, (_, sample)) in &processes {
        let mut line = iter::successors(Some(*id), |id| processes.get(id).map(|(parent, _)| *parent));
        if line.any(|id| id == root) {
            tree.cpu += sample.cpu;
            tree.memory = tree.memory.max(sample.memory);
        }
    }
    Some(tree)
}

/// A process's parent, and what it has taken.
fn process(id: u32) -> Option<(u32, Sample)> {
    const TICK: Duration = Duration::from_millis(10);
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // Behind the name, which may hold anything, stand the state and then numbers.
    let numbers: Vec<u32> =
        stat.rsplit(')').next()?.split_whitespace().map(|number| number.parse().unwrap_or(0)).collect();
    let cpu = TICK * (numbers.get(11)? + numbers.get(12)?);
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = most.trim().trim_end_matches(" kB").parse().ok()?;
    Some((numbers[1], Sample { cpu, memory: kilobytes * 1024, ..Sample::default() }))
}

/// The body of an answer.
fn ask(stream: &mut TcpStream, address: SocketAddr) -> Vec<u8> {
    write!(stream, "GET / HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let got = stream.read(&mut piece).unwrap();
        assert!(got > 0, "the connection was closed: {}", String::from_utf8_lossy(&answer));
        answer.extend(&piece[..got]);
        if let Some(body) = body(&answer) {
            return body.to_vec();
        }
    }
}

/// Of an answer that has come in whole.
fn body(answer: &[u8]) -> Option<&[u8]> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let (head, body) = answer.split_at(end);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 200"), "{head}");
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let length: usize = length.expect("a length").parse().unwrap();
    (body.len() == length).then_some(body)
}
