//! Rate limit on the messages of clients and nodes, per remote address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::netgroup::network_group;

/// Maximum number of addresses with a token bucket at a time.
const MAX_ADDRESSES: usize = 4096;

/// Burst size, as the time in which its messages would come at the permitted rate.
const BURST: Duration = Duration::from_secs(1);

/// A token bucket per remote address.
///
/// A bucket is stored as the time at which it is full again (the generic cell rate algorithm). It
/// may lie at most [`BURST`] in the future; a bucket whose time has passed is full and can be dropped.
#[derive(Debug)]
pub(crate) struct AddRate {
    /// Interval between two messages at the permitted rate; `None` for no limit.
    interval: Option<Duration>,
    buckets: Mutex<HashMap<IpAddr, Instant>>,
}

impl AddRate {
    /// Creates a limit of `rate` messages per second; `None` for no limit.
    pub(crate) fn new(rate: Option<NonZeroU32>) -> Self {
        Self {
            interval: rate.map(|rate| BURST / rate.get()),
            buckets: Mutex::default(),
        }
    }

    /// Returns the number of messages that an address may add now.
    pub(super) fn available(&self, address: IpAddr) -> usize {
        let Some(interval) = self.interval else {
            return usize::MAX;
        };
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let until = buckets.get(&network_group(address)).copied();
        available(interval, until, Instant::now())
    }

    /// Counts up to `wanted` messages of an address, and returns the number that it may add.
    pub(crate) fn take(&self, address: IpAddr, wanted: usize) -> usize {
        let Some(interval) = self.interval else {
            return wanted;
        };
        let now = Instant::now();
        // No panic can interrupt a change under the lock, so a poisoned one holds valid data.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let address = network_group(address);
        if !buckets.contains_key(&address) && buckets.len() >= MAX_ADDRESSES {
            buckets.retain(|_, until| *until > now);
            // Evicts the fullest bucket: its address gains least from a new one.
            if buckets.len() >= MAX_ADDRESSES
                && let Some(fullest) = buckets.iter().min_by_key(|(_, until)| **until)
            {
                let fullest = *fullest.0;
                buckets.remove(&fullest);
            }
        }
        let until = buckets.entry(address).or_insert(now);
        let taken = available(interval, Some(*until), now).min(wanted);
        let spent = interval.saturating_mul(u32::try_from(taken).unwrap_or(u32::MAX));
        *until = (*until).max(now) + spent;
        taken
    }

    /// Counts a batch of messages of an address. Returns `false` if it may not add even one of them;
    /// a batch that begins within the limit is counted as a whole and delays the next ones.
    pub(crate) fn take_batch(&self, address: IpAddr, count: usize) -> bool {
        let Some(interval) = self.interval else {
            return true;
        };
        if self.take(address, 1) == 0 {
            return false;
        }
        let rest = u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = buckets.get_mut(&network_group(address)) {
            *until += interval.saturating_mul(rest);
        }
        true
    }

    /// Returns the delay after which a rejected client or node may retry.
    pub(crate) fn retry_after(&self) -> Duration {
        // A minimum delay, so that nodes do not fetch messages one by one.
        self.interval.unwrap_or_default().max(BURST / 10)
    }
}

fn available(interval: Duration, until: Option<Instant>, now: Instant) -> usize {
    let ahead = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
    let left = BURST.saturating_sub(ahead);
    usize::try_from(left.as_nanos() / interval.as_nanos().max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    /// Returns the number of messages taken out of `asked`, one by one.
    fn taken(rate: &AddRate, remote: &str, asked: usize) -> usize {
        let remote = remote.parse().unwrap();
        (0..asked).map(|_| rate.take(remote, 1)).sum()
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_may_exceed_the_rate_and_delays_the_next_one() {
        let rate = AddRate::new(NonZeroU32::new(10));
        let remote = "192.0.2.1".parse().unwrap();
        assert!(rate.take_batch(remote, 100));
        assert!(!rate.take_batch(remote, 1));
        tokio::time::advance(Duration::from_secs(9)).await;
        assert!(!rate.take_batch(remote, 1));
        tokio::time::advance(Duration::from_millis(100)).await;
        assert!(rate.take_batch(remote, 1));
        assert_eq!(taken(&rate, "192.0.2.1", 5), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_is_limited_to_its_rate() {
        let rate = AddRate::new(NonZeroU32::new(10));
        assert_eq!(taken(&rate, "192.0.2.1", 50), 10);
        // Another address has its own bucket, shared by its IPv4 and IPv4-mapped forms.
        assert_eq!(taken(&rate, "192.0.2.2", 5), 5);
        assert_eq!(taken(&rate, "::ffff:192.0.2.2", 50), 5);
        tokio::time::advance(Duration::from_millis(300)).await;
        assert_eq!(taken(&rate, "192.0.2.1", 50), 3);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(taken(&rate, "192.0.2.1", 50), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn messages_taken_together_count_like_single_ones() {
        let rate = AddRate::new(NonZeroU32::new(10));
        let remote = "192.0.2.1".parse().unwrap();
        assert_eq!((rate.available(remote), rate.take(remote, 7)), (10, 7));
        assert_eq!((rate.available(remote), rate.take(remote, 7)), (3, 3));
        assert_eq!((rate.available(remote), rate.take(remote, 7)), (0, 0));
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(rate.take(remote, 1000), 5);
        assert_eq!(AddRate::new(None).take(remote, 1000), 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn an_ipv6_network_has_one_bucket() {
        let rate = AddRate::new(NonZeroU32::new(10));
        assert_eq!(taken(&rate, "2001:db8::1", 6), 6);
        assert_eq!(taken(&rate, "2001:db8::ffff:1", 6), 4);
        assert_eq!(taken(&rate, "2001:db8:0:1::1", 6), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_buckets_is_bounded() {
        let rate = AddRate::new(NonZeroU32::new(2));
        assert_eq!(taken(&rate, "192.0.2.1", 3), 2);
        for number in 0..2 * MAX_ADDRESSES as u128 {
            let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | (number << 64));
            assert_eq!(rate.take(address.into(), 1), 1);
        }
        assert_eq!(rate.buckets.lock().unwrap().len(), MAX_ADDRESSES);
        // The emptiest bucket is kept.
        assert_eq!(taken(&rate, "192.0.2.1", 1), 0);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(taken(&rate, "192.0.2.9", 1), 1);
        assert_eq!(rate.buckets.lock().unwrap().len(), 1);
    }
}
