//! Reorgs: switching to another branch in one transaction, without losing a message.
//!
//! A branch that forks below the tip is staged first, in any number of commits, and checked when it
//! is adopted. The switch is made only if [`crate::chain::fork_choice`] prefers the branch.

use std::collections::BTreeSet;

use redb::ReadableTable;

use super::blocks::CheckedBlock;
use super::edit::{Edit, EditResult};
use super::error::{Rejection, StoreError};
use super::page::PageLimit;
use super::state::block_json_bytes;
use super::tables::{DisconnectedRecord, ReorgRecord};
use super::value::{self, decode_block, decode_block_of};
use crate::chain::Tip;
use crate::chain::fork_choice::{ForkCandidate, prefers_offered};
use crate::chain::{Block, BlockHash, Checker, History, Seal, derive_one, history};

/// Request to switch to a staged branch.
#[derive(Clone, Debug)]
pub struct Adoption {
    /// Number of the staged branch.
    pub branch: u64,
    /// Peer that sent it.
    pub source: String,
    /// Current time in milliseconds since the epoch.
    pub at: u64,
    /// Maximum number of blocks that may be disconnected.
    pub max_reorg: u64,
    /// Maximum length of a chain whose genesis block may be replaced.
    pub max_replaceable_genesis_length: u64,
}

/// Maximum number of disconnected blocks listed in the record of a reorg.
const MAX_LISTED_BLOCKS: usize = 100;

