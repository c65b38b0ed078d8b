//! `/checkpoint`, receipts and consistency proofs ([`crate::proofs`]).
//!
//! The store verifies every proof. If the history table is damaged, the response is 503 `damaged`.

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use super::blocks::{find, no_such_block};
use super::messages::{no_such_message, parse_id};
use crate::api::admin::Caller;
use crate::api::context::Context;
use crate::api::query::parse_query;
use crate::api::reject::{ApiError, bytes_response, json_response, not_modified};
use crate::chain::{Block, BlockHash};
use crate::http::is_unchanged;
use crate::node::Node;
use crate::proofs::{InvalidEntries, MAX_FILE_BYTES, entries};
use crate::store::{StoreError, View};
use crate::wire::CheckpointView;
use crate::wire::proofs::MAX_RECEIPT_BLOCKS;

/// The query of `GET /checkpoint` and of a single receipt.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AtQuery {
    /// The block that commits to the others: an index, a hash or `tip`.
    #[serde(default = "tip")]
    at: String,
}

/// The query of `GET /consistency`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConsistencyQuery {
    from: u64,
    #[serde(default = "tip")]
    to: String,
}

fn tip() -> String {
    "tip".to_owned()
}

/// `GET /checkpoint?at=`.
pub(crate) fn checkpoint(node: &Node, raw_query: &str) -> Result<Response, ApiError> {
    let query: AtQuery = parse_query(raw_query)?;
    let view = node.view()?;
    let block = find(&view, &query.at)?;
    let tip = view.tip_block()?.index;
    let checkpoint = view.checkpoint(&block).map_err(or_damaged)?;
    let body = CheckpointView::new(&checkpoint, &block, tip);
    Ok(json_response(StatusCode::OK, &body))
}

/// `GET /blocks/{index|hash|tip}/receipt?at=`.
pub(crate) fn of_block(
    node: &Node,
    which: &str,
    raw_query: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let query: AtQuery = parse_query(raw_query)?;
    let view = node.view()?;
    let block = find(&view, which)?;
    single(&view, block, &query.at, headers)
}

/// `GET /messages/{id}/receipt?at=`: of the lowest block that contains the message.
pub(crate) fn of_message(
    node: &Node,
    id: &str,
    raw_query: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let query: AtQuery = parse_query(raw_query)?;
    let requested = parse_id(id)?;
    // Before the view is opened, so that a commit in between is visible in the view.
    let is_in_flight = node.is_in_flight(&requested);
    let view = node.view()?;
    let id = view.current_id(requested)?;
    let Some(block) = view.block_of_message(&id)? else {
        return Err(match view.pending(&id)? {
            Some(_) => pending(),
            None => no_such_message(requested, is_in_flight),
        });
    };
    single(&view, block, &query.at, headers)
}

/// `GET /receipts?block=&block=&at=`.
pub(crate) async fn of_blocks(
    context: &Context,
    caller: &Caller,
    raw_query: &str,
) -> Result<Response, ApiError> {
    let (names, at) = parse_batch(raw_query)?;
    context
        .long_response(caller, move |node| {
            let answer = batch(&node.view()?, &names, &at);
            Ok(answer.unwrap_or_else(ApiError::into_response))
        })
        .await
}

/// `GET /consistency?from=INDEX&to=`.
pub(crate) fn consistency(node: &Node, raw_query: &str) -> Result<Response, ApiError> {
    let query: ConsistencyQuery = parse_query(raw_query)?;
    let view = node.view()?;
    let to = find(&view, &query.to)?;
    let from = view.block(query.from)?;
    let from = from.ok_or_else(|| no_such_block(&view, &query.from.to_string()))?;
    if from.index >= to.index {
        return Err(ApiError::bad_request(format!(
            "from must be below to; block {} is not below block {}",
            from.index, to.index
        )));
    }
    let proof = view.consistency_proof(&from, &to).map_err(or_damaged)?;
    let name = format!("block-{}-to-{}.consistency.json", from.index, to.index);
    Ok(attachment(proof.to_json(), &name))
}

fn parse_batch(raw_query: &str) -> Result<(Vec<String>, String), ApiError> {
    let pairs: Vec<(String, String)> = parse_query(raw_query)?;
    let (mut names, mut at) = (Vec::new(), None);
    for (key, value) in pairs {
        match &*key {
            "block" => names.push(value),
            "at" if at.is_none() => at = Some(value),
            _ => {
                let text = "the query takes block, up to 100 times, and at, once";
                return Err(ApiError::bad_request(text));
            }
        }
    }
    if !(1..=MAX_RECEIPT_BLOCKS).contains(&names.len()) {
        let text = format!("name 1 to {MAX_RECEIPT_BLOCKS} blocks");
        return Err(ApiError::bad_request(text));
    }
    Ok((names, at.unwrap_or_else(tip)))
}

fn batch(view: &View, names: &[String], at: &str) -> Result<Response, ApiError> {
    let under = find(view, at)?;
    let mut blocks = Vec::with_capacity(names.len());
    for name in names {
        blocks.push(find(view, name)?);
    }
    let name = format!("blocks-under-{}.receipt.json", under.index);
    Ok(attachment(receipt(view, under, blocks)?, &name))
}

fn single(view: &View, block: Block, at: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let under = find(view, at)?;
    let (index, hash) = (block.index, BlockHash::of(&block));
    let name = format!("block-{index}-under-{}.receipt.json", under.index);
    let tag = format!("\"{hash}-{}\"", BlockHash::of(&under));
    let mut response = if index <= under.index && is_unchanged(headers, &tag) {
        not_modified()
    } else {
        attachment(receipt(view, under, vec![block])?, &name)
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// Creates a receipt.
fn receipt(view: &View, under: Block, blocks: Vec<Block>) -> Result<String, ApiError> {
    let blocks = entries(&under, blocks).map_err(|invalid| match invalid {
        InvalidEntries::Repeated { .. } => ApiError::bad_request(invalid.to_string()),
        InvalidEntries::NotBelow { .. } => {
            ApiError::new(StatusCode::CONFLICT, "above", invalid.to_string())
        }
    })?;
    let receipt = view.receipt(under, blocks).map_err(or_damaged)?;
    receipt.to_json().ok_or_else(|| {
        ApiError::too_large(format!(
            "the receipt would have more than {MAX_FILE_BYTES} bytes"
        ))
    })
}

fn pending() -> ApiError {
    let text = "the message is pending; ask again when it is mined";
    ApiError::new(StatusCode::CONFLICT, "pending", text)
}

fn or_damaged(error: StoreError) -> ApiError {
    if !matches!(error, StoreError::Corrupt { .. }) {
        return error.into();
    }
    tracing::error!(
        error = &error as &dyn std::error::Error,
        "cannot create a proof: history table damaged"
    );
    let text = "the node cannot prove this: its history tree is damaged; its log says where";
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "damaged", text)
}

/// A file in its canonical bytes.
fn attachment(json: String, name: &str) -> Response {
    let mut response = bytes_response(StatusCode::OK, json.into_bytes());
    if let Ok(disposition) = HeaderValue::try_from(format!("attachment; filename=\"{name}\"")) {
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}
