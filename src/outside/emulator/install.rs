//! An archive's dependency file in, a directory with what the real npm or pip made of it out, from a
//! cache where the same was installed before.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::interpreter::{self, Interpreter};
use super::process::Guardian;
use super::unpack::unpack;
use crate::model::archive;
use crate::model::digest::hex;
use crate::model::finding::{self, Finding, Result};
use crate::model::javascript::LIFECYCLE;
use crate::model::python;
use crate::model::runtime::{self, Lang, Runtime};
use crate::model::sources::{Basis, Sources};
use crate::model::vendor::{NODE_MODULES, in_node_modules};
use crate::outside::disk;
use crate::outside::permissions::{Access, set_modes};
use crate::outside::stage::{Stage, judge_parent};

/// Part of every key: raise it when an entry's layout changes.
const LAYOUT: &str = "2";

/// Lines of npm or pip that a finding repeats.
const LAST_LINES: usize = 15;

/// The variable that tells npm where to keep what it fetched.
const NPM_CACHE: &str = "npm_config_cache";

/// What was installed, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// The archive names no dependencies.
    Nothing,
    /// A directory that stands beside the code: `node_modules`, or one for sys.path.
    Packages(PathBuf),
    /// The whole code, because installing may have changed it.
    Code(PathBuf),
}

/// How to install.
pub struct Installing<'a> {
    pub interpreter: &'a Interpreter,
    /// Nothing is fetched.
    pub offline: bool,
    /// Wheels are taken for the platform's Python of this runtime, not for the one here.
    pub wheels_for: Option<&'static Runtime>,
    /// Told what takes long.
    pub progress: &'a dyn Fn(&str),
}

/// What an installation depends on, and what it changes.
#[derive(Debug, PartialEq, Eq)]
struct Scope {
    basis: Basis,
    /// Not only packages.
    changes_code: bool,
}

