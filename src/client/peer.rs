//! What nodes ask each other: this program's own questions, and the documented ones for reference
//! miners. Answers are hostile: each has a limit in size and time, and is parsed, never passed on.

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

/// How a node that asks says where it can be asked: `HOST:PORT`, or `:PORT` for the host that the
/// request comes from.
pub const PEER_HEADER: &str = "blockchain-peer";

/// How long a peer may take to begin an answer.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may be silent in the middle of an answer.
const STALL_TIMEOUT: Duration = Duration::from_secs(5);

/// After this long, an answer must have come at [`LEAST_RATE`] on average.
const GRACE: Duration = Duration::from_secs(5);

/// Fewest bytes a second of a long answer.
const LEAST_RATE: u64 = 16 * 1024;

/// Most bytes of a short answer: a status, a list of neighbours.
const SHORT: usize = 256 * 1024;

/// Most bytes of a page of blocks in frames: one page of 1 MiB, and one longest block on top.
const BLOCKS: usize = 2 * 1024 * 1024;

/// Most bytes of a page of the mempool: a page of 1 MiB and one longest text, all escaped.
const PAGE: usize = 8 * 1024 * 1024;

/// Most messages on a page of the mempool.
const PAGE_MESSAGES: usize = 1000;

/// Most bytes of all waiting messages of a reference miner.
const MESSAGES: usize = 16 * 1024 * 1024;

/// Most messages taken from one answer of a reference miner.
const MOST_MESSAGES: usize = 10_000;

/// Longest name of a run that a peer may have.
const MAX_NODE_ID: usize = 64;

/// Most neighbours read from one answer.
const MOST_NEIGHBOURS: usize = 100;

/// Why a peer did not give the answer asked for.
#[derive(Debug, Error)]
pub enum PeerError {
    /// No connection, or it broke.
    #[error("cannot be reached")]
    Unreachable(#[source] TransportError),
    /// It does not answer, or too slowly.
    #[error("takes too long to answer {what}")]
    TooSlow {
        /// The question.
        what: String,
    },
    /// This program could not go on reading its answer.
    #[error("could not be read to the end: reading was interrupted")]
    Interrupted,
    /// It answers with an error.
    #[error("answers {what} with status {status}")]
    Status {
        /// The question.
        what: String,
        /// The status.
        status: u16,
    },
    /// It answers what no such node answers.
    #[error("answers {what} with something else: {why}")]
    Malformed {
        /// The question.
        what: String,
        /// What is wrong.
        why: String,
    },
}

/// What answers at an address.
#[derive(Debug)]
pub enum Identity {
    /// This program.
    Ours(Box<Status>),
    /// A reference miner.
    Reference,
}

/// Asks other nodes.
#[derive(Clone)]
pub struct PeerClient {
    transport: Arc<dyn Transport>,
    /// What [`PEER_HEADER`] says of this node.
    address: String,
}

impl PeerClient {
    /// A client that says of its own node that it is at `address`: `HOST:PORT` or `:PORT`.
    pub fn new(transport: Arc<dyn Transport>, address: String) -> Self {
        Self { transport, address }
    }

    /// Where this node says it is.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Finds out what answers at an address.
    pub async fn identify(&self, to: &NodeAddress) -> Result<Identity, PeerError> {
        const PATH: &str = "/api/v1/status";
        let answer = self.send(to, Method::Get, PATH, None, Vec::new()).await?;
        if answer.status != 404 {
            let body = read(expect_ok(answer, PATH)?, PATH, SHORT).await?;
            let status: Status = parse(&body, PATH)?;
            if status.node_id.len() > MAX_NODE_ID {
                return Err(malformed(PATH, "a node id that is none"));
            }
            return Ok(Identity::Ours(Box::new(status)));
        }
        let body = read(answer, PATH, SHORT).await?;
        let body: serde_json::Value = parse(&body, PATH)?;
        // A reference miner names the path it does not have.
        match body["message"].as_str() {
            Some(text) if text.contains("api/v1/status") => Ok(Identity::Reference),
            _ => Err(malformed(
                PATH,
                "neither this program nor a reference miner",
            )),
        }
    }

