//! The rules of the chain as checks, with a named violation for each.

use std::slice;

use thiserror::Error;

use super::block::Block;
use super::hash::BlockHash;
use super::history::{History, NodeHash};
use super::precomputed::{Precomputed, PrecomputedBlock};
use super::proof::Proof;
use super::seal::Seal;
use super::timestamp::Timestamp;
use super::tip::Tip;
use crate::pow::Difficulty;
use crate::text::counted;

/// The first thing that is wrong with a block: which rule, what was expected, what was found.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RuleViolation {
    /// Rule 1: the first block has another index than 0.
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
    /// Rule 2: the index is not the position.
    #[error("breaks rule 2: the index is {found}, expected {expected}")]
    Index {
        /// Position of the block.
        expected: u64,
        /// Index found.
        found: u64,
    },
    /// Rules 3 and 4: a block after the genesis block without previous hash and proof.
    #[error("breaks rule 3: there is no previous hash, expected {expected}")]
    NoLink {
        /// Hash of the block before.
        expected: BlockHash,
    },
    /// Rule 3: the previous hash is not the hash of the block before.
    #[error("breaks rule 3: the previous hash is {found}, expected {expected}")]
    PreviousHash {
        /// Hash of the block before.
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
        /// The checking node's difficulty.
        expected: Difficulty,
        /// Trailing zeros found.
        found: u8,
    },
    /// Rule 5: the time is not later than that of the block before.
    #[error("breaks rule 5: the time is {found}, expected later than {previous}")]
    Time {
        /// Time of the block before.
        previous: Timestamp,
        /// Time found.
        found: Timestamp,
    },
    /// Not acceptable: the content is not what was sealed.
    #[error("not acceptable because the seal is broken: this content is not what was sealed")]
    BrokenSeal,
    /// Not acceptable: an open proof where every block must be sealed.
    #[error(
        "not acceptable because the proof is open; from index {sealed_from} on it must be sealed"
    )]
    NotSealed {
        /// First index that must be sealed.
        sealed_from: u64,
    },
}

impl RuleViolation {
    /// The number of the broken rule; none if the rules hold, but the block is not acceptable.
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

/// Checks rules 2 to 5 for the block after `tip`, in the documented order. `zeros` are those of its
/// proof after that of the tip ([`pow::zeros`](crate::pow::zeros)).
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

/// Checks the seal of a block: never broken, and sealed from `sealed_from` on.
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

/// Number of blocks after the genesis block by what their proofs bind.
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

/// A block that broke no rule.
#[derive(Debug)]
pub struct Passed<'a, 'b> {
    /// The block.
    pub block: &'a Block,
    /// Its hash.
    pub hash: BlockHash,
    /// What its proof binds; none for a genesis block.
    pub seal: Option<Seal>,
    /// Whether its seal is acceptable.
    pub acceptable: Result<(), RuleViolation>,
    /// The nodes of the history tree that it completes, in order of position.
    pub nodes: &'b [NodeHash],
}

/// The first block that cannot be taken, and why.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("block {index} {violation}")]
pub struct InvalidBlock {
    /// Its place in the chain, whatever index it claims.
    pub index: u64,
    /// What is wrong with it.
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
    fewest_zeros: Option<u8>,
}

impl Checker {
    /// A checker that starts with the genesis block. It refuses broken seals, and open proofs
    /// from `sealed_from` on.
    pub fn new(difficulty: Difficulty, sealed_from: Option<u64>) -> Self {
        Self {
            difficulty,
            sealed_from,
            tip: None,
            history: History::default(),
            seals: SealCounts::default(),
            fewest_zeros: None,
        }
    }

    /// Goes on above a tip whose chain has this history.
    #[must_use]
    pub fn above(mut self, tip: Tip, history: History) -> Self {
        self.tip = Some(tip);
        self.history = history;
        self
    }

    /// Checks the next block and moves the tip onto it.
    ///
    /// # Errors
    /// After a violation of a rule the checker stays where it was. A seal that is not acceptable
    /// is reported, too, but the block is counted and passed.
    pub fn push(&mut self, block: &Block) -> Result<Option<Seal>, RuleViolation> {
        let mut seal = None;
        let pushed = self.push_all(slice::from_ref(block), |passed| {
            seal = passed.seal;
            passed.acceptable
        });
        pushed.map_err(|invalid| invalid.violation)?;
        Ok(seal)
    }

    /// Checks blocks one after the other and moves the tip onto them; what takes time is done for
    /// many of them at once. `each` hears of every block that broke no rule, and may end it.
    ///
    /// # Errors
    /// The first block that breaks a rule, the checker staying before it; or what `each` returns,
    /// the block having passed.
    pub fn push_all<'a>(
        &mut self,
        blocks: &'a [Block],
        mut each: impl FnMut(Passed<'a, '_>) -> Result<(), RuleViolation>,
    ) -> Result<(), InvalidBlock> {
        let Precomputed { of_blocks, tree } =
            Precomputed::of(self.tip.as_ref(), &self.history, blocks);
        let mut length = self.history.len();
        let mut outcome = Ok(());
        for (block, fact) in blocks.iter().zip(of_blocks) {
            let index = self.next_index();
            let nodes = tree.nodes_of(length);
            let stepped = self.step(block, fact).and_then(|acceptable| {
                length += 1;
                each(Passed {
                    block,
                    hash: fact.hash,
                    seal: fact.seal,
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

    /// Checks one block. If it breaks no rule the tip is moved, and it is said whether the seal is
    /// acceptable.
    fn step(
        &mut self,
        block: &Block,
        fact: PrecomputedBlock,
    ) -> Result<Result<(), RuleViolation>, RuleViolation> {
        match &self.tip {
            None => check_genesis(block)?,
            Some(tip) => {
                check_successor(tip, block, fact.zeros, self.difficulty)?;
                let fewest = self.fewest_zeros.unwrap_or(u8::MAX);
                self.fewest_zeros = Some(fewest.min(fact.zeros));
            }
        }
        self.seals.add(fact.seal);
        self.tip = Some(Tip::with_hash(block, fact.hash));
        Ok(check_seal(block.index, fact.seal, self.sealed_from))
    }

    /// Where the next block stands, whatever index it claims.
    pub fn next_index(&self) -> u64 {
        self.tip.as_ref().map_or(0, |tip| tip.index + 1)
    }

    /// The last block that passed; none before the genesis block.
    pub fn tip(&self) -> Option<&Tip> {
        self.tip.as_ref()
    }

    /// The tree over all blocks that passed.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// What the proofs of the blocks that passed bind.
    pub fn seals(&self) -> SealCounts {
        self.seals
    }

    /// Fewest trailing zeros of any proof so far: the difficulty up to which the chain holds.
    pub fn fewest_zeros(&self) -> Option<u8> {
        self.fewest_zeros
    }
}

#[cfg(test)]
mod tests;
