//! Receipts: inclusion proofs for blocks, verified against a trusted later block.
//!
//! The later block, `under`, commits to the tree over all blocks before it. Each entry contains one
//! of those blocks and the path from its hash to the root. Verifying needs no node: hash each
//! block, follow the paths, check the seals, and compare `under` with what the reader trusts.
//!
//! A positive verdict says that the chain with that later block contains exactly these blocks. It
//! does not say who wrote a message, that a clock was right, or that the chain is still the best one.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::canonical::{self, Hex, check_index};
use super::checkpoint::Checkpoint;
use super::{NotProven, tree};
use crate::chain::history::NodeHash;
use crate::chain::seal::MAX_OPEN_DIGITS;
use crate::chain::{Block, BlockHash, Link, Message, Proof, Seal, Timestamp};

const FORMAT: &str = "blockchain/receipt/1";

/// Maximum number of entries of a receipt.
pub const MAX_ENTRIES: usize = 1000;

/// Maximum number of hashes in a path: more than any tree has levels.
pub(super) const MAX_PATH: usize = 64;

/// A block, and earlier blocks of its chain with their paths to its history root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The block that commits to the others.
    pub under: Block,
    /// Its history root.
    pub root: NodeHash,
    /// Earlier blocks by ascending index; with none, the receipt is one for `under` itself.
    pub entries: Vec<Entry>,
}

/// A block in a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The block.
    pub block: Block,
    /// Its own history root, if its proof is so long that it must be sealed.
    pub history_root: Option<NodeHash>,
    /// Siblings from the leaf of the block to the root.
    pub path: Vec<NodeHash>,
}

/// Something that the reader of a receipt trusts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trusted {
    /// The hash of a block. It binds a history root only if the block is sealed.
    Hash(BlockHash),
    /// A checkpoint.
    Checkpoint(Checkpoint),
}

/// A block of a receipt that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Index of the block.
    pub index: u64,
    /// Its hash.
    pub hash: BlockHash,
    /// Seal of the block; `None` for a genesis block.
    pub seal: Option<Seal>,
}

impl Receipt {
    /// Creates a receipt for `blocks`, which must be of the chain below `under`, in ascending order.
    ///
    /// # Errors
    /// Those of `node`, which reads the node of the history tree at a position. Each position is
    /// read once.
    pub fn create<E>(
        under: Block,
        blocks: Vec<Block>,
        mut node: impl FnMut(u64) -> Result<NodeHash, E>,
    ) -> Result<Self, E> {
        let mut read = HashMap::new();
        let mut node = |position| match read.get(&position) {
            Some(hash) => Ok(*hash),
            None => node(position).inspect(|hash| _ = read.insert(position, *hash)),
        };
        let size = under.index;
        let root = tree::root(size, &mut node)?;
        let mut entries = Vec::with_capacity(blocks.len());
        for block in blocks {
            let history_root = if must_be_sealed(&block) {
                Some(tree::root(block.index, &mut node)?)
            } else {
                None
            };
            let path = tree::inclusion_path(block.index, size, &mut node)?;
            entries.push(Entry {
                block,
                history_root,
                path,
            });
        }
        Ok(Self {
            under,
            root,
            entries,
        })
    }

    /// Reads the bytes of a receipt file.
    ///
    /// # Errors
    /// [`NotProven::NotReadable`], [`NotProven::NotWellFormed`] or [`NotProven::NotCanonical`].
    pub fn read(bytes: &[u8]) -> Result<Self, NotProven> {
        canonical::read(bytes, RawReceipt::build, Self::to_json)
    }

    /// Returns the bytes of the receipt file, or `None` if it would be larger than any reader
    /// accepts ([`MAX_FILE_BYTES`](super::MAX_FILE_BYTES)).
    pub fn to_json(&self) -> Option<String> {
        canonical::write(&RawReceipt::of(self))
    }

