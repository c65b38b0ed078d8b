//! The work on a failing disk: steps that follow from a seed, and the content of the store after
//! each.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use blockchain::chain::{Block, BlockHash, Message, MessageId};
use blockchain::store::{
    Addition, Adoption, NeighbourRecord, NeighbourStatus, Network, Operation, Pending, ReorgRecord,
    Reply, SnapshotRecord, State, Store, StoreError, View,
};

use blockchain::store::tables::Totals;

use super::EVERYTHING;
use crate::support::chain::{ChainBuilder, OPEN_NETWORK, ProofKind, listener};
use crate::support::random::SeededRng;
use crate::support::simulated_disk::Disk;

const ARRIVED: u64 = 1_700_000_000_000;

/// One step.
#[derive(Clone, Debug)]
enum Step {
    Add(Addition),
    Learn(Vec<Message>),
    Restore(Vec<Message>),
    Append(BlockHash, Vec<Block>),
    Adopt(Vec<Block>),
    SetNeighbours(Vec<NeighbourRecord>),
    NoteSnapshot(SnapshotRecord),
}

/// Content of a store that survives a restart.
#[derive(Debug, PartialEq)]
pub(super) struct Held {
    pub(super) blocks: Vec<Block>,
    /// Pending messages, each with `true` if it came from a peer.
    pub(super) pending: Vec<(Pending, bool)>,
    reorgs: Vec<(u64, ReorgRecord)>,
    neighbours: Vec<NeighbourRecord>,
    snapshot: SnapshotRecord,
    network: Network,
    totals: Totals,
}

impl Held {
    pub(super) fn of(view: &View) -> Result<Self, StoreError> {
        let pending = view.pending_from(0, EVERYTHING)?;
        let pending = pending.into_iter().map(|pending| {
            let learned = view.is_learned(pending.sequence)?;
            Ok((pending, learned))
        });
        Ok(Self {
            blocks: view.blocks(0, EVERYTHING)?,
            pending: pending.collect::<Result<_, StoreError>>()?,
            reorgs: view.reorgs(u64::MAX, usize::MAX)?,
            neighbours: view.neighbours()?,
            snapshot: view.snapshot()?,
            network: view.network()?,
            totals: view.totals()?,
        })
    }
}

/// Steps, and the content before the first and after each.
pub(super) struct Script {
    steps: Vec<Step>,
    pub(super) held: Vec<Held>,
}

/// Receives the result of a step.
type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

type Heard = Receiver<Result<Arc<State>, StoreError>>;

pub(super) fn open(disk: &Disk) -> Result<(Store, Heard), StoreError> {
    let (listener, heard) = listener();
    let genesis = Block::default_genesis();
    let store = Store::with_backend(disk.clone(), &genesis, OPEN_NETWORK, listener)?;
    Ok((store, heard))
}

/// A disk with a database that was closed.
pub(super) fn prepared() -> Disk {
    let disk = Disk::default();
    open(&disk).unwrap().0.close().unwrap();
    disk
}

impl Script {
    /// Takes the steps of a seed one by one on a disk that does not fail.
    pub(super) fn of(seed: u64, length: usize) -> Self {
        let mut rng = SeededRng::new(seed);
        let (store, _heard) = open(&prepared()).unwrap();
        let held = || Held::of(&store.view().unwrap()).unwrap();
        let mut script = Self {
            steps: Vec::new(),
            held: vec![held()],
        };
        for number in 0..length {
            script.steps.push(script.make(&mut rng));
            script.take(&store, number).unwrap();
            script.held.push(held());
        }
        let last = &script.held[length];
        assert!(
            last.reorgs.len() > length / 30 && last.blocks.len() > length / 4,
            "seed {seed} tries too little: {} reorgs, {} blocks",
            last.reorgs.len(),
            last.blocks.len()
        );
        script
    }

    pub(super) fn len(&self) -> usize {
        self.steps.len()
    }

