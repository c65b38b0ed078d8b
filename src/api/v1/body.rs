//! Bodies of requests, read with limits in size and time.

use std::time::Duration;

use bytes::{Buf, Bytes};
use futures_util::{Stream, StreamExt};

use crate::api::reject::ApiError;

/// How much of a body that is too long is read all the same: a client that is still sending when
/// the connection ends would miss the answer.
const DRAINED_BYTES: usize = 16 * 1024 * 1024;

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
    let (mut bytes, mut received) = (Vec::new(), 0);
    while let Some(chunk) = body.next().await {
        let mut chunk =
            chunk.map_err(|_| ApiError::bad_request("the body did not arrive in full"))?;
        received += chunk.remaining();
        if received > DRAINED_BYTES {
            break;
        }
        if received <= most {
            let chunk: Bytes = chunk.copy_to_bytes(chunk.remaining());
            // No more memory than what has arrived: many may come slowly at a time.
            bytes.reserve_exact(chunk.len());
            bytes.extend_from_slice(&chunk);
        }
    }
    if received > most {
        return Err(ApiError::too_large(most));
    }
    Ok(bytes)
}
