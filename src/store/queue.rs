//! The queue of the writer: bounded in operations and in bytes, and emptied a batch at a time.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::error::StoreError;
use super::operation::{Job, Kind};

/// Number of operations at which the queue takes no more messages.
const MAX_COUNT: usize = 16_384;

/// Number of bytes at which the queue takes no more messages. An operation of any size passes below
/// that. Blocks pass above it, too: those who bring them have few in flight at a time, and must not
/// lose their turn to clients.
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
        if is_full && job.kind == Kind::Messages {
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

    /// Takes no more operations and refuses those in the queue, which were not written.
    pub(super) fn abandon(&self) {
        self.close();
        let refused = std::mem::take(&mut self.lock().jobs);
        // Not under the lock: whoever is answered may have work of its own.
        for job in refused {
            job.refuse(StoreError::Closed);
        }
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
    fn messages_are_bounded_in_operations_and_in_bytes_and_hold_up_nothing_else() {
        for (each, expected) in [(1, MAX_COUNT), (MAX_BYTES / 100, 101), (2 * MAX_BYTES, 1)] {
            let queue = Queue::default();
            let taken = (0..=MAX_COUNT).take_while(|_| push(&queue, Kind::Messages, each));
            assert_eq!(taken.count(), expected);
            for kind in [Kind::Blocks, Kind::Switch, Kind::Housekeeping] {
                assert!(push(&queue, kind, 1), "{kind:?}");
            }
            queue.next_batch().unwrap();
            assert!(push(&queue, Kind::Messages, each), "{each}");
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
            (Kind::Messages, 1),
            (Kind::Switch, 2),
            (Kind::Messages, BATCH_BYTES + 3),
            (Kind::Housekeeping, 4),
        ] {
            assert!(push(&queue, kind, bytes));
        }
        queue.close();
        assert!(matches!(
            queue.push(job(Kind::Messages, 1)),
            Err(StoreError::Closed)
        ));
        assert_eq!(sizes(&queue), Some(vec![1, 2]));
        assert_eq!(sizes(&queue), Some(vec![BATCH_BYTES + 3]));
        assert_eq!(sizes(&queue), Some(vec![4]));
        assert_eq!(sizes(&queue), None);
    }

    #[test]
    fn an_abandoned_queue_refuses_what_it_holds() {
        let queue = Queue::default();
        let (told, answer) = std::sync::mpsc::channel();
        let reply = Box::new(move |outcome: Result<(), StoreError>| told.send(outcome).unwrap());
        let asked = Job::new(Kind::Messages, 1, reply, |_| Ok(Ok(())));
        queue.push(asked).unwrap();
        queue.abandon();
        assert!(matches!(answer.recv(), Ok(Err(StoreError::Closed))));
        assert!(queue.next_batch().is_none());
        assert!(matches!(
            queue.push(job(Kind::Messages, 1)),
            Err(StoreError::Closed)
        ));
    }
}
