//! The schema: every table with its key and value.
//!
//! Integers are redb's own fixed-width little-endian integers; blocks and values named as records
//! are bytes with a checksum ([`super::value`]). All tables are made when the database is created,
//! and everything that belongs to one block changes in one transaction.
//!
//! | table | key | value |
//! |---|---|---|
//! | `blocks` | index | block |
//! | `index_by_hash` | block hash | index |
//! | `index_by_message` | message id | lowest index that carries the id |
//! | `history` | node position ([`crate::chain::history`]) | node hash |
//! | `mempool` | sequence number, in order of arrival | [`PendingRecord`] |
//! | `mempool_by_id` | message id | sequence number |
//! | `learned` | sequence number of a pending message that came from a peer | nothing |
//! | `renamed` | message id that another message took | id the message is kept under |
//! | `idempotency` | SHA-256 of a client's key | [`IdempotencyRecord`] |
//! | `idempotency_by_time` | (milliseconds since the epoch, SHA-256 of the key) | nothing |
//! | `staged` | (branch number, index) | block of a branch that has not won (yet) |
//! | `reorgs` | number of the reorg, from 1 | [`ReorgRecord`] |
//! | `neighbours` | `HOST:PORT` | [`NeighbourRecord`] |
//! | `meta` | name | `schema`: u32, little endian; `network`, `totals`, `snapshot`: records; `running`: empty |

use redb::TableDefinition;
use serde::{Deserialize, Serialize};

use crate::chain::ReorgCounts;

/// Version of this schema. A database with a newer one is refused.
pub(crate) const SCHEMA_VERSION: u32 = 3;

/// Oldest schema that is read, too; it becomes this one at the first start. Its values have no
/// checksums ([`super::value`]).
pub(crate) const OLDEST_SCHEMA: u32 = 2;

pub(crate) const BLOCKS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("blocks");
pub(crate) const INDEX_BY_HASH: TableDefinition<'_, &[u8; 32], u64> =
    TableDefinition::new("index_by_hash");
pub(crate) const INDEX_BY_MESSAGE: TableDefinition<'_, &[u8; 16], u64> =
    TableDefinition::new("index_by_message");
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
pub(crate) const NEIGHBOURS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("neighbours");
pub(crate) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// Names in `meta`.
pub(crate) const SCHEMA: &str = "schema";
pub(crate) const NETWORK: &str = "network";
pub(crate) const TOTALS: &str = "totals";
pub(crate) const SNAPSHOT: &str = "snapshot";
/// There while a node has the database open: it outlives a kill.
pub(crate) const RUNNING: &str = "running";

/// What is fixed for the network the chain belongs to, besides its genesis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NetworkRecord {
    pub(crate) difficulty: u8,
    /// First index that must be sealed; none where the documented rules alone hold.
    pub(crate) sealed_from: Option<u64>,
}

/// Running counts, so that no answer needs a walk over the chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Sealed blocks in the chain.
    pub sealed: u64,
    /// Bytes of the blocks' documented JSON, escaped for a JSON string, without separators.
    pub chain_json_bytes: u64,
    /// Pending messages.
    pub mempool_count: u64,
    /// Bytes of the pending texts.
    pub mempool_bytes: u64,
    /// As `chain_json_bytes`, of the pending messages.
    pub mempool_json_bytes: u64,
    /// Pending messages that came from peers.
    pub learned_count: u64,
    /// Bytes of their texts.
    pub learned_bytes: u64,
    /// Sequence number of the next message to arrive.
    pub next_sequence: u64,
    /// Reorgs so far.
    pub reorgs: u64,
}

/// A message that waits to be mined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PendingRecord {
    pub(crate) id: [u8; 16],
    pub(crate) text: String,
    /// When it was taken in, in milliseconds since the epoch.
    pub(crate) arrived: u64,
}

/// What a client's key stood for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IdempotencyRecord {
    pub(crate) id: [u8; 16],
    /// SHA-256 of the text, to tell a repetition from a key used twice.
    pub(crate) text_digest: [u8; 32],
    /// When it was used, in milliseconds since the epoch.
    pub(crate) at: u64,
}

/// What is known of the snapshot files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRecord {
    /// Hash of the tip that the last snapshot holds.
    pub tip: Option<[u8; 32]>,
    /// File names of the backups this program wrote, oldest first: the only ones it may delete.
    pub backups: Vec<String>,
}

/// One switch to another branch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReorgRecord {
    /// When, in milliseconds since the epoch.
    pub at: u64,
    /// Who sent the branch.
    pub source: String,
    /// Index of the first block that differs.
    pub from: u64,
    /// Hash of the tip that was left.
    pub old_tip: [u8; 32],
    /// Hash of the tip that is followed now.
    pub new_tip: [u8; 32],
    /// Blocks taken off.
    pub disconnected: u64,
    /// How many of them were sealed.
    pub disconnected_sealed: u64,
    /// Blocks put on.
    pub connected: u64,
    /// How many of them are sealed.
    pub connected_sealed: u64,
    /// Messages of the old branch that wait again.
    pub returned: u64,
    /// The lowest of the blocks taken off.
    pub disconnected_blocks: Vec<DisconnectedRecord>,
}

impl ReorgRecord {
    /// Its numbers of blocks.
    pub fn counts(&self) -> ReorgCounts {
        ReorgCounts {
            disconnected: self.disconnected,
            disconnected_sealed: self.disconnected_sealed,
            connected: self.connected,
            connected_sealed: self.connected_sealed,
        }
    }
}

/// A block that was taken off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DisconnectedRecord {
    /// Its hash.
    pub hash: [u8; 32],
    /// Id of the message it carried.
    pub message: [u8; 16],
}

/// A neighbour that outlives a restart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeighbourRecord {
    /// `HOST:PORT`; of a removed one, all its addresses, separated by spaces.
    pub address: String,
    /// How it is kept.
    pub status: NeighbourStatus,
}

/// How a neighbour is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NeighbourStatus {
    /// It was learned from others.
    Learned,
    /// The administrator added it: it is retried for ever.
    Added,
    /// The administrator removed it: it stays out until it is added again.
    Removed,
}
