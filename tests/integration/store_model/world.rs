//! The store and the model side by side, and the actions taken on both.

use std::sync::mpsc::channel;

use blockchain::chain::{Block, BlockHash, Link, Message};
use blockchain::store::{
    Added, Addition, Adoption, Network, Operation, ReorgRecord, Store, StoreError,
};

use super::model::{Model, Refused};
use crate::support_store::disk::Disk;
use crate::support_store::{Dice, Kind, Maker, OPEN_NETWORK, listener, with_text};

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
    /// None only while it is opened anew.
    store: Option<Store>,
    pub(super) model: Model,
    /// Chains that were followed once.
    pub(super) left: Vec<Vec<Block>>,
    clock: u64,
    branch: u64,
}

impl World {
    pub(super) fn new() -> Self {
        let (disk, genesis) = (Disk::default(), Block::documented_genesis());
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
        let dice = &mut Dice::new(seed);
        self.clock += 1 + dice.below(1000);
        match action {
            Action::Add => self.add(dice, false),
            Action::AddWithKey => self.add(dice, true),
            Action::Append => {
                let blocks = self.next_blocks(dice);
                self.append(self.model.tip(), &blocks, None);
            }
            Action::AppendToOtherTip => {
                let blocks = self.next_blocks(dice);
                let other = match dice.below(2) {
                    0 => BlockHash::of(&blocks[0]),
                    _ => BlockHash::from_bytes([7; 32]),
                };
                self.append(other, &blocks, None);
            }
            Action::AppendBroken => {
                let mut blocks = self.next_blocks(dice);
                let at = dice.position(blocks.len());
                break_block(&mut blocks[at], dice);
                let broken = self.model.length() + at as u64;
                self.append(self.model.tip(), &blocks, Some(broken));
            }
            Action::Adopt => {
                let branch = self.branch(dice);
                self.adopt(&branch, None, dice);
            }
            Action::AdoptBroken => self.adopt_broken(dice),
            Action::AdoptNothing => self.adopt_nothing(dice),
            Action::Burst => self.burst(dice),
            Action::SetNetwork => self.set_network(dice),
            Action::Reopen => self.reopen(dice),
        }
    }

    fn add(&mut self, dice: &mut Dice, keyed: bool) {
        // Few keys, so that they come again, with the same text or another.
        let key = keyed.then(|| Addition::key_digest(&[u8::try_from(dice.below(6)).unwrap()]));
        let mut message = self.message(dice);
        if keyed && dice.below(2) == 0 {
            message = Message::new(message.id(), "again".to_owned()).unwrap();
        }
        let addition = Addition {
            message,
            key,
            arrived: self.clock,
        };
        let expected = self.model.add(&addition.message, key, self.clock);
        let answer = self.store().write(|reply| Operation::Add(addition, reply));
        assert_eq!(shown(answer), expected);
    }

    fn append(&mut self, parent: BlockHash, blocks: &[Block], broken: Option<u64>) {
        let expected = self.model.append(parent, blocks, broken);
        let blocks = blocks.to_vec();
        let answer = self
            .store()
            .write(|reply| Operation::Append(parent, blocks, reply));
        assert_eq!(answer.map_err(|error| Refused::of(&error)), expected);
    }

    fn adopt(&mut self, branch: &[Block], broken: Option<u64>, dice: &mut Dice) {
        self.stage(branch, dice);
        let old = self.model.blocks.clone();
        let expected = self.model.adopt(branch, broken, "a peer", self.clock);
        assert_eq!(self.adopt_staged(), expected);
        if expected.is_ok() {
            self.left.push(old);
        }
        // The branch is forgotten either way.
        assert_eq!(self.adopt_staged(), Err(Refused::NotConnected));
    }

