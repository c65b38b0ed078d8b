//! The HTTP client of the commands and the explorer. It follows no redirects and uses no proxies; all
//! requests have timeouts and all responses a maximum size.
//!
//! * `add`: adding a message, with retries
//! * `lines`: adding many messages
//! * `explore`: the requests of the explorer
//! * `proofs`: checkpoints, receipts and consistency proofs
//! * `transport`: [`HttpTransport`], the requests of nodes among each other

mod add;
mod explore;
mod lines;
mod proofs;
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

/// Maximum time to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum time of a request, from connecting to the last byte of the response.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum number of bytes of a response. A page has up to 4 MiB of blocks, and more as JSON.
const MAX_RESPONSE_BYTES: usize = 64 * 1024 * 1024;

/// Error of a request to a node.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The connection failed.
    #[error("{} {address}", if is_connection_refused(source) { "no node is listening on" } else { "no response from" })]
    Unreachable {
        /// Address of the node.
        address: NodeAddress,
        /// Cause of the failure.
        #[source]
        source: reqwest::Error,
    },
    /// The request took too long.
    #[error("{address} took longer than {} s to answer", TIMEOUT.as_secs())]
    TimedOut {
        /// Address of the node.
        address: NodeAddress,
    },
    /// The node answered with an error.
    #[error("{address} answered {status}: {message}")]
    Rejected {
        /// Address of the node.
        address: NodeAddress,
        /// Status code of the response.
        status: u16,
        /// Machine-readable code of the error; empty in the format of reference miners.
        code: String,
        /// Message of the error.
        message: String,
        /// Value of `Retry-After`.
        retry_after: Option<Duration>,
        /// Id of the message whose outcome the node does not know.
        id: Option<MessageId>,
    },
    /// The message may or may not have been added.
    #[error("the message may have been added; before adding it again, {}", advice(*id))]
    OutcomeUnknown {
        /// Id of the message, if the node sent it.
        id: Option<MessageId>,
        /// Error of the last attempt.
        #[source]
        source: Box<ClientError>,
    },
    /// A reference miner answered, which does not have the requested path.
    #[error("{address} is a reference miner, which has no /{path}")]
    Reference {
        /// Address of the node.
        address: NodeAddress,
        /// The requested path.
        path: String,
    },
    /// The response does not come from a node but, for example, from a proxy.
    #[error("{address} answered {status} with {content}: this is not a node")]
    NotANode {
        /// Address of the node.
        address: NodeAddress,
        /// Status code of the response.
        status: u16,
        /// Description of the content.
        content: &'static str,
    },
    /// The response is invalid.
    #[error("{address} sent an invalid response: {what}")]
    Malformed {
        /// Address of the node.
        address: NodeAddress,
        /// The reason.
        what: String,
    },
}

/// Returns `true` if no process listens on the address.
fn is_connection_refused(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let io = error.downcast_ref::<std::io::Error>();
        if io.is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn advice(id: Option<MessageId>) -> String {
    match id {
        Some(id) => format!("ask for it with: blockchain get message {id}"),
        None => "look for it in GET /data and GET /chain of the node".to_owned(),
    }
}

impl ClientError {
    /// Returns `true` if the node answered 404.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Rejected { status: 404, .. })
    }

    /// Returns `true` if the node answered that its own data is damaged.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Rejected { code, .. } if code == "damaged")
    }

    /// Returns `true` if the node does not know if it has carried out the request.
    fn is_unknown_outcome(&self) -> bool {
        matches!(self, Self::Rejected { code, .. } if code == "outcome_unknown")
    }

    /// Returns `true` if the node has no such path, or not with this method.
    pub(crate) fn is_unsupported(&self) -> bool {
        matches!(
            self,
            Self::Rejected {
                status: 404 | 405,
                ..
            }
        ) || self.is_reference()
    }

    /// Returns `true` if a reference miner answered.
    pub fn is_reference(&self) -> bool {
        matches!(self, Self::Reference { .. })
    }

    /// Returns `true` if a node understood the request and rejected it.
    pub fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected { status: 400..500, .. } if !self.is_rate_limit())
    }

    /// Returns `true` if no process listens on the node's address.
    pub(crate) fn is_not_listening(&self) -> bool {
        matches!(self, Self::Unreachable { source, .. } if is_connection_refused(source))
    }

    fn is_rate_limit(&self) -> bool {
        matches!(self, Self::Rejected { status: 429, .. })
    }
}

