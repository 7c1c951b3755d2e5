//! The clients that functions use, unmodified, in; the token of the emulated metadata service out. By
//! each way there: led there inside the interpreter, or in a network of the function's own.
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

use serde_json::{Value, json};

use function::{Function, cache, every_node, every_python};

const FAKE: &str = "fake-iam-token-from-fnscaffold-0001";
const NAMESPACE: [&str; 2] = ["--metadata-route", "namespace"];

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
        judge(&function, &[], 10);
    }
}

/// Whether a function can have a network of its own here; says why not.
fn has_namespaces() -> bool {
    let directory = tempfile::tempdir().unwrap();
    let mut doctor = fnscaffold::fnscaffold(directory.path(), &["doctor", "--format", "json"]);
    let told: Value =
        serde_json::from_str(&fnscaffold::run(doctor.env("FNSCAFFOLD_CACHE", cache())).stdout).unwrap();
    let refused = &told["machine"]["namespacesRefused"];
    if !refused.is_null() {
        // A kernel that forbids it lacks nothing, so this is no failure under FNSCAFFOLD_REQUIRE_TOOLS.
        let _ = writeln!(stderr(), "left out: no network of its own here: {refused}");
    }
    refused.is_null()
}

#[test]
fn in_a_network_of_its_own_clients_need_no_preload() {
    if !has_namespaces() {
        return;
    }
    for mut function in node_functions().into_iter().rev().take(1) {
        judge(function.account(), &NAMESPACE, 6);
    }
    for mut function in python_functions().into_iter().take(1) {
        // Its event loop is not Python's, so that nothing but the network leads it there.
        function.variable("CLIENTS", &format!("{CLIENTS} uvloop"));
        judge(&function, &NAMESPACE, 11);
    }
}

const RAW: &str = r#"import json, os, socket, subprocess

REQUEST = (b"GET /computeMetadata/v1/instance/service-accounts/default/token HTTP/1.0\r\n"
           b"Metadata-Flavor: Google\r\n\r\n")

def ask():
    with socket.create_connection(("169.254.169.254", 80)) as connection:
        connection.sendall(REQUEST)
        answer = b""
        while True:
            piece = connection.recv(4096)
            if not piece:
                return json.loads(answer.partition(b"\r\n\r\n")[2])["access_token"]
            answer += piece

def curl():
    url = "http://169.254.169.254/computeMetadata/v1/instance/service-accounts/default/token"
    command = ["curl", "-q", "--noproxy", "*", "-sf", "-H", "Metadata-Flavor: Google", url]
    return json.loads(subprocess.check_output(command))["access_token"]

def outside():
    try:
        socket.create_connection(("192.0.2.1", 80), 2).close()
    except OSError as error:
        return error.errno
    return 0

def main(event, context):
    variables = {name: os.environ.get(name) for name in ("NODE_OPTIONS", "PYTHONPATH", "YC_METADATA_ADDR")}
    return {"body": json.dumps({"raw": ask(), "curl": curl(), "outside": outside(), "user": os.getuid(), **variables})}
"#;

#[cfg(target_os = "linux")]
#[test]
fn in_a_network_of_its_own_every_program_reaches_the_address_and_nothing_else() {
    if !has_namespaces() {
        return;
    }
    for mut function in every_python(&[("index.py", RAW)]) {
        let body = function.account().body(&NAMESPACE);
        assert_eq!((&body["raw"], &body["curl"]), (&json!(FAKE), &json!(FAKE)));
        // ENETUNREACH
        assert_eq!(body["outside"], 101);
        for name in ["NODE_OPTIONS", "PYTHONPATH"] {
            assert_eq!(body[name], Value::Null);
        }
        assert_eq!(body["YC_METADATA_ADDR"], "169.254.169.254");
        let own = fs::metadata(function.path()).unwrap();
        assert_eq!(body["user"], std::os::unix::fs::MetadataExt::uid(&own));
        let told = function.invoke(&[&NAMESPACE[..], &["-v"]].concat()).stderr;
        assert!(told.contains("169.254.169.254: every program of the function reaches it"), "{told}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn each_instance_has_a_network_of_its_own() {
    if !has_namespaces() {
        return;
    }
    let ends = "const http = require('http');\nexports.main = async () => { const status = await new Promise((done) => http.get('http://169.254.169.254/', { headers: { 'Metadata-Flavor': 'Google' } }, (answer) => done(answer.statusCode)));\n\
                console.log('status', status); process.exit(3); };\n";
    for function in every_node(&[("index.js", ends)]).into_iter().take(1) {
        let run = function.invoke(&[&NAMESPACE[..], &["--repeat", "3"]].concat()).expect(6);
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        for call in document["calls"].as_array().unwrap() {
            assert_eq!(call["logs"][1]["message"], "status 200", "{call}");
            assert_eq!(call["status"], 502);
        }
    }
}

#[test]
fn a_debugger_and_a_network_of_its_own_exclude_each_other() {
    for function in every_node(&[("index.js", "exports.main = async () => 1;\n")]).into_iter().take(1) {
        let run = function.run(&["dev", "--port", "0", "--inspect", "--metadata-route", "namespace"]);
        assert!(run.expect(2).stderr.contains("a debugger cannot reach a function in a network of its own"));
    }
}
