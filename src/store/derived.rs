//! The values of a block that follow from the chain up to it. Those of a sealed block are stored
//! with it, because computing them takes a read of many rows.

use super::error::StoreError;
use super::tables;
use super::value;
use super::view::View;
use crate::chain::{Block, BlockHash, Derived, Seal, SealDetails, derive_one};

impl View {
    /// Returns the values of a block of this chain.
    pub fn derived(&self, block: &Block) -> Result<Derived, StoreError> {
        match self.stored_details(block.index)? {
            Some(details) => Ok(Derived {
                hash: BlockHash::of(block),
                history_root: details.history_root,
                seal: Some(Seal::Sealed),
                zeros: details.zeros,
            }),
            None => self.derive(block),
        }
    }

    /// Computes the values of a block of this chain.
    fn derive(&self, block: &Block) -> Result<Derived, StoreError> {
        let below = match block.index.checked_sub(1) {
            Some(below) => self.block(below)?,
            None => None,
        };
        let proof = below.as_ref().and_then(Block::proof);
        let mut history = self.history(block.index)?;
        Ok(derive_one(&mut history, proof, block))
    }

    /// Returns `true` if the stored values of a block, if there are any, are those of the chain.
    pub(super) fn stored_details_are_right(&self, block: &Block) -> Result<bool, StoreError> {
        let stored = self.stored_details(block.index)?;
        Ok(stored.is_none() || stored == self.derive(block)?.details())
    }

    fn stored_details(&self, index: u64) -> Result<Option<SealDetails>, StoreError> {
        self.read(|| {
            let blocks = self.transaction().open_table(tables::BLOCKS)?;
            let stored = blocks.get(index)?;
            let stored = stored.ok_or_else(|| StoreError::missing("blocks", index))?;
            value::details(index, stored.value())
        })
    }
}
