//! Query strings of `/api/v1`.

use serde::de::DeserializeOwned;

use super::reject::ApiError;

/// Parses a query string. Unknown parameters are rejected, so that a mistyped one is noticed.
///
/// # Errors
/// 400 if the query string is invalid.
pub(super) fn parse_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    serde_urlencoded::from_str(query)
        .map_err(|error| ApiError::bad_request(format!("invalid query string: {error}")))
}

/// Returns the number of items on a page: the requested one or the default.
///
/// # Errors
/// 400 if the requested number is 0 or more than `max`.
pub(super) fn page_limit(
    requested: Option<usize>,
    default: usize,
    max: usize,
) -> Result<usize, ApiError> {
    let limit = requested.unwrap_or(default);
    if (1..=max).contains(&limit) {
        Ok(limit)
    } else {
        Err(ApiError::bad_request(format!("limit must be 1 to {max}")))
    }
}

/// Returns the number of reorgs or disconnected blocks on a page.
///
/// # Errors
/// Those of [`page_limit`].
pub(super) fn history_page_limit(requested: Option<usize>) -> Result<usize, ApiError> {
    page_limit(requested, 100, 1000)
}
