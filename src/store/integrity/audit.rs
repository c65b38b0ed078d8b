//! Holds all other tables against the blocks while those are walked over once, in constant memory.
//!
//! The history tree is compared row by row. The rows of an index lie in another order than the
//! blocks, so sums of keyed hashes are compared: two sets of rows with the same sum are the same,
//! but for a chance of one in 2^64. Only if something differs the rows are looked up one by one, to
//! name the first that is wrong.

use std::hash::{BuildHasher, RandomState};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};
use redb::{Key, ReadableTable, ReadableTableMetadata, TableDefinition};

use super::super::error::StoreError;
use super::super::panics::guarded;
use super::super::state::{State, block_json_bytes};
use super::super::tables;
use super::super::view::View;
use super::{check_counts, check_index_by_message, check_mempool, check_range, wrong_totals};
use crate::chain::{Block, Passed, Seal};

/// Result of a full check that found no damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegrityReport {
    /// Number of blocks.
    pub blocks: u64,
    /// Number of pending messages.
    pub pending: u64,
}

/// What the blocks walked over so far say of the other tables.
pub struct Audit<'a> {
    view: &'a View,
    state: State,
    nodes: redb::Range<'static, u64, &'static [u8; 32]>,
    /// Position of the next of them.
    next_node: u64,
    /// Blocks that passed, and how many of them are sealed.
    blocks: u64,
    sealed: u64,
    json_bytes: u64,
    key: RandomState,
    by_hash: u64,
    by_message: u64,
    /// Whether a node of the tree is not that of the blocks.
    differs: bool,
}

impl<'a> Audit<'a> {
    /// Begins before the genesis block. Compares the numbers of rows.
    pub fn new(view: &'a View) -> Result<Self, StoreError> {
        let state = guarded(|| State::load(view))?;
        check_counts(view, &state)?;
        let nodes = guarded(|| {
            let table = view.transaction().open_table(tables::HISTORY)?;
            Ok(table.range::<u64>(..)?)
        })?;
        Ok(Self {
            view,
            state,
            nodes,
            next_node: 0,
            blocks: 0,
            sealed: 0,
            json_bytes: 0,
            key: RandomState::new(),
            by_hash: 0,
            by_message: 0,
            differs: false,
        })
    }

    /// Number of blocks that there are.
    pub fn length(&self) -> u64 {
        self.state.length()
    }

    /// Takes note of how long the blocks of a page are in JSON.
    pub fn measure(&mut self, page: &[Block]) {
        self.json_bytes += page.par_iter().map(block_json_bytes).sum::<u64>();
    }

    /// Takes note of the next block, which broke no rule.
    pub fn push(&mut self, passed: &Passed<'_, '_>) {
        let index = passed.block.index;
        let sum = |sum: u64, key: &[u8]| sum.wrapping_add(self.key.hash_one((key, index)));
        self.by_hash = sum(self.by_hash, passed.hash.as_bytes());
        self.by_message = sum(self.by_message, passed.block.message.id().as_bytes());
        self.sealed += u64::from(passed.seal == Some(Seal::Sealed));
        self.blocks += 1;
        self.differs |= !self.next_nodes_are(passed.nodes).unwrap_or(false);
    }

    fn next_nodes_are(&mut self, expected: &[[u8; 32]]) -> Result<bool, StoreError> {
        guarded(|| {
            for node in expected {
                let position = self.next_node;
                self.next_node += 1;
                match self.nodes.next().transpose()? {
                    Some((at, found)) if at.value() == position && found.value() == node => {}
                    _ => return Ok(false),
                }
            }
            Ok(true)
        })
    }

    /// Compares what was noted, and checks the tables that no block leads to.
    ///
    /// # Errors
    /// The first row that is wrong; if not all blocks passed, only of those that were looked at.
    pub fn finish(self) -> Result<IntegrityReport, StoreError> {
        let length = self.length();
        let is_whole = self.blocks == length;
        if !is_whole || self.differs || !self.indexes_are_right()? {
            check_range(self.view, 0, length)?;
            check_index_by_message(self.view)?;
        }
        if self.differs {
            // Right children are in no tree that can be loaded, but in proofs.
            return Err(StoreError::corrupt(
                "table history: a node is not that of the blocks",
            ));
        }
        if is_whole && self.sealed != self.state.totals.sealed {
            return Err(wrong_totals("sealed"));
        }
        if is_whole && self.json_bytes != self.state.totals.chain_json_bytes {
            return Err(wrong_totals("chain_json_bytes"));
        }
        let pending = check_mempool(self.view, &self.state)?;
        Ok(IntegrityReport {
            blocks: length,
            pending,
        })
    }

    /// Whether both indexes have exactly the rows that belong to the blocks. An id in two blocks
    /// has one row, so then this cannot tell.
    fn indexes_are_right(&self) -> Result<bool, StoreError> {
        Ok(
            self.sum(tables::INDEX_BY_HASH)? == (self.blocks, self.by_hash)
                && self.sum(tables::INDEX_BY_MESSAGE)? == (self.blocks, self.by_message),
        )
    }

    fn sum<K: Key + 'static>(
        &self,
        table: TableDefinition<'_, K, u64>,
    ) -> Result<(u64, u64), StoreError> {
        guarded(|| {
            let table = self.view.transaction().open_table(table)?;
            let mut sum = 0_u64;
            for row in table.iter()? {
                let (key, index) = row?;
                let key = key.value();
                let key = K::as_bytes(&key);
                sum = sum.wrapping_add(self.key.hash_one((key.as_ref(), index.value())));
            }
            Ok((table.len()?, sum))
        })
    }
}
