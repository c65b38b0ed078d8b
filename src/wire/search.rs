//! Bodies of `GET /search`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Block;

/// `GET /search?q=&before=`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct SearchPage {
    /// Hits: exact ones first, then pending messages and blocks whose text has every word, newest first.
    /// A phrase in quotation marks is one word.
    pub hits: Vec<SearchHit>,
    /// Value of `before` for the next page of the text search; null if all blocks have been searched.
    pub next: Option<u64>,
}

/// Field that matched the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SearchField {
    /// Index of the block.
    Index,
    /// Prefix of the hash of the block.
    Hash,
    /// Id of the message.
    Id,
    /// Date: the block is the first one at or after it.
    Date,
    /// Text of the message: it has every word of the search, in any order, ignoring case.
    Text,
}

/// A search result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct SearchHit {
    /// Field that matched.
    pub field: SearchField,
    /// Block; null for a pending message.
    pub block: Option<Block>,
    /// Id of the message.
    pub message_id: String,
}
