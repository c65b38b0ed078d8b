//! The errors of a session with a peer.

use std::time::Duration;

use thiserror::Error;

use crate::chain::InvalidBlock;
use crate::client::PeerError;
use crate::node::policy::{Incompatibility, NetworkDifference};
use crate::reference::ReadError;
use crate::store::StoreError;
use crate::text::escape;

/// Maximum length of an error text that is logged or shown, in characters.
const MAX_SHOWN: usize = 500;

/// Returns a text that may contain data of a peer in the form in which it is logged and shown.
pub(super) fn shown(text: &str) -> String {
    escape(text).chars().take(MAX_SHOWN).collect()
}

/// Error of a round with a peer.
#[derive(Debug, Error)]
pub(in crate::node) enum SyncError {
    /// The request failed.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The peer sent data that no honest node sends.
    #[error(transparent)]
    Misbehaved(#[from] Misbehaviour),
    /// The peer and this node do not fit together; neither is at fault.
    #[error(transparent)]
    Incompatible(#[from] Incompatibility),
    /// The peer sent data that its network allows and ours does not.
    #[error("{misbehaviour}; {difference}")]
    InvalidHere {
        misbehaviour: Misbehaviour,
        difference: Box<NetworkDifference>,
    },
    /// Our own chain changed during the round.
    #[error("our chain changed during the comparison")]
    LocalTipMoved,
    /// The chain of the peer changed during the round, or the peer is not what it was.
    #[error("chain changed during the fetch")]
    PeerChainMoved,
    /// The chain of the peer is valid so far, but fork choice prefers ours.
    #[error("chain is not preferred")]
    NotBetter,
    /// Another peer is sending the same blocks.
    #[error("deferred: another peer is sending the same blocks")]
    Deferred,
    /// The peer's address has used up its share of learned messages for now.
    #[error("more pending messages than its address may add now")]
    RateLimited { retry_after: Duration },
    /// Our database rejected an operation or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Data that no honest node sends.
#[derive(Debug, Error)]
pub(in crate::node) enum Misbehaviour {
    #[error("invalid chain: {0}")]
    InvalidBlock(InvalidBlock),
    #[error("unreadable chain: {0}")]
    UnreadableChain(ReadError),
    #[error("empty chain")]
    EmptyChain,
    #[error("no genesis block")]
    NoGenesis,
    #[error("announced {claimed} blocks but did not send them")]
    UndeliveredBlocks { claimed: u64 },
    #[error("invalid block hash")]
    InvalidHash,
    #[error("the sequence numbers of its pending messages do not increase")]
    SequenceNotIncreasing,
}

impl SyncError {
    /// Returns `true` if no honest node causes this error, or none causes it in many rounds.
    pub(super) fn is_misbehaviour(&self) -> bool {
        matches!(
            self,
            Self::Misbehaved(_) | Self::PeerChainMoved | Self::Peer(PeerError::Malformed { .. })
        )
    }

    /// Returns the text with the root cause, such as "connection refused". The causes in between
    /// only show how the HTTP library is built.
    pub(super) fn in_one_line(&self) -> String {
        let error: &dyn std::error::Error = self;
        let causes = std::iter::successors(error.source(), |error| error.source());
        shown(&match causes.last() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        })
    }
}

impl From<InvalidBlock> for SyncError {
    fn from(invalid: InvalidBlock) -> Self {
        Misbehaviour::InvalidBlock(invalid).into()
    }
}

impl From<ReadError> for SyncError {
    fn from(error: ReadError) -> Self {
        Misbehaviour::UnreadableChain(error).into()
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_unreachable_peer_is_reported_with_the_root_cause_alone() {
        let cause = io::Error::from(io::ErrorKind::ConnectionRefused);
        let wrapped = io::Error::other(StoreError::Io {
            path: "between".into(),
            source: std::sync::Arc::new(cause),
        });
        let error = SyncError::Peer(PeerError::Unreachable(Box::new(wrapped)));
        let expected = "unreachable: connection refused";
        assert_eq!(error.in_one_line(), expected);
        let plain = SyncError::PeerChainMoved.in_one_line();
        assert_eq!(plain, "chain changed during the fetch");
    }
}
