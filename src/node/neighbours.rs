//! Adds and removes neighbours for the administrator, and tells who is one.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::Node;
use super::peers::lookup::{resolve, resolve_names};
use super::peers::{Peers, with_resolved};
use super::settings::PeerSettings;
use crate::client::NodeAddress;
use crate::store::{NeighbourRecord, Operation, StoreError};

/// Time for which the addresses of neighbours with host names are remembered.
const LOOKUP_PERIOD: Duration = Duration::from_secs(30);

/// The addresses of the neighbours with host names, and the time of their lookup.
#[derive(Debug, Default)]
pub(super) struct NeighbourIps {
    names: Vec<NodeAddress>,
    ips: BTreeSet<IpAddr>,
    at: Option<Instant>,
}

/// A change of the neighbours by the administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Follow a neighbour.
    Add,
    /// Ignore a neighbour until it is added again.
    Remove,
}

/// Applies a change to the kept neighbours of a stopped node, also to a neighbour that only the
/// options of a later run name. Returns `None` if it is removed already.
pub async fn change_kept(
    kept: &[NeighbourRecord],
    change: Change,
    address: &NodeAddress,
) -> Option<Vec<NeighbourRecord>> {
    let settings = PeerSettings {
        max_neighbours: usize::MAX,
        ..PeerSettings::default()
    };
    let peers = Peers::new(&settings, kept, false);
    let names = [peers.names(), vec![address.clone()]].concat();
    let resolved = resolve_names(names).await;
    let addresses: Vec<_> = with_resolved(address, &resolved).into_iter().collect();
    if change == Change::Remove && peers.is_removed(&addresses) {
        return None;
    }
    peers.add(address.clone(), &resolved);
    if change == Change::Remove {
        peers.remove(address, &resolved);
    }
    Some(peers.records())
}

impl Node {
    /// Stores the neighbours to keep across restarts.
    pub(super) async fn keep_neighbours(
        &self,
        records: Vec<NeighbourRecord>,
    ) -> Result<(), StoreError> {
        let answer = self.submit(|reply| Operation::SetNeighbours(records, reply))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Adds a neighbour for the administrator; it is on disk when this returns. Returns `false` if
    /// the address is one of this node itself, which is not added.
    pub async fn add_neighbour(&self, address: NodeAddress) -> Result<bool, StoreError> {
        let resolved = resolve(self, vec![address.clone()]).await;
        let leads_to: Vec<_> = with_resolved(&address, &resolved).into_iter().collect();
        if self.is_own_address(&leads_to) || self.peers.is_own_alias(&address) {
            return Ok(false);
        }
        self.peers.add(address, &resolved);
        self.keep_neighbours(self.peers.records()).await?;
        Ok(true)
    }

    /// Removes a neighbour for the administrator. It is ignored under all its addresses, also after
    /// a restart, until it is added again. Returns `false` if it was not known.
    pub async fn remove_neighbour(&self, address: &NodeAddress) -> Result<bool, StoreError> {
        let names = [self.peers.names(), vec![address.clone()]].concat();
        let resolved = resolve(self, names).await;
        let was_known = self.peers.remove(address, &resolved);
        if was_known {
            self.keep_neighbours(self.peers.records()).await?;
        }
        Ok(was_known)
    }

    /// Stores the profile if it has changed.
    pub async fn keep_profile(&self) -> Result<(), StoreError> {
        let record = self.profile.record().clone();
        if self.view()?.profile()? == record {
            return Ok(());
        }
        let done = self.submit(|reply| Operation::SetProfile(record, reply))?;
        done.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Returns `true` if a node at this address may announce something: a closed node listens to
    /// the addresses of its named neighbours only, including those of their host names.
    pub(crate) async fn may_announce(&self, from: IpAddr, is_forwarded: bool) -> bool {
        if !self.profile.is_closed() {
            return true;
        }
        let from = from.to_canonical();
        if is_forwarded {
            return false;
        }
        if self.peers.has_ip(from) {
            return true;
        }
        let names = self.peers.names();
        if names.is_empty() {
            return false;
        }
        let mut known = self.neighbour_ips.lock().await;
        let is_recent = known.at.is_some_and(|at| at.elapsed() < LOOKUP_PERIOD);
        if !is_recent || known.names != names {
            let resolved = resolve(self, names.clone()).await;
            let ips = resolved.values().flatten().filter_map(NodeAddress::ip);
            *known = NeighbourIps {
                ips: ips.collect(),
                names,
                at: Some(Instant::now()),
            };
        }
        known.ips.contains(&from)
    }
}
