//! Reads a whole request body with limits in size and time.

use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use hyper::{HeaderMap, StatusCode, header};
use thiserror::Error;

/// Maximum number of bytes that are read of a body that is too long. A client that is still sending
/// when the connection is closed would lose its response.
const MAX_DRAINED_BYTES: usize = 16 * 1024 * 1024;

/// Size of the chunks in which a body is kept until it is complete. Many bodies may arrive slowly at
/// the same time, and one growing buffer would take twice the memory.
const CHUNK_BYTES: usize = 16 * 1024;

/// Maximum time for a body to arrive.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Error of [`read_body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum BodyError {
    /// The body is longer than allowed.
    #[error("the body is longer than the {limit} bytes allowed")]
    TooLarge {
        /// Maximum number of bytes.
        limit: usize,
    },
    /// The connection failed, or the chunks are malformed.
    #[error("the body is incomplete")]
    Incomplete,
    /// The body took too long to arrive.
    #[error("the body did not arrive in time")]
    TimedOut,
}

impl BodyError {
    /// Returns the status of the response.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
        }
    }
}

/// Reads a body of at most `limit` bytes. `headers` are those of its request.
///
/// # Errors
/// [`BodyError`] if the body is too long, incomplete or too slow.
pub(crate) async fn read_body<E>(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, E>> + Send,
    limit: usize,
) -> Result<Vec<u8>, BodyError> {
    // The client waits for `100 Continue`, which the first read would send.
    if headers.contains_key(header::EXPECT) && declared_length(headers) > Some(limit) {
        return Err(BodyError::TooLarge { limit });
    }
    tokio::time::timeout(TIMEOUT, collect(body, limit))
        .await
        .map_err(|_| BodyError::TimedOut)?
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    // `hyper` has checked that it is a number of 64 bits.
    length.to_str().ok()?.parse().ok()
}

async fn collect<E>(
    body: impl Stream<Item = Result<impl Buf, E>> + Send,
    limit: usize,
) -> Result<Vec<u8>, BodyError> {
    let mut body = std::pin::pin!(body);
    let (mut chunks, mut received) = (Vec::<Vec<u8>>::new(), 0);
    while let Some(data) = body.next().await {
        let mut data = data.map_err(|_| BodyError::Incomplete)?;
        received += data.remaining();
        if received > MAX_DRAINED_BYTES {
            break;
        }
        if received > limit {
            chunks = Vec::new();
            continue;
        }
        while data.has_remaining() {
            if chunks.last().is_none_or(|chunk| chunk.len() == CHUNK_BYTES) {
                chunks.push(Vec::new());
            }
            if let Some(chunk) = chunks.last_mut() {
                let count = data.chunk().len().min(CHUNK_BYTES - chunk.len());
                chunk.extend_from_slice(&data.chunk()[..count]);
                data.advance(count);
            }
        }
    }
    if received > limit {
        return Err(BodyError::TooLarge { limit });
    }
    Ok(chunks.concat())
}
