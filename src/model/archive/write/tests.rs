//! The promises of the archive writer: the same bytes, whoever packs, and nothing half-read.

use std::io::Cursor;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use proptest::prelude::*;

use super::worker::{OVERLAP, PLAIN, PROGRAM};
use super::*;
use crate::model::archive::ChangedWhileRead;

const HELD_LIMIT: u64 = Level::Default.held_limit();

pub struct File {
    path: String,
    content: Vec<u8>,
}

impl Content for File {
    fn path(&self) -> &str {
        &self.path
    }
    fn size(&self) -> u64 {
        self.content.len() as u64
    }
    fn open(&self) -> Result<Box<dyn Read + '_>> {
        Ok(Box::new(self.content.as_slice()))
    }
}

/// A file that gives something else than it says.
pub struct Claimed {
    path: &'static str,
    size: u64,
    content: u64,
    end: fn() -> io::Result<usize>,
}

impl Claimed {
    pub const fn of(size: u64) -> Self {
        Self { path: "claimed", size, content: size, end: || Ok(0) }
    }
}

impl Content for Claimed {
    fn path(&self) -> &str {
        self.path
    }
    fn size(&self) -> u64 {
        self.size
    }
    fn open(&self) -> Result<Box<dyn Read + '_>> {
        struct End(fn() -> io::Result<usize>);
        impl Read for End {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                self.0()
            }
        }
        Ok(Box::new(io::repeat(b'x').take(self.content).chain(End(self.end))))
    }
}

fn file(path: &str, content: impl Into<Vec<u8>>) -> File {
    File { path: path.to_owned(), content: content.into() }
}

fn options(threads: usize) -> Options<'static> {
    Options {
        level: Level::Default,
        date: DosDate::from_epoch(None),
        threads,
        scratch: &|| Ok(Box::new(Cursor::new(Vec::new()))),
        inspect: &|_| Ok(()),
        progress: &|_| {},
    }
}

fn packed(files: &[impl Content], options: &Options<'_>) -> (Written, Vec<u8>) {
    let mut out = Vec::new();
    let written = write(files, options, &mut out).unwrap();
    assert_eq!(written.size, out.len() as u64);
    assert_eq!(written.sha256, hex(Sha256::new_with_prefix(&out)));
    (written, out)
}

#[track_caller]
fn refused(files: &[impl Content], rule: &str) -> Box<Finding> {
    let problem = write(files, &options(2), io::sink()).unwrap_err();
    assert_eq!(problem.rule.id, rule, "{problem:?}");
    problem
}

/// Bytes that deflate cannot make smaller, the same ones each time.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        })
        .collect()
}

/// Small and held, stored and deflated, programs, and one that is streamed.
static TREE: LazyLock<Vec<File>> = LazyLock::new(|| {
    let mut files = vec![
        file("index.js", "exports.main = async () => ({ statusCode: 200 });\n".repeat(9)),
        file("bin/run", "#!/bin/sh\necho run\n"),
        file("lib/native.so", b"\x7fELF\x02\x01\x01".to_vec()),
        file("empty", ""),
        file("données/ключ.txt", "text ".repeat(50)),
        file("noise", noise(100_000)),
        file("large", b"0123456789abcdef\n".repeat(1_700_000)),
    ];
    files.extend((0..500).map(|number| {
        file(&format!("many/{number}.js"), format!("module.exports = {number};\n").repeat(number * 7 % 301))
    }));
    files
});

/// `TREE`, packed by one thread.
static PACKED: LazyLock<(Written, Vec<u8>)> = LazyLock::new(|| packed(&TREE, &options(1)));

/// A header of an archive's directory, without its signature (APPNOTE.TXT 4.3.12).
struct Header<'a> {
    fixed: &'a [u8],
    name: &'a str,
}

impl Header<'_> {
    fn short(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.fixed[at - 4..at - 2].try_into().unwrap())
    }

    fn long(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.fixed[at - 4..at].try_into().unwrap())
    }
}

