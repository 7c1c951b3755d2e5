//! `pack`: a function directory in, its archive and version.json out, together.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use crate::commands::Context;
use crate::commands::allowing::AllowArgs;
use crate::model::archive::{Content, DIRECT_UPLOAD_LIMIT, Level};
use crate::model::finding::{Exit, Result};
use crate::model::manifest::Manifest;
use crate::model::package::{self, DIST, DIST_FILES, Packing};
use crate::model::project::beside_archive;
use crate::model::report::{self, Report};
use crate::model::selection::LeftOutBy;
use crate::model::settings::parse_runtime;
use crate::model::tree_view::human_size;
use crate::model::version::VersionSpec;
use crate::outside::disk::{self, Collected, SourceFile};
use crate::outside::emulator;
use crate::outside::packing;
use crate::outside::progress::Progress;
use crate::outside::stage::{Stage, judge_dist, judge_parent};
use crate::outside::terminal::{Format, Terminal, harmless};

#[derive(Debug, Args)]
pub struct Pack {
    /// Print the entries of the archive and write nothing
    #[arg(long)]
    list: bool,
    /// Install the dependencies into the archive, with the real npm or pip
    #[arg(long)]
    vendor: bool,
    /// The interpreter for --vendor, instead of the one on PATH; may be repeated, the one that fits is taken
    #[arg(long, value_name = "PATH", env = "FNSCAFFOLD_INTERPRETER", hide_env = true, value_delimiter = ',')]
    interpreter: Vec<PathBuf>,
    /// Say what takes the space, as a table or as a page with a map of it, and write nothing
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        env = "FNSCAFFOLD_REPORT",
        hide_env = true,
        num_args = 0..=1,
        default_missing_value = "text"
    )]
    report: Option<ReportForm>,
    /// How hard to compress
    #[arg(
        long,
        value_enum,
        value_name = "LEVEL",
        env = "FNSCAFFOLD_LEVEL",
        hide_env = true,
        default_value = "default"
    )]
    level: LevelName,
    #[command(flatten)]
    secrets: AllowArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ReportForm {
    Text,
    Html,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LevelName {
    Fast,
    Default,
    Best,
}

impl Pack {
    pub fn run(self, context: &Context) -> Result<Exit> {
        let only_reads = self.list || self.report.is_some() || context.dry_run;
        let _turn = if only_reads { None } else { context.turn_in(&context.directory) };
        let (manifest, _) = disk::read_manifest(&context.directory)?;
        let mut collected =
            disk::collect(&context.directory, &disk::selection(&context.directory, &manifest)?)?;
        if self.vendor {
            let runtime = parse_runtime(&manifest.version.runtime)?;
            let say = |line: &str| context.terminal.note(line);
            let (files, remark) = emulator::vendor(collected.files, runtime, &self.interpreter, &say)?;
            collected.files = files;
            if let Some(remark) = remark {
                context.terminal.warn(&remark);
            }
        }
        if self.list {
            return list(&context.terminal, &collected);
        }
        let level = match self.level {
            LevelName::Fast => Level::Fast,
            LevelName::Default => Level::Default,
            LevelName::Best => Level::Best,
        };
        let files = &collected.files;
        let settings = packing::settings(level, &self.secrets.allow_secret)?;
        let bytes: u64 = files.iter().map(Content::size).sum();
        let passes = if level == Level::Best && self.report.is_none() { 2 } else { 1 };
        let progress = Progress::of(&context.terminal, "packing", bytes.saturating_mul(passes));
        let advance = |bytes| progress.advance(bytes);
        let packing = Packing { progress: &advance, ..settings };
        if let Some(form) = self.report {
            let weighed = package::weigh(files, &packing)?;
            drop(progress);
            say_report(&context.terminal, &manifest, &weighed, form)?;
            return Ok(Exit::Done);
        }
        judge_dist(&context.directory)?;
        // Before, not after: so that the records of 100,000 entries are held once.
        let usual = match level {
            Level::Best => Some(package::archive_size(files, &Packing { level: Level::Default, ..packing })?),
            _ => None,
        };
        let (spec, changed) = if context.dry_run {
            judge_parent(&context.directory)?;
            compare(&context.directory, &manifest, files, &packing)?
        } else {
            write(&context.directory, &manifest, files, &packing)?
        };
        drop(progress);
        say_packed(context, &manifest, &spec, changed, usual)?;
        Ok(Exit::Done)
    }
}

/// What [`write`] would make, and whether it is another one than is there.
fn compare(
    directory: &Path,
    manifest: &Manifest,
    files: &[SourceFile],
    packing: &Packing<'_>,
) -> Result<(VersionSpec, bool)> {
    let standing = |name: &str| disk::comparing(&directory.join(DIST).join(name));
    let mut archive = standing(parse_runtime(&manifest.version.runtime)?.lang.archive_name())?;
    let spec = package::build(manifest, files, packing, &mut archive)?;
    let mut is_same = archive.into_verdict();
    for (name, write) in beside_archive(&spec) {
        let mut beside = BufWriter::new(standing(name)?);
        is_same = is_same.and_then(|same| {
            write(&mut beside)?;
            Ok(same && beside.into_inner()?.into_verdict()?)
        });
    }
    let changed = is_same.map_or(true, |same| !same);
    Ok((spec, changed))
}

/// Makes `dist/`, and says whether it is another one than before.
fn write(
    directory: &Path,
    manifest: &Manifest,
    files: &[SourceFile],
    packing: &Packing<'_>,
) -> Result<(VersionSpec, bool)> {
    let stage = Stage::within(directory)?;
    let archive = stage.create(parse_runtime(&manifest.version.runtime)?.lang.archive_name())?;
    let spec = package::build(manifest, files, packing, archive)?;
    for (name, write) in beside_archive(&spec) {
        stage.write_with(name, &*write)?;
    }
    let changed = stage.differs_from(&directory.join(DIST), &DIST_FILES)?;
    if changed {
        stage.become_dist(directory, &DIST_FILES)?;
    }
    Ok((spec, changed))
}

fn say_report(terminal: &Terminal, manifest: &Manifest, report: &Report, form: ReportForm) -> Result<()> {
    if terminal.format != Format::Text {
        return terminal.say_json(&json!({ "ok": true, "function": manifest.name, "report": report }));
    }
    if form == ReportForm::Html {
        let archive = parse_runtime(&manifest.version.runtime)?.lang.archive_name();
        return terminal.say_bytes(report::page(report, &manifest.name, archive)?.as_bytes());
    }
    terminal.say(&report::table(report, terminal.verbose).join("\n"))
}

fn list(terminal: &Terminal, collected: &Collected) -> Result<Exit> {
    if terminal.format != Format::Text {
        let entries: Vec<_> =
            collected.files.iter().map(|file| json!({ "path": file.path(), "size": file.size() })).collect();
        let left_out: Vec<_> =
            collected.left_out.iter().map(|(path, by)| json!({ "path": path, "by": by })).collect();
        terminal.say_json(&json!({ "ok": true, "entries": entries, "leftOut": left_out }))?;
        return Ok(Exit::Done);
    }
    for file in &collected.files {
        terminal.say(file.path())?;
    }
    for (path, by) in &collected.left_out {
        terminal.detail(&format!("left out {}: {}", by.describe(), harmless(path)));
    }
    if !collected.left_out.is_empty() {
        let of = |wanted| collected.left_out.iter().filter(|(_, by)| *by == wanted).count();
        let counts: Vec<_> =
            [LeftOutBy::Default, LeftOutBy::Exclude, LeftOutBy::Fnignore, LeftOutBy::Include]
                .into_iter()
                .filter(|by| of(*by) > 0)
                .map(|by| format!("{} {}", of(by), by.describe()))
                .collect();
        let hint = if terminal.verbose { "" } else { " (-v names them)" };
        terminal.note(&format!("left out: {}{hint}", counts.join(", ")));
    }
    Ok(Exit::Done)
}

/// What was done; of `--level best` also what it saved of the `usual` size.
fn say_packed(
    context: &Context,
    manifest: &Manifest,
    spec: &VersionSpec,
    changed: bool,
    usual: Option<u64>,
) -> Result<()> {
    let terminal = &context.terminal;
    let archive = &spec.archive;
    let warning = package::judge_archive_size(&format!("{DIST}/{}", archive.file), archive.size);
    if terminal.format != Format::Text {
        let mut document = json!({
            "ok": true,
            "dryRun": context.dry_run,
            "changed": changed,
            "function": manifest.name,
            "archive": archive,
            "findings": warning.into_iter().collect::<Vec<_>>(),
        });
        if let Some(usual) = usual {
            document["saved"] = json!(usual.cast_signed() - archive.size.cast_signed());
        }
        return terminal.say_json(&document);
    }
    if terminal.quiet {
        return Ok(());
    }
    let state = match (context.dry_run, changed) {
        (true, true) => "would be written",
        (false, true) => "written",
        (_, false) => "unchanged",
    };
    terminal.say(&format!(
        "{DIST}/{} {state}: {} in {} bytes, sha256 {}",
        archive.file,
        count(archive.entries.len()),
        archive.size,
        archive.sha256
    ))?;
    if let Some(usual) = usual {
        terminal.note(&gain(archive.size, usual));
    }
    let unpacked: u64 = archive.entries.iter().map(|entry| entry.size).sum();
    terminal.detail(&format!("unpacked: {}", human_size(unpacked)));
    if let Some(warning) = warning {
        terminal.warn(&warning);
    }
    Ok(())
}

/// What `--level best` was good for. Files that it streams and the default level holds come out larger.
fn gain(size: u64, usual: u64) -> String {
    let percent = size.abs_diff(usual) as f64 / usual as f64 * 100.0;
    let gain = format!("level best: {} bytes ({percent:.1}%)", size.abs_diff(usual));
    if size > usual {
        return format!("{gain} larger than the default level, which suits these files better");
    }
    let gain = format!("{gain} smaller than the default level");
    // Where it is still too large for that, a warning says so.
    if size <= DIRECT_UPLOAD_LIMIT && usual > DIRECT_UPLOAD_LIMIT {
        format!("{gain}, and now within the {DIRECT_UPLOAD_LIMIT} bytes of a direct upload")
    } else {
        gain
    }
}

fn count(entries: usize) -> String {
    if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gain_that_spares_the_bucket_is_told() {
        let spares = |size, usual| gain(size, usual).ends_with("3670016 bytes of a direct upload");
        assert!(spares(DIRECT_UPLOAD_LIMIT, DIRECT_UPLOAD_LIMIT + 1));
        assert!(!spares(DIRECT_UPLOAD_LIMIT + 1, DIRECT_UPLOAD_LIMIT + 9), "still too large");
        assert!(!spares(DIRECT_UPLOAD_LIMIT - 9, DIRECT_UPLOAD_LIMIT), "small enough before");
    }

    #[test]
    fn a_loss_is_told_as_one() {
        assert!(gain(102, 100).starts_with("level best: 2 bytes (2.0%) larger than"));
        assert!(gain(98, 100).starts_with("level best: 2 bytes (2.0%) smaller than"));
        assert!(gain(100, 100).starts_with("level best: 0 bytes (0.0%) smaller than"));
    }
}
