//! Gossip: who else is there. Candidates, heard of from neighbours or from their own requests, are
//! dialled once and matched by node id before they are kept.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::lookup::{leads_to_allowed, resolve};
use super::peers::Candidate;
use super::{Node, session};
use crate::client::peer::Identity;
use crate::client::{NodeAddress, PeerClient};
use crate::store::{NeighbourRecord, Operation, StoreError};
use crate::wire::PeerKind;

/// Candidates that are dialled at the same time.
const DIALLED: usize = 8;

/// Starts a session for each peer, and ends when the node shuts down.
pub(super) async fn supervise_sessions(
    node: Arc<Node>,
    client: PeerClient,
    shutdown: CancellationToken,
) -> Result<(), StoreError> {
    let mut sessions = JoinSet::new();
    let mut kept = node.view()?.neighbours()?;
    let mut signal = node.subscribe();
    loop {
        for (peer, handle) in node.peers.without_session() {
            debug!(%peer, "session begins");
            let (node, client) = (Arc::clone(&node), client.clone());
            sessions.spawn(session::run(node, client, peer, handle));
        }
        keep(&node, &mut kept).await?;
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            () = node.peers.changed.notified() => {}
            changed = signal.changed() => {
                if changed.is_err() {
                    break;
                }
                node.peers.note_commit();
            }
            Some(ended) = sessions.join_next() => match ended {
                Ok(outcome) => outcome?,
                Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
                Err(_) => {}
            },
        }
    }
    sessions.shutdown().await;
    Ok(())
}

/// Keeps the learned and the removed neighbours in the database.
async fn keep(node: &Node, kept: &mut Vec<NeighbourRecord>) -> Result<(), StoreError> {
    let records = node.peers.records();
    if records != *kept {
        node.keep_neighbours(records.clone()).await?;
        *kept = records;
    }
    Ok(())
}

impl Node {
    async fn keep_neighbours(&self, records: Vec<NeighbourRecord>) -> Result<(), StoreError> {
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

/// Asks neighbours for others as long as there is room, and dials candidates. One that is slow to
/// answer holds up neither.
pub(super) async fn run(
    node: Arc<Node>,
    client: PeerClient,
    shutdown: CancellationToken,
) -> Result<(), StoreError> {
    let mut tick = tokio::time::interval(node.settings.peers.gossip_interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut asking, mut dialling) = (FuturesUnordered::new(), FuturesUnordered::new());
    loop {
        while dialling.len() < DIALLED
            && let Some((address, heard)) = node.peers.take_candidate()
        {
            dialling.push(dial(&node, &client, address, heard));
        }
        tokio::select! {
            biased;
            () = shutdown.cancelled() => return Ok(()),
            Some(()) = asking.next() => {}
            Some(()) = dialling.next() => {}
            () = node.peers.candidates_changed.notified() => {}
            _ = tick.tick() => {
                node.peers.forget_silent_guests();
                if asking.is_empty() && node.peers.has_room() {
                    for (address, kind) in node.peers.to_ask() {
                        asking.push(ask(&node, &client, address, kind));
                    }
                }
            }
        }
    }
}

/// Asks a neighbour whom it knows.
async fn ask(node: &Node, client: &PeerClient, address: NodeAddress, kind: PeerKind) {
    let known = match kind {
        PeerKind::Ours => client.neighbours(&address).await,
        PeerKind::Reference => client.documented_neighbours(&address).await,
        PeerKind::Unknown => return,
    };
    match known {
        Ok(known) => known
            .into_iter()
            .for_each(|address| node.peers.suggested(address)),
        // Its session notices, too, and deals with it.
        Err(error) => debug!(peer = %address, %error, "neighbours not told"),
    }
}

/// Dials a candidate for the first time.
async fn dial(node: &Node, client: &PeerClient, address: NodeAddress, asked_us: Candidate) {
    let is_asking = asked_us != Candidate::Suggested;
    if !is_asking && !node.peers.has_room() {
        return;
    }
    let Some(counted_as) = leads_to_allowed(node, &address).await else {
        return;
    };
    if !is_asking && !node.peers.has_room_for(counted_as) {
        return;
    }
    let mut shares_network = true;
    let kind = match client.identify(&address).await {
        Ok(Identity::Ours(status)) => {
            if !node.peers.identified(&address, &node.id, &status.node_id) {
                return;
            }
            shares_network = node.difference(&status.network()).is_none();
            PeerKind::Ours
        }
        Ok(Identity::Reference) if node.state().network.sealed_from.is_none() => {
            PeerKind::Reference
        }
        Ok(Identity::Reference) => return,
        Err(error) => {
            debug!(%address, %error, "candidate does not answer");
            return;
        }
    };
    if node.peers.introduce(
        (address.clone(), counted_as),
        kind,
        asked_us,
        shares_network,
    ) {
        info!(%address, "new neighbour");
    }
}
