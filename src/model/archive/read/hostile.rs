//! Archives that mean harm, and those that were damaged.

use proptest::prelude::*;

use super::handmade::*;
use super::*;

#[test]
fn unsafe_names_are_refused() {
    let leaves = ["../x", "a/../../x", "a/..", ".."].map(|name| (name, "leaves its directory"));
    let piece = ["a//b", "./a", "a/.", "a//"].map(|name| (name, "has an empty or `.` piece"));
    let control = ["a\nb", "a\0b", "a\x7f", "a\u{85}"].map(|name| (name, "holds a control character"));
    for (name, message) in leaves.into_iter().chain(piece).chain(control).chain([
        ("/etc/passwd", "is absolute"),
        ("c:/x", "begins with a drive letter"),
        ("c:x", "begins with a drive letter"),
        ("..\\x", "holds a backslash"),
        ("a\\b", "holds a backslash"),
        ("", "is empty"),
        ("/", "is empty"),
        (&"a".repeat(65_490), "is longer than a ZIP file can store"),
    ]) {
        refused_part(stored(name, b""), message);
    }
    let problem = open(&zip(&[stored("a\x1b[2Jb", b"")])).unwrap_err();
    assert!(!format!("{} {:?}", problem.message, problem.path).contains('\x1b'));
    let problem = open(&zip(&[stored(&"a/../".repeat(9_999), b"")])).unwrap_err();
    assert!(problem.message.len() + problem.path.unwrap().len() < 600);
}

#[test]
fn names_that_are_not_utf_8_are_refused() {
    for flags in [0, UTF_8] {
        refused_part(part(b"a\xff", STORED, b"", Vec::new()).flagged(flags), "not UTF-8");
    }
    // Tools without a flag for it write UTF-8 all the same.
    let unflagged = stored("ключ", b"1").with(|part| (part.flags, part.local_flags) = (0, 0));
    accepted(&[unflagged], &[("ключ", b"1")]);
}

#[test]
fn a_name_stands_for_one_file() {
    refused(&zip(&[stored("a", b"1"), stored("a", b"2")]), "two entries of one name");
    refused(&zip(&[stored("a", b"1"), stored("a/b", b"2")]), "is a file and a directory");
    refused(&zip(&[stored("a/b", b"2"), stored("a!", b"1"), stored("a", b"1")]), "is a file and a directory");
    refused(&zip(&[directory("a/"), stored("a", b"1")]), "is a file and a directory");
    accepted(&[stored("a", b"1"), stored("A", b"2")], &[("a", b"1"), ("A", b"2")]);
    accepted(&[stored("a/b", b"1"), directory("a/"), stored("a!", b"")], &[("a/b", b"1"), ("a!", b"")]);
}

