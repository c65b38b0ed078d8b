//! Looks up the host names of peers: what they resolve to decides whether they may be asked.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;

use super::{Resolved, net_group};
use crate::client::NodeAddress;
use crate::node::{Executor, Node};

/// How long a name may take to be looked up.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(2);

/// Returns the address under which a candidate is counted, if it is where learned peers may be, and
/// no removed neighbour.
pub(in crate::node) async fn leads_to_allowed(
    node: &Node,
    address: &NodeAddress,
) -> Option<IpAddr> {
    let found = look_up(node, address).await?;
    let scope = node.peers.listen_scope();
    let is_allowed = |found: &NodeAddress| found.ip().is_none_or(|ip| scope.allows_ip(ip));
    let is_welcome = found.iter().all(is_allowed) && !node.peers.is_removed(&found);
    is_welcome.then(|| net_group(address, &found))
}

/// Drops a peer, and returns `true`, if its name leads to a removed neighbour.
pub(in crate::node) async fn leads_to_removed(node: &Node, peer: &NodeAddress) -> bool {
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

/// Looks up names at the same time; those that cannot be looked up lead nowhere.
pub(in crate::node) async fn resolve(node: &Node, names: Vec<NodeAddress>) -> Resolved {
    let lookups = names.into_iter().map(async |name| {
        let found = look_up(node, &name).await.unwrap_or_default();
        (name, found)
    });
    join_all(lookups).await.into_iter().collect()
}

/// Returns the addresses that a name resolves to, none of an IP address; or `None` if it cannot be
/// looked up.
async fn look_up(node: &Node, address: &NodeAddress) -> Option<Vec<NodeAddress>> {
    if address.ip().is_some() || node.executor == Executor::Inline {
        return Some(Vec::new());
    }
    let looking = tokio::net::lookup_host((address.host(), address.port()));
    let found = tokio::time::timeout(LOOKUP_TIMEOUT, looking).await;
    let address = |found: SocketAddr| NodeAddress::new(&found.ip().to_string(), found.port()).ok();
    Some(found.ok()?.ok()?.filter_map(address).collect())
}
