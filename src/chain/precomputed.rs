//! Values that the rules compare, computed for a batch of blocks: hashes, zeros of the proofs, nodes
//! of the history tree, and seals.
//!
//! None of them depends on the blocks being valid, so a whole batch is computed before any rule is
//! checked, on all cores and in the vector lanes of each core.

use std::slice;

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSlice;

use super::block::Block;
use super::hash::BlockHash;
use super::history::{Extension, History, NodeHash};
use super::preimage::write_preimage;
use super::proof::{Proof, puzzle_text};
use super::seal::{Claim, Seal};
use crate::pow::{self, Kernel, Texts};

/// Number of blocks that a core takes at a time, enough to keep all lanes of a vector busy.
const CHUNK: usize = 128;

/// The values of consecutive blocks.
pub(super) struct Precomputed {
    pub(super) of_blocks: Vec<PrecomputedBlock>,
    /// The history tree from before the first block to after the last one.
    pub(super) tree: Extension,
}

/// The values of one block.
#[derive(Clone, Copy)]
pub(super) struct PrecomputedBlock {
    pub(super) hash: BlockHash,
    /// Trailing zeros of the digest of the previous proof and its own; 0 without a proof.
    pub(super) zeros: u8,
    /// Class of its proof, under the assumption that its position is right.
    pub(super) seal: Option<Seal>,
    /// Root over all blocks before it; `None` if no block of its chunk is sealed.
    root: Option<NodeHash>,
}

impl Precomputed {
    /// Computes the values of blocks after a tip with this proof, whose chain has the history
    /// `before`.
    pub(super) fn of(proof: Option<&Proof>, before: &History, blocks: &[Block]) -> Self {
        let mut of_blocks = in_chunks(blocks, |start, chunk| {
            let last_proof = puzzle_text(match start.checked_sub(1) {
                Some(before) => blocks[before].proof(),
                None => proof,
            });
            hashes_and_zeros(last_proof, chunk)
        });
        let hashes: Vec<_> = of_blocks.iter().map(|block| block.hash).collect();
        let tree = Extension::new(before, &hashes);
        let seals = in_chunks(blocks, |start, chunk| {
            seals(&tree, before.len() + start as u64, chunk)
        });
        for (block, (seal, root)) in of_blocks.iter_mut().zip(seals) {
            (block.seal, block.root) = (seal, root);
        }
        Self { of_blocks, tree }
    }
}

impl PrecomputedBlock {
    /// Returns the details of the seal; `None` if the block is not sealed.
    pub(super) fn details(&self) -> Option<SealDetails> {
        SealDetails::of(self.seal, self.root?, self.zeros)
    }
}

/// Values of a sealed block that take the chain up to it to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealDetails {
    /// Tree hash over all blocks before it, to which its seal commits.
    pub history_root: NodeHash,
    /// Trailing zeros of the digest of the previous proof and its own.
    pub zeros: u8,
}

impl SealDetails {
    fn of(seal: Option<Seal>, history_root: NodeHash, zeros: u8) -> Option<Self> {
        (seal == Some(Seal::Sealed)).then_some(Self {
            history_root,
            zeros,
        })
    }
}

/// Values of a block that follow from the chain up to it.
#[derive(Clone, Copy, Debug)]
pub struct Derived {
    /// Hash of the block.
    pub hash: BlockHash,
    /// Tree hash over all blocks before it.
    pub history_root: NodeHash,
    /// Class of its proof; `None` for a genesis block.
    pub seal: Option<Seal>,
    /// Trailing zeros of the digest of the previous proof and its own; 0 without a proof.
    pub zeros: u8,
}

impl Derived {
    /// Returns the details of the seal; `None` if the block is not sealed.
    pub fn details(&self) -> Option<SealDetails> {
        SealDetails::of(self.seal, self.history_root, self.zeros)
    }
}

