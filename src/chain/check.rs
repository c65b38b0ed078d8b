//! Checks for the rules of the chain, with a named violation for each rule.

use std::slice;

use thiserror::Error;

use super::block::Block;
use super::hash::BlockHash;
use super::history::{History, NodeHash};
use super::precomputed::{Precomputed, PrecomputedBlock, SealDetails};
use super::proof::Proof;
use super::seal::Seal;
use super::timestamp::Timestamp;
use super::tip::Tip;
use crate::pow::Difficulty;
use crate::text::counted;

/// The first rule that a block breaks, with the expected value and the value found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleViolation {
    /// Rule 1: the index of the first block is not 0.
    #[error("breaks rule 1: the genesis block has index {found}, expected 0")]
    GenesisIndex {
        /// Index found.
        found: u64,
    },
    /// Rule 1: the first block has a proof and a previous hash.
    #[error(
        "breaks rule 1: the genesis block has proof {proof} and previous hash {previous_hash}, \
         expected none"
    )]
    GenesisLink {
        /// Proof found.
        proof: Proof,
        /// Previous hash found.
        previous_hash: BlockHash,
    },
    /// Rule 2: the index is not the position in the chain.
    #[error("breaks rule 2: the index is {found}, expected {expected}")]
    Index {
        /// Position of the block.
        expected: u64,
        /// Index found.
        found: u64,
    },
    /// Rules 3 and 4: a block after the genesis block has no previous hash and no proof.
    #[error("breaks rule 3: there is no previous hash, expected {expected}")]
    NoLink {
        /// Hash of the previous block.
        expected: BlockHash,
    },
    /// Rule 3: the previous hash is not the hash of the previous block.
    #[error("breaks rule 3: the previous hash is {found}, expected {expected}")]
    PreviousHash {
        /// Hash of the previous block.
        expected: BlockHash,
        /// Previous hash found.
        found: BlockHash,
    },
    /// Rule 4: the proof does not solve the puzzle.
    #[error(
        "breaks rule 4: the digest of the proofs ends with {}, \
         expected {expected} or more",
        counted((*found).into(), "zero")
    )]
    ProofOfWork {
        /// Difficulty of the checking node.
        expected: Difficulty,
        /// Trailing zeros found.
        found: u8,
    },
    /// Rule 5: the time is not later than that of the previous block.
    #[error("breaks rule 5: the time is {found}, expected later than {previous}")]
    Time {
        /// Time of the previous block.
        previous: Timestamp,
        /// Time found.
        found: Timestamp,
    },
    /// Not acceptable: the block is not the one that was sealed.
    #[error("not acceptable because the seal is broken: this content is not what was sealed")]
    BrokenSeal,
    /// Not acceptable: the proof is open, but must be sealed from this index on.
    #[error(
        "not acceptable because the proof is open; from index {sealed_from} on it must be sealed"
    )]
    NotSealed {
        /// First index that must be sealed.
        sealed_from: u64,
    },
}

impl RuleViolation {
    /// Returns the number of the broken rule; `None` if the block follows the rules but is not
    /// acceptable.
    pub fn rule(&self) -> Option<u8> {
        match self {
            Self::GenesisIndex { .. } | Self::GenesisLink { .. } => Some(1),
            Self::Index { .. } => Some(2),
            Self::NoLink { .. } | Self::PreviousHash { .. } => Some(3),
            Self::ProofOfWork { .. } => Some(4),
            Self::Time { .. } => Some(5),
            Self::BrokenSeal | Self::NotSealed { .. } => None,
        }
    }
}

/// Checks rule 1.
pub fn check_genesis(block: &Block) -> Result<(), RuleViolation> {
    if block.index != 0 {
        return Err(RuleViolation::GenesisIndex { found: block.index });
    }
    match &block.link {
        None => Ok(()),
        Some(link) => Err(RuleViolation::GenesisLink {
            proof: link.proof.clone(),
            previous_hash: link.previous_hash,
        }),
    }
}

