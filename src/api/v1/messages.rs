//! `/api/v1/messages` and `/api/v1/mempool`: adding messages, their state, and pending messages.

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use crate::api::add_rate::check_add_rate;
use crate::api::admin::Caller;
use crate::api::body::read_json;
use crate::api::context::Context;
use crate::api::query::{page_limit, parse_query};
use crate::api::reject::{ApiError, json_response};
use crate::chain::{BlockHash, MessageId};
use crate::node::Node;
use crate::node::settings::MAX_INGEST_BYTES;
use crate::store::{PageLimit, Pending, StoreError, View};
use crate::wire::{
    Lookup, MempoolPage, MessageState, MessageStatus, NewMessage, PendingMessage, Position,
    PostedMessage,
};

/// Maximum number of bytes of a request body: the longest text with every byte escaped, and the JSON
/// around it.
const MAX_BODY_BYTES: usize = 6 * MAX_INGEST_BYTES + 1024;

/// Maximum length of an idempotency key in bytes.
pub(crate) const MAX_KEY_BYTES: usize = 256;

/// Name of the header with the idempotency key.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Maximum number of messages on a page, and approximate maximum of its bytes.
const MAX_PAGE: PageLimit = PageLimit {
    count: 1000,
    bytes: 1024 * 1024,
};

/// `POST /messages`: 201 means that the message is on disk.
pub(crate) async fn post(
    context: &Context,
    caller: &Caller,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ApiError> {
    let kind = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("application/json")) {
        return Err(ApiError::not_json());
    }
    let key = idempotency_key(headers)?;
    let NewMessage { message } = read_json(headers, body, MAX_BODY_BYTES, "message").await?;
    if message.is_empty() {
        return Err(ApiError::bad_request("the message is empty"));
    }
    if message.len() > MAX_INGEST_BYTES {
        let message = format!("the message is longer than the {MAX_INGEST_BYTES} bytes allowed");
        return Err(ApiError::too_large(message));
    }
    // Only after the body is read: a client that is still sending would lose the response.
    check_add_rate(&context.node.add_rate, caller)?;
    let added = context.node.add_message(message, key).await?;
    Ok(json_response(
        StatusCode::CREATED,
        &PostedMessage {
            id: added.id.to_string(),
        },
    ))
}

/// Checks an idempotency key.
///
/// # Errors
/// 400 if the key is invalid.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<Option<&[u8]>, ApiError> {
    let mut keys = headers.get_all(IDEMPOTENCY_KEY).iter();
    let key = keys.next().map(HeaderValue::as_bytes);
    if keys.next().is_some() {
        let message = "a request has at most one idempotency key";
        return Err(ApiError::bad_request(message));
    }
    let is_plain = |key: &[u8]| {
        let is_printable = key.iter().all(|byte| matches!(byte, b' '..=b'~'));
        is_printable && (1..=MAX_KEY_BYTES).contains(&key.len())
    };
    if key.is_some_and(|key| !is_plain(key)) {
        let message =
            format!("an idempotency key must have 1 to {MAX_KEY_BYTES} printable ASCII characters");
        return Err(ApiError::bad_request(message));
    }
    Ok(key)
}

/// `GET /messages/{id}`.
pub(crate) fn get(node: &Node, id: &str) -> Result<Response, ApiError> {
    let requested = parse_id(id)?;
    // Before the view is opened, so that a commit in between is visible in the view.
    let is_in_flight = node.is_in_flight(&requested);
    let view = node.view()?;
    let now = node.clock().millis();
    // Clients ask for a renamed message under its old id.
    let id = view.current_id(requested)?;
    let renamed_from = (id != requested).then(|| requested.to_string());
    let status = find(&view, &id, now)?.ok_or_else(|| no_such_message(requested, is_in_flight))?;
    Ok(json_response(
        StatusCode::OK,
        &MessageStatus {
            renamed_from,
            ..status
        },
    ))
}

/// Parses the id that a request names.
pub(super) fn parse_id(id: &str) -> Result<MessageId, ApiError> {
    Lookup::parse(id).id.ok_or_else(|| {
        ApiError::bad_request("a message id must have 32 hex digits, optionally as a UUID")
    })
}

/// Returns the error for a message that is not in the database.
pub(super) fn no_such_message(id: MessageId, is_in_flight: bool) -> ApiError {
    if is_in_flight {
        let message = "this message is queued and not on disk yet; ask again in a moment";
        return ApiError::outcome_unknown(id, message);
    }
    ApiError::not_found("there is no message with this id")
}

fn find(view: &View, id: &MessageId, now: u64) -> Result<Option<MessageStatus>, StoreError> {
    if let Some(pending) = view.pending(id)? {
        return Ok(Some(MessageStatus {
            id: id.to_string(),
            renamed_from: None,
            message: pending.message.text().to_owned(),
            state: MessageState::Pending,
            waiting: Some(age(&pending, now)),
            block: None,
            confirmations: 0,
        }));
    }
    let Some(block) = view.block_of_message(id)? else {
        return Ok(None);
    };
    Ok(Some(MessageStatus {
        id: id.to_string(),
        renamed_from: None,
        message: block.message.text().to_owned(),
        state: MessageState::Mined,
        waiting: None,
        block: Some(Position {
            index: block.index,
            hash: BlockHash::of(&block).to_string(),
        }),
        confirmations: view.tip_block()?.index - block.index + 1,
    }))
}

/// The query of `GET /mempool`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MempoolQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

/// `GET /mempool?after=SEQ&limit=`.
pub(crate) async fn mempool(
    context: &Context,
    caller: &Caller,
    raw_query: &str,
) -> Result<Response, ApiError> {
    let query: MempoolQuery = parse_query(raw_query)?;
    let from = query.after.map_or(0, |after| after.saturating_add(1));
    let limit = PageLimit {
        count: page_limit(query.limit, MAX_PAGE.count, MAX_PAGE.count)?,
        ..MAX_PAGE
    };
    let page = move |node: &Node| {
        let view = node.view()?;
        let now = node.clock().millis();
        let count = view.totals()?.mempool_count;
        let pending = view.pending_from(from, limit)?;
        let last = pending.last().map(|last| last.sequence);
        let more = match last {
            Some(last) => !view
                .pending_from(last + 1, PageLimit { count: 1, bytes: 0 })?
                .is_empty(),
            None => false,
        };
        let describe = |pending| describe(pending, now);
        let messages = pending.iter().map(describe).collect();
        let page = MempoolPage {
            messages,
            next: last.filter(|_| more),
            count,
        };
        Ok(json_response(StatusCode::OK, &page))
    };
    context.long_response(caller, page).await
}

/// Describes a pending message. `now` is in milliseconds since the Unix epoch.
pub(super) fn describe(pending: &Pending, now: u64) -> PendingMessage {
    PendingMessage {
        sequence: pending.sequence,
        id: pending.message.id().to_string(),
        message: pending.message.text().to_owned(),
        age: age(pending, now),
    }
}

#[expect(clippy::cast_precision_loss, reason = "an age for display")]
fn age(pending: &Pending, now: u64) -> f64 {
    now.saturating_sub(pending.arrived) as f64 / 1000.0
}
