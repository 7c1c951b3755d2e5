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

/// A line that the function wrote.
pub struct Line<'a> {
    pub stream: Stream,
    /// The call that wrote it, where several may have.
    pub request_id: Option<&'a str>,
    pub text: &'a str,
}

/// Hears every line that the function writes.
pub type Output = Arc<dyn Fn(Line<'_>) + Send + Sync>;

/// How the bootstrap says which call writes what follows, where there may be several at once.
const SIGN: &[u8] = b"\0fnscaffold ";

/// Standard output and error.
pub struct Pipes {
    out: Pipe<ChildStdout>,
    err: Pipe<ChildStderr>,
    output: Output,
}

struct Pipe<R> {
    lines: Lines<R>,
    stream: Stream,
    /// The call that writes at the moment, where it is said.
    request_id: Option<String>,
}

impl Pipes {
    pub fn of(child: &mut Child, output: Output) -> Self {
        let (out, err) = (child.stdout.take(), child.stderr.take());
        Self {
            out: Pipe::new(out.expect("standard output is a pipe"), Stream::Out),
            err: Pipe::new(err.expect("standard error is a pipe"), Stream::Err),
            output,
        }
    }

    /// Waits for output and passes it on; forever when both are closed.
    pub async fn pass_on(&mut self) {
        tokio::select! {
            true = self.out.lines.fill() => {}
            true = self.err.lines.fill() => {}
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
                let more = tokio::join!(self.out.lines.fill(), self.err.lines.fill());
                if more == (false, false) {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, rest).await;
        self.speak();
        self.out.speak_rest(&self.output);
        self.err.speak_rest(&self.output);
    }

    fn speak(&mut self) {
        self.out.speak(&self.output);
        self.err.speak(&self.output);
    }
}

impl<R: AsyncRead + Unpin> Pipe<R> {
    const fn new(reader: R, stream: Stream) -> Self {
        Self { lines: Lines::new(reader, LONGEST_LINE), stream, request_id: None }
    }

    fn speak(&mut self, output: &Output) {
        while let Some(line) = self.lines.next_line() {
            // What stands before a sign was written without an end.
            let sign = memchr::memmem::find(line, SIGN);
            let text = &line[..sign.unwrap_or(line.len())];
            if sign != Some(0) {
                say(output, self.stream, self.request_id.as_deref(), text);
            }
            if let Some(sign) = sign {
                let request_id = String::from_utf8_lossy(&line[sign + SIGN.len()..]).into_owned();
                self.request_id = Some(request_id).filter(|id| !id.is_empty());
            }
        }
    }

    fn speak_rest(&mut self, output: &Output) {
        let rest = self.lines.rest();
        if !rest.is_empty() {
            say(output, self.stream, self.request_id.as_deref(), &rest);
        }
    }
}

fn say(output: &Output, stream: Stream, request_id: Option<&str>, text: &[u8]) {
    output(Line { stream, request_id, text: &String::from_utf8_lossy(text) });
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
    fn lines_are_of_the_call_that_signed() {
        let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let text = "a\n\0fnscaffold one\nb\n\nc\0fnscaffold two\nd\n\0fnscaffold \ne\n";
        let mut pipe = Pipe::new(text.as_bytes(), Stream::Out);
        let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
        let hearing = Arc::clone(&heard);
        let output: Output = Arc::new(move |line| {
            let request_id = line.request_id.unwrap_or("none");
            hearing.lock().unwrap().push(format!("{request_id}: {}", line.text));
        });
        while tokio.block_on(pipe.lines.fill()) {
            pipe.speak(&output);
        }
        assert_eq!(*heard.lock().unwrap(), ["none: a", "one: b", "one: ", "one: c", "two: d", "none: e"]);
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
