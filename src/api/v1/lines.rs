//! `POST /api/v1/messages/lines`: adds many messages, all or none, as log shippers send them.

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use warp::http;
use warp::reply::Response;

use crate::api::add_rate::check_batch_rate;
use crate::api::admin::Caller;
use crate::api::context::Context;
use crate::api::query::parse_query;
use crate::api::reject::{ApiError, json_response};
use crate::api::v1::messages::IDEMPOTENCY_KEY;
use crate::http::read_body;
use crate::node::settings::MAX_INGEST_BYTES;
use crate::wire::{AddedLines, lines};

/// The query of `POST /messages/lines`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinesQuery {
    field: Option<String>,
    #[serde(default)]
    once: bool,
    #[serde(default)]
    ids: bool,
}

/// `POST /messages/lines`: 201 means that all messages are on disk.
pub(crate) async fn post(
    context: &Context,
    caller: &Caller,
    headers: &HeaderMap,
    raw_query: &str,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ApiError> {
    let query: LinesQuery = parse_query(raw_query)?;
    // A client that relies on the key would add everything twice.
    if headers.contains_key(IDEMPOTENCY_KEY) {
        let message = "an idempotency key is for one message; repeat lines safely with once=true";
        return Err(ApiError::bad_request(message));
    }
    let mut encodings = headers.get_all(http::header::CONTENT_ENCODING).iter();
    if encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(ApiError::encoded());
    }
    let body = read_body(headers, body, lines::MAX_BYTES).await?;
    let field = query.field;
    let texts = context
        .node
        .blocking(move |_| Ok(messages(&body, field.as_deref())));
    let texts = texts.await??;
    // Only after the body is read: a client that is still sending would lose the response.
    check_batch_rate(&context.node.add_rate, caller, texts.len())?;
    let count = texts.len() as u64;
    let added = context.node.add_lines(texts, query.once).await?;
    let ids = query
        .ids
        .then(|| added.ids.iter().map(ToString::to_string).collect());
    Ok(json_response(
        StatusCode::CREATED,
        &AddedLines {
            added: count - added.known,
            known: added.known,
            ids,
        },
    ))
}

/// Returns the messages in the lines of a body.
fn messages(body: &[u8], field: Option<&str>) -> Result<Vec<String>, ApiError> {
    let mut texts = Vec::new();
    for (number, line) in (1..).zip(lines::split(lines::without_bom(body))) {
        if line.is_empty() {
            continue;
        }
        if texts.len() == lines::MAX_COUNT {
            let message = format!(
                "the body has more than the {} lines allowed",
                lines::MAX_COUNT
            );
            return Err(ApiError::too_large(message));
        }
        let text = lines::message(line, field, MAX_INGEST_BYTES)
            .map_err(|error| ApiError::bad_request(format!("line {number}: {error}")))?;
        texts.push(text.into_owned());
    }
    if texts.is_empty() {
        return Err(ApiError::bad_request("the body has no line"));
    }
    Ok(texts)
}
