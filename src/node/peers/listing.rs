//! Lists and counts of the peers, for the API, other nodes and the database.

use std::net::IpAddr;

use tokio::time::Instant;

use super::{Peer, Peers};
use crate::client::NodeAddress;
use crate::node::peers::held_back::HeldBack;
use crate::node::settings::ANSWERING_PERIOD;
use crate::store::{NeighbourRecord, NeighbourStatus};
use crate::wire::{Neighbour, PeerKind, PeerOrigin, SyncStatus};

impl Peers {
    /// Returns all peers, configured ones first.
    pub fn list(&self) -> Vec<Neighbour> {
        let inner = self.lock();
        let now = Instant::now();
        let mut listed: Vec<_> = inner
            .peers
            .iter()
            .map(|(address, peer)| describe(address, peer, now))
            .collect();
        listed.sort_by_key(|neighbour| match neighbour.origin {
            PeerOrigin::Configured => 0,
            PeerOrigin::Learned => 1,
            PeerOrigin::Guest => 2,
        });
        listed
    }

    /// Returns the neighbours that are listed to reference miners: IPv4 addresses and host names
    /// that answered recently ([`ANSWERING_PERIOD`]).
    pub fn answering(&self) -> Vec<NodeAddress> {
        let answers = |peer: &Peer| {
            peer.origin != PeerOrigin::Guest
                && peer.failures == 0
                && peer
                    .last_response
                    .is_some_and(|at| at.elapsed() < ANSWERING_PERIOD)
        };
        let inner = self.lock();
        let answering = inner.peers.iter().filter(|(_, peer)| answers(peer));
        let addresses = answering.map(|(address, _)| address.clone());
        addresses.filter(|address| !address.is_ipv6()).collect()
    }

    /// Returns `true` if a peer has this IP address.
    pub(in crate::node) fn has_ip(&self, ip: IpAddr) -> bool {
        let inner = self.lock();
        inner.peers.keys().any(|address| address.ip() == Some(ip))
    }

    /// Returns the number of peers of a kind.
    pub fn count(&self, kind: PeerKind) -> usize {
        let inner = self.lock();
        inner
            .peers
            .values()
            .filter(|peer| peer.kind == kind)
            .count()
    }

    /// Returns the state of the sync with the peers.
    pub fn sync_status(&self) -> SyncStatus {
        let (answering, inner) = (self.answering().len(), self.lock());
        let differs = |(address, peer): (&NodeAddress, &Peer)| {
            let reason = peer.not_followed.as_ref().filter(|_| peer.failures == 0)?;
            Some(format!("{address}: {reason}"))
        };
        SyncStatus {
            neighbours: inner.neighbours(),
            answering,
            fetching_from: inner.fetching.as_ref().map(|f| f.from.to_string()),
            target: inner.fetching.as_ref().map(|f| f.target),
            differences: inner.peers.iter().filter_map(differs).collect(),
        }
    }

    /// Returns the clock offsets of neighbours that answer, in seconds ahead of the local clock.
    pub(in crate::node) fn clock_offsets(&self) -> Vec<f64> {
        let inner = self.lock();
        let answers = |peer: &&Peer| peer.origin != PeerOrigin::Guest && peer.failures == 0;
        let answering = inner.peers.values().filter(answers);
        answering.filter_map(|peer| peer.clock_offset).collect()
    }

    /// Returns the blocks that are held back, with their peers.
    pub(in crate::node) fn held_back(&self) -> Vec<(String, HeldBack)> {
        let inner = self.lock();
        let held_back = |(address, peer): (&NodeAddress, &Peer)| {
            let block = peer.held_back()?;
            Some((address.to_string(), block))
        };
        inner.peers.iter().filter_map(held_back).collect()
    }

    /// Returns the records of the peers to keep in the database.
    pub(in crate::node) fn records(&self) -> Vec<NeighbourRecord> {
        let inner = self.lock();
        let record = |address: &NodeAddress, status| NeighbourRecord {
            address: address.to_string(),
            status,
        };
        let kept = inner.peers.iter().filter_map(|(address, peer)| match peer {
            Peer { is_added: true, .. } => Some(record(address, NeighbourStatus::Added)),
            Peer {
                origin: PeerOrigin::Learned,
                ..
            } => Some(record(address, NeighbourStatus::Learned)),
            _ => None,
        });
        kept.chain(inner.removed.records()).collect()
    }
}

fn describe(address: &NodeAddress, peer: &Peer, now: Instant) -> Neighbour {
    let delay = peer.retry_at.map(|at| at.saturating_duration_since(now));
    Neighbour {
        address: address.to_string(),
        name: peer.name.clone(),
        kind: peer.kind,
        origin: peer.origin,
        tip: peer.tip.clone(),
        last_answer: peer.last_response.map(|at| (now - at).as_secs_f64()),
        failures: peer.failures,
        retry_in: delay.map(|delay| delay.as_secs_f64()),
        refused: peer.reason_not_followed().cloned(),
        network: peer.network.clone(),
        version: peer.version.clone(),
        clock_offset: peer.clock_offset,
        held_back: peer.held_back().map(|block| block.to_string()),
    }
}