impl Installing<'_> {
    /// Installs what package.json or requirements.txt in the archive's root name, as the platform's
    /// builder does when a version is made.
    ///
    /// # Errors
    /// [`finding::INSTALL_FAILED`], [`finding::IO`], and those of [`unpack`].
    pub fn run(&self, sources: &dyn Sources) -> Result<Installed> {
        let file = self.interpreter.lang.dependency_file();
        let Some(scope) = (match self.interpreter.lang {
            Lang::Nodejs => sources.read(file).and_then(|text| scope_of_node(sources, &text)),
            Lang::Python => python::basis(sources).map(|basis| Scope { basis, changes_code: false }),
        }) else {
            return Ok(Installed::Nothing);
        };
        let key = self.key(sources, &scope.basis);
        let cache = cache_directory()?;
        let entry = cache.join(&key);
        if !entry.exists() {
            if self.offline {
                return Err(finding::INSTALL_FAILED
                    .finding(format!("the dependencies in `{file}` are not in the cache"))
                    .why(format!("--offline was given; they would be in `{}`", entry.display()))
                    .fix("run it once without --offline")
                    .at(file));
            }
            self.fill(sources, scope.changes_code, &cache, &entry)?;
        }
        Ok(if scope.changes_code {
            Installed::Code(entry.join("code"))
        } else {
            Installed::Packages(entry.join(self.packages()))
        })
    }

    const fn packages(&self) -> &'static str {
        match self.interpreter.lang {
            Lang::Nodejs => NODE_MODULES,
            Lang::Python => "packages",
        }
    }

    /// The digest of everything that the result depends on.
    fn key(&self, sources: &dyn Sources, basis: &Basis) -> String {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        };
        for text in [LAYOUT, std::env::consts::OS, std::env::consts::ARCH, &self.interpreter.series()] {
            add(text.as_bytes());
        }
        add(self.wheels_for.map_or("", |runtime| runtime.id).as_bytes());
        for name in sources.names().into_iter().filter(|name| basis.has(name)) {
            add(name.as_bytes());
            add(archive::record(sources, name).sha256.as_bytes());
        }
        hex(hash)
    }

    /// Installs in a copy of the code and renames the result into the cache.
    fn fill(&self, sources: &dyn Sources, changes_code: bool, cache: &Path, entry: &Path) -> Result<()> {
        let stage = Stage::within(cache).map_err(elsewhere)?;
        let (code, done) = (stage.path().join("code"), stage.path().join("done"));
        unpack(sources, &code, |_| true)?;
        let moved = |error| disk::io_finding("write", &done, &error);
        fs::create_dir(&done).map_err(moved)?;
        let packages = match self.interpreter.lang {
            Lang::Nodejs => {
                self.npm(&code, sources)?;
                code.join(NODE_MODULES)
            }
            Lang::Python => {
                let packages = stage.path().join("packages");
                self.pip(&code, &packages)?;
                packages
            }
        };
        // Nothing to install makes no directory.
        fs::create_dir_all(&packages).map_err(moved)?;
        // What is in the cache is never written again, but can be removed like any other directory.
        let (made, result, access) = if changes_code {
            (&code, done.join("code"), Access::Read)
        } else {
            (&packages, done.join(self.packages()), Access::ReadFiles)
        };
        fs::rename(made, &result).map_err(moved)?;
        set_modes(&result, access).map_err(moved)?;
        match fs::rename(&done, entry) {
            // Another process was faster with the same.
            Err(_) if entry.exists() => set_modes(&done, Access::Remove).map_err(moved),
            result => result.map_err(moved),
        }
    }

    fn npm(&self, code: &Path, sources: &dyn Sources) -> Result<()> {
        let locked = sources.has("package-lock.json") || sources.has("npm-shrinkwrap.json");
        let beside = self.interpreter.path.parent();
        let (npm, path) = match beside.and_then(|directory| interpreter::program_in(directory, "npm")) {
            Some(npm) => (Some(npm), interpreter::path_with(beside)),
            // Its own Node.js runs it, which need not be the function's.
            None => (interpreter::programs("npm").next(), interpreter::path_with(None)),
        };
        let Some(npm) = npm else {
            return Err(finding::INSTALL_FAILED
                .finding("npm is not on PATH, so the function's dependencies cannot be installed")
                .fix("install npm; it comes with Node.js")
                .at("package.json"));
        };
        let verb = if locked { "ci" } else { "install" };
        (self.progress)(&format!("installing dependencies with npm {verb}"));
        let mut command = Command::new(npm);
        command
            .args([
                verb,
                "--production",
                "--no-audit",
                "--no-fund",
                "--no-update-notifier",
                "--loglevel=error",
            ])
            .env("PATH", path)
            .env_remove("NODE_OPTIONS");
        // npm ends where its own cache, in the home, cannot be made: a user of a container may have no home.
        let is_named = |name: &OsStr| name.eq_ignore_ascii_case(NPM_CACHE);
        let has_home = || home().is_some_and(|home| judge_parent(&home.join(".npm")).is_ok());
        if !std::env::vars_os().any(|(name, _)| is_named(&name)) && !has_home() {
            command.env(NPM_CACHE, cache_base().join("npm"));
        }
        finish(command, code, "npm", "package.json")
    }

    /// Makes pip choose what the platform can load: Ubuntu 18.04 has glibc 2.27, 22.04 has 2.35.
    fn wheel_arguments(&self) -> Vec<String> {
        let Some(runtime) = self.wheels_for else { return Vec::new() };
        let (major, minor) = runtime.version();
        let newest = if runtime.os == runtime::UBUNTU_22 { 35 } else { 27 };
        let mut arguments = vec![
            "--only-binary=:all:".to_owned(),
            "--implementation=cp".to_owned(),
            format!("--python-version={major}.{minor}"),
        ];
        arguments.extend((17..=newest).rev().map(|glibc| format!("--platform=manylinux_2_{glibc}_x86_64")));
        arguments.push("--platform=manylinux2014_x86_64".to_owned());
        arguments
    }

    fn pip(&self, code: &Path, packages: &Path) -> Result<()> {
        (self.progress)("installing dependencies with pip");
        let mut command = Command::new(&self.interpreter.path);
        command
            .args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--quiet"])
            .args(["--no-warn-script-location", "--requirement", "requirements.txt", "--target"])
            .arg(packages)
            .args(self.wheel_arguments())
            .env_remove("PYTHONPATH")
            .env_remove("PIP_TARGET");
        finish(command, code, "pip", "requirements.txt")
    }
}

