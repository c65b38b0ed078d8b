//! Neighbours that the administrator adds and removes.

use super::lookup::resolve;
use super::removal::with_resolved;
use super::{Peer, Peers, Resolved};
use crate::client::NodeAddress;
use crate::node::Node;
use crate::store::{NeighbourRecord, Operation, StoreError};
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

impl Node {
    pub(in crate::node) async fn keep_neighbours(
        &self,
        records: Vec<NeighbourRecord>,
    ) -> Result<(), StoreError> {
        let answer = self.submit(|reply| Operation::SetNeighbours(records, reply))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Makes a neighbour of an address, for the administrator; it is on disk when this returns.
    pub async fn add_neighbour(&self, address: NodeAddress) -> Result<(), StoreError> {
        let resolved = resolve(self, vec![address.clone()]).await;
        self.peers.add(address, &resolved);
        self.keep_neighbours(self.peers.records()).await
    }

    /// Removes a neighbour, for the administrator: it stays out until it is added again, also
    /// after a restart and under its other addresses. Returns `false` if it was not known.
    pub async fn remove_neighbour(&self, address: &NodeAddress) -> Result<bool, StoreError> {
        let names = [self.peers.names(), vec![address.clone()]].concat();
        let resolved = resolve(self, names).await;
        let was_known = self.peers.remove(address, &resolved);
        if was_known {
            self.keep_neighbours(self.peers.records()).await?;
        }
        Ok(was_known)
    }
}
