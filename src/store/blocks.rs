//! Connects blocks to the chain: block, indexes, history tree, tip and mempool change together.

use redb::ReadableTable;

use super::edit::{Edit, EditResult};
use super::error::{Rejection, StoreError};
use super::state::block_json_bytes;
use super::value;
use crate::chain::{Block, BlockHash, Checker, Seal, Tip};

impl Edit<'_> {
    /// Appends blocks to the tip if it has the hash `parent`. All of them are checked before the
    /// first is written.
    pub(crate) fn append(&mut self, parent: &BlockHash, blocks: &[Block]) -> EditResult<()> {
        if self.state.tip.hash != *parent {
            return Ok(Err(Rejection::StaleTip));
        }
        let mut checker = self
            .checker()
            .above(self.state.tip.clone(), self.state.history.clone());
        let mut checked = Vec::with_capacity(blocks.len());
        let pushed = checker.push_all(blocks, |passed| {
            checked.push((passed.hash, passed.seal));
            passed.acceptable
        });
        if let Err(invalid) = pushed {
            return Ok(Err(invalid.into()));
        }
        for (block, (hash, seal)) in blocks.iter().zip(checked) {
            self.insert_block(block, Tip::with_hash(block, hash), seal)?;
        }
        Ok(Ok(()))
    }

    /// Returns a checker with the rules of this network.
    pub(crate) fn checker(&self) -> Checker {
        Checker::new(
            self.state.network.difficulty,
            self.state.network.sealed_from,
        )
    }

    /// Writes a block that was checked to be the next one; `tip` is its description.
    pub(crate) fn insert_block(
        &mut self,
        block: &Block,
        tip: Tip,
        seal: Option<Seal>,
    ) -> Result<(), StoreError> {
        self.blocks
            .insert(block.index, &*value::encode_block(block))?;
        self.index_by_hash
            .insert(tip.hash.as_bytes(), block.index)?;
        // Two blocks may carry the same id; the index keeps the lower one.
        let id = block.message.id();
        if self.index_by_message.get(id.as_bytes())?.is_none() {
            self.index_by_message.insert(id.as_bytes(), block.index)?;
        }
        self.append_history(&tip.hash)?;
        self.state.totals.chain_json_bytes += block_json_bytes(block);
        self.state.tip_is_sealed = seal == Some(Seal::Sealed);
        self.state.totals.sealed += u64::from(self.state.tip_is_sealed);
        self.state.tip = tip;
        self.remove_mined(&block.message)
    }

    fn append_history(&mut self, hash: &BlockHash) -> Result<(), StoreError> {
        let mut written = Ok(());
        let (history, nodes) = (&mut self.state.history, &mut self.history);
        history.append(hash, |position, node| {
            if written.is_ok() {
                written = nodes.insert(position, node).map(drop);
            }
        });
        Ok(written?)
    }
}
