//! Files in, a ZIP out: the same bytes for any order of the files, any number of threads, any machine.
//!
//! Workers read, judge and compress entries; the calling thread appends them in the order of their
//! names. The container is written by the `zip` crate: an entry reaches it as a ZIP entry that is
//! already compressed and is copied raw, so nothing here decides how a directory of a ZIP looks.

mod fail_once;
mod queue;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::sync::mpsc;
use std::thread;

use libdeflater::{CompressionLvl, Compressor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zip::read::read_zipfile_from_stream;
use zip::result::ZipError;
use zip::write::{SimpleFileOptions, StreamWriter};
use zip::{CompressionMethod, System, ZipArchive, ZipWriter};

use self::fail_once::FailOnce;
use self::queue::{OVERHEAD, Queue};
use crate::model::archive::{ChangedWhileRead, check_path};
use crate::model::finding::{self, Finding, Result};

/// Files up to this many bytes are held in memory and deflated by libdeflate; larger ones are
/// streamed through the `zip` crate's own deflate. Part of the format: moving it changes the bytes.
const HELD_LIMIT: u64 = 16 << 20;

/// Bytes that a streamed file is read in.
const WINDOW: usize = 512 << 10;

/// Bytes of the window before that are shown again at the start of the next one, so that what lies
/// across a border is seen whole. Longer than the longest private key in use.
const OVERLAP: usize = 16 << 10;

/// A worker's buffers up to this size are kept from entry to entry.
const KEPT_BUFFER: usize = 512 << 10;

/// One worker for each of this many bytes to pack, each file counted with `FILE_EFFORT` on top. Below
/// two of them no thread is started.
const EFFORT_PER_WORKER: u64 = 512 << 10;
const FILE_EFFORT: u64 = 4 << 10;

/// Workers at `Level::Best`, whose tables take 9 MB each.
const BEST_WORKERS: usize = 3;

/// A file to pack.
pub trait Content: Sync {
    /// Its name in the archive: relative, with `/`.
    fn path(&self) -> &str;
    /// Bytes that reading it will give. Anything else is `FILE_CHANGED`.
    fn size(&self) -> u64;
    /// # Errors
    /// Whatever keeps it from being read.
    fn open(&self) -> Result<Box<dyn Read + '_>>;
}

/// A place for the compressed form of one file that is too large to hold: a temporary file, or memory
/// where memory may be used.
pub trait Scratch: Read + Write + Seek + Send {}
impl<T: Read + Write + Seek + Send> Scratch for T {}

/// A piece of a file on its way into the archive: all of it, or the next part of a large one together
/// with the end of the part before.
#[derive(Debug, Clone, Copy)]
pub struct Window<'a> {
    pub path: &'a str,
    pub content: &'a [u8],
    /// The number of the line that `content` begins in, from 1.
    pub line: u32,
}

/// How hard to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    Fast,
    #[default]
    Default,
    Best,
}

impl Level {
    fn libdeflate(self) -> CompressionLvl {
        match self {
            Self::Fast => CompressionLvl::fastest(),
            Self::Default => CompressionLvl::default(),
            Self::Best => CompressionLvl::best(),
        }
    }

    const fn zlib(self) -> i64 {
        match self {
            Self::Fast => 1,
            Self::Default => 6,
            Self::Best => 9,
        }
    }
}

/// The one time that every entry of an archive carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DosDate(zip::DateTime);

impl DosDate {
    /// `seconds` since 1970 in UTC, as `SOURCE_DATE_EPOCH` gives them
    /// (<https://reproducible-builds.org/specs/source-date-epoch/>), moved to the nearest time that a
    /// ZIP can store: 1980 to 2107, even seconds. Without any it is 1980-01-01 00:00:00.
    pub fn from_epoch(seconds: Option<u64>) -> Self {
        const FIRST: u64 = 315_532_800;
        const LAST: u64 = 4_354_819_198;
        let seconds = seconds.unwrap_or(FIRST).clamp(FIRST, LAST);
        let (mut days, time) = ((seconds - FIRST) / 86_400, seconds % 86_400);
        let leap = |year: u64| year.is_multiple_of(4) && year != 2100;
        let mut year = 1980;
        while days >= 365 + u64::from(leap(year)) {
            days -= 365 + u64::from(leap(year));
            year += 1;
        }
        let february = 28 + u64::from(leap(year));
        let mut month = 0;
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        while days >= lengths[month] {
            days -= lengths[month];
            month += 1;
        }
        let date = ((year - 1980) << 9) | ((month as u64 + 1) << 5) | (days + 1);
        let time = ((time / 3600) << 11) | ((time / 60 % 60) << 5) | (time % 60 / 2);
        // Both fit: the year is below 2108.
        Self(zip::DateTime::try_from_msdos(date as u16, time as u16).unwrap_or_default())
    }
}

