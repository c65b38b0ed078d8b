//! A branch that forks below our tip: checked while it is received, staged, and offered to the
//! store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::error::SyncError;
use crate::chain::{Block, Checker, InvalidBlock, RuleViolation, Tip};
use crate::node::Node;
use crate::node::policy::Incompatibility;
use crate::store::{Adoption, Operation, Rejection, StoreError};

/// Maximum size of one branch, in stored bytes.
const MAX_STAGED_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// A branch while it is received. Dropping it deletes the staged blocks.
pub(super) struct Branch {
    node: Arc<Node>,
    number: u64,
    /// The store holds blocks of it.
    is_staged: bool,
    checker: Checker,
    bytes: u64,
}

impl Branch {
    /// Starts a branch that shares the first `common` blocks with our chain.
    pub(super) fn above(node: &Arc<Node>, common: u64) -> Result<Self, StoreError> {
        let network = node.state().network;
        let mut checker = Checker::new(network.difficulty, network.sealed_from);
        if let Some(below) = common.checked_sub(1) {
            let view = node.view()?;
            let block = view.block(below)?;
            let block = block.ok_or(StoreError::Rejected(Rejection::NotConnected))?;
            checker = checker.above(Tip::of(&block), view.history(common)?);
        }
        Ok(Self {
            node: Arc::clone(node),
            number: node.next_branch.fetch_add(1, Ordering::Relaxed),
            is_staged: false,
            checker,
            bytes: 0,
        })
    }

    /// Checks the next blocks.
    ///
    /// # Errors
    /// The first block that breaks a rule.
    pub(super) fn check(&mut self, blocks: &[Block]) -> Result<(), InvalidBlock> {
        let bytes = &mut self.bytes;
        self.checker.push_all(blocks, |passed| {
            *bytes += 256 + passed.block.message.text().len() as u64;
            passed.acceptable
        })
    }

    /// Checks that the branch is not too large to be staged.
    pub(super) fn check_size(&self) -> Result<(), Incompatibility> {
        if self.bytes > MAX_STAGED_BYTES {
            return Err(Incompatibility::BranchTooLarge {
                limit: MAX_STAGED_BYTES,
            });
        }
        Ok(())
    }

    /// Hands checked blocks to the store, which keeps them until the branch is complete.
    pub(super) fn stage(
        &mut self,
        blocks: Vec<Block>,
    ) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
        let number = self.number;
        let staged = self
            .node
            .submit(|reply| Operation::Stage(number, blocks, reply))?;
        self.is_staged = true;
        Ok(staged)
    }

    /// Returns the request to switch to the branch.
    pub(super) fn adoption(&self, source: String) -> Adoption {
        let settings = &self.node.settings.peers;
        Adoption {
            branch: self.number,
            source,
            at: self.node.clock().millis(),
            max_reorg: settings.max_reorg,
            max_replaceable_genesis_length: self.node.max_replaceable_genesis_length(),
        }
    }
}

impl Drop for Branch {
    fn drop(&mut self) {
        if self.is_staged {
            let number = self.number;
            // Only a closed store refuses this; the next start deletes the staged blocks.
            let _ = self
                .node
                .submit(|reply| Operation::DropBranch(number, reply));
        }
    }
}

/// Returns the result of an operation on blocks of a peer.
pub(super) fn settled<T>(result: Result<T, StoreError>) -> Result<T, SyncError> {
    result.map_err(|error| {
        let StoreError::Rejected(rejection) = error else {
            return error.into();
        };
        match rejection {
            Rejection::StaleTip | Rejection::NotConnected => SyncError::ChainMoved,
            Rejection::NotPreferred => SyncError::NotBetter,
            Rejection::Invalid(invalid) => not_followed(invalid),
            Rejection::TooDeep { depth, limit } => {
                Incompatibility::ReorgTooDeep { depth, limit }.into()
            }
            Rejection::GenesisFixed => Incompatibility::GenesisFixed.into(),
            rejection => StoreError::Rejected(rejection).into(),
        }
    })
}

/// Waits for the commit of an operation on blocks of a peer.
pub(super) async fn committed<T>(
    answer: oneshot::Receiver<Result<T, StoreError>>,
) -> Result<T, SyncError> {
    settled(answer.await.unwrap_or(Err(StoreError::Closed)))
}

/// Converts an invalid block among pages of blocks. Pages of two chains do not join, and a peer may
/// switch from one to the other at any time.
pub(super) fn not_followed(invalid: InvalidBlock) -> SyncError {
    match invalid.violation {
        RuleViolation::PreviousHash { .. } => SyncError::ChainMoved,
        _ => invalid.into(),
    }
}
