//! Files in, the same ZIP bytes out on every machine; and a ZIP from anywhere in, its files or a finding out.

mod compare;
mod layout;
mod read;
mod write;

use std::error::Error;
use std::{fmt, io};

use zip::read::{ZipArchiveMetadata, ZipFileEntry};
use zip::result::ZipError;

pub use compare::Comparing;
pub use read::Archive;
pub use write::{Content, DosDate, Hashing, Level, Options, Record, Scratch, Window, write};

use crate::model::finding::{self, Finding, Result};
use crate::model::sources::Sources;

/// Bytes of an archive that can still be uploaded in the request itself, 3.5 MB: Yandex Cloud's
/// documentation, Cloud Functions, "Quotas and limits".
pub const DIRECT_UPLOAD_LIMIT: u64 = 3_670_016;

/// Bytes of an archive that goes through an Object Storage bucket, 128 MB: Yandex Cloud's
/// documentation, Cloud Functions, "Quotas and limits".
pub const ARCHIVE_LIMIT: u64 = 134_217_728;

/// Bytes of all files of an archive together once unpacked, 680 MB: Yandex Cloud's documentation,
/// Cloud Functions, "Quotas and limits".
pub const UNPACKED_LIMIT: u64 = 713_031_680;

/// Bytes of an entry's name: with the 46 bytes before it, a central directory header must fit into
/// 65,535 bytes (APPNOTE.TXT 4.4.10).
const PATH_LIMIT: usize = 65_535 - 46;

/// What the file `name` holds, of any size. One that cannot be read to its end is another.
pub fn record(sources: &dyn Sources, name: &str) -> Record {
    let mut hashing = Hashing::new(io::sink());
    // What was read until then is hashed.
    let _ = sources.copy(name, &mut hashing);
    let (size, sha256) = hashing.finish();
    Record { path: name.to_owned(), size, sha256 }
}

/// Whether `path` names the same file inside the directory that an archive is unpacked to, whatever
/// the tool and the system.
///
/// # Errors
/// `PATH_UNSAFE`.
pub fn check_path(path: &str) -> Result<()> {
    if is_plain(path) {
        return Ok(());
    }
    let Some(wrong) = wrong_with(path) else { return Ok(()) };
    let shown = shown(path);
    Err(finding::PATH_UNSAFE
        .finding(format!("the path `{shown}` {wrong}"))
        .why(
            "it would not unpack to the same file everywhere, or would leave the directory it is unpacked to",
        )
        .fix("rename the file, or exclude it in [package] exclude")
        .at(shown))
}

fn wrong_with(path: &str) -> Option<&'static str> {
    if path.is_empty() {
        Some("is empty")
    } else if path.len() > PATH_LIMIT {
        Some("is longer than a ZIP file can store")
    } else if path.contains('\\') {
        Some("holds a backslash")
    } else if path.chars().any(char::is_control) {
        Some("holds a control character")
    } else if path.starts_with('/') {
        Some("is absolute")
    } else if matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic()) {
        Some("begins with a drive letter")
    } else if path.split('/').any(|piece| piece == "..") {
        Some("leaves its directory")
    } else if path.split('/').any(|piece| piece.is_empty() || piece == ".") {
        Some("has an empty or `.` piece")
    } else {
        None
    }
}

/// Whether one look at each byte shows that nothing is wrong with `path`: true of nearly all, false of some
/// more than are wrong.
fn is_plain(path: &str) -> bool {
    let mut before = b'/';
    let all = path.bytes().all(|byte| {
        let is_plain = matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b':');
        let begins_piece = before == b'/' && matches!(byte, b'/' | b'.');
        before = byte;
        is_plain && !begins_piece
    });
    all && before != b'/' && path.len() <= PATH_LIMIT
}

/// What a reader gives inside an [`io::Error`] when the file changed while it was read, so that
/// [`write`] says `FILE_CHANGED` and not `IO`.
#[derive(Debug)]
pub struct ChangedWhileRead;

impl fmt::Display for ChangedWhileRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the file changed while it was read")
    }
}

impl Error for ChangedWhileRead {}

impl From<ChangedWhileRead> for io::Error {
    fn from(changed: ChangedWhileRead) -> Self {
        Self::other(changed)
    }
}

/// A name as it may be shown: cut, as it may be 64 KiB long, and its control characters escaped, so that
/// a hostile one cannot drive a terminal.
fn shown(name: &str) -> String {
    const LONGEST: usize = 200;
    let cut: String = name.chars().take(LONGEST).collect();
    let escaped = format!("{cut:?}");
    let escaped = &escaped[1..escaped.len() - 1];
    if cut.len() < name.len() { format!("{escaped}…") } else { escaped.to_owned() }
}

fn unreadable(message: impl Into<String>) -> Box<Finding> {
    finding::ARCHIVE_UNREADABLE.finding(message).fix("write it anew with `fnscaffold pack`")
}

fn entry_of(metadata: &ZipArchiveMetadata, index: usize) -> Result<ZipFileEntry<'_>> {
    metadata.entry(index).map_err(|error| wrong(&error))
}

/// What the `zip` crate says about an archive.
fn wrong(error: &ZipError) -> Box<Finding> {
    match error {
        ZipError::Io(error) => read_failed(error),
        error => unreadable("the archive is not a sound ZIP file").why(shown(&error.to_string())),
    }
}

/// Tells a disk that does not give the bytes from bytes that are not what they should be: only the
/// system's own errors carry a number.
fn read_failed(error: &io::Error) -> Box<Finding> {
    if error.raw_os_error().is_some() {
        return finding::IO.finding("could not read the archive").why(error.to_string());
    }
    unreadable("the archive is damaged").why(shown(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_path_that_is_accepted_stays_inside(
            path in prop_oneof!["\\PC{0,20}", "(\\.|\\.\\.|/|\\\\|a|c:|\t| ){0,9}"],
        ) {
            prop_assert!(!is_plain(&path) || wrong_with(&path).is_none(), "{path:?}");
            if check_path(&path).is_ok() {
                let inside = |part| matches!(part, Component::Normal(_));
                prop_assert!(Path::new(&path).components().all(inside), "{path:?}");
                prop_assert!(!path.contains(['\\', '\t']) && !path.starts_with("c:"));
            }
        }
    }
}
