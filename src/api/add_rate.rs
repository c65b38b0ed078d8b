//! The rate limit of added messages.

use super::admin::Caller;
use super::reject::ApiError;
use crate::node::rate::AddRate;

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
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::num::NonZeroU32;

    use warp::http::{self, HeaderMap};

    use super::*;

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
