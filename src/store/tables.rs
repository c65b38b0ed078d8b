//! The schema: every table with its key and value.
//!
//! Integers are redb's own fixed-width little-endian integers; blocks and values named as records
//! are bytes with a checksum ([`super::value`]). All tables are created with the database, and
//! everything that belongs to one block changes in one transaction.
//!
//! | table | key | value |
//! |---|---|---|
//! | `blocks` | index | block; history root and zeros before a sealed one ([`super::value`]) |
//! | `index_by_hash`, `recent_by_hash` | block hash | index |
//! | `index_by_message`, `recent_by_message` | message id | index of a block that contains the id; the lowest is found first |
//! | `history` | node position ([`crate::chain::history`]) | node hash |
//! | `mempool` | sequence number, in order of arrival | [`PendingRecord`] |
//! | `mempool_by_id` | message id | sequence number |
//! | `learned` | sequence number of a pending message that came from a peer | nothing |
//! | `renamed` | message id that another message took | id under which the message is kept |
//! | `idempotency` | SHA-256 of a client's key | [`IdempotencyRecord`] |
//! | `idempotency_by_time` | (milliseconds since the epoch, SHA-256 of the key) | nothing |
//! | `staged` | (branch number, index) | block of a branch that is not connected |
//! | `reorgs` | number of the reorg, from 1 | [`ReorgRecord`] |
//! | `disconnected` | (number of the reorg, index) | [`DisconnectedContent`] |
//! | `neighbours` | `HOST:PORT` | [`NeighbourRecord`] |
//! | `meta` | name | `schema`: u32, little endian; `network`, `totals`, `snapshot`, `acknowledged`, `profile`: records; `running`: empty |

use redb::TableDefinition;
use serde::{Deserialize, Serialize};

use super::index::IndexDefinition;
use crate::chain::ReorgCounts;

/// Version of this schema. A database with a newer one is rejected.
pub(crate) const SCHEMA_VERSION: u32 = 5;

/// Oldest schema that can be opened; the first start upgrades it. Its values have no checksums
/// ([`super::value`]). Schema 3 has no content of disconnected blocks, schema 4 no tables of recent
/// rows ([`super::index`]) and no details of seals ([`super::value`]).
pub(crate) const OLDEST_SCHEMA: u32 = 2;

pub(crate) const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
pub(crate) const INDEX_BY_HASH: IndexDefinition<32> = IndexDefinition {
    main: TableDefinition::new("index_by_hash"),
    recent: TableDefinition::new("recent_by_hash"),
};
pub(crate) const INDEX_BY_MESSAGE: IndexDefinition<16> = IndexDefinition {
    main: TableDefinition::new("index_by_message"),
    recent: TableDefinition::new("recent_by_message"),
};
pub(crate) const HISTORY: TableDefinition<'_, u64, &[u8; 32]> = TableDefinition::new("history");
pub(crate) const MEMPOOL: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("mempool");
pub(crate) const MEMPOOL_BY_ID: TableDefinition<'_, &[u8; 16], u64> =
    TableDefinition::new("mempool_by_id");
pub(crate) const LEARNED: TableDefinition<'_, u64, ()> = TableDefinition::new("learned");
pub(crate) const RENAMED: TableDefinition<'_, &[u8; 16], &[u8; 16]> =
    TableDefinition::new("renamed");
pub(crate) const IDEMPOTENCY: TableDefinition<'_, &[u8; 32], &[u8]> =
    TableDefinition::new("idempotency");
pub(crate) const IDEMPOTENCY_BY_TIME: TableDefinition<'_, (u64, &[u8; 32]), ()> =
    TableDefinition::new("idempotency_by_time");
pub(crate) const STAGED: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("staged");
pub(crate) const REORGS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("reorgs");
pub(crate) const DISCONNECTED: TableDefinition<'_, (u64, u64), &[u8]> =
    TableDefinition::new("disconnected");
pub(crate) const NEIGHBOURS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("neighbours");
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// Names in `meta`.
pub(crate) const SCHEMA: &str = "schema";
pub(crate) const NETWORK: &str = "network";
pub(crate) const TOTALS: &str = "totals";
pub(crate) const SNAPSHOT: &str = "snapshot";
/// Number of the last reorg that the administrator acknowledged.
pub(crate) const ACKNOWLEDGED: &str = "acknowledged";
pub(crate) const PROFILE: &str = "profile";
/// Present while a node has the database open, and after a kill.
pub(crate) const RUNNING: &str = "running";

