//! `/api/v1/blocks`: one block, or a page of blocks.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use crate::api::admin::Caller;
use crate::api::context::Context;
use crate::api::find::find_block;
use crate::api::query::{page_limit, parse_query};
use crate::api::reject::{ApiError, json_response, not_modified};
use crate::chain::Block;
use crate::codec;
use crate::http::is_unchanged;
use crate::node::Node;
use crate::store::{PageLimit, StoreError, View};
use crate::wire::{self, BlockPage, BlockRenderer, SingleBlock, render};

/// Maximum number of blocks on a page, and approximate maximum of its bytes.
const MAX_PAGE: PageLimit = PageLimit {
    count: 1000,
    bytes: 1024 * 1024,
};

/// Default number of blocks on a page.
const DEFAULT_COUNT: usize = 100;

/// The query of `GET /blocks`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    from: Option<u64>,
    limit: Option<usize>,
    #[serde(default)]
    order: Order,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Asc,
    Desc,
}

/// `GET /blocks?from=&limit=&order=`: JSON, or frames for nodes that accept them.
pub(crate) async fn page(
    context: &Context,
    caller: &Caller,
    raw_query: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let query: PageQuery = parse_query(raw_query)?;
    let count = page_limit(query.limit, DEFAULT_COUNT, MAX_PAGE.count)?;
    let limit = PageLimit {
        count,
        bytes: MAX_PAGE.bytes,
    };
    if headers
        .get(header::ACCEPT)
        .is_some_and(|kind| kind == codec::FRAMES)
    {
        let frames = context.long_response(caller, move |node| {
            Ok(Response::new(frames(&node.view()?, query, limit)?.into()))
        });
        let mut response = frames.await?;
        let kind = HeaderValue::from_static(codec::FRAMES);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        return Ok(response);
    }
    let page = move |node: &Node| {
        let page = read_page(&node.view()?, query, limit)?;
        Ok(json_response(StatusCode::OK, &page))
    };
    context.long_response(caller, page).await
}

fn frames(view: &View, query: PageQuery, limit: PageLimit) -> Result<Vec<u8>, StoreError> {
    let mut frames = Vec::with_capacity(64 * 1024);
    for block in &read_blocks(view, query, limit)?.0 {
        codec::write_frame(block, &mut frames);
    }
    // A slow client may hold it in memory for a long time.
    frames.shrink_to_fit();
    Ok(frames)
}

/// Returns the blocks of a page in the requested order, and the index where the next page begins.
fn read_blocks(
    view: &View,
    query: PageQuery,
    limit: PageLimit,
) -> Result<(Vec<Block>, Option<u64>), StoreError> {
    let tip = view.tip_block()?.index;
    Ok(if query.order == Order::Desc {
        let blocks = view.blocks_down(query.from.unwrap_or(tip).min(tip), limit)?;
        let next = blocks.last().and_then(|last| last.index.checked_sub(1));
        (blocks, next)
    } else {
        let blocks = view.blocks(query.from.unwrap_or(0), limit)?;
        let next = blocks
            .last()
            .map(|last| last.index + 1)
            .filter(|next| *next <= tip);
        (blocks, next)
    })
}

fn read_page(view: &View, query: PageQuery, limit: PageLimit) -> Result<BlockPage, StoreError> {
    let (mut blocks, next) = read_blocks(view, query, limit)?;
    let is_descending = query.order == Order::Desc;
    if is_descending {
        blocks.reverse();
    }
    let mut described = describe(view, &blocks)?;
    if is_descending {
        described.reverse();
    }
    Ok(BlockPage {
        blocks: described,
        next,
    })
}

/// Describes consecutive blocks of one view.
pub(super) fn describe(view: &View, blocks: &[Block]) -> Result<Vec<wire::Block>, StoreError> {
    let Some(first) = blocks.first() else {
        return Ok(Vec::new());
    };
    let previous = match first.index.checked_sub(1) {
        Some(index) => view.block(index)?,
        None => None,
    };
    let mut renderer = BlockRenderer::above(view.history(first.index)?, previous.as_ref());
    Ok(renderer.render_all(blocks, |block| block))
}

/// Returns the error about a block that a request names and the chain does not have.
pub(super) fn no_such_block(view: &View, which: &str) -> ApiError {
    let index = which.parse::<u64>().ok();
    match index.map(|_| view.tip_block()) {
        None => ApiError::not_found(format!("there is no block {which}")),
        Some(Ok(tip)) => ApiError::not_found(format!(
            "there is no block {which}: the tip is block {}",
            tip.index
        )),
        Some(Err(error)) => error.into(),
    }
}

/// Returns the block that a request names.
pub(super) fn find(view: &View, which: &str) -> Result<Block, ApiError> {
    find_block(view, which)?.ok_or_else(|| no_such_block(view, which))
}

/// `GET /blocks/{index|hash|tip}`.
pub(crate) fn single(
    node: &Arc<Node>,
    which: &str,
    headers: &HeaderMap,
) -> Result<Response, ApiError> {
    let view = node.view()?;
    let block = find(&view, which)?;
    let derived = view.derived(&block)?;
    // A block with a given hash never changes; only its confirmations do, which the tag includes.
    let confirmations = view.length()?.saturating_sub(block.index);
    let tag = format!("\"{}-{confirmations}\"", derived.hash);
    let mut response = if is_unchanged(headers, &tag) {
        not_modified()
    } else {
        json_response(
            StatusCode::OK,
            &SingleBlock {
                block: render(&block, &derived),
                confirmations,
            },
        )
    };
    if let Ok(tag) = HeaderValue::try_from(tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}