impl Edit<'_> {
    /// Adds blocks to a staged branch.
    pub(crate) fn stage(&mut self, branch: u64, blocks: &[Block]) -> Result<(), StoreError> {
        for block in blocks {
            self.staged
                .insert((branch, block.index), &*value::encode_block(block))?;
        }
        Ok(())
    }

    /// Deletes a staged branch.
    pub(crate) fn drop_branch(&mut self, branch: u64) -> Result<(), StoreError> {
        Ok(self
            .staged
            .retain_in((branch, 0)..=(branch, u64::MAX), |_, _| false)?)
    }

    /// Checks a staged branch and switches to it. The staged blocks are deleted in any case.
    pub(crate) fn adopt(&mut self, adoption: &Adoption) -> EditResult<ReorgRecord> {
        let outcome = self.try_adopt(adoption)?;
        self.drop_branch(adoption.branch)?;
        Ok(outcome)
    }

    fn try_adopt(&mut self, adoption: &Adoption) -> EditResult<ReorgRecord> {
        let branch = adoption.branch;
        let Some(from) = self
            .staged
            .range((branch, 0)..)?
            .next()
            .transpose()?
            .and_then(|first| {
                let (found, index) = first.0.value();
                (found == branch).then_some(index)
            })
        else {
            return Ok(Err(Rejection::NotConnected));
        };
        if from > self.state.length() {
            return Ok(Err(Rejection::NotConnected));
        }
        let depth = self.state.length() - from;
        if depth > adoption.max_reorg {
            let limit = adoption.max_reorg;
            return Ok(Err(Rejection::TooDeep { depth, limit }));
        }
        if from == 0 && depth > adoption.max_replaceable_genesis_length {
            return Ok(Err(Rejection::GenesisFixed));
        }
        let history = self.history_of(from)?;
        let mut checker = self.checker();
        if from > 0 {
            checker = checker.above(Tip::of(&self.connected_block(from - 1)?), history.clone());
        }
        let offered = match self.check_branch(branch, from, checker)? {
            Ok(offered) => offered,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let disconnected_sealed = self.sealed_from_index(from, history.clone())?;
        let whole_chain = ForkCandidate {
            sealed: self.state.totals.sealed - disconnected_sealed + offered.sealed,
            ..offered
        };
        if !prefers_offered(&self.state.fork_candidate(), &whole_chain) {
            return Ok(Err(Rejection::NotPreferred));
        }
        let mut reorg = ReorgRecord {
            at: adoption.at,
            source: adoption.source.clone(),
            from,
            old_tip: *self.state.tip.hash.as_bytes(),
            new_tip: *offered.tip.as_bytes(),
            disconnected: depth,
            disconnected_sealed,
            connected: offered.length - from,
            connected_sealed: offered.sealed,
            returned: 0,
            disconnected_blocks: self.lowest_blocks(from)?,
        };
        if depth > 0 {
            let number = self.state.totals.reorgs + 1;
            self.keep_content(number, from, history.clone())?;
        }
        let first_returned = self.state.totals.next_sequence;
        self.state.totals.sealed -= disconnected_sealed;
        self.switch(branch, from, history, adoption.at)?;
        reorg.returned = self.mempool.range(first_returned..)?.count() as u64;
        if reorg.disconnected > 0 {
            self.state.totals.reorgs += 1;
            self.reorgs
                .insert(self.state.totals.reorgs, &*value::encode(&reorg))?;
        }
        Ok(Ok(reorg))
    }

    /// Returns the lowest blocks from an index upwards, for the record of a reorg.
    fn lowest_blocks(&self, from: u64) -> Result<Vec<DisconnectedRecord>, StoreError> {
        let describe = |row: Result<(redb::AccessGuard<'_, u64>, redb::AccessGuard<'_, _>), _>| {
            let (index, bytes): (_, redb::AccessGuard<'_, &[u8]>) = row?;
            let block = decode_block(index.value(), bytes.value())?;
            Ok(DisconnectedRecord {
                hash: *BlockHash::of(&block).as_bytes(),
                message: *block.message.id().as_bytes(),
            })
        };
        self.blocks
            .range(from..)?
            .take(MAX_LISTED_BLOCKS)
            .map(describe)
            .collect()
    }

    /// Checks the blocks of a branch. `sealed` of the result counts the blocks of the branch alone.
    fn check_branch(
        &self,
        branch: u64,
        from: u64,
        mut checker: Checker,
    ) -> EditResult<ForkCandidate> {
        let (mut genesis, mut tip_seal) = (self.state.genesis, None);
        let mut rows = self.staged.range((branch, from)..=(branch, u64::MAX))?;
        loop {
            let (mut page, mut page_bytes) = (Vec::new(), 0);
            while page.len() < PageLimit::SCAN.count && page_bytes < PageLimit::SCAN.bytes {
                let Some(row) = rows.next() else { break };
                let (key, bytes) = row?;
                page.push(decode_block_of("staged", key.value().1, bytes.value())?);
                page_bytes += bytes.value().len();
            }
            if page.is_empty() {
                break;
            }
            let pushed = checker.push_all(&page, |passed| {
                tip_seal = passed.seal;
                if passed.block.index == 0 {
                    genesis = passed.hash;
                }
                passed.acceptable
            });
            if let Err(invalid) = pushed {
                return Ok(Err(invalid.into()));
            }
        }
        let Some(tip) = checker.tip() else {
            return Ok(Err(Rejection::NotConnected));
        };
        Ok(Ok(ForkCandidate {
            length: tip.index + 1,
            sealed: checker.seals().sealed,
            genesis,
            tip: tip.hash,
            tip_is_sealed: tip_seal == Some(Seal::Sealed),
        }))
    }

    fn sealed_from_index(&self, from: u64, mut history: History) -> Result<u64, StoreError> {
        let mut sealed = 0;
        for row in self.blocks.range(from..)? {
            let (index, bytes) = row?;
            let block = decode_block(index.value(), bytes.value())?;
            sealed += u64::from(Seal::of(&block, || history.root()) == Some(Seal::Sealed));
            history.append(&BlockHash::of(&block), |_, _| {});
        }
        Ok(sealed)
    }

    /// Replaces the blocks from index `from` with a checked branch that is at least as long. The
    /// disconnected blocks are staged in its place until their messages are returned to the
    /// mempool, oldest first, except those that the branch contains.
    fn switch(
        &mut self,
        branch: u64,
        from: u64,
        history: History,
        now: u64,
    ) -> Result<(), StoreError> {
        let length = self.state.length();
        // Blocks whose message id belongs to a lower block: their message is not found by it.
        let mut hidden = BTreeSet::new();
        // From the top down, because a higher block may have a row, too, which must not be found
        // once that of the lower one is gone.
        for index in (from..length).rev() {
            if !self.remove_rows(index)? {
                hidden.insert(index);
            }
        }
        self.history
            .retain_in(history::node_count(from).., |_, _| false)?;
        self.state.history = history;
        let mut index = from;
        while let Some(block) = self.staged_block(branch, index)? {
            if index < length {
                let replaced = value::encode_block(&self.connected_block(index)?);
                self.staged.insert((branch, index), &*replaced)?;
            }
            let checked = self.derive_next(&block)?;
            self.connect_one(&block, checked)?;
            if index == 0 {
                self.state.genesis = self.state.tip.hash;
            }
            index += 1;
        }
        // The message of the genesis block was not sent by a client.
        for index in from.max(1)..length {
            if let Some(block) = self.staged_block(branch, index)? {
                let original = block.message.id();
                let id = self.add_pending(block.message, now)?;
                if !hidden.contains(&index) {
                    self.remember_renamed(original, id)?;
                }
            }
        }
        Ok(())
    }

    /// Returns the values of a checked block above those in the history tree.
    fn derive_next(&self, block: &Block) -> Result<CheckedBlock, StoreError> {
        let below = block.index.checked_sub(1);
        let below = below.map(|index| self.connected_block(index)).transpose()?;
        let proof = below.as_ref().and_then(Block::proof);
        let mut history = self.state.history.clone();
        Ok(derive_one(&mut history, proof, block).into())
    }

    /// Removes a block from the indexes and counts. Returns `true` if its message was the one found
    /// by its id.
    fn remove_rows(&mut self, index: u64) -> Result<bool, StoreError> {
        let block = self.connected_block(index)?;
        let (hash, id) = (BlockHash::of(&block), block.message.id());
        self.index_by_hash.remove(hash.as_bytes(), index)?;
        self.state.totals.chain_json_bytes -= block_json_bytes(&block);
        let lowest = self.index_by_message.get(id.as_bytes())?;
        self.index_by_message.remove(id.as_bytes(), index)?;
        Ok(lowest == Some(index))
    }

    fn staged_block(&self, branch: u64, index: u64) -> Result<Option<Block>, StoreError> {
        let staged = self.staged.get((branch, index))?;
        staged
            .map(|bytes| decode_block_of("staged", index, bytes.value()))
            .transpose()
    }

    pub(super) fn connected_block(&self, index: u64) -> Result<Block, StoreError> {
        let bytes = self
            .blocks
            .get(index)?
            .ok_or_else(|| StoreError::missing("blocks", index))?;
        decode_block(index, bytes.value())
    }

    fn history_of(&self, length: u64) -> Result<History, StoreError> {
        History::load(length, |position| {
            let node = self
                .history
                .get(position)?
                .ok_or_else(|| StoreError::missing("history", position))?;
            Ok(*node.value())
        })
    }
}
