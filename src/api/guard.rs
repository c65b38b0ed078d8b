//! What is decided before a request reaches its route: whether its head names something, whether a
//! browser may ask, and paths as the original program reads them; and how many messages one address
//! may add.

use http::uri::PathAndQuery;
use http::{HeaderMap, StatusCode, Uri};
use warp::http;
use warp::reply::Response;

use super::admin::Caller;
use super::reject::{self, ApiError};
use crate::http::{Guard, check_head};
use crate::node::rate::AddRate;

/// Puts a request right and notes its [`Caller`] in it, or answers it.
pub(crate) fn admit<B>(
    guard: &Guard,
    caller: impl FnOnce(&HeaderMap) -> Caller,
    request: &mut http::Request<B>,
) -> Option<Response> {
    if let Err(invalid) = check_head(request) {
        return Some(reject::invalid_head(invalid));
    }
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

/// Counts one addition of a client, or refuses it. Clients on the machine of the node have no limit.
pub(crate) fn check_add_rate(rate: &AddRate, caller: &Caller) -> Result<(), ApiError> {
    if caller.is_local() || rate.take(caller.remote.ip(), 1) == 1 {
        Ok(())
    } else {
        Err(ApiError::too_often())
    }
}

impl ApiError {
    fn too_often() -> Self {
        Self::too_many("too many messages from this address; try again in a second")
    }

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
    use std::net::IpAddr;
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn slashes_at_the_start_are_one() {
        let mut request = http::Request::get("//chain?x=//").body(()).unwrap();
        collapse_slashes(&mut request);
        assert_eq!(request.uri().to_string(), "/chain?x=//");
    }

    /// How many of so many are taken.
    fn taken(rate: &AddRate, remote: &str, asked: usize) -> usize {
        let remote = (remote.parse::<IpAddr>().unwrap(), 1).into();
        let caller = Caller::new(remote, &HeaderMap::new(), None);
        let check = |_: &usize| check_add_rate(rate, &caller).is_ok();
        (0..asked).filter(check).count()
    }

    #[test]
    fn this_machine_and_no_rate_are_no_limit() {
        let rate = AddRate::new(NonZeroU32::new(1));
        for local in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(taken(&rate, local, 50), 50, "{local}");
        }
        assert_eq!(taken(&AddRate::new(None), "192.0.2.1", 50), 50);
        // A proxy on this machine speaks for others.
        let headers = HeaderMap::from_iter([(
            http::header::FORWARDED,
            http::HeaderValue::from_static("for=192.0.2.1"),
        )]);
        let caller = Caller::new(([127, 0, 0, 1], 1).into(), &headers, None);
        assert!(check_add_rate(&rate, &caller).is_ok());
        assert!(check_add_rate(&rate, &caller).is_err());
    }
}
