//! Bodies about other nodes: neighbours, announcements, reorgs, the state of the sync.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

use crate::chain::ReorgCounts;

/// `GET /neighbours`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
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
    /// Named when the node was started, or added by the administrator: retried for ever.
    Configured,
    /// Learned from others.
    Learned,
    /// It asks this node and is asked only when it announces something.
    Guest,
}

/// One neighbour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
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
    /// Seconds that its clock is ahead of this node's, below 0 if it is behind; null if it did not
    /// tell the time.
    pub clock_offset: Option<f64>,
    /// Its first block that is not followed yet because it is dated too far ahead of this node's
    /// clock, with the remedy; null if there is none.
    pub held_back: Option<String>,
}

/// What happened to a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NeighbourChange {
    /// It is a neighbour now.
    Came,
    /// It is a neighbour no more.
    Went,
    /// What it runs, how it became known or why it is refused is different from before.
    Changed,
}

/// A neighbour came, went or changed: an event of `GET /events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct NeighbourNews {
    /// `HOST:PORT`.
    pub address: String,
    /// What happened to it.
    pub change: NeighbourChange,
    /// What it runs.
    pub kind: PeerKind,
    /// How it became known.
    pub origin: PeerOrigin,
    /// Why its blocks are not followed or it cannot be asked; null if all is well.
    pub refused: Option<String>,
}

/// What must be the same on all nodes of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
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
#[serde(remote = "Self")]
pub struct Position {
    /// Its index.
    pub index: u64,
    /// Its hash.
    pub hash: String,
}

/// `POST /neighbours`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct NewNeighbour {
    /// `HOST:PORT`.
    pub address: String,
}

/// `POST /announce`: a node says that it has something new. Trusted for nothing but to ask it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Announcement {
    /// Version of `/api/v1` between nodes.
    #[serde(deserialize_with = "whole")]
    #[schema(schema_with = whole_number)]
    pub protocol: u64,
    /// Where it can be asked: `HOST:PORT`, or `:PORT` for the host the announcement comes from.
    pub address: String,
    /// Hash of its tip.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub tip: String,
    /// Number of its blocks.
    #[serde(deserialize_with = "whole")]
    #[schema(schema_with = whole_number)]
    pub length: u64,
    /// Sequence number that the next message in its mempool will have.
    #[serde(deserialize_with = "whole")]
    #[schema(schema_with = whole_number)]
    pub mempool_seq: u64,
}

/// A whole number as the schema has it: `7.0` is one, too.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    // What is added turns -0 into 0.
    let whole = |value: f64| format!("{:.0}", value + 0.0).parse().ok();
    let from_float = || whole(number.as_f64().filter(|value| value.fract() == 0.0)?);
    let value = number.as_u64().or_else(from_float);
    value.ok_or_else(|| D::Error::custom(format!("{number} is no whole number from 0 on")))
}

/// How it is described: up to the largest number of 64 bits.
fn whole_number() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .minimum(Some(0_u64))
        .maximum(Some(u64::MAX))
        .build()
}

/// How the node keeps up with its neighbours, in `GET /status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
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
#[serde(remote = "Self")]
pub struct ReorgPage {
    /// The reorgs.
    pub reorgs: Vec<Reorg>,
    /// `from` of the next page; null after the last.
    pub next: Option<u64>,
}

/// One switch to another branch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
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
    /// Whether more than 6 blocks were taken off.
    #[serde(default)]
    pub deep: bool,
    /// Whether fewer sealed blocks were put on than taken off.
    #[serde(default)]
    pub trades_sealed: bool,
    /// The lowest of the blocks taken off, 100 at most.
    pub left: Vec<DisconnectedBlock>,
}

impl Reorg {
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

/// The last reorg that people should look at, in `GET /status`; `GET /reorgs` tells all of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct NotableReorg {
    /// Its number.
    pub number: u64,
    /// When, in seconds since the epoch.
    #[schema(value_type = f64)]
    pub timestamp: Number,
    /// Index of the first block that differs.
    pub from: u64,
    /// Blocks taken off.
    pub disconnected: u64,
    /// How many of them were sealed.
    pub disconnected_sealed: u64,
    /// Blocks put on.
    pub connected: u64,
    /// How many of them were sealed.
    pub connected_sealed: u64,
    /// Whether more than 6 blocks were taken off.
    pub deep: bool,
    /// Whether fewer sealed blocks were put on than taken off.
    pub trades_sealed: bool,
}

/// A block that was taken off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct DisconnectedBlock {
    /// Its index.
    pub index: u64,
    /// Its hash.
    pub hash: String,
    /// Id of the message it carried.
    pub message_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_take_whole_numbers_however_they_are_written() {
        let read = |length: &str| {
            let text = format!(
                "{{\"protocol\":1,\"address\":\":1\",\"tip\":\"\",\"length\":{length},\"mempool_seq\":0}}"
            );
            serde_json::from_str::<Announcement>(&text).map(|said| said.length)
        };
        for (text, length) in [
            ("7", 7),
            ("7.0", 7),
            ("7e2", 700),
            ("0", 0),
            ("-0.0", 0),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(read(text).unwrap(), length, "{text}");
        }
        for text in [
            "-1",
            "7.5",
            "18446744073709551616",
            "1e300",
            "\"7\"",
            "null",
            "true",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
