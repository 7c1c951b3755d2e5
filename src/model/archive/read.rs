//! A ZIP from anywhere in, its files or a finding out.
//!
//! Other tools made it, or someone who means harm. The `zip` crate parses and unpacks; what it lets
//! pass, and what tools would see differently, is found here and in `layout`, before any file is
//! unpacked. Memory is bounded whatever the archive claims.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{Read, Seek, Write};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use zip::read::{ArchiveOffset, Config, ZipArchiveMetadata, ZipFileEntry};
use zip::{CompressionMethod, ZipArchive, ZipReadOptions};

use super::layout;
use super::{Record, UNPACKED_LIMIT, check_path, entry_of, read_failed, shown, unreadable, wrong};
use crate::model::digest::hex;
use crate::model::finding::{self, Finding, Result};
use crate::model::sources::Sources;

/// Bytes of one file that are read into memory at once.
const HELD_LIMIT: u64 = 64 << 20;

/// Bytes that are unpacked at a time.
const BLOCK: u64 = 64 << 10;

/// A file of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub path: String,
    /// Bytes once unpacked.
    pub size: u64,
    /// Bytes in the archive.
    pub compressed: u64,
    /// The permissions that it would be unpacked with, if the tool that made the archive knew any.
    pub mode: Option<u32>,
    /// Its place in the archive's directory.
    index: usize,
}

/// An archive of which every tool sees the same files.
#[derive(Debug)]
pub struct Archive<R> {
    reader: RefCell<R>,
    metadata: Arc<ZipArchiveMetadata>,
    entries: Vec<Entry>,
    /// Indices into `entries` by path.
    sorted: Vec<usize>,
}

impl<R: Read + Seek> Archive<R> {
    /// Looks at everything but the files' content.
    ///
    /// # Errors
    /// - `ARCHIVE_UNREADABLE`: it is no ZIP file, or not one that every tool reads the same way.
    /// - `TOO_LARGE`: it would unpack to more than the platform takes.
    /// - `IO`: the system does not give its bytes.
    pub fn open(mut reader: R) -> Result<Self> {
        let directory = layout::locate(&mut reader)?;
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let mut archive = ZipArchive::with_config(config, &mut reader).map_err(|error| wrong(&error))?;
        if archive.central_directory_start() != directory.range.start {
            return Err(unreadable("the archive has two directories"));
        }
        let metadata = archive.metadata();
        if metadata.len() as u64 != directory.entries {
            return Err(unreadable("the archive has two entries of one name"));
        }
        let mut unpacked = 0_u64;
        for index in 0..metadata.len() {
            unpacked = unpacked.saturating_add(entry_of(&metadata, index)?.size());
        }
        if unpacked > UNPACKED_LIMIT {
            return Err(too_large(format!("the archive unpacks to {unpacked} bytes"))
                .why(format!("a function unpacks to at most {UNPACKED_LIMIT} bytes")));
        }
        let (entries, sorted) = files(&metadata)?;
        archive.validate_header_consistency().map_err(|error| wrong(&error))?;
        layout::check(&mut reader, &metadata, &directory)?;
        Ok(Self { reader: RefCell::new(reader), metadata, entries, sorted })
    }

    /// The content of a file.
    ///
    /// # Errors
    /// - `ARCHIVE_UNREADABLE`: there is no such file, or its content is not what the archive says.
    /// - `TOO_LARGE`: it is too large for memory, more than 64 MiB; [`Sources::copy`] has no such limit.
    /// - `IO`: the system does not give its bytes.
    pub fn read(&self, path: &str) -> Result<Vec<u8>> {
        let entry = self.entry(path)?;
        if entry.size > HELD_LIMIT {
            return Err(too_large(format!("`{path}` has {} bytes", entry.size))
                .why(format!("at most {HELD_LIMIT} bytes of a file are looked into"))
                .at(path));
        }
        let mut content = Vec::new();
        self.unpack(entry, |block| {
            content.extend_from_slice(block);
            Ok(())
        })?;
        Ok(content)
    }