#[test]
fn a_second_name_is_refused() {
    refused_part(stored("a", b"").with(|part| part.local_name = b"b".to_vec()), "");
    // Info-ZIP's field for a UTF-8 name beside another one (APPNOTE.TXT 4.6.9), to which a checksum binds it:
    // these two share theirs.
    let names =
        [b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.js", b"AaaaaaAaaAAaaaaaAaaaAAAaAAaAAaAAAaaaaaaa.js"];
    let sum = crc32fast::hash(names[0]);
    assert_eq!(sum, crc32fast::hash(names[1]));
    let mut field = Vec::new();
    put(&mut field, 2, [0x7075, 5 + 43]);
    put(&mut field, 1, [1]);
    put(&mut field, 4, [u64::from(sum)]);
    field.extend(names[0]);
    let named = |raw: &[u8], local: &[u8]| {
        part(raw, STORED, b"", Vec::new()).with(|part| {
            part.local_name = local.to_owned();
            (part.extra, part.local_extra) = (field.clone(), field.clone());
        })
    };
    accepted(&[named(names[0], names[0])], &[(str::from_utf8(names[0]).unwrap(), b"")]);
    for (raw, local) in [(1, 1), (0, 1), (1, 0)] {
        refused_part(named(names[raw], names[local]), "two names");
    }
}

#[test]
fn headers_that_do_not_agree_are_refused() {
    for change in [
        |part: &mut Part| part.local_sums.crc ^= 1,
        |part: &mut Part| part.local_sums.size += 1,
        |part: &mut Part| part.local_sums.compressed += 1,
        |part: &mut Part| part.local_sums.compressed -= 1,
        |part: &mut Part| part.local_method = STORED,
        |part: &mut Part| part.local_flags |= DESCRIPTOR,
        |part: &mut Part| part.flags |= DESCRIPTOR,
        |part: &mut Part| part.sums.crc ^= 1,
        |part: &mut Part| part.sums.size -= 1,
        |part: &mut Part| part.sums.compressed += 1,
    ] {
        refused_part(deflated("a", b"aaaaaaaaaaaaaaaaaaaaaaaa").with(change), "");
    }
}

#[test]
fn content_that_is_not_what_both_headers_say_is_refused() {
    fn both(change: fn(&mut Sums)) -> impl FnOnce(&mut Part) {
        move |part| {
            change(&mut part.sums);
            change(&mut part.local_sums);
        }
    }
    let content = b"aaaaaaaaaaaaaaaaaaaaaaaa";
    for change in [
        |sums: &mut Sums| sums.crc ^= 1,
        |sums: &mut Sums| sums.size += 1,
        |sums: &mut Sums| sums.size -= 1,
        |sums: &mut Sums| sums.size = 0,
        |sums: &mut Sums| sums.compressed += 1,
        |sums: &mut Sums| sums.compressed -= 1,
        |sums: &mut Sums| sums.compressed = 0,
        |sums: &mut Sums| sums.compressed = 0xffff_fffe,
    ] {
        refused_part(deflated("a", content).with(both(change)), "");
        refused_part(stored("a", content).with(both(change)), "");
    }
    refused_part(deflated("a", content).with(|part| part.data[0] = 0xff), "damaged");
    refused_part(stored("a", content).with(both(|sums| sums.size -= 1)), "has two sizes");
}

#[test]
fn what_few_tools_can_unpack_is_refused() {
    refused_part(stored("a", b"").flagged(1), "is encrypted");
    for bit in [4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15] {
        refused_part(stored("a", b"").flagged(1 << bit), "feature");
    }
    for method in [1, 6, 9, 12, 14, 93, 95, 98, 99, 0xffff] {
        refused_part(part(b"a", method, b"1", b"1".to_vec()), "is compressed by");
    }
}

#[test]
fn only_files_and_directories_are_unpacked() {
    for made_by in [0x031e, 0x001e, 0x131e] {
        let with = |name, mode: u32| {
            stored(name, b"x").with(|part| (part.made_by, part.attributes) = (made_by, mode << 16))
        };
        refused_part(with("a", 0o120_777), "is a symbolic link");
        refused_part(with("a", 0o010_644), "neither");
        refused_part(with("a", 0o140_644), "neither");
        refused_part(with("a", 0o040_755), "is a file and a directory");
        refused_part(with("a/", 0o100_644), "is a file and a directory");
        refused_part(with("a/", 0), "is a file and a directory");
        let empty = |part: &mut Part| (part.made_by, part.attributes) = (made_by, 0o100_644 << 16);
        refused_part(stored("a/", b"").with(empty), "is a file and a directory");
    }
    // Without a mode, as Java and others write it.
    let plain = |part: Part| part.with(|part| (part.made_by, part.attributes) = (20, 0));
    let parts = [plain(directory("a/")), plain(stored("a/b", b"1"))];
    accepted(&parts, &[("a/b", b"1")]);
    assert_eq!(open(&zip(&parts)).unwrap().entries[0].mode, None);
    // An empty directory may be two bytes of deflate.
    accepted(&[plain(deflated("a/", b""))], &[]);
}

#[test]
fn bytes_of_no_entry_are_refused() {
    let parts = [stored("a", b"1"), deflated("b", b"2")];
    let [entries, list, end] = pieces(&parts);
    accepted(&parts, &[("a", b"1"), ("b", b"2")]);
    let shifted = self::end(2, list.len() as u64, entries.len() as u64 + 4, b"");
    let longer = self::end(2, list.len() as u64 + 4, entries.len() as u64, b"");
    for (bytes, message) in [
        ([b"junk", entries.as_slice(), &list, &end].concat(), "does not lie where its end says"),
        ([b"junk", entries.as_slice(), &list, &shifted].concat(), ""),
        ([entries.as_slice(), b"junk", &list, &shifted].concat(), "belong to no entry"),
        ([entries.as_slice(), b"junk", &list, &end].concat(), "does not lie where its end says"),
        ([entries.as_slice(), &list, b"junk", &end].concat(), "does not lie where its end says"),
        ([entries.as_slice(), &list, b"junk", &longer].concat(), "lists more, or less"),
        ([entries.as_slice(), &list, &end, b"j"].concat(), "does not end"),
        ([entries.as_slice(), &list, &end, &end].concat(), "does not lie where its end says"),
    ] {
        refused(&bytes, message);
    }
    let hidden = parts[0].clone().with(|part| part.is_listed = false);
    refused(&zip(&[parts[1].clone(), hidden.clone(), stored("c", b"")]), "");
    refused(&zip(&[hidden, parts[1].clone()]), "");
    let behind = |part: &mut Part| part.descriptor = b"junk".to_vec();
    refused_part(stored("a", b"1").with(behind), "does not lie where the directory says");
}

#[test]
fn a_comment_is_passed_over() {
    let [entries, list, _] = pieces(&[stored("a", b"1")]);
    let commented = |comment: &[u8]| {
        let end = end(1, list.len() as u64, entries.len() as u64, comment);
        [entries.as_slice(), &list, &end].concat()
    };
    assert_eq!(contents(&commented(b"made by hand")).unwrap().len(), 1);
    assert_eq!(contents(&commented(&[b'x'; 0xffff])).unwrap().len(), 1);
    refused(&commented(b"PK\x05\x06"), "two ends");
    // The length of the comment, 0x4b50, is the first half of the mark.
    let straddling = [b"\x05\x06".as_slice(), &[0; 0x4b50 - 2]].concat();
    refused(&commented(&straddling), "two ends");
    // A whole other archive in the comment: the last end counts, and its archive is not all there is.
    refused(&commented(&zip(&[stored("b", b"2")])), "does not lie where its end says");
}

#[test]
fn the_end_must_list_what_there_is() {
    let parts = [stored("a", b"1"), stored("b", b"2")];
    let [entries, list, _] = pieces(&parts);
    let (size, offset) = (list.len() as u64, entries.len() as u64);
    for count in [0, 1, 3, 0xffff] {
        refused(&[entries.as_slice(), &list, &end(count, size, offset, b"")].concat(), "");
    }
    for (size, offset) in [(size - 1, offset), (size + 1, offset - 1), (size - 47, offset + 47)] {
        refused(&[entries.as_slice(), &list, &end(2, size, offset, b"")].concat(), "");
    }
    for at in [4, 6, 8] {
        let mut several = end(2, size, offset, b"");
        several[at] ^= 1;
        refused(&[entries.as_slice(), &list, &several].concat(), "one part of several");
    }
    // The zip crate looks on where no directory begins, and finds an archive in the archive.
    let inner = zip(&[stored("c", b"3")]);
    let [entries, list, _] = pieces(&[stored("inner.zip", &inner)]);
    let nowhere = vec![0; list.len()];
    let end = end(1, list.len() as u64, entries.len() as u64, b"");
    let mut bytes = [entries, nowhere, end].concat();
    let start = 30 + "inner.zip".len();
    let place = start + inner.len() - 6;
    let directory = u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap()) + start as u32;
    bytes[place..place + 4].copy_from_slice(&directory.to_le_bytes());
    refused(&bytes, "two directories");
}

