//! Compares all other tables with the blocks in one pass over them, in constant memory.
//!
//! The history tree is compared row by row. The indexes are ordered differently from the blocks, so
//! sums of keyed hashes are compared: two different sets of rows have the same sum with a
//! probability of 2^-64. Rows are looked up one by one only after a difference, to name the first
//! wrong one.

use std::hash::{BuildHasher, RandomState};

use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use super::super::error::StoreError;
use super::super::index::IndexDefinition;
use super::super::panics::catch_engine_panic;
use super::super::state::{State, block_json_bytes};
use super::super::tables;
use super::super::value;
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

/// Running comparison of the blocks with the other tables.
pub struct Audit<'a> {
    view: &'a View,
    state: State,
    /// The blocks as they are stored.
    stored: redb::Range<'static, u64, &'static [u8]>,
    nodes: redb::Range<'static, u64, &'static [u8; 32]>,
    /// Position of the next node.
    next_node: u64,
    /// Number of blocks that passed.
    blocks: u64,
    /// Number of them that are sealed.
    sealed: u64,
    json_bytes: u64,
    key: RandomState,
    by_hash: u64,
    by_message: u64,
    /// A node of the history tree does not match the blocks.
    differs: bool,
    /// The first error of the details of the seals that are stored with the blocks.
    details_error: Option<StoreError>,
}

impl<'a> Audit<'a> {
    /// Starts before the genesis block, and compares the numbers of rows.
    pub fn new(view: &'a View) -> Result<Self, StoreError> {
        let state = catch_engine_panic(|| State::load(view))?;
        check_counts(view, &state)?;
        let nodes = catch_engine_panic(|| {
            let table = view.transaction().open_table(tables::HISTORY)?;
            Ok(table.range::<u64>(..)?)
        })?;
        let stored = catch_engine_panic(|| {
            let table = view.transaction().open_table(tables::BLOCKS)?;
            Ok(table.range::<u64>(..)?)
        })?;
        Ok(Self {
            view,
            state,
            stored,
            nodes,
            next_node: 0,
            blocks: 0,
            sealed: 0,
            json_bytes: 0,
            key: RandomState::new(),
            by_hash: 0,
            by_message: 0,
            differs: false,
            details_error: None,
        })
    }

    /// Returns the number of blocks in the chain.
    pub fn length(&self) -> u64 {
        self.state.length()
    }

    /// Adds the JSON sizes of the blocks of a page.
    pub fn measure(&mut self, page: &[Block]) {
        self.json_bytes += page.par_iter().map(block_json_bytes).sum::<u64>();
    }

    /// Adds the next block, which is valid.
    pub fn push(&mut self, passed: &Passed<'_, '_>) {
        let index = passed.block.index;
        let sum = |sum: u64, key: &[u8]| sum.wrapping_add(self.key.hash_one((key, index)));
        self.by_hash = sum(self.by_hash, passed.hash.as_bytes());
        self.by_message = sum(self.by_message, passed.block.message.id().as_bytes());
        self.sealed += u64::from(passed.seal == Some(Seal::Sealed));
        self.blocks += 1;
        self.differs |= !self.next_nodes_are(passed.nodes).unwrap_or(false);
        if let Err(error) = self.check_next_details(passed) {
            self.details_error.get_or_insert(error);
        }
    }

    /// Checks that the details of the seal that are stored with the next block, if any, are those
    /// of the chain.
    fn check_next_details(&mut self, passed: &Passed<'_, '_>) -> Result<(), StoreError> {
        let index = passed.block.index;
        catch_engine_panic(|| {
            let next = self.stored.next().transpose()?;
            let (_, stored) = next
                .filter(|(at, _)| at.value() == index)
                .ok_or_else(|| StoreError::missing("blocks", index))?;
            let details = value::details(index, stored.value())?;
            if details.is_none() || details == passed.details {
                return Ok(());
            }
            Err(StoreError::corrupt(format!(
                "block {index}: the details of its seal are not those of the chain"
            )))
        })
    }

    fn next_nodes_are(&mut self, expected: &[[u8; 32]]) -> Result<bool, StoreError> {
        catch_engine_panic(|| {
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

    /// Compares the sums, and checks the tables that do not belong to blocks.
    ///
    /// # Errors
    /// The first wrong row. If not all blocks were added, totals over all blocks are not compared.
    pub fn finish(self) -> Result<IntegrityReport, StoreError> {
        let length = self.length();
        let is_whole = self.blocks == length;
        if let Some(error) = self.details_error {
            return Err(error);
        }
        if !is_whole || self.differs || !self.indexes_are_right()? {
            check_range(self.view, 0, length)?;
            check_index_by_message(self.view)?;
        }
        if self.differs {
            // Right children are used by proofs only, so loading a tree does not detect this.
            return Err(StoreError::corrupt(
                "table history: a node does not match the blocks",
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

    /// Returns `true` if both indexes have exactly the rows of the blocks. Returns `false` without
    /// a difference if two blocks contain the same message id, which may have only one row.
    fn indexes_are_right(&self) -> Result<bool, StoreError> {
        Ok(
            self.sum(&tables::INDEX_BY_HASH)? == (self.blocks, self.by_hash)
                && self.sum(&tables::INDEX_BY_MESSAGE)? == (self.blocks, self.by_message),
        )
    }

    fn sum<const N: usize>(&self, index: &IndexDefinition<N>) -> Result<(u64, u64), StoreError> {
        catch_engine_panic(|| {
            let rows = index.read(self.view.transaction())?;
            let mut sum = 0_u64;
            rows.each(|key, index| {
                sum = sum.wrapping_add(self.key.hash_one((&key[..], index)));
                Ok(())
            })?;
            Ok((rows.len()?, sum))
        })
    }
}
