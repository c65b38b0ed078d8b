//! What can be worked out of blocks before any rule is looked at: their hashes, the zeros of their
//! proofs, the nodes of the history tree, their seals. On all cores, and side by side on each.
//!
//! Nothing here depends on whether the blocks are valid, so a whole batch is worked out ahead of
//! the rules, which then only compare.

use rayon::iter::{IndexedParallelIterator, ParallelIterator};
use rayon::slice::ParallelSlice;

use super::block::Block;
use super::hash::BlockHash;
use super::history::{Extension, History};
use super::preimage::write_preimage;
use super::proof::puzzle_text;
use super::seal::{Claim, Seal};
use super::tip::Tip;
use crate::pow::{self, Kernel, Texts};

/// How many blocks one core takes at a time: enough to keep all lanes of a vector busy.
const CHUNK: usize = 128;

/// What was worked out of blocks in a row.
pub(super) struct Precomputed {
    pub(super) of_blocks: Vec<PrecomputedBlock>,
    /// The history tree from before the first to after the last of them.
    pub(super) tree: Extension,
}

/// What was worked out of a block.
#[derive(Clone, Copy)]
pub(super) struct PrecomputedBlock {
    pub(super) hash: BlockHash,
    /// Trailing zeros of the digest of its proof after the one before; 0 without a proof.
    pub(super) zeros: u8,
    /// What its proof binds, if it stands where its place in the row says.
    pub(super) seal: Option<Seal>,
}

impl Precomputed {
    /// Works out blocks that follow `tip`, whose chain has this history; the first of a chain
    /// follows none.
    pub(super) fn of(tip: Option<&Tip>, before: &History, blocks: &[Block]) -> Self {
        let mut of_blocks = in_chunks(blocks, |start, chunk| {
            let last_proof = match start.checked_sub(1) {
                Some(before) => puzzle_text(blocks[before].proof()),
                None => puzzle_text(tip.and_then(|tip| tip.proof.as_ref())),
            };
            hashes_and_zeros(last_proof, chunk)
        });
        let hashes: Vec<_> = of_blocks.iter().map(|fact| fact.hash).collect();
        let tree = Extension::new(before, &hashes);
        let seals = in_chunks(blocks, |start, chunk| {
            seals(&tree, before.len() + start as u64, chunk)
        });
        for (fact, seal) in of_blocks.iter_mut().zip(seals) {
            fact.seal = seal;
        }
        Self { of_blocks, tree }
    }
}

/// Lets all cores work on chunks of the blocks; `work` hears where a chunk starts.
fn in_chunks<T: Send>(
    blocks: &[Block],
    work: impl Fn(usize, &[Block]) -> Vec<T> + Send + Sync,
) -> Vec<T> {
    if blocks.len() <= CHUNK {
        return work(0, blocks);
    }
    let chunks = blocks.par_chunks(CHUNK).enumerate();
    let worked: Vec<_> = chunks
        .map(|(nth, chunk)| work(nth * CHUNK, chunk))
        .collect();
    worked.into_iter().flatten().collect()
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
    let fact = |(hash, proofs)| PrecomputedBlock {
        hash: BlockHash::from_bytes(hash),
        zeros: pow::trailing_zeros(&proofs),
        seal: None,
    };
    let proofs = texts.digests(Kernel::best_for_texts());
    hashes.into_iter().zip(proofs).map(fact).collect()
}

/// The seals of blocks above the first `below` of a chain.
fn seals(tree: &Extension, below: u64, blocks: &[Block]) -> Vec<Option<Seal>> {
    let claims: Vec<_> = blocks.iter().map(Claim::of).collect();
    if !claims.iter().any(|claim| matches!(claim, Some(Ok(_)))) {
        return claims.into_iter().map(|claim| claim?.err()).collect();
    }
    let roots = tree.roots(below..below + blocks.len() as u64);
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
    claims.into_iter().map(seal).collect()
}
