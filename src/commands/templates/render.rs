//! `templates render`: combinations of language, mode and runtime in, their function directories or the
//! differences from those on disk out.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::thread;

use clap::Args;
use serde_json::json;
use similar::TextDiff;

use super::{Combination, Filter};
use crate::commands::Context;
use crate::model::finding::{self, Exit, Result};
use crate::model::template::Templates;
use crate::outside::disk;
use crate::outside::packing;
use crate::outside::stage::{Stage, judge_place};
use crate::outside::terminal::Format;

/// Write function directories, as LANG/MODE/RUNTIME, or compare them with what is there
///
/// With --check nothing is written: differences are printed and the exit code is 1. This is how CI
/// keeps generated samples true.
#[derive(Debug, Args)]
pub struct Render {
    /// Every combination, whatever else selects some; --check alone means it too
    #[arg(long, required_unless_present_any = ["lang", "mode", "runtime", "check"])]
    all: bool,
    #[command(flatten)]
    filter: Filter,
    /// The directory to write, or to compare with
    #[arg(short, long, value_name = "DIR", env = "FNSCAFFOLD_OUTPUT", hide_env = true)]
    output: PathBuf,
    /// Compare with what is in DIR and write nothing
    #[arg(long)]
    check: bool,
    /// Leave out dist/, as where samples are kept in version control
    #[arg(long)]
    no_pack: bool,
}

impl Render {
    pub fn run(self, context: &Context, templates: &Templates) -> Result<Exit> {
        let filter = if self.all { &Filter::default() } else { &self.filter };
        let combinations = filter.combinations(templates)?;
        let files = render(&combinations, !self.no_pack)?;
        let target = context.directory.join(&self.output);
        if self.check {
            let whole = self.all || self.filter.is_open();
            let is_meant = |path: &str| whole || combinations.iter().any(|one| one.holds(path));
            return self.compare(context, &target, &files, is_meant);
        }
        let names = disk::list_directory(&target)?;
        if names.as_ref().is_none_or(|names| !names.is_empty()) && !context.force {
            return Err(finding::EXISTS
                .finding(format!("`{}` is not an empty directory", self.output.display()))
                .fix("take another -o DIR, overwrite with --force, or compare with --check")
                .at(self.output.display().to_string()));
        }
        judge_place(&target, files.keys())?;
        if !context.dry_run {
            write(&target, &files)?;
        }
        let terminal = &context.terminal;
        if terminal.format == Format::Text {
            for combination in &combinations {
                terminal.say(&self.output.join(combination.path()).display().to_string())?;
            }
        } else {
            let directories: Vec<_> = combinations.iter().map(Combination::path).collect();
            terminal.say_json(&json!({
                "ok": true, "dryRun": context.dry_run,
                "directory": self.output.display().to_string(), "directories": directories,
            }))?;
        }
        if context.dry_run {
            terminal.note("nothing was written: --dry-run");
        }
        Ok(Exit::Done)
    }

    /// Of what is there, only what `is_meant` names.
    fn compare(
        &self,
        context: &Context,
        target: &Path,
        wanted: &BTreeMap<String, Vec<u8>>,
        is_meant: impl Fn(&str) -> bool,
    ) -> Result<Exit> {
        let terminal = &context.terminal;
        let mut standing = if disk::list_directory(target)?.is_some_and(|names| !names.is_empty()) {
            disk::tree(target, None, |_| true)?.read_all()?
        } else {
            BTreeMap::new()
        };
        standing.retain(|path, _| is_meant(path));
        let paths: BTreeSet<_> = wanted.keys().chain(standing.keys()).collect();
        let differing: Vec<_> =
            paths.into_iter().filter(|path| standing.get(*path) != wanted.get(*path)).collect();
        let files = match differing.len() {
            0 => None,
            1 => Some("1 file differs".to_owned()),
            many => Some(format!("{many} files differ")),
        };
        let problem = files.map(|files| {
            finding::TEMPLATE_DRIFT
                .finding(format!("{files} from what the templates make"))
                .fix("write them anew without --check, with --force; remove what no template makes")
                .at(self.output.display().to_string())
        });
        if terminal.format != Format::Text {
            let drift: Vec<_> = differing
                .iter()
                .map(|path| json!({ "path": path, "diff": diff(path, standing.get(*path), wanted.get(*path)) }))
                .collect();
            terminal.say_verdict(json!({ "ok": problem.is_none(), "drift": drift }), problem.as_deref())?;
        }
        for path in &differing {
            for line in diff(path, standing.get(*path), wanted.get(*path)).lines() {
                terminal.say(&terminal.diff_line(line))?;
            }
        }
        let Some(problem) = problem else {
            terminal.note(&format!("`{}` is what the templates make", self.output.display()));
            return Ok(Exit::Done);
        };
        terminal.warn_in_text(&problem);
        Ok(Exit::Findings)
    }
}

/// Every file of every combination, by path.
fn render(combinations: &[Combination<'_>], pack: bool) -> Result<BTreeMap<String, Vec<u8>>> {
    let one = |combination: &Combination<'_>| -> Result<Vec<(String, Vec<u8>)>> {
        let mut project = combination.project()?;
        if pack {
            packing::in_memory(&mut project)?;
        }
        let path = combination.path();
        Ok(project.files.into_iter().map(|(name, bytes)| (format!("{path}/{name}"), bytes)).collect())
    };
    let share = combinations.len().div_ceil(packing::processors()).max(1);
    thread::scope(|scope| {
        let workers: Vec<_> = combinations
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(one).collect::<Result<Vec<_>>>()))
            .collect();
        let mut files = BTreeMap::new();
        for worker in workers {
            // A worker that panicked has ended the process already: see `panic` in Cargo.toml.
            let rendered = worker.join().expect("rendering does not panic")?;
            files.extend(rendered.into_iter().flatten());
        }
        Ok(files)
    })
}

fn write(target: &Path, files: &BTreeMap<String, Vec<u8>>) -> Result<()> {
    let fresh = disk::is_free(target);
    let stage = if fresh { Stage::beside(target)? } else { Stage::within(target)? };
    for (path, bytes) in files {
        stage.write(path, bytes)?;
    }
    if fresh { stage.become_directory(target) } else { stage.merge_into(target) }
}

fn diff(path: &str, standing: Option<&Vec<u8>>, wanted: Option<&Vec<u8>>) -> String {
    let text = |bytes: Option<&Vec<u8>>| {
        std::str::from_utf8(bytes.map_or(&[][..], Vec::as_slice)).map(str::to_owned)
    };
    let name = |side, bytes: Option<&Vec<u8>>| match bytes {
        Some(_) => format!("{side}/{path}"),
        None => "/dev/null".to_owned(),
    };
    match (text(standing), text(wanted)) {
        // An empty file that only one side has: without lines, the diff would be empty too.
        (Ok(old), Ok(new)) if old == new => {
            format!("--- {}\n+++ {}\n", name("a", standing), name("b", wanted))
        }
        (Ok(old), Ok(new)) if !old.contains('\0') && !new.contains('\0') => TextDiff::from_lines(&old, &new)
            .unified_diff()
            .header(&name("a", standing), &name("b", wanted))
            .to_string(),
        _ => format!("binary files {} and {} differ\n", name("a", standing), name("b", wanted)),
    }
}
