//! Files in, a ZIP out: the same bytes for any order of the files, any number of threads, any machine.
//!
//! Workers read, judge and compress entries; the calling thread appends them in the order of their
//! names. The container is written by the `zip` crate: an entry reaches it as a ZIP entry that is
//! already compressed and is copied raw, so nothing here decides how a directory of a ZIP looks.

mod buffer;
mod fail_once;
mod queue;
mod worker;

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::sync::mpsc;
use std::thread;

use libdeflater::CompressionLvl;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zip::read::read_zipfile_from_stream;
use zip::result::ZipError;
use zip::write::StreamWriter;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use self::fail_once::FailOnce;
use self::queue::Queue;
use self::worker::{Body, Packed, Worker};
use crate::model::archive::check_path;
use crate::model::calendar::Date;
use crate::model::digest::hex;
use crate::model::finding::{self, Finding, Result};

/// Bytes that are written at once.
const OUTPUT: usize = 64 << 10;

/// One worker for each of this many bytes to pack, each file counted with `FILE_EFFORT` on top. Below
/// two of them no thread is started.
const EFFORT_PER_WORKER: u64 = 512 << 10;
const FILE_EFFORT: u64 = 4 << 10;

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
            // `fastest` stores.
            Self::Fast => CompressionLvl::new(1).unwrap_or_default(),
            Self::Default => CompressionLvl::default(),
            Self::Best => CompressionLvl::best(),
        }
    }

    /// Files up to this many bytes are held in memory and deflated by libdeflate; larger ones are
    /// streamed through the `zip` crate's own deflate. Part of the format: moving it changes the bytes.
    const fn held_limit(self) -> u64 {
        match self {
            Self::Best => 12 << 20,
            Self::Fast | Self::Default => 18 << 20,
        }
    }

    /// Bytes that all entries under way may hold together: a large one, and enough of others meanwhile.
    const fn budget(self) -> u64 {
        match self {
            Self::Best => 26 << 20,
            Self::Fast | Self::Default => 46 << 20,
        }
    }

    /// Workers at most: the tables of each take 9 MB at `Best`.
    const fn workers(self) -> usize {
        match self {
            Self::Best => 3,
            Self::Fast | Self::Default => usize::MAX,
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
        let Date { year, month, day, hour, minute, second } = Date::of(seconds);
        let date = ((year - 1980) << 9) | ((month as u64 + 1) << 5) | day;
        let time = (hour << 11) | (minute << 5) | (second / 2);
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
    /// Called for each file that is too large to hold.
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
    /// Bytes that each entry takes in the archive, its headers included.
    pub packed: Vec<u64>,
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
    let buffered = BufWriter::with_capacity(OUTPUT, hashing);
    // Not `ZipWriter::new_stream`: that one would put a data descriptor after each entry.
    let zip = ZipWriter::new(StreamWriter::new(buffered));
    let mut archive = Appender {
        zip,
        date: options.date,
        records: Vec::with_capacity(sorted.len()),
        packed: Vec::with_capacity(sorted.len()),
    };
    let effort: u64 = sorted.iter().map(|entry| entry.size() + FILE_EFFORT).sum();
    let workers = usize::try_from(effort / EFFORT_PER_WORKER).unwrap_or(usize::MAX);
    let workers = workers.min(options.threads).min(options.level.workers());
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
    let queue = Queue::new(sorted, options.level);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..workers {
            let (queue, sender) = (&queue, sender.clone());
            scope.spawn(move || {
                let mut worker = Worker::new(options);
                while let Some(batch) = queue.take() {
                    let mut done = Vec::with_capacity(batch.len());
                    for index in batch {
                        let packed = worker.pack(sorted[index]);
                        let failed = packed.is_err();
                        done.push((index, packed));
                        if failed {
                            break;
                        }
                    }
                    queue.packed(&done, |index| sorted[index].size());
                    if sender.send(done).is_err() {
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
        let result = receiver.iter().try_for_each(|done| {
            ready.extend(done);
            let (mut held, mut streamed) = (0, 0);
            while let Some(packed) = ready.remove(&turn) {
                let packed: Packed = packed?;
                held += packed.held();
                streamed += usize::from(packed.is_streamed());
                archive.append(packed)?;
                turn += 1;
            }
            queue.appended(held, streamed);
            Ok(())
        });
        queue.close();
        result
    })
}

/// The archive as it grows.
struct Appender<W: Write> {
    zip: ZipWriter<StreamWriter<BufWriter<Hashing<FailOnce<W>>>>>,
    date: DosDate,
    records: Vec<Record>,
    packed: Vec<u64>,
}

impl<W: Write> Appender<W> {
    fn append(&mut self, packed: Packed) -> Result<()> {
        let Packed { record, mode, body } = packed;
        let appended = match body {
            Body::Held { method, crc32, data } => {
                let header = local_header(&record, method, crc32, data.len());
                let mut entry = header.chain(&*data);
                read_zipfile_from_stream(&mut entry)
                    .and_then(|file| file.ok_or(ZipError::FileNotFound))
                    .and_then(|file| self.zip.raw_copy_file_touch(file, self.date.0, Some(mode)))
                    .map(|()| data.len() as u64)
            }
            Body::Streamed(scratch) => ZipArchive::new(scratch).and_then(|mut one| {
                let file = one.by_index_raw(0)?;
                let compressed = file.compressed_size();
                self.zip.raw_copy_file_touch(file, self.date.0, Some(mode)).map(|()| compressed)
            }),
        };
        let compressed = appended.map_err(|error| unwritable(&error))?;
        self.packed.push(compressed + headers(&record.path));
        self.records.push(record);
        Ok(())
    }

    fn finish(self) -> Result<Written> {
        let stream = self.zip.finish().map_err(|error| unwritable(&error))?;
        let mut hashing =
            stream.into_inner().into_inner().map_err(|error| unwritable(&error.into_error().into()))?;
        hashing.inner.flush().map_err(|error| unwritable(&error.into()))?;
        let (size, sha256) = hashing.finish();
        Ok(Written { size, sha256, entries: self.records, packed: self.packed })
    }
}

/// Bytes of an entry's two headers (APPNOTE.TXT 4.3.7 and 4.3.12), which both hold its name.
const fn headers(path: &str) -> u64 {
    30 + 46 + 2 * path.len() as u64
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
    // Both lengths are below 4 GiB: only entries up to `Level::held_limit` come here.
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

fn unwritable(error: &ZipError) -> Box<Finding> {
    match error {
        ZipError::Io(error) => finding::io("could not write the archive", error),
        error => finding::IO.finding(format!("could not write the archive: {error}")),
    }
}

#[cfg(test)]
mod tests;
