//! A handler's language in, a server that answers with it out: `dev`, and the functions-framework at a
//! pinned version, installed below target/.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::packages;

pub const FNSCAFFOLD: &str = env!("CARGO_BIN_EXE_fnscaffold");

const NPM: &[&str] = &["@google-cloud/functions-framework@5.0.5"];
const PYPI: &[&str] = &["functions-framework==3.10.2"];

pub const NODE: &str = "exports.main = async () => ({ statusCode: 200, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ hello: 'world' }) });\n";
pub const PYTHON: &str = "import json\n\ndef main(event, context):\n    return {'statusCode': 200, 'headers': {'Content-Type': 'application/json'}, 'body': json.dumps({'hello': 'world'})}\n";
const FRAMEWORK_NODE: &str = "exports.main = (request, response) => response.set('Content-Type', 'application/json').send(JSON.stringify({ hello: 'world' }));\n";
const FRAMEWORK_PYTHON: &str = "import json\n\ndef main(request):\n    return (json.dumps({'hello': 'world'}), 200, {'Content-Type': 'application/json'})\n";

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Language {
    Node,
    Python,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::Node, Self::Python];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "Node.js",
            Self::Python => "Python",
        }
    }

    /// The program behind what PATH has, which may be a script that looks for it: one for all servers.
    pub fn program(self) -> PathBuf {
        let (program, itself) = match self {
            Self::Node => ("node", ["-p", "process.execPath"]),
            Self::Python => ("python3", ["-c", "import sys; print(sys.executable)"]),
        };
        let output = Command::new(program).args(itself).output().unwrap();
        PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
    }
}

/// A process that is ended when it is dropped.
pub struct Server {
    pub name: String,
    pub language: Language,
    pub address: SocketAddr,
    pub is_ours: bool,
    child: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

impl Server {
    /// `dev` with such settings of the version and flags of its own.
    pub fn dev(root: &Path, language: Language, about: &str, settings: &str, flags: &[&str]) -> Self {
        let name = format!("dev{about}, {}", language.name());
        let directory = root.join(name.replace([' ', ',', '.'], "-"));
        let (runtime, file, code) = match language {
            Language::Node => ("nodejs22", "index.js", NODE),
            Language::Python => ("python312", "index.py", PYTHON),
        };
        write_function(&directory, runtime, settings, file, code);
        let mut child = Command::new(FNSCAFFOLD)
            .args(["dev", "--port", "0", "--format", "json", "--interpreter"])
            .arg(language.program())
            .args(flags)
            .arg(&directory)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(directory.with_extension("log")).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let document: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = document["address"].as_str().unwrap().trim_start_matches("http://").parse().unwrap();
        Self { name, language, address, is_ours: true, child }
    }

    pub fn framework(root: &Path, home: &Path, language: Language) -> Self {
        let name = format!("functions-framework, {}", language.name());
        let directory = root.join(name.replace([' ', ',', '.'], "-"));
        fs::create_dir_all(&directory).unwrap();
        let mut command = match language {
            Language::Node => {
                let modules = packages::npm(home, NPM);
                fs::write(directory.join("index.js"), FRAMEWORK_NODE).unwrap();
                let mut command = Command::new(language.program());
                command.arg(modules.join("@google-cloud/functions-framework/build/src/main.js"));
                command.arg(format!("--source={}", directory.display()));
                command
            }
            Language::Python => {
                let programs = packages::pypi(home, PYPI);
                fs::write(directory.join("main.py"), FRAMEWORK_PYTHON).unwrap();
                let mut command = Command::new(programs.join("functions-framework"));
                command.arg(format!("--source={}", directory.join("main.py").display()));
                command
            }
        };
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        command.arg("--target=main").arg(format!("--port={}", address.port()));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { name, language, address, is_ours: false, child };
        let began = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "{} does not start", server.name);
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// kB of memory that the server and its largest child hold, where the system tells.
    pub fn resident(&self) -> [u64; 2] {
        let id = self.child.id();
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        let largest = children.split_whitespace().filter_map(|id| id.parse().ok()).map(resident).max();
        [resident(id), largest.unwrap_or(0)]
    }
}

/// A function directory with one file.
pub fn write_function(directory: &Path, runtime: &str, settings: &str, file: &str, code: &str) {
    let manifest = format!(
        "name = \"function\"\n[version]\nruntime = \"{runtime}\"\nentrypoint = \"index.main\"\n{settings}"
    );
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join("function.toml"), manifest).unwrap();
    fs::write(directory.join(file), code).unwrap();
}

fn resident(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
