//! Files in, the same ZIP bytes out on every machine; and a ZIP from anywhere in, its files or a finding out.

mod compare;
mod read;
mod write;

pub use compare::Comparing;
pub use read::Archive;
pub use write::{Content, DosDate, Hashing, Level, Options, Record, Scratch, Window, write};

use crate::model::finding::{self, Result};

pub const CHANGED_WHILE_READ: &str = "changed while it was read";

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

/// Whether `path` names the same file inside the directory that an archive is unpacked to, whatever
/// the tool and the system.
///
/// # Errors
/// `PATH_UNSAFE`.
pub fn check_path(path: &str) -> Result<()> {
    let wrong = if path.is_empty() {
        "is empty"
    } else if path.len() > PATH_LIMIT {
        "is longer than a ZIP file can store"
    } else if path.contains('\\') {
        "holds a backslash"
    } else if path.chars().any(char::is_control) {
        "holds a control character"
    } else if path.starts_with('/') {
        "is absolute"
    } else if matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic()) {
        "begins with a drive letter"
    } else if path.split('/').any(|piece| piece == "..") {
        "leaves its directory"
    } else if path.split('/').any(|piece| piece.is_empty() || piece == ".") {
        "has an empty or `.` piece"
    } else {
        return Ok(());
    };
    // Debug writes control characters escaped, so that a hostile name cannot drive a terminal.
    let shown = format!("{path:?}");
    let shown = shown.trim_matches('"');
    Err(finding::PATH_UNSAFE
        .finding(format!("the path `{}` {wrong}", shortened(shown)))
        .why(
            "it would not unpack to the same file everywhere, or would leave the directory it is unpacked to",
        )
        .fix("rename the file, or exclude it in [package] exclude")
        .at(shortened(shown)))
}

/// The beginning of a text that may be 64 KiB long.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