    /// Unpacks every file once and says what it holds, in the order of the archive.
    ///
    /// # Errors
    /// - `ARCHIVE_UNREADABLE`: a file's content is not what the archive says.
    /// - `IO`: the system does not give its bytes.
    pub fn records(&self) -> Result<Vec<Record>> {
        let digest = |entry| {
            let mut sha256 = Sha256::new();
            self.unpack(entry, |block| {
                sha256.update(block);
                Ok(())
            })?;
            Ok(sha256)
        };
        // Names and digits come after the last decompressor, in whose places they would lie: the next one, which
        // is large, would find none, and 100,000 files would take a gigabyte.
        let digests: Vec<_> = self.entries.iter().map(digest).collect::<Result<_>>()?;
        let record = |(entry, sha256): (&Entry, _)| Record {
            path: entry.path.clone(),
            size: entry.size,
            sha256: hex(sha256),
        };
        Ok(self.entries.iter().zip(digests).map(record).collect())
    }

    fn entry(&self, path: &str) -> Result<&Entry> {
        self.find(path)
            .map(|index| &self.entries[index])
            .ok_or_else(|| unreadable(format!("the archive has no `{}`", shown(path))).at(shown(path)))
    }

    /// Gives the content of `entry` piece by piece. The `zip` crate ends with an error when there is more
    /// of it than the archive says, or when its checksum is another.
    fn unpack(&self, entry: &Entry, mut each: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut reader = self.reader.borrow_mut();
        let file = entry_of(&self.metadata, entry.index)?;
        let mut file = file
            .with_reader(&mut *reader, ZipReadOptions::new())
            .map_err(|error| wrong(&error).at(&*entry.path))?;
        let mut block = vec![0; entry.size.clamp(1, BLOCK) as usize];
        let mut size = 0;
        loop {
            match file.read(&mut block) {
                Ok(0) => break,
                Ok(more) => {
                    size += more as u64;
                    each(&block[..more])?;
                }
                Err(error) => return Err(read_failed(&error).at(&*entry.path)),
            }
        }
        if size == entry.size {
            Ok(())
        } else {
            Err(unreadable(format!("`{}` has {size} bytes and not {}", entry.path, entry.size))
                .at(&*entry.path))
        }
    }
}

impl<R> Archive<R> {
    fn find(&self, path: &str) -> Option<usize> {
        let found = self.sorted.binary_search_by(|index| self.entries[*index].path.as_str().cmp(path));
        found.ok().map(|at| self.sorted[at])
    }
}

