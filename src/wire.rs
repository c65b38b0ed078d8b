//! Every body of `/api/v1`, once: the API writes them, the client, the command line and the tests
//! read them.
//!
//! * this file: blocks, the status, errors
//! * [`messages`]: adding one, what became of it, the mempool
//! * [`network`]: neighbours, announcements, reorgs
//! * [`search`], [`events`]: what they are named after; [`lookup`]: what people write to find something
//! * `object`: all of them are read from objects alone

pub mod events;
pub mod lookup;
pub mod messages;
pub mod network;
pub(crate) mod object;
pub mod search;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

use crate::chain::proof::puzzle_text;
use crate::chain::{self, BlockHash, History, Seal};
use crate::pow;

pub use events::Event;
pub use lookup::Lookup;
pub use messages::{
    MempoolPage, MessageState, MessageStatus, NewMessage, PendingMessage, PostedMessage,
};
pub use network::{
    Announcement, DisconnectedBlock, Neighbour, NeighbourChange, NeighbourNews, Neighbours,
    NetworkStatus, NewNeighbour, NotableReorg, PeerKind, PeerOrigin, Position, Reorg, ReorgPage,
    SyncStatus,
};
pub use search::{SearchField, SearchHit, SearchPage};

/// A block with all that can be said of it from the chain up to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Block {
    /// Position in the chain.
    pub index: u64,
    /// Hash of the block, in hex.
    pub hash: String,
    /// Hash of the block before; null for the genesis block.
    pub previous_hash: Option<String>,
    /// Seconds since the epoch.
    #[schema(value_type = f64)]
    pub timestamp: Number,
    /// The text of the time that is hashed.
    pub timestamp_text: String,
    /// The time by RFC 3339 in UTC; null if it is outside what a calendar can say.
    pub time: Option<String>,
    /// The proof in decimal; null for the genesis block.
    pub proof: Option<String>,
    /// `sealed`, `open` or `broken`; null for the genesis block.
    pub seal: Option<String>,
    /// Merkle tree hash over all blocks before this one.
    pub history_root: String,
    /// Trailing zeros the proof really has; null for the genesis block.
    pub difficulty: Option<u8>,
    /// What the block carries.
    pub data: Message,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Message {
    /// 32 hex digits.
    pub id: String,
    /// The text.
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

/// Describes the blocks of a chain one after the other.
#[derive(Clone, Debug)]
pub struct BlockRenderer {
    history: History,
    previous_proof: Option<chain::Proof>,
}

impl BlockRenderer {
    /// Starts above the blocks in `history`; `previous` is the last of them.
    pub fn above(history: History, previous: Option<&chain::Block>) -> Self {
        Self {
            history,
            previous_proof: previous.and_then(chain::Block::proof).cloned(),
        }
    }

    /// Describes the next block.
    pub fn describe(&mut self, block: &chain::Block) -> Block {
        let hash = BlockHash::of(block);
        let root = self.history.root();
        let previous = puzzle_text(self.previous_proof.as_ref());
        let described = Block {
            index: block.index,
            hash: hash.to_string(),
            previous_hash: block
                .link
                .as_ref()
                .map(|link| link.previous_hash.to_string()),
            timestamp: number(block.timestamp),
            timestamp_text: block.timestamp.to_string(),
            time: calendar_time(block.timestamp.seconds()),
            proof: block.proof().map(ToString::to_string),
            seal: Seal::of(block, || root).map(|seal| seal.to_string()),
            history_root: hex::encode(root),
            difficulty: block
                .proof()
                .map(|proof| pow::zeros(previous, proof.as_bytes())),
            data: (&block.message).into(),
        };
        self.history.append(&hash, |_, _| {});
        self.previous_proof = block.proof().cloned();
        described
    }
}

/// Takes what was said of a block; everything derived is left to be worked out again.
impl TryFrom<Block> for chain::Block {
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn try_from(block: Block) -> Result<Self, Self::Error> {
        let link = match (block.previous_hash, block.proof) {
            (Some(hash), Some(proof)) => Some(chain::Link {
                previous_hash: hash.parse()?,
                proof: proof.try_into()?,
            }),
            (None, None) => None,
            _ => return Err("a block has both a previous hash and a proof, or none".into()),
        };
        Ok(Self {
            index: block.index,
            timestamp: block.timestamp_text.parse()?,
            message: chain::Message::new(block.data.id.parse()?, block.data.message)?,
            link,
        })
    }
}

fn number(timestamp: chain::Timestamp) -> Number {
    match timestamp.as_integer() {
        Some(seconds) => seconds.into(),
        None => Number::from_f64(timestamp.seconds()).unwrap_or_else(|| 0.into()),
    }
}

/// A time in seconds since the epoch by RFC 3339, to the microsecond.
pub fn calendar_time(seconds: f64) -> Option<String> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float cast saturates, and the far ends are refused below"
    )]
    let micros = (seconds * 1e6).round() as i64;
    let time = DateTime::<Utc>::from_timestamp_micros(micros)?;
    Some(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

/// `GET /blocks`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct BlockPage {
    /// The blocks, in the order asked for.
    pub blocks: Vec<Block>,
    /// `from` of the next page; null after the last.
    pub next: Option<u64>,
}