    /// Blocks from an index on, in frames; fewer than asked for at the end of its chain.
    pub async fn blocks(
        &self,
        to: &NodeAddress,
        from: u64,
        limit: usize,
    ) -> Result<Vec<Block>, PeerError> {
        let path = format!("/api/v1/blocks?from={from}&limit={limit}");
        let frames = Some(("accept", codec::FRAMES.to_owned()));
        let answer = self.send(to, Method::Get, &path, frames, Vec::new());
        let body = read(expect_ok(answer.await?, &path)?, &path, BLOCKS).await?;
        let blocks = codec::read_frames(&body).map_err(|error| malformed(&path, error))?;
        let is_page = blocks.len() <= limit
            && (from..)
                .zip(&blocks)
                .all(|(index, block)| index == block.index);
        if is_page {
            Ok(blocks)
        } else {
            Err(malformed(&path, "other blocks than asked for"))
        }
    }

    /// Returns at most `limit` pending messages after a sequence number, and where to continue.
    pub async fn mempool(
        &self,
        to: &NodeAddress,
        after: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<chain::Message>, MempoolCursor), PeerError> {
        let limit = limit.clamp(1, PAGE_MESSAGES);
        let path = match after {
            Some(after) => format!("/api/v1/mempool?limit={limit}&after={after}"),
            None => format!("/api/v1/mempool?limit={limit}"),
        };
        let answer = self.send(to, Method::Get, &path, None, Vec::new()).await?;
        let body = read(expect_ok(answer, &path)?, &path, PAGE).await?;
        let page: MempoolPage = parse(&body, &path)?;
        if page.messages.len() > PAGE_MESSAGES {
            return Err(malformed(&path, "more messages than a page holds"));
        }
        if page.messages.is_empty() && page.next.is_some() {
            return Err(malformed(&path, "no messages, and yet more of them"));
        }
        let cursor = MempoolCursor {
            last: page.messages.last().map(|last| last.sequence),
            more: page.next.is_some(),
        };
        let mut messages = Vec::with_capacity(page.messages.len());
        for pending in page.messages {
            let id: Result<MessageId, _> = pending.id.parse();
            let id = id.map_err(|_| malformed(&path, "an id that is none"))?;
            let message = chain::Message::new(id, pending.message);
            messages.push(message.map_err(|error| malformed(&path, error))?);
        }
        Ok((messages, cursor))
    }

    /// The neighbours of a node of this program.
    pub async fn neighbours(&self, to: &NodeAddress) -> Result<Vec<NodeAddress>, PeerError> {
        const PATH: &str = "/api/v1/neighbours";
        let answer = self.send(to, Method::Get, PATH, None, Vec::new()).await?;
        let body = read(expect_ok(answer, PATH)?, PATH, SHORT).await?;
        let known: Neighbours = parse(&body, PATH)?;
        let answering = known
            .neighbours
            .into_iter()
            .filter(|n| n.failures == 0 && n.refused.is_none());
        let addresses = answering.filter_map(|neighbour| neighbour.address.parse().ok());
        Ok(addresses.take(MOST_NEIGHBOURS).collect())
    }

    /// Tells a node that there is something new.
    pub async fn announce(&self, to: &NodeAddress, news: &Announcement) -> Result<(), PeerError> {
        const PATH: &str = "/api/v1/announce";
        let body = serde_json::to_vec(news).map_err(|error| malformed(PATH, error))?;
        let answer = self.send(to, Method::Post, PATH, None, body).await?;
        read(expect_ok(answer, PATH)?, PATH, SHORT).await.map(drop)
    }

    /// How many bytes the whole chain of a reference miner is; none if it does not say.
    pub async fn chain_bytes(&self, to: &NodeAddress) -> Result<Option<u64>, PeerError> {
        const PATH: &str = "/chain";
        let answer = self.send(to, Method::Head, PATH, None, Vec::new()).await?;
        Ok(expect_ok(answer, PATH)?.length)
    }