    /// Takes one step and waits for it; a rejection is a result like any other.
    pub(super) fn take(&self, store: &Store, number: usize) -> Result<(), StoreError> {
        if let Step::Adopt(blocks) = &self.steps[number] {
            store.write(|reply| Operation::Stage(number as u64, blocks.clone(), reply))?;
        }
        let (sender, response) = channel();
        // The receiver waits below.
        let done = Box::new(move |outcome| _ = sender.send(outcome));
        store.submit(self.operation(number, done))?;
        response.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Takes all steps, some of them concurrently so that they share commits, until one fails.
    /// Tells the disk which steps were submitted and which were acknowledged.
    pub(super) fn play(&self, store: &Store, disk: &Disk) -> Result<(), StoreError> {
        let (mut rng, mut next) = (SeededRng::new(self.steps.len() as u64), 0);
        // The writer waits in the last reply of a group until the next group is queued, so that the
        // sharing of commits does not depend on the threads.
        let (mut release, held) = channel::<()>();
        let (sender, mut responses) = channel();
        let nothing = Box::new(move |outcome| _ = (sender.send(outcome), held.recv()));
        store.submit(Operation::DropBranch(u64::MAX, nothing))?;
        let mut expected = 1;
        while next < self.steps.len() {
            let answered = responses
                .iter()
                .take(expected)
                .collect::<Result<Vec<_>, _>>()?;
            // A dropped reply means that the store is closed.
            if answered.len() < expected {
                return Err(StoreError::Closed);
            }
            let end = self.steps.len().min(next + 1 + rng.index(4));
            disk.note(|progress| progress.submitted = end);
            let (sender, coming) = channel();
            let (next_release, held) = channel();
            let mut held = Some(held);
            for number in next..end {
                let (sender, disk) = (sender.clone(), disk.clone());
                let held = if number + 1 == end { held.take() } else { None };
                let done = Box::new(move |outcome: Result<(), StoreError>| {
                    if outcome.is_ok() {
                        disk.note(|progress| progress.acknowledged = number + 1);
                    }
                    let _ = (sender.send(outcome), held.map(|held| held.recv()));
                });
                self.submit(store, number, done)?;
            }
            drop(std::mem::replace(&mut release, next_release));
            (responses, expected, next) = (coming, end - next, end);
        }
        let answered = responses
            .iter()
            .take(expected)
            .collect::<Result<Vec<_>, _>>()?;
        if answered.len() < expected {
            return Err(StoreError::Closed);
        }
        Ok(())
    }

    fn submit(&self, store: &Store, number: usize, done: Done) -> Result<(), StoreError> {
        if let Step::Adopt(blocks) = &self.steps[number] {
            let stage = Operation::Stage(number as u64, blocks.clone(), Box::new(drop));
            store.submit(stage)?;
        }
        store.submit(self.operation(number, done))
    }

    fn operation(&self, number: usize, done: Done) -> Operation {
        match self.steps[number].clone() {
            Step::Add(addition) => Operation::Add(addition, reply(done)),
            Step::Learn(messages) => Operation::Learn(messages, ARRIVED, reply(done)),
            Step::Restore(messages) => {
                let messages = messages.into_iter().map(|message| (message, ARRIVED));
                Operation::Restore(messages.collect(), reply(done))
            }
            Step::Append(parent, blocks) => Operation::Append(parent, blocks, reply(done)),
            Step::Adopt(_) => {
                let adoption = Adoption {
                    branch: number as u64,
                    source: "neighbour.example:12345".to_owned(),
                    at: ARRIVED,
                    max_reorg: u64::MAX,
                    max_replaceable_genesis_length: 0,
                };
                Operation::Adopt(adoption, reply(done))
            }
            Step::SetNeighbours(records) => Operation::SetNeighbours(records, reply(done)),
            Step::NoteSnapshot(record) => Operation::NoteSnapshot(record, reply(done)),
        }
    }

    fn make(&self, rng: &mut SeededRng) -> Step {
        let held = self.held.last().unwrap();
        let messages = |rng: &mut SeededRng| (0..=rng.below(3)).map(|_| rng.message()).collect();
        match rng.below(20) {
            0..7 => Step::Add(self.addition(rng)),
            7 => Step::Learn(messages(rng)),
            8 => Step::Restore(messages(rng)),
            9..15 => {
                let mut builder = ChainBuilder::new(&held.blocks);
                let parent = builder.tip().hash;
                for nth in 0..=rng.index(3) {
                    builder.mine(held.message(nth, rng), kind(rng));
                }
                Step::Append(parent, builder.above(held.blocks.len()))
            }
            15..18 => {
                let depth = rng.index(held.blocks.len().min(6));
                let fork = held.blocks.len() - depth;
                let mut builder = ChainBuilder::new(&held.blocks[..fork]);
                // Sometimes the branch is too short to be followed.
                for nth in 0..=depth.saturating_sub(usize::from(rng.below(8) == 0)) {
                    builder.mine(held.message(nth, rng), kind(rng));
                }
                Step::Adopt(builder.above(fork))
            }
            18 => Step::SetNeighbours(
                (0..rng.below(4))
                    .map(|host| NeighbourRecord {
                        address: format!("10.0.0.{host}:{}", rng.below(3) + 1),
                        status: [
                            NeighbourStatus::Learned,
                            NeighbourStatus::Added,
                            NeighbourStatus::Removed,
                        ][rng.index(3)],
                    })
                    .collect(),
            ),
            _ => Step::NoteSnapshot(SnapshotRecord {
                tip: Some([u8::try_from(rng.below(256)).unwrap(); 32]),
                backups: vec![format!("node_{}.chain", rng.next())],
            }),
        }
    }

    /// Returns a new message, with or without an idempotency key, or one that was added before.
    fn addition(&self, rng: &mut SeededRng) -> Addition {
        let earlier = self.steps.iter().rev().find_map(|step| match step {
            Step::Add(addition) if addition.key.is_some() => Some(addition),
            _ => None,
        });
        if let (Some(earlier), 0) = (earlier, rng.below(4)) {
            return earlier.clone();
        }
        let message = rng.message();
        let key = Addition::key_digest(message.id().as_bytes());
        Addition {
            message,
            key: Some(key).filter(|_| rng.below(2) == 0),
            arrived: ARRIVED,
        }
    }
}

impl Held {
    /// Returns a message to mine: mostly a pending one, sometimes another text under its id.
    fn message(&self, nth: usize, rng: &mut SeededRng) -> Message {
        let waiting = self.pending.get(nth).map(|pending| &pending.0.message);
        let id = |message: &Message| -> MessageId { message.id() };
        match (waiting, rng.below(12)) {
            (Some(waiting), 0) => Message::new(id(waiting), "another".to_owned()).unwrap(),
            (Some(waiting), 1..10) => waiting.clone(),
            _ => rng.message(),
        }
    }
}

fn reply<T: 'static>(done: Done) -> Reply<T> {
    Box::new(move |response| {
        done(match response {
            Ok(_) | Err(StoreError::Rejected(_)) => Ok(()),
            Err(error) => Err(error),
        });
    })
}

fn kind(rng: &mut SeededRng) -> ProofKind {
    [ProofKind::Open, ProofKind::Sealed][rng.index(2)]
}
