//! The only room that tells the time and makes up ids.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime};

pub fn epoch_milliseconds() -> u64 {
    since_1970().as_millis().try_into().unwrap_or(u64::MAX)
}

pub fn epoch_seconds() -> u64 {
    since_1970().as_secs()
}

fn since_1970() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// A UUID that nobody else has; it keeps no secret.
pub fn request_id() -> String {
    let random = || RandomState::new().hash_one(since_1970());
    let (high, low) = (random(), random());
    // Version 4, variant 1.
    let (high, low) = ((high & !0xf000) | 0x4000, (low & !(0b11 << 62)) | (0b10 << 62));
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_and_differ() {
        let id = request_id();
        let lengths: Vec<_> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
        assert_eq!(id.as_bytes()[14], b'4');
        assert_ne!(id, request_id());
    }
}
