//! A compiled file in, the bytes of it that running it does not need out.

use std::io::{self, Read};

/// Bytes of the header that says where the others are.
const HEADER: usize = 64;
const SECTION: usize = 64;

/// Loaded into memory to run.
const SHF_ALLOC: u64 = 2;
const SHT_NOBITS: u64 = 8;

/// Bytes of the sections that are not loaded, symbols and debugging information, which `strip` takes away.
/// None where this is no 64-bit ELF file of a little-endian machine, the only ones that the platform runs
/// (<https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>).
pub fn strippable(reader: &mut dyn Read) -> Option<u64> {
    let mut header = [0; HEADER];
    reader.read_exact(&mut header).ok()?;
    if !header.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (offset, each, count) = (number(&header[40..48]), number(&header[58..60]), number(&header[60..62]));
    let skipped = offset.checked_sub(HEADER as u64)?;
    if each != SECTION as u64 || io::copy(&mut reader.take(skipped), &mut io::sink()).ok()? != skipped {
        return None;
    }
    let mut bytes = 0_u64;
    for _ in 0..count {
        let mut section = [0; SECTION];
        reader.read_exact(&mut section).ok()?;
        let (kind, flags, size) = (number(&section[4..8]), number(&section[8..16]), number(&section[32..40]));
        if kind != SHT_NOBITS && flags & SHF_ALLOC == 0 {
            bytes = bytes.saturating_add(size);
        }
    }
    Some(bytes)
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
pub mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A file of sections: kind, flags, size.
    pub fn elf(sections: &[(u8, u8, u32)]) -> Vec<u8> {
        let mut file = vec![0; 100];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[40] = 100;
        file[58] = 64;
        file[60] = sections.len() as u8;
        for (kind, flags, size) in sections {
            let mut section = [0; SECTION];
            (section[4], section[8]) = (*kind, *flags);
            section[32..36].copy_from_slice(&size.to_le_bytes());
            file.extend(section);
        }
        file
    }

    #[test]
    fn what_is_not_loaded_can_go() {
        let file = elf(&[(0, 0, 0), (1, 6, 5000), (8, 3, 700), (8, 0, 700), (1, 0, 90_000), (2, 0, 4000)]);
        assert_eq!(strippable(&mut file.as_slice()), Some(94_000));
        assert_eq!(strippable(&mut &file[..file.len() - 1]), None);
        assert_eq!(strippable(&mut b"\x7fELF\x01\x01".as_slice()), None);
        assert_eq!(strippable(&mut "text".repeat(99).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(start in 0_usize..8, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let magic = b"\x7fELF\x02\x01\x01\0";
            let bytes = [&magic[..start], &bytes].concat();
            let _ = strippable(&mut bytes.as_slice());
        }
    }
}
