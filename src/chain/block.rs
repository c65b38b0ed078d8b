//! A block, its link to the one before, and the tip of a chain.

use super::hash::BlockHash;
use super::message::{Message, MessageId};
use super::proof::Proof;
use super::timestamp::Timestamp;

/// Text of every genesis block that the original program or this one makes.
pub const GENESIS_TEXT: &str = "This is the workload of the very first Block in this chain!";

/// One message at its place in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Position in the chain; the genesis block has 0.
    pub index: u64,
    /// When the block was made, by its maker's clock.
    pub timestamp: Timestamp,
    /// What the block carries.
    pub message: Message,
    /// The join to the block before; only the genesis block has none.
    pub link: Option<Link>,
}

/// What joins a block to the one before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Hash of the block before.
    pub previous_hash: BlockHash,
    /// Solution of the puzzle that the proof before poses.
    pub proof: Proof,
}

impl Block {
    /// The genesis block that every fresh node starts from, so that two fresh nodes are one
    /// network.
    pub fn documented_genesis() -> Self {
        const ID: [u8; 16] = 0x324d_c066_e690_437f_a68e_8afc_810e_9617_u128.to_be_bytes();
        Self::genesis(
            1_581_268_484.244_806,
            MessageId::from_bytes(ID),
            GENESIS_TEXT.to_owned(),
        )
        .unwrap_or_else(|_| unreachable!("the documented text is short and its time finite"))
    }

    /// A genesis block with this content.
    ///
    /// # Errors
    /// Says why the text or the time cannot stand in a block.
    pub fn genesis(
        seconds: f64,
        id: MessageId,
        text: String,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self {
            index: 0,
            timestamp: Timestamp::float(seconds)?,
            message: Message::new(id, text)?,
            link: None,
        })
    }

    /// The proof, or none in a genesis block.
    pub fn proof(&self) -> Option<&Proof> {
        self.link.as_ref().map(|link| &link.proof)
    }
}

/// The last block of a chain: all that the next block is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tip {
    /// Index of the block.
    pub index: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// Its proof; none for a genesis block.
    pub proof: Option<Proof>,
    /// Its time.
    pub timestamp: Timestamp,
}

impl Tip {
    /// The tip of a chain that ends with `block`.
    pub fn of(block: &Block) -> Self {
        Self::hashed(block, BlockHash::of(block))
    }

    /// The same, where the hash of the block is known.
    pub(crate) fn hashed(block: &Block, hash: BlockHash) -> Self {
        Self {
            index: block.index,
            hash,
            proof: block.proof().cloned(),
            timestamp: block.timestamp,
        }
    }

    /// The text of the proof as the puzzle sees it: `None` for a genesis block.
    pub fn proof_text(&self) -> &[u8] {
        self.proof.as_ref().map_or(b"None", Proof::as_bytes)
    }

    /// The block that carries `message` on top of this one.
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
