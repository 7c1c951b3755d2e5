//! The entries to pack in, which one is packed next out: as early as may be, while memory and open files
//! stay bounded.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::worker::{OVERHEAD, Packed};
use super::{Content, Level};
use crate::model::finding::Result;

const _: () =
    assert!(fits(Level::Fast) && fits(Level::Default) && fits(Level::Best), "no entry may wait for ever");

/// Entries that are given out together hold at most this, so that few locks and wake-ups are needed for
/// thousands of small files.
const BATCH: u64 = 256 << 10;

/// Streamed entries that may wait for their turn at once, each with an open scratch file.
const SCRATCH_LIMIT: usize = 32;

/// Which entry is packed next, so that memory stays bounded.
pub struct Queue {
    state: Mutex<State>,
    room: Condvar,
}

struct State {
    /// Entries to hold, with their sizes, in order.
    held: VecDeque<(usize, u64)>,
    /// Entries to stream, in order. They take long and hold little, so they are begun early.
    streamed: VecDeque<usize>,
    /// Bytes that entries under way hold.
    bytes: u64,
    /// Streamed entries that are under way or wait for their turn.
    scratches: usize,
    /// Threads that wait for room.
    waiting: usize,
    /// Entries from this one on are not needed any more: one before them failed.
    end: usize,
    budget: u64,
}

impl Queue {
    pub fn new<C: Content>(sorted: &[&C], level: Level) -> Self {
        let (mut held, mut streamed) = (VecDeque::new(), VecDeque::new());
        for (index, entry) in sorted.iter().enumerate() {
            if entry.size() <= level.held_limit() {
                held.push_back((index, entry.size()));
            } else {
                streamed.push_back(index);
            }
        }
        let state = State {
            held,
            streamed,
            bytes: 0,
            scratches: 0,
            waiting: 0,
            end: sorted.len(),
            budget: level.budget(),
        };
        Self { state: Mutex::new(state), room: Condvar::new() }
    }

    /// The next entries, when there is room for them. They are given out in order, those to stream
    /// apart, so what the archive waits for is always under way or done, and room always comes.
    pub fn take(&self) -> Option<Vec<usize>> {
        let mut state = self.lock();
        loop {
            let end = state.end;
            let streamed = state.streamed.front().copied().filter(|index| *index < end);
            if let Some(index) = streamed.filter(|_| state.scratches < SCRATCH_LIMIT) {
                state.streamed.pop_front();
                state.scratches += 1;
                return Some(vec![index]);
            }
            if state.held.front().is_some_and(|(index, _)| *index < end) {
                let batch = state.take_held();
                if !batch.is_empty() {
                    return Some(batch);
                }
            } else if streamed.is_none() {
                return None;
            }
            state.waiting += 1;
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }

    pub fn packed(&self, done: &[(usize, Result<Packed>)], size: impl Fn(usize) -> u64) {
        let mut state = self.lock();
        for (index, packed) in done {
            match packed {
                Ok(packed) if packed.is_streamed() => {}
                Ok(packed) => state.bytes = state.bytes - under_way(size(*index)) + packed.held(),
                Err(_) => state.end = state.end.min(*index),
            }
        }
        self.wake(state);
    }

    pub fn appended(&self, held: u64, streamed: usize) {
        let mut state = self.lock();
        state.bytes -= held;
        state.scratches -= streamed;
        self.wake(state);
    }

    /// Waking costs a call of the system even when nobody sleeps.
    fn wake(&self, state: MutexGuard<'_, State>) {
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            self.room.notify_all();
        }
    }

    pub fn close(&self) {
        let mut state = self.lock();
        state.end = 0;
        self.wake(state);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// As many of the next entries to hold as there is room for, and as make a batch.
    fn take_held(&mut self) -> Vec<usize> {
        let mut batch = Vec::new();
        let mut together = 0;
        while let Some((index, size)) = self.held.front().copied().filter(|(index, _)| *index < self.end) {
            let cost = under_way(size);
            if self.bytes + cost > self.budget || (!batch.is_empty() && together + cost > BATCH) {
                break;
            }
            self.held.pop_front();
            self.bytes += cost;
            together += cost;
            batch.push(index);
        }
        batch
    }
}

/// What an entry may hold while it is compressed: its content, and as much again where nothing comes of it.
const fn under_way(size: u64) -> u64 {
    2 * size + OVERHEAD
}

const fn fits(level: Level) -> bool {
    under_way(level.held_limit()) <= level.budget()
}

#[cfg(test)]
mod tests {
    use zip::CompressionMethod;