    /// Checks the paths and the seals, but not whether `under` is trusted. Returns the checked
    /// description of `under` and of each entry.
    ///
    /// # Errors
    /// [`NotProven::BrokenSeal`] or [`NotProven::NotInHistory`].
    pub fn check(&self) -> Result<(Verified, Vec<Verified>), NotProven> {
        let size = self.under.index;
        let under = Verified::of(&self.under, &self.root);
        under.check_seal()?;
        let entries = self.entries.iter().map(|entry| {
            let index = entry.block.index;
            let root = entry.history_root.as_ref().unwrap_or(&[0; 32]);
            let found = Verified::of(&entry.block, root);
            // The path goes first: only then is a broken seal one of the chain.
            tree::check_inclusion(found.hash.as_bytes(), index, size, &entry.path, &self.root)
                .map_err(|source| NotProven::NotInHistory { index, source })?;
            found.check_seal()?;
            Ok(found)
        });
        Ok((under, entries.collect::<Result<_, _>>()?))
    }

    /// Compares the block `under`, as [`check`](Self::check) returned it, with what the reader
    /// trusts. Returns the position in `trusted` of the item that proves it; a checkpoint has
    /// precedence over a bare hash.
    ///
    /// # Errors
    /// [`NotProven::OtherBlock`] if a checkpoint contradicts the receipt and nothing else proves
    /// it, [`NotProven::UnboundRoot`] or [`NotProven::NotTrusted`].
    pub fn verify_against(
        &self,
        under: &Verified,
        trusted: &[Trusted],
    ) -> Result<usize, NotProven> {
        let (index, hash) = (under.index, under.hash);
        let same_index =
            |trust: &Trusted| matches!(trust, Trusted::Checkpoint(kept) if kept.index == index);
        let matches = |trust: &Trusted| {
            matches!(trust, Trusted::Checkpoint(kept)
                if kept.index == index && kept.hash == hash && kept.root == self.root)
        };
        if let Some(at) = trusted.iter().position(matches) {
            return Ok(at);
        }
        if trusted.iter().any(same_index) {
            return Err(NotProven::OtherBlock { index });
        }
        match trusted
            .iter()
            .position(|trust| *trust == Trusted::Hash(hash))
        {
            None => Err(NotProven::NotTrusted { index, hash }),
            Some(at) if under.seal == Some(Seal::Sealed) || self.entries.is_empty() => Ok(at),
            Some(_) => Err(NotProven::UnboundRoot { index }),
        }
    }
}

/// Returns `true` if the proof is so long that it must start with a commitment.
fn must_be_sealed(block: &Block) -> bool {
    block
        .proof()
        .is_some_and(|proof| proof.as_str().trim_start_matches('-').len() > MAX_OPEN_DIGITS)
}

impl Verified {
    fn of(block: &Block, root: &NodeHash) -> Self {
        Self {
            index: block.index,
            hash: BlockHash::of(block),
            seal: Seal::of(block, || *root),
        }
    }

