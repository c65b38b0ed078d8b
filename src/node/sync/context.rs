//! The context of one session: node, client and peer.

use std::sync::Arc;

use crate::client::{NodeAddress, PeerClient};
use crate::node::Node;
use crate::node::peers::held_back::HeldBack;

/// The node, the client and the peer of one session.
pub(super) struct PeerContext {
    pub(super) node: Arc<Node>,
    pub(super) client: PeerClient,
    pub(super) peer: NodeAddress,
}

impl PeerContext {
    /// Records the block of the peer that is held back, if any.
    pub(super) fn note_held_back(&self, held_back: Option<HeldBack>) {
        let peers = &self.node.peers;
        peers.with(&self.peer, |peer| peer.held_back = held_back);
    }
}
