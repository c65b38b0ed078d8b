//! The queue of the writer: bounded in operations and in bytes, and emptied a batch at a time.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::error::StoreError;
use super::operation::{Job, Kind};

/// Maximum number of operations in the queue, housekeeping apart.
const MAX_COUNT: usize = 16_384;

/// Once the queue holds this many bytes it takes no more, housekeeping apart. An operation of any
/// size passes below that, so the queue holds at most this and one operation.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Maximum number of operations, and about the maximum number of bytes, that share one commit.
const BATCH_COUNT: usize = 8192;
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// Operations on their way to the writer.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// Wakes the writer.
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    is_closed: bool,
}

impl Queue {
    /// Adds an operation without waiting.
    pub(super) fn push(&self, job: Job) -> Result<(), StoreError> {
        let mut waiting = self.lock();
        if waiting.is_closed {
            return Err(StoreError::Closed);
        }
        let is_full = waiting.jobs.len() >= MAX_COUNT || waiting.bytes >= MAX_BYTES;
        if is_full && job.kind.is_limited() {
            return Err(StoreError::Overloaded);
        }
        waiting.bytes += job.bytes;
        waiting.jobs.push_back(job);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Waits for operations and takes those that share the next commit; none once the queue is
    /// closed and empty.
    pub(super) fn next_batch(&self) -> Option<Vec<Job>> {
        let idle = |waiting: &mut Waiting| waiting.jobs.is_empty() && !waiting.is_closed;
        let mut waiting = self
            .changed
            .wait_while(self.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH_COUNT
            && bytes < BATCH_BYTES
            && let Some(job) = waiting.jobs.pop_front()
        {
            waiting.bytes -= job.bytes;
            bytes += job.bytes;
            let is_last = job.kind == Kind::Switch;
            batch.push(job);
            if is_last {
                break;
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Takes no more operations; those in the queue are still handed out.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Takes no more operations and drops those in the queue, unanswered.
    pub(super) fn abandon(&self) {
        self.close();
        let dropped = std::mem::take(&mut self.lock().jobs);
        // Not under the lock: what is dropped may have work of its own.
        drop(dropped);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change is whole even if the thread that made it panicked later.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(kind: Kind, bytes: usize) -> Job {
        Job::new(kind, bytes, Box::new(|_| {}), |_| Ok(Ok(())))
    }

    fn push(queue: &Queue, kind: Kind, bytes: usize) -> bool {
        match queue.push(job(kind, bytes)) {
            Ok(()) => true,
            Err(StoreError::Overloaded) => false,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn the_queue_is_bounded_in_operations_and_in_bytes_but_for_housekeeping() {
        for (each, expected) in [(1, MAX_COUNT), (MAX_BYTES / 100, 101), (2 * MAX_BYTES, 1)] {
            let queue = Queue::default();
            let taken = (0..=MAX_COUNT).take_while(|_| push(&queue, Kind::Content, each));
            assert_eq!(taken.count(), expected);
            assert!(!push(&queue, Kind::Switch, 1));
            assert!(push(&queue, Kind::Housekeeping, 1));
            queue.next_batch().unwrap();
            assert!(push(&queue, Kind::Content, each), "{each}");
        }
    }

    #[test]
    fn a_batch_has_limits_and_ends_with_a_switch() {
        let queue = Queue::default();
        let sizes = |queue: &Queue| {
            let batch = queue.next_batch();
            batch.map(|batch| batch.iter().map(|job| job.bytes).collect::<Vec<_>>())
        };
        for (kind, bytes) in [
            (Kind::Content, 1),
            (Kind::Switch, 2),
            (Kind::Content, BATCH_BYTES + 3),
            (Kind::Housekeeping, 4),
        ] {
            assert!(push(&queue, kind, bytes));
        }
        queue.close();
        assert!(matches!(
            queue.push(job(Kind::Content, 1)),
            Err(StoreError::Closed)
        ));
        assert_eq!(sizes(&queue), Some(vec![1, 2]));
        assert_eq!(sizes(&queue), Some(vec![BATCH_BYTES + 3]));
        assert_eq!(sizes(&queue), Some(vec![4]));
        assert_eq!(sizes(&queue), None);
    }

    #[test]
    fn an_abandoned_queue_drops_what_it_holds() {
        let queue = Queue::default();
        assert!(push(&queue, Kind::Content, 1));
        queue.abandon();
        assert!(queue.next_batch().is_none());
        assert!(matches!(
            queue.push(job(Kind::Content, 1)),
            Err(StoreError::Closed)
        ));
    }
}
