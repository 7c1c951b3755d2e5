//! The peer "libdeflate by hand": the least that a parallel packer must do. A directory in, a ZIP of its
//! files out, in the order in which they happen to be ready: no secret is looked for, nothing is hashed.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use libdeflater::{CompressionLvl, Compressor, crc32};
use walkdir::WalkDir;

pub const FLAG: &str = "--by-hand";

struct Archive {
    out: BufWriter<File>,
    offset: u32,
    entries: u32,
    directory: Vec<u8>,
}

pub fn pack(out: &Path) {
    let walk = WalkDir::new(".").into_iter().map(Result::unwrap);
    let files: Vec<_> = walk.filter(|entry| entry.file_type().is_file()).collect();
    let out = BufWriter::new(File::create(out).unwrap());
    let archive = Mutex::new(Archive { out, offset: 0, entries: 0, directory: Vec::new() });
    let next = AtomicUsize::new(0);
    let work = || {
        let mut compressor = Compressor::new(CompressionLvl::default());
        let (mut content, mut deflated) = (Vec::new(), Vec::new());
        while let Some(file) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
            content.clear();
            File::open(file.path()).unwrap().read_to_end(&mut content).unwrap();
            if deflated.len() < content.len() {
                deflated.resize(content.len(), 0);
            }
            let size = compressor.deflate_compress(&content, &mut deflated[..content.len()]);
            let (method, data) = size.map_or((0, &*content), |size| (8, &deflated[..size]));
            let name = file.path().strip_prefix(".").unwrap().to_str().unwrap();
            archive.lock().unwrap().append(name, method, crc32(&content), data, content.len());
        }
    };
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().unwrap().get() {
            scope.spawn(work);
        }
    });
    archive.into_inner().unwrap().finish();
}

impl Archive {
    fn append(&mut self, name: &str, method: u16, crc32: u32, data: &[u8], size: usize) {
        // What both headers of an entry have in common (APPNOTE.TXT 4.3.7 and 4.3.12).
        let mut common = Vec::with_capacity(26);
        for field in [20, 1 << 11, method, 0, 0x21] {
            common.extend(field.to_le_bytes());
        }
        for field in [crc32, data.len() as u32, size as u32, name.len() as u32] {
            common.extend(field.to_le_bytes());
        }
        self.directory.extend(b"PK\x01\x02\x14\x03");
        self.directory.extend(&common);
        self.directory.extend([0; 6]);
        self.directory.extend((0o100_644_u32 << 16).to_le_bytes());
        self.directory.extend(self.offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        for part in [b"PK\x03\x04", &*common, name.as_bytes(), data] {
            self.out.write_all(part).unwrap();
            self.offset += part.len() as u32;
        }
        self.entries += 1;
    }

    fn finish(mut self) {
        let entries = (self.entries.min(0xffff) as u16).to_le_bytes();
        let size = (self.directory.len() as u32).to_le_bytes();
        self.out.write_all(&self.directory).unwrap();
        for part in
            [b"PK\x05\x06\0\0\0\0".as_slice(), &entries, &entries, &size, &self.offset.to_le_bytes(), &[0; 2]]
        {
            self.out.write_all(part).unwrap();
        }
        self.out.flush().unwrap();
    }
}
