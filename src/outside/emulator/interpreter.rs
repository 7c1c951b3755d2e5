//! A runtime in, the interpreter on this machine that comes nearest out, with its real version.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::model::finding::{self, Finding, Result};
use crate::model::runtime::{Lang, Runtime};

/// The oldest interpreters that the bootstraps run on, major and minor.
const OLDEST_NODE: (u32, u32) = (10, 0);
const OLDEST_PYTHON: (u32, u32) = (3, 7);

/// An interpreter that has said its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    pub path: PathBuf,
    pub lang: Lang,
    /// `22.15.0`.
    pub version: String,
}

impl Interpreter {
    /// The first of `chosen` that is of the runtime's language and version, else the nearest of its
    /// language; with none chosen, the same of what is on PATH. `probe` says what a program is.
    ///
    /// # Errors
    /// [`finding::INTERPRETER_MISSING`].
    pub fn find(
        runtime: &Runtime,
        chosen: &[PathBuf],
        probe: &mut dyn FnMut(&Path) -> std::result::Result<Self, String>,
    ) -> Result<Self> {
        let candidates = match chosen {
            [] => on_path(runtime),
            chosen => chosen.iter().map(|path| from_anywhere(path)).collect(),
        };
        let mut nearest: Option<Self> = None;
        let mut heard = Vec::new();
        for candidate in &candidates {
            match probe(candidate) {
                Ok(found) if found.lang != runtime.lang || !found.is_recent() => {
                    heard.push(format!("`{}` is {} {}", candidate.display(), found.lang, found.version));
                }
                Ok(found) if found.fits(runtime) => return Ok(found),
                Ok(found) => {
                    let nearer = |other: &Self| other.distance(runtime) <= found.distance(runtime);
                    nearest = nearest.filter(nearer).or(Some(found));
                }
                Err(why) => heard.push(format!("`{}` does not start: {why}", candidate.display())),
            }
        }
        nearest.ok_or_else(|| missing(runtime, &heard))
    }

    /// Asks a program for its version.
    ///
    /// # Errors
    /// What it says instead.
    pub fn probe(path: &Path) -> std::result::Result<Self, String> {
        if is_script(path) {
            return Self::behind(path);
        }
        Self::that_says(path, &said(path, &["--version"])?)
    }

    /// The program that a script starts. It is asked once, so that not every call pays for the script.
    fn behind(script: &Path) -> std::result::Result<Self, String> {
        let name = script.file_name().unwrap_or_default().to_string_lossy();
        // Scripts are slow, so the name saves the question what it is.
        let lang = match Lang::ALL.into_iter().find(|lang| name.starts_with(program_name(*lang))) {
            Some(lang) => lang,
            None => Self::that_says(script, &said(script, &["--version"])?)?.lang,
        };
        let arguments = match lang {
            Lang::Nodejs => ["-p", "process.version + '\\t' + process.execPath"],
            Lang::Python => {
                ["-c", "import sys; print('Python %s\\t%s' % (sys.version.split()[0], sys.executable))"]
            }
        };
        let said = said(script, &arguments)?;
        let (said, real) = said.split_once('\t').unwrap_or((&said, ""));
        let found = Self::that_says(script, said)?;
        let real = Path::new(real);
        Ok(if real.is_file() { Self { path: real.to_owned(), ..found } } else { found })
    }

    /// The program that answers `--version` so.
    ///
    /// # Errors
    /// That it is no interpreter.
    pub fn that_says(path: &Path, said: &str) -> std::result::Result<Self, String> {
        let (lang, version) = if let Some(version) = said.strip_prefix('v') {
            (Lang::Nodejs, version)
        } else if let Some(version) = said.strip_prefix("Python ") {
            (Lang::Python, version)
        } else {
            return Err(format!("it says `{said}`"));
        };
        let version = version.split_whitespace().next().unwrap_or_default().to_owned();
        Ok(Self { path: path.to_owned(), lang, version })
    }

    /// Major and minor.
    pub fn numbers(&self) -> (u32, u32) {
        let digits = |part: &str| {
            let end = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part[..end].parse().unwrap_or(0)
        };
        let mut parts = self.version.split('.').map(digits);
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    fn is_recent(&self) -> bool {
        self.numbers()
            >= match self.lang {
                Lang::Nodejs => OLDEST_NODE,
                Lang::Python => OLDEST_PYTHON,
            }
    }

    fn fits(&self, runtime: &Runtime) -> bool {
        self.distance(runtime) == 0
    }

    /// Node.js counts its interfaces by major versions, Python by minor ones.
    fn distance(&self, runtime: &Runtime) -> u32 {
        let ((major, minor), (wanted_major, wanted_minor)) = (self.numbers(), runtime.version());
        match self.lang {
            Lang::Nodejs => major.abs_diff(wanted_major),
            Lang::Python => minor.abs_diff(wanted_minor),
        }
    }

    /// The finding for another version than the runtime's.
    pub fn judge(&self, runtime: &Runtime) -> Option<Box<Finding>> {
        (!self.fits(runtime)).then(|| {
            finding::INTERPRETER_VERSION
                .finding(format!("{} runs here on {} {}", runtime.id, name(self.lang), self.version))
                .why(format!(
                    "the platform has {} {}; `{}` is the nearest here",
                    name(self.lang),
                    runtime.interpreter,
                    self.path.display()
                ))
                .fix("name another one with --interpreter PATH")
        })
    }

    /// The shortest text that tells one set of installed dependencies from another.
    pub fn series(&self) -> String {
        let (major, minor) = self.numbers();
        match self.lang {
            Lang::Nodejs => format!("node-{major}"),
            Lang::Python => format!("python-{major}.{minor}"),
        }
    }
}

pub const fn name(lang: Lang) -> &'static str {
    match lang {
        Lang::Nodejs => "Node.js",
        Lang::Python => "Python",
    }
}

