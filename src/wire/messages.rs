//! Bodies about messages: adding a message, its state, the mempool.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Position;

/// `POST /messages`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct NewMessage {
    /// Text of the message.
    #[schema(min_length = 1)]
    pub message: String,
}

/// Response to `POST /messages`: the message is on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct PostedMessage {
    /// Id of the message.
    pub id: String,
}

/// State of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// In the mempool.
    Pending,
    /// In a block.
    Mined,
}

/// `GET /messages/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct MessageStatus {
    /// Current id of the message.
    pub id: String,
    /// Requested id, if another message has it and this message got a new id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// Text of the message.
    pub message: String,
    /// State of the message.
    pub state: MessageState,
    /// Seconds for which the message has been pending; null if it is mined.
    pub waiting: Option<f64>,
    /// Block that contains the message; null while it is pending.
    pub block: Option<Position>,
    /// Number of blocks from that one to the tip, inclusive; 0 while the message is pending.
    pub confirmations: u64,
}

/// `GET /mempool`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct MempoolPage {
    /// Pending messages in order of arrival.
    pub messages: Vec<PendingMessage>,
    /// Value of `after` for the next page; null on the last page.
    pub next: Option<u64>,
    /// Number of all pending messages.
    pub count: u64,
}

/// A pending message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct PendingMessage {
    /// Sequence number in order of arrival.
    pub sequence: u64,
    /// 32 hex digits.
    pub id: String,
    /// Text of the message.
    pub message: String,
    /// Seconds since the message arrived.
    pub age: f64,
}