/// Checks rules 2 to 5 for the block after `tip`, in the order of the reference miner. `zeros` is the result of
/// [`pow::zeros`](crate::pow::zeros) for the proof of the tip and that of the block.
pub fn check_successor(
    tip: &Tip,
    block: &Block,
    zeros: u8,
    difficulty: Difficulty,
) -> Result<(), RuleViolation> {
    if Some(block.index) != tip.index.checked_add(1) {
        let expected = tip.index.saturating_add(1);
        return Err(RuleViolation::Index {
            expected,
            found: block.index,
        });
    }
    let link = block
        .link
        .as_ref()
        .ok_or(RuleViolation::NoLink { expected: tip.hash })?;
    if link.previous_hash != tip.hash {
        return Err(RuleViolation::PreviousHash {
            expected: tip.hash,
            found: link.previous_hash,
        });
    }
    if zeros < difficulty.get() {
        return Err(RuleViolation::ProofOfWork {
            expected: difficulty,
            found: zeros,
        });
    }
    if block.timestamp.cmp_instant(tip.timestamp).is_le() {
        return Err(RuleViolation::Time {
            previous: tip.timestamp,
            found: block.timestamp,
        });
    }
    Ok(())
}

/// Checks that the seal of a block is not broken, and that the block is sealed from `sealed_from` on.
pub fn check_seal(
    index: u64,
    seal: Option<Seal>,
    sealed_from: Option<u64>,
) -> Result<(), RuleViolation> {
    match (seal, sealed_from) {
        (Some(Seal::Broken), _) => Err(RuleViolation::BrokenSeal),
        (Some(Seal::Open), Some(sealed_from)) if index >= sealed_from => {
            Err(RuleViolation::NotSealed { sealed_from })
        }
        _ => Ok(()),
    }
}

/// Number of blocks after the genesis block in each class of proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct SealCounts {
    /// Sealed blocks.
    pub sealed: u64,
    /// Open blocks.
    pub open: u64,
    /// Blocks whose seal is broken.
    pub broken: u64,
}

impl SealCounts {
    fn add(&mut self, seal: Option<Seal>) {
        match seal {
            None => {}
            Some(Seal::Sealed) => self.sealed += 1,
            Some(Seal::Open) => self.open += 1,
            Some(Seal::Broken) => self.broken += 1,
        }
    }
}

/// A block that breaks no rule.
#[derive(Debug)]
pub struct Passed<'a, 'b> {
    /// The block.
    pub block: &'a Block,
    /// Hash of the block.
    pub hash: BlockHash,
    /// Class of its proof; `None` for a genesis block.
    pub seal: Option<Seal>,
    /// Details of the seal; `None` if the block is not sealed.
    pub details: Option<SealDetails>,
    /// `Ok` if its seal is acceptable.
    pub acceptable: Result<(), RuleViolation>,
    /// Nodes of the history tree that the block completes, in order of position.
    pub nodes: &'b [NodeHash],
}

/// Error that names the first invalid block and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("block {index}: {violation}")]
pub struct InvalidBlock {
    /// Position of the block in the chain, which may differ from the index that it claims.
    pub index: u64,
    /// The broken rule.
    #[source]
    pub violation: RuleViolation,
}

/// Checks a chain block by block, from the genesis block or from any later point.
#[derive(Clone, Debug)]
pub struct Checker {
    difficulty: Difficulty,
    sealed_from: Option<u64>,
    tip: Option<Tip>,
    history: History,
    seals: SealCounts,
    min_zeros: Option<u8>,
}

impl Checker {
    /// Creates a checker that starts with the genesis block. It rejects broken seals, and open proofs
    /// from index `sealed_from` on.
    pub fn new(difficulty: Difficulty, sealed_from: Option<u64>) -> Self {
        Self {
            difficulty,
            sealed_from,
            tip: None,
            history: History::default(),
            seals: SealCounts::default(),
            min_zeros: None,
        }
    }

