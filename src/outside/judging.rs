//! A function directory in, everything that `check` finds in it out.

use std::io::BufReader;
use std::path::{Path, PathBuf};

use crate::model::archive::{Archive, Comparing, Level};
use crate::model::finding::{self, Finding, Result, Severity};
use crate::model::limits;
use crate::model::manifest::{self, Manifest};
use crate::model::package::{self, DIST};
use crate::model::rules;
use crate::model::runtime::Runtime;
use crate::model::settings::parse_runtime;
use crate::model::sources::Sources;
use crate::model::vendor;
use crate::model::version::{self, ArchiveRecord, VersionSpec};
use crate::outside::disk::{self, Files, SourceFile};
use crate::outside::{emulator, packing};

/// How to judge.
pub struct Judging<'a> {
    pub directory: &'a Path,
    /// Entries, or directories of them, that may look like secrets.
    pub allow_secret: &'a [String],
    pub load: Option<Loading<'a>>,
}

/// How to import the entry point too.
pub struct Loading<'a> {
    pub interpreter: &'a [PathBuf],
    pub progress: &'a dyn Fn(&str),
}

impl Judging<'_> {
    /// # Errors
    /// [`finding::MANIFEST_MISSING`], and what keeps files from being read.
    pub fn judge(&self) -> Result<Vec<Box<Finding>>> {
        let (manifest, lines) = match disk::read_manifest(self.directory) {
            Ok(read) => read,
            Err(problem) if problem.rule == &finding::MANIFEST_MISSING => return Err(problem),
            Err(problem) => return Ok(vec![problem]),
        };
        let mut findings = rules::judge_manifest(&manifest, &lines);
        let collected = disk::selection(self.directory, &manifest)
            .and_then(|selection| disk::collect(self.directory, &selection));
        let sources = match collected {
            Ok(collected) => collected.files,
            Err(problem) => {
                findings.push(problem);
                return Ok(findings);
            }
        };
        let Ok(runtime) = parse_runtime(&manifest.version.runtime) else { return Ok(findings) };
        findings.extend(self.judge_package(&manifest, runtime, sources)?);
        for problem in &mut findings {
            // Code is judged by the entry point, which function.toml names.
            if problem.path.is_none() {
                problem.path = Some(manifest::FILE.to_owned());
                problem.line = lines.of("version.entrypoint");
            }
        }
        Ok(findings)
    }

    /// Archive and version.json, and the code in the archive.
    fn judge_package(
        &self,
        manifest: &Manifest,
        runtime: &'static Runtime,
        sources: Vec<SourceFile>,
    ) -> Result<Vec<Box<Finding>>> {
        let mut findings = Vec::new();
        let name = runtime.lang.archive_name();
        let path = format!("{DIST}/{name}");
        let place = self.directory.join(&path);
        let standing = disk::open_if_there(&place)?;
        let packing = packing::settings(Level::Default, self.allow_secret)?;
        let mut comparing = Comparing::with(standing.as_ref());
        let rebuilt = match package::build(manifest, &sources, &packing, &mut comparing) {
            Ok(spec) => Some(spec.archive),
            // An invalid value has been judged in function.toml.
            Err(problem) if problem.rule.id.starts_with("FN02") => None,
            Err(problem) => {
                findings.push(problem);
                None
            }
        };
        let is_same = comparing.into_verdict().map_err(|error| disk::io_finding("read", &place, &error))?;
        let Some(file) = standing else {
            let missing = finding::ARCHIVE_MISSING.finding(format!("`{path}` does not exist"));
            findings.push(missing.fix("write it with `fnscaffold pack`").at(path));
            findings.extend(judge_code(&Files::from(&*sources), runtime, manifest));
            return Ok(findings);
        };
        // They may be 100,000, and the archive says the same.
        let sources = if is_same { Vec::new() } else { sources };
        let archive = match Archive::open(file) {
            Ok(archive) => archive,
            Err(problem) => {
                findings.push(problem.at(path));
                return Ok(findings);
            }
        };
        let record = match rebuilt {
            Some(rebuilt) if is_same => rebuilt,
            rebuilt => {
                let entries = match archive.records() {
                    Ok(entries) => entries,
                    Err(problem) => {
                        findings.push(problem.at(path));
                        return Ok(findings);
                    }
                };
                if let Some(rebuilt) = rebuilt {
                    let own = Files::from(&*sources);
                    findings.extend(rules::judge_freshness(
                        &path,
                        &entries,
                        &rebuilt.entries,
                        &vendor::packages(&archive, runtime.lang),
                        |path| vendor::gives_way(path, &own, runtime.lang),
                    ));
                }
                let (size, sha256) = disk::digest(&place)?;
                ArchiveRecord { file: name.to_owned(), size, sha256, entries }
            }
        };
        findings.extend(package::judge_archive_size(&path, record.size));
        if let Ok(spec) = VersionSpec::of(manifest, record) {
            findings.extend(judge_version(self.directory, &spec)?);
        }
        let mut judged = judge_code(&archive, runtime, manifest);
        if let Some(load) = &self.load {
            load.judge(manifest, runtime, &archive, &mut judged)?;
        }
        findings.append(&mut judged);
        Ok(findings)
    }
}

fn judge_code(files: &dyn Sources, runtime: &Runtime, manifest: &Manifest) -> Vec<Box<Finding>> {
    let mut findings = rules::judge_code(files, runtime, &manifest.version.entrypoint);
    if let Some(variable) = limits::search_path(&manifest.version, runtime) {
        for problem in findings.iter_mut().filter(|finding| finding.rule == &finding::DEPENDENCY_UNDECLARED) {
            problem.severity = problem.severity.min(Severity::Warning);
            let why = problem.why.take().map(|why| why + "\n").unwrap_or_default();
            problem.why = Some(format!("{why}where the variable `{variable}` leads was not looked"));
        }
    }
    findings
}

/// What stands in `dist/version.json` against what `spec` would write there.
///
/// # Errors
/// [`finding::IO`].
pub fn judge_version(directory: &Path, spec: &VersionSpec) -> Result<Option<Box<Finding>>> {
    let path = format!("{DIST}/{}", version::FILE);
    let place = directory.join(&path);
    if let Some(standing) = disk::open_if_there(&place)? {
        let mut comparing = Comparing::with(Some(BufReader::new(standing)));
        let same = spec.write_json(&mut comparing).and_then(|()| comparing.into_verdict());
        if same.map_err(|error| disk::io_finding("read", &place, &error))? {
            return Ok(None);
        }
    }
    // Held only to say where it differs.
    let text = disk::read_if_there(&place)?;
    Ok(Some(rules::wrong_version(&path, text.as_deref(), spec)))
}

impl Loading<'_> {
    /// Adds what the real interpreter says. It knows where the parsers could only guess.
    fn judge(
        &self,
        manifest: &Manifest,
        runtime: &'static Runtime,
        archive: &dyn Sources,
        findings: &mut Vec<Box<Finding>>,
    ) -> Result<()> {
        let loaded = emulator::load(archive, runtime, manifest, self.interpreter, self.progress)?;
        let could_not_try = [&finding::INTERPRETER_MISSING, &finding::INSTALL_FAILED, &finding::LOAD_SKIPPED];
        if !loaded.iter().any(|finding| could_not_try.contains(&finding.rule)) {
            findings.retain(|finding| finding.rule != &finding::ENTRYPOINT_UNKNOWN);
        }
        let is_known = |rule| findings.iter().any(|finding| finding.rule == rule);
        let new: Vec<_> = loaded.into_iter().filter(|finding| !is_known(finding.rule)).collect();
        findings.extend(new);
        Ok(())
    }
}
