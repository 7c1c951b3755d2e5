//! `check`: function.toml, sources, archive and version.json, judged against each other and the
//! platform's rules.

use std::io;
use std::path::PathBuf;

use clap::Args;

use crate::commands::Context;
use crate::model::archive::{Archive, Level};
use crate::model::finding::{self, Exit, Finding, Result, Severity};
use crate::model::manifest::{self, Manifest};
use crate::model::package;
use crate::model::project::DIST;
use crate::model::rules;
use crate::model::runtime::Runtime;
use crate::model::settings::parse_runtime;
use crate::model::sources::Sources;
use crate::model::vendor;
use crate::model::version::{self, ArchiveRecord, VersionSpec};
use crate::outside::disk::{self, Files, SourceFile};
use crate::outside::{emulator, packing};

/// Judge function.toml, sources, archive and version.json before the platform does
#[derive(Debug, Args)]
#[command(
    after_help = "--format sarif writes the findings for code scanning. `fnscaffold explain ID` says more of one."
)]
pub struct Check {
    /// Also import the entry point under the real interpreter, from an unpacked copy of the archive
    #[arg(long)]
    load: bool,
    /// The interpreter for --load, instead of the one on PATH; may be repeated, the one that fits is taken
    #[arg(long, value_name = "PATH", env = "FNSCAFFOLD_INTERPRETER", hide_env = true, value_delimiter = ',')]
    interpreter: Vec<PathBuf>,
    /// Fail on warnings too
    #[arg(long)]
    strict: bool,
    /// Take this file, or what is in this directory, although it looks like a secret
    #[arg(
        long,
        value_name = "PATH",
        env = "FNSCAFFOLD_ALLOW_SECRET",
        hide_env = true,
        value_delimiter = ','
    )]
    allow_secret: Vec<String>,
}

impl Check {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let mut findings = self.judge(context)?;
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let worst = findings.first().map(|finding| finding.severity);
        let failed = worst >= Some(if self.strict { Severity::Warning } else { Severity::Error });
        context.terminal.say_findings(!failed, &findings)?;
        Ok(if failed { Exit::Findings } else { Exit::Done })
    }

    fn judge(&self, context: &Context) -> Result<Vec<Box<Finding>>> {
        let (manifest, lines) = match disk::read_manifest(&context.directory) {
            Ok(read) => read,
            Err(problem) if problem.rule == &finding::MANIFEST_MISSING => return Err(problem),
            Err(problem) => return Ok(vec![problem]),
        };
        let mut findings = rules::judge_manifest(&manifest, &lines);
        let collected = disk::selection(&context.directory, &manifest)
            .and_then(|selection| disk::collect(&context.directory, &selection));
        let sources = match collected {
            Ok(collected) => collected.files,
            Err(problem) => {
                findings.push(problem);
                return Ok(findings);
            }
        };
        let Ok(runtime) = parse_runtime(&manifest.version.runtime) else { return Ok(findings) };
        findings.extend(self.judge_package(context, &manifest, runtime, &sources)?);
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
        context: &Context,
        manifest: &Manifest,
        runtime: &'static Runtime,
        sources: &[SourceFile],
    ) -> Result<Vec<Box<Finding>>> {
        let mut findings = Vec::new();
        let entrypoint = &manifest.version.entrypoint;
        let packing = packing::settings(Level::Default, &self.allow_secret)?;
        let rebuilt = match package::build(manifest, sources, &packing, io::sink()) {
            Ok(spec) => Some(spec),
            // An invalid value has been judged in function.toml.
            Err(problem) if problem.rule.id.starts_with("FN02") => None,
            Err(problem) => {
                findings.push(problem);
                None
            }
        };
        let name = runtime.lang.archive_name();
        let path = format!("{DIST}/{name}");
        let place = context.directory.join(&path);
        let Some(file) = disk::open_if_there(&place)? else {
            let missing = finding::ARCHIVE_MISSING.finding(format!("`{path}` does not exist"));
            findings.push(missing.fix("write it with `fnscaffold pack`").at(path));
            findings.extend(rules::judge_code(&Files::from(sources), runtime, entrypoint));
            return Ok(findings);
        };
        let archive = match Archive::open(file) {
            Ok(archive) => archive,
            Err(problem) => {
                findings.push(problem.at(path));
                return Ok(findings);
            }
        };
        let (size, sha256) = disk::digest(&place)?;
        findings.extend(package::judge_archive_size(&path, size));
        let entries = match &rebuilt {
            Some(spec) if spec.archive.sha256 == sha256 => spec.archive.entries.clone(),
            _ => match archive.records() {
                Ok(records) => records,
                Err(problem) => {
                    findings.push(problem.at(path));
                    return Ok(findings);
                }
            },
        };
        if let Some(rebuilt) = &rebuilt {
            let own = Files::from(sources);
            findings.extend(rules::judge_freshness(
                &path,
                &entries,
                &rebuilt.archive.entries,
                &vendor::packages(&archive, runtime.lang),
                |path| vendor::gives_way(path, &own, runtime.lang),
            ));
        }
        let record = ArchiveRecord { file: name.to_owned(), size, sha256, entries };
        if let Ok(spec) = VersionSpec::of(manifest, record) {
            let path = format!("{DIST}/{}", version::FILE);
            let text = disk::read_if_there(&context.directory.join(&path))?;
            findings.extend(rules::judge_version(&path, text.as_deref(), &spec));
        }
        let mut judged = rules::judge_code(&archive, runtime, entrypoint);
        if self.load {
            self.load(context, manifest, runtime, &archive, &mut judged)?;
        }
        findings.append(&mut judged);
        Ok(findings)
    }

    /// Adds what the real interpreter says. It knows where the parsers could only guess.
    fn load(
        &self,
        context: &Context,
        manifest: &Manifest,
        runtime: &'static Runtime,
        archive: &dyn Sources,
        findings: &mut Vec<Box<Finding>>,
    ) -> Result<()> {
        let progress = |text: &str| context.terminal.note(text);
        let loaded = emulator::load(archive, runtime, manifest, &self.interpreter, &progress)?;
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
