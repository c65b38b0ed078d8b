//! The one thread that writes.
//!
//! Operations wait in a bounded queue. The writer takes all that wait, applies them in order to
//! one transaction and commits once: a commit costs one or two waits for the disk, whatever is
//! in it. Only then is the new state published and every operation answered, so an answer means
//! "on disk". After a failed write or commit nothing is answered with success and the thread
//! ends: the database must be opened anew.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread::{self, JoinHandle};

use super::edit::Edit;
use super::engine::Engine;
use super::error::{Refusal, StoreError};
use super::mempool::{Added, Addition};
use super::panics::guarded;
use super::reorg::Adoption;
use super::state::{Network, State};
use super::tables::{NeighbourRecord, ReorgRecord, SnapshotRecord};
use crate::chain::{Block, BlockHash, Message};

/// Most operations that may wait.
const QUEUE: usize = 16_384;

/// Most operations, and about the most bytes of content, that share one commit.
const BATCH_COUNT: usize = 8192;
const BATCH_BYTES: usize = 32 * 1024 * 1024;

/// Receives the result of an operation, on the writer's thread: it must not block.
pub type Reply<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// Learns of each new state, on the writer's thread, before the operations are answered; and of
/// each failure, that of a read on the thread that reads. It must not block. After a failure the
/// database must be opened anew; that of a write is the last thing the writer says.
pub type Listener = Box<Listening>;

/// What a [`Listener`] does.
pub type Listening = dyn Fn(Result<&Arc<State>, &StoreError>) + Send + Sync;

/// Says how many bytes are free where the database is, and how many must stay free.
pub type FreeSpace = Arc<dyn Fn() -> Option<(u64, u64)> + Send + Sync>;

/// Something to write.
pub enum Operation {
    /// Take in a message of a client.
    Add(Addition, Reply<Added>),
    /// Take back messages that were taken in before, each with its time of arrival in
    /// milliseconds since the epoch: no limit applies to what was acknowledged.
    Restore(Vec<(Message, u64)>, Reply<()>),
    /// Take in messages of a peer that are new, the time of their arrival in milliseconds since
    /// the epoch, as many as there is room for. The answer is how many were.
    Learn(Vec<Message>, u64, Reply<u64>),
    /// Put blocks above the block with this hash.
    Append(BlockHash, Vec<Block>, Reply<()>),
    /// Add blocks to a branch that may be adopted later.
    Stage(u64, Vec<Block>, Reply<()>),
    /// Forget a branch.
    DropBranch(u64, Reply<()>),
    /// Switch to a branch.
    Adopt(Adoption, Reply<ReorgRecord>),
    /// Keep these neighbours in place of all others.
    SetNeighbours(Vec<NeighbourRecord>, Reply<()>),
    /// Change difficulty or seal rule; the caller has checked the chain.
    SetNetwork(Network, Reply<()>),
    /// Remember what the snapshot files hold.
    NoteSnapshot(SnapshotRecord, Reply<()>),
}

impl Operation {
    /// About how many bytes the operation writes.
    fn bytes(&self) -> usize {
        let blocks = |blocks: &[Block]| {
            blocks
                .iter()
                .map(|block| 1024 + block.message.text().len())
                .sum()
        };
        match self {
            Self::Add(addition, _) => 512 + addition.message.text().len(),
            Self::Restore(messages, _) => {
                let bytes = |(message, _): &(Message, u64)| 512 + message.text().len();
                messages.iter().map(bytes).sum()
            }
            Self::Learn(messages, ..) => {
                let bytes = |message: &Message| 512 + message.text().len();
                messages.iter().map(bytes).sum()
            }
            Self::Append(_, appended, _) => blocks(appended),
            Self::Stage(_, staged, _) => blocks(staged),
            Self::SetNeighbours(records, _) => 128 * records.len(),
            Self::DropBranch(..) | Self::SetNetwork(..) | Self::NoteSnapshot(..) => 512,
            // A switch may rewrite anything, so it gets a commit of its own.
            Self::Adopt(..) => BATCH_BYTES,
        }
    }
}

/// Answers an operation after its commit, or with the error that prevented it.
type Answer = Box<dyn FnOnce(Option<&StoreError>)>;

/// The queue of the writer, and the state it committed last.
pub(crate) struct Writer {
    queue: Option<SyncSender<Operation>>,
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
        let (queue, operations) = sync_channel(QUEUE);
        let state = Arc::new(RwLock::new(Arc::new(state)));
        let work = Work {
            database,
            state: Arc::clone(&state),
            listener,
            free_space,
        };
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || work.run(&operations))
            .map_err(|source| StoreError::Io {
                path: "store-writer".into(),
                source: Arc::new(source),
            })?;
        Ok(Self {
            queue: Some(queue),
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
        let queue = self.queue.as_ref().ok_or(StoreError::Closed)?;
        queue.try_send(operation).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Overloaded,
            TrySendError::Disconnected(_) => StoreError::Closed,
        })
    }

    /// Lets what waits be written, then ends the thread.
    pub(crate) fn stop(&mut self) {
        self.queue = None;
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
    database: Arc<Engine>,
    state: Arc<RwLock<Arc<State>>>,
    listener: Arc<Listening>,
    free_space: FreeSpace,
}

