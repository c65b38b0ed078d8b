//! The errors of a session with a peer.

use std::time::Duration;

use thiserror::Error;

use crate::chain::InvalidBlock;
use crate::client::PeerError;
use crate::store::StoreError;
use crate::text::escape;

/// Most characters that are told of what went wrong with a peer.
const SHOWN: usize = 500;

/// A text that may hold something of a peer, as it is logged and told to others.
pub(super) fn shown(text: &str) -> String {
    escape(text).chars().take(SHOWN).collect()
}

/// Why a round with a peer came to nothing.
#[derive(Debug, Error)]
pub(in crate::node) enum SyncError {
    /// It did not answer as asked.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// It sent what no honest node sends.
    #[error("{0}")]
    Misbehaved(String),
    /// What it sends does not fit this node, which is nobody's fault; the text has the remedy.
    #[error("{0}")]
    Incompatible(String),
    /// Its chain or ours moved meanwhile, or it is not what it said.
    #[error("its chain keeps changing while it is fetched")]
    ChainMoved,
    /// Its chain is valid as far as it is looked at, and not the one to follow.
    #[error("its chain is no better than ours")]
    NotBetter,
    /// Another peer is sending what this one has, too.
    #[error("another peer is asked first")]
    Deferred,
    /// It has more messages than may be taken from its address now.
    #[error("its messages are taken later, as its address has its share")]
    Paced(Duration),
    /// Our database refused or failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl SyncError {
    /// A block that breaks a rule.
    pub(in crate::node) fn refused_block(invalid: &InvalidBlock) -> Self {
        Self::Misbehaved(format!("sends a chain that is refused: {invalid}"))
    }

    /// Whether no honest node gives such an answer.
    pub(super) fn is_misbehaviour(&self) -> bool {
        match self {
            Self::Misbehaved(_) | Self::ChainMoved => true,
            Self::Peer(error) => {
                matches!(error, PeerError::Malformed { .. })
            }
            _ => false,
        }
    }

    /// The text with its first cause, such as "connection refused"; what lies between says only
    /// how the library is built.
    pub(super) fn in_one_line(&self) -> String {
        let error: &dyn std::error::Error = self;
        let causes = std::iter::successors(error.source(), |error| error.source());
        shown(&match causes.last() {
            Some(cause) => format!("{error}: {cause}"),
            None => error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_unreachable_peer_is_told_with_the_first_cause_alone() {
        let cause = io::Error::from(io::ErrorKind::ConnectionRefused);
        let wrapped = io::Error::other(StoreError::Io {
            path: "between".into(),
            source: std::sync::Arc::new(cause),
        });
        let error = SyncError::Peer(PeerError::Unreachable(Box::new(wrapped)));
        assert_eq!(error.in_one_line(), "cannot be reached: connection refused");
        let plain = SyncError::ChainMoved.in_one_line();
        assert_eq!(plain, "its chain keeps changing while it is fetched");
    }
}