/// Every header of the directory, by hand.
fn directory(archive: &[u8]) -> Vec<Header<'_>> {
    let (_, end) = archive.split_at(archive.len() - 22);
    assert!(end.starts_with(b"PK\x05\x06"), "there is no comment");
    let offset = u32::from_le_bytes(end[16..20].try_into().unwrap()) as usize;
    let mut rest = &archive[offset..archive.len() - 22];
    let mut headers = Vec::new();
    while let Some(header) = rest.strip_prefix(b"PK\x01\x02") {
        let (fixed, variable) = header.split_at(42);
        let length = usize::from(u16::from_le_bytes(fixed[24..26].try_into().unwrap()));
        let (name, after) = variable.split_at(length);
        headers.push(Header { fixed, name: std::str::from_utf8(name).unwrap() });
        rest = after;
    }
    assert!(rest.is_empty());
    headers
}

#[test]
fn any_number_of_threads_gives_the_same_bytes() {
    let (written, once) = &*PACKED;
    for threads in [1, 2, 3, 8] {
        let (again, bytes) = packed(&TREE, &options(threads));
        assert!(&bytes == once, "{threads}");
        assert_eq!(&again, written);
    }
}

#[test]
fn an_archive_unpacks_to_what_was_packed() {
    let (written, bytes) = &*PACKED;
    let paths: Vec<_> = written.entries.iter().map(|record| record.path.as_str()).collect();
    assert!(paths.is_sorted());
    let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
    assert_eq!(archive.len(), TREE.len());
    // All but the end of the directory belongs to the entries.
    assert_eq!(written.packed.iter().sum::<u64>(), written.size - 22);
    for file in &*TREE {
        let mut content = Vec::new();
        archive.by_name(&file.path).unwrap().read_to_end(&mut content).unwrap();
        assert!(content == file.content, "{}", file.path);
        let record = written.entries.iter().find(|record| record.path == file.path).unwrap();
        assert_eq!(record.sha256, hex(Sha256::new_with_prefix(&content)));
    }
}

/// The bytes are a promise: who packs the same files with the next version, or on another machine, gets
/// the same archive. Where this fails, a dependency compresses in another way: a new minor version.
#[test]
fn the_bytes_are_known() {
    assert_eq!(PACKED.0.sha256, "0b75bb6811788dff4013ef0bdda221d5d478a6d92c0a20b1bf977dcbcf2453aa");
    let text: String = (0..9000_u32).map(|number| format!("{} {}\n", number * number, number % 97)).collect();
    let sha256 = |level| packed(&[file("text", text.as_str())], &Options { level, ..options(1) }).0.sha256;
    assert_eq!(
        [Level::Fast, Level::Default, Level::Best].map(sha256),
        [
            "a282fca83a86c6ad89e144ad7e5dd3643b2b14cb47ccf539147d129763a2ab1c",
            "36b4378e60565e7b5d861bd888d19f1e2c791639e22a8b86fdb87e3207644a07",
            "955b81f3e4e04e44da1cb2523be058f0aeb4765685147d62c70dd5a978f2708e",
        ]
    );
    assert_eq!(
        packed(&[] as &[File], &options(1)).0.sha256,
        "8739c76e681f900923b900c9df0ef75cf421d39cabb54650c4b9ad19b6a76d85"
    );
}

