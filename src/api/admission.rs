//! Checks that come before the routes: the request head, protection of browsers, and paths as the
//! reference miner reads them.

use http::uri::PathAndQuery;
use http::{HeaderMap, StatusCode, Uri};
use warp::http;
use warp::reply::Response;

use super::admin::Caller;
use super::reject::{self, ApiError};
use crate::http::{ForeignRequest, OriginPolicy, check_head};

/// Checks a request, normalizes its path and adds its [`Caller`] to its extensions. Returns a response
/// if no route may see the request.
pub(crate) fn admit<B>(
    policy: &OriginPolicy,
    caller: impl FnOnce(&HeaderMap) -> Caller,
    request: &mut http::Request<B>,
) -> Option<Response> {
    if let Err(invalid) = check_head(request) {
        return Some(reject::invalid_head(invalid));
    }
    if let Err(rejected) = policy.check(request.headers()) {
        return Some(ApiError::rejected(&rejected).into_response());
    }
    let caller = caller(request.headers());
    request.extensions_mut().insert(caller);
    collapse_slashes(request);
    let path = request.uri().path();
    // To the reference miner, a path with a slash at its end is another path.
    if path.len() > 1 && path.ends_with('/') {
        return Some(reject::no_route(request.method(), path));
    }
    None
}

/// Replaces several slashes at the start of the path by one, as the reference miner does.
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
    /// 403: a browser addresses the node by another name, or comes from another site.
    fn rejected(rejected: &ForeignRequest) -> Self {
        let remedy = match rejected {
            ForeignRequest::Host(Some(name)) => {
                format!("; to allow this name, start the node with --allow-host {name}")
            }
            ForeignRequest::Host(None) | ForeignRequest::Origin => String::new(),
        };
        let message = format!(
            "requests from browsers must address this node by its IP address or an allowed host \
             name, and come from a page of the node itself{remedy}"
        );
        Self::new(StatusCode::FORBIDDEN, "forbidden", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_at_the_start_are_collapsed() {
        let mut request = http::Request::get("//chain?x=//").body(()).unwrap();
        collapse_slashes(&mut request);
        assert_eq!(request.uri().to_string(), "/chain?x=//");
    }
}
