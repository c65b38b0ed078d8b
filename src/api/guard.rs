//! What is decided before a request reaches its route: whether its head names something, whether a
//! browser may ask, and paths as the original program reads them; and how many messages one address
//! may add.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderMap, StatusCode, Uri};
use tokio::time::Instant;
use warp::http;
use warp::reply::Response;

use super::admin::Caller;
use super::reject::{self, ApiError};
use crate::serve::{Guard, check_head};

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

/// Addresses whose additions are counted at a time.
const ADDRESSES: usize = 4096;

/// Additions that may come at once, as the time in which they would come one after the other.
const BURST: Duration = Duration::from_secs(1);

/// Limits how many messages an address of another machine may add.
///
/// For each address one moment is kept: when its additions so far are paid for, each with the same
/// share of a second. One that lies ahead by more than [`BURST`] has to wait, and one that has
/// passed means nothing any more.
#[derive(Debug)]
pub(crate) struct AddRate {
    share: Option<Duration>,
    paid: Mutex<HashMap<IpAddr, Instant>>,
}

impl AddRate {
    /// At most so many a second.
    pub(crate) fn new(rate: Option<NonZeroU32>) -> Self {
        Self {
            share: rate.map(|rate| BURST / rate.get()),
            paid: Mutex::default(),
        }
    }

    /// Counts one addition, or refuses it.
    pub(crate) fn check(&self, caller: &Caller) -> Result<(), ApiError> {
        let Some(share) = self.share.filter(|_| !caller.is_local()) else {
            return Ok(());
        };
        let now = Instant::now();
        // Nothing that could panic happens under the lock.
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let address = rate_limit_key(caller.remote.ip());
        if !paid.contains_key(&address) && paid.len() >= ADDRESSES {
            paid.retain(|_, until| *until > now);
            // So many at once: the one that added least has the least to gain.
            if paid.len() >= ADDRESSES
                && let Some(least) = paid.iter().min_by_key(|(_, until)| **until)
            {
                let least = *least.0;
                paid.remove(&least);
            }
        }
        let until = paid.entry(address).or_insert(now);
        let next = (*until).max(now) + share;
        if next > now + BURST {
            return Err(ApiError::too_often());
        }
        *until = next;
        Ok(())
    }
}

/// Returns the address under which a client is counted: an IPv4 address, or the /64 network of an
/// IPv6 address, which is what one customer gets.
pub(super) fn rate_limit_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
        address @ IpAddr::V4(_) => address,
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
    use super::*;

    #[test]
    fn slashes_at_the_start_are_one() {
        let mut request = http::Request::get("//chain?x=//").body(()).unwrap();
        collapse_slashes(&mut request);
        assert_eq!(request.uri().to_string(), "/chain?x=//");
    }

    fn asks(rate: &AddRate, remote: &str) -> bool {
        let remote = (remote.parse::<IpAddr>().unwrap(), 1).into();
        let caller = Caller::new(remote, &HeaderMap::new(), None);
        rate.check(&caller).is_ok()
    }

    /// How many of so many are taken.
    fn taken(rate: &AddRate, remote: &str, asked: usize) -> usize {
        (0..asked).filter(|_| asks(rate, remote)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_adds_so_many_a_second_and_no_more() {
        let rate = AddRate::new(NonZeroU32::new(10));
        assert_eq!(taken(&rate, "192.0.2.1", 50), 10);
        // Another address has its own count, whatever protocol it comes by.
        assert_eq!(taken(&rate, "192.0.2.2", 5), 5);
        assert_eq!(taken(&rate, "::ffff:192.0.2.2", 50), 5);
        tokio::time::advance(Duration::from_millis(300)).await;
        assert_eq!(taken(&rate, "192.0.2.1", 50), 3);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(taken(&rate, "192.0.2.1", 50), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn an_ipv6_network_counts_as_one() {
        let rate = AddRate::new(NonZeroU32::new(10));
        assert_eq!(taken(&rate, "2001:db8::1", 6), 6);
        assert_eq!(taken(&rate, "2001:db8::ffff:1", 6), 4);
        assert_eq!(taken(&rate, "2001:db8:0:1::1", 6), 6);
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
        assert!(rate.check(&caller).is_ok());
        assert!(rate.check(&caller).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_take_no_more_memory_however_many_there_are() {
        let rate = AddRate::new(NonZeroU32::new(2));
        assert_eq!(taken(&rate, "192.0.2.1", 3), 2);
        for number in 0..2 * ADDRESSES as u128 {
            let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | (number << 64));
            assert!(asks(&rate, &address.to_string()));
        }
        assert_eq!(rate.paid.lock().unwrap().len(), ADDRESSES);
        // The one that added most is remembered.
        assert!(!asks(&rate, "192.0.2.1"));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(asks(&rate, "192.0.2.9"));
        assert_eq!(rate.paid.lock().unwrap().len(), 1);
    }
}
