//! Changes difficulty or seal rule of the network, after a check of the chain.

use std::sync::Arc;

use thiserror::Error;
use tracing::{info, warn};

use super::Node;
use crate::chain::{Checker, InvalidBlock};
use crate::store::{Network, Operation, PageLimit, StoreError};

/// Error of [`change`].
#[derive(Debug, Error)]
pub enum ChangeError {
    /// The chain is invalid at the requested difficulty or seal rule.
    #[error(
        "the chain is invalid at difficulty {}{}: {invalid}; start with the stored difficulty \
         ({kept}), or on a new folder",
        wanted.difficulty,
        wanted.sealed_from.map_or(String::new(), |from| format!(", sealed from index {from}"))
    )]
    Chain {
        /// The first invalid block.
        #[source]
        invalid: InvalidBlock,
        /// The requested difficulty and seal rule.
        wanted: Network,
        /// The stored difficulty.
        kept: u8,
    },
    /// The first index that must be sealed can only be lowered.
    #[error(
        "blocks must be sealed from index {kept} on; --require-sealed={wanted} would weaken this"
    )]
    Weakened {
        /// The stored first index that must be sealed.
        kept: u64,
        /// The later index that was requested.
        wanted: u64,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Stores a new difficulty or seal rule in the database. The whole chain is checked first if they
/// may make it invalid.
pub async fn change(node: &Arc<Node>, wanted: Network) -> Result<(), ChangeError> {
    let kept = node.state().network;
    if wanted == kept {
        return Ok(());
    }
    if let (Some(kept), Some(wanted)) = (kept.sealed_from, wanted.sealed_from)
        && wanted > kept
    {
        return Err(ChangeError::Weakened { kept, wanted });
    }
    if wanted.difficulty < kept.difficulty {
        warn!(
            from = %kept.difficulty,
            to = %wanted.difficulty,
            "lowering the difficulty for good: once a block is mined at the lower one, this chain \
             cannot return to the higher one, and nodes that require the higher one reject it"
        );
    }
    if wanted.difficulty > kept.difficulty || wanted.sealed_from != kept.sealed_from {
        info!(difficulty = %wanted.difficulty, "checking the whole chain");
        if let Some(invalid) = node.blocking(move |node| invalid(node, wanted)).await? {
            let kept = kept.difficulty.get();
            return Err(ChangeError::Chain {
                invalid,
                wanted,
                kept,
            });
        }
    }
    let done = node.submit(|reply| Operation::SetNetwork(wanted, reply))?;
    done.await.unwrap_or(Err(StoreError::Closed))?;
    Ok(())
}

/// Returns the first block that is invalid under the requested rules.
fn invalid(node: &Node, wanted: Network) -> Result<Option<InvalidBlock>, StoreError> {
    let view = node.view()?;
    let length = view.tip_block()?.index + 1;
    let mut checker = Checker::new(wanted.difficulty, wanted.sealed_from);
    let mut next = 0;
    while next < length {
        let page = view.blocks(next, PageLimit::SCAN)?;
        if let Err(invalid) = checker.push_all(&page, |passed| passed.acceptable) {
            return Ok(Some(invalid));
        }
        next += page.len() as u64;
    }
    Ok(None)
}
