//! A writer in, one that reports its first error and then only pretends out. The `zip` crate ends an
//! archive even when it drops it after an error, and would complain about the next one on standard error.

use std::io::{self, Seek, SeekFrom, Write};

pub struct FailOnce<W> {
    inner: W,
    position: u64,
    has_failed: bool,
}

impl<W> FailOnce<W> {
    pub const fn new(inner: W) -> Self {
        Self { inner, position: 0, has_failed: false }
    }

    pub fn into_inner(self) -> W {
        self.inner
    }

    /// What `action` gives, or, after an error, what would have been expected of it.
    fn attempt<T>(&mut self, expected: T, action: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if self.has_failed {
            return Ok(expected);
        }
        let result = action(&mut self.inner);
        // An interrupted call is repeated, not given up.
        self.has_failed = result.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        result
    }
}

impl<W: Write> Write for FailOnce<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.attempt(bytes.len(), |inner| inner.write(bytes))?;
        self.position += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt((), W::flush)
    }
}

impl<W: Seek> Seek for FailOnce<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let expected = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(distance) => self.position.saturating_add_signed(distance),
            SeekFrom::End(_) => self.position,
        };
        self.position = self.attempt(expected, |inner| inner.seek(to))?;
        Ok(self.position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(Vec<io::ErrorKind>);

    impl Write for Broken {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.pop().map_or(Ok(bytes.len()), |kind| Err(kind.into()))
        }
        fn flush(&mut self) -> io::Result<()> {
            self.write(b"").map(|_| ())
        }
    }

    impl Seek for Broken {
        fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    #[test]
    fn only_the_first_error_is_told() {
        use io::ErrorKind::{Interrupted, StorageFull};
        let mut writer = FailOnce::new(Broken(vec![StorageFull, StorageFull, Interrupted]));
        assert_eq!(writer.write(b"abc").unwrap_err().kind(), Interrupted);
        assert_eq!(writer.write(b"abc").unwrap_err().kind(), StorageFull);
        assert_eq!(writer.write(b"abc").unwrap(), 3);
        assert!(writer.flush().is_ok());
        assert_eq!(writer.stream_position().unwrap(), 3);
        assert_eq!(writer.seek(SeekFrom::Start(9)).unwrap(), 9);
        assert_eq!(writer.seek(SeekFrom::Current(-4)).unwrap(), 5);
        assert_eq!(writer.seek(SeekFrom::End(0)).unwrap(), 5);
        assert_eq!(writer.into_inner().0.len(), 1);
    }
}
