//! A block and its link to the one before.

use super::hash::BlockHash;
use super::message::{Message, MessageId};
use super::proof::Proof;
use super::timestamp::Timestamp;

/// Text of every genesis block that the reference miner or this program creates.
pub const GENESIS_TEXT: &str = "This is the workload of the very first Block in this chain!";

/// One message at its position in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// Position in the chain; the genesis block has 0.
    pub index: u64,
    /// Time at which the block was mined, by the miner's clock.
    pub timestamp: Timestamp,
    /// Message of the block.
    pub message: Message,
    /// Link to the previous block; `None` for the genesis block only.
    pub link: Option<Link>,
}

/// Link from a block to the previous one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Hash of the previous block.
    pub previous_hash: BlockHash,
    /// Solution of the puzzle ([`crate::pow`]) for the previous proof.
    pub proof: Proof,
}

impl Block {
    /// Returns the genesis block that every new node starts from by default, so that two new nodes
    /// share one network.
    pub fn default_genesis() -> Self {
        const ID: [u8; 16] = 0x324d_c066_e690_437f_a68e_8afc_810e_9617_u128.to_be_bytes();
        Self::genesis(
            1_581_268_484.244_806,
            MessageId::from_bytes(ID),
            GENESIS_TEXT.to_owned(),
        )
        .unwrap_or_else(|_| unreachable!("the text is short and its time finite"))
    }

    /// Creates a genesis block. `seconds` is its time since the epoch.
    ///
    /// # Errors
    /// If the text is too long or the time is not finite.
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

    /// Returns the proof; `None` for a genesis block.
    pub fn proof(&self) -> Option<&Proof> {
        self.link.as_ref().map(|link| &link.proof)
    }
}
