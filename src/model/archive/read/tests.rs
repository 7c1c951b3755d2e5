//! Sound archives: handmade, of `pack`, of other tools.

use std::io::{self, Cursor, SeekFrom};

use super::handmade::*;
use super::*;
use crate::model::archive::{Level, Options, write};

#[test]
fn an_archive_is_listed_and_read() {
    let bytes = sound();
    let archive = open(&bytes).unwrap();
    let entries: Vec<_> =
        archive.entries.iter().map(|entry| (entry.path.as_str(), entry.size, entry.mode)).collect();
    assert_eq!(
        entries,
        [("lib/index.js", 96, Some(0o644)), ("ключ", 5, Some(0o644)), ("run", 10, Some(0o755))]
    );
    assert_eq!(archive.read("ключ").unwrap(), b"value");
    let mut copied = Vec::new();
    archive.copy("run", &mut copied).unwrap();
    assert_eq!(copied, b"#!/bin/sh\n");
    let records = archive.records().unwrap();
    assert_eq!(records[1].sha256, "cd42404d52ad55ccfa9aca4adc828aa5800ad9d385a0671fbcbf724118320619");
    for absent in ["lib", "lib/", "x", "", "../run"] {
        assert_eq!(archive.read(absent).unwrap_err().rule.id, "FN0408");
    }
}

#[test]
fn an_archive_is_a_source() {
    let bytes = sound();
    let archive = open(&bytes).unwrap();
    let sources: &dyn Sources = &archive;
    assert_eq!(sources.names(), ["lib/index.js", "run", "ключ"]);
    assert!(sources.has("run") && !sources.has("lib") && !sources.has("ru"));
    assert!(sources.has_directory("lib") && !sources.has_directory("li") && !sources.has_directory("run"));
    assert_eq!(sources.read("run").as_deref(), Some(b"#!/bin/sh\n".as_slice()));
    assert_eq!(sources.read("lib"), None);
}

#[test]
fn archives_of_other_tools_are_read() {
    macro_rules! made_by {
        ($($tool:literal)*) => {
            [$(($tool, include_bytes!(concat!("../../../../tests/archives/", $tool, ".zip")).as_slice())),*]
        };
    }
    for (tool, bytes) in made_by!(
        "archiver" "git" "info-zip" "info-zip-fd" "info-zip-stream" "info-zip-zip64" "jar" "python"
        "python-stream" "python-stream-zip64"
    ) {
        let mut files = contents(bytes).unwrap_or_else(|problem| panic!("{tool}: {problem:?}"));
        files.retain(|(path, _)| path != "META-INF/MANIFEST.MF");
        files.sort();
        let expected: [(&str, Vec<u8>); 4] = [
            ("dir/run", b"#!/bin/sh\n".to_vec()),
            ("dir/ключ.txt", "текст\n".into()),
            ("empty", Vec::new()),
            ("index.js", b"exports.main = () => 1;\n".repeat(6)),
        ];
        assert_eq!(files, expected.map(|(path, content)| (path.to_owned(), content)), "{tool}");
    }
}

#[test]
fn what_pack_writes_is_read() {
    struct File(&'static str, Vec<u8>);
    impl crate::model::archive::Content for File {
        fn path(&self) -> &str {
            self.0
        }
        fn size(&self) -> u64 {
            self.1.len() as u64
        }
        fn open(&self) -> Result<Box<dyn Read + '_>> {
            Ok(Box::new(self.1.as_slice()))
        }
    }
    let files = [
        File("index.js", b"text ".repeat(40)),
        File("empty", Vec::new()),
        File("large", vec![7; 17 << 20]),
        File("ключ", vec![1]),
    ];
    let options = Options {
        level: Level::Fast,
        date: Default::default(),
        threads: 2,
        scratch: &|| Ok(Box::new(Cursor::new(Vec::new()))),
        inspect: &|_| Ok(()),
        progress: &|_| {},
    };
    let mut bytes = Vec::new();
    let written = write(&files, &options, &mut bytes).unwrap();
    let archive = open(&bytes).unwrap();
    assert_eq!(archive.records().unwrap(), written.entries);
    let mut none = Vec::new();
    write::<File>(&[], &options, &mut none).unwrap();
    assert!(open(&none).unwrap().entries.is_empty());
}

#[test]
fn a_disk_that_fails_is_not_a_damaged_archive() {
    struct Failing(Cursor<Vec<u8>>, u32);
    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.1.checked_sub(1) {
                Some(left) => {
                    self.1 = left;
                    self.0.read(buffer)
                }
                None => Err(io::Error::from_raw_os_error(5)),
            }
        }
    }
    impl Seek for Failing {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }
    let mut was_opened = false;
    for reads in 0..200 {
        let archive = Archive::open(Failing(Cursor::new(sound()), reads));
        was_opened |= archive.is_ok();
        match archive.and_then(|archive| archive.records()) {
            Ok(records) => assert_eq!(records.len(), 3),
            Err(problem) => assert_eq!(problem.rule.id, "FN0501", "{reads} reads: {problem:?}"),
        }
    }
    assert!(was_opened);
}
