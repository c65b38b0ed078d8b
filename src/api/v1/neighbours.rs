//! `/api/v1/neighbours` and `/api/v1/announce`: whom this node knows, and who has something new.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use http::StatusCode;
use warp::http;
use warp::reply::Response;

use super::body;
use crate::api::reject::{ApiError, json_response};
use crate::chain::BlockHash;
use crate::client::peer::PEER_HEADER;
use crate::node::Node;
use crate::node::peers::News;
use crate::wire::{Announcement, Neighbours};

/// Most bytes of an announcement.
const ANNOUNCEMENT_BYTES: usize = 4096;

/// `GET /neighbours`.
pub(crate) fn list(node: &Node) -> Response {
    let neighbours = node.peers.list();
    json_response(StatusCode::OK, &Neighbours { neighbours })
}

/// `POST /announce`: the peer is asked for what it says is new.
pub(crate) async fn announce(
    node: Arc<Node>,
    remote: SocketAddr,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ApiError> {
    let body = body::read(body, ANNOUNCEMENT_BYTES).await?;
    let said: Announcement = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is no announcement: {error}")))?;
    if said.tip.parse::<BlockHash>().is_err() {
        return Err(ApiError::bad_request("the tip is no hash"));
    }
    let news = News {
        tip: said.tip,
        length: said.length,
        mempool_seq: said.mempool_seq,
    };
    node.peers.heard(remote.ip(), &said.address, Some(news));
    Ok(json_response(StatusCode::OK, &serde_json::json!({})))
}

/// Notes who asks, if it says where it can be asked in turn.
pub(crate) fn note_asker<B>(node: &Node, remote: SocketAddr, request: &http::Request<B>) {
    let said = request.headers().get(PEER_HEADER);
    if let Some(said) = said.and_then(|said| said.to_str().ok()) {
        node.peers.heard(remote.ip(), said, None);
    }
}
