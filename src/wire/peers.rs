//! Bodies about other nodes: neighbours, announcements, synchronization.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Number;
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, SchemaType, Type};

/// `GET /neighbours`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Neighbours {
    /// All neighbours, the ones of origin `configured` first.
    pub neighbours: Vec<Neighbour>,
}

/// Program that a neighbour runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PeerKind {
    /// It has not responded yet, or its response does not tell.
    #[default]
    Unknown,
    /// This program.
    Ours,
    /// A reference miner.
    Reference,
}

/// Origin of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PeerOrigin {
    /// Named by the administrator, at the start of the node or later; shown as "manual". It is
    /// retried forever.
    Configured,
    /// Learned from other nodes.
    Learned,
    /// It sends requests to this node, and is asked only after it has announced something.
    Guest,
}

/// One neighbour.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Neighbour {
    /// `HOST:PORT`.
    pub address: String,
    /// Name that its operator gave it; null if there is none.
    #[serde(default)]
    pub name: Option<String>,
    /// Program that it runs.
    pub kind: PeerKind,
    /// Origin of the neighbour.
    pub origin: PeerOrigin,
    /// Its tip, if known.
    pub tip: Option<Position>,
    /// Seconds since its last response; null if it has not responded since the start of this node.
    pub last_answer: Option<f64>,
    /// Number of failures since its last response.
    pub failures: u32,
    /// Seconds until the next retry after a failure; null if it is not in backoff.
    pub retry_in: Option<f64>,
    /// Reason why its blocks are not followed or it cannot be reached, with the remedy; null if there is
    /// none.
    pub refused: Option<String>,
    /// Its genesis hash, difficulty and seal rule, if known.
    pub network: Option<NetworkStatus>,
    /// Version of its program, if known.
    pub version: Option<String>,
    /// Offset of its clock from this node's in seconds, negative if it is behind; null if unknown.
    pub clock_offset: Option<f64>,
    /// Its first block that is held back because its time is too far ahead of this node's clock, with
    /// the remedy; null if there is none.
    pub held_back: Option<String>,
}

/// Kind of change of a neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum NeighbourChange {
    /// It was added.
    Came,
    /// It was removed.
    Went,
    /// Its program, its origin or the reason why it is refused has changed.
    Changed,
}

/// A neighbour was added, removed or changed: an event of `GET /events`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct NeighbourEvent {
    /// `HOST:PORT`.
    pub address: String,
    /// Kind of change.
    pub change: NeighbourChange,
    /// Program that it runs.
    pub kind: PeerKind,
    /// Origin of the neighbour.
    pub origin: PeerOrigin,
    /// Reason why its blocks are not followed or it cannot be reached; null if there is none.
    pub refused: Option<String>,
}

/// Parameters that all nodes of a network share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct NetworkStatus {
    /// Hash of the genesis block.
    pub genesis: String,
    /// Minimum number of trailing zeros of every proof.
    pub difficulty: u8,
    /// First index from which every block must be sealed; null if only the rules of the reference miner apply.
    pub sealed_from: Option<u64>,
}

/// A block by its index and hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Position {
    /// Index of the block.
    pub index: u64,
    /// Hash of the block.
    pub hash: String,
}

/// `POST /neighbours`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
pub struct NewNeighbour {
    /// `HOST:PORT`.
    pub address: String,
}

/// `POST /announce`: a node announces that it has new blocks or messages. The receiver asks it for
/// them and trusts nothing else in the announcement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct Announcement {
    /// Version of the protocol between nodes.
    #[serde(deserialize_with = "whole")]
    #[schema(schema_with = whole_number)]
    pub protocol: u64,
    /// Address of the node: `HOST:PORT`, or `:PORT` for the host that sends the announcement.
    pub address: String,
    /// Hash of its tip.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub tip: String,
    /// Number of blocks of its chain.
    #[serde(deserialize_with = "whole")]
    #[schema(schema_with = whole_number)]
    pub length: u64,
    /// Sequence number of the next message in its mempool.
    #[serde(deserialize_with = "whole")]
    #[schema(schema_with = whole_number)]
    pub mempool_seq: u64,
}

/// Deserializes an integer as JSON Schema defines it, so that `7.0` is accepted.
fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = Number::deserialize(deserializer)?;
    // Adding 0 turns -0 into 0.
    let whole = |value: f64| format!("{:.0}", value + 0.0).parse().ok();
    let from_float = || whole(number.as_f64().filter(|value| value.fract() == 0.0)?);
    let value = number.as_u64().or_else(from_float);
    value.ok_or_else(|| D::Error::custom(format!("{number} is not an integer from 0 to 2^64 - 1")))
}

/// Returns the schema of an integer of 64 bits.
fn whole_number() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .minimum(Some(0_u64))
        .maximum(Some(u64::MAX))
        .build()
}

/// State of the synchronization with neighbours, in `GET /status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct SyncStatus {
    /// Number of neighbours, except guests.
    pub neighbours: usize,
    /// Number of neighbours that responded within the last 30 s.
    pub answering: usize,
    /// Neighbour whose blocks are being fetched; null if there is none.
    pub fetching_from: Option<String>,
    /// Length of the chain that is being fetched.
    pub target: Option<u64>,
    /// Neighbours of other networks, each with the remedy.
    pub differences: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_accept_integers_in_any_notation() {
        let read = |length: &str| {
            let text = format!(
                "{{\"protocol\":1,\"address\":\":1\",\"tip\":\"\",\"length\":{length},\"mempool_seq\":0}}"
            );
            serde_json::from_str::<Announcement>(&text).map(|announcement| announcement.length)
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
