//! The entries to pack in, which one is packed next out: as early as may be, while memory and open files
//! stay bounded.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::{Content, HELD_LIMIT, Packed};
use crate::model::finding::Result;

/// Bytes that all entries under way may hold together. One entry is always let in.
const BUDGET: u64 = 24 << 20;

/// What an entry under way costs beside its content: names, headers, allocator.
pub const OVERHEAD: u64 = 1 << 10;

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
    /// Entries from this one on are not needed any more: one before them failed.
    end: usize,
}

impl Queue {
    pub fn new<C: Content>(sorted: &[&C]) -> Self {
        let (mut held, mut streamed) = (VecDeque::new(), VecDeque::new());
        for (index, entry) in sorted.iter().enumerate() {
            if entry.size() <= HELD_LIMIT {
                held.push_back((index, entry.size()));
            } else {
                streamed.push_back(index);
            }
        }
        let state = State { held, streamed, bytes: 0, scratches: 0, end: sorted.len() };
        Self { state: Mutex::new(state), room: Condvar::new() }
    }

    /// The next entry, when there is room for it. Entries are given out in order, those to stream
    /// apart, so what the archive waits for is always under way or done, and room always comes.
    pub fn take(&self) -> Option<usize> {
        let mut state = self.lock();
        loop {
            let end = state.end;
            let streamed = state.streamed.front().copied().filter(|index| *index < end);
            let held = state.held.front().copied().filter(|(index, _)| *index < end);
            if let Some(index) = streamed.filter(|_| state.scratches < SCRATCH_LIMIT) {
                state.streamed.pop_front();
                state.scratches += 1;
                return Some(index);
            }
            if let Some((index, size)) = held {
                let cost = under_way(size);
                if state.bytes == 0 || state.bytes + cost <= BUDGET {
                    state.held.pop_front();
                    state.bytes += cost;
                    return Some(index);
                }
            } else if streamed.is_none() {
                return None;
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub fn packed(&self, index: usize, size: u64, packed: &Result<Packed>) {
        let mut state = self.lock();
        match packed {
            Ok(packed) if packed.is_streamed() => {}
            Ok(packed) => state.bytes = state.bytes - under_way(size) + packed.held(),
            Err(_) => state.end = state.end.min(index),
        }
        self.room.notify_all();
    }

    pub fn appended(&self, held: u64, streamed: bool) {
        let mut state = self.lock();
        state.bytes -= held;
        state.scratches -= usize::from(streamed);
        self.room.notify_all();
    }

    pub fn close(&self) {
        self.lock().end = 0;
        self.room.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an entry holds while it is compressed: its content and the result.
const fn under_way(size: u64) -> u64 {
    2 * size + OVERHEAD
}

#[cfg(test)]
mod tests {
    use zip::CompressionMethod;

    use super::super::tests::Claimed;
    use super::super::{Body, PLAIN, Record};
    use super::*;

    fn queue(sizes: &[u64]) -> Queue {
        let files: Vec<_> = sizes.iter().map(|size| Claimed::of(*size)).collect();
        Queue::new(&files.iter().collect::<Vec<_>>())
    }

    fn packed(body: Body) -> Result<Packed> {
        let record = Record { path: String::new(), size: 0, sha256: String::new() };
        Ok(Packed { record, mode: PLAIN, body })
    }

    fn held(bytes: usize) -> Result<Packed> {
        packed(Body::Held { method: CompressionMethod::Stored, crc32: 0, data: vec![0; bytes] })
    }

    fn is_full(queue: &Queue) -> bool {
        let state = queue.lock();
        let held = state.held.front();
        state.bytes > 0 && held.is_some_and(|(_, size)| state.bytes + under_way(*size) > BUDGET)
    }

    #[test]
    fn what_is_held_stays_within_the_budget() {
        let size = 5 << 20;
        let queue = queue(&[size; 4]);
        assert_eq!((queue.take(), queue.take()), (Some(0), Some(1)));
        assert!(is_full(&queue));
        queue.packed(0, size, &held(5 << 20));
        assert!(is_full(&queue), "5 MiB wait and 10 MiB are under way");
        queue.packed(1, size, &held(1 << 20));
        assert_eq!(queue.take(), Some(2));
        assert!(is_full(&queue), "6 MiB wait and 10 MiB are under way");
        queue.appended((5 << 20) + OVERHEAD, false);
        assert_eq!(queue.take(), Some(3));
        queue.appended((1 << 20) + OVERHEAD, false);
        queue.packed(2, size, &held(0));
        queue.packed(3, size, &held(0));
        assert_eq!(queue.take(), None);
        assert_eq!(queue.lock().bytes, 2 * OVERHEAD);
    }

    #[test]
    fn one_entry_is_always_let_in() {
        let queue = queue(&[HELD_LIMIT, 0]);
        assert!(under_way(HELD_LIMIT) > BUDGET);
        assert_eq!(queue.take(), Some(0));
        assert!(is_full(&queue));
        queue.packed(0, HELD_LIMIT, &held(0));
        assert_eq!((queue.take(), queue.take()), (Some(1), None));
    }

    #[test]
    fn few_scratch_files_are_open_at_once() {
        let mut sizes = vec![HELD_LIMIT + 1; SCRATCH_LIMIT + 2];
        sizes.insert(0, 1);
        let queue = queue(&sizes);
        for index in 1..=SCRATCH_LIMIT {
            assert_eq!(queue.take(), Some(index));
            queue.packed(
                index,
                HELD_LIMIT + 1,
                &packed(Body::Streamed(Box::new(std::io::Cursor::new(Vec::new())))),
            );
        }
        assert_eq!(queue.take(), Some(0), "held ones go on");
        queue.appended(0, true);
        assert_eq!(queue.take(), Some(SCRATCH_LIMIT + 1));
        queue.appended(0, true);
        assert_eq!((queue.take(), queue.take()), (Some(SCRATCH_LIMIT + 2), None));
    }

    #[test]
    fn nothing_is_begun_behind_an_entry_that_failed() {
        let queue = queue(&[1, HELD_LIMIT + 1, 1, 1, HELD_LIMIT + 1]);
        assert_eq!((queue.take(), queue.take(), queue.take()), (Some(1), Some(4), Some(0)));
        queue.packed(1, HELD_LIMIT + 1, &Err(crate::model::finding::IO.finding("made up")));
        assert_eq!(queue.take(), None);
        let queue = self::queue(&[1, 1, 1]);
        queue.close();
        assert_eq!(queue.take(), None);
    }
}
