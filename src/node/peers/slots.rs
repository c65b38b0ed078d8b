//! Places for learned peers and guests, shared by remote address.
//!
//! Anyone may take a place while one is free. When all are taken, a newcomer takes one from the
//! address that holds the most, if that holds at least two more than the newcomer's own: so one
//! address cannot keep others out, and peers of two addresses do not displace each other in turn.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use tokio::time::Instant;
use tracing::info;

use super::{Candidate, Inner, Peer, Peers};
use crate::client::NodeAddress;
use crate::node::rate::rate_limit_key;
use crate::node::settings::{GUEST_ROTATED, MAX_GUESTS};
use crate::wire::{PeerKind, PeerOrigin};

/// Returns the address under which a peer is counted: that of its host, or one of those that the
/// name of its host leads to. Names that were not looked up count as one.
pub(in crate::node) fn net_group(address: &NodeAddress, found: &[NodeAddress]) -> IpAddr {
    let found = found.iter().filter_map(NodeAddress::ip).min();
    let ip = address.ip().or(found);
    ip.map_or(Ipv6Addr::UNSPECIFIED.into(), rate_limit_key)
}

/// Returns the key that occurs most often, if it occurs at least twice more than that of a
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
    /// Returns `true` if there may be room for another neighbour, from whatever address.
    pub(in crate::node) fn has_room(&self) -> bool {
        let inner = self.lock();
        let keys = inner.peers_of(PeerOrigin::Learned);
        inner.neighbours() < self.max_neighbours
            || most_crowded(keys.map(|(_, peer)| Some(peer.net_group)), &None).is_some()
    }

    /// Returns `true` if there is room for a neighbour counted under this address.
    pub(in crate::node) fn has_room_for(&self, newcomer: IpAddr) -> bool {
        let inner = self.lock();
        inner.neighbours() < self.max_neighbours
            || inner.displaceable(PeerOrigin::Learned, newcomer).is_some()
    }

    /// Returns the address under which a peer's messages are counted; `None` for neighbours that
    /// the user named, whose messages are not.
    pub(in crate::node) fn message_source(&self, address: &NodeAddress) -> Option<IpAddr> {
        let inner = self.lock();
        let Some(peer) = inner.peers.get(address) else {
            return Some(net_group(address, &[]));
        };
        (peer.origin != PeerOrigin::Configured).then_some(peer.net_group)
    }

    /// Takes in a candidate that answered: as a neighbour if it shares this network and there is
    /// room, else as a guest if it asks this node. Says whether it became a neighbour.
    pub(in crate::node) fn introduce(
        &self,
        (address, net_group): (NodeAddress, IpAddr),
        kind: PeerKind,
        heard: Candidate,
        shares_network: bool,
    ) -> bool {
        let mut inner = self.lock();
        if inner.removed.contains(&address) {
            return false;
        }
        if let Some(known) = inner.peers.get_mut(&address) {
            // It asked again while it was being dialled.
            if let Candidate::Asked(announcement) = heard
                && known.note_request(announcement)
                && let Some(session) = &known.session
            {
                session.wake.notify_one();
            }
            return false;
        }
        let has_place = |inner: &mut Inner, origin| {
            let has_room = match origin {
                PeerOrigin::Guest => inner.peers_of(origin).count() < MAX_GUESTS,
                _ => inner.neighbours() < self.max_neighbours,
            };
            has_room || inner.displace(origin, net_group)
        };
        let origin = if shares_network && has_place(&mut inner, PeerOrigin::Learned) {
            PeerOrigin::Learned
        } else if heard != Candidate::Suggested && has_place(&mut inner, PeerOrigin::Guest) {
            PeerOrigin::Guest
        } else {
            return false;
        };
        let mut peer = Peer::new(origin);
        (peer.kind, peer.net_group) = (kind, net_group);
        if let Candidate::Asked(announcement) = heard {
            peer.announcement = announcement;
        }
        peer.last_answer = Some(Instant::now());
        inner.peers.insert(address, peer);
        drop(inner);
        self.changed.notify_one();
        origin == PeerOrigin::Learned
    }
}

impl Inner {
    /// Returns the peer that gives its place to a newcomer: of those of the most crowded address one
    /// that fails, else the one that came last, so that those known for long stay.
    pub(super) fn displaceable(
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
        // A guest is asked only when it announces something, so one that is silent loses least.
        let silent = holders().max_by_key(|(_, peer)| peer.silence())?;
        let is_rotated = origin == PeerOrigin::Guest && silent.1.silence() > GUEST_ROTATED;
        is_rotated.then_some(silent.0)
    }

