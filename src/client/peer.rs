//! The requests of nodes among each other: to nodes of this program through `/api/v1`, to reference
//! miners through their own endpoints. Responses are untrusted: each has limits in size, time
//! and rate, and no text of a peer is passed on unparsed.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use thiserror::Error;
use tokio::time::Instant;

use super::NodeAddress;
use super::transport::{Method, Request, Transport, TransportError, TransportResponse};
use crate::chain;
use crate::chain::{Block, MessageId};
use crate::codec;
use crate::reference::json;
use crate::wire::{Announcement, MempoolPage, Neighbours, Status};

/// Header with the address at which the sender of a request can be reached: `HOST:PORT`, or `:PORT` for
/// the host that the request comes from.
pub const PEER_HEADER: &str = "blockchain-peer";

/// Maximum time until a response begins.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum time between two chunks of a response.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Time after which [`MIN_RATE`] applies to a response.
const RATE_GRACE: Duration = Duration::from_secs(5);

/// Minimum average rate of a response in bytes per second.
const MIN_RATE: u64 = 16 * 1024;

/// Maximum number of bytes of a short response, such as a status or a list of neighbours.
const MAX_SHORT_BYTES: usize = 256 * 1024;

/// Maximum number of bytes of a page of blocks in frames: a page of 1 MiB and one more block of maximum
/// size.
const MAX_BLOCKS_BYTES: usize = 2 * 1024 * 1024;

/// Maximum number of bytes of a page of the mempool: a page of 1 MiB and one more text of maximum size,
/// with every byte escaped.
const MAX_MEMPOOL_BYTES: usize = 8 * 1024 * 1024;

/// Maximum number of messages on a page of the mempool.
const MAX_PAGE_MESSAGES: usize = 1000;

/// Maximum number of bytes of all pending messages of a reference miner.
const MAX_DATA_BYTES: usize = 16 * 1024 * 1024;

/// Maximum number of messages taken from one response of a reference miner.
const MAX_DATA_MESSAGES: usize = 10_000;

/// Maximum length of the node id of a peer.
const MAX_NODE_ID: usize = 64;

/// Maximum number of neighbours taken from one response.
const MAX_NEIGHBOURS: usize = 100;

/// Error of a request to a peer.
#[derive(Debug, Error)]
pub enum PeerError {
    /// The connection failed.
    #[error("unreachable")]
    Unreachable(#[source] TransportError),
    /// The response took too long or was too slow.
    #[error("the response to {what} is too slow")]
    TooSlow {
        /// The requested path.
        what: String,
    },
    /// Reading panicked, or the runtime is shutting down.
    #[error("reading the response was interrupted")]
    Interrupted,
    /// The response is an error.
    #[error("{what} returned status {status}")]
    Status {
        /// The requested path.
        what: String,
        /// The status code.
        status: u16,
    },
    /// The response is invalid.
    #[error("invalid response to {what}: {why}")]
    Malformed {
        /// The requested path.
        what: String,
        /// The reason.
        why: String,
    },
}

/// The program that answers at an address.
#[derive(Debug)]
pub enum Identity {
    /// This program.
    Ours(Box<Status>),
    /// A reference miner.
    Reference,
}

/// Sends requests to other nodes. Cheap to clone.
#[derive(Clone)]
pub struct PeerClient {
    transport: Arc<dyn Transport>,
    /// Value of [`PEER_HEADER`]; empty if this node cannot be reached.
    address: String,
}

impl PeerClient {
    /// Creates a client whose own node can be reached at `address`: `HOST:PORT` or `:PORT`.
    pub fn new(transport: Arc<dyn Transport>, address: String) -> Self {
        Self { transport, address }
    }

    /// Returns the address at which this node can be reached.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Determines which program answers at an address.
    pub async fn identify(&self, to: &NodeAddress) -> Result<Identity, PeerError> {
        const PATH: &str = "/api/v1/status";
        let response = self.send(to, Method::Get, PATH, None, Vec::new()).await?;
        if response.status != 404 {
            let body = read(expect_ok(response, PATH)?, PATH, MAX_SHORT_BYTES).await?;
            let status: Status = parse(&body, PATH)?;
            if status.node_id.len() > MAX_NODE_ID {
                return Err(malformed(PATH, "the node id is too long"));
            }
            return Ok(Identity::Ours(Box::new(status)));
        }
        let body = read(response, PATH, MAX_SHORT_BYTES).await?;
        let body: serde_json::Value = parse(&body, PATH)?;
        // The 404 of a reference miner names the path.
        match body["message"].as_str() {
            Some(text) if text.contains("api/v1/status") => Ok(Identity::Reference),
            _ => Err(malformed(
                PATH,
                "neither a node of this program nor a reference miner",
            )),
        }
    }

