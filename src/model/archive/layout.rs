//! The bytes of a ZIP in, where its directory lies out, or a finding: nothing before, between or after
//! its parts, and nothing said twice in two ways. What one tool would see in an archive and another
//! would not, is found here. APPNOTE.TXT of PKWARE names the parts and their fields.

use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::ops::Range;

use memchr::memmem;
use zip::read::{ZipArchiveMetadata, ZipFileEntry};

use super::{entry_of, shown, unreadable};
use crate::model::finding::{Finding, Result};

/// Bytes of a directory that are read into memory, some hundred thousand names.
const DIRECTORY_LIMIT: u64 = 32 << 20;

/// Entries that are read into memory.
const ENTRY_LIMIT: u64 = 128 << 10;

/// Bytes of the fixed part of a local header, and of one in the directory.
const LOCAL: usize = 30;
const CENTRAL: usize = 46;

/// The directory of an archive.
#[derive(Debug)]
pub(super) struct Directory {
    pub range: Range<u64>,
    pub entries: u64,
}

/// Finds the directory from the archive's end, which must be the end of the file.
pub(super) fn locate<R: Read + Seek>(reader: &mut R) -> Result<Directory> {
    const END: &[u8] = b"PK\x05\x06";
    const END_LENGTH: usize = 22;
    const LONGEST_COMMENT: u64 = 0xffff;
    let length = reader.seek(SeekFrom::End(0)).map_err(|error| failed(&error))?;
    let start = length.saturating_sub(END_LENGTH as u64 + LONGEST_COMMENT);
    let mut tail = Vec::new();
    let read = reader.seek(SeekFrom::Start(start)).and_then(|_| reader.read_to_end(&mut tail));
    read.map_err(|error| failed(&error))?;
    let found = memmem::rfind_iter(&tail, END).find_map(|at| {
        let (end, comment) = tail[at..].split_at_checked(END_LENGTH)?;
        (number(&end[20..]) == comment.len() as u64).then_some((at, end))
    });
    let Some((at, end)) = found else {
        return Err(unreadable("the archive does not end as a ZIP file does")
            .why("it is no ZIP file, it was cut off, or something was appended to it"));
    };
    if memmem::find(&tail[at + 1..], END).is_some() {
        return Err(unreadable("the archive has two ends")
            .why("the mark of a ZIP file's end comes again in it, so tools could see different files"));
    }
    let at = start + at as u64;
    let short = End { disks: number(&end[4..6]) | number(&end[6..8]), ..End::read(&end[8..20], 2, 4) };
    let (end, at) = match long_end(reader, &short, at)? {
        Some((long, at)) => (long, at),
        None => (short, at),
    };
    if end.disks != 0 || end.entries_here != end.entries {
        return Err(unreadable("the archive is one part of several"));
    }
    if end.offset.checked_add(end.size) != Some(at) {
        return Err(unreadable("the archive's directory does not lie where its end says")
            .why("something stands before the archive, or between its parts"));
    }
    if end.entries > ENTRY_LIMIT || end.size > DIRECTORY_LIMIT {
        return Err(unreadable(format!("the archive lists {} entries in {} bytes", end.entries, end.size))
            .why(format!("at most {ENTRY_LIMIT} entries in {DIRECTORY_LIMIT} bytes are read")));
    }
    Ok(Directory { range: end.offset..at, entries: end.entries })
}

/// What the end of an archive says, in its short form or in that of ZIP64.
struct End {
    disks: u64,
    entries_here: u64,
    entries: u64,
    size: u64,
    offset: u64,
}

impl End {
    /// Two counts of `short` bytes, then size and offset of `long` bytes.
    fn read(fields: &[u8], short: usize, long: usize) -> Self {
        let (counts, places) = fields.split_at(2 * short);
        Self {
            disks: 0,
            entries_here: number(&counts[..short]),
            entries: number(&counts[short..]),
            size: number(&places[..long]),
            offset: number(&places[long..]),
        }
    }
}

/// The end in ZIP64's form and its place, when one stands before the short one at `at`: some tools take
/// it even where the short one does not refer to it.
fn long_end<R: Read + Seek>(reader: &mut R, short: &End, at: u64) -> Result<Option<(End, u64)>> {
    const LOCATOR_LENGTH: u64 = 20;
    const LONG_LENGTH: u64 = 56;
    let full = |value: u64, bytes: u32| value == u64::MAX >> (64 - 8 * bytes);
    let Some(locator_at) = at.checked_sub(LOCATOR_LENGTH) else { return Ok(None) };
    let locator: [u8; LOCATOR_LENGTH as usize] = read_at(reader, locator_at)?;
    if !locator.starts_with(b"PK\x06\x07") {
        return Ok(None);
    }
    let wrong = || unreadable("the archive's two ends do not agree");
    let long_at = number(&locator[8..16]);
    if long_at.checked_add(LONG_LENGTH) != Some(locator_at) {
        return Err(wrong());
    }
    let record: [u8; LONG_LENGTH as usize] = read_at(reader, long_at)?;
    if !record.starts_with(b"PK\x06\x06") || number(&record[4..12]) != LONG_LENGTH - 12 {
        return Err(wrong());
    }
    let disks = number(&record[16..20]) | number(&record[20..24]) | number(&locator[4..8]) | short.disks;
    let long = End { disks, ..End::read(&record[24..56], 8, 8) };
    let agree = |short: u64, long: u64, bytes| full(short, bytes) || short == long;
    if agree(short.entries_here, long.entries_here, 2)
        && agree(short.entries, long.entries, 2)
        && agree(short.size, long.size, 4)
        && agree(short.offset, long.offset, 4)
    {
        Ok(Some((long, long_at)))
    } else {
        Err(wrong())
    }
}

