//! The fetch lock: one peer at a time is asked for many blocks.

use tokio::time::Instant;

use super::Peers;
use crate::client::NodeAddress;

/// Blocks that are being fetched.
#[derive(Clone, Debug)]
pub struct Fetching {
    /// From whom.
    pub from: NodeAddress,
    /// Length of its chain.
    pub target: u64,
    /// When the last blocks arrived.
    pub progress: Instant,
}

impl Peers {
    /// Claims the right to fetch many blocks from a peer: one at a time does, unless it gets
    /// nowhere.
    pub(in crate::node) fn claim_fetch(&self, from: &NodeAddress, target: u64) -> bool {
        let mut inner = self.lock();
        let others = inner.fetching.as_ref().filter(|f| f.from != *from);
        if others.is_some_and(|f| f.progress.elapsed().as_secs() < 2) {
            return false;
        }
        inner.fetching = Some(Fetching {
            from: from.clone(),
            target,
            progress: Instant::now(),
        });
        true
    }

    /// Gives that right back.
    pub(in crate::node) fn end_fetch(&self, from: &NodeAddress) {
        let mut inner = self.lock();
        if inner.fetching.as_ref().is_some_and(|f| f.from == *from) {
            inner.fetching = None;
        }
    }
}