    /// Returns at most `limit` blocks that begin at an index; fewer at the tip of the peer.
    pub async fn blocks(
        &self,
        to: &NodeAddress,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Block>, PeerError> {
        let path = format!("/api/v1/blocks?from={from}&limit={limit}");
        let frames = Some(("accept", codec::FRAMES.to_owned()));
        let response = self.send(to, Method::Get, &path, frames, Vec::new());
        let body = read(expect_ok(response.await?, &path)?, &path, MAX_BLOCKS_BYTES).await?;
        let blocks = codec::read_frames(&body).map_err(|error| malformed(&path, error))?;
        let is_page = blocks.len() <= limit
            && (from..)
                .zip(&blocks)
                .all(|(index, block)| index == block.index);
        if is_page {
            Ok(blocks)
        } else {
            Err(malformed(&path, "these are not the requested blocks"))
        }
    }

    /// Returns at most `limit` pending messages after a sequence number, and where to continue.
    pub async fn mempool(
        &self,
        to: &NodeAddress,
        after: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<chain::Message>, MempoolCursor), PeerError> {
        let limit = limit.clamp(1, MAX_PAGE_MESSAGES);
        let path = match after {
            Some(after) => format!("/api/v1/mempool?limit={limit}&after={after}"),
            None => format!("/api/v1/mempool?limit={limit}"),
        };
        let response = self.send(to, Method::Get, &path, None, Vec::new()).await?;
        let body = read(expect_ok(response, &path)?, &path, MAX_MEMPOOL_BYTES).await?;
        let page: MempoolPage = parse(&body, &path)?;
        if page.messages.len() > MAX_PAGE_MESSAGES {
            return Err(malformed(&path, "a page with too many messages"));
        }
        if page.messages.is_empty() && page.next.is_some() {
            return Err(malformed(&path, "an empty page that is not the last one"));
        }
        let cursor = MempoolCursor {
            last: page.messages.last().map(|last| last.sequence),
            more: page.next.is_some(),
        };
        let mut messages = Vec::with_capacity(page.messages.len());
        for pending in page.messages {
            let id: Result<MessageId, _> = pending.id.parse();
            let id = id.map_err(|_| malformed(&path, "an invalid message id"))?;
            let message = chain::Message::new(id, pending.message);
            messages.push(message.map_err(|error| malformed(&path, error))?);
        }
        Ok((messages, cursor))
    }

    /// Returns the neighbours of a node of this program that answered its last request.
    pub async fn neighbours(&self, to: &NodeAddress) -> Result<Vec<NodeAddress>, PeerError> {
        const PATH: &str = "/api/v1/neighbours";
        let response = self.send(to, Method::Get, PATH, None, Vec::new()).await?;
        let body = read(expect_ok(response, PATH)?, PATH, MAX_SHORT_BYTES).await?;
        let known: Neighbours = parse(&body, PATH)?;
        let answering = known
            .neighbours
            .into_iter()
            .filter(|n| n.last_answer.is_some() && n.failures == 0 && n.refused.is_none());
        let addresses = answering.filter_map(|neighbour| neighbour.address.parse().ok());
        Ok(addresses.take(MAX_NEIGHBOURS).collect())
    }

    /// Announces new blocks or messages to a node.
    pub async fn announce(
        &self,
        to: &NodeAddress,
        announcement: &Announcement,
    ) -> Result<(), PeerError> {
        const PATH: &str = "/api/v1/announce";
        let body = serde_json::to_vec(announcement).map_err(|error| malformed(PATH, error))?;
        let response = self.send(to, Method::Post, PATH, None, body).await?;
        read(expect_ok(response, PATH)?, PATH, MAX_SHORT_BYTES)
            .await
            .map(drop)
    }

    /// Returns the number of bytes of the whole chain of a reference miner, if it sends the length.
    pub async fn chain_bytes(&self, to: &NodeAddress) -> Result<Option<u64>, PeerError> {
        const PATH: &str = "/chain";
        let response = self.send(to, Method::Head, PATH, None, Vec::new()).await?;
        Ok(expect_ok(response, PATH)?.length)
    }

    /// Requests the whole chain of a reference miner, of at most `max_bytes` bytes.
    pub async fn chain(&self, to: &NodeAddress, max_bytes: u64) -> Result<Body, PeerError> {
        const PATH: &str = "/chain";
        let response = self.send(to, Method::Get, PATH, None, Vec::new()).await?;
        Ok(Body::new(expect_ok(response, PATH)?, PATH, max_bytes))
    }

    /// Returns the pending messages of a reference miner.
    pub async fn data(&self, to: &NodeAddress) -> Result<Vec<chain::Message>, PeerError> {
        const PATH: &str = "/data";
        let response = self.send(to, Method::Get, PATH, None, Vec::new()).await?;
        let body = read(expect_ok(response, PATH)?, PATH, MAX_DATA_BYTES).await?;
        let text: String = parse(&body, PATH)?;
        let read = json::read_messages(&text, MAX_DATA_MESSAGES);
        Ok(read.map_err(|error| malformed(PATH, error))?.accepted)
    }

    /// Returns the neighbours of a reference miner.
    pub async fn reference_neighbours(
        &self,
        to: &NodeAddress,
    ) -> Result<Vec<NodeAddress>, PeerError> {
        const PATH: &str = "/neighbours";
        let response = self.send(to, Method::Get, PATH, None, Vec::new()).await?;
        let body = read(expect_ok(response, PATH)?, PATH, MAX_SHORT_BYTES).await?;
        let body: serde_json::Value = parse(&body, PATH)?;
        let text = body["neighbours"].as_str();
        let text = text.ok_or_else(|| {
            malformed(PATH, "the member \"neighbours\" is missing or not a string")
        })?;
        let read = json::read_neighbours(text, MAX_NEIGHBOURS);
        let known = read.map_err(|error| malformed(PATH, error))?.accepted;
        let address = |(host, port): (String, u16)| NodeAddress::new(&host, port).ok();
        Ok(known.into_iter().filter_map(address).collect())
    }

    async fn send(
        &self,
        to: &NodeAddress,
        method: Method,
        path: &str,
        header: Option<(&'static str, String)>,
        body: Vec<u8>,
    ) -> Result<TransportResponse, PeerError> {
        let mut headers = vec![(PEER_HEADER, self.address.clone())];
        headers.extend(header);
        let request = Request {
            to: to.clone(),
            method,
            path: path.to_owned(),
            headers,
            body,
        };
        let response = tokio::time::timeout(HEAD_TIMEOUT, self.transport.send(request)).await;
        response
            .map_err(|_| too_slow(path))?
            .map_err(PeerError::Unreachable)
    }
}

/// The position after a page of a mempool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MempoolCursor {
    /// Sequence number of the last message on the page.
    pub last: Option<u64>,
    /// `true` if there are further pages.
    pub more: bool,
}

/// The body of a response, read chunk by chunk with a maximum size and a minimum rate.
pub struct Body {
    response: TransportResponse,
    what: String,
    max_bytes: u64,
    received: u64,
    begun: Instant,
}

impl Body {
    fn new(response: TransportResponse, what: &str, max_bytes: u64) -> Self {
        Self {
            response,
            what: what.to_owned(),
            max_bytes,
            received: 0,
            begun: Instant::now(),
        }
    }

