//! Checkpoints, receipts and consistency proofs of the chain in a view.
//!
//! The history table has no checksums of its own, so each proof is verified before it is returned,
//! also against the seals of the blocks at its ends: a wrong one could be kept for years.

use super::tables;
use super::{StoreError, View};
use crate::chain::history::NodeHash;
use crate::chain::{Block, BlockHash, Seal};
use crate::proofs::{Checkpoint, ConsistencyProof, NotProven, Receipt};

impl View {
    /// Returns the checkpoint of a block.
    pub fn checkpoint(&self, block: &Block) -> Result<Checkpoint, StoreError> {
        let genesis = match block.index {
            0 => BlockHash::of(block),
            _ => BlockHash::of(&self.existing(0)?),
        };
        let root = self.history_root(block.index)?;
        check_root(block, &root)?;
        Ok(Checkpoint {
            genesis,
            index: block.index,
            hash: BlockHash::of(block),
            root,
        })
    }

    /// Creates a receipt for `blocks`, by ascending index, under a later block of the same chain.
    pub fn receipt(&self, under: Block, blocks: Vec<Block>) -> Result<Receipt, StoreError> {
        let receipt = self.with_nodes(|node| Receipt::create(under, blocks, node))?;
        receipt.check().map_err(|error| damaged(&error))?;
        Ok(receipt)
    }

    /// Makes the proof that the chain up to `to` continues the chain up to `from`, which must be
    /// an earlier block.
    pub fn consistency_proof(
        &self,
        from: &Block,
        to: &Block,
    ) -> Result<ConsistencyProof, StoreError> {
        let end = |block: &Block| (block.index, BlockHash::of(block));
        let proof = self.with_nodes(|node| ConsistencyProof::create(end(from), end(to), node))?;
        proof.check().map_err(|error| damaged(&error))?;
        check_root(from, &proof.from.root)?;
        check_root(to, &proof.to.root)?;
        Ok(proof)
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

/// Checks a history root against the seal of its block; an open block commits to none.
fn check_root(block: &Block, root: &NodeHash) -> Result<(), StoreError> {
    if Seal::of(block, || *root) == Some(Seal::Broken) {
        return Err(damaged(&NotProven::BrokenSeal { index: block.index }));
    }
    Ok(())
}

fn damaged(error: &NotProven) -> StoreError {
    StoreError::corrupt(format!("table history: {error}"))
}
