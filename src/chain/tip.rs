//! The tip of a chain.

use super::block::{Block, Link};
use super::hash::BlockHash;
use super::message::Message;
use super::proof::{Proof, puzzle_text};
use super::timestamp::Timestamp;

/// The last block of a chain, reduced to what the next block is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Index of the block.
    pub index: u64,
    /// Hash of the block.
    pub hash: BlockHash,
    /// Proof of the block; `None` for a genesis block.
    pub proof: Option<Proof>,
    /// Time of the block.
    pub timestamp: Timestamp,
}

impl Tip {
    /// Returns the tip of a chain that ends with `block`.
    pub fn of(block: &Block) -> Self {
        Self::with_hash(block, BlockHash::of(block))
    }

    /// Returns the tip of a chain that ends with `block`, whose hash is known.
    pub(crate) fn with_hash(block: &Block, hash: BlockHash) -> Self {
        Self {
            index: block.index,
            hash,
            proof: block.proof().cloned(),
            timestamp: block.timestamp,
        }
    }

    /// Returns the text of the proof that the next proof is appended to in the puzzle.
    pub fn proof_text(&self) -> &[u8] {
        puzzle_text(self.proof.as_ref())
    }

    /// Returns the block that contains `message` after this tip.
    #[must_use]
    pub fn successor(&self, message: Message, timestamp: Timestamp, proof: Proof) -> Block {
        Block {
            index: self.index + 1,
            timestamp,
            message,
            link: Some(Link {
                previous_hash: self.hash,
                proof,
            }),
        }
    }
}