    /// Returns the next chunk, or `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, PeerError> {
        let chunk = tokio::time::timeout(STALL_TIMEOUT, self.response.body.next()).await;
        let Some(chunk) = chunk.map_err(|_| too_slow(&self.what))? else {
            return Ok(None);
        };
        let chunk = chunk.map_err(PeerError::Unreachable)?;
        self.received += chunk.len() as u64;
        if self.received > self.max_bytes {
            let why = format!("more than {} bytes", self.max_bytes);
            return Err(malformed(&self.what, why));
        }
        let elapsed = self.begun.elapsed();
        if elapsed > RATE_GRACE && self.received < MIN_RATE * elapsed.as_secs() {
            return Err(too_slow(&self.what));
        }
        Ok(Some(chunk))
    }
}

async fn read(
    response: TransportResponse,
    what: &str,
    max_bytes: usize,
) -> Result<Vec<u8>, PeerError> {
    let mut body = Body::new(response, what, max_bytes as u64);
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn expect_ok(response: TransportResponse, what: &str) -> Result<TransportResponse, PeerError> {
    match response.status {
        200 | 204 => Ok(response),
        status => Err(PeerError::Status {
            what: what.to_owned(),
            status,
        }),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, PeerError> {
    // The message of `serde_json` may quote the input, and no text of a peer is passed on.
    serde_json::from_slice(body).map_err(|error| {
        let class = match error.classify() {
            Category::Data => "unexpected JSON",
            Category::Io | Category::Syntax | Category::Eof => "invalid JSON",
        };
        let (line, column) = (error.line(), error.column());
        malformed(what, format!("{class} at line {line} column {column}"))
    })
}

fn malformed(what: &str, why: impl std::fmt::Display) -> PeerError {
    PeerError::Malformed {
        what: what.to_owned(),
        why: why.to_string(),
    }
}

fn too_slow(what: &str) -> PeerError {
    PeerError::TooSlow {
        what: what.to_owned(),
    }
}