    fn check_seal(&self) -> Result<(), NotProven> {
        match self.seal {
            Some(Seal::Broken) => Err(NotProven::BrokenSeal { index: self.index }),
            _ => Ok(()),
        }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReceipt {
    format: String,
    under: RawBlock,
    root: Hex,
    entries: Vec<RawEntry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawBlock {
    index: u64,
    timestamp: String,
    proof: Option<String>,
    previous_hash: Option<Hex>,
    id: String,
    message: String,
}

/// The fields of [`RawBlock`] and those of an entry. serde does not support `flatten` together with
/// `deny_unknown_fields`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    index: u64,
    timestamp: String,
    proof: Option<String>,
    previous_hash: Option<Hex>,
    id: String,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history_root: Option<Hex>,
    path: Vec<Hex>,
}

impl RawReceipt {
    pub(super) fn of(receipt: &Receipt) -> Self {
        Self {
            format: FORMAT.to_owned(),
            under: RawBlock::of(&receipt.under),
            root: Hex(receipt.root),
            entries: receipt.entries.iter().map(RawEntry::of).collect(),
        }
    }

    pub(super) fn build(self) -> Result<Receipt, String> {
        if self.format != FORMAT {
            return Err(format!("its format is not {FORMAT:?}"));
        }
        if self.entries.len() > MAX_ENTRIES {
            return Err(format!("it has more than {MAX_ENTRIES} entries"));
        }
        let receipt = Receipt {
            under: self.under.build()?,
            root: self.root.0,
            entries: self
                .entries
                .into_iter()
                .map(RawEntry::build)
                .collect::<Result<_, _>>()?,
        };
        let size = receipt.under.index;
        let mut below = None;
        for entry in &receipt.entries {
            let index = entry.block.index;
            if index >= size {
                return Err(format!("block {index} is not below block {size}"));
            }
            if below.is_some_and(|below| index <= below) {
                return Err("the entries are not in ascending order".to_owned());
            }
            match (must_be_sealed(&entry.block), entry.history_root) {
                (true, None) => return Err(format!("block {index} has no history root")),
                (false, Some(_)) => {
                    return Err(format!(
                        "block {index} is open and must not have a history root"
                    ));
                }
                _ => {}
            }
            below = Some(index);
        }
        if size == 0 && receipt.root != tree::empty_root() {
            return Err(
                "the history root of a genesis block must be the empty tree hash".to_owned(),
            );
        }
        Ok(receipt)
    }
}

impl RawBlock {
    fn of(block: &Block) -> Self {
        Self {
            index: block.index,
            timestamp: block.timestamp.to_string(),
            proof: block.proof().map(ToString::to_string),
            previous_hash: block
                .link
                .as_ref()
                .map(|link| Hex(*link.previous_hash.as_bytes())),
            id: block.message.id().to_string(),
            message: block.message.text().to_owned(),
        }
    }

    fn build(self) -> Result<Block, String> {
        let index = check_index(self.index)?;
        let of_block = |why: String| format!("block {index}: {why}");
        let timestamp: Timestamp = self
            .timestamp
            .parse()
            .map_err(|error| of_block(format!("{error}")))?;
        if timestamp.to_string() != self.timestamp {
            return Err(of_block("the timestamp is not in shortest form".to_owned()));
        }
        let link = match (index, self.previous_hash, self.proof) {
            (0, None, None) => None,
            (0, ..) => {
                return Err("a genesis block has no proof and no previous hash".to_owned());
            }
            (_, Some(previous_hash), Some(proof)) => Some(Link {
                previous_hash: BlockHash::from_bytes(previous_hash.0),
                proof: Proof::try_from(proof).map_err(|error| of_block(error.to_string()))?,
            }),
            _ => return Err(of_block("the proof or previous hash is missing".to_owned())),
        };
        let id = self.id.parse();
        let id = id.map_err(|error| of_block(format!("{error}")))?;
        let message = Message::new(id, self.message);
        Ok(Block {
            index,
            timestamp,
            message: message.map_err(|error| of_block(error.to_string()))?,
            link,
        })
    }
}

impl RawEntry {
    fn of(entry: &Entry) -> Self {
        let block = RawBlock::of(&entry.block);
        Self {
            index: block.index,
            timestamp: block.timestamp,
            proof: block.proof,
            previous_hash: block.previous_hash,
            id: block.id,
            message: block.message,
            history_root: entry.history_root.map(Hex),
            path: entry.path.iter().copied().map(Hex).collect(),
        }
    }

    fn build(self) -> Result<Entry, String> {
        if self.path.len() > MAX_PATH {
            return Err(format!("a path has more than {MAX_PATH} hashes"));
        }
        let block = RawBlock {
            index: self.index,
            timestamp: self.timestamp,
            proof: self.proof,
            previous_hash: self.previous_hash,
            id: self.id,
            message: self.message,
        };
        Ok(Entry {
            block: block.build()?,
            history_root: self.history_root.map(|root| root.0),
            path: self.path.into_iter().map(|hash| hash.0).collect(),
        })
    }
}

#[cfg(test)]
mod tests;