#[test]
fn a_long_end_must_agree_with_the_short_one() {
    let parts = [stored("a", b"1"), deflated("b", b"2")];
    let [entries, list, _] = pieces(&parts);
    let (size, offset) = (list.len() as u64, entries.len() as u64);
    let with = |end: &[u8]| [entries.as_slice(), &list, end].concat();
    let sound = long_end(2, size, offset);
    assert_eq!(contents(&with(&sound)).unwrap().len(), 2);
    let (long, short) = sound.split_at(76);
    let partly = [long, &[&short[..8], &[2, 0, 2, 0], &short[12..]].concat()].concat();
    assert_eq!(contents(&with(&partly)).unwrap().len(), 2);
    let changed = |at: usize| {
        let mut end = partly.clone();
        end[at] ^= 1;
        with(&end)
    };
    let (parts, ends) = ("one part of several", "two ends do not agree");
    for (at, message) in [(0, ends), (4, ends), (16, parts), (20, parts), (24, ends), (32, ends)]
        .into_iter()
        .chain([(56 + 4, parts), (56 + 8, ends), (76 + 4, parts), (76 + 6, parts), (76 + 8, ends)])
        .chain([(76 + 10, ends)])
    {
        refused(&changed(at), message);
    }
    for at in [40, 48] {
        refused(&changed(at), "does not lie where its end says");
    }
    // Some tools follow the locator, others take what stands before it.
    refused(&with(&[&long[..56], &sound].concat()), ends);
    // All of the short one counts too, where it says anything.
    let whole = end(2, size, offset, b"");
    assert_eq!(contents(&with(&[long, &whole].concat())).unwrap().len(), 2);
    for at in [8, 10, 12, 16] {
        let mut end = whole.clone();
        end[at] ^= 1;
        refused(&with(&[long, &end].concat()), ends);
    }
    for (count, size, offset) in [(3, size, offset), (2, size - 1, offset), (u64::MAX, u64::MAX, u64::MAX)] {
        let mut end = long_end(2, size, offset);
        let mut fields = Vec::new();
        put(&mut fields, 8, [count, count, size, offset]);
        end[24..56].copy_from_slice(&fields);
        refused(&with(&end), "");
    }
    // One that the short one does not refer to, as a comment in the directory: Python takes it all the same.
    let listed = list.len() as u64;
    let mut commented = list.clone();
    let last = commented.len() - 46 - 1;
    commented[last + 32] = 76;
    let hidden = long_end(1, listed / 2, offset);
    let short = end(2, listed + 76, offset, b"");
    refused(&[entries.as_slice(), &commented, &hidden[..76], &short].concat(), ends);
}