/// Derives the values of consecutive blocks after a tip with this proof, without a check of the
/// rules. The blocks are appended to `history`, which must hold those before them.
pub fn derive_all(history: &mut History, proof: Option<&Proof>, blocks: &[Block]) -> Vec<Derived> {
    let Precomputed { of_blocks, tree } = Precomputed::of(proof, history, blocks);
    let (start, count) = (history.len(), blocks.len() as u64);
    let roots = match of_blocks.iter().map(|block| block.root).collect() {
        Some(roots) => roots,
        None => in_chunks(blocks, |at, chunk| {
            roots_before(&tree, start + at as u64, chunk)
        }),
    };
    let derived = of_blocks.into_iter().zip(roots);
    let derived = derived.map(|(block, history_root)| Derived {
        hash: block.hash,
        history_root,
        seal: block.seal,
        zeros: block.zeros,
    });
    *history = tree.history(start + count);
    derived.collect()
}

/// Derives the values of one block, like [`derive_all`].
pub fn derive_one(history: &mut History, proof: Option<&Proof>, block: &Block) -> Derived {
    derive_all(history, proof, slice::from_ref(block))[0]
}

/// Applies `work` to chunks of the blocks on all cores. `work` gets the position of the chunk's first
/// block in `blocks`.
fn in_chunks<T: Send>(
    blocks: &[Block],
    work: impl Fn(usize, &[Block]) -> Vec<T> + Send + Sync,
) -> Vec<T> {
    if blocks.len() <= CHUNK {
        return work(0, blocks);
    }
    let chunks = blocks.par_chunks(CHUNK).enumerate();
    let results: Vec<_> = chunks
        .map(|(nth, chunk)| work(nth * CHUNK, chunk))
        .collect();
    results.into_iter().flatten().collect()
}

fn hashes_and_zeros<'a>(mut last_proof: &'a [u8], blocks: &'a [Block]) -> Vec<PrecomputedBlock> {
    let mut texts = Texts::default();
    for block in blocks {
        texts.push(|text| write_preimage(block, text));
    }
    let hashes = texts.digests(Kernel::best_for_texts());
    texts.clear();
    for block in blocks {
        let proof = block.proof();
        texts.push(|text| {
            if let Some(proof) = proof {
                text.extend_from_slice(last_proof);
                text.extend_from_slice(proof.as_bytes());
            }
        });
        last_proof = puzzle_text(proof);
    }
    let precompute = |(hash, proofs)| PrecomputedBlock {
        hash: BlockHash::from_bytes(hash),
        zeros: pow::trailing_zeros(&proofs),
        seal: None,
        root: None,
    };
    let proofs = texts.digests(Kernel::best_for_texts());
    hashes.into_iter().zip(proofs).map(precompute).collect()
}

/// Returns the seals of blocks, the first of which has `start` blocks before it, and the roots if a
/// seal commits to one.
fn seals(tree: &Extension, start: u64, blocks: &[Block]) -> Vec<(Option<Seal>, Option<NodeHash>)> {
    let claims: Vec<_> = blocks.iter().map(Claim::of).collect();
    if !claims.iter().any(|claim| matches!(claim, Some(Ok(_)))) {
        let seals = claims.into_iter().map(|claim| claim?.err());
        return seals.map(|seal| (seal, None)).collect();
    }
    let roots = roots_before(tree, start, blocks);
    let mut texts = Texts::default();
    for (claim, root) in claims.iter().zip(&roots) {
        if let Some(Ok(claim)) = claim {
            texts.push(|text| claim.write(root, text));
        }
    }
    let mut commitments = texts.digests(Kernel::best_for_texts()).into_iter();
    let seal = |claim: Option<Result<Claim<'_>, Seal>>| match claim? {
        Ok(claim) => commitments.next().map(|digest| claim.classify(digest)),
        Err(seal) => Some(seal),
    };
    let seals = claims.into_iter().map(seal);
    seals.zip(roots.into_iter().map(Some)).collect()
}

/// Returns the roots over all blocks before each block, the first of which has `start` before it.
fn roots_before(tree: &Extension, start: u64, blocks: &[Block]) -> Vec<NodeHash> {
    tree.roots(start..start + blocks.len() as u64)
}
