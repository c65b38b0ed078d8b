//! Bodies about reorgs.

use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

use crate::chain::ReorgCounts;

/// `GET /reorgs?from=&limit=`, latest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct ReorgPage {
    /// Reorgs, latest first.
    pub reorgs: Vec<Reorg>,
    /// Value of `from` for the next page; null on the last page.
    pub next: Option<u64>,
}

/// A switch to another branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Reorg {
    /// Number of the reorg, from 1 for the first one since the database was created.
    pub number: u64,
    /// Time in seconds since the epoch.
    #[schema(value_type = f64)]
    pub timestamp: Number,
    /// Time in RFC 3339 format (UTC).
    pub time: Option<String>,
    /// Neighbour that sent the branch.
    pub source: String,
    /// Index of the first block after the fork point.
    pub from: u64,
    /// Hash of the tip before the reorg.
    pub old_tip: String,
    /// Hash of the tip after the reorg.
    pub new_tip: String,
    /// Number of disconnected blocks.
    pub disconnected: u64,
    /// Number of sealed blocks among the disconnected ones.
    pub disconnected_sealed: u64,
    /// Number of connected blocks.
    pub connected: u64,
    /// Number of sealed blocks among the connected ones.
    pub connected_sealed: u64,
    /// Number of messages of the old branch that became pending again.
    pub returned: u64,
    /// `true` if more than 6 blocks were disconnected.
    #[serde(default)]
    pub deep: bool,
    /// `true` if fewer sealed blocks were connected than disconnected.
    #[serde(default)]
    pub trades_sealed: bool,
    /// Disconnected blocks, lowest first, at most 100.
    pub left: Vec<DisconnectedBlock>,
}

impl Reorg {
    /// Returns the numbers of blocks.
    pub fn counts(&self) -> ReorgCounts {
        ReorgCounts {
            disconnected: self.disconnected,
            disconnected_sealed: self.disconnected_sealed,
            connected: self.connected,
            connected_sealed: self.connected_sealed,
        }
    }
}

/// Last notable reorg, in `GET /status`. `GET /reorgs` has the details.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct NotableReorg {
    /// Number of the reorg.
    pub number: u64,
    /// Time in seconds since the epoch.
    #[schema(value_type = f64)]
    pub timestamp: Number,
    /// Index of the first block after the fork point.
    pub from: u64,
    /// Number of disconnected blocks.
    pub disconnected: u64,
    /// Number of sealed blocks among the disconnected ones.
    pub disconnected_sealed: u64,
    /// Number of connected blocks.
    pub connected: u64,
    /// Number of sealed blocks among the connected ones.
    pub connected_sealed: u64,
    /// `true` if more than 6 blocks were disconnected.
    pub deep: bool,
    /// `true` if fewer sealed blocks were connected than disconnected.
    pub trades_sealed: bool,
}

/// A disconnected block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct DisconnectedBlock {
    /// Index of the block.
    pub index: u64,
    /// Hash of the block.
    pub hash: String,
    /// Id of its message.
    pub message_id: String,
}