#[test]
fn nothing_of_this_machine_gets_into_an_archive() {
    const FIRST_OF_1980: (u16, u16) = (0, 0x21);
    let (_, bytes) = &*PACKED;
    let headers = directory(bytes);
    assert_eq!(headers.len(), TREE.len());
    for header in headers {
        let file = TREE.iter().find(|file| file.path == header.name).unwrap();
        let path = &file.path;
        let (method, version) = if header.short(10) == 8 { (8, 20) } else { (0, 10) };
        let utf_8 = u16::from(!path.is_ascii()) << 11;
        let program = ["bin/run", "lib/native.so"].contains(&path.as_str());
        let mode: u32 = if program { 0o100_755 } else { 0o100_644 };
        assert_eq!(header.short(4), (3 << 8) | version, "{path}: made by Unix");
        assert_eq!(header.short(6), version, "{path}: needs");
        assert_eq!((header.short(8), header.short(10)), (utf_8, method), "{path}: flags and method");
        assert_eq!((header.short(12), header.short(14)), FIRST_OF_1980, "{path}: time and date");
        assert_eq!(header.long(24) as usize, file.content.len(), "{path}: size");
        assert_eq!((header.short(30), header.short(32)), (0, 0), "{path}: extra field and comment");
        assert_eq!((header.short(34), header.short(36)), (0, 0), "{path}: disk and inner attributes");
        assert_eq!(header.long(38), mode << 16, "{path}: outer attributes");
        // The local header says the same, and no descriptor is needed.
        let local = &bytes[header.long(42) as usize..][..30 + path.len()];
        assert_eq!((&local[..4], &local[30..]), (b"PK\x03\x04".as_slice(), path.as_bytes()));
        assert_eq!(local[6..28], header.fixed[4..26], "{path}: flags to length of the name");
        assert_eq!(local[28..30], [0, 0], "{path}: extra field");
    }
}

#[test]
fn what_does_not_get_smaller_is_stored() {
    let files = [file("a", ""), file("b", "b"), file("c", noise(999)), file("d", "d".repeat(99))];
    let (_, bytes) = packed(&files, &options(1));
    let methods: Vec<_> = directory(&bytes).iter().map(|header| header.short(10)).collect();
    assert_eq!(methods, [0, 0, 0, 8]);
}

#[test]
fn programs_can_be_run_whatever_their_name() {
    for (content, mode) in [
        ("", PLAIN),
        ("#", PLAIN),
        (" #!/bin/sh", PLAIN),
        ("#!/bin/sh", PROGRAM),
        ("#!", PROGRAM),
        ("\x7fELF", PROGRAM),
        ("\x7fEL", PLAIN),
    ] {
        let (_, bytes) = packed(&[file("run.sh", content)], &options(1));
        assert_eq!(directory(&bytes)[0].long(38) >> 16, 0o100_000 | mode, "{content:?}");
    }
}

#[test]
fn every_entry_carries_the_one_date() {
    // Year, month, day, hour, minute, half of the seconds, as DOS counts them.
    for (epoch, [year, month, day, hour, minute, half]) in [
        (None, [1980, 1, 1, 0, 0, 0]),
        (Some(0), [1980, 1, 1, 0, 0, 0]),
        (Some(315_532_799), [1980, 1, 1, 0, 0, 0]),
        (Some(315_532_800), [1980, 1, 1, 0, 0, 0]),
        (Some(315_532_803), [1980, 1, 1, 0, 0, 1]),
        (Some(320_716_799), [1980, 2, 29, 23, 59, 29]),
        (Some(951_782_400), [2000, 2, 29, 0, 0, 0]),
        (Some(951_868_799), [2000, 2, 29, 23, 59, 29]),
        (Some(951_868_800), [2000, 3, 1, 0, 0, 0]),
        (Some(1_700_000_000), [2023, 11, 14, 22, 13, 10]),
        (Some(4_107_542_399), [2100, 2, 28, 23, 59, 29]),
        (Some(4_107_542_400), [2100, 3, 1, 0, 0, 0]),
        (Some(4_354_819_199), [2107, 12, 31, 23, 59, 29]),
        (Some(4_354_819_200), [2107, 12, 31, 23, 59, 29]),
        (Some(u64::MAX), [2107, 12, 31, 23, 59, 29]),
    ] {
        let options = Options { date: DosDate::from_epoch(epoch), ..options(1) };
        let (_, bytes) = packed(&[file("a", "a"), file("b", "b".repeat(99))], &options);
        for header in directory(&bytes) {
            assert_eq!(header.short(12), (hour << 11) | (minute << 5) | half, "{epoch:?}");
            assert_eq!(header.short(14), ((year - 1980) << 9) | (month << 5) | day, "{epoch:?}");
        }
    }
}

