//! requirements.txt in, what pip would install out, and the lines that pip would refuse.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use pep508_rs::{MarkerEnvironment, MarkerEnvironmentBuilder, Pep508Url, Requirement, VersionOrUrl};

use crate::model::finding::{self, Finding, Severity};
use crate::model::python::distributions::normalised;
use crate::model::python::requirement_lines::{self, Directive, Line};
use crate::model::runtime::Runtime;
use crate::model::sources::{Basis, Sources};

/// The file that the platform installs from.
pub const FILE: &str = "requirements.txt";

/// A requirement longer than this, or a marker nested deeper, is no person's: pip's own parser recurses on it
/// and so does the one used here.
const LINE_MAX: usize = 4096;
const PARENTHESES_MAX: usize = 32;

#[derive(Debug, Default)]
pub struct Requirements {
    pub findings: Vec<Box<Finding>>,
    /// Distributions that are installed under this runtime, normalised.
    pub declared: BTreeSet<String>,
    /// Something is installed whose name cannot be told: a URL, a directory, a file elsewhere.
    pub unnamed: bool,
    /// Something may be installed from the function's own files.
    of_code: bool,
}

impl Requirements {
    pub fn is_empty(&self) -> bool {
        self.declared.is_empty() && !self.unnamed
    }
}

pub fn read(sources: &dyn Sources, runtime: &Runtime) -> Requirements {
    let mut reader = Reader {
        environment: environment(runtime),
        lenient: runtime.version() < (3, 14),
        ..Reader::of(sources)
    };
    reader.file(FILE, Role::Requirements);
    reader.requirements
}

/// What pip makes packages of here, whatever the runtime; nothing when it makes none.
pub fn basis(sources: &dyn Sources) -> Option<Basis> {
    let mut reader = Reader::of(sources);
    reader.file(FILE, Role::Requirements);
    let Reader { requirements, read, .. } = reader;
    match requirements {
        Requirements { of_code: true, .. } => Some(Basis::All),
        requirements if requirements.is_empty() => None,
        _ => Some(Basis::Files(read.into_iter().map(|(path, _)| path).collect())),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Requirements,
    /// `-c`: bounds versions, installs nothing.
    Constraints,
}

struct Reader<'a> {
    sources: &'a dyn Sources,
    environment: Option<MarkerEnvironment>,
    requirements: Requirements,
    read: BTreeSet<(String, Role)>,
    /// The files that are being read, each named by the one before.
    open: Vec<String>,
    /// Whether the runtime may have a pip that takes versions outside PEP 440: 24.1 was the first that
    /// does not, and interpreters before 3.14 were published with older ones.
    lenient: bool,
}

/// Where a line stands.
struct Place<'a> {
    path: &'a str,
    line: u32,
}

impl Place<'_> {
    fn refused(&self, text: &str, problem: impl fmt::Display) -> Box<Finding> {
        let shown: String = text.chars().take(120).collect();
        finding::REQUIREMENTS_INVALID
            .finding(format!("`{}` line {}: pip refuses `{shown}`", self.path, self.line))
            .why(problem.to_string())
            .at(self.path)
            .line(self.line)
    }
}

impl<'a> Reader<'a> {
    /// For no runtime: all markers hold.
    fn of(sources: &'a dyn Sources) -> Self {
        Self {
            sources,
            environment: None,
            requirements: Requirements::default(),
            read: BTreeSet::new(),
            open: Vec::new(),
            lenient: true,
        }
    }

    fn file(&mut self, path: &str, role: Role) {
        if !self.read.insert((path.to_owned(), role)) {
            return;
        }
        let Some(bytes) = self.sources.read_list(path) else { return };
        let Some(text) = requirement_lines::decoded(&bytes) else {
            let finding = finding::REQUIREMENTS_INVALID
                .finding(format!("`{path}` is neither UTF-8 nor UTF-16 with a byte order mark"))
                .fix("save the file as UTF-8")
                .at(path);
            self.requirements.findings.push(finding);
            // What it declares is unknown, not nothing.
            self.requirements.unnamed = true;
            return;
        };
        self.open.push(path.to_owned());
        for line in requirement_lines::split(&text) {
            let place = Place { path, line: line.number };
            if let Err(finding) = self.line(&place, &line, role) {
                self.requirements.findings.push(finding);
                // A line that has to be repaired may declare anything.
                self.requirements.unnamed = true;
            }
        }
        self.open.pop();
    }

    fn line(&mut self, place: &Place<'_>, line: &Line, role: Role) -> finding::Result<()> {
        // Not of the whole line: a package with many wheels has as many hashes.
        let requirement = &line.requirement;
        if requirement.len() > LINE_MAX || requirement.matches('(').count() > PARENTHESES_MAX {
            self.requirements.unnamed = true;
            return Ok(());
        }
        let options = requirement_lines::options(&line.options, !line.requirement.is_empty())
            .map_err(|problem| place.refused(&line.text, problem))?;
        if !line.requirement.is_empty() {
            return self.requirement(place, &line.requirement, role);
        }
        for option in options {
            match option {
                Directive::Requirements(file) => {
                    self.nested(place, line, &file, Role::Requirements.max(role))?
                }
                Directive::Constraints(file) => self.nested(place, line, &file, Role::Constraints)?,
                Directive::Editable(target) => self.location(place, &target, role)?,
                Directive::Links(target) => self.requirements.of_code |= is_here(&target),
                Directive::Other => {}
            }
        }
        Ok(())
    }