#[test]
fn more_entries_than_memory_is_for_are_refused() {
    let [entries, list, _] = pieces(&[stored("a", b"1")]);
    let end = long_end(1 << 40, list.len() as u64, entries.len() as u64);
    refused(&[entries.as_slice(), &list, &end].concat(), "the archive lists");
    let padded = [list, vec![0; 32 << 20]].concat();
    let end = self::end(1, padded.len() as u64, entries.len() as u64, b"");
    refused(&[entries, padded, end].concat(), "the archive lists");
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let whole = stored("a", b"1");
    let other = stored("b", b"1").with(|part| (part.is_written, part.offset) = (false, Some(0)));
    refused(&zip(&[whole.clone(), other]), "");
    // Two names, one local header and content.
    let other =
        whole.with(|part| (part.is_written, part.offset, part.name) = (false, Some(0), b"b".to_vec()));
    refused(&zip(&[stored("a", b"1"), other]), "");
    // The content of the first is the header of the second, and so on, before one content for all.
    let kernel = deflated("kernel", &[0; 1000]);
    let mut quoted = [kernel.local(), kernel.data.clone()].concat();
    let mut parts = vec![kernel.clone().with(|part| part.is_written = false)];
    for number in 0..4 {
        let mut length = vec![0];
        let header = 30 + parts.last().unwrap().name.len() as u64;
        put(&mut length, 2, [header, !header & 0xffff]);
        let mut outer = deflated(&format!("{number}"), &[0; 1000]);
        outer.sums.compressed = 5 + quoted.len() as u64;
        outer.local_sums = outer.sums;
        quoted = [outer.local(), length, quoted].concat();
        parts.push(outer.with(|part| part.is_written = false));
    }
    parts.reverse();
    let mut list = Vec::new();
    let mut offset = 0;
    for part in &parts {
        list.extend(part.central(offset));
        offset += part.local().len() as u32 + 5;
    }
    let end = end(5, list.len() as u64, quoted.len() as u64, b"");
    refused(&[quoted, list, end].concat(), "");
}

