//! What others are told of the peers.

use tokio::time::Instant;

use super::{Peer, Peers};
use crate::client::NodeAddress;
use crate::node::clocks::HeldBack;
use crate::node::settings::ANSWERING;
use crate::store::{NeighbourRecord, NeighbourStatus};
use crate::wire::{Neighbour, PeerKind, PeerOrigin, SyncStatus};

impl Peers {
    /// All of them, the configured ones first.
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

    /// Neighbours that a reference miner may be told of: IPv4 addresses and names that answered
    /// within the last 30 s.
    pub fn answering(&self) -> Vec<NodeAddress> {
        let answers = |peer: &Peer| {
            peer.origin != PeerOrigin::Guest
                && peer.failures == 0
                && peer.last_answer.is_some_and(|at| at.elapsed() < ANSWERING)
        };
        let inner = self.lock();
        let answering = inner.peers.iter().filter(|(_, peer)| answers(peer));
        let addresses = answering.map(|(address, _)| address.clone());
        addresses.filter(|address| !address.is_ipv6()).collect()
    }

    /// How many peers there are of each kind.
    pub fn count(&self, kind: PeerKind) -> usize {
        let inner = self.lock();
        inner
            .peers
            .values()
            .filter(|peer| peer.kind == kind)
            .count()
    }

    /// How the node keeps up with them.
    pub fn sync_status(&self) -> SyncStatus {
        let (answering, inner) = (self.answering().len(), self.lock());
        let differs = |(address, peer): (&NodeAddress, &Peer)| {
            let refused = peer.refused.as_ref().filter(|_| peer.failures == 0)?;
            Some(format!("{address} {refused}"))
        };
        SyncStatus {
            neighbours: inner.neighbours(),
            answering,
            fetching_from: inner.fetching.as_ref().map(|f| f.from.to_string()),
            target: inner.fetching.as_ref().map(|f| f.target),
            differences: inner.peers.iter().filter_map(differs).collect(),
        }
    }

    /// Seconds that the clocks of neighbours that answer are ahead of the local one.
    pub(in crate::node) fn clock_offsets(&self) -> Vec<f64> {
        let inner = self.lock();
        let answer = |peer: &&Peer| peer.origin != PeerOrigin::Guest && peer.failures == 0;
        let answering = inner.peers.values().filter(answer);
        answering.filter_map(|peer| peer.clock_offset).collect()
    }

    /// Peers of which a block is held back, and which block.
    pub(in crate::node) fn held_back(&self) -> Vec<(String, HeldBack)> {
        let inner = self.lock();
        let held_back = |(address, peer): (&NodeAddress, &Peer)| {
            let block = peer.held_back()?;
            Some((address.to_string(), block))
        };
        inner.peers.iter().filter_map(held_back).collect()
    }

    /// Those to keep in the database.
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
    let wait = peer.retry_at.map(|at| at.saturating_duration_since(now));
    Neighbour {
        address: address.to_string(),
        kind: peer.kind,
        origin: peer.origin,
        tip: peer.tip.clone(),
        last_answer: peer.last_answer.map(|at| (now - at).as_secs_f64()),
        failures: peer.failures,
        retry_in: wait.map(|wait| wait.as_secs_f64()),
        refused: peer.refused.clone(),
        network: peer.network.clone(),
        version: peer.version.clone(),
        clock_offset: peer.clock_offset,
        held_back: peer.held_back().map(|block| block.to_string()),
    }
}