    fn nested(&mut self, place: &Place<'_>, line: &Line, file: &str, role: Role) -> finding::Result<()> {
        if file.contains("://") || file.contains("${") {
            self.requirements.unnamed |= role == Role::Requirements;
            return Ok(());
        }
        let directory = place.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        match joined(directory, file).filter(|path| self.sources.has(path)) {
            Some(path) if self.open.contains(&path) => {
                Err(place.refused(&line.text, format!("`{path}` includes itself")).fix("remove the line"))
            }
            Some(path) => {
                self.file(&path, role);
                Ok(())
            }
            None => Err(place
                .refused(&line.text, format!("the archive has no file `{file}`"))
                .fix("name a file that is packed, relative to this one")),
        }
    }

    /// A requirement as pip reads it: a URL, a path, or `name[extra]>=1; marker`.
    fn requirement(&mut self, place: &Place<'_>, text: &str, role: Role) -> finding::Result<()> {
        if text.contains("${") || is_location(text) {
            return self.location(place, text, role);
        }
        if let Some(name) = misnamed(text) {
            return Err(
                place.refused(text, format!("the name `{name}` does not end with a letter or a digit"))
            );
        }
        match text.parse::<Requirement<Address>>() {
            Ok(requirement) => {
                let applies = self
                    .environment
                    .as_ref()
                    .is_none_or(|environment| requirement.marker.evaluate(environment, &[]));
                if applies && role == Role::Requirements {
                    self.requirements.declared.insert(requirement.name.to_string());
                }
                let Some(VersionOrUrl::Url(Address(address))) = &requirement.version_or_url else {
                    return Ok(());
                };
                self.requirements.of_code |= is_here(address);
                // A constraint may be one of a package that nobody requires.
                if applies && role == Role::Requirements { judge_file(place, text, address) } else { Ok(()) }
            }
            Err(error) => {
                let problem = error.message.to_string().replace('\n', " ");
                if self.lenient && is_legacy(text) {
                    let mut finding = place.refused(text, problem);
                    finding.severity = Severity::Warning;
                    finding.message =
                        format!("`{}` line {}: only pip before 24.1 takes `{text}`", place.path, place.line);
                    return Err(finding.fix("write a version as PEP 440 has it: `>=2`, `==2.*`"));
                }
                let finding = place.refused(text, problem);
                Err(match hint(text) {
                    Some(hint) => finding.fix(hint),
                    None => finding.fix("write `name`, `name==1.2.3` or `name @ https://...`"),
                })
            }
        }
    }

    /// A URL, an archive or a directory to install from.
    fn location(&mut self, place: &Place<'_>, text: &str, role: Role) -> finding::Result<()> {
        let address = text.split(';').next().unwrap_or_default().trim();
        let (target, fragment) = address.split_once('#').unwrap_or((address, ""));
        let egg = fragment.split('&').find_map(|part| part.strip_prefix("egg="));
        let file = target.rsplit('/').next().unwrap_or_default();
        let wheel = file.strip_suffix(".whl").and_then(|stem| stem.split('-').next());
        if role == Role::Requirements {
            match egg.or(wheel) {
                Some(name) if !name.contains('$') => {
                    let name = name.split('[').next().unwrap_or_default();
                    self.requirements.declared.insert(normalised(name));
                }
                _ => self.requirements.unnamed = true,
            }
        }
        self.requirements.of_code |= is_here(target);
        if role == Role::Requirements && address == text.trim() {
            judge_file(place, text, target)?;
        }
        if target.contains("://") || target.contains("${") || target.starts_with("file:") {
            return Ok(());
        }
        // pip takes paths relative to where it runs, which is the archive's root.
        let without_extras = target.split('[').next().unwrap_or_default();
        let Some(path) = joined("", without_extras) else {
            return Err(place
                .refused(text, format!("`{without_extras}` is outside the archive"))
                .fix("pack the file, and name it relative to the archive's root"));
        };
        if is_archive(&path) {
            return if self.sources.has(&path) {
                Ok(())
            } else {
                Err(place
                    .refused(text, format!("the archive has no file `{path}`"))
                    .fix("pack that file, or name the package instead"))
            };
        }
        let project = ["setup.py", "pyproject.toml"]
            .iter()
            .any(|file| joined(&path, file).is_some_and(|file| self.sources.has(&file)));
        if project {
            Ok(())
        } else {
            Err(place
                .refused(text, "the directory has neither `pyproject.toml` nor `setup.py`, so nothing can be built from it")
                .fix("remove the line if it is the function itself: its modules need no installing"))
        }
    }
}

/// Any URL: whether it can be fetched is not judged here, and nothing is expanded from the environment.
#[derive(Debug, Clone)]
struct Address(String);

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may hold a password.
        f.write_str("a URL")
    }
}

