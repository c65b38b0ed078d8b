//! The one thread that writes.
//!
//! Operations wait in a bounded queue. The writer takes all that wait, applies them in order to
//! one transaction and commits once: a commit costs one or two waits for the disk, whatever is
//! in it. Only then is the new state published and every operation answered, so an answer means
//! "on disk". After a failed write or commit nothing is answered with success and the thread
//! ends: the database must be opened anew.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use super::edit::Edit;
use super::engine::Engine;
use super::error::{Rejection, StoreError};
use super::operation::{Job, Operation};
use super::panics::guarded;
use super::queue::Queue;
use super::state::State;

/// Learns of each new state, on the writer's thread, before the operations are answered; and of
/// each failure, that of a read on the thread that reads. It must not block. After a failure the
/// database must be opened anew; that of a write is the last thing the writer says.
pub type Listener = Box<Listening>;

/// What a [`Listener`] does.
pub type Listening = dyn Fn(Result<&Arc<State>, &StoreError>) + Send + Sync;

/// Says how many bytes are free where the database is, and how many must stay free.
pub type FreeSpace = Arc<dyn Fn() -> Option<(u64, u64)> + Send + Sync>;

/// The queue of the writer, and the state it committed last.
pub(crate) struct Writer {
    queue: Arc<Queue>,
    thread: Option<JoinHandle<()>>,
    state: Arc<RwLock<Arc<State>>>,
}

impl Writer {
    pub(crate) fn start(
        database: Arc<Engine>,
        state: State,
        listener: Arc<Listening>,
        free_space: FreeSpace,
    ) -> Result<Self, StoreError> {
        let queue = Arc::<Queue>::default();
        let state = Arc::new(RwLock::new(Arc::new(state)));
        let work = Work {
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
        // A poisoned lock still holds a whole Arc: it is only ever replaced.
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Hands an operation over without waiting.
    pub(crate) fn submit(&self, operation: Operation) -> Result<(), StoreError> {
        self.queue.push(operation.into_job())
    }

    /// Lets what waits be written, then ends the thread.
    pub(crate) fn stop(&mut self) {
        self.queue.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by its panic hook; there is nothing to save.
            let _ = thread.join();
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop();
    }
}

struct Work {
    queue: Arc<Queue>,
    database: Arc<Engine>,
    state: Arc<RwLock<Arc<State>>>,
    listener: Arc<Listening>,
    free_space: FreeSpace,
}

impl Drop for Work {
    /// However the thread ended, nobody may wait for it in vain.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}

impl Work {
    /// Commits until the queue is closed. Panics of the engine are errors already; any other, such
    /// as that of a reply, is reported, too, before the thread ends.
    fn run(&self) {
        if catch_unwind(AssertUnwindSafe(|| self.commit_all())).is_err() {
            let error = StoreError::interrupted("the writer", &"it panicked, the log says where");
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
        let lack = (self.free_space)().filter(|(free, needed)| free < needed);
        if let Some((free, needed)) = lack {
            for job in batch.extract_if(.., |job| job.kind.needs_space()) {
                job.refuse(Rejection::NoSpace { free, needed }.into());
            }
        }
        let mut answers = Vec::with_capacity(batch.len());
        let mut batch = batch.into_iter();
        let committed = guarded(|| {
            let before = State::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner));
            let mut txn = self.database.begin_write()?;
            // Reopening after a kill must not walk the file.
            txn.set_quick_repair(true);
            let mut edit = Edit::open(&txn, before)?;
            for job in batch.by_ref() {
                answers.push(job.apply(&mut edit)?);
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
                for answer in answers {
                    answer(Ok(()));
                }
                Ok(())
            }
            Err(error) => {
                for answer in answers {
                    answer(Err(&error));
                }
                for job in batch {
                    job.refuse(error.clone());
                }
                Err(error)
            }
        }
    }
}
