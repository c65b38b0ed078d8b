//! Asking a node over HTTP: no redirects, no proxies, timeouts and size limits on everything.

mod add;
mod explore;
mod transport;

use std::time::Duration;

use reqwest::header;
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::NodeAddress;
use crate::chain::MessageId;
use crate::wire::{
    BlockPage, ErrorBody, MempoolPage, MessageStatus, Neighbours, NewNeighbour, SingleBlock, Status,
};

pub use explore::Events;
pub use transport::HttpTransport;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take from its first to its last byte.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Most bytes of an answer. A page of blocks has up to 4 MiB of them and their JSON.
const ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// Why a node did not give the answer asked for.
#[derive(Debug, Error)]
pub enum ClientError {
    /// No connection, or it broke.
    #[error("no node answers at {address}; start one with: blockchain node")]
    Unreachable {
        /// Where it was looked for.
        address: NodeAddress,
        /// The cause.
        #[source]
        source: reqwest::Error,
    },
    /// It took too long.
    #[error("{address} took longer than {} s to answer", TIMEOUT.as_secs())]
    TimedOut {
        /// Who was asked.
        address: NodeAddress,
    },
    /// The answer is an error.
    #[error("{address} answered {status}: {message}")]
    Refused {
        /// Who was asked.
        address: NodeAddress,
        /// Status of the answer.
        status: u16,
        /// What it says.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// The message whose outcome it does not know.
        id: Option<MessageId>,
    },
    /// It is not known whether a message was added.
    #[error("the message may have been added; before adding it again, {}", advice(*id))]
    OutcomeUnknown {
        /// The id under which the node keeps it, if it said so.
        id: Option<MessageId>,
        /// Why it is not known.
        #[source]
        source: Box<ClientError>,
    },
    /// The documented error of a reference miner, which does not know what was asked for.
    #[error("{address} is a reference miner, which has no /{path}")]
    Reference {
        /// Who was asked.
        address: NodeAddress,
        /// The path it was asked for.
        path: String,
    },
    /// An error that no node answers with, such as the page of a proxy.
    #[error("{address} answered {status} with {content}: this is not a node")]
    NotANode {
        /// Who was asked.
        address: NodeAddress,
        /// Status of the answer.
        status: u16,
        /// A description of its content.
        content: &'static str,
    },
    /// The answer is not what such a node answers.
    #[error("{address} answered something a node does not answer: {what}")]
    Malformed {
        /// Who was asked.
        address: NodeAddress,
        /// What is wrong.
        what: String,
    },
}

fn advice(id: Option<MessageId>) -> String {
    match id {
        Some(id) => format!("ask for it with: blockchain get message {id}"),
        None => "look for it in GET /data and GET /chain of the node".to_owned(),
    }
}

impl ClientError {
    /// Whether the node said that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Returns `true` if a reference miner answered.
    pub fn is_reference(&self) -> bool {
        matches!(self, Self::Reference { .. })
    }

    /// Returns `true` if a node understood the request and said no to it.
    pub fn is_judged(&self) -> bool {
        matches!(self, Self::Refused { status: 400..500, .. } if !self.is_rate_limit())
    }

    fn is_rate_limit(&self) -> bool {
        matches!(self, Self::Refused { status: 429, .. })
    }
}

/// Asks one node.
#[derive(Clone, Debug)]
pub struct HttpClient {
    address: NodeAddress,
    http: reqwest::Client,
}

/// What all requests have in common.
fn client_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .user_agent(concat!("blockchain/", env!("CARGO_PKG_VERSION")))
}

impl HttpClient {
    /// A client of the node at this address; nothing is sent yet.
    pub fn new(address: NodeAddress) -> Result<Self, ClientError> {
        let http = client_builder()
            .timeout(TIMEOUT)
            .build()
            .map_err(|source| ClientError::Unreachable {
                address: address.clone(),
                source,
            })?;
        Ok(Self { address, http })
    }

    /// Who is asked.
    pub fn address(&self) -> &NodeAddress {
        &self.address
    }