/// How to pack, and who is told about it.
pub struct Options<'a> {
    pub level: Level,
    pub date: DosDate,
    /// Workers at most. Does not change the bytes.
    pub threads: usize,
    /// Called for each file of more than 16 MiB.
    pub scratch: &'a (dyn Fn() -> Result<Box<dyn Scratch>> + Sync),
    /// Sees every byte of every file before it is packed; its error ends the packing.
    pub inspect: &'a (dyn Fn(Window<'_>) -> Result<()> + Sync),
    /// Is told how many more bytes have been read.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// One packed file, as in version.json's `archive.entries`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub path: String,
    /// Bytes, unpacked.
    pub size: u64,
    #[schemars(regex(pattern = r"^[0-9a-f]{64}$"))]
    pub sha256: String,
}

/// The archive that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub size: u64,
    /// 64 hexadecimal digits.
    pub sha256: String,
    /// In the order of the archive.
    pub entries: Vec<Record>,
}

/// Writes an archive of `entries` to `out`, front to back, never seeking.
///
/// # Errors
/// The error of the first entry, by name, that has one: `PATH_UNSAFE`, `FILE_CHANGED`, `TOO_LARGE`,
/// `IO`, or what `open`, `scratch` or `inspect` gave. What `out` has by then is no archive.
pub fn write<C: Content>(entries: &[C], options: &Options<'_>, out: impl Write) -> Result<Written> {
    let mut sorted: Vec<&C> = entries.iter().collect();
    sorted.sort_unstable_by(|a, b| a.path().as_bytes().cmp(b.path().as_bytes()));
    for (index, entry) in sorted.iter().enumerate() {
        check_path(entry.path())?;
        if index > 0 && sorted[index - 1].path() == entry.path() {
            return Err(finding::PATH_UNSAFE
                .finding(format!("`{}` would be packed twice", entry.path()))
                .at(entry.path()));
        }
        if entry.size() >= u64::from(u32::MAX) {
            return Err(finding::TOO_LARGE
                .finding(format!("`{}` has {} bytes", entry.path(), entry.size()))
                .why("a function unpacks to at most 713031680 bytes")
                .fix("exclude it in [package] exclude")
                .at(entry.path()));
        }
    }
    let hashing = Hashing::new(FailOnce::new(out));
    let buffered = BufWriter::with_capacity(WINDOW.min(64 << 10), hashing);
    // Not `ZipWriter::new_stream`: that one would put a data descriptor after each entry.
    let zip = ZipWriter::new(StreamWriter::new(buffered));
    let mut archive = Appender { zip, date: options.date, records: Vec::with_capacity(sorted.len()) };
    let effort: u64 = sorted.iter().map(|entry| entry.size() + FILE_EFFORT).sum();
    let most = if options.level == Level::Best { BEST_WORKERS } else { usize::MAX };
    let workers = usize::try_from(effort / EFFORT_PER_WORKER).unwrap_or(usize::MAX);
    let workers = workers.min(options.threads).min(most);
    if workers < 2 {
        let mut worker = Worker::new(options);
        for entry in sorted {
            archive.append(worker.pack(entry)?)?;
        }
    } else {
        pack_in_parallel(&sorted, options, workers, &mut archive)?;
    }
    archive.finish()
}

