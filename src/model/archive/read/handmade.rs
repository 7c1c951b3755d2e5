//! Archives made by hand, every field of which can be wrong.

use std::io::Cursor;

use libdeflater::{CompressionLvl, Compressor};

use super::Archive;
use crate::model::finding::Result;

pub const STORED: u16 = 0;
pub const DEFLATED: u16 = 8;
pub const DESCRIPTOR: u16 = 1 << 3;
pub const UTF_8: u16 = 1 << 11;

/// What a header says of an entry's content.
#[derive(Clone, Copy)]
pub struct Sums {
    pub crc: u32,
    pub compressed: u64,
    pub size: u64,
}

/// An entry of a handmade archive.
#[derive(Clone)]
pub struct Part {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub sums: Sums,
    pub data: Vec<u8>,
    /// What follows the data.
    pub descriptor: Vec<u8>,
    pub extra: Vec<u8>,
    pub made_by: u16,
    pub attributes: u32,
    /// Where the directory says that it lies, if not where it does.
    pub offset: Option<u32>,
    pub local_name: Vec<u8>,
    pub local_flags: u16,
    pub local_method: u16,
    pub local_sums: Sums,
    pub local_extra: Vec<u8>,
    pub is_listed: bool,
    pub is_written: bool,
}

pub fn part(name: &[u8], method: u16, content: &[u8], data: Vec<u8>) -> Part {
    let sums =
        Sums { crc: crc32fast::hash(content), compressed: data.len() as u64, size: content.len() as u64 };
    let flags = if name.is_ascii() { 0 } else { UTF_8 };
    Part {
        name: name.to_owned(),
        flags,
        method,
        sums,
        data,
        descriptor: Vec::new(),
        extra: Vec::new(),
        made_by: 0x031e,
        attributes: 0o100_644 << 16,
        offset: None,
        local_name: name.to_owned(),
        local_flags: flags,
        local_method: method,
        local_sums: sums,
        local_extra: Vec::new(),
        is_listed: true,
        is_written: true,
    }
}

pub fn stored(name: &str, content: &[u8]) -> Part {
    part(name.as_bytes(), STORED, content, content.to_owned())
}

pub fn deflated(name: &str, content: &[u8]) -> Part {
    part(name.as_bytes(), DEFLATED, content, deflate(content))
}

pub fn directory(name: &str) -> Part {
    Part { attributes: 0o040_755 << 16 | 0x10, ..stored(name, b"") }
}

pub fn deflate(content: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::best());
    let mut data = vec![0; compressor.deflate_compress_bound(content.len())];
    let length = compressor.deflate_compress(content, &mut data).unwrap();
    data.truncate(length);
    data
}

impl Part {
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn flagged(self, flags: u16) -> Self {
        self.with(|part| {
            part.flags |= flags;
            part.local_flags |= flags;
        })
    }

    /// As a tool does that cannot go back: the sums follow the data.
    pub fn streamed(self, is_signed: bool, bytes: usize) -> Self {
        self.flagged(DESCRIPTOR).with(|part| {
            part.local_sums = Sums { crc: 0, compressed: 0, size: 0 };
            part.descriptor = descriptor(part.sums, is_signed, bytes);
        })
    }

    pub fn local(&self) -> Vec<u8> {
        let mut header = b"PK\x03\x04".to_vec();
        put(&mut header, 2, [20, u64::from(self.local_flags), u64::from(self.local_method), 0, 0x21]);
        let Sums { crc, compressed, size } = self.local_sums;
        put(&mut header, 4, [u64::from(crc), compressed, size]);
        put(&mut header, 2, [self.local_name.len() as u64, self.local_extra.len() as u64]);
        [header, self.local_name.clone(), self.local_extra.clone()].concat()
    }

    pub fn central(&self, offset: u32) -> Vec<u8> {
        let mut header = b"PK\x01\x02".to_vec();
        put(&mut header, 2, [u64::from(self.made_by), 20]);
        put(&mut header, 2, [u64::from(self.flags), u64::from(self.method), 0, 0x21]);
        let Sums { crc, compressed, size } = self.sums;
        put(&mut header, 4, [u64::from(crc), compressed, size]);
        put(&mut header, 2, [self.name.len() as u64, self.extra.len() as u64, 0, 0, 0]);
        put(&mut header, 4, [u64::from(self.attributes), u64::from(self.offset.unwrap_or(offset))]);
        [header, self.name.clone(), self.extra.clone()].concat()
    }
}