    /// Sets the tip that the next block follows, and the history of the chain up to it.
    #[must_use]
    pub fn above(mut self, tip: Tip, history: History) -> Self {
        self.tip = Some(tip);
        self.history = history;
        self
    }

    /// Checks the next block and makes it the tip.
    ///
    /// # Errors
    /// If the block breaks a rule, the checker does not change. If only its seal is not acceptable,
    /// the violation is returned, but the block is counted and becomes the tip.
    pub fn push(&mut self, block: &Block) -> Result<Option<Seal>, RuleViolation> {
        let mut seal = None;
        let pushed = self.push_all(slice::from_ref(block), |passed| {
            seal = passed.seal;
            passed.acceptable
        });
        pushed.map_err(|invalid| invalid.violation)?;
        Ok(seal)
    }

    /// Checks consecutive blocks and makes each of them the tip. Hashes are computed for many blocks
    /// at once. `each` is called with every block that breaks no rule and stops the check by
    /// returning an error.
    ///
    /// # Errors
    /// Returns the first block that breaks a rule, which does not become the tip, or the error of
    /// `each` for a block that is already the tip.
    pub fn push_all<'a>(
        &mut self,
        blocks: &'a [Block],
        mut each: impl FnMut(Passed<'a, '_>) -> Result<(), RuleViolation>,
    ) -> Result<(), InvalidBlock> {
        let proof = self.tip.as_ref().and_then(|tip| tip.proof.as_ref());
        let Precomputed { of_blocks, tree } = Precomputed::of(proof, &self.history, blocks);
        let mut length = self.history.len();
        let mut outcome = Ok(());
        for (block, precomputed) in blocks.iter().zip(of_blocks) {
            let index = self.next_index();
            let nodes = tree.nodes_of(length);
            let stepped = self.step(block, precomputed).and_then(|acceptable| {
                length += 1;
                each(Passed {
                    block,
                    hash: precomputed.hash,
                    seal: precomputed.seal,
                    details: precomputed.details(),
                    acceptable,
                    nodes,
                })
            });
            if let Err(violation) = stepped {
                outcome = Err(InvalidBlock { index, violation });
                break;
            }
        }
        self.history = tree.history(length);
        outcome
    }

    /// Checks one block. If it breaks no rule it becomes the tip, and the inner result tells if its
    /// seal is acceptable.
    fn step(
        &mut self,
        block: &Block,
        precomputed: PrecomputedBlock,
    ) -> Result<Result<(), RuleViolation>, RuleViolation> {
        match &self.tip {
            None => check_genesis(block)?,
            Some(tip) => {
                check_successor(tip, block, precomputed.zeros, self.difficulty)?;
                let min = self.min_zeros.unwrap_or(u8::MAX);
                self.min_zeros = Some(min.min(precomputed.zeros));
            }
        }
        self.seals.add(precomputed.seal);
        self.tip = Some(Tip::with_hash(block, precomputed.hash));
        Ok(check_seal(block.index, precomputed.seal, self.sealed_from))
    }

    /// Returns the position of the next block, which may differ from the index that it claims.
    pub fn next_index(&self) -> u64 {
        self.tip.as_ref().map_or(0, |tip| tip.index + 1)
    }

    /// Returns the last block that passed; `None` before the genesis block.
    pub fn tip(&self) -> Option<&Tip> {
        self.tip.as_ref()
    }

    /// Returns the history tree over all blocks that passed.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Returns the number of blocks that passed in each class of proof.
    pub fn seals(&self) -> SealCounts {
        self.seals
    }

    /// Returns the minimum number of trailing zeros of all proofs so far, which is the highest
    /// difficulty at which the chain is valid.
    pub fn min_zeros(&self) -> Option<u8> {
        self.min_zeros
    }
}

#[cfg(test)]
mod tests;