#[test]
fn a_file_that_changed_is_not_packed() {
    let large = HELD_LIMIT + 1;
    for (size, content) in [(9, 8), (9, 0), (9, 10), (0, 1), (large, 9), (large, large + 1)] {
        let problem = refused(&[Claimed { path: "changed", size, content, end: || Ok(0) }], "FN0410");
        assert_eq!(problem.path.as_deref(), Some("changed"));
    }
    // Of the same size as before, but with another time.
    for size in [9, large] {
        let end = || Err(ChangedWhileRead.into());
        refused(&[Claimed { path: "changed", size, content: size, end }], "FN0410");
    }
    for size in [9, large] {
        let end = || Err(io::Error::from_raw_os_error(5));
        refused(&[Claimed { path: "broken", size, content: 5, end }], "FN0501");
    }
}

#[test]
fn a_read_that_was_interrupted_is_repeated() {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let end = || {
        if CALLS.fetch_add(1, Ordering::Relaxed) == 0 {
            Err(io::ErrorKind::Interrupted.into())
        } else {
            Ok(0)
        }
    };
    packed(&[Claimed { path: "slow", size: 9, content: 9, end }], &options(1));
    assert_eq!(CALLS.load(Ordering::Relaxed), 2);
}

#[test]
fn names_that_no_archive_should_have_are_refused() {
    refused(&[file("a", "1"), file("b", ""), file("a", "2")], "FN0402");
    for path in ["", "/a", "../a", "a/../b", "a//b", "./a", "a/", "a\\b", "a\nb", "c:/a"] {
        refused(&[file("fine", ""), file(path, "")], "FN0402");
    }
    refused(&[file(&"a".repeat(65_490), "")], "FN0402");
    packed(&[file(&"a".repeat(65_489), "")], &options(1));
    refused(&[Claimed::of(u64::from(u32::MAX))], "FN0406");
}

#[test]
fn an_output_that_fails_ends_the_packing() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    for room in [0, 10_000, 150_000] {
        let problem = write(&TREE[..6], &options(4), Full(room)).map(|_| ()).err();
        assert_eq!(problem.map(|problem| problem.rule.id), (room < 150_000).then_some("FN0501"));
        let problem = write(&many(2000), &options(4), Full(room)).unwrap_err();
        assert_eq!(problem.rule.id, "FN0501");
    }
}

fn many(count: usize) -> Vec<File> {
    (0..count).map(|number| file(&format!("{number:05}"), "x".repeat(number % 90))).collect()
}

#[test]
fn the_first_error_by_name_is_the_one_that_is_told() {
    for first in [0, 1, 700, 1998] {
        let inspect = move |window: Window<'_>| {
            let number: usize = window.path.parse().unwrap();
            if number == first {
                // The others come to their errors before this one.
                thread::sleep(Duration::from_millis(10));
            }
            if number >= first { Err(finding::SECRET.finding(window.path)) } else { Ok(()) }
        };
        for threads in [1, 2, 8] {
            let options = Options { inspect: &inspect, ..options(threads) };
            let problem = write(&many(2000), &options, io::sink()).unwrap_err();
            assert_eq!(problem.message, format!("{first:05}"), "{threads} threads");
        }
    }
}

