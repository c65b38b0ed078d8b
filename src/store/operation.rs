//! The operations of the writer, each described once: what it changes, its size and its limits.

use super::edit::{Edit, EditResult};
use super::error::StoreError;
use super::lines::AddedLines;
use super::mempool::{Added, Addition};
use super::network::Network;
use super::panics::catch_engine_panic;
use super::reorg::Adoption;
use super::tables::{NeighbourRecord, ProfileRecord, ReorgRecord, SnapshotRecord};
use crate::chain::{Block, BlockHash, Message};

/// Receives the result of an operation on the writer's thread. It must not block.
pub type Reply<T> = Box<dyn FnOnce(Result<T, StoreError>) + Send>;

/// A write operation, with the reply that receives its result.
pub enum Operation {
    /// Adds a message of a client to the mempool.
    Add(Addition, Reply<Added>),
    /// Adds messages of a client, all or none, with their time of arrival in milliseconds since the
    /// epoch. Those that are held already are not added again.
    AddLines(Vec<Message>, u64, Reply<AddedLines>),
    /// Restores messages that were acknowledged before, each with its time of arrival in
    /// milliseconds since the epoch. No limit applies to them.
    Restore(Vec<(Message, u64)>, Reply<()>),
    /// Adds new messages of a peer as far as there is room, with their time of arrival in
    /// milliseconds since the epoch. Returns the number added.
    Learn(Vec<Message>, u64, Reply<u64>),
    /// Appends blocks above the tip, which must have this hash.
    Append(BlockHash, Vec<Block>, Reply<()>),
    /// Adds blocks to a staged branch.
    Stage(u64, Vec<Block>, Reply<()>),
    /// Deletes a staged branch.
    DropBranch(u64, Reply<()>),
    /// Switches to a staged branch.
    Adopt(Adoption, Reply<ReorgRecord>),
    /// Records that the administrator has looked at all reorgs up to this number.
    Acknowledge(u64, Reply<()>),
    /// Replaces the kept neighbours.
    SetNeighbours(Vec<NeighbourRecord>, Reply<()>),
    /// Changes difficulty or seal rule; the caller has checked the chain.
    SetNetwork(Network, Reply<()>),
    /// Replaces the options that later runs keep.
    SetProfile(ProfileRecord, Reply<()>),
    /// Records what the snapshot files hold.
    NoteSnapshot(SnapshotRecord, Reply<()>),
}

impl Operation {
    /// Converts the operation to a job of the writer.
    pub(super) fn into_job(self) -> Job {
        use OperationClass::{Blocks, Housekeeping, Messages, Reorg};
        match self {
            Self::Add(addition, reply) => {
                let bytes = message_bytes(&addition.message);
                Job::new(Messages, bytes, reply, move |edit| edit.add(&addition))
            }
            Self::AddLines(messages, arrived, reply) => {
                let bytes = messages.iter().map(message_bytes).sum();
                Job::new(Messages, bytes, reply, move |edit| {
                    edit.add_lines(messages, arrived)
                })
            }
            Self::Restore(messages, reply) => {
                let bytes = messages.iter().map(|(message, _)| message_bytes(message));
                Job::new(Messages, bytes.sum(), reply, |edit| {
                    edit.restore(messages).map(Ok)
                })
            }
            Self::Learn(messages, arrived, reply) => {
                let bytes = messages.iter().map(message_bytes).sum();
                Job::new(Messages, bytes, reply, move |edit| {
                    edit.learn(messages, arrived).map(Ok)
                })
            }
            Self::Append(parent, blocks, reply) => {
                Job::new(Blocks, blocks_bytes(&blocks), reply, move |edit| {
                    edit.append(&parent, &blocks)
                })
            }
            Self::Stage(branch, blocks, reply) => {
                Job::new(Blocks, blocks_bytes(&blocks), reply, move |edit| {
                    edit.stage(branch, &blocks).map(Ok)
                })
            }
            Self::Adopt(adoption, reply) => {
                Job::new(Reorg, RECORD, reply, move |edit| edit.adopt(&adoption))
            }
            Self::DropBranch(branch, reply) => Job::new(Housekeeping, RECORD, reply, move |edit| {
                edit.drop_branch(branch).map(Ok)
            }),
            Self::Acknowledge(number, reply) => {
                Job::new(Housekeeping, RECORD, reply, move |edit| {
                    edit.acknowledge(number).map(Ok)
                })
            }
            Self::SetNeighbours(records, reply) => {
                Job::new(Housekeeping, RECORD * records.len(), reply, move |edit| {
                    edit.set_neighbours(&records).map(Ok)
                })
            }
            Self::SetNetwork(network, reply) => {
                Job::new(Housekeeping, RECORD, reply, move |edit| {
                    edit.set_network(network).map(Ok)
                })
            }
            Self::SetProfile(record, reply) => Job::new(Housekeeping, RECORD, reply, move |edit| {
                edit.set_profile(&record).map(Ok)
            }),
            Self::NoteSnapshot(record, reply) => {
                Job::new(Housekeeping, RECORD, reply, move |edit| {
                    edit.note_snapshot(&record).map(Ok)
                })
            }
        }
    }
}

