//! `/api/v1/disconnected`: the content of disconnected blocks, and what became of their messages.

use http::StatusCode;
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::search::{MAX_QUERY_CHARACTERS, has_words};
use crate::api::admin::Caller;
use crate::api::context::Context;
use crate::api::query::{history_page_limit, parse_query};
use crate::api::reject::{ApiError, json_response};
use crate::chain::{BlockHash, Derived, Seal};
use crate::node::Node;
use crate::store::disconnected::Disconnected;
use crate::store::{StoreError, View};
use crate::text::json_length;
use crate::wire::{DisconnectedBlockContent, DisconnectedPage, Lookup, render};

/// Approximate maximum of the bytes of the messages on a page, as JSON.
const MAX_PAGE_BYTES: usize = 4 << 20;

/// The query of `GET /disconnected`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DisconnectedQuery {
    reorg: Option<u64>,
    from: Option<u64>,
    #[serde(default)]
    q: String,
    limit: Option<usize>,
}

/// `GET /disconnected?reorg=&from=&q=&limit=`.
pub(crate) async fn page(
    context: &Context,
    caller: &Caller,
    raw_query: &str,
) -> Result<Response, ApiError> {
    let query: DisconnectedQuery = parse_query(raw_query)?;
    let count = history_page_limit(query.limit)?;
    if query.from.is_some() && query.reorg.is_none() {
        return Err(ApiError::bad_request("from requires reorg"));
    }
    if query.q.chars().count() > MAX_QUERY_CHARACTERS {
        let text = format!("q must have at most {MAX_QUERY_CHARACTERS} characters");
        return Err(ApiError::bad_request(text));
    }
    let page = move |node: &Node| {
        let page = read(&node.view()?, &query, count)?;
        Ok(json_response(StatusCode::OK, &page))
    };
    context.long_response(caller, page).await
}

fn read(
    view: &View,
    query: &DisconnectedQuery,
    count: usize,
) -> Result<DisconnectedPage, StoreError> {
    let text = query.q.trim();
    let (wanted, words) = (Lookup::parse(text), Lookup::words(text));
    let (mut blocks, mut next, mut bytes) = (Vec::new(), None, 0);
    view.each_disconnected(query.reorg, query.from.unwrap_or(0), |found| {
        let hash = BlockHash::of(&found.block);
        let message = &found.block.message;
        let is_wanted = text.is_empty()
            || has_words(message.text(), &words)
            || wanted.id == Some(message.id())
            || wanted
                .hashes
                .is_some_and(|(low, high)| (low..=high).contains(&hash));
        if !is_wanted {
            return Ok(true);
        }
        bytes += json_length(message.text().as_bytes());
        if blocks.len() == count || bytes > MAX_PAGE_BYTES && !blocks.is_empty() {
            next = query.reorg.map(|_| found.block.index);
            return Ok(false);
        }
        blocks.push(describe(view, &found, &hash)?);
        Ok(true)
    })?;
    Ok(DisconnectedPage { blocks, next })
}

fn describe(
    view: &View,
    found: &Disconnected,
    hash: &BlockHash,
) -> Result<DisconnectedBlockContent, StoreError> {
    let id = view.current_id(found.block.message.id())?;
    let derived = Derived {
        hash: *hash,
        history_root: found.history_root,
        seal: Seal::of(&found.block, || found.history_root),
        zeros: found.difficulty.unwrap_or_default(),
    };
    Ok(DisconnectedBlockContent {
        reorg: found.reorg,
        block: render(&found.block, &derived),
        mined_in: view.index_of_message(&id)?,
        pending: view.pending(&id)?.is_some(),
    })
}
