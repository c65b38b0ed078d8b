//! Slots for learned peers and guests, shared by network group.
//!
//! A network group is an IPv4 address or the /64 network of an IPv6 address ([`network_group`]). A
//! newcomer gets any free slot. When all are used, it takes a slot from the group with the most slots,
//! provided that this group holds at least two more than its own. So one group cannot keep others
//! out, and peers of two groups do not evict each other in turn.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use tokio::time::Instant;
use tracing::info;

use super::{Inner, Peer, PeerCandidate, Peers};
use crate::client::NodeAddress;
use crate::netgroup::network_group;
use crate::node::settings::{GUEST_EVICTABLE_AFTER, MAX_GUESTS};
use crate::wire::{PeerKind, PeerOrigin};

/// Returns the network group of a peer: that of its address, or of the lowest address that its host
/// name resolves to. Names that were not resolved share one group.
pub(in crate::node) fn net_group(address: &NodeAddress, found: &[NodeAddress]) -> IpAddr {
    let found = found.iter().filter_map(NodeAddress::ip).min();
    let ip = address.ip().or(found);
    ip.map_or(Ipv6Addr::UNSPECIFIED.into(), network_group)
}

/// Returns the key that occurs most often, if it occurs at least two more times than that of the
/// newcomer.
pub(super) fn most_crowded<K: Ord>(keys: impl Iterator<Item = K>, newcomer: &K) -> Option<K> {
    let mut counts = BTreeMap::new();
    for key in keys {
        *counts.entry(key).or_insert(0_usize) += 1;
    }
    let own = counts.get(newcomer).copied().unwrap_or_default();
    let (key, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count >= own + 2).then_some(key)
}

impl Peers {
    /// Returns `true` if there may be a slot for another neighbour of any group.
    pub(in crate::node) fn has_room(&self) -> bool {
        let inner = self.lock();
        let keys = inner.peers_of(PeerOrigin::Learned);
        !inner.is_closed
            && (inner.neighbours() < self.max_neighbours
                || most_crowded(keys.map(|(_, peer)| Some(peer.net_group)), &None).is_some())
    }

    /// Returns `true` if there is a slot for a neighbour of this group.
    pub(in crate::node) fn has_room_for(&self, newcomer: IpAddr) -> bool {
        let inner = self.lock();
        inner.neighbours() < self.max_neighbours
            || inner
                .eviction_candidate(PeerOrigin::Learned, newcomer)
                .is_some()
    }

    /// Returns the network group under which a peer's messages are counted; `None` for configured
    /// neighbours, whose messages are not limited.
    pub(in crate::node) fn message_source(&self, address: &NodeAddress) -> Option<IpAddr> {
        let inner = self.lock();
        let Some(peer) = inner.peers.get(address) else {
            return Some(net_group(address, &[]));
        };
        (peer.origin != PeerOrigin::Configured).then_some(peer.net_group)
    }

    /// Admits a candidate that answered: as a neighbour if it shares this network and there is a
    /// slot, otherwise as a guest if it asked this node. Returns `true` if it became a neighbour.
    pub(in crate::node) fn admit(
        &self,
        (address, net_group): (NodeAddress, IpAddr),
        kind: PeerKind,
        candidate: PeerCandidate,
        shares_network: bool,
    ) -> bool {
        let mut inner = self.lock();
        if inner.removed.contains(&address) || inner.is_closed {
            return false;
        }
        if let Some(known) = inner.peers.get_mut(&address) {
            // It sent another request while it was being dialled.
            if let PeerCandidate::Contacted(announcement) = candidate
                && known.note_request(announcement)
                && let Some(session) = &known.session
            {
                session.wake.notify_one();
            }
            return false;
        }
        let has_slot = |inner: &mut Inner, origin| {
            let has_room = match origin {
                PeerOrigin::Guest => inner.peers_of(origin).count() < MAX_GUESTS,
                _ => inner.neighbours() < self.max_neighbours,
            };
            has_room || inner.evict_for(origin, net_group)
        };
        let origin = if shares_network && has_slot(&mut inner, PeerOrigin::Learned) {
            PeerOrigin::Learned
        } else if candidate != PeerCandidate::Named && has_slot(&mut inner, PeerOrigin::Guest) {
            PeerOrigin::Guest
        } else {
            return false;
        };
        let mut peer = Peer::new(origin);
        (peer.kind, peer.net_group) = (kind, net_group);
        if let PeerCandidate::Contacted(announcement) = candidate {
            peer.announcement = announcement;
        }
        peer.last_response = Some(Instant::now());
        inner.peers.insert(address, peer);
        drop(inner);
        self.changed.notify_one();
        origin == PeerOrigin::Learned
    }
}

impl Inner {
    /// Returns the peer to evict for a newcomer: in the most crowded group, one that fails,
    /// otherwise the newest, so that long-known peers stay.
    pub(super) fn eviction_candidate(
        &self,
        origin: PeerOrigin,
        newcomer: IpAddr,
    ) -> Option<&NodeAddress> {
        let holders = || self.peers_of(origin);
        let keys = holders().map(|(_, peer)| peer.net_group);
        if let Some(crowded) = most_crowded(keys, &newcomer) {
            let crowd = holders().filter(|(_, peer)| peer.net_group == crowded);
            let last = crowd.max_by_key(|(_, peer)| (peer.failures > 0, peer.known_since));
            return last.map(|(address, _)| address);
        }
        // Evicting a silent guest does the least harm: a guest is asked only when it announces something.
        let silent = holders().max_by_key(|(_, peer)| peer.silence())?;
        let is_rotated = origin == PeerOrigin::Guest && silent.1.silence() > GUEST_EVICTABLE_AFTER;
        is_rotated.then_some(silent.0)
    }