/// `GET /blocks/{index|hash|tip}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct SingleBlock {
    /// The block.
    #[serde(flatten)]
    pub block: Block,
    /// Blocks from this one to the tip: 1 for the tip itself.
    pub confirmations: u64,
}

/// `GET /status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Status {
    /// Version of the program.
    pub version: String,
    /// Version of `/api/v1` between nodes.
    pub protocol: u32,
    /// Fresh at each start.
    pub node_id: String,
    /// Hash of the genesis block.
    pub genesis: String,
    /// The last block.
    pub tip: TipStatus,
    /// Number of blocks.
    pub length: u64,
    /// Number of sealed blocks.
    pub sealed: u64,
    /// Zeros every proof must have.
    pub difficulty: u8,
    /// First index that must be sealed; null where the documented rules alone hold.
    pub sealed_from: Option<u64>,
    /// How this node mines: `sealed` or `open`.
    pub proof_mode: String,
    /// What this node does not protect and which clocks do not agree, in words, with the remedy.
    pub warnings: Vec<String>,
    /// Messages that wait.
    pub mempool: MempoolStatus,
    /// The miner.
    pub mining: MiningStatus,
    /// How the node keeps up with its neighbours.
    pub sync: SyncStatus,
    /// Reorgs since the database was made.
    pub reorgs: u64,
    /// The last reorg that took off more than 6 blocks or traded sealed blocks for open ones; null
    /// if there was none.
    pub notable_reorg: Option<NotableReorg>,
    /// The time by this node's clock, in seconds since the epoch.
    pub time: Option<f64>,
    /// Seconds since the start.
    pub uptime: f64,
}

impl Status {
    /// What must be the same on all nodes of a network.
    pub fn network(&self) -> NetworkStatus {
        NetworkStatus {
            genesis: self.genesis.clone(),
            difficulty: self.difficulty,
            sealed_from: self.sealed_from,
        }
    }
}

/// The last block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct TipStatus {
    /// Its index.
    pub index: u64,
    /// Its hash.
    pub hash: String,
    /// Its time in seconds since the epoch.
    #[schema(value_type = f64)]
    pub timestamp: Number,
}

impl From<&chain::Tip> for TipStatus {
    fn from(tip: &chain::Tip) -> Self {
        let (index, hash) = (tip.index, tip.hash.to_string());
        Self {
            index,
            hash,
            timestamp: number(tip.timestamp),
        }
    }
}

/// Messages that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct MempoolStatus {
    /// How many.
    pub count: u64,
    /// Bytes of their texts.
    pub bytes: u64,
    /// Sequence number that the next one will have.
    pub next_sequence: u64,
}

/// The miner.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct MiningStatus {
    /// Whether it searches right now.
    pub active: bool,
    /// Threads it may use; 0 if this node does not mine.
    pub threads: usize,
    /// Candidates tried since the start.
    pub tries: u64,
    /// Candidates a second over the last piece of work.
    pub hash_rate: f64,
}

/// `GET /health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Health {
    /// Whether the node takes messages.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
}

/// Every error of the API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct ErrorBody {
    /// The error.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct ErrorDetail {
    /// For programs: fixed words joined by underscores.
    pub code: String,
    /// For people.
    pub message: String,
    /// The id to ask for, where the outcome of an addition is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_genesis_is_described_in_full() {
        let genesis = chain::Block::documented_genesis();
        let block = BlockRenderer::above(History::default(), None).describe(&genesis);
        let json = serde_json::to_value(&block).unwrap();
        assert_eq!(json["hash"], BlockHash::of(&genesis).to_string());
        assert_eq!(json["timestamp"].to_string(), "1581268484.244806");
        assert_eq!(json["time"], "2020-02-09T17:14:44.244806Z");
        assert_eq!(json["data"]["id"], "324dc066e690437fa68e8afc810e9617");
        for key in ["previous_hash", "proof", "seal", "difficulty"] {
            assert!(json[key].is_null(), "{key}");
        }
    }

    #[test]
    fn times_no_calendar_holds_are_null() {
        assert_eq!(calendar_time(0.0).unwrap(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(calendar_time(1e300), None);
        assert_eq!(calendar_time(-1e300), None);
    }
}
