//! Adding a message: repeated under one key, and never reported as refused when it may be kept.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;

use super::{ClientError, HttpClient};
use crate::chain::MessageId;
use crate::wire::{NewMessage, PostedMessage};

/// How long a message waits in all until a node that takes so many a second takes it.
const RATE_PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait if such a node does not say.
const RATE_PAUSE: Duration = Duration::from_secs(1);

impl HttpClient {
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
        let mut attempts = Attempts::default();
        loop {
            let request = self
                .request(Method::POST, "/api/v1/messages")
                .headers(headers.clone())
                .header("idempotency-key", &key)
                .json(&NewMessage {
                    message: text.to_owned(),
                });
            let error = match self.json::<PostedMessage>(request).await {
                Ok(posted) => return Ok(Some(posted.id)),
                Err(error) => error,
            };
            attempts.note(&error);
            if error.is_reference() && !attempts.may_be_added {
                break;
            }
            let pause = if let Some(pause) = rate_pause(&error) {
                patience.checked_sub(pause).map(|rest| {
                    patience = rest;
                    pause
                })
            } else {
                pauses.next().filter(|_| is_passing(&error))
            };
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(attempts.failure(error)),
            }
        }
        let request = self
            .request(Method::PUT, "/add")
            .headers(headers)
            .query(&[("message", text)]);
        let answer: Result<serde_json::Value, _> = self.json(request).await;
        match answer {
            Ok(answer) => Ok(answer["id"].as_str().map(str::to_owned)),
            Err(error) => {
                attempts.note(&error);
                Err(attempts.failure(error))
            }
        }
    }
}

/// What is known of a message after attempts that failed.
#[derive(Default)]
struct Attempts {
    may_be_added: bool,
    /// The id under which the node keeps it, if it does.
    id: Option<MessageId>,
}

impl Attempts {
    fn note(&mut self, error: &ClientError) {
        self.may_be_added |= leaves_open(error);
        if let ClientError::Refused { id: Some(id), .. } = error {
            self.id = Some(*id);
        }
    }

    /// The error to report when the last attempt ended with this one.
    fn failure(self, last: ClientError) -> ClientError {
        if self.may_be_added {
            ClientError::OutcomeUnknown {
                id: self.id,
                source: Box::new(last),
            }
        } else {
            last
        }
    }
}

/// Returns `true` if a request that ended with this error may have been carried out.
fn leaves_open(error: &ClientError) -> bool {
    match error {
        ClientError::TimedOut { .. }
        | ClientError::Malformed { .. }
        | ClientError::OutcomeUnknown { .. } => true,
        ClientError::Unreachable { source, .. } => !source.is_connect(),
        // A node that says so did not take it. A gateway in front of one knows as little as we do.
        ClientError::Refused { status, id, .. } => id.is_some() || *status >= 500 && *status != 503,
        ClientError::NotANode { status, .. } => *status >= 500,
        ClientError::Reference { .. } => false,
    }
}

/// Returns `true` if asking again may help, and cannot hurt.
fn is_passing(error: &ClientError) -> bool {
    match error {
        ClientError::Refused { status: 503, .. } => true,
        ClientError::Unreachable { source, .. } => !source.is_timeout(),
        _ => false,
    }
}

/// How long to wait before asking again, if it was asked too often.
fn rate_pause(error: &ClientError) -> Option<Duration> {
    match error {
        ClientError::Refused {
            status: 429,
            retry_after,
            ..
        } => Some(retry_after.unwrap_or(RATE_PAUSE).max(RATE_PAUSE / 10)),
        _ => None,
    }
}
