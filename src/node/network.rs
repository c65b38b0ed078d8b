//! Changing what is fixed for a network: difficulty and seal rule, checked against the chain.

use std::sync::Arc;

use thiserror::Error;
use tracing::{info, warn};

use super::Node;
use crate::chain::{Checker, InvalidBlock};
use crate::store::{Network, Operation, PageLimit, StoreError};

const PAGE: PageLimit = PageLimit {
    count: 1000,
    bytes: 4 * 1024 * 1024,
};

/// Why the network stays as it is.
#[derive(Debug, Error)]
pub enum ChangeError {
    /// The chain does not hold at the difficulty or seal rule wanted.
    #[error(
        "the chain does not hold at difficulty {}{}: {invalid}; start with what \
         the database keeps (difficulty {kept}), or on a new folder",
        wanted.difficulty,
        wanted.sealed_from.map_or(String::new(), |from| format!(", sealed from block {from} on"))
    )]
    Chain {
        /// The first block that does not.
        #[source]
        invalid: InvalidBlock,
        /// What was wanted.
        wanted: Network,
        /// Difficulty kept.
        kept: u8,
    },
    /// Sealing may begin earlier, never later.
    #[error("blocks must be sealed from index {kept} on; that cannot be loosened to {wanted}")]
    Loosened {
        /// First index that must be sealed.
        kept: u64,
        /// The later one that was asked for.
        wanted: u64,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps a new difficulty or seal rule in the database. A stricter one is checked against the
/// whole chain first.
pub async fn change(node: &Arc<Node>, wanted: Network) -> Result<(), ChangeError> {
    let kept = node.state().network;
    if wanted == kept {
        return Ok(());
    }
    if let (Some(kept), Some(wanted)) = (kept.sealed_from, wanted.sealed_from)
        && wanted > kept
    {
        return Err(ChangeError::Loosened { kept, wanted });
    }
    if wanted.difficulty < kept.difficulty {
        warn!(
            kept = %kept.difficulty,
            now = %wanted.difficulty,
            "the difficulty is lowered: peers that keep the old one refuse our blocks"
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

/// The first block that does not hold under the rules wanted.
fn invalid(node: &Node, wanted: Network) -> Result<Option<InvalidBlock>, StoreError> {
    let view = node.view()?;
    let length = view.last_block()?.index + 1;
    let mut checker = Checker::new(wanted.difficulty, wanted.sealed_from);
    let mut next = 0;
    while next < length {
        let page = view.blocks(next, PAGE)?;
        if let Err(invalid) = checker.push_all(&page, |passed| passed.acceptable) {
            return Ok(Some(invalid));
        }
        next += page.len() as u64;
    }
    Ok(None)
}
