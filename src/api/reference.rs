//! The endpoints of the reference miner, in its exact formats.
//!
//! `/chain` and `/data` hold JSON inside a JSON string. They are streamed page by page, each page
//! from its own view. Their length follows from running counts, so HEAD reads nothing.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use warp::http;
use warp::reply::{Reply, Response};

use super::add_rate::check_add_rate;
use super::admin::Caller;
use super::context::{Context, StreamPermit};
use super::reject::{ApiError, bytes_response};
use super::v1::messages::idempotency_key;
use crate::node::Node;
use crate::reference::{json, query};
use crate::store::{PageLimit, Rejection, StoreError, View};

/// Maximum size of a page, of which a stream holds one at a time.
const PAGE: PageLimit = PageLimit {
    count: 4096,
    bytes: 128 * 1024,
};

/// Last byte of a stream.
const END: &[u8] = b"\n";

/// `PUT /add?message=TEXT`: 200 means that the message is on disk.
pub(crate) async fn add(
    context: &Context,
    caller: &Caller,
    headers: &HeaderMap,
    raw_query: &str,
) -> Response {
    let text = query::value(raw_query, "message").unwrap_or_default();
    if text.is_empty() {
        let body = "{\"message\":\"No Message added!\",\"more_information\":\"Missing data.\"}\n";
        return bytes_response(StatusCode::BAD_REQUEST, body.into());
    }
    let key = match idempotency_key(headers) {
        Ok(key) => key,
        Err(error) => return error.into_response(),
    };
    if let Err(error) = check_add_rate(&context.node.add_rate, caller) {
        return error.into_response();
    }
    match context.node.add_message(text, key).await {
        Ok(added) => {
            let body = format!(
                "{{\"id\":\"{}\",\"message\":\"Message added!\",\
                 \"more_information\":\"Will be mined in a future block.\"}}\n",
                added.id
            );
            bytes_response(StatusCode::OK, body.into())
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// `GET /neighbours`: the neighbours that answer.
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

/// `GET /chain`: all blocks. Without a permit, only the head of the response.
pub(crate) fn chain(node: &Arc<Node>, permit: Option<StreamPermit>) -> Response {
    let state = node.state();
    let (tip, length) = (state.tip.clone(), state.length());
    let start = "{\"chain\":\"[";
    let close = format!("]\",\"length\":{length}}}");
    let bytes = body_bytes(start, &close, state.chain_json_bytes(), length);
    let Some(permit) = permit else {
        return streamed(bytes, Response::new(Vec::new().into()));
    };
    let page = move |view: &View, next: u64| {
        if next > tip.index {
            return Ok(Page::End);
        }
        // After a reorg, further blocks would not follow those already sent.
        if view.index_of(&tip.hash)? != Some(tip.index) {
            return Err(Rejection::StaleTip.into());
        }
        let blocks = view.blocks(next, PAGE.at_most(length - next))?;
        let blocks = blocks.iter().map(|block| (block.index, block));
        Ok(Page::of(next, blocks, json::write_block))
    };
    let source = StreamSource {
        node: Arc::clone(node),
        permit,
        render_page: page,
        start,
        close,
        pads_missing_items: false,
    };
    streamed(bytes, stream_response(source, bytes))
}

/// `GET /data`: all pending messages. Without a permit, only the head of the response. Messages that
/// are mined while the response is sent are omitted from the rest of it; spaces after the JSON make up
/// for their bytes, so that `Content-Length` stays right.
pub(crate) fn data(node: &Arc<Node>, permit: Option<StreamPermit>) -> Response {
    let state = node.state();
    let (start, close) = ("\"{\\\"py/set\\\": [", "]}\"".to_owned());
    let count = state.mempool_count();
    let bytes = body_bytes(start, &close, state.mempool_json_bytes(), count);
    let Some(permit) = permit else {
        return streamed(bytes, Response::new(Vec::new().into()));
    };
    // `Content-Length` does not include messages that arrive later.
    let end = state.next_sequence();
    let page = move |view: &View, next: u64| {
        let pending = view.pending_from(next, PAGE)?;
        let messages = pending
            .iter()
            .map(|pending| (pending.sequence, &pending.message));
        let announced = messages.take_while(|(sequence, _)| *sequence < end);
        Ok(Page::of(next, announced, json::write_message))
    };
    let source = StreamSource {
        node: Arc::clone(node),
        permit,
        render_page: page,
        start,
        close,
        pads_missing_items: true,
    };
    streamed(bytes, stream_response(source, bytes))
}

fn separate(is_first: bool, json: &mut Vec<u8>) {
    if !is_first {
        json.extend_from_slice(b", ");
    }
}

fn body_bytes(start: &str, close: &str, items_bytes: u64, items: u64) -> u64 {
    (start.len() + close.len() + END.len()) as u64 + items_bytes + 2 * items.saturating_sub(1)
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

/// The content of a stream. A view is opened for each page and closed before the page is sent:
/// while one is open, the database cannot reuse the space of any page that a commit replaces.
struct StreamSource<P> {
    node: Arc<Node>,
    permit: StreamPermit,
    /// Renders a page of items that begins at a key.
    render_page: P,
    start: &'static str,
    close: String,
    /// `true` if items can disappear during the stream. Spaces are sent in their place.
    pads_missing_items: bool,
}

/// A page of a stream.
enum Page {
    /// Rendered items and the key of the next page.
    Items(Vec<u8>, u64),
    /// All items are sent.
    End,
}

impl Page {
    /// Renders the items of a page that begins at the key `next`. Each item comes with its key, in
    /// the order of the keys.
    fn of<'a, T: 'a>(
        next: u64,
        items: impl Iterator<Item = (u64, &'a T)>,
        write: impl Fn(&T, &mut Vec<u8>),
    ) -> Self {
        let mut json = Vec::with_capacity(PAGE.bytes * 2);
        let (mut text, mut after) = (Vec::new(), next);
        for (key, item) in items {
            separate(after == 0, &mut json);
            text.clear();
            write(item, &mut text);
            json::write_escaped(&text, &mut json);
            after = key + 1;
        }
        if after == next {
            Self::End
        } else {
            Self::Items(json, after)
        }
    }
}

/// The next part of a stream.
#[derive(Clone, Copy)]
enum Part {
    Start,
    Items(u64),
    Padding,
}

impl<P> StreamSource<P>
where
    P: Fn(&View, u64) -> Result<Page, StoreError> + Send + Sync + 'static,
{
    /// Reads and renders the page that begins at a key, once a page permit is free.
    async fn items(self: &Arc<Self>, next: u64) -> Result<Page, StoreError> {
        let permit = Arc::clone(&self.permit.pages).acquire_owned().await;
        let source = Arc::clone(self);
        self.node
            .blocking(move |node| {
                let _permit = permit;
                (source.render_page)(&node.view()?, next)
            })
            .await
    }

    /// Returns the bytes of a part and the part after it, if any. `left` is the number of bytes that
    /// are left of the announced length.
    async fn next(
        self: &Arc<Self>,
        part: Part,
        left: u64,
    ) -> Result<(Bytes, Option<Part>), StoreError> {
        Ok(match part {
            Part::Start => {
                let start = Bytes::from_static(self.start.as_bytes());
                (start, Some(Part::Items(0)))
            }
            Part::Items(next) => match self.items(next).await? {
                Page::Items(json, next) => (json.into(), Some(Part::Items(next))),
                Page::End => (Bytes::from(self.close.clone()), Some(Part::Padding)),
            },
            Part::Padding => {
                let missing = left.saturating_sub(END.len() as u64);
                if missing > 0 && self.pads_missing_items {
                    let spaces = usize::try_from(missing).unwrap_or(usize::MAX);
                    let padding = vec![b' '; spaces.min(PAGE.bytes)];
                    (padding.into(), Some(Part::Padding))
                } else {
                    (Bytes::from_static(END), None)
                }
            }
        })
    }
}

/// Returns a response with a streamed body of `bytes` bytes. After an error the connection is closed
/// before all of them are sent, so that no client takes the body for a complete one.
fn stream_response<P>(source: StreamSource<P>, bytes: u64) -> Response
where
    P: Fn(&View, u64) -> Result<Page, StoreError> + Send + Sync + 'static,
{
    let begin = (Arc::new(source), Some(Part::Start), bytes);
    let steps = stream::try_unfold(begin, |(source, part, left)| async move {
        let Some(part) = part else {
            return Ok::<_, StoreError>(None);
        };
        let (sent, next) = source.next(part, left).await.inspect_err(|error| {
            tracing::debug!(%error, "a streamed response ends early");
        })?;
        let left = left.saturating_sub(sent.len() as u64);
        Ok(Some((sent, (source, next, left))))
    });
    warp::reply::stream(steps).into_response()
}
