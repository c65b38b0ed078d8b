//! Request and response bodies of `/api/v1`. Each is defined once and used by the API, the client, the
//! command line and the tests. The documentation of a type is its description in `/openapi.json`.
//!
//! * this file: blocks, status, errors
//! * [`messages`]: adding a message, its state, the mempool
//! * [`lines`]: adding many messages
//! * [`peers`]: neighbours, announcements, synchronization
//! * [`reorgs`]: past reorgs, and the one in the status
//! * [`disconnected`]: disconnected blocks with their content
//! * [`proofs`]: checkpoints of blocks
//! * [`search`]: search results
//! * [`events`]: server-sent events
//! * [`lookup`]: parsing of what people type to find a block or a message
//! * `renderer`: blocks of a chain as bodies
//! * `object`: deserialization of all bodies from JSON objects only

pub mod disconnected;
pub mod events;
pub mod lines;
pub mod lookup;
pub mod messages;
pub(crate) mod object;
pub mod peers;
pub mod proofs;
mod renderer;
pub mod reorgs;
pub mod search;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

use crate::chain;

pub use disconnected::{Acknowledgement, DisconnectedBlockContent, DisconnectedPage};
pub use events::Event;
pub use lines::AddedLines;
pub use lookup::Lookup;
pub use messages::{
    MempoolPage, MessageState, MessageStatus, NewMessage, PendingMessage, PostedMessage,
};
pub use peers::{
    Announcement, Neighbour, NeighbourChange, NeighbourEvent, Neighbours, NetworkStatus,
    NewNeighbour, PeerKind, PeerOrigin, Position, SyncStatus,
};
pub use proofs::CheckpointView;
pub use renderer::BlockRenderer;
pub(crate) use renderer::render;
pub use reorgs::{DisconnectedBlock, NotableReorg, Reorg, ReorgPage};
pub use search::{SearchField, SearchHit, SearchPage};

/// A block with the values derived from the chain up to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Block {
    /// Position in the chain.
    pub index: u64,
    /// Hash of the block, in hex.
    pub hash: String,
    /// Hash of the previous block; null for the genesis block.
    pub previous_hash: Option<String>,
    /// Seconds since the epoch.
    #[schema(value_type = f64)]
    pub timestamp: Number,
    /// Exact text of the time, which is hashed.
    pub timestamp_text: String,
    /// Time in RFC 3339 format (UTC); null if it is outside the range of calendar dates.
    pub time: Option<String>,
    /// Proof in decimal; null for the genesis block.
    pub proof: Option<String>,
    /// `sealed`, `open` or `broken`; null for the genesis block.
    pub seal: Option<String>,
    /// Merkle tree hash over all blocks before this one.
    pub history_root: String,
    /// Number of trailing zeros of the proof; null for the genesis block.
    pub difficulty: Option<u8>,
    /// Message of the block.
    pub data: Message,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Message {
    /// 32 hex digits.
    pub id: String,
    /// Text of the message.
    pub message: String,
}

impl From<&chain::Message> for Message {
    fn from(message: &chain::Message) -> Self {
        Self {
            id: message.id().to_string(),
            message: message.text().to_owned(),
        }
    }
}

/// Converts the block, ignoring the derived values.
impl TryFrom<Block> for chain::Block {
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn try_from(block: Block) -> Result<Self, Self::Error> {
        let link = match (block.previous_hash, block.proof) {
            (Some(hash), Some(proof)) => Some(chain::Link {
                previous_hash: hash.parse()?,
                proof: proof.try_into()?,
            }),
            (None, None) => None,
            _ => {
                return Err(
                    "a block must have both a previous hash and a proof, or neither".into(),
                );
            }
        };
        Ok(Self {
            index: block.index,
            timestamp: block.timestamp_text.parse()?,
            message: chain::Message::new(block.data.id.parse()?, block.data.message)?,
            link,
        })
    }
}

/// Formats seconds since the epoch in RFC 3339 format, with microseconds.
pub fn calendar_time(seconds: f64) -> Option<String> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, and values out of range are rejected below"
    )]
    let micros = (seconds * 1e6).round() as i64;
    let time = DateTime::<Utc>::from_timestamp_micros(micros)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// `GET /blocks`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct BlockPage {
    /// Blocks in the requested order.
    pub blocks: Vec<Block>,
    /// Value of `from` for the next page; null on the last page.
    pub next: Option<u64>,
}

/// `GET /blocks/{index|hash|tip}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct SingleBlock {
    /// The block.
    #[serde(flatten)]
    pub block: Block,
    /// Number of blocks from this one to the tip, inclusive: 1 for the tip.
    pub confirmations: u64,
}

