//! What the tests of the store share. [`disk`] is the storage under test; here are a die that
//! falls the same way for the same seed, and a maker of blocks at difficulty 1.

pub(crate) mod check;
pub(crate) mod disk;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use blockchain::chain::history::NodeHash;
use blockchain::chain::{
    Block, BlockHash, History, Message, MessageId, Proof, Timestamp, Tip, seal,
};
use blockchain::pow::{self, Difficulty};
use blockchain::store::{Listener, Network, State, StoreError};

/// The rules of the tests: difficulty 1, nothing has to be sealed.
pub(crate) const OPEN_NETWORK: Network = Network {
    difficulty: Difficulty::MIN,
    sealed_from: None,
};

/// Random numbers that depend on nothing but the seed (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `sides`, which is not 0.
    pub(crate) fn below(&mut self, sides: u64) -> u64 {
        self.roll() % sides
    }

    /// A position in something that is not empty.
    pub(crate) fn position(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    pub(crate) fn id(&mut self) -> MessageId {
        let (high, low) = (u128::from(self.roll()), u128::from(self.roll()));
        MessageId::from_bytes((high << 64 | low).to_be_bytes())
    }

    /// A message nobody made before, sometimes with an awkward text.
    pub(crate) fn message(&mut self) -> Message {
        const TEXTS: [&str; 6] = ["", "é€😀", "\"\\\n\t\0", "plain", "plain ", "\u{202e}x"];
        let text = match self.below(16) {
            few @ 0..6 => TEXTS[usize::try_from(few).unwrap()].to_owned(),
            6 => "long ".repeat(3000),
            _ => format!("message {:x}", self.roll()),
        };
        Message::new(self.id(), text).unwrap()
    }
}

/// Whether the proof of a block binds its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Open,
    Sealed,
}

/// A chain in the making.
#[derive(Clone, Debug)]
pub(crate) struct Maker {
    pub(crate) blocks: Vec<Block>,
    history: History,
}

impl Maker {
    pub(crate) fn new(blocks: &[Block]) -> Self {
        let mut maker = Self {
            blocks: Vec::new(),
            history: History::default(),
        };
        for block in blocks {
            maker.push(block.clone());
        }
        maker
    }

    pub(crate) fn tip(&self) -> Tip {
        Tip::of(self.blocks.last().unwrap())
    }

    /// The history root over all blocks so far.
    pub(crate) fn root(&self) -> NodeHash {
        self.history.root()
    }

    /// Puts a block on top, whatever it is.
    pub(crate) fn push(&mut self, block: Block) {
        self.history.append(&BlockHash::of(&block), |_, _| {});
        self.blocks.push(block);
    }

    /// Makes the next block, one second later.
    pub(crate) fn mine(&mut self, message: Message, kind: Kind) {
        let time = self.tip().timestamp.seconds() + 1.0;
        self.mine_at(message, kind, time);
    }

    /// Makes the next block at a time.
    pub(crate) fn mine_at(&mut self, message: Message, kind: Kind, time: f64) {
        let tip = self.tip();
        let start = match kind {
            Kind::Open => String::new(),
            Kind::Sealed => seal::commitment(
                tip.index + 1,
                &tip.hash,
                &self.history.root(),
                &message,
                time,
            ),
        };
        let proof = (0..u64::MAX)
            .map(|nonce| format!("{start}{nonce}"))
            .find(|proof| pow::proof_is_valid(tip.proof_text(), proof.as_bytes(), Difficulty::MIN))
            .unwrap();
        let proof = Proof::try_from(proof).unwrap();
        self.push(tip.successor(message, Timestamp::float(time).unwrap(), proof));
    }

    /// Blocks from an index on.
    pub(crate) fn above(&self, index: usize) -> Vec<Block> {
        self.blocks[index..].to_vec()
    }
}

/// The same block around another text.
pub(crate) fn with_text(block: &Block, text: &str) -> Block {
    Block {
        message: Message::new(block.message.id(), text.to_owned()).unwrap(),
        ..block.clone()
    }
}

/// The tree hash over the hashes of some blocks, as RFC 6962 defines it.
pub(crate) fn tree_hash(blocks: &[Block]) -> NodeHash {
    use sha2::{Digest, Sha256};
    match blocks {
        [] => Sha256::digest([]).into(),
        [block] => Sha256::digest([&[0], &BlockHash::of(block).as_bytes()[..]].concat()).into(),
        _ => {
            let (left, right) = blocks.split_at(blocks.len().next_power_of_two() / 2);
            Sha256::digest([&[1], &tree_hash(left)[..], &tree_hash(right)[..]].concat()).into()
        }
    }
}

/// A listener, and what it heard.
pub(crate) fn listener() -> (Listener, Receiver<Result<Arc<State>, StoreError>>) {
    let (sender, heard) = channel();
    let listener: Listener = Box::new(move |news| {
        // A test that looks no more has dropped the receiver.
        let _ = sender.send(news.map(Arc::clone).map_err(Clone::clone));
    });
    (listener, heard)
}