fn missing(runtime: &Runtime, heard: &[String]) -> Box<Finding> {
    let wanted = program_names(runtime).join(", ");
    let problem = finding::INTERPRETER_MISSING
        .finding(format!("no {} was found that can run {}", name(runtime.lang), runtime.id))
        .fix("install it, or name one with --interpreter PATH");
    if heard.is_empty() {
        problem.why(format!("PATH has none of {wanted}"))
    } else {
        problem.why(heard.join("\n"))
    }
}

const fn program_name(lang: Lang) -> &'static str {
    match lang {
        Lang::Nodejs => "node",
        Lang::Python => "python",
    }
}

/// The names of the runtime's interpreter, the best first.
fn program_names(runtime: &Runtime) -> Vec<String> {
    let (major, minor) = runtime.version();
    match runtime.lang {
        Lang::Nodejs => vec![program_name(runtime.lang).to_owned()],
        Lang::Python => vec![format!("python{major}.{minor}"), format!("python{major}"), "python".to_owned()],
    }
}

/// The path of the same program in other directories, where it will be started. A bare name is looked for on
/// PATH.
fn from_anywhere(path: &Path) -> PathBuf {
    let is_bare = path.parent().is_none_or(|directory| directory.as_os_str().is_empty());
    if is_bare { path.to_owned() } else { std::path::absolute(path).unwrap_or_else(|_| path.to_owned()) }
}

/// Every program on PATH that may be the runtime's interpreter, the best name first.
fn on_path(runtime: &Runtime) -> Vec<PathBuf> {
    let mut seen = BTreeSet::new();
    program_names(runtime)
        .iter()
        .flat_map(|name| programs(name))
        .filter(|path| seen.insert(path.clone()))
        .collect()
}

/// Every program called `name` on PATH, in its order.
pub fn programs(name: &str) -> impl Iterator<Item = PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories: Vec<_> = std::env::split_paths(&path).collect();
    directories.into_iter().filter_map(move |directory| program_in(&directory, name))
}

/// The program called `name` in a directory. What has no ending is a script for a shell on Windows.
pub fn program_in(directory: &Path, name: &str) -> Option<PathBuf> {
    let endings: &[&str] = if cfg!(windows) { &[".exe", ".cmd"] } else { &[""] };
    let mut paths = endings.iter().map(|ending| directory.join(format!("{name}{ending}")));
    paths.find(|path| path.is_file())
}

/// Whether the program is a script that starts the real one, as version managers have them.
pub fn is_script(path: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 2];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && &head == b"#!"
}

/// The first line that a program says.
pub fn said(path: &Path, arguments: &[&str]) -> std::result::Result<String, String> {
    let output = Command::new(path)
        .args(arguments)
        .env_remove("NODE_OPTIONS")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| error.to_string())?;
    let line = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim().to_owned()
    };
    if output.status.success() {
        // Python 2 says its version on standard error.
        Ok(Some(line(&output.stdout)).filter(|line| !line.is_empty()).unwrap_or_else(|| line(&output.stderr)))
    } else {
        Err(line(&output.stderr))
    }
}

/// PATH with `directory` in front.
pub fn path_with(directory: Option<&Path>) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = directory.map(Path::to_owned).into_iter().chain(std::env::split_paths(&path));
    std::env::join_paths(directories).unwrap_or_else(|_| path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interpreter(lang: Lang, version: &str) -> Interpreter {
        Interpreter { path: PathBuf::from("/usr/bin/x"), lang, version: version.to_owned() }
    }

    #[test]
    fn node_is_judged_by_major_and_python_by_minor() {
        let node = Runtime::find("nodejs22").unwrap();
        assert!(interpreter(Lang::Nodejs, "22.1.0").judge(node).is_none());
        let problem = interpreter(Lang::Nodejs, "20.20.2").judge(node).unwrap();
        assert_eq!(problem.message, "nodejs22 runs here on Node.js 20.20.2");
        assert!(problem.why.unwrap().contains("22.15.0"));
        let python = Runtime::find("python314").unwrap();
        assert!(interpreter(Lang::Python, "3.14.0rc2").judge(python).is_none());
        assert!(interpreter(Lang::Python, "3.12.1").judge(python).is_some());
    }

    #[test]
    fn a_path_from_here_is_one_from_anywhere() {
        let find = |chosen: &str| {
            let runtime = Runtime::find("nodejs22").unwrap();
            let mut probe = |path: &Path| Interpreter::that_says(path, "v22.1.0");
            Interpreter::find(runtime, &[PathBuf::from(chosen)], &mut probe).unwrap().path
        };
        assert!(find("./node").is_absolute() && find("bin/node").ends_with("bin/node"));
        assert_eq!(find("node"), Path::new("node"));
    }

    #[test]
    fn an_interpreter_that_is_not_there_is_named() {
        let problem = Interpreter::find(
            Runtime::find("python311").unwrap(),
            &[PathBuf::from("/nowhere/python3")],
            &mut Interpreter::probe,
        )
        .unwrap_err();
        assert_eq!(problem.rule.id, "FN0503");
        let why = problem.why.unwrap();
        assert!(why.contains("nowhere") && why.contains("python3"), "{why}");
    }
}
