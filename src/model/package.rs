//! A manifest and the selected files in, the archive's bytes and the version spec that matches them out.

use std::io::{self, Write};

use crate::model::archive::{self, Content, DosDate, Level, Scratch, UNPACKED_LIMIT, Window};
use crate::model::finding::{self, Finding, Result};
use crate::model::manifest::Manifest;
use crate::model::report::{self, Report};
use crate::model::schema::SchemaName;
use crate::model::secret;
use crate::model::settings::parse_runtime;
use crate::model::version::{self, ArchiveRecord, VersionSpec};

/// Where archive and version spec stand in a function directory.
pub const DIST: &str = "dist";

/// Everything that [`DIST`] may hold of ours, whatever the language.
pub const DIST_FILES: [&str; 5] =
    ["index-js.zip", "index-py.zip", SchemaName::Function.file(), version::FILE, SchemaName::Version.file()];

/// How to pack. Nothing here but `level` and `date` changes the bytes.
pub struct Packing<'a> {
    pub level: Level,
    pub date: DosDate,
    pub threads: usize,
    /// Entries, or directories of them, that may look like secrets.
    pub allow_secret: &'a [String],
    /// A temporary file for the compressed form of a large entry.
    pub scratch: &'a (dyn Fn() -> Result<Box<dyn Scratch>> + Sync),
    /// Told the bytes that were read since it was told last.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

impl<'a> Packing<'a> {
    fn options(&self, inspect: &'a (dyn Fn(Window<'_>) -> Result<()> + Sync)) -> archive::Options<'a> {
        archive::Options {
            level: self.level,
            date: self.date,
            threads: self.threads,
            scratch: self.scratch,
            inspect,
            progress: self.progress,
        }
    }
}

/// A file that is only in memory.
pub struct MemoryFile {
    pub path: String,
    pub bytes: Vec<u8>,
}

impl Content for MemoryFile {
    fn path(&self) -> &str {
        &self.path
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn open(&self) -> Result<Box<dyn std::io::Read + '_>> {
        Ok(Box::new(self.bytes.as_slice()))
    }
}

/// Writes the archive to `out` and gives the version spec that belongs beside it.
///
/// # Errors
/// [`finding::PACKAGE_EMPTY`], [`finding::SECRET`], [`finding::TOO_LARGE`], and those of
/// [`archive::write`] and [`VersionSpec::of`].
pub fn build<C: Content>(
    manifest: &Manifest,
    files: &[C],
    packing: &Packing<'_>,
    out: impl Write,
) -> Result<VersionSpec> {
    let runtime = parse_runtime(&manifest.version.runtime)?;
    if files.is_empty() {
        return Err(finding::PACKAGE_EMPTY
            .finding("no file is left to pack")
            .why("include, exclude and .fnignore leave none")
            .fix("`fnscaffold pack --list -v` says what left each file out"));
    }
    if let Some(problem) = judge_unpacked_size(files.iter().map(Content::size).sum()) {
        return Err(problem);
    }
    let inspect = |window: Window<'_>| match secret::judge(window) {
        Some(problem) if !is_allowed(window.path, packing.allow_secret) => Err(problem),
        _ => Ok(()),
    };
    let written = archive::write(files, &packing.options(&inspect), out)?;
    let file = runtime.lang.archive_name();
    if let Some(problem) =
        judge_archive_size(file, written.size).filter(|f| f.severity == finding::Severity::Error)
    {
        return Err(problem);
    }
    let record = ArchiveRecord {
        file: file.to_owned(),
        size: written.size,
        sha256: written.sha256,
        entries: written.entries,
    };
    VersionSpec::of(manifest, record)
}

/// What takes the space in the archive that [`build`] would write, also where it would refuse to.
/// `files` are in the order of the archive.
///
/// # Errors
/// Those of [`archive::write`].
pub fn weigh<C: Content>(files: &[C], packing: &Packing<'_>) -> Result<Report> {
    let written = archive::write(files, &packing.options(&|_| Ok(())), io::sink())?;
    let entries = written.entries.into_iter().zip(written.packed);
    let entries = entries.map(|(record, compressed)| report::Entry {
        path: record.path,
        weight: report::Weight { size: record.size, compressed },
    });
    Ok(Report::of(files, entries.collect(), written.size))
}

/// The size of the archive that [`build`] would write.
///
/// # Errors
/// Those of [`archive::write`].
pub fn archive_size<C: Content>(files: &[C], packing: &Packing<'_>) -> Result<u64> {
    Ok(archive::write(files, &packing.options(&|_| Ok(())), io::sink())?.size)
}

/// The report is of what `pack` would write, which without --vendor has no packages.
const NEEDLESS: &str = "exclude what the function does not need: `fnscaffold pack --report`, with --vendor where \
                        that packed it, shows what takes the space";

/// The finding for all files of an archive together.
pub fn judge_unpacked_size(bytes: u64) -> Option<Box<Finding>> {
    (bytes > UNPACKED_LIMIT).then(|| {
        finding::TOO_LARGE
            .finding(format!("the files have {bytes} bytes, the platform unpacks at most {UNPACKED_LIMIT}"))
            .fix(NEEDLESS)
    })
}

/// Bytes that a build of the platform has room for: Yandex Cloud's documentation, Cloud Functions, "Quotas and
/// limits".
const BUILD_ROOM: u64 = 700 << 20;

/// The finding for dependencies that the platform is to install.
pub fn judge_installed_size(file: &str, bytes: u64) -> Option<Box<Finding>> {
    (bytes > BUILD_ROOM).then(|| {
        finding::BUILD_LIMIT
            .finding(format!("the dependencies have {bytes} bytes, the platform's build has room for {BUILD_ROOM}"))
            .fix("name fewer or smaller ones, or install what the function needs here: `fnscaffold pack --vendor`")
            .at(file)
    })
}

/// The finding for an archive that cannot be uploaded, or not directly.
pub fn judge_archive_size(file: &str, bytes: u64) -> Option<Box<Finding>> {
    if bytes > archive::ARCHIVE_LIMIT {
        Some(
            finding::TOO_LARGE
                .finding(format!(
                    "the archive has {bytes} bytes, the platform takes at most {}",
                    archive::ARCHIVE_LIMIT
                ))
                .fix(NEEDLESS)
                .at(file),
        )
    } else if bytes > archive::DIRECT_UPLOAD_LIMIT {
        Some(
            finding::NEEDS_BUCKET
                .finding(format!(
                    "the archive has {bytes} bytes, a direct upload at most {}",
                    archive::DIRECT_UPLOAD_LIMIT
                ))
                .fix(format!("upload it to an Object Storage bucket, or {NEEDLESS}"))
                .at(file),
        )
    } else {
        None
    }
}

/// Whether `--allow-secret` names the entry or a directory it is in; `.` is all of them.
fn is_allowed(path: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|allowed| {
        let allowed = allowed.trim_start_matches("./").trim_end_matches('/');
        allowed == "."
            || path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_may_be_packages_that_only_vendor_reports() {
        for bytes in [archive::DIRECT_UPLOAD_LIMIT + 1, archive::ARCHIVE_LIMIT + 1] {
            let fix = judge_archive_size("dist/index-py.zip", bytes).unwrap().fix.unwrap();
            assert!(fix.contains("`fnscaffold pack --report`, with --vendor"), "{fix}");
        }
        assert!(judge_archive_size("dist/index-py.zip", archive::DIRECT_UPLOAD_LIMIT).is_none());
    }
}