    /// Makes a place for a newcomer where all are taken. Returns `false` if nobody gives one.
    pub(super) fn displace(&mut self, origin: PeerOrigin, newcomer: IpAddr) -> bool {
        let Some(address) = self.displaceable(origin, newcomer).cloned() else {
            return false;
        };
        info!(%address, "peer displaced by one of another address");
        self.forget(&address);
        true
    }

    /// Makes room for a candidate told of by this address, where they wait to be dialled. Returns
    /// `false` if there is none.
    pub(super) fn displace_candidate(&mut self, told_by: Option<IpAddr>) -> bool {
        let tellers = self.candidates.values().map(|(_, by)| *by);
        let Some(crowded) = most_crowded(tellers, &told_by) else {
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

    /// Introduces one that asks, and returns how it is known then.
    fn introduce(peers: &Peers, host: &str, port: u16) -> Option<PeerOrigin> {
        let asked = Candidate::Asked(None);
        peers.introduce(at(host, port), PeerKind::Ours, asked, true);
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
    async fn a_newcomer_takes_a_place_of_the_address_that_holds_the_most() {
        use PeerOrigin::{Guest, Learned};
        let peers = Peers::new(&PeerSettings::default(), &[]);
        for port in 1..=40 {
            introduce(&peers, "10.0.0.2", port);
            tokio::time::advance(std::time::Duration::from_millis(1)).await;
        }
        let held = |origin| count(&peers, "10.0.0.2", origin);
        assert_eq!((held(Learned), held(Guest)), (3, MAX_GUESTS));
        assert_eq!(introduce(&peers, "10.0.0.3", 1), Some(Learned));
        assert_eq!((held(Learned), held(Guest)), (2, MAX_GUESTS));
        // The one known for longest stays.
        assert!(peers.with(&at("10.0.0.2", 1).0, |_| ()).is_some());
        // With two places of three another one has no claim to a second, but to one of a guest.
        assert_eq!(introduce(&peers, "10.0.0.3", 2), Some(Guest));
        assert_eq!(introduce(&peers, "10.0.0.4", 1), Some(Learned));
        assert_eq!(introduce(&peers, "10.0.0.5", 1), Some(Guest));
        // The address cannot take them back.
        assert_eq!(introduce(&peers, "10.0.0.2", 50), None);
        assert_eq!(held(Learned), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_guest_makes_way() {
        let peers = Peers::new(
            &PeerSettings {
                max_neighbours: 0,
                ..PeerSettings::default()
            },
            &[],
        );
        for number in 1..=MAX_GUESTS {
            introduce(&peers, &format!("10.0.1.{number}"), 1);
        }
        assert_eq!(introduce(&peers, "10.0.0.1", 1), None);
        tokio::time::advance(GUEST_ROTATED * 2).await;
        peers.answered(&at("10.0.1.1", 1).0);
        assert_eq!(introduce(&peers, "10.0.0.1", 1), Some(PeerOrigin::Guest));
        assert!(peers.with(&at("10.0.1.1", 1).0, |_| ()).is_some());
    }

    #[test]
    fn configured_neighbours_are_never_displaced() {
        let settings = PeerSettings {
            configured: (1..=3).map(|port| at("10.0.0.2", port).0).collect(),
            ..PeerSettings::default()
        };
        let peers = Peers::new(&settings, &[]);
        assert!(!peers.has_room());
        assert_eq!(introduce(&peers, "10.0.0.3", 1), Some(PeerOrigin::Guest));
        assert_eq!(count(&peers, "10.0.0.3", PeerOrigin::Learned), 0);
    }

    #[test]
    fn one_that_names_many_candidates_does_not_keep_others_waiting() {
        let peers = Peers::new(&PeerSettings::default(), &[]);
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
    fn names_that_were_not_looked_up_count_as_one_address() {
        let (name, found) = (at("a.example", 1).0, at("2001:db8::7", 1).0);
        assert_eq!(at("a.example", 1).1, at("b.example", 1).1);
        let key = net_group(&name, &[found]);
        assert_eq!(key, at("2001:db8::1", 9).1);
    }
}
