//! Compressed entries in, a ZIP around them out, front to back; APPNOTE.TXT of PKWARE names its parts.
//! The bytes are those that the `zip` crate would write, which the tests have it do. But that keeps some
//! 350 bytes of each entry until the end, and this what the directory will say of it.

use std::io::{self, Write};

use zip::CompressionMethod;

use super::DosDate;

/// What an archive says of an entry.
pub struct Entry<'a> {
    pub path: &'a str,
    pub mode: u32,
    pub method: CompressionMethod,
    pub crc32: u32,
    /// Bytes, unpacked.
    pub size: u32,
    pub compressed: u32,
}

impl Entry<'_> {
    /// Bytes of its two headers, which both hold its name.
    pub const fn headers(&self) -> u64 {
        30 + 46 + 2 * self.path.len() as u64
    }
}

pub struct Container<W> {
    out: W,
    date: DosDate,
    /// Where the next entry begins.
    offset: u64,
    entries: u64,
    directory: Vec<u8>,
    /// The version of the format that all entries together need.
    version: u16,
}

impl<W: Write> Container<W> {
    pub const fn new(out: W, date: DosDate) -> Self {
        Self { out, date, offset: 0, entries: 0, directory: Vec::new(), version: 10 }
    }

    /// Writes the header of `entry`, whose compressed bytes must be written next to what this gives.
    pub fn begin(&mut self, entry: &Entry<'_>) -> io::Result<&mut W> {
        const UNIX: u16 = 3 << 8;
        const FILE: u32 = 0o100_000;
        const UTF_8: u16 = 1 << 11;
        let (method, version) = match entry.method {
            CompressionMethod::Stored => (0, 10),
            _ => (8, 20),
        };
        let flags = if entry.path.is_ascii() { 0 } else { UTF_8 };
        let mut common = Vec::with_capacity(24);
        for field in [version, flags, method, self.date.0.timepart(), self.date.0.datepart()] {
            common.extend(field.to_le_bytes());
        }
        for field in [entry.crc32, entry.compressed, entry.size] {
            common.extend(field.to_le_bytes());
        }
        // `check_path` has seen to the name's length.
        common.extend((entry.path.len() as u16).to_le_bytes());

        // Where the place has no room, an extra field of ZIP64 gives it (4.5.3).
        let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
        let mut extra = Vec::new();
        if offset == u32::MAX {
            extra.extend([1, 0, 8, 0]);
            extra.extend(self.offset.to_le_bytes());
        }
        self.directory.extend(b"PK\x01\x02");
        self.directory.extend((UNIX | version).to_le_bytes());
        self.directory.extend(&common);
        self.directory.extend((extra.len() as u16).to_le_bytes());
        // No comment, on the only disk, nothing known of the content.
        self.directory.extend([0; 6]);
        self.directory.extend(((FILE | entry.mode) << 16).to_le_bytes());
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(entry.path.as_bytes());
        self.directory.extend(extra);

        self.entries += 1;
        self.version = self.version.max(version);
        self.offset += 30 + entry.path.len() as u64 + u64::from(entry.compressed);
        for part in [b"PK\x03\x04", &*common, &[0; 2], entry.path.as_bytes()] {
            self.out.write_all(part)?;
        }
        Ok(&mut self.out)
    }

    /// Writes the directory and the end of the archive.
    pub fn finish(mut self) -> io::Result<W> {
        let size = self.directory.len() as u64;
        let end = self.offset + size;
        self.out.write_all(&self.directory)?;
        let is_long = self.entries > u64::from(u16::MAX) || size.max(self.offset) > u64::from(u32::MAX);
        let mut ends = Vec::new();
        if is_long {
            ends.extend(b"PK\x06\x06");
            ends.extend(44_u64.to_le_bytes());
            ends.extend([self.version; 2].map(u16::to_le_bytes).as_flattened());
            ends.extend([0; 8]);
            for field in [self.entries, self.entries, size, self.offset] {
                ends.extend(field.to_le_bytes());
            }
            ends.extend(b"PK\x06\x07\0\0\0\0");
            ends.extend(end.to_le_bytes());
            ends.extend(1_u32.to_le_bytes());
        }
        ends.extend(b"PK\x05\x06\0\0\0\0");
        let entries = u16::try_from(self.entries).unwrap_or(u16::MAX);
        ends.extend([entries; 2].map(u16::to_le_bytes).as_flattened());
        let size = if is_long { u32::MAX } else { size as u32 };
        let offset = u32::try_from(self.offset).unwrap_or(u32::MAX);
        ends.extend([size, offset].map(u32::to_le_bytes).as_flattened());
        ends.extend([0; 2]);
        self.out.write_all(&ends)?;
        Ok(self.out)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read, Seek, SeekFrom};

    use zip::{ZipArchive, ZipWriter};

    use super::*;

    const STORED: CompressionMethod = CompressionMethod::Stored;

    fn container(offset: u64, entries: usize) -> Vec<u8> {
        let date = DosDate::from_epoch(Some(1_700_000_000));
        let mut container = Container { offset, ..Container::new(Vec::new(), date) };
        for number in 0..entries {
            let (path, mode) = if number % 2 == 0 {
                (format!("empty/{number}"), 0o644)
            } else {
                (format!("данные/{number}"), 0o755)
            };
            let deflated = [3, 0];
            let (method, compressed) = if number % 3 == 0 {
                (CompressionMethod::Deflated, &deflated[..])
            } else {
                (STORED, &[][..])
            };
            let entry =
                Entry { path: &path, mode, method, crc32: 0, size: 0, compressed: compressed.len() as u32 };
            container.begin(&entry).unwrap().write_all(compressed).unwrap();
        }
        container.finish().unwrap()
    }

    #[test]
    fn the_zip_crate_writes_the_same() {
        for entries in [0, 1, 9, 65_535, 65_536] {
            let ours = container(0, entries);
            let mut archive = ZipArchive::new(Cursor::new(&ours)).unwrap();
            let mut theirs = ZipWriter::new(Cursor::new(Vec::new()));
            for index in 0..archive.len() {
                theirs.raw_copy_file(archive.by_index_raw(index).unwrap()).unwrap();
            }
            assert!(theirs.finish().unwrap().into_inner() == ours, "{entries}");
        }
    }

    /// Bytes behind a gap that is too large to be made.
    struct Behind {
        gap: u64,
        at: u64,
        bytes: Vec<u8>,
    }

    impl Read for Behind {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let read = match self.at.checked_sub(self.gap) {
                None => io::repeat(0).take(self.gap - self.at).read(buffer)?,
                Some(at) => self.bytes.get(at as usize..).unwrap_or_default().read(buffer)?,
            };
            self.at += read as u64;
            Ok(read)
        }
    }

    impl Seek for Behind {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.at = match to {
                SeekFrom::Start(at) => at,
                SeekFrom::Current(by) => self.at.saturating_add_signed(by),
                SeekFrom::End(by) => (self.gap + self.bytes.len() as u64).saturating_add_signed(by),
            };
            Ok(self.at)
        }
    }

    #[test]
    fn entries_far_from_the_start_are_found() {
        for gap in [u64::from(u32::MAX) - 1, u64::from(u32::MAX), 1 << 32] {
            let bytes = container(gap, 2);
            let archive = ZipArchive::new(Behind { gap, at: 0, bytes }).unwrap();
            let metadata = archive.metadata();
            assert_eq!(metadata.len(), 2);
            assert_eq!(metadata.entry(0).unwrap().header_start(), gap);
            assert_eq!(metadata.entry(1).unwrap().header_start(), gap + 30 + 7 + 2);
        }
    }
}
