//! Adding many messages in one request.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderValue};

use super::add::{MAX_RATE_DELAY, is_temporary, may_have_added, rate_delay};
use super::{ClientError, HttpClient};
use crate::wire::AddedLines;

impl HttpClient {
    /// `POST /api/v1/messages/lines`: adds lines, all or none, and returns their ids. Retries after
    /// a temporary failure, and for up to a minute while the node is rate limiting. Without `once`,
    /// a request that may have been carried out is not repeated.
    ///
    /// # Errors
    /// [`ClientError::OutcomeUnknown`] if the lines may have been added.
    pub async fn add_lines(
        &self,
        body: &str,
        field: Option<&str>,
        once: bool,
    ) -> Result<AddedLines, ClientError> {
        let once_text = if once { "true" } else { "false" };
        let mut query = vec![("ids", "true"), ("once", once_text)];
        query.extend(field.map(|field| ("field", field)));
        let mut rate_delay_left = MAX_RATE_DELAY;
        let mut retry_delays = [100, 400, 1000].into_iter().map(Duration::from_millis);
        // By this request or an earlier one, whose retry may have failed for another reason.
        let mut may_be_added = false;
        loop {
            let request = self
                .request(Method::POST, "/api/v1/messages/lines")
                .query(&query)
                .header(CONTENT_TYPE, HeaderValue::from_static("text/plain"))
                .body(body.to_owned());
            let error = match self.json::<AddedLines>(request).await {
                Ok(added) => return Ok(added),
                Err(error) => error,
            };
            may_be_added |= may_have_added(&error) || error.is_unknown_outcome();
            let delay = if let Some(delay) = rate_delay(&error) {
                rate_delay_left.checked_sub(delay).map(|rest| {
                    rate_delay_left = rest;
                    delay
                })
            } else if may_be_added && !once {
                None
            } else {
                retry_delays.next().filter(|_| is_temporary(&error))
            };
            match delay {
                Some(delay) => tokio::time::sleep(delay).await,
                None if may_be_added => {
                    return Err(ClientError::OutcomeUnknown {
                        id: None,
                        source: Box::new(error),
                    });
                }
                None => return Err(error),
            }
        }
    }
}