/// Sends requests to one node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct HttpClient {
    address: NodeAddress,
    http: reqwest::Client,
}

/// Returns the settings that all HTTP clients share.
fn client_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        .no_gzip()
        .user_agent(concat!("blockchain/", env!("CARGO_PKG_VERSION")))
}

impl HttpClient {
    /// Creates a client of the node at `address` without connecting.
    pub fn new(address: NodeAddress) -> Result<Self, ClientError> {
        Self::build(address, client_builder())
    }

    /// Creates a client that accepts compressed responses, which save bytes and cost the node time.
    pub fn with_compression(address: NodeAddress) -> Result<Self, ClientError> {
        Self::build(address, client_builder().gzip(true))
    }

    fn build(address: NodeAddress, builder: reqwest::ClientBuilder) -> Result<Self, ClientError> {
        let http = builder
            .timeout(TIMEOUT)
            .build()
            .map_err(|source| ClientError::Unreachable {
                address: address.clone(),
                source,
            })?;
        Ok(Self { address, http })
    }

    /// Returns the address of the node.
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

    /// `GET /neighbours`, the response of the reference endpoint unchanged.
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
        self.send(request).await.map(drop)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http
            .request(method, format!("http://{}{path}", self.address))
    }

    async fn json<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let body = self.send(request).await?;
        serde_json::from_slice(&body).map_err(|error| self.malformed(error.to_string()))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let response = request
            .send()
            .await
            .map_err(|source| self.transport_error(source))?;
        if !response.status().is_success() {
            return Err(self.read_error(response).await);
        }
        self.body(response).await
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, ClientError> {
        let mut body = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|source| self.transport_error(source))?
        {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(self.malformed(format!("more than {MAX_RESPONSE_BYTES} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Reads an error response. Only an error in a format of nodes counts as a rejection by the node.
    async fn read_error(&self, response: Response) -> ClientError {
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
        let (code, message, id) = if let Ok(ErrorBody { error }) = serde_json::from_slice(&body) {
            (error.code, error.message, error.id)
        } else if let Some(message) = reference_error(&body) {
            if status == 404 && message == format!("'{path}' is not a valid endpoint!") {
                return ClientError::Reference { address, path };
            }
            // A reference miner rejects an addition with 400. Gateways answer with a `message` of
            // their own to everything else.
            if status != 400 {
                return ClientError::NotANode {
                    address,
                    status,
                    content,
                };
            }
            (String::new(), message, None)
        } else {
            return ClientError::NotANode {
                address,
                status,
                content,
            };
        };
        ClientError::Rejected {
            address,
            status,
            code,
            message,
            retry_after: seconds.map(Duration::from_secs),
            id: id.and_then(|id| id.parse().ok()),
        }
    }

    fn transport_error(&self, source: reqwest::Error) -> ClientError {
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

/// Returns the message of an error in the format of reference miners.
fn reference_error(body: &[u8]) -> Option<String> {
    let body = serde_json::from_slice::<serde_json::Value>(body).ok()?;
    Some(body["message"].as_str()?.to_owned())
}

/// Describes the content of a response. Its text is not repeated, because its origin is unknown.
fn content(kind: Option<&header::HeaderValue>) -> &'static str {
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/html") {
        "an HTML page"
    } else if kind.starts_with("application/json") {
        "JSON of another program"
    } else {
        "content other than JSON"
    }
}