/// Whether the archive consists of its entries, one after the other, and its directory: no byte is left
/// over and none is used twice.
pub(super) fn check<R: Read + Seek>(
    reader: &mut R,
    metadata: &ZipArchiveMetadata,
    directory: &Directory,
) -> Result<()> {
    let mut places = check_directory(reader, metadata, directory)?;
    places.sort_unstable();
    let mut end = 0;
    for (turn, (start, index)) in places.iter().enumerate() {
        let next = places.get(turn + 1).map_or(directory.range.start, |(start, _)| *start);
        let entry = entry_of(metadata, *index)?;
        if *start != end {
            return Err(misplaced(&entry));
        }
        end = end_of(reader, &entry, next)?;
    }
    if end != directory.range.start {
        return Err(unreadable("the archive has bytes that belong to no entry")
            .why("they stand between the last entry and the directory"));
    }
    Ok(())
}

/// Whether the directory is nothing but its entries, under the names that they have. Gives where each lies
/// in the archive, with its number: there may be 100,000, and entries are large.
fn check_directory<R: Read + Seek>(
    reader: &mut R,
    metadata: &ZipArchiveMetadata,
    directory: &Directory,
) -> Result<Vec<(u64, usize)>> {
    let mut reader = BufReader::new(reader);
    let mut end = directory.range.start;
    reader.seek(SeekFrom::Start(end)).map_err(|error| failed(&error))?;
    let mut places = Vec::with_capacity(metadata.len());
    for index in 0..metadata.len() {
        let entry = entry_of(metadata, index)?;
        let mut header = [0; CENTRAL];
        reader.read_exact(&mut header).map_err(|error| failed(&error))?;
        let lengths = [28, 30, 32].map(|at| number(&header[at..at + 2]));
        check_name(&mut reader, lengths[0], &entry)?;
        let rest = lengths[1] + lengths[2];
        reader.seek_relative(rest as i64).map_err(|error| failed(&error))?;
        end += CENTRAL as u64 + lengths[0] + rest;
        places.push((entry.header_start(), index));
    }
    if end != directory.range.end {
        return Err(unreadable("the archive's directory lists more, or less, than its end says"));
    }
    Ok(places)
}

/// Whether a header, from where its name of `length` bytes begins, calls `entry` as the zip crate does, which
/// takes the name from an extra field where there is one: some tools ignore those.
fn check_name(reader: &mut impl Read, length: u64, entry: &ZipFileEntry<'_>) -> Result<()> {
    let mut name = vec![0; length as usize];
    reader.read_exact(&mut name).map_err(|error| failed(&error))?;
    if name == entry.name_raw() {
        return Ok(());
    }
    Err(unreadable("an entry has two names")
        .why("tools that do not know one of its fields would give the file another name")
        .at(shown(&String::from_utf8_lossy(entry.name_raw()))))
}

/// Where `entry` ends; the part after it begins at `next`.
fn end_of<R: Read + Seek>(reader: &mut R, entry: &ZipFileEntry<'_>, next: u64) -> Result<u64> {
    let header: [u8; LOCAL] = read_at(reader, entry.header_start())?;
    let (name, extra) = (number(&header[26..28]), number(&header[28..30]));
    check_name(reader, name, entry)?;
    let data = entry.header_start().saturating_add(LOCAL as u64 + name + extra);
    let end = data.saturating_add(entry.compressed_size());
    if !entry.flags().is_using_data_descriptor() || end > next {
        return Ok(end);
    }
    // With or without a signature, its sizes short or long: whatever fills the place.
    let mut descriptor = [0; 24];
    let length = next - end;
    let (descriptor, signed, size) = match length {
        12 => (&mut descriptor[..12], false, 4),
        16 => (&mut descriptor[..16], true, 4),
        20 => (&mut descriptor[..20], false, 8),
        24 => (&mut descriptor[..24], true, 8),
        _ => return Err(misplaced(entry)),
    };
    let read = reader.seek(SeekFrom::Start(end)).and_then(|_| reader.read_exact(descriptor));
    read.map_err(|error| failed(&error))?;
    let (signature, fields) = descriptor.split_at(if signed { 4 } else { 0 });
    let (crc, sizes) = fields.split_at(4);
    let agree = (!signed || signature == b"PK\x07\x08")
        && number(crc) == u64::from(entry.crc32())
        && number(&sizes[..size]) == entry.compressed_size()
        && number(&sizes[size..]) == entry.size();
    if agree { Ok(next) } else { Err(misplaced(entry)) }
}

fn misplaced(entry: &ZipFileEntry<'_>) -> Box<Finding> {
    unreadable("an entry does not lie where the directory says")
        .why("something stands before or behind it that the directory does not list, or it shares bytes with another entry")
        .at(shown(&String::from_utf8_lossy(entry.name_raw())))
}

fn read_at<const N: usize>(reader: &mut (impl Read + Seek), at: u64) -> Result<[u8; N]> {
    let mut bytes = [0; N];
    let read = reader.seek(SeekFrom::Start(at)).and_then(|_| reader.read_exact(&mut bytes));
    read.map_err(|error| failed(&error))?;
    Ok(bytes)
}

fn failed(error: &io::Error) -> Box<Finding> {
    super::read_failed(error)
}

/// A number as ZIP files have it, the lowest byte first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}