impl<R: Read + Seek> Sources for Archive<R> {
    fn names(&self) -> Vec<&str> {
        self.sorted.iter().map(|index| self.entries[*index].path.as_str()).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    fn read(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        Self::read(self, name).ok().map(Cow::Owned)
    }

    /// What `out` has after an error is not that content.
    fn copy(&self, name: &str, out: &mut dyn Write) -> Result<()> {
        self.unpack(self.entry(name)?, |block| {
            out.write_all(block)
                .map_err(|error| finding::io(format!("could not write `{name}`"), &error).at(name))
        })
    }

    fn has_directory(&self, name: &str) -> bool {
        let prefix = format!("{name}/");
        let at = self.sorted.partition_point(|index| self.entries[*index].path < prefix);
        self.sorted.get(at).is_some_and(|index| self.entries[*index].path.starts_with(&prefix))
    }
}

/// The files that the directory of an archive lists, and their indices by path.
fn files(metadata: &ZipArchiveMetadata) -> Result<(Vec<Entry>, Vec<usize>)> {
    let mut entries = Vec::with_capacity(metadata.len());
    let mut paths = Vec::with_capacity(metadata.len());
    for index in 0..metadata.len() {
        let entry = entry_of(metadata, index)?;
        let path = check_entry(&entry)?;
        if !path.ends_with('/') {
            entries.push(Entry {
                path: path.clone(),
                size: entry.size(),
                compressed: entry.compressed_size(),
                mode: entry.unix_mode().map(|mode| mode & 0o777),
                index,
            });
        }
        paths.push(path);
    }
    // With `/` before every other character, a directory's files stand right behind its name.
    fn in_tree_order(path: &str) -> impl Iterator<Item = u8> {
        path.bytes().map(|byte| if byte == b'/' { 0 } else { byte })
    }
    paths.sort_unstable_by(|a: &String, b| in_tree_order(a).cmp(in_tree_order(b)));
    for pair in paths.windows(2) {
        if !pair[0].ends_with('/') && pair[1].strip_prefix(&pair[0]).is_some_and(|rest| rest.starts_with('/'))
        {
            return Err(unreadable(format!("`{}` is a file and a directory", pair[0]))
                .why("it cannot be unpacked as both")
                .at(pair[0].as_str()));
        }
    }
    let mut sorted: Vec<usize> = (0..entries.len()).collect();
    sorted.sort_unstable_by(|a, b| entries[*a].path.cmp(&entries[*b].path));
    Ok((entries, sorted))
}

/// The name of an entry that every tool unpacks in the same way: a directory's ends in `/`.
fn check_entry(entry: &ZipFileEntry<'_>) -> Result<String> {
    let Ok(name) = std::str::from_utf8(entry.name_raw()) else {
        let name = shown(&String::from_utf8_lossy(entry.name_raw()));
        return Err(unreadable(format!("the name `{name}` in the archive is not UTF-8"))
            .why("it would unpack under another name")
            .at(name));
    };
    let is_directory = name.ends_with('/');
    check_path(name.strip_suffix('/').unwrap_or(name)).map_err(|problem| {
        let named = unreadable(problem.message.as_str()).why(
            "it would not unpack to the same file everywhere, or would leave the directory it is unpacked to",
        );
        named.at(problem.path.unwrap_or_default())
    })?;
    let refuse = |what: &str, why: &str| {
        let name = shown(name);
        Err(unreadable(format!("`{name}` {what}")).why(why).at(name))
    };
    if entry.flags().as_u16() & !KNOWN_FLAGS != 0 {
        let what = if entry.encrypted() {
            "is encrypted"
        } else {
            "uses a feature of ZIP files that few tools have"
        };
        return refuse(what, "the platform could not unpack it");
    }
    match entry.compression() {
        CompressionMethod::Stored if entry.size() != entry.compressed_size() => {
            return refuse("has two sizes", "it is stored as it is, so both should be the same");
        }
        CompressionMethod::Stored | CompressionMethod::Deflated => {}
        other => {
            return refuse(&format!("is compressed by {other}"), "only Deflate is known to every tool");
        }
    }
    let kind = (entry.external_attributes() >> 16) & KIND;
    match kind {
        SYMBOLIC_LINK => {
            return refuse("is a symbolic link", "it could lead out of its directory");
        }
        0 | FILE | DIRECTORY => {}
        _ => {
            return refuse("is neither a file nor a directory", "it has no content to be unpacked");
        }
    }
    let is_both = if is_directory { kind == FILE || entry.size() > 0 } else { kind == DIRECTORY };
    if is_both {
        return refuse("is a file and a directory", "tools would not agree on what to unpack");
    }
    Ok(name.to_owned())
}

/// Flags of an entry (APPNOTE.TXT 4.4.4) that do not change what it is: how hard it was compressed, that
/// its sizes follow it, that its name is UTF-8.
const KNOWN_FLAGS: u16 = 0b0000_1000_0000_1110;

/// The part of a Unix mode that says what something is, and what it can say.
const KIND: u32 = 0o170_000;
const FILE: u32 = 0o100_000;
const DIRECTORY: u32 = 0o040_000;
const SYMBOLIC_LINK: u32 = 0o120_000;

fn too_large(message: String) -> Box<Finding> {
    finding::TOO_LARGE.finding(message)
}

#[cfg(test)]
mod handmade;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