fn pack_in_parallel<C: Content, W: Write>(
    sorted: &[&C],
    options: &Options<'_>,
    workers: usize,
    archive: &mut Appender<W>,
) -> Result<()> {
    let queue = Queue::new(sorted);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..workers {
            let (queue, sender) = (&queue, sender.clone());
            scope.spawn(move || {
                let mut worker = Worker::new(options);
                while let Some(index) = queue.take() {
                    let packed = worker.pack(sorted[index]);
                    queue.packed(index, sorted[index].size(), &packed);
                    if sender.send((index, packed)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // Entries that were ready before their turn.
        let mut ready = BTreeMap::new();
        let mut turn = 0;
        // In turn, so the first error met here is that of the lowest name: the queue gives out every
        // entry below a failed one.
        let result = receiver.iter().try_for_each(|(index, packed)| {
            ready.insert(index, packed);
            while let Some(packed) = ready.remove(&turn) {
                let packed = packed?;
                let (held, streamed) = (packed.held(), packed.is_streamed());
                archive.append(packed)?;
                queue.appended(held, streamed);
                turn += 1;
            }
            Ok(())
        });
        queue.close();
        result
    })
}

/// An entry that is ready to be appended.
struct Packed {
    record: Record,
    mode: u32,
    body: Body,
}

enum Body {
    Held {
        method: CompressionMethod,
        crc32: u32,
        data: Vec<u8>,
    },
    /// An archive of this one entry.
    Streamed(Box<dyn Scratch>),
}

impl Packed {
    fn held(&self) -> u64 {
        match &self.body {
            Body::Held { data, .. } => data.len() as u64 + OVERHEAD,
            Body::Streamed(_) => 0,
        }
    }

    const fn is_streamed(&self) -> bool {
        matches!(self.body, Body::Streamed(_))
    }
}

/// What one thread needs to read and compress one entry after the other.
struct Worker<'a> {
    options: &'a Options<'a>,
    compressor: Compressor,
    content: Vec<u8>,
    deflated: Vec<u8>,
}

impl<'a> Worker<'a> {
    fn new(options: &'a Options<'a>) -> Self {
        let compressor = Compressor::new(options.level.libdeflate());
        Self { options, compressor, content: Vec::new(), deflated: Vec::new() }
    }

    fn pack<C: Content>(&mut self, entry: &C) -> Result<Packed> {
        let packed = if entry.size() <= HELD_LIMIT { self.hold(entry) } else { self.stream(entry) };
        for buffer in [&mut self.content, &mut self.deflated] {
            if buffer.len() > KEPT_BUFFER {
                *buffer = Vec::new();
            }
        }
        packed
    }

    fn hold<C: Content>(&mut self, entry: &C) -> Result<Packed> {
        // At most `HELD_LIMIT`.
        let size = entry.size() as usize;
        // One byte more shows that the file has grown.
        enlarge(&mut self.content, size + 1);
        enlarge(&mut self.deflated, size);
        let mut reader = entry.open()?;
        let got = fill(&mut reader, &mut self.content[..=size])
            .map_err(|error| unreadable(entry.path(), &error))?;
        if got != size {
            return Err(changed(entry.path()));
        }
        let content = &self.content[..size];
        (self.options.inspect)(Window { path: entry.path(), content, line: 1 })?;
        // Room for less than the content: what deflate does not make smaller is stored.
        let room = &mut self.deflated[..size.saturating_sub(1)];
        let (method, data) = match self.compressor.deflate_compress(content, room) {
            Ok(length) if length > 0 => (CompressionMethod::Deflated, self.deflated[..length].to_vec()),
            _ => (CompressionMethod::Stored, content.to_vec()),
        };
        let body = Body::Held { method, crc32: crc32fast::hash(content), data };
        let record = record(entry, Sha256::new_with_prefix(content));
        (self.options.progress)(entry.size());
        Ok(Packed { record, mode: mode(content), body })
    }

    fn stream<C: Content>(&mut self, entry: &C) -> Result<Packed> {
        let path = entry.path();
        enlarge(&mut self.content, OVERLAP + WINDOW);
        let mut reader = entry.open()?;
        let mut one = ZipWriter::new(FailOnce::new((self.options.scratch)()?));
        let mut sha256 = Sha256::new();
        let (mut size, mut line, mut overlap) = (0, 1, 0);
        let mut mode_found = None;
        loop {
            let got = fill(&mut reader, &mut self.content[overlap..overlap + WINDOW])
                .map_err(|error| unreadable(path, &error))?;
            size += got as u64;
            if size > entry.size() || (got == 0 && size < entry.size()) {
                return Err(changed(path));
            }
            if got == 0 {
                break;
            }
            let content = &self.content[..overlap + got];
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
            self.content.copy_within(gone..gone + kept, 0);
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

/// The archive as it grows.
struct Appender<W: Write> {
    zip: ZipWriter<StreamWriter<BufWriter<Hashing<FailOnce<W>>>>>,
    date: DosDate,
    records: Vec<Record>,
}

impl<W: Write> Appender<W> {
    fn append(&mut self, packed: Packed) -> Result<()> {
        let Packed { record, mode, body } = packed;
        let appended = match body {
            Body::Held { method, crc32, data } => {
                let header = local_header(&record, method, crc32, data.len());
                let mut entry = header.chain(data.as_slice());
                read_zipfile_from_stream(&mut entry)
                    .and_then(|file| file.ok_or(ZipError::FileNotFound))
                    .and_then(|file| self.zip.raw_copy_file_touch(file, self.date.0, Some(mode)))
            }
            Body::Streamed(scratch) => ZipArchive::new(scratch).and_then(|mut one| {
                let file = one.by_index_raw(0)?;
                self.zip.raw_copy_file_touch(file, self.date.0, Some(mode))
            }),
        };
        appended.map_err(|error| unwritable(&error))?;
        self.records.push(record);
        Ok(())
    }

    fn finish(self) -> Result<Written> {
        let stream = self.zip.finish().map_err(|error| unwritable(&error))?;
        let mut hashing =
            stream.into_inner().into_inner().map_err(|error| unwritable(&error.into_error().into()))?;
        hashing.inner.flush().map_err(|error| unwritable(&error.into()))?;
        let (size, sha256) = hashing.finish();
        Ok(Written { size, sha256, entries: self.records })
    }
}

/// The local header (APPNOTE.TXT 4.3.7) that makes compressed data an entry the `zip` crate can copy.
/// The crate writes its own from it; its date and its mode come with `raw_copy_file_touch`.
fn local_header(record: &Record, method: CompressionMethod, crc32: u32, compressed: usize) -> Vec<u8> {
    const UNIX: u16 = 3 << 8;
    const UTF_8: u16 = 1 << 11;
    let (method, version) = match method {
        CompressionMethod::Stored => (0_u16, 10_u16),
        _ => (8, 20),
    };
    let flags = if record.path.is_ascii() { 0 } else { UTF_8 };
    let mut header = Vec::with_capacity(30 + record.path.len());
    header.extend(b"PK\x03\x04");
    for field in [UNIX | version, flags, method, 0, 0] {
        header.extend(field.to_le_bytes());
    }
    // Both lengths are below 4 GiB: only entries up to `HELD_LIMIT` come here.
    for field in [crc32, compressed as u32, record.size as u32] {
        header.extend(field.to_le_bytes());
    }
    // `check_path` has seen to the name's length.
    for field in [record.path.len() as u16, 0] {
        header.extend(field.to_le_bytes());
    }
    header.extend(record.path.as_bytes());
    header
}

/// Counts and hashes what passes.
pub struct Hashing<W> {
    inner: W,
    sha256: Sha256,
    size: u64,
}

impl<W> Hashing<W> {
    pub fn new(inner: W) -> Self {
        Self { inner, sha256: Sha256::new(), size: 0 }
    }

    /// Bytes, and the sha256 in 64 hexadecimal digits.
    pub fn finish(self) -> (u64, String) {
        (self.size, hex(self.sha256))
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

const PLAIN: u32 = 0o644;
const PROGRAM: u32 = 0o755;

/// The mode that unpacking gives: programs can be run, whatever the disk that they came from says.
fn mode(content: &[u8]) -> u32 {
    if content.starts_with(b"#!") || content.starts_with(b"\x7fELF") { PROGRAM } else { PLAIN }
}

fn record<C: Content>(entry: &C, sha256: Sha256) -> Record {
    Record { path: entry.path().to_owned(), size: entry.size(), sha256: hex(sha256) }
}

pub(super) fn hex(sha256: Sha256) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = sha256.finalize();
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

fn enlarge(buffer: &mut Vec<u8>, length: usize) {
    if buffer.len() < length {
        // Fresh, not resized: zeroed pages cost nothing until they are used.
        *buffer = vec![0; length];
    }
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

fn unwritable(error: &ZipError) -> Box<Finding> {
    match error {
        ZipError::Io(error) => finding::IO.finding(format!("could not write the archive: {error}")),
        error => finding::IO.finding(format!("could not write the archive: {error}")),
    }
}

#[cfg(test)]
mod tests;
