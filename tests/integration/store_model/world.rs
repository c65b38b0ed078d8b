//! The store and the model side by side, and the actions taken on both.

use std::sync::mpsc::channel;

use blockchain::chain::{Block, BlockHash, Link, Message};
use blockchain::store::{
    Added, Addition, Adoption, Network, Operation, ReorgRecord, Store, StoreError,
};

use super::model::{Model, Rejected};
use crate::support::chain::{ChainBuilder, OPEN_NETWORK, ProofKind, listener, with_text};
use crate::support::random::SeededRng;
use crate::support::simulated_disk::Disk;

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Add,
    AddWithKey,
    Append,
    AppendToOtherTip,
    AppendBroken,
    Adopt,
    AdoptBroken,
    AdoptNothing,
    Burst,
    SetNetwork,
    Reopen,
}

pub(super) struct World {
    disk: Disk,
    /// `None` only while the store is being opened again.
    store: Option<Store>,
    pub(super) model: Model,
    /// Earlier chains of the store.
    pub(super) left: Vec<Vec<Block>>,
    clock: u64,
    branch: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let (disk, genesis) = (Disk::default(), Block::default_genesis());
        Self {
            store: Some(open(&disk)),
            disk,
            model: Model::new(genesis, OPEN_NETWORK),
            left: Vec::new(),
            clock: 1_700_000_000_000,
            branch: 0,
        }
    }

    pub(super) fn store(&self) -> &Store {
        self.store.as_ref().unwrap()
    }

    pub(super) fn take(&mut self, action: Action, seed: u64) {
        let rng = &mut SeededRng::new(seed);
        self.clock += 1 + rng.below(1000);
        match action {
            Action::Add => self.add(rng, false),
            Action::AddWithKey => self.add(rng, true),
            Action::Append => {
                let blocks = self.next_blocks(rng);
                self.append(self.model.tip(), &blocks, None);
            }
            Action::AppendToOtherTip => {
                let blocks = self.next_blocks(rng);
                let other = match rng.below(2) {
                    0 => BlockHash::of(&blocks[0]),
                    _ => BlockHash::from_bytes([7; 32]),
                };
                self.append(other, &blocks, None);
            }
            Action::AppendBroken => {
                let mut blocks = self.next_blocks(rng);
                let at = rng.index(blocks.len());
                break_block(&mut blocks[at], rng);
                let broken = self.model.length() + at as u64;
                self.append(self.model.tip(), &blocks, Some(broken));
            }
            Action::Adopt => {
                let branch = self.branch(rng);
                self.adopt(&branch, None, rng);
            }
            Action::AdoptBroken => self.adopt_broken(rng),
            Action::AdoptNothing => self.adopt_nothing(rng),
            Action::Burst => self.burst(rng),
            Action::SetNetwork => self.set_network(rng),
            Action::Reopen => self.reopen(rng),
        }
    }

    fn add(&mut self, rng: &mut SeededRng, keyed: bool) {
        // Keys are few, so that they repeat, with the same text or another one.
        let key = keyed.then(|| Addition::key_digest(&[u8::try_from(rng.below(6)).unwrap()]));
        let mut message = self.message(rng);
        if keyed && rng.below(2) == 0 {
            message = Message::new(message.id(), "again".to_owned()).unwrap();
        }
        let addition = Addition {
            message,
            key,
            arrived: self.clock,
        };
        let expected = self.model.add(&addition.message, key, self.clock);
        let response = self.store().write(|reply| Operation::Add(addition, reply));
        assert_eq!(shown(response), expected);
    }

    fn append(&mut self, parent: BlockHash, blocks: &[Block], broken: Option<u64>) {
        let expected = self.model.append(parent, blocks, broken);
        let blocks = blocks.to_vec();
        let response = self
            .store()
            .write(|reply| Operation::Append(parent, blocks, reply));
        assert_eq!(response.map_err(|error| Rejected::of(&error)), expected);
    }

    fn adopt(&mut self, branch: &[Block], broken: Option<u64>, rng: &mut SeededRng) {
        self.stage(branch, rng);
        let old = self.model.blocks.clone();
        let expected = self.model.adopt(branch, broken, "a peer", self.clock);
        assert_eq!(self.adopt_staged(), expected);
        if expected.is_ok() {
            self.left.push(old);
        }
        // The branch is discarded in both cases.
        assert_eq!(self.adopt_staged(), Err(Rejected::NotConnected));
    }

    /// Stages a branch in pieces, alternating with pieces of another one.
    fn stage(&mut self, branch: &[Block], rng: &mut SeededRng) {
        self.branch += 1;
        for piece in branch.chunks(1 + rng.index(branch.len().max(1))) {
            for number in [self.branch, self.branch + 1] {
                let piece = piece.to_vec();
                self.store()
                    .write(|reply| Operation::Stage(number, piece, reply))
                    .unwrap();
            }
        }
        let other = self.branch + 1;
        self.store()
            .write(|reply| Operation::DropBranch(other, reply))
            .unwrap();
    }

    fn adopt_staged(&self) -> Result<ReorgRecord, Rejected> {
        let adoption = Adoption {
            branch: self.branch,
            source: "a peer".to_owned(),
            at: self.clock,
            max_reorg: u64::MAX,
            max_replaceable_genesis_length: u64::MAX,
        };
        let response = self
            .store()
            .write(|reply| Operation::Adopt(adoption, reply));
        response.map_err(|error| Rejected::of(&error))
    }

    fn adopt_broken(&mut self, rng: &mut SeededRng) {
        let mut branch = self.branch(rng);
        let first = branch[0].index;
        let at = rng.index(branch.len());
        match rng.below(4) {
            // A block is missing.
            0 if branch.len() > 2 => {
                branch.remove(1);
                self.adopt(&branch, Some(first + 1), rng);
            }
            // The parent of its first block is not in the chain.
            1 if first > 0 => {
                let link = branch[0].link.as_mut().unwrap();
                link.previous_hash = BlockHash::from_bytes([9; 32]);
                self.adopt(&branch, Some(first), rng);
            }
            // The branch begins above the tip.
            2 => {
                let mut builder = ChainBuilder::new(&self.model.blocks);
                (0..3).for_each(|_| builder.mine(rng.message(), ProofKind::Sealed));
                let beyond = builder.above(self.model.blocks.len() + 1);
                self.adopt(&beyond, None, rng);
            }
            _ if branch[at].index > 0 => {
                // With another index, the block would have another position in the branch.
                let index = branch[at].index;
                break_block(&mut branch[at], rng);
                if branch[at].index == index {
                    self.adopt(&branch, Some(first + at as u64), rng);
                }
            }
            _ => {}
        }
    }

    fn adopt_nothing(&mut self, rng: &mut SeededRng) {
        let branch = self.branch(rng);
        self.stage(&branch, rng);
        if rng.below(2) == 0 {
            let number = self.branch;
            self.store()
                .write(|reply| Operation::DropBranch(number, reply))
                .unwrap();
        } else {
            self.reopen(rng);
        }
        assert_eq!(self.adopt_staged(), Err(Rejected::NotConnected));
    }

    /// Operations that do not wait for each other, so that they share commits.
    fn burst(&mut self, rng: &mut SeededRng) {
        let (added, additions) = channel();
        let (appended, appends) = channel();
        let mut expected = (Vec::new(), Vec::new());
        for _ in 0..=rng.below(6) {
            let addition = Addition {
                message: self.message(rng),
                key: None,
                arrived: self.clock,
            };
            expected
                .0
                .push(self.model.add(&addition.message, None, self.clock));
            let added = added.clone();
            let reply = Box::new(move |response| added.send(shown(response)).unwrap());
            self.store()
                .submit(Operation::Add(addition, reply))
                .unwrap();
            let blocks = self.next_blocks(rng);
            // The second one is rejected, because the tip has changed.
            let parent = self.model.tip();
            for _ in 0..2 {
                expected.1.push(self.model.append(parent, &blocks, None));
                let appended = appended.clone();
                let reply = Box::new(move |response: Result<(), StoreError>| {
                    appended
                        .send(response.map_err(|error| Rejected::of(&error)))
                        .unwrap();
                });
                let append = Operation::Append(parent, blocks.clone(), reply);
                self.store().submit(append).unwrap();
            }
        }
        drop((added, appended));
        assert_eq!(additions.iter().collect::<Vec<_>>(), expected.0);
        assert_eq!(appends.iter().collect::<Vec<_>>(), expected.1);
    }

    fn set_network(&mut self, rng: &mut SeededRng) {
        let sealed_from = match rng.below(3) {
            0 => Some(self.model.length() + 2),
            _ => None,
        };
        let network = Network {
            sealed_from,
            ..OPEN_NETWORK
        };
        self.model.network = network;
        self.store()
            .write(|reply| Operation::SetNetwork(network, reply))
            .unwrap();
    }

    /// Closes the store, kills it or cuts the power, after every commit was answered.
    fn reopen(&mut self, rng: &mut SeededRng) {
        let store = self.store.take().unwrap();
        let cleanly = match rng.below(3) {
            0 => {
                // Only a run that has checked every block can end cleanly.
                store.note_scrubbed();
                store.close().unwrap();
                true
            }
            way => {
                let image = match way {
                    1 => self.disk.image(),
                    _ => self.disk.image_after_power_cut(rng),
                };
                drop(store);
                self.disk = Disk::holding(image);
                false
            }
        };
        let store = self.store.insert(open(&self.disk));
        assert_eq!(store.stopped_cleanly(), cleanly);
    }

    /// Returns some valid blocks above the tip.
    fn next_blocks(&self, rng: &mut SeededRng) -> Vec<Block> {
        let mut builder = ChainBuilder::new(&self.model.blocks);
        for _ in 0..=rng.below(3) {
            builder.mine(self.message(rng), kind(rng));
        }
        builder.above(self.model.blocks.len())
    }

    /// Returns a valid branch of about the length of the chain, from its first block that may
    /// differ.
    fn branch(&self, rng: &mut SeededRng) -> Vec<Block> {
        let ours = &self.model.blocks;
        let mut builder = match rng.below(8) {
            0 => {
                let genesis = with_text(&ours[0], &format!("genesis {}", rng.below(3)));
                ChainBuilder::new(&[genesis])
            }
            1 | 2 if !self.left.is_empty() => {
                ChainBuilder::new(&self.left[rng.index(self.left.len())])
            }
            _ => ChainBuilder::new(&ours[..ours.len() - rng.index(ours.len().min(8))]),
        };
        // One block shorter, of equal length, or longer.
        let length = ours.len() + rng.index(5) - 1;
        let all_of = [None, Some(ProofKind::Open), Some(ProofKind::Sealed)][rng.index(3)];
        while builder.blocks.len() < length.max(1) {
            let kind = all_of.unwrap_or(kind(rng));
            builder.mine(self.message(rng), kind);
        }
        let common = builder
            .blocks
            .iter()
            .zip(ours)
            .take_while(|(one, other)| one == other);
        let from = common.count().min(builder.blocks.len() - 1);
        // Sometimes it starts below the fork.
        builder.above(from - rng.index(from.min(2) + 1))
    }

    /// Returns a new, pending or mined message, or another text under its id.
    fn message(&self, rng: &mut SeededRng) -> Message {
        let (pending, blocks) = (&self.model.pending, &self.model.blocks);
        let known = match rng.below(10) {
            0..4 if !pending.is_empty() => pending[0].message.clone(),
            4 | 5 if !pending.is_empty() => pending[rng.index(pending.len())].message.clone(),
            6 => blocks[rng.index(blocks.len())].message.clone(),
            _ => return rng.message(),
        };
        match rng.below(4) {
            // The message of a genesis block was never added, and disappears with its block.
            _ if known == blocks[0].message => with_text(&blocks[0], "other").message,
            0 => Message::new(known.id(), format!("other {}", rng.below(4))).unwrap(),
            _ => known,
        }
    }
}

fn open(disk: &Disk) -> Store {
    let genesis = Block::default_genesis();
    Store::with_backend(disk.clone(), &genesis, OPEN_NETWORK, listener().0).unwrap()
}

fn shown(
    response: Result<Added, StoreError>,
) -> Result<(blockchain::chain::MessageId, bool), Rejected> {
    match response {
        Ok(added) => Ok((added.id, added.is_new)),
        Err(error) => Err(Rejected::of(&error)),
    }
}

fn kind(rng: &mut SeededRng) -> ProofKind {
    [ProofKind::Open, ProofKind::Sealed][rng.index(2)]
}

/// Makes a block break a rule.
fn break_block(block: &mut Block, rng: &mut SeededRng) {
    let link = block.link.as_mut().unwrap();
    match rng.below(5) {
        0 => block.index += 1,
        1 => link.previous_hash = BlockHash::from_bytes([1; 32]),
        2 => block.link = None,
        3 => block.timestamp = blockchain::chain::Timestamp::integer(0).unwrap(),
        // The proof has more digits than a search tries, and no commitment.
        _ => {
            *link = Link {
                proof: "9".repeat(50).parse().unwrap(),
                ..link.clone()
            };
        }
    }
}
