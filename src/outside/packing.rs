//! The only room that lends packing its surroundings: processors, scratch files, SOURCE_DATE_EPOCH.

use std::thread::available_parallelism;

use crate::model::archive::{DosDate, Level, Scratch};
use crate::model::finding::{self, Result};
use crate::model::package::Packing;
use crate::model::project::Project;
use crate::model::version::VersionSpec;

/// # Errors
/// [`finding::ANSWER_INVALID`] for a SOURCE_DATE_EPOCH that is no number.
pub fn settings(level: Level, allow_secret: &[String]) -> Result<Packing<'_>> {
    settings_for(processors(), level, allow_secret)
}

fn settings_for(threads: usize, level: Level, allow_secret: &[String]) -> Result<Packing<'_>> {
    Ok(Packing {
        level,
        date: DosDate::from_epoch(source_date_epoch()?),
        threads,
        allow_secret,
        scratch: &scratch,
        progress: &|_| (),
    })
}

/// Packs a project that is only in memory, as `pack` would once it is on disk.
///
/// # Errors
/// Those of [`Project::pack`].
pub fn in_memory(project: &mut Project) -> Result<VersionSpec> {
    // So little that even counting the processors would take longer.
    project.pack(&settings_for(1, Level::Default, &[])?)
}

pub fn processors() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn scratch() -> Result<Box<dyn Scratch>> {
    match tempfile::tempfile() {
        Ok(file) => Ok(Box::new(file)),
        Err(error) => Err(finding::IO
            .finding("could not make a temporary file")
            .why(error.to_string())
            .fix("set TMPDIR to a directory with space")),
    }
}

/// Seconds since 1970, as <https://reproducible-builds.org/specs/source-date-epoch/> defines it.
fn source_date_epoch() -> Result<Option<u64>> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Err(_) => Ok(None),
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => text.parse().map(Some).map_err(|_| {
            finding::ANSWER_INVALID
                .finding(format!("SOURCE_DATE_EPOCH is `{text}`"))
                .why("it is a whole number of seconds since 1970-01-01")
                .fix("unset it or set it to a number")
        }),
    }
}
