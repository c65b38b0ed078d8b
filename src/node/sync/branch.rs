//! A branch that forks below our tip: checked while it is received, staged, and offered to the
//! store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::error::SyncError;
use crate::chain::{Block, BlockHash, Checker, InvalidBlock, RuleViolation, Tip};
use crate::node::Node;
use crate::node::policy::Incompatibility;
use crate::store::{Adoption, Operation, Rejection, ReorgRecord, StoreError};

/// Maximum size of one branch, in stored bytes.
const MAX_STAGED_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// A branch while it is received. Dropping it deletes the staged blocks.
pub(super) struct Branch {
    node: Arc<Node>,
    number: u64,
    /// `true` if the store may contain blocks of it.
    is_staged: bool,
    checker: Checker,
    bytes: u64,
}

impl Branch {
    /// Starts a branch above a block of our chain, or with another genesis block.
    ///
    /// # Errors
    /// [`SyncError::LocalTipMoved`] if the block is no longer part of our chain.
    pub(super) fn above(node: &Arc<Node>, parent: Option<BlockHash>) -> Result<Self, SyncError> {
        let network = node.state().network;
        let mut checker = Checker::new(network.difficulty, network.sealed_from);
        if let Some(hash) = parent {
            let view = node.view()?;
            let index = view.index_of(&hash)?.ok_or(SyncError::LocalTipMoved)?;
            let block = view.block(index)?.ok_or(SyncError::LocalTipMoved)?;
            checker = checker.above(Tip::of(&block), view.history(index + 1)?);
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

    /// Returns the result of the switch to the branch.
    pub(super) fn adopted(
        &mut self,
        result: Result<ReorgRecord, StoreError>,
    ) -> Result<ReorgRecord, SyncError> {
        match &result {
            // The store did not apply the request.
            Err(StoreError::Rejected(Rejection::NoSpace { .. })) => {}
            // The request deleted the staged blocks.
            Ok(_) | Err(StoreError::Rejected(_)) => self.is_staged = false,
            Err(_) => {}
        }
        settled(result).map_err(|error| match error {
            // The blocks of the branch join, so our chain has changed below them.
            SyncError::PeerChainMoved => SyncError::LocalTipMoved,
            error => error,
        })
    }
}

impl Drop for Branch {
    fn drop(&mut self) {
        if self.is_staged {
            let number = self.number;
            // Only a closed store rejects this; the next start deletes the staged blocks.
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
            Rejection::StaleTip | Rejection::NotConnected => SyncError::LocalTipMoved,
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
        RuleViolation::PreviousHash { .. } => SyncError::PeerChainMoved,
        _ => invalid.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::backup::tests::{append, mined, node, switch};

    #[test]
    fn a_change_of_our_own_tip_is_not_misbehaviour_of_the_peer() {
        for rejection in [Rejection::StaleTip, Rejection::NotConnected] {
            let error = settled::<()>(Err(StoreError::Rejected(rejection))).unwrap_err();
            assert!(!error.is_misbehaviour(), "{error}");
        }
    }

    #[test]
    fn a_branch_above_a_block_that_we_disconnected_is_compared_again() {
        let (_folder, node) = node();
        append(&node, mined(&node, 1, 2, "ours"));
        let parent = node.state().tip.hash;
        switch(&node, 1);
        let branch = Branch::above(&node, Some(parent));
        assert!(matches!(branch, Err(SyncError::LocalTipMoved)));
    }

    #[test]
    fn a_branch_that_the_store_deleted_is_not_deleted_again() {
        let (_folder, node) = node();
        let rejected = |rejection| Err(StoreError::Rejected(rejection));
        let (free, needed) = (1, 2);
        for (result, is_staged) in [
            (rejected(Rejection::NotPreferred), false),
            (rejected(Rejection::NoSpace { free, needed }), true),
            (Err(StoreError::Closed), true),
        ] {
            let mut branch = Branch::above(&node, None).unwrap();
            drop(branch.stage(mined(&node, 1, 1, "theirs")).unwrap());
            branch.adopted(result).unwrap_err();
            assert_eq!(branch.is_staged, is_staged);
        }
    }

    #[test]
    fn a_chain_that_changed_below_a_checked_branch_is_ours() {
        let (_folder, node) = node();
        append(&node, mined(&node, 1, 1, "ours"));
        let mut branch = Branch::above(&node, Some(node.state().tip.hash)).unwrap();
        let blocks = mined(&node, 2, 3, "theirs");
        branch.check(&blocks).unwrap();
        branch
            .stage(blocks)
            .unwrap()
            .blocking_recv()
            .unwrap()
            .unwrap();
        switch(&node, 1);
        let adoption = branch.adoption(String::new());
        let adopted = node.write(|reply| Operation::Adopt(adoption, reply));
        let error = branch.adopted(adopted).unwrap_err();
        assert!(matches!(error, SyncError::LocalTipMoved), "{error}");
    }
}
