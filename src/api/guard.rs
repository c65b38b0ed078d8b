//! What is decided before a request reaches its route: whether a browser may ask, and paths as the
//! original program reads them.

use http::uri::PathAndQuery;
use http::{HeaderMap, StatusCode, Uri};
use warp::http;
use warp::reply::Response;

use super::admin::Caller;
use super::reject::{self, ApiError};
use crate::serve::Guard;

/// Puts a request right and notes its [`Caller`] in it, or answers it.
pub(crate) fn admit<B>(
    guard: &Guard,
    caller: impl FnOnce(&HeaderMap) -> Caller,
    request: &mut http::Request<B>,
) -> Option<Response> {
    if !guard.allows(request.headers()) {
        return Some(ApiError::forbidden().into_response());
    }
    let caller = caller(request.headers());
    request.extensions_mut().insert(caller);
    collapse_slashes(request);
    let path = request.uri().path();
    // To the original, a path with a slash at its end is another path.
    if path.len() > 1 && path.ends_with('/') {
        return Some(reject::no_route(request.method(), path));
    }
    None
}

/// The original reads several slashes at the start of a path as one.
fn collapse_slashes<B>(request: &mut http::Request<B>) {
    let Some(target) = request.uri().path_and_query().map(PathAndQuery::as_str) else {
        return;
    };
    if !target.starts_with("//") {
        return;
    }
    let collapsed = format!("/{}", target.trim_start_matches('/'));
    if let Ok(uri) = collapsed.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
}

impl ApiError {
    fn forbidden() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "a browser may ask this node only by its address or an allowed name, from a page of \
             the node itself",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_start_are_one() {
        let mut request = http::Request::get("//chain?x=//").body(()).unwrap();
        collapse_slashes(&mut request);
        assert_eq!(request.uri().to_string(), "/chain?x=//");
    }
}
