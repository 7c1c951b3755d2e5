//! The Node.js versions that the tests run: the platform's own where npm has them, else that of PATH.

use std::path::PathBuf;
use std::process::Command;

use crate::commands::absent;
use crate::tools::node_modules;

#[derive(Debug, Clone)]
pub struct Node {
    /// The platform's runtime that it stands for.
    pub runtime: &'static str,
    pub program: PathBuf,
}

/// Oldest first, and at least one.
pub fn nodes() -> Vec<Node> {
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let versions = [("node16", "nodejs16"), ("node18", "nodejs18"), ("node22", "nodejs22")];
        return versions
            .map(|(package, runtime)| Node {
                runtime,
                program: node_modules().join(package).join("bin/node"),
            })
            .to_vec();
    }
    let program = PathBuf::from("node");
    let output = Command::new(&program).args(["--print", "process.versions.node"]).output();
    let output = output.expect("the tests need Node.js on PATH");
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).unwrap();
    let runtime = match major {
        ..18 => "nodejs16",
        18..22 => "nodejs18",
        22.. => "nodejs22",
    };
    absent("Node.js but the one of PATH");
    vec![Node { runtime, program }]
}