pub fn descriptor(sums: Sums, is_signed: bool, bytes: usize) -> Vec<u8> {
    let mut fields = if is_signed { b"PK\x07\x08".to_vec() } else { Vec::new() };
    put(&mut fields, 4, [u64::from(sums.crc)]);
    put(&mut fields, bytes, [sums.compressed, sums.size]);
    fields
}

pub fn put<const N: usize>(out: &mut Vec<u8>, bytes: usize, numbers: [u64; N]) {
    for number in numbers {
        out.extend(&number.to_le_bytes()[..bytes]);
    }
}

/// An archive of `parts`, in three pieces: entries, directory, end.
pub fn pieces(parts: &[Part]) -> [Vec<u8>; 3] {
    let (mut entries, mut list) = (Vec::new(), Vec::new());
    for part in parts {
        if part.is_listed {
            list.extend(part.central(entries.len() as u32));
        }
        if part.is_written {
            entries.extend(part.local());
            entries.extend(&part.data);
            entries.extend(&part.descriptor);
        }
    }
    let count = parts.iter().filter(|part| part.is_listed).count() as u64;
    let end = end(count, list.len() as u64, entries.len() as u64, b"");
    [entries, list, end]
}

pub fn end(count: u64, size: u64, offset: u64, comment: &[u8]) -> Vec<u8> {
    let mut end = b"PK\x05\x06".to_vec();
    put(&mut end, 2, [0, 0, count, count]);
    put(&mut end, 4, [size, offset]);
    put(&mut end, 2, [comment.len() as u64]);
    end.extend(comment);
    end
}

/// The end in ZIP64's form, its locator, and a short one that only refers to it.
pub fn long_end(count: u64, size: u64, offset: u64) -> Vec<u8> {
    let mut end = b"PK\x06\x06".to_vec();
    put(&mut end, 8, [44]);
    put(&mut end, 2, [45, 45]);
    put(&mut end, 4, [0, 0]);
    put(&mut end, 8, [count, count, size, offset]);
    end.extend(b"PK\x06\x07");
    put(&mut end, 4, [0]);
    put(&mut end, 8, [offset.wrapping_add(size)]);
    put(&mut end, 4, [1]);
    end.extend(self::end(0xffff, 0xffff_ffff, 0xffff_ffff, b""));
    end
}

pub fn zip(parts: &[Part]) -> Vec<u8> {
    pieces(parts).concat()
}

pub fn open(bytes: &[u8]) -> Result<Archive<Cursor<&[u8]>>> {
    Archive::open(Cursor::new(bytes))
}

/// Everything that there is to read.
pub fn contents(bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>> {
    let archive = open(bytes)?;
    archive.records()?;
    archive.entries.iter().map(|entry| Ok((entry.path.clone(), archive.read(&entry.path)?))).collect()
}

#[track_caller]
pub fn refused(bytes: &[u8], message: &str) {
    let problem = contents(bytes).unwrap_err();
    assert_eq!(problem.rule.id, "FN0408", "{problem:?}");
    assert!(problem.message.contains(message), "{problem:?}");
}

#[track_caller]
pub fn refused_part(part: Part, message: &str) {
    refused(&zip(&[stored("first", b"1"), part, stored("last", b"3")]), message);
}

#[track_caller]
pub fn accepted(parts: &[Part], expected: &[(&str, &[u8])]) {
    let got = contents(&zip(parts)).unwrap();
    let got: Vec<_> = got.iter().map(|(path, content)| (path.as_str(), content.as_slice())).collect();
    assert_eq!(got, expected);
}

/// Holds every kind of part that a sound archive has.
pub fn sound() -> Vec<u8> {
    zip(&[
        directory("lib/"),
        deflated("lib/index.js", &b"exports.main = () => 1;\n".repeat(4)),
        stored("ключ", b"value").streamed(true, 4),
        deflated("run", b"#!/bin/sh\n").with(|part| part.attributes = 0o100_755 << 16),
    ])
}
