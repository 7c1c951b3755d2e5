//! One file in, its entry out, compressed and ready to be appended.

use std::io::{self, Read, Seek, SeekFrom, Write};

use libdeflater::Compressor;
use sha2::{Digest, Sha256};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, System, ZipWriter};

use super::buffer::{Buffer, SMALL};
use super::fail_once::FailOnce;
use super::{Content, Options, Record, Scratch, Window, hex, unwritable};
use crate::model::archive::ChangedWhileRead;
use crate::model::finding::{self, Finding, Result};

/// Bytes that a streamed file is read in.
const WINDOW: usize = 512 << 10;

/// Bytes of the window before that are shown again at the start of the next one, so that what lies
/// across a border is seen whole. Longer than the longest private key in use.
pub const OVERLAP: usize = 16 << 10;

/// What an entry under way costs beside its content: names, headers, allocator.
pub const OVERHEAD: u64 = 1 << 10;

/// An entry that is ready to be appended.
pub struct Packed {
    pub record: Record,
    pub mode: u32,
    pub body: Body,
}

pub enum Body {
    Held {
        method: CompressionMethod,
        crc32: u32,
        data: Buffer,
    },
    /// An archive of this one entry.
    Streamed(Box<dyn Scratch>),
}

impl Packed {
    pub fn held(&self) -> u64 {
        match &self.body {
            Body::Held { data, .. } => data.len() as u64 + OVERHEAD,
            Body::Streamed(_) => 0,
        }
    }

    pub const fn is_streamed(&self) -> bool {
        matches!(self.body, Body::Streamed(_))
    }
}

/// What one thread needs to read and compress one entry after the other.
pub struct Worker<'a> {
    options: &'a Options<'a>,
    compressor: Compressor,
    /// For all entries but the large ones.
    content: Buffer,
    deflated: Buffer,
}

impl<'a> Worker<'a> {
    pub fn new(options: &'a Options<'a>) -> Self {
        let compressor = Compressor::new(options.level.libdeflate());
        Self { options, compressor, content: Buffer::zeroed(SMALL), deflated: Buffer::zeroed(SMALL) }
    }

    pub fn pack<C: Content>(&mut self, entry: &C) -> Result<Packed> {
        if entry.size() > self.options.level.held_limit() {
            return self.stream(entry);
        }
        let Self { options, compressor, content, deflated } = self;
        // One byte more shows that the file has grown.
        let room = entry.size() as usize + 1;
        if room <= SMALL {
            hold(entry, options, compressor, content, deflated)
        } else {
            hold(entry, options, compressor, &mut Buffer::zeroed(room), &mut Buffer::zeroed(room))
        }
    }

    fn stream<C: Content>(&mut self, entry: &C) -> Result<Packed> {
        let path = entry.path();
        let mut buffer = Buffer::zeroed(OVERLAP + WINDOW);
        let mut reader = entry.open()?;
        let mut one = ZipWriter::new(FailOnce::new((self.options.scratch)()?));
        let mut sha256 = Sha256::new();
        let (mut size, mut line, mut overlap) = (0, 1, 0);
        let mut mode_found = None;
        loop {
            let got = fill(&mut reader, &mut buffer[overlap..overlap + WINDOW])
                .map_err(|error| unreadable(path, &error))?;
            size += got as u64;
            if size > entry.size() || (got == 0 && size < entry.size()) {
                return Err(changed(path));
            }
            if got == 0 {
                break;
            }
            let content = &buffer[..overlap + got];
            (self.options.inspect)(Window { path, content, line })?;
            let new = &content[overlap..];
            sha256.update(new);
            if mode_found.is_none() {
                mode_found = Some(mode(new));
                one.start_file(path, self.streamed_options()).map_err(|error| unwritable(&error))?;
            }
            one.write_all(new).map_err(|error| unwritable(&error.into()))?;
            let kept = content.len().min(OVERLAP);
            let gone = content.len() - kept;
            line += u32::try_from(memchr::memchr_iter(b'\n', &content[..gone]).count()).unwrap_or(u32::MAX);
            buffer.copy_within(gone..gone + kept, 0);
            overlap = kept;
            (self.options.progress)(got as u64);
        }
        let mut scratch = one.finish().map_err(|error| unwritable(&error))?.into_inner();
        scratch.seek(SeekFrom::Start(0)).map_err(|error| unwritable(&error.into()))?;
        let record = record(entry, sha256);
        Ok(Packed { record, mode: mode_found.unwrap_or(PLAIN), body: Body::Streamed(scratch) })
    }

    fn streamed_options(&self) -> SimpleFileOptions {
        SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .compression_level(Some(self.options.level.zlib()))
            .system(System::Unix)
    }
}

/// Both buffers have room for one byte more than the entry.
fn hold<C: Content>(
    entry: &C,
    options: &Options<'_>,
    compressor: &mut Compressor,
    buffer: &mut Buffer,
    deflated: &mut Buffer,
) -> Result<Packed> {
    let size = entry.size() as usize;
    let mut reader = entry.open()?;
    let got = fill(&mut reader, &mut buffer[..=size]).map_err(|error| unreadable(entry.path(), &error))?;
    if got != size {
        return Err(changed(entry.path()));
    }
    let content = &buffer[..size];
    (options.inspect)(Window { path: entry.path(), content, line: 1 })?;
    let (mode, crc32) = (mode(content), crc32fast::hash(content));
    let record = record(entry, Sha256::new_with_prefix(content));
    // Room for less than the content: what deflate does not make smaller is stored.
    let (method, data) = match compressor.deflate_compress(content, &mut deflated[..size.saturating_sub(1)]) {
        Ok(length) if length > 0 => (CompressionMethod::Deflated, deflated.take(length)),
        _ => (CompressionMethod::Stored, buffer.take(size)),
    };
    (options.progress)(entry.size());
    Ok(Packed { record, mode, body: Body::Held { method, crc32, data } })
}

pub const PLAIN: u32 = 0o644;
pub const PROGRAM: u32 = 0o755;

/// The mode that unpacking gives: programs can be run, whatever the disk that they came from says.
fn mode(content: &[u8]) -> u32 {
    if content.starts_with(b"#!") || content.starts_with(b"\x7fELF") { PROGRAM } else { PLAIN }
}

fn record<C: Content>(entry: &C, sha256: Sha256) -> Record {
    Record { path: entry.path().to_owned(), size: entry.size(), sha256: hex(sha256) }
}

/// Reads until `buffer` is full or the file ends, and gives the number of bytes.
fn fill(reader: &mut dyn Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match reader.read(&mut buffer[got..]) {
            Ok(0) => break,
            Ok(more) => got += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

fn changed(path: &str) -> Box<Finding> {
    finding::FILE_CHANGED
        .finding(format!("`{path}` changed while it was read"))
        .why("the archive would hold a state that never existed")
        .fix("run the command again when the file is at rest")
        .at(path)
}

fn unreadable(path: &str, error: &io::Error) -> Box<Finding> {
    if error.get_ref().is_some_and(|inner| inner.is::<ChangedWhileRead>()) {
        return changed(path);
    }
    finding::IO.finding(format!("could not read `{path}`: {error}")).at(path)
}
