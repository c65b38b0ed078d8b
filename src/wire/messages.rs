//! Bodies about messages: adding one, what became of it, the mempool.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Position;

/// `POST /messages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct NewMessage {
    /// The text.
    #[schema(min_length = 1)]
    pub message: String,
}

/// The answer to `POST /messages`: the message is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct PostedMessage {
    /// Ask for the message under this id.
    pub id: String,
}

/// Where a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// Waits to be mined.
    Pending,
    /// Stands in a block.
    Mined,
}

/// `GET /messages/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct MessageStatus {
    /// The id the message has now.
    pub id: String,
    /// The id that was asked for, if another message took it and this one got a new id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// The text.
    pub message: String,
    /// Pending or mined.
    pub state: MessageState,
    /// Seconds the message has waited; null once it is mined.
    pub waiting: Option<f64>,
    /// The block that carries it; null while it is pending.
    pub block: Option<Position>,
    /// Blocks from that one to the tip; 0 while it is pending.
    pub confirmations: u64,
}

/// `GET /mempool`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct MempoolPage {
    /// Messages in order of arrival.
    pub messages: Vec<PendingMessage>,
    /// `after` of the next page; null after the last.
    pub next: Option<u64>,
    /// Number of all pending messages.
    pub count: u64,
}

/// One pending message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct PendingMessage {
    /// Place in the order of arrival.
    pub sequence: u64,
    /// 32 hex digits.
    pub id: String,
    /// The text.
    pub message: String,
    /// Seconds since it was taken in.
    pub age: f64,
}
