//! Reads the whole body of a request, with limits in size and time.

use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt};
use hyper::{HeaderMap, header};
use thiserror::Error;

/// How much of a body that is too long is read all the same: a client that is still sending when
/// the connection ends would miss the answer.
const DRAINED_BYTES: usize = 16 * 1024 * 1024;

/// A body is kept in pieces until all of it is there: many may come slowly at a time, and one long
/// piece that grows takes twice the memory.
const PIECE: usize = 16 * 1024;

/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BodyError {
    /// It is longer than allowed.
    #[error("more than the {limit} bytes allowed")]
    TooLarge {
        /// Maximum number of bytes.
        limit: usize,
    },
    /// It broke off, or its chunks are malformed.
    #[error("the body did not arrive in full")]
    Incomplete,
    /// It took too long.
    #[error("the body did not arrive in time")]
    TimedOut,
}

/// Reads a body of at most `limit` bytes; `headers` are those of its request.
///
/// # Errors
/// [`BodyError`] if it is longer, breaks off or is too slow.
pub async fn read_body<E>(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, E>> + Send,
    limit: usize,
) -> Result<Vec<u8>, BodyError> {
    // The client waits to be asked for the body, and reading it would ask.
    if headers.contains_key(header::EXPECT) && declared_length(headers) > Some(limit) {
        return Err(BodyError::TooLarge { limit });
    }
    tokio::time::timeout(TIMEOUT, collect(body, limit))
        .await
        .map_err(|_| BodyError::TimedOut)?
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    // The server has checked that it is a number of 64 bits.
    length.to_str().ok()?.parse().ok()
}

async fn collect<E>(
    body: impl Stream<Item = Result<impl Buf, E>> + Send,
    limit: usize,
) -> Result<Vec<u8>, BodyError> {
    let mut body = std::pin::pin!(body);
    let (mut pieces, mut received) = (Vec::<Vec<u8>>::new(), 0);
    while let Some(chunk) = body.next().await {
        let mut chunk = chunk.map_err(|_| BodyError::Incomplete)?;
        received += chunk.remaining();
        if received > DRAINED_BYTES {
            break;
        }
        if received > limit {
            pieces = Vec::new();
            continue;
        }
        while chunk.has_remaining() {
            if pieces.last().is_none_or(|piece| piece.len() == PIECE) {
                pieces.push(Vec::new());
            }
            if let Some(piece) = pieces.last_mut() {
                let count = chunk.chunk().len().min(PIECE - piece.len());
                piece.extend_from_slice(&chunk.chunk()[..count]);
                chunk.advance(count);
            }
        }
    }
    if received > limit {
        return Err(BodyError::TooLarge { limit });
    }
    Ok(pieces.concat())
}
