//! The peers at pinned versions, installed below target/, and how each is asked to do the work.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::by_hand;
use crate::packages::{self, must};

pub const FNSCAFFOLD: &str = env!("CARGO_BIN_EXE_fnscaffold");

const NPM: &[&str] =
    &["7zip-bin@5.2.0", "archiver@7.0.1", "bestzip@2.2.1", "@google-cloud/functions-framework@5.0.5"];
const PYPI: &[&str] = &["cookiecutter==2.7.1", "copier==9.19.1", "functions-framework==3.10.2"];
/// The newest that Rust 1.95 builds, and no more of them than the work needs: all of ouch wants libclang.
const CRATES: &[(&str, &[&str])] = &[
    ("cargo-generate", &["--version=0.23.9"]),
    ("ouch", &["--version=0.8.3", "--no-default-features", "--features=use_zlib,use_zstd_thin"]),
];

/// What the Serverless Framework does, at its level.
const ARCHIVER: &str = "
const [out] = process.argv.slice(1);
const archive = require('archiver')('zip', { zlib: { level: 9 } });
archive.pipe(require('fs').createWriteStream(out));
archive.directory('.', false);
archive.finalize();";

const ZIPFILE: &str = "
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w', zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
    for directory, _, names in os.walk('.'):
        for name in names:
            archive.write(os.path.join(directory, name))";

/// The command for a directory to work in and a file to write.
type Work = dyn Fn(&Path, &Path) -> Command;

/// A program and how it is called.
pub struct Peer {
    pub name: &'static str,
    pub wants_manifest: bool,
    pub takes_long: bool,
    pub command: Box<Work>,
}

fn is_there(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Installs what is not there yet, and gives where.
pub fn install(place: &Path, slow: bool) -> PathBuf {
    let home = place.join("peers");
    packages::npm(&home, NPM);
    packages::pypi(&home, PYPI);
    for (name, flags) in CRATES.iter().filter(|_| slow) {
        if !home.join("bin").join(name).exists() {
            let mut cargo = Command::new("cargo");
            must(cargo.args(["install", "-q", "--locked", name]).args(*flags).arg("--root").arg(&home));
        }
    }
    write_templates(&home);
    home
}

/// The same project of one file for each scaffolder: a name in a README.
fn write_templates(home: &Path) {
    for (path, text) in [
        ("cookiecutter/cookiecutter.json", "{ \"name\": \"my-app\" }\n"),
        ("cookiecutter/{{cookiecutter.name}}/README.md", "# {{cookiecutter.name}}\n"),
        ("copier/copier.yml", "name:\n  type: str\n  default: my-app\n"),
        ("copier/{{name}}/README.md.jinja", "# {{name}}\n"),
        ("cargo-generate/README.md", "# {{project-name}}\n"),
    ] {
        let path = home.join("templates").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

pub fn packers(home: &Path) -> Vec<Peer> {
    let node = |name, script: &'static str, modules: &Path| {
        let modules = modules.to_owned();
        peer(name, move |directory, out| {
            let mut command = Command::new("node");
            command.args(["-e", script]).arg(out).current_dir(directory).env("NODE_PATH", &modules);
            command
        })
    };
    let modules = home.join("node_modules");
    let mut all = vec![
        ours("fnscaffold", "default"),
        ours("fnscaffold --level fast", "fast"),
        Peer { takes_long: true, ..ours("fnscaffold --level best", "best") },
    ];
    let me = env::current_exe().unwrap();
    all.push(peer("libdeflate by hand", move |directory, out| {
        let mut command = Command::new(&me);
        command.arg(by_hand::FLAG).arg(out).current_dir(directory);
        command
    }));
    if is_there("zip") {
        all.push(peer("zip -6", |directory, out| {
            let mut command = Command::new("zip");
            command.args(["-6", "-q", "-r", "-X", "-D"]).arg(out).arg(".").current_dir(directory);
            command
        }));
    }
    let seven =
        Command::new("node").args(["-p", "require('7zip-bin').path7za"]).env("NODE_PATH", &modules).output();
    let seven = String::from_utf8(seven.unwrap().stdout).unwrap().trim().to_owned();
    make_executable(Path::new(&seven));
    all.push(peer("7-Zip -tzip", move |directory, out| {
        let mut command = Command::new(&seven);
        command.args(["a", "-tzip", "-bso0", "-bsp0"]).arg(out).arg(".").current_dir(directory);
        command
    }));
    let bestzip = modules.join(".bin/bestzip");
    all.push(peer("bestzip (Node.js)", move |directory, out| {
        let mut command = Command::new(&bestzip);
        command.arg("--force=node").arg(out).arg(".").current_dir(directory);
        command
    }));
    all.push(node("archiver, level 9", ARCHIVER, &modules));
    all.push(peer("Python's zipfile", |directory, out| {
        let mut command = Command::new("python3");
        command.args(["-c", ZIPFILE]).arg(out).current_dir(directory);
        command
    }));
    let ouch = home.join("bin/ouch");
    if ouch.exists() {
        all.push(peer("ouch", move |directory, out| {
            let mut command = Command::new(&ouch);
            command.args(["compress", "-q", "-y", "."]).arg(out).current_dir(directory);
            command
        }));
    }
    all
}

fn ours(name: &'static str, level: &'static str) -> Peer {
    let peer = peer(name, move |directory, _| {
        let mut command = Command::new(FNSCAFFOLD);
        command.args(["pack", "-q", "--allow-secret", ".", "--level", level]).current_dir(directory);
        command
    });
    Peer { wants_manifest: true, ..peer }
}

fn peer(name: &'static str, command: impl Fn(&Path, &Path) -> Command + 'static) -> Peer {
    Peer { name, wants_manifest: false, takes_long: false, command: Box::new(command) }
}

pub fn scaffolders(home: &Path) -> Vec<Peer> {
    let templates = home.join("templates");
    let python = home.join("python/bin");
    let mut all = vec![peer("fnscaffold new, with a ZIP", |directory, _| {
        let mut command = Command::new(FNSCAFFOLD);
        command.args(["new", "my-app", "--lang", "node", "--mode", "context", "-q"]).current_dir(directory);
        command
    })];
    let (program, template) = (python.join("cookiecutter"), templates.join("cookiecutter"));
    all.push(peer("cookiecutter", move |directory, _| {
        let mut command = Command::new(&program);
        command.arg("--no-input").arg(&template).current_dir(directory);
        command
    }));
    let (program, template) = (python.join("copier"), templates.join("copier"));
    all.push(peer("copier", move |directory, _| {
        let mut command = Command::new(&program);
        command.args(["copy", "-q", "-l"]).arg(&template).arg(".").current_dir(directory);
        command
    }));
    let (program, template) = (home.join("bin/cargo-generate"), templates.join("cargo-generate"));
    if program.exists() {
        all.push(peer("cargo-generate", move |directory, _| {
            let mut command = Command::new(&program);
            command.args(["generate", "--silent", "--name", "my-app", "--path"]).arg(&template);
            command.args(["--vcs", "none"]).current_dir(directory);
            command
        }));
    }
    all
}

fn make_executable(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    #[cfg(not(unix))]
    let _ = path;
}
