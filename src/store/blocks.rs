//! Connects blocks to the chain: block, indexes, history tree, tip and mempool change together.

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};

use super::edit::{Edit, EditResult};
use super::error::{Rejection, StoreError};
use super::index::end_of;
use super::state::block_json_bytes;
use super::value;
use crate::chain::{Block, BlockHash, Checker, Derived, Passed, SealDetails, Tip};

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
            checked.push(CheckedBlock::from(&passed));
            passed.acceptable
        });
        if let Err(invalid) = pushed {
            return Ok(Err(invalid.into()));
        }
        self.connect(blocks, &checked)?;
        Ok(Ok(()))
    }

    /// Writes blocks that were checked to be the next ones, each with its values.
    fn connect(&mut self, blocks: &[Block], checked: &[CheckedBlock]) -> Result<(), StoreError> {
        let Some((last, last_checked)) = blocks.last().zip(checked.last()) else {
            return Ok(());
        };
        let encoded = EncodedBlock::all(blocks, checked);
        if let [block] = &*encoded {
            // It may replace a disconnected one.
            self.blocks.insert(last.index, &*block.value)?;
        } else {
            let mut end = end_of(&mut self.blocks)?;
            for (block, encoded) in blocks.iter().zip(&encoded) {
                end.insert_before(block.index, &*encoded.value)?;
            }
            end.close()?;
        }
        let (mut end, mut written) = (end_of(&mut self.history)?, Ok(()));
        for CheckedBlock { hash, .. } in checked {
            self.state.history.append(hash, |position, node| {
                if written.is_ok() {
                    written = end.insert_before(position, node);
                }
            });
        }
        written?;
        end.close()?;
        for ((block, encoded), checked) in blocks.iter().zip(&encoded).zip(checked) {
            let hash = checked.hash.as_bytes();
            self.index_by_hash.insert(hash, block.index)?;
            self.index_by_message
                .insert(&encoded.message, block.index)?;
            self.state.totals.chain_json_bytes += encoded.json_bytes;
            self.state.totals.sealed += u64::from(checked.is_sealed());
            self.remove_mined(&block.message)?;
        }
        self.state.tip_is_sealed = last_checked.is_sealed();
        self.state.tip = Tip::with_hash(last, last_checked.hash);
        Ok(())
    }

    /// Returns a checker with the rules of this network.
    pub(crate) fn checker(&self) -> Checker {
        Checker::new(
            self.state.network.difficulty,
            self.state.network.sealed_from,
        )
    }

    /// Writes a block that was checked to be the next one.
    pub(crate) fn connect_one(
        &mut self,
        block: &Block,
        checked: CheckedBlock,
    ) -> Result<(), StoreError> {
        self.connect(std::slice::from_ref(block), &[checked])
    }
}

/// The values of a block that breaks no rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckedBlock {
    pub(crate) hash: BlockHash,
    /// Details of its seal; `None` if it is not sealed.
    pub(crate) details: Option<SealDetails>,
}

impl CheckedBlock {
    pub(super) fn is_sealed(&self) -> bool {
        self.details.is_some()
    }
}

impl From<&Passed<'_, '_>> for CheckedBlock {
    fn from(passed: &Passed<'_, '_>) -> Self {
        Self {
            hash: passed.hash,
            details: passed.details,
        }
    }
}

impl From<Derived> for CheckedBlock {
    fn from(derived: Derived) -> Self {
        Self {
            hash: derived.hash,
            details: derived.details(),
        }
    }
}

/// A block as it is stored, and the other values that its tables need.
pub(super) struct EncodedBlock {
    pub(super) value: Vec<u8>,
    /// Id of its message.
    pub(super) message: [u8; 16],
    /// Size of its JSON in `/chain` ([`Totals::chain_json_bytes`](super::tables::Totals)).
    pub(super) json_bytes: u64,
}

impl EncodedBlock {
    /// Encodes blocks, on all processors if they are many.
    pub(super) fn all(blocks: &[Block], checked: &[CheckedBlock]) -> Vec<Self> {
        assert_eq!(blocks.len(), checked.len(), "each block was checked");
        let encode = |(block, checked): (&Block, &CheckedBlock)| Self {
            value: value::encode_connected(block, checked.details.as_ref()),
            message: *block.message.id().as_bytes(),
            json_bytes: block_json_bytes(block),
        };
        if let ([block], [checked]) = (blocks, checked) {
            return vec![encode((block, checked))];
        }
        let both = blocks.par_iter().with_min_len(64).zip(checked);
        both.map(encode).collect()
    }
}
