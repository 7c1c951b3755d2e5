//! `verify`: rebuilds the archive and compares with `dist/`, byte for byte.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::model::archive::{Archive, Comparing, Level};
use crate::model::finding::{self, Exit, Finding, Result};
use crate::model::manifest::Manifest;
use crate::model::package::{self, DIST};
use crate::model::settings::parse_runtime;
use crate::model::version::{self, VersionSpec};
use crate::outside::disk::{self, SourceFile};
use crate::outside::packing;
use crate::outside::terminal::Format;
use crate::outside::{emulator, judging};

#[derive(Debug, Args)]
pub struct Verify {
    /// Rebuild as `pack --vendor` does
    #[arg(long)]
    vendor: bool,
    /// The interpreter for --vendor, instead of the one on PATH; may be repeated, the one that fits is taken
    #[arg(long, value_name = "PATH", env = "FNSCAFFOLD_INTERPRETER", hide_env = true, value_delimiter = ',')]
    interpreter: Vec<PathBuf>,
}

impl Verify {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let terminal = &context.terminal;
        let (manifest, _) = disk::read_manifest(&context.directory)?;
        let selection = disk::selection(&context.directory, &manifest)?;
        let mut files = disk::collect(&context.directory, &selection)?.files;
        if self.vendor {
            let runtime = parse_runtime(&manifest.version.runtime)?;
            (files, _) = emulator::vendor(files, runtime, &self.interpreter, &|line| terminal.note(line))?;
        }
        let (spec, mut findings) = compare_archive(context, &manifest, &files)?;
        findings.extend(judging::judge_version(&context.directory, &spec)?);
        let ok = findings.is_empty();
        if terminal.format != Format::Text {
            let document = json!({ "ok": ok, "archive": spec.archive, "findings": findings });
            terminal.say_verdict(document, findings.first().map(|first| &**first))?;
        } else if ok {
            let archive = &spec.archive;
            terminal.say(&format!(
                "{DIST}/{} is {}: sha256 {}",
                archive.file,
                terminal.good("reproduced"),
                archive.sha256
            ))?;
        }
        for problem in &findings {
            terminal.warn_in_text(problem);
        }
        Ok(if ok { Exit::Done } else { Exit::Findings })
    }
}

/// Rebuilds beside the archive in `dist/`. An archive of another compression level is rebuilt at that
/// level: which one it was is told by the bytes alone.
fn compare_archive(
    context: &Context,
    manifest: &Manifest,
    files: &[SourceFile],
) -> Result<(VersionSpec, Vec<Box<Finding>>)> {
    let name = parse_runtime(&manifest.version.runtime)?.lang.archive_name();
    let path = format!("{DIST}/{name}");
    let place = context.directory.join(&path);
    let rebuild = |level| -> Result<_> {
        let mut comparing = Comparing::with(disk::open_if_there(&place)?);
        // What `pack` was allowed to take is compared, not judged again.
        let everything = [".".to_owned()];
        let packing = packing::settings(level, &everything)?;
        let spec = package::build(manifest, files, &packing, &mut comparing)?;
        let same = comparing.into_verdict().map_err(|error| disk::io_finding("read", &place, &error))?;
        Ok((spec, same))
    };
    let (spec, same) = rebuild(Level::Default)?;
    if same {
        return Ok((spec, Vec::new()));
    }
    let Some(file) = disk::open_if_there(&place)? else {
        let missing = finding::ARCHIVE_MISSING.finding(format!("`{path}` does not exist"));
        return Ok((spec, vec![missing.fix("write it with `fnscaffold pack`").at(path)]));
    };
    let standing = match Archive::open(file).and_then(|archive| archive.records()) {
        Ok(records) => records,
        Err(problem) => return Ok((spec, vec![problem.at(path)])),
    };
    let difference = version::first_difference(&standing, &spec.archive.entries);
    if difference.is_none() {
        for level in [Level::Fast, Level::Best] {
            let (spec, same) = rebuild(level)?;
            if same {
                return Ok((spec, Vec::new()));
            }
        }
    }
    let why = difference.unwrap_or_else(|| {
        "every entry has the same content; dates, modes or compression differ, as when another tool packs"
            .to_owned()
    });
    let problem = finding::NOT_REPRODUCED
        .finding(format!("`{path}` is not what these sources make"))
        .why(why)
        .fix("rebuild it with `fnscaffold pack`; one that `pack --vendor` made is verified with --vendor")
        .at(path);
    Ok((spec, vec![problem]))
}