impl Work {
    fn run(&self, operations: &Receiver<Operation>) {
        while let Ok(first) = operations.recv() {
            let mut bytes = first.bytes();
            let mut batch = vec![first];
            while batch.len() < BATCH_COUNT && bytes < BATCH_BYTES {
                let Ok(next) = operations.try_recv() else {
                    break;
                };
                bytes += next.bytes();
                batch.push(next);
            }
            if let Err(error) = self.commit(batch) {
                (self.listener)(Err(&error));
                return;
            }
        }
    }

    fn commit(&self, batch: Vec<Operation>) -> Result<(), StoreError> {
        let mut answers: Vec<Answer> = Vec::with_capacity(batch.len());
        let full = (self.free_space)()
            .filter(|(free, needed)| free < needed)
            .map(|(free, needed)| Refusal::NoSpace { free, needed });
        let mut batch = batch.into_iter();
        let committed = guarded(|| {
            let before = State::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner));
            let mut txn = self.database.begin_write()?;
            // Reopening after a kill must not walk the file.
            txn.set_quick_repair(true);
            let mut edit = Edit::open(&txn, before)?;
            for operation in batch.by_ref() {
                apply(operation, &mut edit, full.as_ref(), &mut answers)?;
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
                    answer(None);
                }
                Ok(())
            }
            Err(error) => {
                for answer in answers {
                    answer(Some(&error));
                }
                for operation in batch {
                    refuse(operation, &error);
                }
                Err(error)
            }
        }
    }
}

/// Applies one operation and notes how to answer it after the commit.
fn apply(
    operation: Operation,
    edit: &mut Edit<'_>,
    full: Option<&Refusal>,
    answers: &mut Vec<Answer>,
) -> Result<(), StoreError> {
    match (operation, full) {
        (Operation::Add(_, reply), Some(refusal)) => {
            answers.push(answer(reply, Err(refusal.clone())));
        }
        (
            Operation::Restore(_, reply)
            | Operation::Append(_, _, reply)
            | Operation::Stage(_, _, reply),
            Some(refusal),
        ) => {
            answers.push(answer(reply, Err(refusal.clone())));
        }
        (Operation::Learn(_, _, reply), Some(refusal)) => {
            answers.push(answer(reply, Err(refusal.clone())));
        }
        (Operation::Adopt(_, reply), Some(refusal)) => {
            answers.push(answer(reply, Err(refusal.clone())));
        }
        (Operation::Add(addition, reply), None) => {
            run(reply, answers, || edit.add(&addition))?;
        }
        (Operation::Restore(messages, reply), None) => {
            run(reply, answers, || edit.restore(messages).map(Ok))?;
        }
        (Operation::Learn(messages, arrived, reply), None) => {
            run(reply, answers, || edit.learn(messages, arrived).map(Ok))?;
        }
        (Operation::Append(parent, blocks, reply), None) => {
            run(reply, answers, || edit.append(&parent, &blocks))?;
        }
        (Operation::Stage(branch, blocks, reply), None) => {
            run(reply, answers, || edit.stage(branch, &blocks).map(Ok))?;
        }
        (Operation::Adopt(adoption, reply), None) => {
            run(reply, answers, || edit.adopt(&adoption))?;
        }
        (Operation::DropBranch(branch, reply), _) => {
            run(reply, answers, || edit.drop_branch(branch).map(Ok))?;
        }
        (Operation::SetNeighbours(records, reply), _) => {
            run(reply, answers, || edit.set_neighbours(&records).map(Ok))?;
        }
        (Operation::SetNetwork(network, reply), _) => {
            run(reply, answers, || edit.set_network(network).map(Ok))?;
        }
        (Operation::NoteSnapshot(record, reply), _) => {
            run(reply, answers, || edit.note_snapshot(&record).map(Ok))?;
        }
    }
    Ok(())
}

/// Runs one operation; a panic or failure of the database is answered, too.
fn run<T: 'static>(
    reply: Reply<T>,
    answers: &mut Vec<Answer>,
    operation: impl FnOnce() -> Result<Result<T, Refusal>, StoreError>,
) -> Result<(), StoreError> {
    match guarded(operation) {
        Ok(outcome) => {
            answers.push(answer(reply, outcome));
            Ok(())
        }
        Err(error) => {
            reply(Err(error.clone()));
            Err(error)
        }
    }
}

fn answer<T: 'static>(reply: Reply<T>, outcome: Result<T, Refusal>) -> Answer {
    Box::new(move |failure| {
        reply(match failure {
            Some(error) => Err(error.clone()),
            None => outcome.map_err(StoreError::Refused),
        });
    })
}

fn refuse(operation: Operation, error: &StoreError) {
    let error = error.clone();
    match operation {
        Operation::Add(_, reply) => reply(Err(error)),
        Operation::Restore(_, reply)
        | Operation::Append(_, _, reply)
        | Operation::Stage(_, _, reply)
        | Operation::DropBranch(_, reply)
        | Operation::SetNeighbours(_, reply)
        | Operation::SetNetwork(_, reply)
        | Operation::NoteSnapshot(_, reply) => reply(Err(error)),
        Operation::Learn(_, _, reply) => reply(Err(error)),
        Operation::Adopt(_, reply) => reply(Err(error)),
    }
}
