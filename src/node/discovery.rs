//! Discovery: dials candidates, which neighbours named or which sent requests themselves, and
//! identifies them by node id before they become neighbours.

use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::Node;
use super::peers::PeerCandidate;
use super::peers::lookup::allowed_group;
use crate::client::peer::Identity;
use crate::client::{NodeAddress, PeerClient};
use crate::store::StoreError;
use crate::wire::PeerKind;

/// Maximum number of candidates that are dialled at the same time.
const MAX_DIALLING: usize = 8;

/// Asks neighbours for other nodes while there are free slots, and dials candidates concurrently.
pub(super) async fn run(
    node: Arc<Node>,
    client: PeerClient,
    shutdown: CancellationToken,
) -> Result<(), StoreError> {
    let mut tick = tokio::time::interval(node.settings.peers.gossip_interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut asking, mut dialling) = (FuturesUnordered::new(), FuturesUnordered::new());
    loop {
        while dialling.len() < MAX_DIALLING
            && let Some((address, candidate)) = node.peers.take_candidate()
        {
            dialling.push(dial(&node, &client, address, candidate));
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
                    for (address, kind) in node.peers.gossip_targets() {
                        asking.push(ask(&node, &client, address, kind));
                    }
                }
            }
        }
    }
}

/// Asks a neighbour for its own neighbours.
async fn ask(node: &Node, client: &PeerClient, address: NodeAddress, kind: PeerKind) {
    let known = match kind {
        PeerKind::Ours => client.neighbours(&address).await,
        PeerKind::Reference => client.reference_neighbours(&address).await,
        PeerKind::Unknown => return,
    };
    match known {
        Ok(known) => known
            .into_iter()
            .for_each(|address| node.peers.suggested(address)),
        // The session of the peer handles its failures.
        Err(error) => debug!(peer = %address, %error, "cannot fetch the neighbours of a peer"),
    }
}

/// Dials a candidate for the first time.
async fn dial(node: &Node, client: &PeerClient, address: NodeAddress, candidate: PeerCandidate) {
    let sent_request = candidate != PeerCandidate::Named;
    if !sent_request && !node.peers.has_room() {
        return;
    }
    let Some(net_group) = allowed_group(node, &address).await else {
        return;
    };
    if !sent_request && !node.peers.has_room_for(net_group) {
        return;
    }
    let mut shares_network = true;
    let kind = match client.identify(&address).await {
        Ok(Identity::Ours(status)) => {
            if !node.peers.identified(&address, &node.id, &status.node_id) {
                return;
            }
            shares_network = node.network_difference(&status.network()).is_none();
            PeerKind::Ours
        }
        Ok(Identity::Reference) if node.state().network.sealed_from.is_none() => {
            PeerKind::Reference
        }
        Ok(Identity::Reference) => return,
        Err(error) => {
            debug!(peer = %address, %error, "candidate did not respond");
            return;
        }
    };
    if node.peers.admit(
        (address.clone(), net_group),
        kind,
        candidate,
        shares_network,
    ) {
        info!(peer = %address, "new neighbour");
    }
}
