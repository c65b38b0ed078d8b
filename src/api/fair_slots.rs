//! Slots that clients share by remote address, so that one address never holds all of them.
//!
//! A new address gets a slot as long as one is free. Beyond its first, an address may hold as many
//! slots as it leaves free ([`LOCAL_WEIGHT`] times as many on this machine). A single address thus
//! gets half of the slots, and every further address that takes all it can gets half of the rest.
//! Switches share their buffers in the same way:
//! Choudhury and Hahne, "Dynamic queue length thresholds", 1998.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use super::admin::Caller;
use crate::netgroup::network_group;

/// Number of slots that a local client may hold for each one it leaves free. The explorer is such a
/// client, and all its users share its address.
const LOCAL_WEIGHT: usize = 3;

/// A pool of slots, shared by remote address. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct FairSlots {
    total: usize,
    /// Name of the things that occupy the slots, in the plural.
    noun: &'static str,
    held: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One slot. Dropping it releases the slot.
#[derive(Debug)]
pub(crate) struct FairSlot {
    slots: FairSlots,
    address: IpAddr,
}

/// Error of [`FairSlots::acquire`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum NoSlot {
    /// No slot is free.
    #[error("too many {0} are in progress")]
    Full(&'static str),
    /// The free slots are reserved for other addresses.
    #[error("this address has reached its share of the {0} that may be in progress")]
    Share(&'static str),
}

impl FairSlots {
    /// Creates `total` slots for `noun`.
    pub(crate) fn new(total: usize, noun: &'static str) -> Self {
        Self {
            total,
            noun,
            held: Arc::default(),
        }
    }

    /// Acquires a slot for an address.
    ///
    /// # Errors
    /// [`NoSlot`] if none is free, or the address has reached its share.
    pub(crate) fn acquire(&self, caller: &Caller) -> Result<FairSlot, NoSlot> {
        let address = network_group(caller.remote.ip());
        let weight = if caller.is_local() { LOCAL_WEIGHT } else { 1 };
        let mut held = self.lock();
        let free = self.total.saturating_sub(held.values().sum());
        let count = held.get(&address).copied().unwrap_or_default();
        if free == 0 {
            return Err(NoSlot::Full(self.noun));
        }
        if count > 0 && count + 1 > weight * (free - 1) {
            return Err(NoSlot::Share(self.noun));
        }
        held.insert(address, count + 1);
        Ok(FairSlot {
            slots: self.clone(),
            address,
        })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        // No code panics while it holds the lock.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for FairSlot {
    fn drop(&mut self) {
        let mut held = self.slots.lock();
        if let Some(count) = held.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use warp::http::{HeaderMap, HeaderValue};

    use super::*;

    fn caller(remote: &str) -> Caller {
        let remote = (remote.parse::<IpAddr>().unwrap(), 1).into();
        Caller::new(remote, &HeaderMap::new(), None)
    }

    /// Acquires as many slots as possible.
    fn all(slots: &FairSlots, caller: &Caller) -> Vec<FairSlot> {
        std::iter::from_fn(|| slots.acquire(caller).ok()).collect()
    }

    #[test]
    fn each_address_takes_half_of_what_is_left() {
        let slots = FairSlots::new(16, "things");
        let mut held: Vec<_> = (1..=5)
            .map(|number| all(&slots, &caller(&format!("192.0.2.{number}"))))
            .collect();
        let counts: Vec<_> = held.iter().map(Vec::len).collect();
        assert_eq!(counts, [8, 4, 2, 1, 1]);
        let full = slots.acquire(&caller("192.0.2.9")).unwrap_err();
        assert_eq!(full.to_string(), "too many things are in progress");
        held[0].pop();
        let share = slots.acquire(&caller("192.0.2.1")).unwrap_err();
        let text = "this address has reached its share of the things that may be in progress";
        assert_eq!(share.to_string(), text);
        assert_eq!(all(&slots, &caller("192.0.2.9")).len(), 1);
        drop(held);
        assert!(slots.lock().is_empty());
        assert_eq!(all(&slots, &caller("192.0.2.1")).len(), 8);
    }

    #[test]
    fn a_local_client_gets_more_and_still_leaves_some() {
        for (total, expected) in [(1, 1), (2, 1), (3, 2), (16, 12), (64, 48)] {
            let slots = FairSlots::new(total, "things");
            let held = all(&slots, &caller("127.0.0.1"));
            assert_eq!(held.len(), expected, "of {total}");
            assert!(total == 1 || slots.acquire(&caller("192.0.2.1")).is_ok());
        }
    }

    #[test]
    fn clients_of_a_proxy_and_of_an_ipv6_network_share_one_address() {
        let slots = FairSlots::new(16, "things");
        let forwarded = (
            "x-forwarded-for".parse().unwrap(),
            HeaderValue::from_static("a"),
        );
        let headers = HeaderMap::from_iter([forwarded]);
        let proxy = Caller::new(([127, 0, 0, 1], 1).into(), &headers, None);
        assert_eq!(all(&slots, &proxy).len(), 8);
        let slots = FairSlots::new(16, "things");
        let first = all(&slots, &caller("2001:db8::1"));
        assert_eq!(first.len(), 8);
        assert!(slots.acquire(&caller("2001:db8::2")).is_err());
        assert_eq!(all(&slots, &caller("2001:db8:0:1::1")).len(), 4);
    }
}
