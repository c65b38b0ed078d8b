//! `/api/v1/reorgs`: a page of reorgs.

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::Number;
use warp::http;
use warp::reply::Response;

use crate::api::admin::Caller;
use crate::api::body::read_json;
use crate::api::context::Context;
use crate::api::query::{history_page_limit, parse_query};
use crate::api::reject::{ApiError, json_response, no_content};
use crate::node::Node;
use crate::store::{DisconnectedRecord, ReorgRecord};
use crate::wire::{
    Acknowledgement, DisconnectedBlock, NotableReorg, Reorg, ReorgPage, calendar_time,
};

/// Maximum number of bytes of an acknowledgement.
const MAX_BODY_BYTES: usize = 4096;

/// The query of `GET /reorgs`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReorgQuery {
    from: Option<u64>,
    limit: Option<usize>,
}

/// `GET /reorgs?from=&limit=`, the latest first.
pub(crate) async fn page(
    context: &Context,
    caller: &Caller,
    raw_query: &str,
) -> Result<Response, ApiError> {
    let query: ReorgQuery = parse_query(raw_query)?;
    let count = history_page_limit(query.limit)?;
    let page = move |node: &Node| {
        let records = node.view()?.reorgs(query.from.unwrap_or(u64::MAX), count)?;
        let next = records.last().map(|(number, _)| number - 1);
        let page = ReorgPage {
            reorgs: records
                .iter()
                .map(|(number, record)| describe(*number, record))
                .collect(),
            // The first reorg has number 1.
            next: next.filter(|next| *next > 0),
        };
        Ok(json_response(StatusCode::OK, &page))
    };
    context.long_response(caller, page).await
}

/// `POST /reorgs/acknowledge`, for the administrator.
pub(crate) async fn acknowledge(
    node: &Node,
    caller: &Caller,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ApiError> {
    caller.admin?;
    let Acknowledgement { number } =
        read_json(headers, body, MAX_BODY_BYTES, "acknowledgement").await?;
    if number > node.state().reorgs() {
        return Err(ApiError::not_found(format!("there is no reorg {number}")));
    }
    node.acknowledge_reorgs(number).await?;
    Ok(no_content())
}

#[expect(clippy::cast_precision_loss, reason = "a time for display")]
fn seconds(record: &ReorgRecord) -> f64 {
    record.at as f64 / 1000.0
}

fn timestamp(record: &ReorgRecord) -> Number {
    Number::from_f64(seconds(record)).unwrap_or_else(|| 0.into())
}

/// Summarizes a reorg for the status of the node.
pub(super) fn summary(number: u64, record: &ReorgRecord) -> NotableReorg {
    let counts = record.counts();
    NotableReorg {
        number,
        timestamp: timestamp(record),
        from: record.from,
        disconnected: record.disconnected,
        disconnected_sealed: record.disconnected_sealed,
        connected: record.connected,
        connected_sealed: record.connected_sealed,
        deep: counts.is_deep(),
        trades_sealed: counts.trades_sealed(),
    }
}

/// Describes a reorg.
pub(super) fn describe(number: u64, record: &ReorgRecord) -> Reorg {
    Reorg {
        number,
        timestamp: timestamp(record),
        time: calendar_time(seconds(record)),
        source: record.source.clone(),
        from: record.from,
        old_tip: hex::encode(record.old_tip),
        new_tip: hex::encode(record.new_tip),
        disconnected: record.disconnected,
        disconnected_sealed: record.disconnected_sealed,
        connected: record.connected,
        connected_sealed: record.connected_sealed,
        returned: record.returned,
        deep: record.counts().is_deep(),
        trades_sealed: record.counts().trades_sealed(),
        left: record
            .disconnected_blocks
            .iter()
            .zip(record.from..)
            .map(disconnected)
            .collect(),
    }
}

fn disconnected((block, index): (&DisconnectedRecord, u64)) -> DisconnectedBlock {
    DisconnectedBlock {
        index,
        hash: hex::encode(block.hash),
        message_id: hex::encode(block.message),
    }
}
