//! Bytes, or a hash of them, in; 64 hexadecimal digits out.

use sha2::{Digest, Sha256};

pub fn sha256(bytes: &[u8]) -> String {
    hex(Sha256::new_with_prefix(bytes))
}

pub fn hex(sha256: Sha256) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = sha256.finalize();
    let halves = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.map(|half| char::from(DIGITS[usize::from(half)])).collect()
}
