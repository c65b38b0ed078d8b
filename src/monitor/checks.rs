//! The judgement on what a node sends: proofs, receipts and blocks. No I/O.

use serde::Serialize;

use crate::chain::check::{SealCounts, check_genesis, check_seal, check_successor};
use crate::chain::history::NodeHash;
use crate::chain::{self, BlockHash, Seal, Tip};
use crate::pow::{self, Difficulty};
use crate::proofs::consistency::TreeHead;
use crate::proofs::{Checkpoint, ConsistencyProof, Receipt, Trusted};
use crate::wire::{Block, NetworkStatus};

/// Judgement on a consistency proof.
#[derive(Debug, PartialEq, Eq)]
pub enum Extension {
    /// The tip continues the settled checkpoint.
    Extends(Checkpoint),
    /// The node has another block or history at the settled index.
    OtherHistory(Checkpoint),
    /// The proof does not hold.
    Invalid(String),
}

/// Judges the file of a consistency proof from `settled` to the tip that the node stated.
pub fn judge_extension(file: &[u8], settled: &Checkpoint, tip: (u64, &str)) -> Extension {
    let proof = match ConsistencyProof::read(file) {
        Ok(proof) => proof,
        Err(error) => return Extension::Invalid(format!("its consistency proof: {error}")),
    };
    let genesis = settled.genesis;
    if proof.from != TreeHead::from(settled) {
        if proof.from.index != settled.index {
            let (found, wanted) = (proof.from.index, settled.index);
            return Extension::Invalid(format!(
                "it sent a consistency proof from block {found}, and was asked for block {wanted}"
            ));
        }
        return Extension::OtherHistory(proof.from.checkpoint(genesis));
    }
    let to = proof.to;
    if (to.index, &*to.hash.to_string()) != tip {
        return Extension::Invalid(format!(
            "it states block {} as its tip and sent a consistency proof to block {} ({})",
            tip.0, to.index, to.hash
        ));
    }
    match proof.check() {
        Ok(()) => Extension::Extends(to.checkpoint(genesis)),
        Err(error) => Extension::Invalid(format!("its consistency proof does not hold: {error}")),
    }
}

/// Checks a receipt for the blocks at `indexes`, by ascending index, under the settled checkpoint. The
/// error is the reason why it proves nothing.
pub fn check_receipt(file: &[u8], settled: &Checkpoint, indexes: &[u64]) -> Result<(), String> {
    let checked = || {
        let receipt = Receipt::read(file)?;
        let (under, entries) = receipt.check()?;
        receipt.verify_against(&under, &[Trusted::Checkpoint(*settled)])?;
        Ok(entries)
    };
    let entries = checked().map_err(|error: crate::proofs::NotProven| error.to_string())?;
    let found: Vec<_> = entries.iter().map(|entry| entry.index).collect();
    if found == indexes {
        Ok(())
    } else {
        Err(format!("it is for blocks {found:?}, not {indexes:?}"))
    }
}

/// The outcome of checking a branch by the rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// `valid` or `invalid`.
    pub verdict: &'static str,
    /// The first broken rule.
    pub reason: Option<String>,
    /// Number of blocks of the branch, without the last common one.
    pub blocks: u64,
    /// Number of sealed blocks among those that follow the rules.
    pub sealed: u64,
    /// Number of open blocks among them.
    pub open: u64,
}

/// Returns the verdict on a branch. `blocks` may begin with the last common block, at index `fork`.
pub fn judge_branch(blocks: &[Block], fork: Option<u64>, network: &NetworkStatus) -> Verdict {
    let common = u64::from(
        blocks
            .first()
            .is_some_and(|first| Some(first.index) == fork),
    );
    let mut counts = SealCounts::default();
    let checked = check_blocks(None, blocks, network, |index, seal| {
        if Some(index) != fork {
            counts.sealed += u64::from(seal == Some(Seal::Sealed));
            counts.open += u64::from(seal == Some(Seal::Open));
        }
    });
    Verdict {
        verdict: if checked.is_ok() { "valid" } else { "invalid" },
        reason: checked.err(),
        blocks: blocks.len() as u64 - common,
        sealed: counts.sealed,
        open: counts.open,
    }
}

/// Checks consecutive blocks by the rules: links, puzzle, times, and each seal against the history
/// root that the block states. Without `parent`, the first block is checked alone. The
/// error names the block and the rule.
pub fn check_blocks(
    parent: Option<&Block>,
    blocks: &[Block],
    network: &NetworkStatus,
    mut each: impl FnMut(u64, Option<Seal>),
) -> Result<(), String> {
    let difficulty = Difficulty::new(network.difficulty).map_err(|error| error.to_string())?;
    let tip = |block: &Block| {
        let stated = convert(block)?;
        Ok::<_, String>(Tip::of(&stated.block))
    };
    let mut tip = parent.map(tip).transpose()?;
    for block in blocks {
        let index = block.index;
        let broken = |reason: String| format!("block {index} {reason}");
        let Stated { block, hash, root } = convert(block)?;
        match &tip {
            Some(tip) => {
                let zeros = match block.proof() {
                    Some(proof) => pow::zeros(tip.proof_text(), proof.as_bytes()),
                    None => 0,
                };
                check_successor(tip, &block, zeros, difficulty)
            }
            None if index == 0 => check_genesis(&block),
            None => Ok(()),
        }
        .map_err(|violation| broken(violation.to_string()))?;
        let seal = Seal::of(&block, || root);
        check_seal(index, seal, network.sealed_from)
            .map_err(|violation| broken(violation.to_string()))?;
        each(index, seal);
        tip = Some(Tip {
            index,
            hash,
            proof: block.link.map(|link| link.proof),
            timestamp: block.timestamp,
        });
    }
    Ok(())
}

struct Stated {
    block: chain::Block,
    hash: BlockHash,
    root: NodeHash,
}

/// Converts a block of `/api/v1/blocks`; its hash must be that of its content.
fn convert(block: &Block) -> Result<Stated, String> {
    let index = block.index;
    let root = parse_root(&block.history_root)
        .ok_or_else(|| format!("block {index} has no valid history root"))?;
    let stated = &block.hash;
    let block = chain::Block::try_from(block.clone())
        .map_err(|error| format!("block {index} is not a block: {error}"))?;
    let hash = BlockHash::of(&block);
    if hash.to_string() != *stated {
        return Err(format!("block {index} has hash {hash} and states {stated}"));
    }
    Ok(Stated { block, hash, root })
}

/// Returns the block as a checkpoint of its network; `None` if it is not well-formed.
pub fn checkpoint_of(block: &Block, genesis: BlockHash) -> Option<Checkpoint> {
    Some(Checkpoint {
        genesis,
        index: block.index,
        hash: block.hash.parse().ok()?,
        root: parse_root(&block.history_root)?,
    })
}

fn parse_root(text: &str) -> Option<NodeHash> {
    let mut root = [0; 32];
    hex::decode_to_slice(text, &mut root).ok()?;
    Some(root)
}

/// Returns `true` if the block is well-formed and its hash is that of its content.
pub fn is_intact(block: &Block) -> bool {
    convert(block).is_ok()
}