#[test]
fn descriptors_must_say_what_the_directory_says() {
    for (is_signed, bytes) in [(false, 4), (true, 4), (false, 8), (true, 8)] {
        let part = deflated("a", b"aaaaaaaaaaaaaaaa").streamed(is_signed, bytes);
        accepted(&[part.clone(), stored("b", b"2")], &[("a", b"aaaaaaaaaaaaaaaa"), ("b", b"2")]);
        accepted(std::slice::from_ref(&part), &[("a", b"aaaaaaaaaaaaaaaa")]);
        for at in 0..part.descriptor.len() {
            refused_part(part.clone().with(|part| part.descriptor[at] ^= 1), "does not lie where");
        }
        refused_part(part.clone().with(|part| part.descriptor.push(0)), "");
        refused_part(part.with(|part| part.descriptor.clear()), "");
    }
}

#[test]
fn bombs_are_refused() {
    let declared = |size: u64| {
        deflated("a", &[0; 1000]).with(|part| {
            part.sums.size = size;
            part.local_sums.size = size;
        })
    };
    let too_large = |parts: &[Part]| assert_eq!(open(&zip(parts)).unwrap_err().rule.id, "FN0406");
    too_large(&[declared(UNPACKED_LIMIT + 1)]);
    too_large(&[declared(0xffff_fffe)]);
    let many: Vec<_> = (0..700)
        .map(|number| declared(2 << 20).with(|part| part.name = format!("{number}").into()))
        .collect();
    too_large(&many);
    // Unpacks to more than it says.
    refused(&zip(&[declared(999)]), "damaged");
    // Says more than fits into memory, and is looked into all the same.
    let large = declared(HELD_LIMIT + 1);
    let bytes = zip(&[large]);
    let archive = open(&bytes).unwrap();
    assert_eq!(archive.read("a").unwrap_err().rule.id, "FN0406");
    assert!(Sources::read(&archive, "a").is_none());
    assert_eq!(archive.records().unwrap_err().rule.id, "FN0408");
}

#[test]
fn an_archive_in_an_archive_is_a_file() {
    let inner = zip(&[stored("../x", b"1")]);
    accepted(&[stored("inner.zip", &inner)], &[("inner.zip", &inner)]);
}

#[test]
fn what_was_cut_off_is_refused() {
    for sound in [sound(), include_bytes!("../../../../tests/archives/python-stream-zip64.zip").to_vec()] {
        for length in 0..sound.len() {
            refused(&sound[..length], "");
            refused(&sound[sound.len() - length..], "");
        }
    }
}

#[test]
fn a_flipped_bit_is_noticed_or_harmless() {
    for sound in [sound(), include_bytes!("../../../../tests/archives/info-zip-fd.zip").to_vec()] {
        let expected = contents(&sound).unwrap();
        let mut bytes = sound.clone();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                if let Ok(got) = contents(&bytes) {
                    assert_eq!(got, expected, "byte {at}, bit {bit}");
                }
                bytes[at] = sound[at];
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes: Vec<u8>) {
        let _ = contents(&bytes);
        let _ = contents(&[bytes, end(1, 46, 0, b"")].concat());
    }

    #[test]
    fn any_bytes_in_any_place_are_noticed_or_harmless(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        is_long: bool,
    ) {
        let sound = if is_long {
            include_bytes!("../../../../tests/archives/python-stream-zip64.zip").to_vec()
        } else {
            sound()
        };
        let mut bytes = sound.clone();
        for (at, value) in changes {
            bytes[at.index(sound.len())] = value;
        }
        if let Ok(got) = contents(&bytes) {
            prop_assert_eq!(got, contents(&sound).unwrap());
        }
    }

    #[test]
    fn any_headers_are_survived(
        name in ".{0,9}",
        (flags, method, made_by) in any::<(u16, u16, u16)>(),
        (attributes, offset) in any::<(u32, Option<u32>)>(),
        (crc, compressed, size) in any::<(u32, u32, u32)>(),
        (extra, data) in any::<(Vec<u8>, Vec<u8>)>(),
    ) {
        let sums = Sums { crc, compressed: u64::from(compressed), size: u64::from(size) };
        let part = stored(&name, b"").flagged(flags).with(|part| {
            part.method = method;
            part.local_method = method;
            (part.made_by, part.attributes, part.offset) = (made_by, attributes, offset);
            (part.sums, part.local_sums) = (sums, sums);
            part.extra.clone_from(&extra);
            (part.local_extra, part.data) = (extra, data);
        });
        let _ = contents(&zip(&[part]));
    }
}
