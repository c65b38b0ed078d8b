//! Neighbours added and removed by the administrator, with every address of a removed one.
//!
//! A neighbour is removed under the address that the administrator names, the addresses that its
//! host names resolve to at that moment, and all known aliases. Addresses are kept across restarts.
//! The id of a node is not, because it is new at each start of that node; while it lasts, it
//! identifies further addresses, which are kept as well.

use std::collections::{BTreeMap, BTreeSet};

use tracing::{info, warn};

use super::{Inner, Peer, Peers};
use crate::client::NodeAddress;
use crate::store::{NeighbourRecord, NeighbourStatus};
use crate::wire::PeerOrigin;

/// Maximum number of addresses kept for one removed neighbour, which can invent new names indefinitely.
pub(super) const MAX_REMOVED_ADDRESSES: usize = 64;

/// The addresses that host names resolve to.
pub(in crate::node) type Resolved = BTreeMap<NodeAddress, Vec<NodeAddress>>;

/// All removed neighbours.
#[derive(Debug, Default)]
pub(super) struct Removals(Vec<Removal>);

/// One removed neighbour.
#[derive(Debug, Default)]
struct Removal {
    addresses: BTreeSet<NodeAddress>,
    node_ids: BTreeSet<String>,
}

impl Removals {
    pub(super) fn from_records(records: &[NeighbourRecord]) -> Self {
        let mut removals = Self::default();
        for record in records {
            if record.status == NeighbourStatus::Removed {
                let addresses = record.address.split(' ');
                let addresses: BTreeSet<_> =
                    addresses.filter_map(NodeAddress::from_record).collect();
                removals.push(Removal {
                    addresses,
                    node_ids: BTreeSet::new(),
                });
            }
        }
        removals
    }

    pub(super) fn records(&self) -> impl Iterator<Item = NeighbourRecord> {
        self.0.iter().map(|removal| {
            let addresses: Vec<_> = removal.addresses.iter().map(ToString::to_string).collect();
            NeighbourRecord {
                address: addresses.join(" "),
                status: NeighbourStatus::Removed,
            }
        })
    }

    pub(super) fn contains(&self, address: &NodeAddress) -> bool {
        self.0
            .iter()
            .any(|removal| removal.addresses.contains(address))
    }

    /// Records another address of the removed neighbour with this id. Returns `false` if there is
    /// none.
    pub(super) fn note_address(&mut self, node_id: &str, address: &NodeAddress) -> bool {
        let mut removals = self.0.iter_mut();
        let removal = removals.find(|removal| removal.node_ids.contains(node_id));
        let is_removed = removal.is_some();
        if let Some(removal) = removal {
            removal.note(address);
        }
        is_removed
    }

    /// Lifts the removal of every neighbour that has one of these addresses.
    pub(super) fn lift(&mut self, addresses: &BTreeSet<NodeAddress>) {
        self.0
            .retain(|removal| removal.addresses.is_disjoint(addresses));
    }

    /// Adds a removal, merged with those that it shares an address with.
    fn push(&mut self, mut removal: Removal) {
        for other in std::mem::take(&mut self.0) {
            if other.addresses.is_disjoint(&removal.addresses) {
                self.0.push(other);
            } else {
                other.addresses.iter().for_each(|one| removal.note(one));
                removal.node_ids.extend(other.node_ids);
            }
        }
        if !removal.addresses.is_empty() {
            self.0.push(removal);
        }
    }
}

impl Removal {
    fn note(&mut self, address: &NodeAddress) {
        if self.addresses.len() < MAX_REMOVED_ADDRESSES {
            self.addresses.insert(address.clone());
        }
    }
}

