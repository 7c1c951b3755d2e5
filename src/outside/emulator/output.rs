//! What a function writes on standard output and error in, lines to whoever listens out.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStderr, ChildStdout};

/// Bytes of a line of output after which it is passed on without its end, as the platform's log does
/// with a record of 64 KB.
const LONGEST_LINE: usize = 64 << 10;

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
        use std::task::{Context, Poll, Waker};
        let mut context = Context::from_waker(Waker::noop());
        // A child may write without end.
        for _ in 0..64 {
            let more = std::pin::pin!(self.pass_on()).poll(&mut context);
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
            (self.output)(Stream::Out, &String::from_utf8_lossy(&line));
        }
        while let Some(line) = self.err.next_line() {
            (self.output)(Stream::Err, &String::from_utf8_lossy(&line));
        }
    }
}

/// Bytes read so far, taken line by line. Reading can be given up and taken up again.
pub struct Lines<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Bytes of the buffer that are known to hold no line end.
    searched: usize,
    longest: usize,
    open: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub const fn new(reader: R, longest: usize) -> Self {
        Self { reader, buffer: Vec::new(), searched: 0, longest, open: true }
    }

    /// Reads more; false at the end.
    pub async fn fill(&mut self) -> bool {
        if self.open {
            self.open = matches!(self.reader.read_buf(&mut self.buffer).await, Ok(count) if count > 0);
        }
        self.open
    }

    /// The next whole line without its end, or a piece of one that is too long.
    pub fn next_line(&mut self) -> Option<Vec<u8>> {
        let found = memchr::memchr(b'\n', &self.buffer[self.searched..]).map(|at| self.searched + at);
        self.searched = self.buffer.len();
        let end = found.or_else(|| (self.buffer.len() >= self.longest).then_some(self.longest))?;
        let mut line: Vec<_> = self.buffer.drain(..end + usize::from(found.is_some())).collect();
        self.searched = 0;
        if line.pop_if(|last| *last == b'\n').is_some() {
            let _ = line.pop_if(|last| *last == b'\r');
        }
        Some(line)
    }

    /// What stands after the last line end.
    fn rest(&mut self) -> Vec<u8> {
        self.searched = 0;
        std::mem::take(&mut self.buffer)
    }
}
