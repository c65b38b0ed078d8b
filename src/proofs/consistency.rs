//! Consistency proofs: one checkpoint continues another.
//!
//! From a kept checkpoint to a later one, a proof says that the later chain holds everything the
//! earlier one held. From a kept checkpoint back to an earlier one, it says that the earlier one was
//! a state of the kept chain, so that receipts under it stay good without a node.

use serde::{Deserialize, Serialize};

use super::canonical::{self, Hex, check_index};
use super::checkpoint::Checkpoint;
use super::receipt::MAX_PATH;
use super::{NotProven, tree};
use crate::chain::BlockHash;
use crate::chain::history::NodeHash;

const FORMAT: &str = "blockchain/consistency/1";

/// A block at one end of a consistency proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeHead {
    /// Index of the block.
    pub index: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// Its history root.
    pub root: NodeHash,
}

impl TreeHead {
    /// The checkpoint of this end, in the network with this genesis.
    pub fn checkpoint(&self, genesis: BlockHash) -> Checkpoint {
        Checkpoint {
            genesis,
            index: self.index,
            hash: self.hash,
            root: self.root,
        }
    }
}

impl From<&Checkpoint> for TreeHead {
    fn from(checkpoint: &Checkpoint) -> Self {
        Self {
            index: checkpoint.index,
            hash: checkpoint.hash,
            root: checkpoint.root,
        }
    }
}

/// Two blocks, and the hashes that show that the chain of the later one continues that of the
/// earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// The earlier block.
    pub from: TreeHead,
    /// The later block.
    pub to: TreeHead,
    /// Leads from the root of the earlier block to that of the later one.
    pub consistency: Vec<NodeHash>,
    /// Leads from the hash of the earlier block to the root of the later one: the root of the
    /// earlier block covers only the blocks below it, not the block itself.
    pub path: Vec<NodeHash>,
}

impl ConsistencyProof {
    /// Creates the proof between two blocks of a chain; the index of `from` must be below that of
    /// `to`. Their roots are read from the tree.
    ///
    /// # Errors
    /// Those of `node`, which reads the node of the history tree at a position.
    pub fn create<E>(
        from: (u64, BlockHash),
        to: (u64, BlockHash),
        mut node: impl FnMut(u64) -> Result<NodeHash, E>,
    ) -> Result<Self, E> {
        let mut end = |(index, hash)| {
            let root = tree::root(index, &mut node)?;
            Ok(TreeHead { index, hash, root })
        };
        let (from, to) = (end(from)?, end(to)?);
        Ok(Self {
            from,
            to,
            consistency: tree::consistency_path(from.index, to.index, &mut node)?,
            path: tree::inclusion_path(from.index, to.index, &mut node)?,
        })
    }

    /// Reads the bytes of a consistency proof file.
    ///
    /// # Errors
    /// [`NotProven::NotReadable`], [`NotProven::NotWellFormed`] or [`NotProven::NotCanonical`].
    pub fn read(bytes: &[u8]) -> Result<Self, NotProven> {
        canonical::read(bytes, RawProof::build, |proof| Some(proof.to_json()))
    }

    /// Returns the bytes of the consistency proof file, a few kilobytes.
    pub fn to_json(&self) -> String {
        canonical::write(&RawProof::of(self)).unwrap_or_default()
    }

    /// Checks that the later block continues the earlier one; not whether either is trusted.
    ///
    /// # Errors
    /// [`NotProven::NotConsistent`] or [`NotProven::NotInHistory`].
    pub fn check(&self) -> Result<(), NotProven> {
        let (from, to) = (&self.from, &self.to);
        tree::check_consistency(
            from.index,
            to.index,
            &from.root,
            &to.root,
            &self.consistency,
        )
        .map_err(NotProven::NotConsistent)?;
        let leaf = from.hash.as_bytes();
        tree::check_inclusion(leaf, from.index, to.index, &self.path, &to.root).map_err(|source| {
            NotProven::NotInHistory {
                index: from.index,
                source,
            }
        })
    }

    /// Verifies the proof against trusted checkpoints. Returns the other end as a checkpoint of the
    /// same network.
    ///
    /// # Errors
    /// Those of [`check`](Self::check), and [`NotProven::NoTrustedEnd`].
    pub fn verify(&self, trusted: &[Checkpoint]) -> Result<Checkpoint, NotProven> {
        self.check()?;
        for (end, other) in [(&self.from, &self.to), (&self.to, &self.from)] {
            if let Some(kept) = trusted.iter().find(|kept| TreeHead::from(*kept) == *end) {
                return Ok(other.checkpoint(kept.genesis));
            }
        }
        Err(NotProven::NoTrustedEnd {
            from: self.from.index,
            to: self.to.index,
        })
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawProof {
    format: String,
    from: RawTreeHead,
    to: RawTreeHead,
    consistency: Vec<Hex>,
    path: Vec<Hex>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawTreeHead {
    index: u64,
    hash: Hex,
    root: Hex,
}

impl RawProof {
    fn of(proof: &ConsistencyProof) -> Self {
        let end = |end: &TreeHead| RawTreeHead {
            index: end.index,
            hash: Hex(*end.hash.as_bytes()),
            root: Hex(end.root),
        };
        let hashes = |hashes: &[NodeHash]| hashes.iter().copied().map(Hex).collect();
        Self {
            format: FORMAT.to_owned(),
            from: end(&proof.from),
            to: end(&proof.to),
            consistency: hashes(&proof.consistency),
            path: hashes(&proof.path),
        }
    }

    fn build(self) -> Result<ConsistencyProof, String> {
        if self.format != FORMAT {
            return Err(format!("its format is not {FORMAT:?}"));
        }
        if self.consistency.len().max(self.path.len()) > MAX_PATH {
            return Err(format!("a list has more than {MAX_PATH} hashes"));
        }
        let end = |end: RawTreeHead| {
            Ok::<_, String>(TreeHead {
                index: check_index(end.index)?,
                hash: BlockHash::from_bytes(end.hash.0),
                root: end.root.0,
            })
        };
        let (from, to) = (end(self.from)?, end(self.to)?);
        if from.index >= to.index {
            return Err("the earlier block is not below the later one".to_owned());
        }
        let hashes = |hashes: Vec<Hex>| hashes.into_iter().map(|hash| hash.0).collect();
        Ok(ConsistencyProof {
            from,
            to,
            consistency: hashes(self.consistency),
            path: hashes(self.path),
        })
    }
}
