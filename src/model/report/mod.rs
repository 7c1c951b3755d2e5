//! Packed files in, what takes the space out: by package and directory, against the platform's limits,
//! with what could be left out.

mod debris;
mod elf;
mod owner;
mod page;
mod table;

use std::collections::BTreeMap;
use std::io::Read;

use serde::Serialize;

use self::owner::{Kind, Owners};
use crate::model::archive::{ARCHIVE_LIMIT, Content, DIRECT_UPLOAD_LIMIT, UNPACKED_LIMIT};

pub use self::page::page;
pub use self::table::table;

/// Bytes of a file that is read for what it says of the others: a lock file, a list of installed files.
const READ_LIMIT: u64 = 16 << 20;

/// Bytes, unpacked and in the archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Weight {
    /// Unpacked.
    pub size: u64,
    /// In the archive, headers included.
    pub compressed: u64,
}

impl Weight {
    const fn add(&mut self, other: Self) {
        self.size += other.size;
        self.compressed += other.compressed;
    }
}

/// A packed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    pub path: String,
    #[serde(flatten)]
    pub weight: Weight,
}

/// What belongs together: a package, or what lies in one directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    pub name: String,
    pub kind: Kind,
    pub files: usize,
    #[serde(flatten)]
    pub weight: Weight,
}

/// A limit of the platform and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Limit {
    pub name: &'static str,
    pub limit: u64,
    pub bytes: u64,
    /// Bytes that are left; negative where the limit is passed.
    pub left: i64,
}

/// Files that a function seldom needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hint {
    pub name: &'static str,
    pub files: usize,
    #[serde(flatten)]
    pub weight: Weight,
    pub fix: &'static str,
}

/// What takes the space in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub whole: Weight,
    pub limits: [Limit; 3],
    /// The heaviest first.
    pub groups: Vec<Group>,
    /// The heaviest first; no file is counted twice.
    pub hints: Vec<Hint>,
    /// In the order of the archive.
    pub entries: Vec<Entry>,
}

impl Report {
    /// `files` and `entries` are the same ones in the same order; the archive has `archive` bytes.
    pub fn of<C: Content>(files: &[C], entries: Vec<Entry>, archive: u64) -> Self {
        let owners = Owners::of(files);
        let mut groups: BTreeMap<(Kind, String), Group> = BTreeMap::new();
        for entry in &entries {
            let (kind, name) = owners.of_file(&entry.path);
            let group = groups.entry((kind, name)).or_insert_with_key(|(kind, name)| Group {
                name: name.clone(),
                kind: *kind,
                files: 0,
                weight: Weight::default(),
            });
            group.files += 1;
            group.weight.add(entry.weight);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups
            .sort_by(|a, b| b.weight.compressed.cmp(&a.weight.compressed).then_with(|| a.name.cmp(&b.name)));
        let size = entries.iter().map(|entry| entry.weight.size).sum();
        let hints = debris::find(files, &entries, &owners, archive);
        Self {
            whole: Weight { size, compressed: archive },
            limits: [
                limit("direct upload", DIRECT_UPLOAD_LIMIT, archive),
                limit("upload through a bucket", ARCHIVE_LIMIT, archive),
                limit("unpacked", UNPACKED_LIMIT, size),
            ],
            groups,
            hints,
            entries,
        }
    }
}

fn limit(name: &'static str, limit: u64, bytes: u64) -> Limit {
    Limit { name, limit, bytes, left: limit.cast_signed().saturating_sub_unsigned(bytes) }
}

/// The text of a file, or none when it is too large or cannot be read.
fn text(file: &impl Content) -> Option<String> {
    let mut bytes = Vec::new();
    let mut reader = file.open().ok()?.take(READ_LIMIT);
    (file.size() <= READ_LIMIT && reader.read_to_end(&mut bytes).is_ok())
        .then(|| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
