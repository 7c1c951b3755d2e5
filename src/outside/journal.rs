//! The only room that writes while others work: lines in, standard error out, by a thread of its own, so
//! that a slow terminal holds nobody up.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::outside::interrupt;

/// Bytes that wait to be written at most. More is dropped, and its lines counted.
const ROOM: usize = 4 << 20;

/// How long lines are gathered after some were written.
const PAUSE: Duration = Duration::from_millis(10);

/// How long the last lines may take.
const LAST: Duration = Duration::from_millis(500);

/// Lines on their way to standard error. Dropped, they have been written, or could not be.
pub struct Journal(Arc<Desk>);

#[derive(Default)]
struct Desk {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    lost: u64,
    closed: bool,
    finished: bool,
}

impl Journal {
    pub fn new() -> Self {
        // A thread that is started before may get signals that are to be ignored.
        interrupt::arm();
        let desk = Arc::new(Desk::default());
        let writer = Arc::clone(&desk);
        thread::spawn(move || writer.write());
        Self(desk)
    }

    /// Adds a line without its end.
    pub fn line(&self, line: &str) {
        let mut waiting = self.0.lock();
        if waiting.text.len() + line.len() >= ROOM {
            waiting.lost += 1;
            return;
        }
        let sleeps = waiting.text.is_empty();
        waiting.text.extend_from_slice(line.as_bytes());
        waiting.text.push(b'\n');
        drop(waiting);
        if sleeps {
            self.0.changed.notify_all();
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        let mut waiting = self.0.lock();
        waiting.closed = true;
        self.0.changed.notify_all();
        // Nobody may be reading standard error any more.
        let _ = self.0.changed.wait_timeout_while(waiting, LAST, |waiting| !waiting.finished);
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) {
        loop {
            let waiting = self.lock();
            let idle = |waiting: &mut Waiting| waiting.text.is_empty() && !waiting.closed;
            let mut waiting = self.changed.wait_while(waiting, idle).unwrap_or_else(PoisonError::into_inner);
            let mut text = std::mem::take(&mut waiting.text);
            let (lost, closed) = (std::mem::take(&mut waiting.lost), waiting.closed);
            drop(waiting);
            if lost > 0 {
                text.extend_from_slice(
                    format!("... {lost} lines came too fast and were dropped\n").as_bytes(),
                );
            }
            // Standard error may be closed.
            let _ = io::stderr().lock().write_all(&text);
            if closed {
                self.lock().finished = true;
                return self.changed.notify_all();
            }
            thread::sleep(PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_is_counted() {
        // Without its thread.
        let journal = Journal(Arc::new(Desk::default()));
        let line = "x".repeat(1 << 20);
        for _ in 0..6 {
            journal.line(&line);
        }
        let mut waiting = journal.0.lock();
        assert_eq!(waiting.text.len(), 3 * ((1 << 20) + 1));
        assert_eq!(waiting.lost, 3);
        waiting.finished = true;
    }
}
