//! The first round with the configured neighbours after a start.

use super::{Peer, Peers};
use crate::node::settings::FIRST_ROUND;
use crate::wire::PeerOrigin;

impl Peers {
    /// Whether the first round with the configured neighbours has ended: each was tried and one
    /// answered, or none did for long.
    pub(in crate::node) fn first_round_ended(&self) -> bool {
        let inner = self.lock();
        let configured = |peer: &&Peer| peer.origin == PeerOrigin::Configured;
        let mut asked = inner.peers.values().filter(configured);
        let one_answered = inner.peers.values().any(|peer| peer.last_answer.is_some());
        asked.all(|peer| peer.tried) && (one_answered || inner.peers.is_empty())
            || self.started.elapsed() >= FIRST_ROUND
    }

    /// Whether any peer has answered yet.
    pub(in crate::node) fn has_answer(&self) -> bool {
        let inner = self.lock();
        inner.peers.values().any(|peer| peer.last_answer.is_some())
    }
}
