//! The first round with the configured neighbours after a start.

use super::{Peer, Peers};
use crate::node::settings::FIRST_ROUND_TIMEOUT;
use crate::wire::PeerOrigin;

impl Peers {
    /// Returns `true` if the first round with the configured neighbours has ended: each was tried
    /// and one answered, or [`FIRST_ROUND_TIMEOUT`] has passed.
    pub(in crate::node) fn first_round_ended(&self) -> bool {
        let inner = self.lock();
        let configured = |peer: &&Peer| peer.origin == PeerOrigin::Configured;
        let mut asked = inner.peers.values().filter(configured);
        let one_answered = inner
            .peers
            .values()
            .any(|peer| peer.last_response.is_some());
        asked.all(|peer| peer.is_tried) && (one_answered || inner.peers.is_empty())
            || self.started.elapsed() >= FIRST_ROUND_TIMEOUT
    }

    /// Returns `true` if any peer has answered since the start.
    pub(in crate::node) fn has_response(&self) -> bool {
        let inner = self.lock();
        inner
            .peers
            .values()
            .any(|peer| peer.last_response.is_some())
    }
}