    /// The whole chain of a reference miner, as its bytes arrive.
    pub async fn chain(&self, to: &NodeAddress, most: u64) -> Result<Body, PeerError> {
        const PATH: &str = "/chain";
        let answer = self.send(to, Method::Get, PATH, None, Vec::new()).await?;
        Ok(Body::new(expect_ok(answer, PATH)?, PATH, most))
    }

    /// The waiting messages of a reference miner.
    pub async fn data(&self, to: &NodeAddress) -> Result<Vec<chain::Message>, PeerError> {
        const PATH: &str = "/data";
        let answer = self.send(to, Method::Get, PATH, None, Vec::new()).await?;
        let body = read(expect_ok(answer, PATH)?, PATH, MESSAGES).await?;
        let text: String = parse(&body, PATH)?;
        let read = json::read_messages(&text, MOST_MESSAGES);
        Ok(read.map_err(|error| malformed(PATH, error))?.accepted)
    }

    /// The neighbours of a reference miner.
    pub async fn documented_neighbours(
        &self,
        to: &NodeAddress,
    ) -> Result<Vec<NodeAddress>, PeerError> {
        const PATH: &str = "/neighbours";
        let answer = self.send(to, Method::Get, PATH, None, Vec::new()).await?;
        let body = read(expect_ok(answer, PATH)?, PATH, SHORT).await?;
        let body: serde_json::Value = parse(&body, PATH)?;
        let text = body["neighbours"].as_str();
        let text = text.ok_or_else(|| malformed(PATH, "no text \"neighbours\""))?;
        let read = json::read_neighbours(text, MOST_NEIGHBOURS);
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
        let answer = tokio::time::timeout(HEAD_TIMEOUT, self.transport.send(request)).await;
        answer
            .map_err(|_| too_slow(path))?
            .map_err(PeerError::Unreachable)
    }
}

/// How far a mempool was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MempoolCursor {
    /// Sequence number of the last message on the page.
    pub last: Option<u64>,
    /// Whether there are more.
    pub more: bool,
}

/// An answer that is read piece by piece, with a limit and a least speed.
pub struct Body {
    answer: TransportResponse,
    what: String,
    most: u64,
    received: u64,
    begun: Instant,
}

impl Body {
    fn new(answer: TransportResponse, what: &str, most: u64) -> Self {
        Self {
            answer,
            what: what.to_owned(),
            most,
            received: 0,
            begun: Instant::now(),
        }
    }

    /// The next bytes; none at the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, PeerError> {
        let piece = tokio::time::timeout(STALL_TIMEOUT, self.answer.body.next()).await;
        let Some(piece) = piece.map_err(|_| too_slow(&self.what))? else {
            return Ok(None);
        };
        let piece = piece.map_err(PeerError::Unreachable)?;
        self.received += piece.len() as u64;
        if self.received > self.most {
            let why = format!("more than {} bytes", self.most);
            return Err(malformed(&self.what, why));
        }
        let elapsed = self.begun.elapsed();
        if elapsed > GRACE && self.received < LEAST_RATE * elapsed.as_secs() {
            return Err(too_slow(&self.what));
        }
        Ok(Some(piece))
    }
}

async fn read(answer: TransportResponse, what: &str, most: usize) -> Result<Vec<u8>, PeerError> {
    let mut body = Body::new(answer, what, most as u64);
    let mut bytes = Vec::new();
    while let Some(piece) = body.next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes)
}

fn expect_ok(answer: TransportResponse, what: &str) -> Result<TransportResponse, PeerError> {
    match answer.status {
        200 | 204 => Ok(answer),
        status => Err(PeerError::Status {
            what: what.to_owned(),
            status,
        }),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8], what: &str) -> Result<T, PeerError> {
    // The reader's own words repeat what it found, and no text of a peer is passed on.
    serde_json::from_slice(body).map_err(|error| {
        let class = match error.classify() {
            Category::Data => "JSON of another shape",
            Category::Io | Category::Syntax | Category::Eof => "no JSON",
        };
        let (line, column) = (error.line(), error.column());
        malformed(what, format!("{class}, at line {line} column {column}"))
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
