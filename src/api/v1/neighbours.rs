//! `/api/v1/neighbours` and `/api/v1/announce`: whom this node knows, and who has something new.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use warp::http;
use warp::reply::Response;

use crate::api::admin::Caller;
use crate::api::reject::{ApiError, json_response};
use crate::chain::BlockHash;
use crate::client::NodeAddress;
use crate::client::peer::PEER_HEADER;
use crate::http::read_body;
use crate::node::Node;
use crate::node::peers::PeerAnnouncement;
use crate::reference::query;
use crate::wire::{Announcement, Neighbours, NewNeighbour};

/// Most bytes of a body here.
const SHORT_BYTES: usize = 4096;

/// `GET /neighbours`.
pub(crate) fn list(node: &Node) -> Response {
    let neighbours = node.peers.list();
    json_response(StatusCode::OK, &Neighbours { neighbours })
}

/// `POST /neighbours`, for the administrator.
pub(crate) async fn add(
    node: Arc<Node>,
    caller: Caller,
    headers: HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ApiError> {
    caller.admin?;
    let body = read_body(&headers, body, SHORT_BYTES).await?;
    let NewNeighbour { address } = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body names no neighbour: {error}")))?;
    node.add_neighbour(parse(&address)?).await?;
    let neighbours = node.peers.list();
    Ok(json_response(
        StatusCode::CREATED,
        &Neighbours { neighbours },
    ))
}

/// `DELETE /neighbours/{host:port}`, for the administrator.
pub(crate) async fn remove(
    node: Arc<Node>,
    caller: Caller,
    address: String,
) -> Result<Response, ApiError> {
    caller.admin?;
    let address = parse(&query::decode_path(&address))?;
    if !node.remove_neighbour(&address).await? {
        return Err(ApiError::not_found("there is no such neighbour"));
    }
    Ok(no_content())
}

fn no_content() -> Response {
    let mut response = Response::new(Vec::new().into());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}

fn parse(address: &str) -> Result<NodeAddress, ApiError> {
    address
        .parse()
        .map_err(|error| ApiError::bad_request(format!("{error}")))
}

/// `POST /announce`: the peer is asked for what it says is new.
pub(crate) async fn announce(
    node: Arc<Node>,
    caller: Caller,
    headers: HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ApiError> {
    let body = read_body(&headers, body, SHORT_BYTES).await?;
    let said: Announcement = serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is no announcement: {error}")))?;
    if said.tip.parse::<BlockHash>().is_err() {
        return Err(ApiError::bad_request("the tip is no hash"));
    }
    let announcement = PeerAnnouncement {
        tip: said.tip,
        length: said.length,
        mempool_seq: said.mempool_seq,
    };
    node.peers
        .note_request(caller.remote.ip(), &said.address, Some(announcement));
    Ok(no_content())
}

/// Notes who asks, if it says where it can be asked in turn.
pub(crate) fn note_asker<B>(node: &Node, remote: SocketAddr, request: &http::Request<B>) {
    let said = request.headers().get(PEER_HEADER);
    if let Some(said) = said.and_then(|said| said.to_str().ok()) {
        node.peers.note_request(remote.ip(), said, None);
    }
}
