//! Files in, a ZIP out: the same bytes for any order of the files, any number of threads, any machine.
//!
//! Workers read, judge and compress entries; the calling thread puts them into the container in the order
//! of their names.

mod buffer;
mod container;
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
use zip::ZipArchive;
use zip::result::{ZipError, ZipResult};

use self::container::{Container, Entry};
use self::queue::{BEST_BUDGET, BUDGET, Queue};
use self::worker::{Body, Packed, Worker};
use crate::model::archive::check_path;
use crate::model::calendar::Date;
use crate::model::digest::hex;
use crate::model::finding::{self, Finding, Result};

/// Files up to this many bytes are held in memory and deflated by libdeflate; larger ones are
/// streamed through the `zip` crate's own deflate. Part of the format: moving it changes the bytes.
const HELD_LIMIT: u64 = 12 << 20;

/// Bytes that are written at once.
const OUTPUT: usize = 64 << 10;

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
            // `fastest` stores.
            Self::Fast => CompressionLvl::new(1).unwrap_or_default(),
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
    /// Called for each file of more than 12 MiB.
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
    let buffered = BufWriter::with_capacity(OUTPUT, Hashing::new(out));
    let mut archive = Appender {
        container: Container::new(buffered, options.date),
        records: Vec::with_capacity(sorted.len()),
        packed: Vec::with_capacity(sorted.len()),
    };
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
    let budget = if options.level == Level::Best { BEST_BUDGET } else { BUDGET };
    let queue = Queue::new(sorted, budget);
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
    container: Container<BufWriter<Hashing<W>>>,
    records: Vec<Record>,
    packed: Vec<u64>,
}

impl<W: Write> Appender<W> {
    fn append(&mut self, packed: Packed) -> Result<()> {
        let taken =
            self.contain(&packed.record, packed.mode, packed.body).map_err(|error| unwritable(&error))?;
        self.packed.push(taken);
        self.records.push(packed.record);
        Ok(())
    }

    /// Gives the bytes that the entry takes in the archive.
    fn contain(&mut self, record: &Record, mode: u32, body: Body) -> ZipResult<u64> {
        // Below 4 GiB, as every entry is.
        let (path, size) = (&*record.path, record.size as u32);
        let entry = match body {
            Body::Held { method, crc32, data } => {
                let entry = Entry { path, mode, method, crc32, size, compressed: data.len() as u32 };
                self.container.begin(&entry)?.write_all(&data)?;
                entry
            }
            Body::Streamed(scratch) => {
                let mut one = ZipArchive::new(scratch)?;
                let mut file = one.by_index_raw(0)?;
                let compressed = file.compressed_size() as u32;
                let (method, crc32) = (file.compression(), file.crc32());
                let entry = Entry { path, mode, method, crc32, size, compressed };
                io::copy(&mut file, self.container.begin(&entry)?)?;
                entry
            }
        };
        Ok(entry.headers() + u64::from(entry.compressed))
    }

    fn finish(self) -> Result<Written> {
        let hashing = self.container.finish().and_then(|out| Ok(out.into_inner()?));
        let mut hashing = hashing.map_err(|error| unwritable(&error.into()))?;
        hashing.inner.flush().map_err(|error| unwritable(&error.into()))?;
        let (size, sha256) = hashing.finish();
        Ok(Written { size, sha256, entries: self.records, packed: self.packed })
    }
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
        ZipError::Io(error) => finding::IO.finding(format!("could not write the archive: {error}")),
        error => finding::IO.finding(format!("could not write the archive: {error}")),
    }
}

#[cfg(test)]
mod tests;
