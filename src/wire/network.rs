//! Bodies about other nodes: neighbours, announcements, reorgs, the state of the sync.

use serde::{Deserialize, Serialize};
use serde_json::Number;
use utoipa::ToSchema;

/// `GET /neighbours`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Neighbours {
    /// All of them, the configured ones first.
    pub neighbours: Vec<Neighbour>,
}

/// What kind of program a neighbour runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PeerKind {
    /// It has not answered yet, or not in a way that tells.
    #[default]
    Unknown,
    /// This program.
    Ours,
    /// A reference miner.
    Reference,
}

/// How a neighbour became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PeerOrigin {
    /// Named when the node was started: retried for ever.
    Configured,
    /// Added by the administrator, or learned from others.
    Learned,
    /// It asks this node and is asked only when it announces something.
    Guest,
}

/// One neighbour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Neighbour {
    /// `HOST:PORT`.
    pub address: String,
    /// What it runs.
    pub kind: PeerKind,
    /// How it became known.
    pub origin: PeerOrigin,
    /// Its last block, as far as it said.
    pub tip: Option<Position>,
    /// Seconds since its last answer; null if it never answered in this run.
    pub last_answer: Option<f64>,
    /// Failures since its last answer.
    pub failures: u32,
    /// Seconds until it is asked again after a failure; null if it is not backed off.
    pub retry_in: Option<f64>,
    /// Why its blocks are not followed or it cannot be asked, with the remedy; null if all is well.
    pub refused: Option<String>,
    /// Its genesis hash, difficulty and seal rule, as far as it said.
    pub network: Option<NetworkStatus>,
    /// Version of its program, as far as it said.
    pub version: Option<String>,
}

/// What must be the same on all nodes of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NetworkStatus {
    /// Hash of the genesis block.
    pub genesis: String,
    /// Zeros every proof must have.
    pub difficulty: u8,
    /// First index that must be sealed; null where the documented rules alone hold.
    pub sealed_from: Option<u64>,
}

/// A block by its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Position {
    /// Its index.
    pub index: u64,
    /// Its hash.
    pub hash: String,
}

/// `POST /neighbours`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewNeighbour {
    /// `HOST:PORT`.
    pub address: String,
}

/// `POST /announce`: a node says that it has something new. Trusted for nothing but to ask it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Announcement {
    /// Version of `/api/v1` between nodes.
    pub protocol: u32,
    /// Where it can be asked: `HOST:PORT`, or `:PORT` for the host the announcement comes from.
    pub address: String,
    /// Hash of its tip.
    pub tip: String,
    /// Number of its blocks.
    pub length: u64,
    /// Sequence number that the next message in its mempool will have.
    pub mempool_seq: u64,
}

/// How the node keeps up with its neighbours, in `GET /status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SyncStatus {
    /// Neighbours known, guests left out.
    pub neighbours: usize,
    /// Neighbours that answered within the last 30 s.
    pub answering: usize,
    /// The neighbour whose blocks are being fetched; null if none are.
    pub fetching_from: Option<String>,
    /// Length of the chain being fetched.
    pub target: Option<u64>,
    /// Neighbours that do not share this network, each with the remedy.
    pub differences: Vec<String>,
}

/// `GET /reorgs?from=&limit=`, the latest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReorgPage {
    /// The reorgs.
    pub reorgs: Vec<Reorg>,
    /// `from` of the next page; null after the last.
    pub next: Option<u64>,
}

/// One switch to another branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Reorg {
    /// 1 for the first since the database was made.
    pub number: u64,
    /// When, in seconds since the epoch.
    #[schema(value_type = f64)]
    pub timestamp: Number,
    /// When, by RFC 3339 in UTC.
    pub time: Option<String>,
    /// The neighbour that sent the branch.
    pub source: String,
    /// Index of the first block that differs.
    pub from: u64,
    /// Hash of the tip that was left.
    pub old_tip: String,
    /// Hash of the tip that was followed instead.
    pub new_tip: String,
    /// Blocks taken off.
    pub disconnected: u64,
    /// How many of them were sealed.
    pub disconnected_sealed: u64,
    /// Blocks put on.
    pub connected: u64,
    /// How many of them were sealed.
    pub connected_sealed: u64,
    /// Messages of the old branch that waited again.
    pub returned: u64,
    /// The lowest of the blocks taken off, 100 at most.
    pub left: Vec<LeftBlock>,
}

/// A block that was taken off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LeftBlock {
    /// Its index.
    pub index: u64,
    /// Its hash.
    pub hash: String,
    /// Id of the message it carried.
    pub message_id: String,
}