fn finish(mut command: Command, directory: &Path, name: &str, file: &str) -> Result<()> {
    let failed = |why: String| {
        let network = [
            "ENOTFOUND",
            "EAI_AGAIN",
            "ECONNREFUSED",
            "ECONNRESET",
            "ETIMEDOUT",
            "ENETUNREACH",
            "Temporary failure in name resolution",
            "NewConnectionError",
            "ConnectTimeoutError",
        ];
        let fix = if network.iter().any(|sign| why.contains(sign)) {
            NO_NETWORK
        } else {
            "the platform runs the same installation: correct the dependencies it names"
        };
        finding::INSTALL_FAILED
            .finding(format!("{name} could not install the function's dependencies"))
            .why(why)
            .fix(fix)
            .at(file)
    };
    let output = run(&mut command, directory)
        .map_err(|error| finding::io(format!("could not start {name}"), &error))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    Err(failed(lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")))
}

/// Runs a command that ends with all its children when this process does, however that is; what holds the
/// directory goes then too.
fn run(command: &mut Command, directory: &Path) -> io::Result<Output> {
    command.current_dir(directory);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    let guardian = Guardian::start(directory.parent().unwrap_or(directory))?;
    let child = command.spawn()?;
    let group = guardian.guard(child.id())?;
    let output = child.wait_with_output();
    group.finish();
    output
}

/// The way out that tells a missing network from a wrong dependency.
const NO_NETWORK: &str = "connect this machine to the package registry and run it again";

/// Whether an installation failed only because nothing could be fetched.
pub fn is_for_want_of_network(finding: &Finding) -> bool {
    finding.rule == &finding::INSTALL_FAILED && finding.fix.as_deref() == Some(NO_NETWORK)
}

/// The builder runs npm whenever there is a package.json; one that names nothing changes nothing but a
/// node_modules, from which npm removes what it does not name.
fn scope_of_node(sources: &dyn Sources, text: &[u8]) -> Option<Scope> {
    let packages = || {
        let manifests = ["package.json", "package-lock.json", "npm-shrinkwrap.json", ".npmrc"];
        let names =
            sources.names().into_iter().filter(|name| manifests.contains(name) || in_node_modules(name));
        Scope { basis: Basis::Files(names.map(str::to_owned).collect()), changes_code: false }
    };
    // npm itself says best what is wrong with a file that does not parse.
    let Ok(package) = serde_json::from_slice::<Value>(text) else { return Some(packages()) };
    let names =
        |key: &str| package.get(key).and_then(Value::as_object).is_some_and(|table| !table.is_empty());
    let runs =
        LIFECYCLE.iter().any(|script| package.get("scripts").is_some_and(|all| all.get(script).is_some()));
    let locals = ["dependencies", "optionalDependencies"].iter().any(|key| {
        let table = package.get(*key).and_then(Value::as_object);
        table.is_some_and(|table| table.values().any(|value| value.as_str().is_some_and(is_local)))
    });
    let depends = ["dependencies", "optionalDependencies", "peerDependencies"].into_iter().any(names);
    if runs || (depends && (locals || package.get("workspaces").is_some())) {
        Some(Scope { basis: Basis::All, changes_code: true })
    } else {
        (depends || sources.has_directory(NODE_MODULES)).then(packages)
    }
}

/// Whether a version of package.json is a place in the code.
fn is_local(version: &str) -> bool {
    ["file:", "link:", "./", "../", "/", "~/"].iter().any(|prefix| version.starts_with(prefix))
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The user's. Without the variable the system knows it too.
fn home() -> Option<PathBuf> {
    variable("HOME").or_else(std::env::home_dir).filter(|home| home.is_absolute())
}

/// FNSCAFFOLD_CACHE, else the place that the system has for caches. One that all users share is the last
/// resort.
pub fn cache_base() -> PathBuf {
    let base = if cfg!(target_os = "macos") {
        home().map(|home| home.join("Library/Caches"))
    } else if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else {
        // One that is relative is none, say the XDG Base Directory Specification and who reads it.
        variable("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| home().map(|home| home.join(".cache")))
    };
    variable("FNSCAFFOLD_CACHE")
        .or_else(|| base.map(|base| base.join("fnscaffold")))
        .unwrap_or_else(|| std::env::temp_dir().join("fnscaffold-cache"))
}

/// Where installed dependencies are kept, once something was installed.
pub fn dependencies() -> PathBuf {
    cache_base().join("dependencies")
}

fn cache_directory() -> Result<PathBuf> {
    let directory = dependencies();
    fs::create_dir_all(&directory)
        .map_err(|error| elsewhere(disk::io_finding("create", &directory, &error)))?;
    dunce::canonicalize(&directory).map_err(|error| disk::io_finding("open", &directory, &error))
}

fn elsewhere(problem: Box<Finding>) -> Box<Finding> {
    problem.fix("set FNSCAFFOLD_CACHE to a directory that can be written")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn files(files: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
        files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn what_npm_is_run_for() {
        let scope = |package: &str, others: &[(&str, &str)]| {
            let files = files(&[&[("package.json", package), ("index.js", "")], others].concat());
            scope_of_node(&files, package.as_bytes())
        };
        let of = |names: &[&str]| {
            let basis = Basis::Files(names.iter().map(|name| (*name).to_owned()).collect());
            Some(Scope { basis, changes_code: false })
        };
        let code = || Some(Scope { basis: Basis::All, changes_code: true });
        assert_eq!(scope("{}", &[]), None);
        assert_eq!(scope(r#"{"type":"module","dependencies":{}}"#, &[]), None);
        assert_eq!(scope(r#"{"devDependencies":{"a":"1"}}"#, &[]), None);
        assert_eq!(scope(r#"{"scripts":{"test":"x"}}"#, &[]), None);
        let depends = r#"{"dependencies":{"a":"1"}}"#;
        assert_eq!(scope(depends, &[]), of(&["package.json"]));
        let lock = ("package-lock.json", "{}");
        assert_eq!(scope(depends, &[lock]), of(&["package-lock.json", "package.json"]));
        let packages = [("node_modules/a/index.js", ""), ("node_modules.js", "")];
        assert_eq!(scope(depends, &packages), of(&["node_modules/a/index.js", "package.json"]));
        assert_eq!(
            scope(r#"{"type":"module"}"#, &packages),
            of(&["node_modules/a/index.js", "package.json"])
        );
        assert_eq!(scope(r#"{"dependencies":{"a":"file:a"}}"#, &[]), code());
        assert_eq!(scope(r#"{"dependencies":{"a":"*"},"workspaces":["a"]}"#, &[]), code());
        assert_eq!(scope(r#"{"scripts":{"postinstall":"tsc"}}"#, &[]), code());
    }

    #[test]
    fn what_pip_is_run_for() {
        let basis = |text: &str| {
            let more = [("more/other.txt", "c"), ("index.py", ""), ("vendor/a-1-py3-none-any.whl", "")];
            python::basis(&files(&[&[("requirements.txt", text)], &more[..]].concat()))
        };
        let of = |names: &[&str]| Some(Basis::Files(names.iter().map(|name| (*name).to_owned()).collect()));
        assert_eq!(basis("# nothing\n\n"), None);
        assert_eq!(basis("requests\n"), of(&["requirements.txt"]));
        assert_eq!(basis("-i https://a.b\na==1 \\\n  --hash=sha256:1\n"), of(&["requirements.txt"]));
        assert_eq!(basis("a @ https://a.b/a.whl\ngit+https://a.b/c\n"), of(&["requirements.txt"]));
        assert_eq!(basis("a\n-r more/other.txt\n"), of(&["more/other.txt", "requirements.txt"]));
        assert_eq!(basis("a\n-c more/other.txt\n"), of(&["more/other.txt", "requirements.txt"]));
        assert_eq!(basis("no requirement at all\n"), of(&["requirements.txt"]));
        for local in ["./vendor/a-1-py3-none-any.whl", "-e .", "--find-links vendor\na", "a @ file:///b"] {
            assert_eq!(basis(local), Some(Basis::All), "{local}");
        }
    }
}
