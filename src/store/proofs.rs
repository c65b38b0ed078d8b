//! Checkpoints, receipts and consistency proofs of the chain in a view.
//!
//! The history table has no checksums of its own, so callers verify a proof before they pass it on:
//! a damaged table leads to a proof that does not verify, never to a wrong one that does.

use super::tables;
use super::{StoreError, View};
use crate::chain::history::NodeHash;
use crate::chain::{Block, BlockHash};
use crate::proofs::{Checkpoint, ConsistencyProof, Receipt};

impl View {
    /// Returns the checkpoint of a block.
    pub fn checkpoint(&self, block: &Block) -> Result<Checkpoint, StoreError> {
        let genesis = match block.index {
            0 => BlockHash::of(block),
            _ => BlockHash::of(&self.existing(0)?),
        };
        Ok(Checkpoint {
            genesis,
            index: block.index,
            hash: BlockHash::of(block),
            root: self.history_root(block.index)?,
        })
    }

    /// Makes a receipt for `blocks`, by rising index, under a later block of the same chain.
    pub fn receipt(&self, under: Block, blocks: Vec<Block>) -> Result<Receipt, StoreError> {
        self.with_nodes(|node| Receipt::make(under, blocks, node))
    }

    /// Makes the proof that the chain up to `to` continues the chain up to `from`, which must be
    /// an earlier block.
    pub fn consistency_proof(
        &self,
        from: &Block,
        to: &Block,
    ) -> Result<ConsistencyProof, StoreError> {
        let end = |block: &Block| (block.index, BlockHash::of(block));
        self.with_nodes(|node| ConsistencyProof::make(end(from), end(to), node))
    }

    fn existing(&self, index: u64) -> Result<Block, StoreError> {
        let block = self.block(index)?;
        block.ok_or_else(|| StoreError::missing("blocks", index))
    }

    /// Runs `read` with a reader of the nodes of the history tree by position.
    fn with_nodes<T>(
        &self,
        read: impl FnOnce(&mut dyn FnMut(u64) -> Result<NodeHash, StoreError>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read(|| {
            let nodes = self.transaction().open_table(tables::HISTORY)?;
            read(&mut |position| {
                let node = nodes
                    .get(position)?
                    .ok_or_else(|| StoreError::missing("history", position))?;
                Ok(*node.value())
            })
        })
    }
}
