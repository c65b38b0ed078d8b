//! Bodies of requests, read with limits in size and time.

use std::time::Duration;

use bytes::Buf;
use futures_util::{Stream, StreamExt};

use crate::api::reject::ApiError;

/// How much of a body that is too long is read all the same: a client that is still sending when
/// the connection ends would miss the answer.
const DRAINED_BYTES: usize = 16 * 1024 * 1024;

/// A body is kept in pieces until all of it is there: many may come slowly at a time, and one long
/// piece that grows takes twice the memory.
const PIECE: usize = 16 * 1024;

/// How long a body may take to arrive.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A whole body of at most `most` bytes.
pub(crate) async fn read(
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
    most: usize,
) -> Result<Vec<u8>, ApiError> {
    tokio::time::timeout(TIMEOUT, collect(body, most))
        .await
        .map_err(|_| ApiError::body_timeout())?
}

async fn collect(
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
    most: usize,
) -> Result<Vec<u8>, ApiError> {
    let mut body = std::pin::pin!(body);
    let (mut pieces, mut received) = (Vec::<Vec<u8>>::new(), 0);
    while let Some(chunk) = body.next().await {
        let mut chunk =
            chunk.map_err(|_| ApiError::bad_request("the body did not arrive in full"))?;
        received += chunk.remaining();
        if received > DRAINED_BYTES {
            break;
        }
        if received > most {
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
    if received > most {
        return Err(ApiError::too_large(most));
    }
    Ok(pieces.concat())
}