/// `GET /status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Version of the protocol between nodes.
    pub protocol: u32,
    /// Random id of the running node, new at each start.
    pub node_id: String,
    /// Name that the operator gave the node; null if there is none.
    pub name: Option<String>,
    /// `true` if this node follows named neighbours only, and takes messages from some addresses only.
    #[serde(default)]
    pub closed: bool,
    /// Addresses at which other machines reach this node, best first; empty if there are none.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// Hash of the genesis block.
    pub genesis: String,
    /// Title of the network; null if it has none.
    pub title: Option<String>,
    /// Tip of the chain.
    pub tip: TipStatus,
    /// Number of blocks.
    pub length: u64,
    /// Number of sealed blocks.
    pub sealed: u64,
    /// Minimum number of trailing zeros of every proof.
    pub difficulty: u8,
    /// First index from which every block must be sealed; null if only the rules of the reference miner apply.
    pub sealed_from: Option<u64>,
    /// Kind of proof that this node mines: `sealed` or `open`.
    pub proof_mode: String,
    /// Warnings for the operator, such as missing protection or deviating clocks, with the remedy.
    pub warnings: Vec<String>,
    /// Pending messages.
    pub mempool: MempoolStatus,
    /// State of the miner.
    pub mining: MiningStatus,
    /// State of the synchronization with neighbours.
    pub sync: SyncStatus,
    /// Number of reorgs since the database was created.
    pub reorgs: u64,
    /// Last reorg that disconnected more than 6 blocks or replaced sealed blocks by open ones; null if
    /// there was none.
    pub notable_reorg: Option<NotableReorg>,
    /// Number of the last reorg that the administrator has acknowledged; 0 for none.
    #[serde(default)]
    pub acknowledged_reorg: u64,
    /// Time of this node's clock in seconds since the epoch.
    pub time: Option<f64>,
    /// Seconds since the node was started.
    pub uptime: f64,
}

impl Status {
    /// Returns the parameters that all nodes of a network share.
    pub fn network(&self) -> NetworkStatus {
        NetworkStatus {
            genesis: self.genesis.clone(),
            difficulty: self.difficulty,
            sealed_from: self.sealed_from,
        }
    }
}

/// Tip of the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct TipStatus {
    /// Index of the tip.
    pub index: u64,
    /// Hash of the tip.
    pub hash: String,
    /// Time of the tip in seconds since the epoch.
    #[schema(value_type = f64)]
    pub timestamp: Number,
}

impl From<&chain::Tip> for TipStatus {
    fn from(tip: &chain::Tip) -> Self {
        let (index, hash) = (tip.index, tip.hash.to_string());
        Self {
            index,
            hash,
            timestamp: renderer::number(tip.timestamp),
        }
    }
}

/// Pending messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct MempoolStatus {
    /// Number of pending messages.
    pub count: u64,
    /// Total length of their texts in bytes.
    pub bytes: u64,
    /// Sequence number of the next message.
    pub next_sequence: u64,
}

/// State of the miner.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct MiningStatus {
    /// `true` while the miner searches for a proof.
    pub active: bool,
    /// Number of mining threads; 0 if this node does not mine.
    pub threads: usize,
    /// Number of candidates tried since the start.
    pub tries: u64,
    /// Candidates per second in the last batch.
    pub hash_rate: f64,
}

/// `GET /health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Health {
    /// `true` if the node accepts messages.
    pub ready: bool,
    /// Reasons why the node is not ready.
    pub reasons: Vec<String>,
}

/// Body of every error response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// An error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct ErrorDetail {
    /// Machine-readable code: fixed words joined by underscores.
    pub code: String,
    /// Human-readable message.
    pub message: String,
    /// Id of the message whose outcome is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_genesis_block_is_rendered_completely() {
        let genesis = chain::Block::default_genesis();
        let block = BlockRenderer::above(chain::History::default(), None).render(&genesis);
        let json = serde_json::to_value(&block).unwrap();
        assert_eq!(json["hash"], chain::BlockHash::of(&genesis).to_string());
        assert_eq!(json["timestamp"].to_string(), "1581268484.244806");
        assert_eq!(json["time"], "2020-02-09T17:14:44.244806Z");
        assert_eq!(json["data"]["id"], "324dc066e690437fa68e8afc810e9617");
        for key in ["previous_hash", "proof", "seal", "difficulty"] {
            assert!(json[key].is_null(), "{key}");
        }
    }

    #[test]
    fn times_outside_the_calendar_are_null() {
        assert_eq!(calendar_time(0.0).unwrap(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(calendar_time(1e300), None);
        assert_eq!(calendar_time(-1e300), None);
    }
}
