//! The documented endpoints, in the exact shapes of the original program.
//!
//! `/chain` and `/data` hold JSON inside a JSON string. They are streamed page by page from one
//! view; their length is known from running counts, so a HEAD costs nothing.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderValue, StatusCode, header};
use warp::http;
use warp::reply::{Reply, Response};

use super::admin::Caller;
use super::reject::{ApiError, bytes_response};
use super::server::{Context, StreamPermit};
use crate::legacy::{json, query};
use crate::node::{AddError, Node};
use crate::store::{PageLimit, StoreError, View};

/// How much of a stream is read and held at a time.
const PAGE: PageLimit = PageLimit {
    count: 4096,
    bytes: 128 * 1024,
};

/// `PUT /add?message=TEXT`: 200 means on disk.
pub(crate) async fn add(context: Context, caller: Caller, raw_query: String) -> Response {
    let text = query::value(&raw_query, "message").unwrap_or_default();
    if text.is_empty() {
        let body = "{\"message\":\"No Message added!\",\"more_information\":\"Missing data.\"}\n";
        return bytes_response(StatusCode::BAD_REQUEST, body.into());
    }
    if let Err(refusal) = context.add_rate.check(&caller) {
        return refusal.into_response();
    }
    match context.node.add_message(text, None).await {
        Ok(added) => {
            let body = format!(
                "{{\"id\":\"{}\",\"message\":\"Message added!\",\
                 \"more_information\":\"Will be mined in a future block.\"}}\n",
                added.id
            );
            bytes_response(StatusCode::OK, body.into())
        }
        Err(error @ AddError::OutcomeUnknown { .. }) => {
            tracing::warn!(%error, "slow disk");
            ApiError::from(error).into_response()
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// `GET /neighbours`: those that answer.
pub(crate) fn neighbours(node: &Node) -> Response {
    let answering = node.peers.answering();
    let mut set = b"{\"py/set\": [".to_vec();
    for (position, address) in answering.iter().enumerate() {
        separate(position == 0, &mut set);
        set.extend_from_slice(b"{\"py/tuple\": [");
        json::write_string(address.host(), &mut set);
        set.extend_from_slice(format!(", {}]}}", address.port()).as_bytes());
    }
    set.extend_from_slice(b"]}");
    let length = answering.len();
    let mut body = format!("{{\"length\":{length},\"neighbours\":\"").into_bytes();
    json::write_escaped(&set, &mut body);
    body.extend_from_slice(b"\"}\n");
    bytes_response(StatusCode::OK, body)
}

/// `GET /chain`: all blocks; without a permit only how long they are.
pub(crate) fn chain(node: &Arc<Node>, permit: Option<StreamPermit>) -> Response {
    let opened = node.view().and_then(|view| {
        let totals = view.totals()?;
        let length = view.last_block()?.index + 1;
        Ok((view, totals.chain_json_bytes, length))
    });
    let (view, blocks_bytes, length) = match opened {
        Ok(opened) => opened,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let (start, end) = (
        "{\"chain\":\"[".to_owned(),
        format!("]\",\"length\":{length}}}\n"),
    );
    let bytes = body_bytes(&start, &end, blocks_bytes, length);
    let Some(permit) = permit else {
        return streamed(bytes, Response::new(Vec::new().into()));
    };
    let page = move |view: &View, next: u64| {
        let mut json = Vec::with_capacity(PAGE.bytes * 2);
        let mut text = Vec::new();
        let mut after = next;
        for block in view.blocks(next, PAGE)? {
            separate(block.index == 0, &mut json);
            text.clear();
            json::write_block(&block, &mut text);
            json::write_escaped(&text, &mut json);
            after = block.index + 1;
        }
        Ok((json, after))
    };
    streamed(
        bytes,
        stream_response(Source {
            view: Arc::new(view),
            permit,
            page,
            start,
            end,
        }),
    )
}

/// `GET /data`: all pending messages; without a permit only how long they are.
pub(crate) fn data(node: &Arc<Node>, permit: Option<StreamPermit>) -> Response {
    let opened = node.view().and_then(|view| {
        let totals = view.totals()?;
        let first = view.pending_from(0, PageLimit { count: 1, bytes: 0 })?;
        Ok((view, totals, first.first().map(|first| first.sequence)))
    });
    let (view, totals, first) = match opened {
        Ok(opened) => opened,
        Err(error) => return ApiError::from(error).into_response(),
    };
    let (start, end) = ("\"{\\\"py/set\\\": [".to_owned(), "]}\"\n".to_owned());
    let bytes = body_bytes(
        &start,
        &end,
        totals.mempool_json_bytes,
        totals.mempool_count,
    );
    let Some(permit) = permit else {
        return streamed(bytes, Response::new(Vec::new().into()));
    };
    let page = move |view: &View, next: u64| {
        let mut json = Vec::with_capacity(PAGE.bytes * 2);
        let mut text = Vec::new();
        let mut after = next;
        for pending in view.pending_from(next, PAGE)? {
            separate(Some(pending.sequence) == first, &mut json);
            text.clear();
            json::write_message(&pending.message, &mut text);
            json::write_escaped(&text, &mut json);
            after = pending.sequence + 1;
        }
        Ok((json, after))
    };
    streamed(
        bytes,
        stream_response(Source {
            view: Arc::new(view),
            permit,
            page,
            start,
            end,
        }),
    )
}

fn separate(is_first: bool, json: &mut Vec<u8>) {
    if !is_first {
        json.extend_from_slice(b", ");
    }
}

fn body_bytes(start: &str, end: &str, items_bytes: u64, items: u64) -> u64 {
    (start.len() + end.len()) as u64 + items_bytes + 2 * items.saturating_sub(1)
}

fn streamed(bytes: u64, mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(header::CONTENT_LENGTH, bytes.into());
    response
}

/// What a stream is made of.
struct Source<P> {
    view: Arc<View>,
    permit: StreamPermit,
    /// Renders the items from a key on; the key to go on with is unchanged after the last.
    page: P,
    start: String,
    end: String,
}

enum Position {
    Start,
    Items(u64),
    End,
}

fn stream_response<P>(source: Source<P>) -> Response
where
    P: Fn(&View, u64) -> Result<(Vec<u8>, u64), StoreError> + Clone + Send + Sync + 'static,
{
    let steps = stream::try_unfold((source, Position::Start), |(source, position)| async move {
        match position {
            Position::Start => {
                let start = Bytes::from(source.start.clone());
                Ok::<_, StoreError>(Some((start, (source, Position::Items(0)))))
            }
            Position::Items(next) => {
                let (view, page) = (Arc::clone(&source.view), source.page.clone());
                let turn = Arc::clone(&source.permit.pages).acquire_owned().await;
                let read = tokio::task::spawn_blocking(move || {
                    let _turn = turn;
                    page(&view, next)
                });
                let (json, after) = read.await.unwrap_or(Err(StoreError::Closed))?;
                if after == next {
                    let end = Bytes::from(source.end.clone());
                    return Ok(Some((end, (source, Position::End))));
                }
                Ok(Some((json.into(), (source, Position::Items(after)))))
            }
            Position::End => {
                drop(source.permit);
                Ok(None)
            }
        }
    });
    warp::reply::stream(steps).into_response()
}
