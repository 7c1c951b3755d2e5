//! A length in, that many zero bytes out. Large ones are pages of their own, which go back to the system
//! when they are dropped: what an allocator keeps for later would count as memory that packing takes.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// Bytes up to which the allocator is asked. Buffers of this size are kept from entry to entry.
pub const SMALL: usize = 512 << 10;

pub enum Buffer {
    Heap(Vec<u8>),
    Pages { pages: MmapMut, length: usize },
}

impl Buffer {
    pub fn zeroed(length: usize) -> Self {
        if length > SMALL
            && let Ok(pages) = MmapMut::map_anon(length)
        {
            return Self::Pages { pages, length };
        }
        Self::Heap(vec![0; length])
    }

    pub const fn is_small(&self) -> bool {
        matches!(self, Self::Heap(bytes) if bytes.len() <= SMALL)
    }

    /// The first `length` bytes: of a small buffer a copy, of a large one itself.
    pub fn take(&mut self, length: usize) -> Self {
        if self.is_small() {
            return Self::Heap(self[..length].to_vec());
        }
        let mut taken = std::mem::take(self);
        match &mut taken {
            Self::Heap(bytes) => {
                bytes.truncate(length);
                bytes.shrink_to_fit();
            }
            // Pages that were never written to take no memory.
            Self::Pages { length: kept, .. } => *kept = length.min(*kept),
        }
        taken
    }
}

impl Default for Buffer {
    fn default() -> Self {
        Self::Heap(Vec::new())
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Pages { pages, length } => &pages[..*length],
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Heap(bytes) => bytes,
            Self::Pages { pages, length } => &mut pages[..*length],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_one_is_copied_and_a_large_one_moved() {
        for size in [0, 1, SMALL, SMALL + 1, 4 * SMALL] {
            let mut buffer = Buffer::zeroed(size);
            assert_eq!(buffer.is_small(), size <= SMALL);
            assert_eq!((buffer.len(), buffer.iter().any(|byte| *byte != 0)), (size, false));
            buffer.fill(b'x');
            let taken = buffer.take(size / 2);
            assert_eq!((taken.len(), taken.iter().all(|byte| *byte == b'x')), (size / 2, true));
            assert_eq!(buffer.len(), if size <= SMALL { size } else { 0 });
        }
    }
}
