//! `/checkpoint`: the checkpoint of a block. The other proofs are files ([`crate::proofs`]).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::calendar_time;
use crate::chain::{self, Seal};
use crate::proofs::Checkpoint;

/// Maximum number of blocks that one request for a receipt names.
pub const MAX_RECEIPT_BLOCKS: usize = 100;

/// `GET /checkpoint`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct CheckpointView {
    /// The checkpoint line, to be stored outside the node.
    pub checkpoint: String,
    /// Hash of the genesis block.
    pub genesis: String,
    /// Index of the block.
    pub index: u64,
    /// Hash of the block.
    pub hash: String,
    /// Merkle tree hash over all blocks before it.
    pub history_root: String,
    /// `sealed` or `open`; null for the genesis block.
    pub seal: Option<String>,
    /// Time in RFC 3339 format (UTC); null if it is outside the range of calendar dates.
    pub time: Option<String>,
    /// Number of blocks from this one to the tip, inclusive.
    pub confirmations: u64,
}

impl CheckpointView {
    /// Describes the checkpoint of `block` in a chain with its tip at index `tip`.
    pub fn new(checkpoint: &Checkpoint, block: &chain::Block, tip: u64) -> Self {
        Self {
            checkpoint: checkpoint.to_string(),
            genesis: checkpoint.genesis.to_string(),
            index: checkpoint.index,
            hash: checkpoint.hash.to_string(),
            history_root: hex::encode(checkpoint.root),
            seal: Seal::of(block, || checkpoint.root).map(|seal| seal.to_string()),
            time: calendar_time(block.timestamp.seconds()),
            confirmations: tip.saturating_sub(block.index) + 1,
        }
    }
}
