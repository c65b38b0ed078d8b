//! What the administrator changes.

use super::{Peer, Peers};
use crate::client::NodeAddress;
use crate::wire::PeerOrigin;

impl Peers {
    /// Makes a neighbour of an address for the administrator.
    pub fn add(&self, address: NodeAddress) {
        let mut inner = self.lock();
        inner.removed.remove(&address);
        inner.aliases.remove(&address);
        match inner.peers.get_mut(&address) {
            Some(peer) => {
                peer.origin = PeerOrigin::Configured;
                peer.is_added = true;
                if let Some(session) = &peer.session {
                    session.wake.notify_one();
                }
            }
            None => {
                inner.peers.insert(address, Peer::added());
            }
        }
        drop(inner);
        self.changed.notify_one();
    }

    /// Removes a neighbour for the administrator: it stays out until it is added again. Says
    /// whether it was known.
    pub fn remove(&self, address: &NodeAddress) -> bool {
        let mut inner = self.lock();
        let known = inner.peers.contains_key(address);
        if known {
            inner.forget(address);
            inner.removed.insert(address.clone());
        }
        known
    }
}
