//! `/disconnected`: blocks that reorgs disconnected, with their content.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Block, NotableReorg, Status};

/// `GET /disconnected?reorg=&from=&q=&limit=`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct DisconnectedPage {
    /// Blocks whose content the node still has: those of the latest reorg first, the lowest first.
    pub blocks: Vec<DisconnectedBlockContent>,
    /// Value of `from` for the next page of the same reorg; null on the last page.
    pub next: Option<u64>,
}

/// A disconnected block with its content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct DisconnectedBlockContent {
    /// Number of the reorg that disconnected it.
    pub reorg: u64,
    /// The block, as it was in the chain.
    #[serde(flatten)]
    pub block: Block,
    /// Index of the block in which its message was mined again; null if it was not.
    pub mined_in: Option<u64>,
    /// `true` if its message is pending.
    pub pending: bool,
}

/// `POST /reorgs/acknowledge`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct Acknowledgement {
    /// Number of the last reorg that a person has looked at.
    pub number: u64,
}

impl Status {
    /// Returns the last notable reorg, if the administrator has not acknowledged it.
    pub fn reorg_to_acknowledge(&self) -> Option<&NotableReorg> {
        let reorg = self.notable_reorg.as_ref();
        reorg.filter(|reorg| reorg.number > self.acknowledged_reorg)
    }
}
