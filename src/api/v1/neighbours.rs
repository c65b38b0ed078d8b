//! `/api/v1/neighbours` and `/api/v1/announce`: the peers of this node, and announcements from them.

use std::net::SocketAddr;

use bytes::Buf;
use futures_util::Stream;
use http::{HeaderMap, StatusCode};
use warp::http;
use warp::reply::Response;

use crate::api::admin::Caller;
use crate::api::body::read_json;
use crate::api::reject::{ApiError, json_response, no_content};
use crate::chain::BlockHash;
use crate::client::NodeAddress;
use crate::client::address::InvalidAddress;
use crate::client::peer::PEER_HEADER;
use crate::node::Node;
use crate::node::peers::PeerAnnouncement;
use crate::reference::query;
use crate::wire::{Announcement, Neighbours, NewNeighbour};

/// Maximum number of bytes of a request body.
const MAX_BODY_BYTES: usize = 4096;

/// `GET /neighbours`.
pub(crate) fn list(node: &Node) -> Response {
    let neighbours = node.peers.list();
    json_response(StatusCode::OK, &Neighbours { neighbours })
}

/// `POST /neighbours`, for the administrator.
pub(crate) async fn add(
    node: &Node,
    caller: &Caller,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ApiError> {
    caller.admin?;
    let NewNeighbour { address } = read_json(headers, body, MAX_BODY_BYTES, "neighbour").await?;
    let address = parse(&address)?;
    if !node.add_neighbour(address.clone()).await? {
        return Err(ApiError::bad_request(format!(
            "{address} is this node itself"
        )));
    }
    let neighbours = node.peers.list();
    Ok(json_response(
        StatusCode::CREATED,
        &Neighbours { neighbours },
    ))
}

/// `DELETE /neighbours/{host:port}`, for the administrator.
pub(crate) async fn remove(
    node: &Node,
    caller: &Caller,
    address: &str,
) -> Result<Response, ApiError> {
    caller.admin?;
    let address = parse(&query::decode_path(address))?;
    if !node.remove_neighbour(&address).await? {
        return Err(ApiError::not_found("there is no such neighbour"));
    }
    Ok(no_content())
}

fn parse(address: &str) -> Result<NodeAddress, ApiError> {
    address
        .parse()
        .map_err(|error: InvalidAddress| ApiError::bad_request(error.to_string()))
}

/// `POST /announce`: the node asks the peer for the announced blocks and messages.
pub(crate) async fn announce(
    node: &Node,
    caller: &Caller,
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
) -> Result<Response, ApiError> {
    let announcement: Announcement =
        read_json(headers, body, MAX_BODY_BYTES, "announcement").await?;
    if announcement.tip.parse::<BlockHash>().is_err() {
        return Err(ApiError::bad_request("the tip must be a block hash"));
    }
    let announced = PeerAnnouncement {
        tip: announcement.tip,
        length: announcement.length,
        mempool_seq: announcement.mempool_seq,
    };
    node.peers
        .note_request(caller.remote.ip(), &announcement.address, Some(announced));
    Ok(no_content())
}

/// Records the sender of a request as a peer, if the request says at which address it can be reached.
pub(crate) fn record_sender<B>(node: &Node, remote: SocketAddr, request: &http::Request<B>) {
    let address = request.headers().get(PEER_HEADER);
    if let Some(address) = address.and_then(|address| address.to_str().ok()) {
        node.peers.note_request(remote.ip(), address, None);
    }
}
