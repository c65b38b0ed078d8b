//! The known peers and their state.
//!
//! A peer has one of three origins: *configured* peers are named by the user and retried
//! indefinitely; *learned* peers come from others, up to the maximum number of neighbours, and are
//! kept in the database; *guests* contacted this node when all neighbour slots were used, and are
//! asked only when they announce something.
//! Nothing here sends a request: sessions ([`super::sync`]) and discovery ([`super::discovery`])
//! do, and record the results here. A closed node has configured peers only.

mod fetch;
pub(super) mod held_back;
mod listing;
pub(super) mod lookup;
mod origin;
mod peer;
mod removal;
mod slots;
mod startup;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;
use tracing::{info, warn};

use super::settings::{GUEST_TIMEOUT, MAX_CANDIDATES, PeerSettings};
use crate::client::NodeAddress;
use crate::netgroup::network_group;
use crate::store::{NeighbourRecord, NeighbourStatus};
use crate::wire::{PeerKind, PeerOrigin};

use fetch::Fetching;
pub use origin::ListenScope;
pub use peer::PeerAnnouncement;
pub(super) use peer::{Peer, PeerCandidate, SessionHandle};
use removal::Removals;
pub(super) use removal::{Resolved, with_resolved};
pub(super) use slots::net_group;

/// Maximum number of aliases: other names of known peers or of this node.
const MAX_ALIASES: usize = 256;

/// The known peers.
#[derive(Debug)]
pub struct Peers {
    inner: Mutex<Inner>,
    /// Notified when peers come or go.
    pub(super) changed: Notify,
    /// Notified when there are candidates to dial.
    pub(super) candidates_changed: Notify,
    max_neighbours: usize,
    started: Instant,
}

#[derive(Debug)]
struct Inner {
    peers: BTreeMap<NodeAddress, Peer>,
    /// Aliases of known peers, and of this node (`None`).
    aliases: BTreeMap<NodeAddress, Option<NodeAddress>>,
    removed: Removals,
    /// Each with the network group that named it; `None` if a neighbour did.
    candidates: BTreeMap<NodeAddress, (PeerCandidate, Option<IpAddr>)>,
    listen_scope: ListenScope,
    fetching: Option<Fetching>,
    /// Nobody becomes a peer but the neighbours that the administrator names.
    is_closed: bool,
}

