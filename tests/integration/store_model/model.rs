//! A model of the store: a list of blocks and a list of messages.

use std::collections::{BTreeMap, BTreeSet};

use blockchain::chain::fork_choice::{ForkCandidate, prefers_offered};
use blockchain::chain::{Block, BlockHash, Message, MessageId, Seal};
use blockchain::store::{DisconnectedRecord, Network, Rejection, ReorgRecord, StoreError};

use crate::support::chain::ChainBuilder;

/// A rejection without its details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    StaleTip,
    /// Index of the block that breaks a rule.
    Invalid(u64),
    NotPreferred,
    NotConnected,
    KeyReused,
}

impl Rejected {
    /// The reason why an operation was rejected; any other failure fails the test.
    pub(crate) fn of(error: &StoreError) -> Self {
        match error {
            StoreError::Rejected(Rejection::StaleTip) => Self::StaleTip,
            StoreError::Rejected(Rejection::Invalid(invalid)) => Self::Invalid(invalid.index),
            StoreError::Rejected(Rejection::NotPreferred) => Self::NotPreferred,
            StoreError::Rejected(Rejection::NotConnected) => Self::NotConnected,
            StoreError::Rejected(Rejection::KeyReused) => Self::KeyReused,
            other => panic!("the store failed: {other:?}"),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct PendingEntry {
    pub(crate) message: Message,
    pub(crate) arrived: u64,
    /// `true` if the reorg in progress made it pending again.
    returned: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) network: Network,
    pub(crate) blocks: Vec<Block>,
    /// In order of arrival.
    pub(crate) pending: Vec<PendingEntry>,
    pub(crate) renamed: BTreeMap<MessageId, MessageId>,
    pub(crate) reorgs: Vec<ReorgRecord>,
    /// Every message that was added, under the returned id, with `true` if that id was unused
    /// before, as a random id is.
    pub(crate) acknowledged: Vec<(Message, bool)>,
    used: BTreeSet<MessageId>,
    keys: BTreeMap<[u8; 32], Message>,
}

impl Model {
    pub(crate) fn new(genesis: Block, network: Network) -> Self {
        Self {
            network,
            blocks: vec![genesis],
            pending: Vec::new(),
            renamed: BTreeMap::new(),
            reorgs: Vec::new(),
            acknowledged: Vec::new(),
            used: BTreeSet::new(),
            keys: BTreeMap::new(),
        }
    }

    pub(crate) fn length(&self) -> u64 {
        self.blocks.len() as u64
    }

    pub(crate) fn tip(&self) -> BlockHash {
        BlockHash::of(self.blocks.last().unwrap())
    }

    /// Adds a message; returns its id and whether it is new.
    pub(crate) fn add(
        &mut self,
        message: &Message,
        key: Option<[u8; 32]>,
        arrived: u64,
    ) -> Result<(MessageId, bool), Rejected> {
        if let Some(first) = key.and_then(|key| self.keys.get(&key)) {
            let same = first.text() == message.text();
            return if same {
                Ok((first.id(), false))
            } else {
                Err(Rejected::KeyReused)
            };
        }
        let entry = PendingEntry {
            message: message.clone(),
            arrived,
            returned: false,
        };
        let kept = self.keep(self.pending.len(), entry);
        if let Some(key) = key {
            self.keys.insert(key, kept.clone());
        }
        let fresh = self.used.insert(message.id());
        self.acknowledged.push((kept.clone(), fresh));
        Ok((kept.id(), true))
    }

    /// Appends blocks. `broken` is the index of the first block that breaks a rule on its own.
    pub(crate) fn append(
        &mut self,
        parent: BlockHash,
        blocks: &[Block],
        broken: Option<u64>,
    ) -> Result<(), Rejected> {
        if parent != self.tip() {
            return Err(Rejected::StaleTip);
        }
        self.check(self.blocks.len(), blocks, broken)?;
        for block in blocks {
            self.connect(block);
        }
        Ok(())
    }

    /// Switches to a branch, given from the first block that was staged.
    pub(crate) fn adopt(
        &mut self,
        branch: &[Block],
        broken: Option<u64>,
        source: &str,
        at: u64,
    ) -> Result<ReorgRecord, Rejected> {
        let first = branch.first().ok_or(Rejected::NotConnected)?.index;
        let from = usize::try_from(first).unwrap();
        if from > self.blocks.len() {
            return Err(Rejected::NotConnected);
        }
        self.check(from, branch, broken)?;
        let new = [&self.blocks[..from], branch].concat();
        if !prefers_offered(&standing(&self.blocks), &standing(&new)) {
            return Err(Rejected::NotPreferred);
        }
        let old = std::mem::take(&mut self.blocks);
        self.blocks = old[..from].to_vec();
        self.pending
            .iter_mut()
            .for_each(|entry| entry.returned = false);
        for block in branch {
            self.connect(block);
        }
        for block in old[from..].iter().filter(|block| block.index > 0) {
            let id = block.message.id();
            let lowest = old.iter().find(|block| block.message.id() == id);
            let entry = PendingEntry {
                message: block.message.clone(),
                arrived: at,
                returned: true,
            };
            let kept = self.keep(self.pending.len(), entry);
            if lowest == Some(block) {
                self.rename(id, kept.id());
            }
        }
        let sealed = |blocks: &[Block]| {
            seals(blocks)[from..]
                .iter()
                .filter(|s| is_sealed(**s))
                .count()
        };
        let reorg = ReorgRecord {
            at,
            source: source.to_owned(),
            from: first,
            old_tip: *BlockHash::of(old.last().unwrap()).as_bytes(),
            new_tip: *self.tip().as_bytes(),
            disconnected: (old.len() - from) as u64,
            disconnected_sealed: sealed(&old) as u64,
            connected: branch.len() as u64,
            connected_sealed: sealed(&new) as u64,
            returned: self.pending.iter().filter(|entry| entry.returned).count() as u64,
            disconnected_blocks: old[from..]
                .iter()
                .take(100)
                .map(|block| DisconnectedRecord {
                    hash: *BlockHash::of(block).as_bytes(),
                    message: *block.message.id().as_bytes(),
                })
                .collect(),
        };
        if reorg.disconnected > 0 {
            self.reorgs.push(reorg.clone());
        }
        Ok(reorg)
    }

    /// Returns the location of an acknowledged message, under its own or a derived id.
    pub(crate) fn holds(&self, message: &Message) -> bool {
        let mut message = message.clone();
        for _ in 0..20 {
            let mined = self.blocks.iter().any(|block| block.message == message);
            if mined || self.pending.iter().any(|entry| entry.message == message) {
                return true;
            }
            message = message.renamed();
        }
        false
    }

    /// Returns the index of the first block that may not follow the first `from` blocks.
    fn check(&self, from: usize, blocks: &[Block], broken: Option<u64>) -> Result<(), Rejected> {
        let all = [&self.blocks[..from], blocks].concat();
        let open = seals(&all)
            .into_iter()
            .zip(0_u64..)
            .skip(from)
            .find(|(seal, index)| {
                let sealed_from = self.network.sealed_from;
                *seal == Some(Seal::Open) && sealed_from.is_some_and(|from| *index >= from)
            });
        let open = open.map(|(_, index)| index);
        match open.into_iter().chain(broken).min() {
            Some(index) => Err(Rejected::Invalid(index)),
            None => Ok(()),
        }
    }

    fn connect(&mut self, block: &Block) {
        self.blocks.push(block.clone());
        let id = block.message.id();
        self.used.insert(id);
        let at = self
            .pending
            .iter()
            .position(|entry| entry.message.id() == id);
        if let Some(at) = at {
            let entry = self.pending.remove(at);
            if entry.message != block.message {
                let kept = self.keep(at, entry);
                self.rename(id, kept.id());
            }
        }
    }

    /// Makes a message pending at a position, under the first derived id that is free, unless the
    /// same message is already pending there.
    fn keep(&mut self, at: usize, mut entry: PendingEntry) -> Message {
        let mut held = false;
        while let Some(text) = self.text_under(entry.message.id()) {
            held = text == entry.message.text();
            if held {
                break;
            }
            entry.message = entry.message.renamed();
        }
        let message = entry.message.clone();
        if !held {
            self.pending.insert(at, entry);
        }
        message
    }

    /// The first message to lose an id is the one that is asked for under it.
    fn rename(&mut self, from: MessageId, to: MessageId) {
        if from != to {
            self.renamed.entry(from).or_insert(to);
        }
    }

    /// Returns the result of a lookup by id.
    pub(crate) fn found_under(&self, mut id: MessageId) -> Option<&str> {
        while let Some(renamed) = self.renamed.get(&id) {
            id = *renamed;
        }
        self.text_under(id)
    }

    fn text_under(&self, id: MessageId) -> Option<&str> {
        let pending = self.pending.iter().map(|entry| &entry.message);
        pending
            .chain(self.blocks.iter().map(|block| &block.message))
            .find(|message| message.id() == id)
            .map(Message::text)
    }
}

pub(crate) fn seals(blocks: &[Block]) -> Vec<Option<Seal>> {
    let mut builder = ChainBuilder::new(&[]);
    let seal = |block: &Block| {
        let seal = Seal::of(block, || builder.root());
        builder.push(block.clone());
        seal
    };
    blocks.iter().map(seal).collect()
}

fn is_sealed(seal: Option<Seal>) -> bool {
    seal == Some(Seal::Sealed)
}

pub(crate) fn standing(blocks: &[Block]) -> ForkCandidate {
    let seals = seals(blocks);
    ForkCandidate {
        length: blocks.len() as u64,
        sealed: seals.iter().filter(|seal| is_sealed(**seal)).count() as u64,
        genesis: BlockHash::of(&blocks[0]),
        tip: BlockHash::of(blocks.last().unwrap()),
        tip_is_sealed: is_sealed(*seals.last().unwrap()),
    }
}
