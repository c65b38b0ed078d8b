//! The part of a request that pages read.

use std::net::SocketAddr;

use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use warp::http;

use super::error_page::ErrorPage;
use crate::http::is_forwarded;

/// Headers and query of a request for a page.
pub(super) struct PageRequest {
    pub(super) headers: HeaderMap,
    pub(super) query: String,
    /// Address of the browser or the last proxy.
    pub(super) remote: SocketAddr,
}

impl PageRequest {
    /// Returns `true` if the browser is on the machine of the explorer.
    pub(super) fn is_local(&self) -> bool {
        is_local(self.remote, &self.headers)
    }

    /// Parses the query string. Form fields that were left empty count as absent.
    ///
    /// # Errors
    /// A page with status 400 if a parameter has an invalid value.
    pub(super) fn parse_query<T: DeserializeOwned>(&self) -> Result<T, ErrorPage> {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(&self.query).unwrap_or_default();
        let pairs: Vec<_> = pairs
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .collect();
        serde_urlencoded::to_string(pairs)
            .ok()
            .and_then(|query| serde_urlencoded::from_str(&query).ok())
            .ok_or_else(|| {
                ErrorPage::new(
                    StatusCode::BAD_REQUEST,
                    "Invalid link",
                    "A parameter of this address is unknown or has an invalid value.",
                )
            })
    }
}

/// Returns `true` if a request comes from the machine of the explorer, and not through a proxy there.
pub(super) fn is_local(remote: SocketAddr, headers: &HeaderMap) -> bool {
    remote.ip().to_canonical().is_loopback() && !is_forwarded(headers)
}

/// Returns `true` if a path segment holds ASCII letters and digits only. Other segments must not
/// become part of a path of the node's API: they could change which endpoint is called.
pub(super) fn is_plain_segment(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