    use super::super::Record;
    use super::super::buffer::Buffer;
    use super::super::tests::Claimed;
    use super::super::worker::{Body, PLAIN};
    use super::*;

    const BUDGET: u64 = Level::Default.budget();
    const HELD_LIMIT: u64 = Level::Default.held_limit();

    fn queue(sizes: &[u64]) -> Queue {
        let files: Vec<_> = sizes.iter().map(|size| Claimed::of(*size)).collect();
        Queue::new(&files.iter().collect::<Vec<_>>(), Level::Default)
    }

    fn packed(body: Body) -> Result<Packed> {
        let record = Record { path: String::new(), size: 0, sha256: String::new() };
        Ok(Packed { record, mode: PLAIN, body })
    }

    fn held(bytes: usize) -> Result<Packed> {
        packed(Body::Held { method: CompressionMethod::Stored, crc32: 0, data: Buffer::zeroed(bytes) })
    }

    fn is_full(queue: &Queue) -> bool {
        let state = queue.lock();
        let held = state.held.front();
        state.bytes > 0 && held.is_some_and(|(_, size)| state.bytes + under_way(*size) > BUDGET)
    }

    #[test]
    fn what_is_held_stays_within_the_budget() {
        let size = 11 << 20;
        let queue = queue(&[size; 4]);
        let done = |index, bytes| queue.packed(&[(index, held(bytes))], |_| size);
        assert_eq!((queue.take(), queue.take()), (Some(vec![0]), Some(vec![1])));
        assert!(is_full(&queue));
        done(0, 11 << 20);
        assert!(is_full(&queue), "11 MiB wait and 22 MiB are under way");
        done(1, 1 << 20);
        assert_eq!(queue.take(), Some(vec![2]));
        assert!(is_full(&queue), "12 MiB wait and 22 MiB are under way");
        queue.appended((11 << 20) + OVERHEAD, 0);
        assert_eq!(queue.take(), Some(vec![3]));
        queue.appended((1 << 20) + OVERHEAD, 0);
        done(2, 0);
        done(3, 0);
        assert_eq!(queue.take(), None);
        assert_eq!(queue.lock().bytes, 2 * OVERHEAD);
    }

    #[test]
    fn small_entries_are_given_out_together() {
        let half = BATCH / 4 - OVERHEAD / 2;
        let queue = queue(&[half, half, 1, 1, HELD_LIMIT + 1, 1, BATCH, 1]);
        assert_eq!(queue.take(), Some(vec![4]));
        assert_eq!(queue.take(), Some(vec![0, 1]));
        assert_eq!(queue.take(), Some(vec![2, 3, 5]));
        assert_eq!(queue.take(), Some(vec![6]), "one alone may be larger");
        assert_eq!((queue.take(), queue.take()), (Some(vec![7]), None));
    }

    #[test]
    fn few_scratch_files_are_open_at_once() {
        let mut sizes = vec![HELD_LIMIT + 1; SCRATCH_LIMIT + 2];
        sizes.insert(0, 1);
        let queue = queue(&sizes);
        for index in 1..=SCRATCH_LIMIT {
            assert_eq!(queue.take(), Some(vec![index]));
            let streamed = packed(Body::Streamed(Box::new(std::io::Cursor::new(Vec::new()))));
            queue.packed(&[(index, streamed)], |_| HELD_LIMIT + 1);
        }
        assert_eq!(queue.take(), Some(vec![0]), "held ones go on");
        queue.appended(0, 1);
        assert_eq!(queue.take(), Some(vec![SCRATCH_LIMIT + 1]));
        queue.appended(0, 1);
        assert_eq!((queue.take(), queue.take()), (Some(vec![SCRATCH_LIMIT + 2]), None));
    }

    #[test]
    fn nothing_is_begun_behind_an_entry_that_failed() {
        let queue = queue(&[BATCH, HELD_LIMIT + 1, 1, 1, HELD_LIMIT + 1]);
        let taken = [queue.take(), queue.take(), queue.take()];
        assert_eq!(taken, [Some(vec![1]), Some(vec![4]), Some(vec![0])]);
        queue.packed(&[(1, Err(crate::model::finding::IO.finding("made up")))], |_| HELD_LIMIT + 1);
        assert_eq!(queue.take(), None);
        let queue = self::queue(&[1, 1, 1]);
        queue.close();
        assert_eq!(queue.take(), None);
    }
}
