//! `/api/v1/search`: finds blocks and messages by index, hash, id, date or text.
//!
//! Indexes, hashes, ids and dates are looked up in tables. The words of a text are searched for in the
//! pending messages and then block by block, newest first, for a limited time; the response says where
//! to continue.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::blocks;
use crate::api::admin::Caller;
use crate::api::context::Context;
use crate::api::fair_slots::FairSlot;
use crate::api::query::parse_query;
use crate::api::reject::{ApiError, json_response};
use crate::chain::{Block, MessageId};
use crate::store::{PageLimit, Pending, StoreError, View};
use crate::text::json_length;
use crate::wire::{Lookup, SearchField, SearchHit, SearchPage};

/// Maximum length of a search text in characters.
pub(crate) const MAX_QUERY_CHARACTERS: usize = 256;

/// Maximum number of blocks found by a hash prefix.
const MAX_PREFIX_HITS: usize = 20;

/// Maximum number of blocks found by their text on one page.
const MAX_TEXT_HITS: usize = 100;

/// Approximate maximum of the bytes of their messages.
const MAX_TEXT_BYTES: usize = 1024 * 1024;

/// Maximum time of a search for text.
const TEXT_TIMEOUT: Duration = Duration::from_millis(50);

/// Maximum number of pending messages that a search for text reads.
const MAX_PENDING: usize = 1000;

/// Maximum number of blocks that a search for text reads.
const MAX_TEXT_BLOCKS: u64 = 20_000;

/// Maximum size of the pages in which blocks are read.
const PAGE: PageLimit = PageLimit {
    count: 250,
    bytes: 1024 * 1024,
};

/// The query of `GET /search`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SearchQuery {
    q: String,
    before: Option<u64>,
}

/// `GET /search?q=&before=`.
pub(crate) async fn page(
    context: &Context,
    caller: &Caller,
    raw_query: &str,
) -> Result<Response, ApiError> {
    let query: SearchQuery = parse_query(raw_query)?;
    if query.q.is_empty() || query.q.chars().count() > MAX_QUERY_CHARACTERS {
        let message = format!("q must have 1 to {MAX_QUERY_CHARACTERS} characters");
        return Err(ApiError::bad_request(message));
    }
    let slot = context.searches.acquire(caller);
    let slot = slot.map_err(|reason| ApiError::too_many(reason.to_string()))?;
    let page = context
        .node
        .blocking(move |node| search(&node.view()?, &query, slot))
        .await?;
    Ok(json_response(StatusCode::OK, &page))
}

/// Searches a view. The slot is held until the search ends, even if the client disconnects before.
fn search(view: &View, query: &SearchQuery, _slot: FairSlot) -> Result<SearchPage, StoreError> {
    let mut hits = Vec::new();
    let length = view.tip_block()?.index + 1;
    let words = Lookup::words(&query.q);
    // Only the first page holds pending messages, and blocks and messages found in tables.
    if query.before.is_none() {
        let wanted = Lookup::parse(&query.q);
        for (field, index) in blocks_named(view, &wanted, length)? {
            hits.extend(hit(view, field, index)?);
        }
        if let Some(id) = wanted.id {
            hits.extend(by_id(view, id)?);
        }
        hits.extend(pending_with(view, &words)?);
    }
    let before = query.before.unwrap_or(length).min(length);
    let next = by_text(view, &words, before, &mut hits)?;
    Ok(SearchPage { hits, next })
}

/// Returns the blocks found by index, hash prefix or date.
fn blocks_named(
    view: &View,
    wanted: &Lookup,
    length: u64,
) -> Result<BTreeSet<(SearchField, u64)>, StoreError> {
    let mut found = BTreeSet::new();
    if let Some(index) = wanted.index {
        found.insert((SearchField::Index, index));
    }
    if let Some((first, last)) = wanted.hashes {
        let indexes = view.indexes_of(&first, &last, MAX_PREFIX_HITS)?;
        found.extend(indexes.into_iter().map(|index| (SearchField::Hash, index)));
    }
    if let Some(seconds) = wanted.time {
        found.insert((SearchField::Date, first_at(view, seconds, length)?));
    }
    Ok(found)
}

/// Returns the index of the first block at or after a time, or the length of the chain.
fn first_at(view: &View, seconds: f64, length: u64) -> Result<u64, StoreError> {
    // Timestamps rise from block to block.
    let (mut low, mut high) = (0, length);
    while low < high {
        let middle = low + (high - low) / 2;
        let block = view.block(middle)?;
        if block.is_some_and(|block| Lookup::is_before(block.timestamp.seconds(), seconds)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// Returns the message with this id, pending or in a block, also if it was renamed since.
fn by_id(view: &View, id: MessageId) -> Result<Option<SearchHit>, StoreError> {
    let id = view.current_id(id)?;
    if view.pending(&id)?.is_some() {
        return Ok(Some(SearchHit {
            field: SearchField::Id,
            block: None,
            message_id: id.to_string(),
        }));
    }
    match view.block_of_message(&id)? {
        Some(block) => describe(view, SearchField::Id, &block),
        None => Ok(None),
    }
}

/// Returns the pending messages whose text has every word.
fn pending_with(view: &View, words: &[String]) -> Result<Vec<SearchHit>, StoreError> {
    let limit = PageLimit {
        count: MAX_PENDING,
        bytes: MAX_TEXT_BYTES,
    };
    let pending = view.pending_from(0, limit)?;
    let found = pending
        .iter()
        .filter(|pending| has_words(pending.message.text(), words));
    let hit = |pending: &Pending| SearchHit {
        field: SearchField::Text,
        block: None,
        message_id: pending.message.id().to_string(),
    };
    Ok(found.take(MAX_TEXT_HITS).map(hit).collect())
}

pub(super) fn has_words(text: &str, words: &[String]) -> bool {
    let text = text.to_lowercase();
    !words.is_empty() && words.iter().all(|word| text.contains(word))
}

/// Adds the blocks below `before` whose message has every word. Returns where to continue.
fn by_text(
    view: &View,
    words: &[String],
    before: u64,
    hits: &mut Vec<SearchHit>,
) -> Result<Option<u64>, StoreError> {
    let begin = Instant::now();
    let (mut next, mut count, mut bytes) = (before, 0, 0);
    while let Some(highest) = next.checked_sub(1) {
        if before - next >= MAX_TEXT_BLOCKS || next < before && begin.elapsed() >= TEXT_TIMEOUT {
            return Ok(Some(next));
        }
        for block in view.blocks_down(highest, PAGE)? {
            let message = block.message.text();
            if has_words(message, words) {
                let length = json_length(message.as_bytes());
                if count >= MAX_TEXT_HITS || count > 0 && bytes + length > MAX_TEXT_BYTES {
                    return Ok(Some(next));
                }
                (count, bytes) = (count + 1, bytes + length);
                hits.extend(describe(view, SearchField::Text, &block)?);
            }
            next = block.index;
        }
    }
    Ok(None)
}

fn hit(view: &View, field: SearchField, index: u64) -> Result<Option<SearchHit>, StoreError> {
    match view.block(index)? {
        Some(block) => describe(view, field, &block),
        None => Ok(None),
    }
}

fn describe(
    view: &View,
    field: SearchField,
    block: &Block,
) -> Result<Option<SearchHit>, StoreError> {
    let mut described = blocks::describe(view, std::slice::from_ref(block))?;
    Ok(described.pop().map(|described| SearchHit {
        field,
        message_id: described.data.id.clone(),
        block: Some(described),
    }))
}
