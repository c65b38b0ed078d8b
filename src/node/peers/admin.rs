//! What the administrator changes.

use super::removal::with_resolved;
use super::{Peer, Peers, Resolved};
use crate::client::NodeAddress;
use crate::wire::PeerOrigin;

impl Peers {
    /// Makes a neighbour of an address for the administrator. This lifts the removal of every
    /// neighbour that has the address, or one that it resolves to.
    pub fn add(&self, address: NodeAddress, resolved: &Resolved) {
        let mut inner = self.lock();
        inner.removed.lift(&with_resolved(&address, resolved));
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
}
