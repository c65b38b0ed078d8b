//! Checks that come before the routes: the request head, protection of browsers, and paths as the
//! reference miner reads them. Also the rate limit of added messages.

use http::uri::PathAndQuery;
use http::{HeaderMap, StatusCode, Uri};
use warp::http;
use warp::reply::Response;

use super::admin::Caller;
use super::reject::{self, ApiError};
use crate::http::{ForeignRequest, Guard, check_head};
use crate::node::rate::AddRate;

/// Checks a request, normalizes its path and adds its [`Caller`] to its extensions. Returns a response
/// if no route may see the request.
pub(crate) fn admit<B>(
    guard: &Guard,
    caller: impl FnOnce(&HeaderMap) -> Caller,
    request: &mut http::Request<B>,
) -> Option<Response> {
    if let Err(invalid) = check_head(request) {
        return Some(reject::invalid_head(invalid));
    }
    if let Err(rejected) = guard.check(request.headers()) {
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

/// Applies the rate limit to one added message. Clients on the machine of the node have no limit.
pub(crate) fn check_add_rate(rate: &AddRate, caller: &Caller) -> Result<(), ApiError> {
    if caller.is_local() || rate.take(caller.remote.ip(), 1) == 1 {
        Ok(())
    } else {
        Err(ApiError::too_often())
    }
}

/// Applies the rate limit to a batch of added messages, like [`check_add_rate`]. A batch is accepted
/// as long as one message would be.
pub(crate) fn check_batch_rate(
    rate: &AddRate,
    caller: &Caller,
    count: usize,
) -> Result<(), ApiError> {
    if caller.is_local() || rate.take_batch(caller.remote.ip(), count) {
        Ok(())
    } else {
        Err(ApiError::too_often())
    }
}

impl ApiError {
    fn too_often() -> Self {
        Self::too_many("this address has added too many messages; try again in a second")
    }

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
    use std::net::IpAddr;
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn slashes_at_the_start_are_collapsed() {
        let mut request = http::Request::get("//chain?x=//").body(()).unwrap();
        collapse_slashes(&mut request);
        assert_eq!(request.uri().to_string(), "/chain?x=//");
    }

    /// Returns the number of messages accepted of `asked`.
    fn accepted(rate: &AddRate, remote: &str, asked: usize) -> usize {
        let remote = (remote.parse::<IpAddr>().unwrap(), 1).into();
        let caller = Caller::new(remote, &HeaderMap::new(), None);
        let check = |_: &usize| check_add_rate(rate, &caller).is_ok();
        (0..asked).filter(check).count()
    }

    #[test]
    fn local_clients_have_no_rate_limit() {
        let rate = AddRate::new(NonZeroU32::new(1));
        for local in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(accepted(&rate, local, 50), 50, "{local}");
        }
        assert_eq!(accepted(&AddRate::new(None), "192.0.2.1", 50), 50);
        // A proxy on this machine forwards requests of others.
        let headers = HeaderMap::from_iter([(
            http::header::FORWARDED,
            http::HeaderValue::from_static("for=192.0.2.1"),
        )]);
        let caller = Caller::new(([127, 0, 0, 1], 1).into(), &headers, None);
        assert!(check_add_rate(&rate, &caller).is_ok());
        assert!(check_add_rate(&rate, &caller).is_err());
    }
}