impl Pep508Url for Address {
    type Err = fmt::Error;

    fn parse_url(url: &str, _working_directory: Option<&Path>) -> Result<Self, Self::Err> {
        Ok(Self(url.to_owned()))
    }
}

const SCHEMES: [&str; 5] = ["http://", "https://", "ftp://", "ftps://", "file:"];
const VERSION_CONTROL: [&str; 4] = ["git+", "hg+", "svn+", "bzr+"];
const ARCHIVES: [&str; 9] =
    [".whl", ".zip", ".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz"];

fn is_location(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let first = text.split([';', ' ']).next().unwrap_or_default();
    SCHEMES.iter().chain(&VERSION_CONTROL).any(|prefix| lower.starts_with(prefix))
        || text.starts_with('.')
        || (first.contains('/') && !text.contains('@'))
        || (is_archive(first) && !text.contains(" @"))
}

/// Refuses a file of the machine that the list was written on, as `pip freeze` lists what conda installed.
fn judge_file(place: &Place<'_>, text: &str, address: &str) -> finding::Result<()> {
    let path = address.strip_prefix("file://").unwrap_or_default();
    let path = path.strip_prefix("localhost").unwrap_or(path);
    // Where the platform itself has the function.
    if path.is_empty() || path.starts_with("/function/") {
        return Ok(());
    }
    let mut problem = place.refused(text, format!("the platform has no file `{path}`"));
    let name = text.split(['@', ' ']).next().filter(|name| !name.contains(':')).unwrap_or("name");
    problem.fix =
        Some(format!("name the package: `{name}==…`; `pip list --format=freeze` writes such lines"));
    Err(problem)
}

/// Whether an address may be one of the function's own files.
fn is_here(address: &str) -> bool {
    address.starts_with("file:") || !address.contains("://")
}

fn is_archive(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    ARCHIVES.iter().any(|suffix| lower.ends_with(suffix))
}

/// A name of a distribution or an extra that ends with punctuation. The parser of requirements panics on
/// some of them, so they do not come to it.
fn misnamed(text: &str) -> Option<&str> {
    let names = text.split(['@', '<', '=', '>', '~', '!', ';', '(']).next().unwrap_or_default();
    names
        .split(|c: char| matches!(c, '[' | ']' | ',') || c.is_whitespace())
        .map(|word| {
            let ends = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.');
            &word[..word.find(ends).unwrap_or(word.len())]
        })
        .find(|name| name.ends_with(['-', '_', '.']))
}

/// A relative path below a directory, without `.` and `..`; nothing if it leaves the archive.
fn joined(directory: &str, path: &str) -> Option<String> {
    if path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// `name>=2.*`: an operator with anything behind it, as pip took it before 24.1.
fn is_legacy(text: &str) -> bool {
    let requirement = text.split(';').next().unwrap_or_default();
    let Some(start) = requirement.find(['<', '=', '>', '!']) else { return false };
    let (name, specifiers) = requirement.split_at(start);
    let named = name.trim().chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    named
        && !name.trim().is_empty()
        && specifiers.split(',').all(|specifier| {
            let specifier = specifier.trim();
            let operators = ["==", "!=", "<=", ">=", "<", ">"];
            let version = operators.iter().find_map(|operator| specifier.strip_prefix(operator));
            version.is_some_and(|version| {
                !version.starts_with(['=', '<', '>', '!']) && !version.trim().contains(char::is_whitespace)
            })
        })
}

/// What a line that pip refuses was likely meant to be.
fn hint(text: &str) -> Option<String> {
    if text.contains("==") || text.contains(">=") || text.contains("<=") {
        return None;
    }
    if let Some((name, version)) = text.split_once('=') {
        return Some(format!("write `{}=={}`", name.trim(), version.trim_start_matches('=').trim()));
    }
    let mut words = text.split_whitespace();
    match (words.next(), words.next(), words.next()) {
        (Some("pip" | "pip3"), Some("install"), Some(name)) => Some(format!("write `{name}`")),
        (Some("import" | "from"), Some(name), _) => Some(format!("write the distribution's name: `{name}`")),
        (Some(name), Some(version), None) if version.starts_with(|c: char| c.is_ascii_digit()) => {
            Some(format!("write `{name}=={version}`"))
        }
        (Some(_), Some(_), _) => Some("write one requirement a line".to_owned()),
        _ => None,
    }
}

/// What the markers of a requirement are compared with.
fn environment(runtime: &Runtime) -> Option<MarkerEnvironment> {
    let (major, minor) = runtime.version();
    MarkerEnvironment::try_from(MarkerEnvironmentBuilder {
        implementation_name: "cpython",
        implementation_version: runtime.interpreter,
        os_name: "posix",
        platform_machine: "x86_64",
        platform_python_implementation: "CPython",
        platform_release: "",
        platform_system: "Linux",
        platform_version: "",
        python_full_version: runtime.interpreter,
        python_version: &format!("{major}.{minor}"),
        sys_platform: "linux",
    })
    .ok()
}