#[test]
fn memory_stays_bounded_while_the_first_entry_takes_long() {
    // What waits for its turn takes its own size, what is under way twice as much: of 46 MiB.
    const SIZE: usize = 3 << 20;
    const MOST: usize = 14;
    let content = noise(SIZE);
    let mut files = vec![file("0", "slow")];
    files.extend((10..30).map(|number| file(&format!("{number}"), content.as_slice())));
    let (begun, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let inspect = |window: Window<'_>| {
        if window.path != "0" {
            begun.fetch_add(1, Ordering::SeqCst);
            return Ok(());
        }
        for _ in 0..6000 {
            thread::sleep(Duration::from_millis(10));
            // When as many have been begun as may be, once more: to see that it stays so.
            if most.swap(begun.load(Ordering::SeqCst), Ordering::SeqCst) >= MOST {
                break;
            }
        }
        Ok(())
    };
    packed(&files, &Options { level: Level::Fast, inspect: &inspect, ..options(4) });
    assert_eq!(most.into_inner(), MOST);
}

#[test]
fn every_byte_is_shown_before_it_is_packed() {
    let mut large: String = (1..=HELD_LIMIT / 64 + 2).map(|number| format!("{number:063}\n")).collect();
    large.truncate((HELD_LIMIT + 100) as usize);
    let files = [file("large", large), file("small", "one\ntwo\n")];
    let shown = AtomicUsize::new(0);
    let read = AtomicUsize::new(0);
    let inspect = |window: Window<'_>| {
        let Window { path, content, line } = window;
        if path == "small" {
            assert_eq!((content, line), (b"one\ntwo\n".as_slice(), 1));
            return Ok(());
        }
        // Each window begins with the end of the one before, at a line that says its number.
        assert!(content.starts_with(format!("{line:063}\n").as_bytes()));
        let begin = (line as usize - 1) * 64;
        assert!(files[0].content[begin..].starts_with(content));
        let before = shown.load(Ordering::Relaxed);
        assert_eq!(before - begin, before.min(OVERLAP));
        shown.store(begin + content.len(), Ordering::Relaxed);
        Ok(())
    };
    let progress = |more: u64| {
        read.fetch_add(more as usize, Ordering::Relaxed);
    };
    packed(&files, &Options { inspect: &inspect, progress: &progress, ..options(1) });
    assert_eq!(shown.into_inner(), files[0].content.len());
    assert_eq!(read.into_inner(), files[0].content.len() + 8);
}

fn any_content() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (any::<u8>(), 0_usize..5000).prop_map(|(byte, length)| vec![byte; length]),
        (0_usize..60_000).prop_map(noise),
        "#!/bin/[a-z]{2}\n".prop_map(String::into_bytes),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_files_in_any_order_give_the_same_archive(
        (files, order) in prop::collection::btree_map("[a-zа-я0-9.-]{1,4}f(/[A-Za-z _]{1,5}f){0,2}", any_content(), 0..40)
            .prop_map(|files| files.into_iter().collect::<Vec<_>>())
            .prop_flat_map(|files| (Just(files.clone()), Just(files).prop_shuffle())),
        threads in 2_usize..9,
        level in prop::sample::select(vec![Level::Fast, Level::Default, Level::Best]),
        epoch: Option<u32>,
    ) {
        let to_files = |files: &[(String, Vec<u8>)]| -> Vec<_> {
            files.iter().map(|(path, content)| file(path, content.as_slice())).collect()
        };
        let date = DosDate::from_epoch(epoch.map(u64::from));
        let with = |threads| Options { level, date, ..options(threads) };
        let (written, bytes) = packed(&to_files(&files), &with(1));
        let (again, same) = packed(&to_files(&order), &with(threads));
        prop_assert!(bytes == same);
        prop_assert_eq!(&again.entries, &written.entries);
        let mut archive = ZipArchive::new(Cursor::new(bytes)).unwrap();
        prop_assert_eq!(archive.len(), files.len());
        for (index, (path, content)) in files.iter().enumerate() {
            let mut entry = archive.by_index(index).unwrap();
            prop_assert_eq!(entry.name_raw(), path.as_bytes());
            let mut unpacked = Vec::new();
            entry.read_to_end(&mut unpacked).unwrap();
            prop_assert!(&unpacked == content);
        }
    }
}
