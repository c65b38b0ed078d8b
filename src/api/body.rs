//! JSON bodies of requests to `/api/v1`.

use bytes::Buf;
use futures_util::Stream;
use http::HeaderMap;
use serde::de::DeserializeOwned;
use warp::http;

use super::reject::ApiError;
use crate::http::read_body;

/// Reads a JSON body of at most `limit` bytes. `name` is what it describes, for the error.
///
/// # Errors
/// 400 if the body is incomplete or not a valid `T`, 408 if it is too slow, 413 if it is too long.
pub(super) async fn read_json<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
    limit: usize,
    name: &str,
) -> Result<T, ApiError> {
    let body = read_body(headers, body, limit).await?;
    serde_json::from_slice(&body)
        .map_err(|error| ApiError::bad_request(format!("the body is not a valid {name}: {error}")))
}
