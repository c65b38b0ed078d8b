//! Asking a node over HTTP: no redirects, no proxies, timeouts and size limits on everything.

mod explore;
mod transport;

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{self, HeaderMap};
use reqwest::{Method, RequestBuilder, Response};
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::NodeAddress;
use crate::wire::{
    BlockPage, ErrorBody, MempoolPage, MessageStatus, Neighbours, NewMessage, NewNeighbour,
    PostedMessage, SingleBlock, Status,
};

pub use explore::Events;
pub use transport::HttpTransport;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take from its first to its last byte.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long a message waits in all until a node that takes so many a second takes it.
const RATE_PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait if such a node does not say.
const RATE_PAUSE: Duration = Duration::from_secs(1);

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

impl ClientError {
    /// Whether the node said that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether asking again may help, and cannot hurt.
    fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Refused { status: 503, .. } | Self::Unreachable { .. }
        )
    }

    /// How long to wait before asking again, if it was asked too often.
    fn rate_pause(&self) -> Option<Duration> {
        match self {
            Self::Refused {
                status: 429,
                retry_after,
                ..
            } => Some(retry_after.unwrap_or(RATE_PAUSE).max(RATE_PAUSE / 10)),
            _ => None,
        }
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

    /// Adds a message and returns its id, or none from a reference miner, which gives none. The
    /// message carries a key of its own, so it is sent again after a passing failure, and for a
    /// minute if the node takes so many a second and no more.
    pub async fn add(&self, text: &str) -> Result<Option<String>, ClientError> {
        self.send(text, None).await
    }

    /// The same for a client on this address, who does not wait until the node takes more.
    pub async fn add_for(&self, client: IpAddr, text: &str) -> Result<Option<String>, ClientError> {
        self.send(text, Some(client)).await
    }

    async fn send(
        &self,
        text: &str,
        client: Option<IpAddr>,
    ) -> Result<Option<String>, ClientError> {
        let mut headers = HeaderMap::new();
        if let Some(value) = client.and_then(|client| client.to_string().parse().ok()) {
            headers.insert("x-forwarded-for", value);
        }
        let key = uuid::Uuid::new_v4().to_string();
        let mut patience = client.map_or(RATE_PATIENCE, |_| Duration::ZERO);
        let mut pauses = [100, 400, 1000].into_iter().map(Duration::from_millis);
        loop {
            let request = self
                .request(Method::POST, "/api/v1/messages")
                .headers(headers.clone())
                .header("idempotency-key", &key)
                .json(&NewMessage {
                    message: text.to_owned(),
                });
            match self.json::<PostedMessage>(request).await {
                Ok(posted) => return Ok(Some(posted.id)),
                Err(error) if error.is_not_found() => break,
                Err(error) => {
                    let pause = if let Some(pause) = error.rate_pause() {
                        patience.checked_sub(pause).map(|rest| {
                            patience = rest;
                            pause
                        })
                    } else {
                        pauses.next().filter(|_| error.is_passing())
                    };
                    match pause {
                        Some(pause) => tokio::time::sleep(pause).await,
                        None => return Err(error),
                    }
                }
            }
        }
        let request = self
            .request(Method::PUT, "/add")
            .headers(headers)
            .query(&[("message", text)]);
        let answer: serde_json::Value = self.json(request).await?;
        Ok(answer["id"].as_str().map(str::to_owned))
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

    async fn refused(&self, response: Response) -> ClientError {
        let status = response.status();
        let seconds = response.headers().get(header::RETRY_AFTER);
        let seconds = seconds.and_then(|seconds| seconds.to_str().ok()?.parse().ok());
        let body = match self.body(response).await {
            Ok(body) => body,
            Err(error) => return error,
        };
        let ours = serde_json::from_slice::<ErrorBody>(&body).map(|body| body.error.message);
        let documented = || {
            let body: serde_json::Value = serde_json::from_slice(&body).ok()?;
            Some(body["message"].as_str()?.to_owned())
        };
        ClientError::Refused {
            address: self.address.clone(),
            status: status.as_u16(),
            message: ours
                .ok()
                .or_else(documented)
                .unwrap_or_else(|| "no reason given".to_owned()),
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    fn transport(&self, source: reqwest::Error) -> ClientError {
        if source.is_timeout() {
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