    /// Evicts a peer for a newcomer. Returns `false` if there is none to evict.
    pub(super) fn evict_for(&mut self, origin: PeerOrigin, newcomer: IpAddr) -> bool {
        let Some(address) = self.eviction_candidate(origin, newcomer).cloned() else {
            return false;
        };
        info!(peer = %address, "peer evicted in favour of another network group");
        self.forget(&address);
        true
    }

    /// Evicts a candidate in favour of one named by this group. Returns `false` if there is none to
    /// evict.
    pub(super) fn evict_candidate(&mut self, named_by: Option<IpAddr>) -> bool {
        let groups = self.candidates.values().map(|(_, by)| *by);
        let Some(crowded) = most_crowded(groups, &named_by) else {
            return false;
        };
        let mut crowd = self.candidates.iter().filter(|(_, (_, by))| *by == crowded);
        let last = crowd.next_back().map(|(address, _)| address.clone());
        last.is_some_and(|address| self.candidates.remove(&address).is_some())
    }

    fn peers_of(&self, origin: PeerOrigin) -> impl Iterator<Item = (&NodeAddress, &Peer)> {
        self.peers
            .iter()
            .filter(move |(_, peer)| peer.origin == origin)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{PeerAnnouncement, PeerSettings};
    use super::*;

    fn at(host: &str, port: u16) -> (NodeAddress, IpAddr) {
        let address = NodeAddress::new(host, port).unwrap();
        let key = net_group(&address, &[]);
        (address, key)
    }

    /// Admits a node that sent a request, and returns its origin.
    fn admit(peers: &Peers, host: &str, port: u16) -> Option<PeerOrigin> {
        let asked = PeerCandidate::Contacted(None);
        peers.admit(at(host, port), PeerKind::Ours, asked, true);
        peers.with(&at(host, port).0, |peer| peer.origin)
    }

    fn count(peers: &Peers, host: &str, origin: PeerOrigin) -> usize {
        let key = at(host, 1).1;
        let inner = peers.lock();
        let of_host = inner
            .peers_of(origin)
            .filter(|(_, peer)| peer.net_group == key);
        of_host.count()
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_gets_a_slot_of_the_most_crowded_group() {
        use PeerOrigin::{Guest, Learned};
        let peers = Peers::new(&PeerSettings::default(), &[], false);
        for port in 1..=40 {
            admit(&peers, "10.0.0.2", port);
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
        }
        let held = |origin| count(&peers, "10.0.0.2", origin);
        assert_eq!((held(Learned), held(Guest)), (3, MAX_GUESTS));
        assert_eq!(admit(&peers, "10.0.0.3", 1), Some(Learned));
        assert_eq!((held(Learned), held(Guest)), (2, MAX_GUESTS));
        // The longest-known peer stays.
        assert!(peers.with(&at("10.0.0.2", 1).0, |_| ()).is_some());
        // A group with one of three slots gets no second one from a group with two, only a guest
        // slot.
        assert_eq!(admit(&peers, "10.0.0.3", 2), Some(Guest));
        assert_eq!(admit(&peers, "10.0.0.4", 1), Some(Learned));
        assert_eq!(admit(&peers, "10.0.0.5", 1), Some(Guest));
        // The first group cannot take them back.
        assert_eq!(admit(&peers, "10.0.0.2", 50), None);
        assert_eq!(held(Learned), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_guest_is_evicted() {
        let peers = Peers::new(
            &PeerSettings {
                max_neighbours: 0,
                ..PeerSettings::default()
            },
            &[],
            false,
        );
        for number in 1..=MAX_GUESTS {
            admit(&peers, &format!("10.0.1.{number}"), 1);
        }
        assert_eq!(admit(&peers, "10.0.0.1", 1), None);
        tokio::time::advance(GUEST_EVICTABLE_AFTER * 2).await;
        peers.responded(&at("10.0.1.1", 1).0);
        assert_eq!(admit(&peers, "10.0.0.1", 1), Some(PeerOrigin::Guest));
        assert!(peers.with(&at("10.0.1.1", 1).0, |_| ()).is_some());
    }

    #[test]
    fn configured_neighbours_are_never_evicted() {
        let settings = PeerSettings {
            configured: (1..=3).map(|port| at("10.0.0.2", port).0).collect(),
            ..PeerSettings::default()
        };
        let peers = Peers::new(&settings, &[], false);
        assert!(!peers.has_room());
        assert_eq!(admit(&peers, "10.0.0.3", 1), Some(PeerOrigin::Guest));
        assert_eq!(count(&peers, "10.0.0.3", PeerOrigin::Learned), 0);
    }

    #[test]
    fn naming_many_candidates_does_not_delay_others() {
        let peers = Peers::new(&PeerSettings::default(), &[], false);
        let announcement = PeerAnnouncement {
            tip: String::new(),
            length: 1,
            mempool_seq: 0,
        };
        for port in 1..1000 {
            peers.note_request(
                [10, 0, 0, 2].into(),
                &format!(":{port}"),
                Some(announcement.clone()),
            );
        }
        peers.note_request([10, 0, 0, 3].into(), ":1", Some(announcement));
        let first = peers.take_candidate().unwrap();
        assert_eq!(first.0, at("10.0.0.3", 1).0);
    }

    #[test]
    fn unresolved_names_share_one_group() {
        let (name, found) = (at("a.example", 1).0, at("2001:db8::7", 1).0);
        assert_eq!(at("a.example", 1).1, at("b.example", 1).1);
        let key = net_group(&name, &[found]);
        assert_eq!(key, at("2001:db8::1", 9).1);
    }
}
