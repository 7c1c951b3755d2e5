//! Bytes written in, whether another stream holds the same ones out; neither is ever held whole.

use std::io::{self, Read, Write};

/// Takes what is written and reads the other stream alongside. After the first difference it only
/// swallows.
pub struct Comparing<R> {
    other: Option<R>,
    buffer: Vec<u8>,
    error: Option<io::Error>,
}

impl<R: Read> Comparing<R> {
    /// Without another stream nothing is the same.
    pub const fn with(other: Option<R>) -> Self {
        Self { other, buffer: Vec::new(), error: None }
    }

    /// Whether the other stream held exactly what was written.
    ///
    /// # Errors
    /// What reading the other stream gave.
    pub fn into_verdict(self) -> io::Result<bool> {
        match (self.error, self.other) {
            (Some(error), _) => Err(error),
            (None, None) => Ok(false),
            (None, Some(mut other)) => Ok(other.read(&mut [0])? == 0),
        }
    }
}

impl<R: Read> Write for Comparing<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(other) = &mut self.other {
            self.buffer.resize(bytes.len(), 0);
            match other.read_exact(&mut self.buffer) {
                Ok(()) if self.buffer == bytes => {}
                Ok(()) => self.other = None,
                Err(error) => {
                    self.other = None;
                    self.error = Some(error).filter(|error| error.kind() != io::ErrorKind::UnexpectedEof);
                }
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_bytes_are_the_same() {
        for (other, same) in [
            (Some("abcdef"), true),
            (Some("abcde"), false),
            (Some("abcdefg"), false),
            (Some("abXdef"), false),
            (None, false),
        ] {
            let mut comparing = Comparing::with(other.map(str::as_bytes));
            for piece in ["ab", "", "cd", "ef"] {
                comparing.write_all(piece.as_bytes()).unwrap();
            }
            assert_eq!(comparing.into_verdict().unwrap(), same, "{other:?}");
        }
    }

    #[test]
    fn a_stream_that_cannot_be_read_is_an_error() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::PermissionDenied.into())
            }
        }
        let mut comparing = Comparing::with(Some(Broken));
        comparing.write_all(b"x").unwrap();
        assert!(comparing.into_verdict().is_err());
    }
}
