//! What a function writes on standard output and error in, lines to whoever listens out.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout};

/// Bytes of a line of output after which it is passed on without its end, as the platform's log does
/// with a record of 64 KB.
const LONGEST_LINE: usize = 64 << 10;

/// Bytes that a read asks for: what a pipe of Linux holds.
const ONE_READ: usize = 64 << 10;

/// Reads before an answer is passed on, whatever else is there.
const MOST_READS: usize = 64;

/// How long output is waited for after the process has ended: its children may hold it open.
pub const LAST_WORDS: Duration = Duration::from_millis(200);

/// Where a line was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Out,
    Err,
}

/// Hears every line that the function writes.
pub type Output = Arc<dyn Fn(Stream, &str) + Send + Sync>;

/// Standard output and error.
pub struct Pipes {
    out: Lines<ChildStdout>,
    err: Lines<ChildStderr>,
    output: Output,
}

impl Pipes {
    pub fn of(child: &mut Child, output: Output) -> Self {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        Self {
            out: Lines::new(out.expect("standard output is a pipe"), LONGEST_LINE),
            err: Lines::new(err.expect("standard error is a pipe"), LONGEST_LINE),
            output,
        }
    }

    /// Waits for output and passes it on; forever when both are closed.
    pub async fn pass_on(&mut self) {
        tokio::select! {
            true = self.out.fill() => {}
            true = self.err.fill() => {}
            else => std::future::pending().await,
        }
        self.speak();
    }

    /// Passes on what is there already.
    pub fn drain(&mut self) {
        let mut context = Context::from_waker(Waker::noop());
        // A function's child may write without end.
        for _ in 0..MOST_READS {
            // What is there is taken, whatever this task has done before.
            let more = std::pin::pin!(tokio::task::unconstrained(self.pass_on())).poll(&mut context);
            if more == Poll::Pending {
                break;
            }
        }
    }

    /// Passes on what is left when the process has ended.
    pub async fn finish(&mut self) {
        let rest = async {
            loop {
                let more = tokio::join!(self.out.fill(), self.err.fill());
                if more == (false, false) {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, rest).await;
        self.speak();
        for (stream, rest) in [(Stream::Out, self.out.rest()), (Stream::Err, self.err.rest())] {
            if !rest.is_empty() {
                (self.output)(stream, &String::from_utf8_lossy(&rest));
            }
        }
    }

    fn speak(&mut self) {
        while let Some(line) = self.out.next_line() {
            (self.output)(Stream::Out, &String::from_utf8_lossy(line));
        }
        while let Some(line) = self.err.next_line() {
            (self.output)(Stream::Err, &String::from_utf8_lossy(line));
        }
    }
}

/// Bytes read so far, taken line by line. Reading can be given up and taken up again.
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Where the bytes begin that were not taken.
    start: usize,
    /// Where the bytes begin that may hold a line end.
    searched: usize,
    longest: usize,
    open: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub const fn new(reader: R, longest: usize) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, searched: 0, longest, open: true }
    }

    /// Reads more; false at the end.
    pub async fn fill(&mut self) -> bool {
        if self.open {
            self.buffer.drain(..self.start);
            self.searched -= self.start;
            self.start = 0;
            self.buffer.reserve(ONE_READ);
            self.open = matches!(self.reader.read_buf(&mut self.buffer).await, Ok(count) if count > 0);
        }
        self.open
    }

    /// The next whole line without its end, or a piece of one that is too long.
    pub fn next_line(&mut self) -> Option<&[u8]> {
        let start = self.start;
        let found = memchr::memchr(b'\n', &self.buffer[self.searched..]).map(|at| self.searched + at);
        if found.unwrap_or(self.buffer.len()) - start > self.longest {
            self.start += self.longest;
            self.searched = self.start;
            return Some(&self.buffer[start..self.start]);
        }
        self.searched = self.buffer.len();
        let end = found?;
        self.start = end + 1;
        self.searched = self.start;
        let line = &self.buffer[start..end];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// What stands after the last line end.
    pub fn rest(&mut self) -> Vec<u8> {
        let rest = self.buffer.split_off(self.start);
        (self.buffer, self.start, self.searched) = (Vec::new(), 0, 0);
        rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]], longest: usize) -> Vec<String> {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let text = chunks.concat();
        let mut lines = Lines::new(text.as_slice(), longest);
        let mut found = Vec::new();
        let owned = |line: &[u8]| String::from_utf8_lossy(line).into_owned();
        while tokio.block_on(lines.fill()) {
            while let Some(line) = lines.next_line() {
                found.push(owned(line));
            }
        }
        found.push(owned(&lines.rest()));
        found
    }

    #[test]
    fn lines_end_where_they_say() {
        assert_eq!(lines(&[b"a\nb\r\n\nc"], 100), ["a", "b", "", "c"]);
        assert_eq!(lines(&[b""], 100), [""]);
        assert_eq!(lines(&[b"a\rb\n"], 100), ["a\rb", ""]);
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        assert_eq!(lines(&[b"abcdefg\nh\n"], 3), ["abc", "def", "g", "h", ""]);
        let long = vec![b'x'; 300_000];
        let pieces = lines(&[&long, b"\n"], 64 << 10);
        assert_eq!(pieces.iter().map(String::len).sum::<usize>(), 300_000);
        assert!(pieces.iter().all(|piece| piece.len() <= 64 << 10));
    }
}
