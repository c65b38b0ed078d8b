//! Bodies of `GET /search`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Block;

/// `GET /search?q=&before=`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct SearchPage {
    /// What was found: exact hits first, then blocks whose message holds the text, newest first.
    pub hits: Vec<SearchHit>,
    /// `before` of the next page of the text search; null once every block was looked at.
    pub next: Option<u64>,
}

/// Why something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SearchField {
    /// The block has this index.
    Index,
    /// Its hash begins with this.
    Hash,
    /// It carries the message with this id.
    Id,
    /// It is the first one at or after this date.
    Date,
    /// Its message holds this text, in capitals or not.
    Text,
}

/// One find.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct SearchHit {
    /// What of it was looked for.
    pub field: SearchField,
    /// The block; null for a message that waits.
    pub block: Option<Block>,
    /// Id of the message.
    pub message_id: String,
}