impl Peers {
    /// Creates the peers from the configured neighbours and those kept from earlier runs.
    pub(super) fn new(settings: &PeerSettings, kept: &[NeighbourRecord], is_closed: bool) -> Self {
        let removed = Removals::from_records(kept);
        let of = |status| {
            let kept = kept.iter().filter(move |record| record.status == status);
            kept.filter_map(|record| NodeAddress::from_record(&record.address))
                .filter(|address| !removed.contains(address))
        };
        let mut peers = BTreeMap::new();
        for address in &settings.configured {
            if removed.contains(address) {
                warn!(
                    peer = %address,
                    "ignoring a configured neighbour that was removed, until it is added again"
                );
            } else {
                peers.insert(address.clone(), Peer::new(PeerOrigin::Configured));
            }
        }
        for address in of(NeighbourStatus::Added) {
            peers.entry(address).or_insert_with(Peer::added);
        }
        for address in of(NeighbourStatus::Learned) {
            if peers.len() < settings.max_neighbours && !is_closed {
                peers
                    .entry(address)
                    .or_insert_with_key(|address| Peer::learned(net_group(address, &[])));
            }
        }
        Self {
            inner: Mutex::new(Inner {
                peers,
                aliases: BTreeMap::new(),
                removed,
                candidates: BTreeMap::new(),
                listen_scope: ListenScope::default(),
                fetching: None,
                is_closed,
            }),
            changed: Notify::new(),
            candidates_changed: Notify::new(),
            max_neighbours: settings.max_neighbours,
            started: Instant::now(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No panic can interrupt a change under the lock, so a poisoned one holds valid data.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the listen scope, which decides which addresses may be learned.
    pub fn set_listen_scope(&self, scope: ListenScope) {
        self.lock().listen_scope = scope;
    }

    /// Marks configured neighbours as added by the administrator, so that they are kept across
    /// restarts.
    pub fn keep(&self, addresses: &[NodeAddress]) {
        let mut inner = self.lock();
        for address in addresses {
            if let Some(peer) = inner.peers.get_mut(address) {
                peer.is_added = true;
            }
        }
    }

    /// Creates a session handle for each peer that has none.
    pub(super) fn without_session(&self) -> Vec<(NodeAddress, SessionHandle)> {
        let mut started = Vec::new();
        for (address, peer) in &mut self.lock().peers {
            if peer.session.is_none() {
                let session = SessionHandle::default();
                peer.session = Some(session.clone());
                started.push((address.clone(), session));
            }
        }
        started
    }

    /// Notifies all sessions of a commit, in the order of addresses, so that simulated runs are
    /// repeatable.
    pub(super) fn note_commit(&self) {
        let inner = self.lock();
        let sessions = inner
            .peers
            .values()
            .filter_map(|peer| peer.session.as_ref());
        sessions.for_each(|session| session.committed.notify_one());
    }

    /// Runs `work` on a peer; returns `None` if it is no longer known.
    pub(super) fn with<T>(
        &self,
        address: &NodeAddress,
        work: impl FnOnce(&mut Peer) -> T,
    ) -> Option<T> {
        self.lock().peers.get_mut(address).map(work)
    }

    /// Records that a peer answered.
    pub(super) fn responded(&self, address: &NodeAddress) {
        self.with(address, Peer::responded);
    }

    /// Records a failed round with a peer. A learned peer that has been silent for long is dropped.
    pub(super) fn failed(&self, address: &NodeAddress, why: String, misbehaved: bool) {
        let mut inner = self.lock();
        let Some(peer) = inner.peers.get_mut(address) else {
            return;
        };
        peer.failed(why, misbehaved);
        if peer.is_lost() {
            info!(peer = %address, "peer dropped");
            inner.forget(address);
            drop(inner);
            self.changed.notify_one();
        }
    }

    /// Returns the time of the next retry of a peer; `None` if it may be asked at once.
    pub(super) fn retry_at(&self, address: &NodeAddress) -> Option<Instant> {
        self.with(address, |peer| peer.retry_at)?
    }

    /// Drops guests that have been silent for long.
    pub(super) fn forget_silent_guests(&self) {
        let mut inner = self.lock();
        let is_silent =
            |peer: &Peer| peer.origin == PeerOrigin::Guest && peer.silence() > GUEST_TIMEOUT;
        let silent: Vec<_> = inner
            .peers
            .iter()
            .filter(|(_, peer)| is_silent(peer))
            .map(|(address, _)| address.clone())
            .collect();
        for address in silent {
            inner.forget(&address);
        }
    }

    /// Records the node id of a peer. Returns `false`, and drops the peer, if it is this node, a
    /// removed neighbour, or a peer that is known by another name.
    pub(super) fn identified(&self, address: &NodeAddress, own_id: &str, id: &str) -> bool {
        let mut inner = self.lock();
        if id == own_id {
            info!(peer = %address, "ignoring the node's own address");
            inner.forget(address);
            inner.note_alias(address.clone(), None);
            return false;
        }
        if inner.drop_removed_by_id(address, id) {
            drop(inner);
            self.changed.notify_one();
            return false;
        }
        let same = |(_, peer): &(&NodeAddress, &Peer)| peer.node_id.as_deref() == Some(id);
        let other = inner.peers.iter().filter(same).map(|(name, _)| name);
        if let Some(other) = other.filter(|name| *name != address).min().cloned() {
            let configured = |name| {
                let peer: Option<&Peer> = inner.peers.get(name);
                peer.is_some_and(|peer| peer.origin == PeerOrigin::Configured)
            };
            // Ids are not authenticated, so a peer cannot replace a configured one.
            let dropped = match (configured(address), configured(&other)) {
                (true, true) => None,
                (true, false) => Some((other, address.clone())),
                (false, _) => Some((address.clone(), other)),
            };
            if let Some((dropped, kept)) = dropped {
                inner.forget(&dropped);
                let is_this = dropped == *address;
                inner.note_alias(dropped, Some(kept));
                if is_this {
                    return false;
                }
            }
        }
        if let Some(peer) = inner.peers.get_mut(address) {
            peer.kind = PeerKind::Ours;
            peer.node_id = Some(id.to_owned());
        }
        true
    }

    /// Records a request by a node that states its own address, with its announcement if it sent
    /// one.
    pub fn note_request(&self, from: IpAddr, stated: &str, announcement: Option<PeerAnnouncement>) {
        let Some(address) = origin::address(from, stated) else {
            return;
        };
        let mut inner = self.lock();
        let address = match inner.aliases.get(&address) {
            Some(None) => return,
            Some(Some(known)) => known.clone(),
            None => address,
        };
        if let Some(peer) = inner.peers.get_mut(&address) {
            if peer.note_request(announcement)
                && let Some(session) = &peer.session
            {
                session.wake.notify_one();
            }
            return;
        }
        let named_by = Some(network_group(from));
        let is_welcome = !inner.is_closed
            && !inner.removed.contains(&address)
            && inner.listen_scope.allows(&address)
            && (inner.candidates.len() < MAX_CANDIDATES || inner.evict_candidate(named_by));
        if is_welcome {
            let candidate = inner.candidates.entry(address);
            let (candidate, by) = candidate.or_insert((PeerCandidate::Named, None));
            // A later request without an announcement does not discard an earlier one.
            if announcement.is_some() || *candidate == PeerCandidate::Named {
                (*candidate, *by) = (PeerCandidate::Contacted(announcement), named_by);
            }
            drop(inner);
            self.candidates_changed.notify_one();
        }
    }

    /// Records an address that a neighbour named.
    pub(super) fn suggested(&self, address: NodeAddress) {
        let mut inner = self.lock();
        let is_new = !inner.peers.contains_key(&address) && !inner.aliases.contains_key(&address);
        let is_welcome = is_new
            && !inner.is_closed
            && !inner.removed.contains(&address)
            && inner.listen_scope.allows(&address)
            && inner.candidates.len() < MAX_CANDIDATES / 2;
        if is_welcome {
            let candidate = inner.candidates.entry(address);
            candidate.or_insert((PeerCandidate::Named, None));
            drop(inner);
            self.candidates_changed.notify_one();
        }
    }

    /// Returns the next address to dial for the first time. Nodes that asked this node come before
    /// those that others named, and network groups with few candidates before those with many, so
    /// that naming many candidates does not delay others.
    pub(super) fn take_candidate(&self) -> Option<(NodeAddress, PeerCandidate)> {
        let mut inner = self.lock();
        let groups = || inner.candidates.values().map(|(_, named_by)| *named_by);
        let count = |by: Option<IpAddr>| groups().filter(|other| *other == by).count();
        let first = inner
            .candidates
            .iter()
            .min_by_key(|(_, (candidate, by))| (*candidate == PeerCandidate::Named, count(*by)));
        let address = first?.0.clone();
        let (candidate, _) = inner.candidates.remove(&address)?;
        Some((address, candidate))
    }

    /// Returns `true` if this node itself has answered at the address.
    pub(super) fn is_own_alias(&self, address: &NodeAddress) -> bool {
        self.lock().aliases.get(address) == Some(&None)
    }

    /// Returns the neighbours that can be asked for other nodes.
    pub(super) fn gossip_targets(&self) -> Vec<(NodeAddress, PeerKind)> {
        let inner = self.lock();
        let answers = |(_, peer): &(&NodeAddress, &Peer)| {
            peer.failures == 0 && peer.origin != PeerOrigin::Guest
        };
        let asked = inner.peers.iter().filter(answers);
        asked
            .map(|(address, peer)| (address.clone(), peer.kind))
            .collect()
    }

    /// Returns the listen scope.
    pub(super) fn listen_scope(&self) -> ListenScope {
        self.lock().listen_scope.clone()
    }
}

impl Inner {
    fn forget(&mut self, address: &NodeAddress) {
        let session = self.peers.remove(address).and_then(|peer| peer.session);
        if let Some(session) = session {
            session.end.cancel();
        }
        self.fetching = self.fetching.take().filter(|f| f.from != *address);
        self.aliases
            .retain(|_, known| known.as_ref() != Some(address));
    }

    fn note_alias(&mut self, address: NodeAddress, known: Option<NodeAddress>) {
        // A forgotten alias is only dialled again when it is named again.
        if self.aliases.len() < MAX_ALIASES {
            self.aliases.insert(address, known);
        }
    }

    fn neighbours(&self) -> usize {
        let is_neighbour = |peer: &&Peer| peer.origin != PeerOrigin::Guest;
        self.peers.values().filter(is_neighbour).count()
    }
}