/// Approximate number of bytes of a small record with its keys.
const RECORD: usize = 512;

fn message_bytes(message: &Message) -> usize {
    RECORD + message.text().len()
}

fn blocks_bytes(blocks: &[Block]) -> usize {
    let bytes = |block: &Block| RECORD + message_bytes(&block.message);
    blocks.iter().map(bytes).sum()
}

/// Class of an operation, which decides the limits that apply to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OperationClass {
    /// Adds messages: rejected while the queue or the disk is full.
    Messages,
    /// Adds blocks: rejected while the disk is full.
    Blocks,
    /// Like `Blocks`, and the last of its commit, because a reorg may rewrite anything.
    Reorg,
    /// Keeps small records of the node's own tasks, or frees space. Never rejected: there are few at
    /// a time, and a task could only retry.
    Housekeeping,
}

impl OperationClass {
    /// Returns `true` if the operation is rejected while the disk is full.
    pub(super) fn needs_space(self) -> bool {
        self != Self::Housekeeping
    }
}

/// An operation in the queue of the writer.
pub(super) struct Job {
    /// Decides the limits that apply to it.
    pub(super) kind: OperationClass,
    /// Approximate size in memory and on disk, in bytes.
    pub(super) bytes: usize,
    work: Box<dyn QueuedOperation>,
}

impl Job {
    pub(super) fn new<T: 'static>(
        kind: OperationClass,
        bytes: usize,
        reply: Reply<T>,
        change: impl FnOnce(&mut Edit<'_>) -> EditResult<T> + Send + 'static,
    ) -> Self {
        let work = Box::new(WithReply { reply, change });
        Self { kind, bytes, work }
    }

    /// Applies the operation and returns the completion to call after the commit. After a panic
    /// or failure of the database, the operation is completed at once.
    pub(super) fn apply(self, edit: &mut Edit<'_>) -> Result<Completion, StoreError> {
        self.work.apply(edit)
    }

    /// Completes the operation with an error, without applying it.
    pub(super) fn reject(self, error: StoreError) {
        self.work.reject(error);
    }
}

/// Completes an operation after its commit, or with the error that prevented it.
pub(super) type Completion = Box<dyn FnOnce(Result<(), &StoreError>)>;

trait QueuedOperation: Send {
    fn apply(self: Box<Self>, edit: &mut Edit<'_>) -> Result<Completion, StoreError>;
    fn reject(self: Box<Self>, error: StoreError);
}

struct WithReply<T, F> {
    reply: Reply<T>,
    change: F,
}

impl<T: 'static, F: FnOnce(&mut Edit<'_>) -> EditResult<T> + Send> QueuedOperation
    for WithReply<T, F>
{
    fn apply(self: Box<Self>, edit: &mut Edit<'_>) -> Result<Completion, StoreError> {
        let Self { reply, change } = *self;
        match catch_engine_panic(|| change(edit)) {
            Ok(outcome) => Ok(Box::new(move |committed| {
                reply(match committed {
                    Ok(()) => outcome.map_err(StoreError::Rejected),
                    Err(error) => Err(error.clone()),
                });
            })),
            Err(error) => {
                reply(Err(error.clone()));
                Err(error)
            }
        }
    }

    fn reject(self: Box<Self>, error: StoreError) {
        (self.reply)(Err(error));
    }
}
