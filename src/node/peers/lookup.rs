//! Resolves the host names of peers, to decide whether they may be dialled.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;

use super::{Resolved, net_group};
use crate::client::NodeAddress;
use crate::node::{Executor, Node};

/// Timeout of a lookup.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the network group of a candidate, if it may be dialled: it is in scope and is not a
/// removed neighbour.
pub(in crate::node) async fn allowed_group(node: &Node, address: &NodeAddress) -> Option<IpAddr> {
    let found = look_up(node, address).await?;
    let scope = node.peers.listen_scope();
    let is_allowed = |found: &NodeAddress| found.ip().is_none_or(|ip| scope.allows_ip(ip));
    let may_be_dialled = found.iter().all(is_allowed) && !node.peers.is_removed(&found);
    may_be_dialled.then(|| net_group(address, &found))
}

/// Drops a peer, and returns `true`, if its host name leads to a removed neighbour.
pub(in crate::node) async fn drop_if_removed(node: &Node, peer: &NodeAddress) -> bool {
    if !node.peers.may_be_removed(peer) {
        return false;
    }
    let found = look_up(node, peer).await.unwrap_or_default();
    let is_removed = node.peers.is_removed(&found);
    if is_removed {
        node.peers.drop_removed(peer);
    }
    is_removed
}

/// Resolves host names concurrently; those that cannot be resolved have no addresses.
pub(in crate::node) async fn resolve(node: &Node, names: Vec<NodeAddress>) -> Resolved {
    let lookups = names.into_iter().map(async |name| {
        let found = look_up(node, &name).await.unwrap_or_default();
        (name, found)
    });
    join_all(lookups).await.into_iter().collect()
}

/// Resolves host names concurrently, without a running node.
pub(in crate::node) async fn resolve_names(names: Vec<NodeAddress>) -> Resolved {
    let lookups = names.into_iter().map(async |name| {
        let found = look_up_name(&name).await.unwrap_or_default();
        (name, found)
    });
    join_all(lookups).await.into_iter().collect()
}

/// Returns the addresses that a host name resolves to. Returns `None` if the lookup fails.
async fn look_up(node: &Node, address: &NodeAddress) -> Option<Vec<NodeAddress>> {
    if node.executor == Executor::Inline {
        return Some(Vec::new());
    }
    look_up_name(address).await
}

/// Returns the addresses that a host name resolves to, and none for an IP address.
async fn look_up_name(address: &NodeAddress) -> Option<Vec<NodeAddress>> {
    if address.ip().is_some() {
        return Some(Vec::new());
    }
    let lookup = tokio::net::lookup_host((address.host(), address.port()));
    let found = tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await;
    let address = |found: SocketAddr| NodeAddress::new(&found.ip().to_string(), found.port()).ok();
    Some(found.ok()?.ok()?.filter_map(address).collect())
}
