//! What the parts of one session share: the node, the peer, and the chain that the peer claims.

use std::sync::Arc;

use crate::chain::BlockHash;
use crate::chain::fork_choice::{ForkCandidate, prefers_offered};
use crate::client::{NodeAddress, PeerClient};
use crate::node::Node;
use crate::node::clocks::HeldBack;
use crate::node::settings::SYNC_PAGE;
use crate::store::StoreError;

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

/// The chain that a peer claims to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Hash of its tip.
    pub(super) tip: BlockHash,
    /// Number of its blocks.
    pub(super) length: u64,
    /// Number of its sealed blocks, if it said so.
    pub(super) sealed: Option<u64>,
    /// Hash of its genesis block, if it said so.
    pub(super) genesis: Option<BlockHash>,
}

impl Claim {
    /// Returns the number of blocks to ask for from index `from` on.
    pub(super) fn page_from(&self, from: u64) -> usize {
        let missing = self.length.saturating_sub(from);
        usize::try_from(missing)
            .unwrap_or(usize::MAX)
            .clamp(1, SYNC_PAGE)
    }

    /// Returns `true` if the chain would be followed, provided that the claim is true.
    pub(super) fn is_better(&self, node: &Node) -> Result<bool, StoreError> {
        let state = node.state();
        if self.length < state.length() || node.view()?.index_of(&self.tip)?.is_some() {
            return Ok(false);
        }
        if self.length > state.length() {
            return Ok(true);
        }
        let offered = ForkCandidate {
            length: self.length,
            sealed: self.sealed.unwrap_or(0),
            genesis: self.genesis.unwrap_or(state.genesis),
            tip: self.tip,
            // The last rule of a tie asks for it; whether it is true shows when the block is here.
            tip_is_sealed: true,
        };
        Ok(prefers_offered(&state.fork_candidate(), &offered))
    }
}
