//! The blocks that a receipt has entries for.

use thiserror::Error;

use crate::chain::Block;

/// Reason why no receipt can have these entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidEntries {
    /// A block is named twice.
    #[error("block {index} is named twice")]
    Repeated {
        /// Index of the block.
        index: u64,
    },
    /// A block is above the block that is to prove it.
    #[error("block {index} is not below block {under}, so that block cannot prove it")]
    NotBelow {
        /// Index of the block.
        index: u64,
        /// Index of the block that is to prove it.
        under: u64,
    },
}

/// Sorts the blocks of a receipt. `under` itself is part of every receipt, so it is not repeated as an
/// entry.
///
/// # Errors
/// [`InvalidEntries`] if a block occurs twice or is above `under`.
pub fn entries(under: &Block, mut blocks: Vec<Block>) -> Result<Vec<Block>, InvalidEntries> {
    blocks.sort_by_key(|block| block.index);
    let mut pairs = blocks.windows(2);
    if let Some(pair) = pairs.find(|pair| pair[0].index == pair[1].index) {
        let index = pair[0].index;
        return Err(InvalidEntries::Repeated { index });
    }
    if let Some(block) = blocks.iter().find(|block| block.index > under.index) {
        return Err(InvalidEntries::NotBelow {
            index: block.index,
            under: under.index,
        });
    }
    blocks.retain(|block| block.index < under.index);
    Ok(blocks)
}