/// Difficulty and seal rule, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NetworkRecord {
    pub(crate) difficulty: u8,
    /// First index that must be sealed; `None` if open proofs are accepted everywhere.
    pub(crate) sealed_from: Option<u64>,
}

/// Running counts, which save scans of the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Number of sealed blocks in the chain.
    pub sealed: u64,
    /// Size of the blocks' JSON in `/chain`, escaped for a JSON string, without separators, in
    /// bytes.
    pub chain_json_bytes: u64,
    /// Number of pending messages.
    pub mempool_count: u64,
    /// Size of the pending texts in bytes.
    pub mempool_bytes: u64,
    /// Like `chain_json_bytes`, for the pending messages.
    pub mempool_json_bytes: u64,
    /// Number of pending messages that came from peers.
    pub learned_count: u64,
    /// Size of their texts in bytes.
    pub learned_bytes: u64,
    /// Sequence number of the next message to arrive.
    pub next_sequence: u64,
    /// Number of reorgs.
    pub reorgs: u64,
}

/// A pending message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingRecord {
    pub(crate) id: [u8; 16],
    pub(crate) text: String,
    /// Time of arrival in milliseconds since the epoch.
    pub(crate) arrived: u64,
}

/// The addition for which a client's key was used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdempotencyRecord {
    pub(crate) id: [u8; 16],
    /// SHA-256 of the text, which distinguishes a retry from a reused key.
    pub(crate) text_digest: [u8; 32],
    /// Time of use in milliseconds since the epoch.
    pub(crate) at: u64,
}

/// Record of the snapshot files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRecord {
    /// Hash of the tip in the last snapshot.
    pub tip: Option<[u8; 32]>,
    /// File names of the backups written by this program, oldest first. Only these may be deleted.
    pub backups: Vec<String>,
}

/// The options of a node that later runs keep.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileRecord {
    /// Name of the node.
    pub name: Option<String>,
    /// Title of the network.
    pub title: Option<String>,
    /// The node follows named neighbours only.
    pub closed: bool,
    /// Networks that may add to a closed node, in CIDR notation; `None` for the default.
    pub allow_add: Option<Vec<String>>,
}

/// One reorg.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReorgRecord {
    /// Time in milliseconds since the epoch.
    pub at: u64,
    /// Peer that sent the branch.
    pub source: String,
    /// Index of the first block that differs.
    pub from: u64,
    /// Hash of the old tip.
    pub old_tip: [u8; 32],
    /// Hash of the new tip.
    pub new_tip: [u8; 32],
    /// Number of disconnected blocks.
    pub disconnected: u64,
    /// Number of disconnected blocks that were sealed.
    pub disconnected_sealed: u64,
    /// Number of connected blocks.
    pub connected: u64,
    /// Number of connected blocks that are sealed.
    pub connected_sealed: u64,
    /// Number of messages returned to the mempool.
    pub returned: u64,
    /// The lowest disconnected blocks, up to a maximum.
    pub disconnected_blocks: Vec<DisconnectedRecord>,
}

impl ReorgRecord {
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

/// A disconnected block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisconnectedRecord {
    /// Hash of the block.
    pub hash: [u8; 32],
    /// Id of its message.
    pub message: [u8; 16],
}

/// A disconnected block with its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DisconnectedContent {
    /// Root over all blocks before it, in the chain that it belonged to.
    pub(crate) history_root: [u8; 32],
    /// Number of trailing zeros of its proof; `None` for a genesis block.
    pub(crate) difficulty: Option<u8>,
    /// The block as [`crate::codec`] encodes it.
    pub(crate) block: Vec<u8>,
}

/// A neighbour kept across restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourRecord {
    /// `HOST:PORT`. For a removed neighbour, all its addresses separated by spaces, so that the
    /// records of schema 2 stay readable.
    pub address: String,
    /// Reason why it is kept.
    pub status: NeighbourStatus,
}

/// Reason why a neighbour is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NeighbourStatus {
    /// It was learned from other nodes.
    Learned,
    /// The administrator added it: connecting to it is retried indefinitely.
    Added,
    /// The administrator removed it: it is ignored until it is added again.
    Removed,
}
