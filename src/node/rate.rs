//! Limits how many messages come from one remote address, by clients and by the nodes there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Maximum number of addresses whose messages are counted at a time.
const ADDRESSES: usize = 4096;

/// Messages that may come at once, as the time in which they would come one after the other.
const BURST: Duration = Duration::from_secs(1);

/// Returns the address under which a remote one is counted: an IPv4 address, or the /64 network of
/// an IPv6 address, which is what one customer gets.
pub fn rate_limit_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            Ipv6Addr::from_bits(network).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// A token bucket for each address.
///
/// For each address one moment is kept: when its messages so far are paid for, each with the same
/// share of a second. One that lies ahead by more than [`BURST`] has to wait, and one that has
/// passed means nothing any more.
#[derive(Debug)]
pub struct AddRate {
    share: Option<Duration>,
    paid: Mutex<HashMap<IpAddr, Instant>>,
}

impl AddRate {
    /// At most so many a second; any number without a rate.
    pub fn new(rate: Option<NonZeroU32>) -> Self {
        Self {
            share: rate.map(|rate| BURST / rate.get()),
            paid: Mutex::default(),
        }
    }

    /// Returns how many messages of an address would be taken now.
    pub fn available(&self, address: IpAddr) -> usize {
        let Some(share) = self.share else {
            return usize::MAX;
        };
        let paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let until = paid.get(&rate_limit_key(address)).copied();
        available(share, until, Instant::now())
    }

    /// Takes up to `wanted` messages of an address, and returns how many.
    pub fn take(&self, address: IpAddr, wanted: usize) -> usize {
        let Some(share) = self.share else {
            return wanted;
        };
        let now = Instant::now();
        // Nothing that could panic happens under the lock.
        let mut paid = self.paid.lock().unwrap_or_else(PoisonError::into_inner);
        let address = rate_limit_key(address);
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
        let taken = available(share, Some(*until), now).min(wanted);
        let spent = share.saturating_mul(u32::try_from(taken).unwrap_or(u32::MAX));
        *until = (*until).max(now) + spent;
        taken
    }

    /// Time after which a client or node that was refused may try again.
    pub fn retry_after(&self) -> Duration {
        // So that a node is not asked for its messages one by one.
        self.share.unwrap_or_default().max(BURST / 10)
    }
}

fn available(share: Duration, until: Option<Instant>, now: Instant) -> usize {
    let ahead = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
    let left = BURST.saturating_sub(ahead);
    usize::try_from(left.as_nanos() / share.as_nanos().max(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many are taken one by one.
    fn taken(rate: &AddRate, remote: &str, asked: usize) -> usize {
        let remote = remote.parse().unwrap();
        (0..asked).map(|_| rate.take(remote, 1)).sum()
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
    async fn many_at_once_count_as_many_one_by_one() {
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
    async fn an_ipv6_network_counts_as_one() {
        let rate = AddRate::new(NonZeroU32::new(10));
        assert_eq!(taken(&rate, "2001:db8::1", 6), 6);
        assert_eq!(taken(&rate, "2001:db8::ffff:1", 6), 4);
        assert_eq!(taken(&rate, "2001:db8:0:1::1", 6), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_take_no_more_memory_however_many_there_are() {
        let rate = AddRate::new(NonZeroU32::new(2));
        assert_eq!(taken(&rate, "192.0.2.1", 3), 2);
        for number in 0..2 * ADDRESSES as u128 {
            let address = Ipv6Addr::from_bits((0x2001_0db8 << 96) | (number << 64));
            assert_eq!(rate.take(address.into(), 1), 1);
        }
        assert_eq!(rate.paid.lock().unwrap().len(), ADDRESSES);
        // The one that added most is remembered.
        assert_eq!(taken(&rate, "192.0.2.1", 1), 0);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(taken(&rate, "192.0.2.9", 1), 1);
        assert_eq!(rate.paid.lock().unwrap().len(), 1);
    }
}