    /// `GET /api/v1/status`.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.json(self.request(Method::GET, "/api/v1/status")).await
    }

    /// `GET /api/v1/blocks`, oldest first.
    pub async fn blocks(&self, from: u64, limit: usize) -> Result<BlockPage, ClientError> {
        let request = self.request(Method::GET, "/api/v1/blocks");
        self.json(request.query(&[("from", from), ("limit", limit as u64)]))
            .await
    }

    /// `GET /api/v1/blocks/{index|hash|tip}`.
    pub async fn block(&self, which: &str) -> Result<SingleBlock, ClientError> {
        self.json(self.request(Method::GET, &format!("/api/v1/blocks/{which}")))
            .await
    }

    /// `GET /api/v1/messages/{id}`.
    pub async fn message(&self, id: &str) -> Result<MessageStatus, ClientError> {
        self.json(self.request(Method::GET, &format!("/api/v1/messages/{id}")))
            .await
    }

    /// `GET /api/v1/mempool`, at most `limit` messages.
    pub async fn mempool(
        &self,
        after: Option<u64>,
        limit: usize,
    ) -> Result<MempoolPage, ClientError> {
        let request = self.request(Method::GET, "/api/v1/mempool");
        let request = request.query(&[("limit", limit)]);
        self.json(request.query(&after.map(|after| [("after", after)])))
            .await
    }

    /// `GET /neighbours`, the documented answer as it is.
    pub async fn neighbours(&self) -> Result<serde_json::Value, ClientError> {
        self.json(self.request(Method::GET, "/neighbours")).await
    }

    /// `POST /api/v1/neighbours`, with the token of the node.
    pub async fn add_neighbour(&self, address: &str, token: &str) -> Result<(), ClientError> {
        let request = self
            .request(Method::POST, "/api/v1/neighbours")
            .bearer_auth(token);
        let body = NewNeighbour {
            address: address.to_owned(),
        };
        self.json::<Neighbours>(request.json(&body)).await.map(drop)
    }

    /// `DELETE /api/v1/neighbours/{host:port}`, with the token of the node.
    pub async fn remove_neighbour(&self, address: &str, token: &str) -> Result<(), ClientError> {
        let path = format!("/api/v1/neighbours/{address}");
        let request = self.request(Method::DELETE, &path).bearer_auth(token);
        self.answer(request).await.map(drop)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}{path}", self.address))
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let body = self.answer(request).await?;
        serde_json::from_slice(&body).map_err(|error| self.malformed(error.to_string()))
    }

    async fn answer(&self, request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let response = request
            .send()
            .await
            .map_err(|source| self.transport(source))?;
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        self.body(response).await
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|source| self.transport(source))?
        {
            if body.len() + chunk.len() > ANSWER_BYTES {
                return Err(self.malformed(format!("more than {ANSWER_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Reads an answer that is an error: only a node's own words count as its no.
    async fn refused(&self, response: Response) -> ClientError {
        let status = response.status().as_u16();
        let seconds = response.headers().get(header::RETRY_AFTER);
        let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let content = content(response.headers().get(header::CONTENT_TYPE));
        let path = response.url().path().trim_start_matches('/').to_owned();
        let body = match self.body(response).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        let address = self.address.clone();
        let (message, id) = if let Ok(ErrorBody { error }) = serde_json::from_slice(&body) {
            (error.message, error.id)
        } else if let Some(message) = documented_error(&body) {
            if status == 404 && message.contains(&path) {
                return ClientError::Reference { address, path };
            }
            (message, None)
        } else {
            return ClientError::NotANode {
                address,
                status,
                content,
            };
        };
        ClientError::Refused {
            address,
            status,
            message,
            retry_after: seconds.map(Duration::from_secs),
            id: id.and_then(|id| id.parse().ok()),
        }
    }

    fn transport(&self, source: reqwest::Error) -> ClientError {
        if source.is_timeout() && !source.is_connect() {
            return ClientError::TimedOut {
                address: self.address.clone(),
            };
        }
        ClientError::Unreachable {
            address: self.address.clone(),
            source: source.without_url(),
        }
    }

    fn malformed(&self, what: String) -> ClientError {
        ClientError::Malformed {
            address: self.address.clone(),
            what,
        }
    }
}

/// Returns the text of an error as reference miners answer it.
fn documented_error(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(body["message"].as_str()?.to_owned())
}

/// Describes what an answer holds. Its own words are not repeated: they may be anybody's.
fn content(kind: Option<&header::HeaderValue>) -> &'static str {
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/html") {
        "an HTML page"
    } else if kind.starts_with("application/json") {
        "JSON of another program"
    } else if kind.is_empty() {
        "no content type"
    } else {
        "something else than JSON"
    }
}
