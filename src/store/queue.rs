//! The queue of the writer: bounded in operations and in bytes, and drained in batches.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::error::StoreError;
use super::operation::{Job, OperationClass};

/// Number of queued operations at which further messages are rejected.
const MAX_COUNT: usize = 16_384;

/// Number of queued bytes at which further messages are rejected. Below it, an operation of any size
/// is accepted. Blocks are always accepted: their producers have few in flight at a time and must
/// not be crowded out by clients.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// Maximum number of operations in one commit.
const BATCH_COUNT: usize = 8192;

/// Approximate maximum number of bytes in one commit.
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// Operations that are queued for the writer.
#[derive(Default)]
pub(super) struct Queue {
    queued: Mutex<Queued>,
    /// Wakes the writer.
    changed: Condvar,
}

#[derive(Default)]
struct Queued {
    jobs: VecDeque<Job>,
    bytes: usize,
    is_closed: bool,
}

impl Queue {
    /// Adds an operation without blocking.
    pub(super) fn push(&self, job: Job) -> Result<(), StoreError> {
        let mut queued = self.lock();
        if queued.is_closed {
            return Err(StoreError::Closed);
        }
        let is_full = queued.jobs.len() >= MAX_COUNT || queued.bytes >= MAX_BYTES;
        if is_full && job.kind == OperationClass::Messages {
            return Err(StoreError::Overloaded);
        }
        queued.bytes += job.bytes;
        queued.jobs.push_back(job);
        drop(queued);
        self.changed.notify_one();
        Ok(())
    }

    /// Blocks until there are operations and takes those of the next commit; returns `None` once
    /// the queue is closed and empty.
    pub(super) fn next_batch(&self) -> Option<Vec<Job>> {
        let idle = |queued: &mut Queued| queued.jobs.is_empty() && !queued.is_closed;
        let mut queued = self
            .changed
            .wait_while(self.lock(), idle)
            .unwrap_or_else(PoisonError::into_inner);
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < BATCH_COUNT
            && bytes < BATCH_BYTES
            && let Some(job) = queued.jobs.pop_front()
        {
            queued.bytes -= job.bytes;
            bytes += job.bytes;
            let is_last = job.kind == OperationClass::Reorg;
            batch.push(job);
            if is_last {
                break;
            }
        }
        (!batch.is_empty()).then_some(batch)
    }

    /// Rejects further operations; those in the queue are still handed out.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    /// Rejects further operations and those in the queue, which were not written.
    pub(super) fn abandon(&self) {
        self.close();
        let rejected = std::mem::take(&mut self.lock().jobs);
        // Replies run without the lock, because they may submit further operations.
        for job in rejected {
            job.reject(StoreError::Closed);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queued> {
        // Changes are atomic under the lock, so a poisoned one holds valid data.
        self.queued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(kind: OperationClass, bytes: usize) -> Job {
        Job::new(kind, bytes, Box::new(|_| {}), |_| Ok(Ok(())))
    }

    fn push(queue: &Queue, kind: OperationClass, bytes: usize) -> bool {
        match queue.push(job(kind, bytes)) {
            Ok(()) => true,
            Err(StoreError::Overloaded) => false,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn only_messages_are_rejected_by_a_full_queue() {
        for (each, expected) in [(1, MAX_COUNT), (MAX_BYTES / 100, 101), (2 * MAX_BYTES, 1)] {
            let queue = Queue::default();
            let taken =
                (0..=MAX_COUNT).take_while(|_| push(&queue, OperationClass::Messages, each));
            assert_eq!(taken.count(), expected);
            for kind in [
                OperationClass::Blocks,
                OperationClass::Reorg,
                OperationClass::Housekeeping,
            ] {
                assert!(push(&queue, kind, 1), "{kind:?}");
            }
            queue.next_batch().unwrap();
            assert!(push(&queue, OperationClass::Messages, each), "{each}");
        }
    }

    #[test]
    fn a_batch_is_bounded_and_ends_with_a_reorg() {
        let queue = Queue::default();
        let sizes = |queue: &Queue| {
            let batch = queue.next_batch();
            batch.map(|batch| batch.iter().map(|job| job.bytes).collect::<Vec<_>>())
        };
        for (kind, bytes) in [
            (OperationClass::Messages, 1),
            (OperationClass::Reorg, 2),
            (OperationClass::Messages, BATCH_BYTES + 3),
            (OperationClass::Housekeeping, 4),
        ] {
            assert!(push(&queue, kind, bytes));
        }
        queue.close();
        assert!(matches!(
            queue.push(job(OperationClass::Messages, 1)),
            Err(StoreError::Closed)
        ));
        assert_eq!(sizes(&queue), Some(vec![1, 2]));
        assert_eq!(sizes(&queue), Some(vec![BATCH_BYTES + 3]));
        assert_eq!(sizes(&queue), Some(vec![4]));
        assert_eq!(sizes(&queue), None);
    }

    #[test]
    fn an_abandoned_queue_rejects_queued_operations() {
        let queue = Queue::default();
        let (sender, answer) = std::sync::mpsc::channel();
        let reply = Box::new(move |outcome: Result<(), StoreError>| sender.send(outcome).unwrap());
        let asked = Job::new(OperationClass::Messages, 1, reply, |_| Ok(Ok(())));
        queue.push(asked).unwrap();
        queue.abandon();
        assert!(matches!(answer.recv(), Ok(Err(StoreError::Closed))));
        assert!(queue.next_batch().is_none());
        assert!(matches!(
            queue.push(job(OperationClass::Messages, 1)),
            Err(StoreError::Closed)
        ));
    }
}