    /// Stages a branch in pieces, among pieces of another one.
    fn stage(&mut self, branch: &[Block], dice: &mut Dice) {
        self.branch += 1;
        for piece in branch.chunks(1 + dice.position(branch.len().max(1))) {
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

    fn adopt_staged(&self) -> Result<ReorgRecord, Refused> {
        let adoption = Adoption {
            branch: self.branch,
            source: "a peer".to_owned(),
            at: self.clock,
            max_reorg: u64::MAX,
            max_replaceable_genesis_length: u64::MAX,
        };
        let answer = self
            .store()
            .write(|reply| Operation::Adopt(adoption, reply));
        answer.map_err(|error| Refused::of(&error))
    }

    fn adopt_broken(&mut self, dice: &mut Dice) {
        let mut branch = self.branch(dice);
        let first = branch[0].index;
        let at = dice.position(branch.len());
        match dice.below(4) {
            // A gap.
            0 if branch.len() > 2 => {
                branch.remove(1);
                self.adopt(&branch, Some(first + 1), dice);
            }
            // Joins nowhere: its first block stands on another one than ours.
            1 if first > 0 => {
                let link = branch[0].link.as_mut().unwrap();
                link.previous_hash = BlockHash::from_bytes([9; 32]);
                self.adopt(&branch, Some(first), dice);
            }
            // Begins beyond our tip.
            2 => {
                let mut maker = Maker::new(&self.model.blocks);
                (0..3).for_each(|_| maker.mine(dice.message(), Kind::Sealed));
                let beyond = maker.above(self.model.blocks.len() + 1);
                self.adopt(&beyond, None, dice);
            }
            _ if branch[at].index > 0 => {
                // Another index would be another place in the branch.
                let index = branch[at].index;
                break_block(&mut branch[at], dice);
                if branch[at].index == index {
                    self.adopt(&branch, Some(first + at as u64), dice);
                }
            }
            _ => {}
        }
    }

    fn adopt_nothing(&mut self, dice: &mut Dice) {
        let branch = self.branch(dice);
        self.stage(&branch, dice);
        if dice.below(2) == 0 {
            let number = self.branch;
            self.store()
                .write(|reply| Operation::DropBranch(number, reply))
                .unwrap();
        } else {
            self.reopen(dice);
        }
        assert_eq!(self.adopt_staged(), Err(Refused::NotConnected));
    }

    /// Operations that do not wait for each other, so that they share commits.
    fn burst(&mut self, dice: &mut Dice) {
        let (added, additions) = channel();
        let (appended, appends) = channel();
        let mut expected = (Vec::new(), Vec::new());
        for _ in 0..=dice.below(6) {
            let addition = Addition {
                message: self.message(dice),
                key: None,
                arrived: self.clock,
            };
            expected
                .0
                .push(self.model.add(&addition.message, None, self.clock));
            let added = added.clone();
            let reply = Box::new(move |answer| added.send(shown(answer)).unwrap());
            self.store()
                .submit(Operation::Add(addition, reply))
                .unwrap();
            let blocks = self.next_blocks(dice);
            // The second time it is refused: its tip has moved.
            let parent = self.model.tip();
            for _ in 0..2 {
                expected.1.push(self.model.append(parent, &blocks, None));
                let appended = appended.clone();
                let reply = Box::new(move |answer: Result<(), StoreError>| {
                    appended
                        .send(answer.map_err(|error| Refused::of(&error)))
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

    fn set_network(&mut self, dice: &mut Dice) {
        let sealed_from = match dice.below(3) {
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

    /// Closes the store, kills it or cuts the power; every commit was answered before.
    fn reopen(&mut self, dice: &mut Dice) {
        let store = self.store.take().unwrap();
        let cleanly = match dice.below(3) {
            0 => {
                store.close().unwrap();
                true
            }
            way => {
                let image = match way {
                    1 => self.disk.image(),
                    _ => self.disk.image_after_power_cut(dice),
                };
                drop(store);
                self.disk = Disk::holding(image);
                false
            }
        };
        let store = self.store.insert(open(&self.disk));
        assert_eq!(store.stopped_cleanly(), cleanly);
    }

    /// Some good blocks on our tip.
    fn next_blocks(&self, dice: &mut Dice) -> Vec<Block> {
        let mut maker = Maker::new(&self.model.blocks);
        for _ in 0..=dice.below(3) {
            maker.mine(self.message(dice), kind(dice));
        }
        maker.above(self.model.blocks.len())
    }

    /// A good branch about as long as our chain, from its first block that may differ.
    fn branch(&self, dice: &mut Dice) -> Vec<Block> {
        let ours = &self.model.blocks;
        let mut maker = match dice.below(8) {
            0 => {
                let genesis = with_text(&ours[0], &format!("genesis {}", dice.below(3)));
                Maker::new(&[genesis])
            }
            1 | 2 if !self.left.is_empty() => {
                Maker::new(&self.left[dice.position(self.left.len())])
            }
            _ => Maker::new(&ours[..ours.len() - dice.position(ours.len().min(8))]),
        };
        // One shorter, equal or longer.
        let length = ours.len() + dice.position(5) - 1;
        let all_of = [None, Some(Kind::Open), Some(Kind::Sealed)][dice.position(3)];
        while maker.blocks.len() < length.max(1) {
            let kind = all_of.unwrap_or(kind(dice));
            maker.mine(self.message(dice), kind);
        }
        let common = maker
            .blocks
            .iter()
            .zip(ours)
            .take_while(|(one, other)| one == other);
        let from = common.count().min(maker.blocks.len() - 1);
        // Sometimes it starts lower than it must.
        maker.above(from - dice.position(from.min(2) + 1))
    }

    /// A new message, or one that waits or is mined already, or another text under its id.
    fn message(&self, dice: &mut Dice) -> Message {
        let (pending, blocks) = (&self.model.pending, &self.model.blocks);
        let known = match dice.below(10) {
            0..4 if !pending.is_empty() => pending[0].message.clone(),
            4 | 5 if !pending.is_empty() => pending[dice.position(pending.len())].message.clone(),
            6 => blocks[dice.position(blocks.len())].message.clone(),
            _ => return dice.message(),
        };
        match dice.below(4) {
            // Nobody adds the message of a genesis block, and it leaves with its block.
            _ if known == blocks[0].message => with_text(&blocks[0], "other").message,
            0 => Message::new(known.id(), format!("other {}", dice.below(4))).unwrap(),
            _ => known,
        }
    }
}

fn open(disk: &Disk) -> Store {
    let genesis = Block::documented_genesis();
    Store::with_backend(disk.clone(), &genesis, OPEN_NETWORK, listener().0).unwrap()
}

fn shown(
    answer: Result<Added, StoreError>,
) -> Result<(blockchain::chain::MessageId, bool), Refused> {
    match answer {
        Ok(added) => Ok((added.id, added.is_new)),
        Err(error) => Err(Refused::of(&error)),
    }
}

fn kind(dice: &mut Dice) -> Kind {
    [Kind::Open, Kind::Sealed][dice.position(2)]
}

/// Makes a block break a rule.
fn break_block(block: &mut Block, dice: &mut Dice) {
    let link = block.link.as_mut().unwrap();
    match dice.below(5) {
        0 => block.index += 1,
        1 => link.previous_hash = BlockHash::from_bytes([1; 32]),
        2 => block.link = None,
        3 => block.timestamp = blockchain::chain::Timestamp::integer(0).unwrap(),
        // More digits than counting reaches, and no commitment.
        _ => {
            *link = Link {
                proof: "9".repeat(50).parse().unwrap(),
                ..link.clone()
            };
        }
    }
}
