//! The fetch lock: many blocks are fetched from one peer at a time.

use std::time::Duration;

use tokio::time::Instant;

use super::Peers;
use crate::client::NodeAddress;

/// Time without progress after which another peer may take the fetch lock.
const FETCH_LOCK_TIMEOUT: Duration = Duration::from_secs(2);

/// Holder of the fetch lock.
#[derive(Clone, Debug)]
pub(super) struct Fetching {
    /// Peer that sends the blocks.
    pub(super) from: NodeAddress,
    /// Length of its chain.
    pub(super) target: u64,
    /// Arrival time of the last blocks.
    last_progress: Instant,
}

impl Peers {
    /// Takes or renews the fetch lock for a peer. Returns `false` if another peer holds it and
    /// makes progress.
    pub(in crate::node) fn claim_fetch(&self, from: &NodeAddress, target: u64) -> bool {
        let mut inner = self.lock();
        let others = inner.fetching.as_ref().filter(|f| f.from != *from);
        if others.is_some_and(|f| f.last_progress.elapsed() < FETCH_LOCK_TIMEOUT) {
            return false;
        }
        inner.fetching = Some(Fetching {
            from: from.clone(),
            target,
            last_progress: Instant::now(),
        });
        true
    }

    /// Releases the fetch lock of a peer.
    pub(in crate::node) fn end_fetch(&self, from: &NodeAddress) {
        let mut inner = self.lock();
        if inner.fetching.as_ref().is_some_and(|f| f.from == *from) {
            inner.fetching = None;
        }
    }
}
