//! Checks that come before the routes: the request head, protection of browsers, and paths as the
//! reference miner reads them.

use std::net::SocketAddr;

use http::uri::PathAndQuery;
use http::{HeaderValue, StatusCode, Uri};
use warp::http;
use warp::reply::Response;

use super::admin::{AdminToken, Caller};
use super::cors::{self, Origin, Sharing};
use super::reject::{self, ApiError};
use crate::http::{ForeignRequest, OriginPolicy, check_head};

/// Access of clients to the API.
#[derive(Debug, Default)]
pub struct Access {
    /// Requests of browsers that are allowed.
    pub policy: OriginPolicy,
    /// Origins besides the node itself whose pages may use the API.
    pub origins: Vec<Origin>,
    /// The token of administrators. Without one, no request is an administrator's.
    pub admin: Option<AdminToken>,
}

/// Checks a request, normalizes its path and adds its [`Caller`] to its extensions. Returns the
/// origin of the page with which the response is to be shared, if any.
///
/// # Errors
/// The response, if no route may see the request.
#[expect(
    clippy::result_large_err,
    reason = "the response is returned at once, and a box would be one more allocation"
)]
pub(crate) fn admit<B>(
    access: &Access,
    remote: SocketAddr,
    request: &mut http::Request<B>,
) -> Result<Option<HeaderValue>, Response> {
    if let Err(invalid) = check_head(request) {
        return Err(reject::invalid_head(invalid));
    }
    collapse_slashes(request);
    let origin = match access.policy.check(request.headers()) {
        Ok(()) => None,
        Err(rejected) => match (&rejected, cors::share(&access.origins, request)) {
            (ForeignRequest::Origin, Sharing::Allowed(origin)) => Some(origin),
            (ForeignRequest::Origin, Sharing::Preflight(response)) => return Err(response),
            _ => return Err(ApiError::rejected(&rejected).into_response()),
        },
    };
    let caller = Caller::new(remote, request.headers(), access.admin.as_ref());
    request.extensions_mut().insert(caller);
    let path = request.uri().path();
    // To the reference miner, a path with a slash at its end is another path.
    if path.len() > 1 && path.ends_with('/') {
        return Err(reject::no_route(request.method(), path));
    }
    Ok(origin)
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
            ForeignRequest::Host(None) => String::new(),
            ForeignRequest::Origin => {
                "; pages of the origins that --allow-origin names may read and add messages".into()
            }
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