impl Peers {
    /// Adds a neighbour for the administrator. This lifts the removal of every neighbour with this
    /// address, or with one that it resolves to.
    pub(in crate::node) fn add(&self, address: NodeAddress, resolved: &Resolved) {
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

    /// Removes a neighbour for the administrator under all addresses known to lead to it, including
    /// those that its host names resolve to. Returns `false` if it was not known.
    pub(in crate::node) fn remove(&self, address: &NodeAddress, resolved: &Resolved) -> bool {
        let mut guard = self.lock();
        let inner = &mut *guard;
        let leads_to = |name: &NodeAddress| resolved.get(name).into_iter().flatten();
        let mut named = with_resolved(address, resolved);
        let aliased = named
            .iter()
            .filter_map(|one| inner.aliases.get(one)?.clone());
        for known in aliased.collect::<Vec<_>>() {
            named.extend(leads_to(&known).cloned());
            named.insert(known);
        }
        let is_named = |peer: &&NodeAddress| {
            named.contains(*peer) || leads_to(peer).any(|address| named.contains(address))
        };
        let removed: Vec<_> = inner.peers.keys().filter(is_named).cloned().collect();
        if removed.is_empty() {
            return false;
        }
        let is_alias = |(_, known): &(&NodeAddress, &Option<NodeAddress>)| {
            known.as_ref().is_some_and(|known| removed.contains(known))
        };
        let aliases = inner
            .aliases
            .iter()
            .filter(is_alias)
            .map(|(alias, _)| alias);
        let mut removal = Removal::default();
        for address in named.iter().chain(&removed).chain(aliases) {
            removal.note(address);
        }
        for peer in &removed {
            info!(%peer, "neighbour removed");
            let known = inner.peers.get(peer);
            let node_id = known.and_then(|known| known.node_id.clone());
            removal.node_ids.extend(node_id);
            inner.forget(peer);
        }
        // Ids are not authenticated: a configured peer with the same id must stay.
        let is_claimed = |id: &String| {
            let mut peers = inner.peers.values();
            peers.any(|peer| peer.node_id.as_ref() == Some(id))
        };
        removal.node_ids.retain(|id| !is_claimed(id));
        inner
            .candidates
            .retain(|address, _| !removal.addresses.contains(address));
        inner.removed.push(removal);
        true
    }

    /// Returns `true` if one of these addresses is that of a removed neighbour.
    pub(in crate::node) fn is_removed(&self, addresses: &[NodeAddress]) -> bool {
        let inner = self.lock();
        addresses
            .iter()
            .any(|address| inner.removed.contains(address))
    }

    /// Returns the peers that are known by a host name.
    pub(in crate::node) fn names(&self) -> Vec<NodeAddress> {
        let inner = self.lock();
        let names = inner.peers.keys().filter(|address| address.ip().is_none());
        names.cloned().collect()
    }

    /// Returns `true` if the host name of a peer must be resolved before it is asked, because it
    /// may lead to a removed neighbour. Neighbours added by the administrator are exempt: they were
    /// added after the removals.
    pub(in crate::node) fn may_be_removed(&self, address: &NodeAddress) -> bool {
        let inner = self.lock();
        let peer = inner.peers.get(address);
        address.ip().is_none()
            && !inner.removed.0.is_empty()
            && peer.is_some_and(|peer| !peer.is_added)
    }

    /// Drops a peer whose host name leads to a removed neighbour.
    pub(in crate::node) fn drop_removed(&self, address: &NodeAddress) {
        warn!(peer = %address, "ignoring a host name of a removed neighbour until it is added again");
        self.lock().forget(address);
        self.changed.notify_one();
    }
}

impl Inner {
    /// Drops a peer, and returns `true`, if it was learned and has the id of a removed neighbour.
    pub(super) fn drop_removed_by_id(&mut self, address: &NodeAddress, node_id: &str) -> bool {
        let peer = self.peers.get(address);
        if peer.is_some_and(|peer| peer.origin == PeerOrigin::Configured) {
            return false;
        }
        let is_removed = self.removed.note_address(node_id, address);
        if is_removed {
            info!(peer = %address, "ignoring a removed neighbour under another address");
            self.forget(address);
        }
        is_removed
    }
}

/// Returns an address together with those that it resolves to.
pub(in crate::node) fn with_resolved(
    address: &NodeAddress,
    resolved: &Resolved,
) -> BTreeSet<NodeAddress> {
    let addresses = resolved.get(address).into_iter().flatten();
    addresses.chain([address]).cloned().collect()
}
