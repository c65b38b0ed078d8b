//! Proofs for readers without a node: files that prove offline that a chain contains a block.
//!
//! Every sealed block commits, inside its proof, to the RFC 6962 tree over the hashes of all blocks
//! before it. A reader who has stored the hash of one sealed block, or a [`Checkpoint`] of any block,
//! can therefore verify any earlier block with about log2(n) hashes. This module makes and verifies
//! the files; it reads no file and asks no node.
//!
//! * [`tree`]: inclusion and consistency proofs over the tree
//! * [`canonical`]: the one form in which a proof is written
//! * [`checkpoint`]: a line that identifies a block and its history, and files of such lines
//! * [`receipt`]: inclusion proofs for blocks; [`entries`](mod@entries): the blocks that one can be for
//! * [`consistency`]: proofs that one checkpoint continues another
//! * [`stamp`]: proofs that one message stands for files
//!
//! Every field of these files is authenticated by the trusted hash or checkpoint. A receipt does not
//! prove work: anyone can mine a short chain, so a checkpoint must not come from the sender of the
//! receipt.

pub mod canonical;
pub mod checkpoint;
pub mod consistency;
pub mod entries;
pub mod receipt;
pub mod stamp;
pub mod tree;

pub use checkpoint::Checkpoint;
pub use consistency::ConsistencyProof;
pub use entries::{InvalidEntries, entries};
pub use receipt::{Entry, Receipt, Trusted, Verified};

use thiserror::Error;

use crate::chain::{BlockHash, MessageId};

/// Largest index in any of the files: what JavaScript can still count exactly.
pub const MAX_INDEX: u64 = (1 << 53) - 1;

/// Maximum size of a file, in bytes.
pub const MAX_FILE_BYTES: usize = 16 << 20;

/// The reason why a file proves nothing.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum NotProven {
    /// The bytes are not JSON, or too many.
    #[error("the file cannot be read: {0}")]
    NotReadable(String),
    /// A field is missing, unknown or out of its range.
    #[error("the file is not well-formed: {0}")]
    NotWellFormed(String),
    /// The content is well-formed but not written in the canonical form.
    #[error("the file is not in canonical form, first at byte {at}")]
    NotCanonical {
        /// Offset of the first byte that differs.
        at: usize,
    },
    /// The path of a block does not lead to the history root.
    #[error("block {index} is not in this history: {source}")]
    NotInHistory {
        /// Index of the block.
        index: u64,
        /// The fault of its path.
        #[source]
        source: tree::InvalidPath,
    },
    /// The hashes of a consistency proof do not lead from one root to the other.
    #[error("the later checkpoint does not continue the earlier one: {0}")]
    NotConsistent(#[source] tree::InvalidPath),
    /// The proof of a block commits to other content.
    #[error("the seal of block {index} is broken")]
    BrokenSeal {
        /// Index of the block.
        index: u64,
    },
    /// The hash is trusted but does not authenticate a history root.
    #[error(
        "block {index} is not sealed, so its hash does not authenticate earlier blocks; use a \
         checkpoint of it"
    )]
    UnboundRoot {
        /// Index of the block.
        index: u64,
    },
    /// A checkpoint of this index has another hash or history root.
    #[error("block {index} differs from the trusted checkpoint")]
    OtherBlock {
        /// Index of the block.
        index: u64,
    },
    /// The message is not that of a stamp.
    #[error("its message is not a stamp")]
    NotAStamp,
    /// The message of a stamp was not mined when the stamp was written.
    #[error("message {id} was pending when the stamp was written: upgrade the stamp first")]
    Pending {
        /// Id of the message.
        id: MessageId,
    },
    /// The path of a stamp does not lead from the file to the root in its message.
    #[error("the file is not the one that was stamped: {0}")]
    OtherFile(#[source] tree::InvalidPath),
    /// Nothing that is trusted names the block.
    #[error(
        "the proof depends on block {index} ({hash}), which matches no trusted hash or checkpoint"
    )]
    NotTrusted {
        /// Index of the block.
        index: u64,
        /// Its hash.
        hash: BlockHash,
    },
    /// Neither end of a consistency proof is trusted.
    #[error("neither block {from} nor block {to} is a checkpoint you trust")]
    NoTrustedEnd {
        /// Index of the earlier end.
        from: u64,
        /// Index of the later end.
        to: u64,
    },
}

impl NotProven {
    /// The name of the reason in JSON output.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotReadable(_) => "not_readable",
            Self::NotWellFormed(_) => "not_well_formed",
            Self::NotCanonical { .. } => "not_canonical",
            Self::NotInHistory { .. } | Self::NotConsistent(_) => "not_in_history",
            Self::NotAStamp => "not_a_stamp",
            Self::Pending { .. } => "pending",
            Self::OtherFile(_) => "other_file",
            Self::BrokenSeal { .. } => "broken_seal",
            Self::UnboundRoot { .. } => "unbound_root",
            Self::OtherBlock { .. } => "other_block",
            Self::NotTrusted { .. } | Self::NoTrustedEnd { .. } => "not_trusted",
        }
    }
}
