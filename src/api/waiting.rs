//! How many requests for long answers wait for their turn, and how many of one address: so they
//! take neither all connections nor each other's turns.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::guard::payer;
use super::reject::ApiError;

/// Most that wait.
const WAITING: usize = 64;

/// Most of one address that wait.
const SHARE: usize = 8;

/// Who waits for long answers, by address.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Mutex<HashMap<IpAddr, usize>>);

/// The right to wait for one answer.
#[derive(Debug)]
pub(crate) struct Slot {
    waiting: Arc<Waiting>,
    address: IpAddr,
}

impl Waiting {
    /// One more that waits, or 503.
    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Slot, ApiError> {
        let address = payer(address);
        let mut counts = self.counts();
        if counts.values().sum::<usize>() >= WAITING {
            let message = "too many long answers are waited for";
            return Err(ApiError::unavailable(message));
        }
        let count = counts.entry(address).or_default();
        if *count >= SHARE {
            let message = "too many long answers are waited for from this address";
            return Err(ApiError::unavailable(message));
        }
        *count += 1;
        Ok(Slot {
            waiting: Arc::clone(self),
            address,
        })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // Nothing that could panic happens under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.waiting.counts();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enter(waiting: &Arc<Waiting>, address: u8, count: usize) -> Vec<Slot> {
        let enter = |_| waiting.enter([192, 0, 2, address].into()).ok();
        (0..count).filter_map(enter).collect()
    }

    #[test]
    fn an_address_takes_its_share_and_all_together_no_more_than_all() {
        let waiting = Arc::default();
        let mut first = enter(&waiting, 1, 100);
        assert_eq!(first.len(), SHARE);
        assert_eq!(enter(&waiting, 2, 3).len(), 3, "another one has its own");
        drop(first.pop());
        assert_eq!(enter(&waiting, 1, 3).len(), 1);
        let all: Vec<_> = (2..100).flat_map(|n| enter(&waiting, n, 2)).collect();
        assert_eq!(all.len() + first.len(), WAITING);
        drop((first, all));
        assert!(waiting.counts().is_empty());
    }
}
