//! Chains of the test's choice, mined at difficulty 1.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use blockchain::chain::history::NodeHash;
use blockchain::chain::{Block, BlockHash, History, Message, Proof, Timestamp, Tip, seal};
use blockchain::pow::{self, Difficulty};
use blockchain::store::{Listener, Network, State, StoreError};

/// Rules of the tests: difficulty 1, and no block has to be sealed.
pub(crate) const OPEN_NETWORK: Network = Network {
    difficulty: Difficulty::MIN,
    sealed_from: None,
};

/// A kind of proof: a sealed one binds the content of its block, an open one does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProofKind {
    Open,
    Sealed,
}

/// Builds a chain block by block.
#[derive(Clone, Debug)]
pub(crate) struct ChainBuilder {
    pub(crate) blocks: Vec<Block>,
    history: History,
}

impl ChainBuilder {
    pub(crate) fn new(blocks: &[Block]) -> Self {
        let mut builder = Self {
            blocks: Vec::new(),
            history: History::default(),
        };
        for block in blocks {
            builder.push(block.clone());
        }
        builder
    }

    pub(crate) fn tip(&self) -> Tip {
        Tip::of(self.blocks.last().unwrap())
    }

    /// The history root over all blocks so far.
    pub(crate) fn root(&self) -> NodeHash {
        self.history.root()
    }

    /// Appends a block without checking it.
    pub(crate) fn push(&mut self, block: Block) {
        self.history.append(&BlockHash::of(&block), |_, _| {});
        self.blocks.push(block);
    }

    /// Mines the next block, dated one second after the tip.
    pub(crate) fn mine(&mut self, message: Message, kind: ProofKind) {
        let time = self.tip().timestamp.seconds() + 1.0;
        self.mine_at(message, kind, time);
    }

    /// Mines the next block with a timestamp in seconds since the epoch.
    pub(crate) fn mine_at(&mut self, message: Message, kind: ProofKind, time: f64) {
        let tip = self.tip();
        let start = match kind {
            ProofKind::Open => String::new(),
            ProofKind::Sealed => seal::commitment(
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

    /// Returns the blocks from `index` on.
    pub(crate) fn above(&self, index: usize) -> Vec<Block> {
        self.blocks[index..].to_vec()
    }
}

/// Returns the block with another text and the same proof.
pub(crate) fn with_text(block: &Block, text: &str) -> Block {
    Block {
        message: Message::new(block.message.id(), text.to_owned()).unwrap(),
        ..block.clone()
    }
}

/// Returns the Merkle tree hash over the block hashes, as RFC 6962, section 2.1, defines it.
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

/// Returns a store listener and the receiver of its notifications.
pub(crate) fn listener() -> (Listener, Receiver<Result<Arc<State>, StoreError>>) {
    let (sender, receiver) = channel();
    let listener: Listener = Box::new(move |state| {
        // The test may have dropped the receiver.
        let _ = sender.send(state.map(Arc::clone).map_err(Clone::clone));
    });
    (listener, receiver)
}
