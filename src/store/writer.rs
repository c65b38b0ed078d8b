//! The writer thread, which makes all commits of an open database.
//!
//! It takes the queued operations in batches, applies a batch in order to one transaction and
//! commits it, because a commit costs one or two syncs of the disk whatever its size. Only then is
//! the new state published and every operation completed: completion without an error means that
//! the data is on disk. After a failed write or commit, every operation is completed with the error
//! and the thread ends; the database must be reopened.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use super::edit::Edit;
use super::engine::Engine;
use super::error::{Rejection, StoreError};
use super::operation::{Job, Operation};
use super::panics::catch_engine_panic;
use super::queue::Queue;
use super::state::State;

/// Receives each new state, on the writer's thread before the operations are completed, and each
/// failure, on the thread where it happened. It must not block. After a failure the database must
/// be reopened; the writer sends nothing after a failed write.
pub type Listener = Box<ListenerFn>;

/// The function type of a [`Listener`].
pub type ListenerFn = dyn Fn(Result<&Arc<State>, &StoreError>) + Send + Sync;

/// Returns how many bytes are free for the database, and how many must stay free.
pub type FreeSpace = Arc<dyn Fn() -> Option<(u64, u64)> + Send + Sync>;

/// Handle to the writer thread: its queue, and the state of the last commit.
pub(crate) struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
    state: Arc<RwLock<Arc<State>>>,
}

impl Writer {
    pub(crate) fn start(
        database: Arc<Engine>,
        state: State,
        listener: Arc<ListenerFn>,
        free_space: FreeSpace,
    ) -> Result<Self, StoreError> {
        let queue = Arc::<Queue>::default();
        let state = Arc::new(RwLock::new(Arc::new(state)));
        let work = WriterThread {
            queue: Arc::clone(&queue),
            database,
            state: Arc::clone(&state),
            listener,
            free_space,
        };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || work.run())
            .map_err(|source| StoreError::Io {
                path: "store-writer".into(),
                source: Arc::new(source),
            })?;
        Ok(Self {
            queue,
            thread: Some(thread),
            state,
        })
    }

    pub(crate) fn state(&self) -> Arc<State> {
        // A poisoned lock holds a valid Arc, since the value is only ever replaced.
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Queues an operation.
    pub(crate) fn submit(&self, operation: Operation) -> Result<(), StoreError> {
        self.queue.push(operation.into_job())
    }

    /// Commits the queued operations, then ends the thread.
    pub(crate) fn stop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A panic was reported to the listener by the thread itself.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

struct WriterThread {
    queue: Arc<Queue>,
    database: Arc<Engine>,
    state: Arc<RwLock<Arc<State>>>,
    listener: Arc<ListenerFn>,
    free_space: FreeSpace,
}

impl Drop for WriterThread {
    /// Completes the operations left in the queue, however the thread ended.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

impl WriterThread {
    /// Commits until the queue is closed. Panics of the engine are converted to errors elsewhere;
    /// any other panic, such as that of a reply, is reported here before the thread ends.
    fn run(&self) {
        if catch_unwind(AssertUnwindSafe(|| self.commit_all())).is_err() {
            let error = StoreError::interrupted("the writer", &"it panicked; see the log");
            (self.listener)(Err(&error));
        }
    }

    fn commit_all(&self) {
        while let Some(batch) = self.queue.next_batch() {
            if let Err(error) = self.commit(batch) {
                (self.listener)(Err(&error));
                return;
            }
        }
    }

    fn commit(&self, mut batch: Vec<Job>) -> Result<(), StoreError> {
        let shortage = (self.free_space)().filter(|(free, needed)| free < needed);
        if let Some((free, needed)) = shortage {
            for job in batch.extract_if(.., |job| job.kind.needs_space()) {
                job.reject(Rejection::NoSpace { free, needed }.into());
            }
            if batch.is_empty() {
                return Ok(());
            }
        }
        let mut completions = Vec::with_capacity(batch.len());
        let mut batch = batch.into_iter();
        let committed = catch_engine_panic(|| {
            let before = State::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner));
            let mut txn = self.database.begin_write()?;
            // Reopening after a kill must not scan the whole file.
            txn.set_quick_repair(true);
            let mut edit = Edit::open(&txn, before)?;
            for job in batch.by_ref() {
                completions.push(job.apply(&mut edit)?);
            }
            let after = edit.finish()?;
            txn.commit()?;
            Ok(after)
        });
        match committed {
            Ok(after) => {
                let after = Arc::new(after);
                *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&after);
                (self.listener)(Ok(&after));
                for complete in completions {
                    complete(Ok(()));
                }
                Ok(())
            }
            Err(error) => {
                for complete in completions {
                    complete(Err(&error));
                }
                for job in batch {
                    job.reject(error.clone());
                }
                Err(error)
            }
        }
    }
}
