//! Adding a message. Attempts are repeated with the same idempotency key, and the message is never
//! reported as rejected if it may have been stored.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::Method;
use reqwest::header::HeaderMap;

use super::{ClientError, HttpClient};
use crate::chain::MessageId;
use crate::wire::{NewMessage, PostedMessage};

/// Maximum total delay while the node is rate limiting.
pub(super) const MAX_RATE_DELAY: Duration = Duration::from_secs(60);

/// Delay if a node that is rate limiting does not send `Retry-After`.
const DEFAULT_RATE_DELAY: Duration = Duration::from_secs(1);

impl HttpClient {
    /// Adds a message and returns its id, or `None` from a reference miner that sends none. Retries
    /// after a temporary failure, and for up to a minute while the node is rate limiting. An
    /// idempotency key makes the node add the message once.
    pub async fn add(&self, text: &str) -> Result<Option<String>, ClientError> {
        self.add_with_retries(text, None, MAX_RATE_DELAY).await
    }

    /// Adds a message for a client, at another address if one is given. Does not retry when the node
    /// is rate limiting.
    pub async fn add_for(
        &self,
        client: Option<IpAddr>,
        text: &str,
    ) -> Result<Option<String>, ClientError> {
        self.add_with_retries(text, client, Duration::ZERO).await
    }

    async fn add_with_retries(
        &self,
        text: &str,
        client: Option<IpAddr>,
        mut rate_delay_left: Duration,
    ) -> Result<Option<String>, ClientError> {
        let mut headers = HeaderMap::new();
        if let Some(value) = client.and_then(|client| client.to_string().parse().ok()) {
            headers.insert("x-forwarded-for", value);
        }
        let key = uuid::Uuid::new_v4().to_string();
        let mut retry_delays = [100, 400, 1000].into_iter().map(Duration::from_millis);
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
            attempts.record(&error);
            if error.is_reference() && !attempts.may_be_added {
                break;
            }
            let delay = if let Some(delay) = rate_delay(&error) {
                rate_delay_left.checked_sub(delay).map(|rest| {
                    rate_delay_left = rest;
                    delay
                })
            } else {
                retry_delays.next().filter(|_| is_temporary(&error))
            };
            match delay {
                Some(delay) => tokio::time::sleep(delay).await,
                None => return Err(attempts.failure(error)),
            }
        }
        let request = self
            .request(Method::PUT, "/add")
            .headers(headers)
            .query(&[("message", text)]);
        let response: Result<serde_json::Value, _> = self.json(request).await;
        match response {
            Ok(response) => Ok(response["id"].as_str().map(str::to_owned)),
            Err(error) => {
                attempts.record(&error);
                Err(attempts.failure(error))
            }
        }
    }
}

/// Result of the failed attempts to add a message.
#[derive(Default)]
struct Attempts {
    may_be_added: bool,
    /// Id of the message, if a node sent it.
    id: Option<MessageId>,
}

impl Attempts {
    fn record(&mut self, error: &ClientError) {
        self.may_be_added |= may_have_added(error);
        if let ClientError::Rejected { id: Some(id), .. } = error {
            self.id = Some(*id);
        }
    }

    /// Returns the error to report after the last attempt.
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

/// Returns `true` if a request that failed with this error may have added the message.
pub(super) fn may_have_added(error: &ClientError) -> bool {
    match error {
        ClientError::TimedOut { .. }
        | ClientError::Malformed { .. }
        | ClientError::OutcomeUnknown { .. } => true,
        ClientError::Unreachable { source, .. } => !source.is_connect(),
        // A node that answers 503 without an id did not store the message. Any other 5xx may come from a
        // gateway, which does not know.
        ClientError::Rejected { status, id, .. } => {
            id.is_some() || *status >= 500 && *status != 503
        }
        ClientError::NotANode { status, .. } => *status >= 500,
        ClientError::Reference { .. } => false,
    }
}

/// Returns `true` if a retry may succeed.
pub(super) fn is_temporary(error: &ClientError) -> bool {
    match error {
        ClientError::Rejected { status: 503, .. } => true,
        ClientError::Unreachable { source, .. } => !source.is_timeout(),
        _ => false,
    }
}

/// Returns the delay before a retry if the node is rate limiting.
pub(super) fn rate_delay(error: &ClientError) -> Option<Duration> {
    match error {
        ClientError::Rejected {
            status: 429,
            retry_after,
            ..
        } => Some(
            retry_after
                .unwrap_or(DEFAULT_RATE_DELAY)
                .max(DEFAULT_RATE_DELAY / 10),
        ),
        _ => None,
    }
}
