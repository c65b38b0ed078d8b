//! A branch that forks below our tip: checked as it comes in, staged, and offered to the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::error::SyncError;
use crate::chain::{Block, Checker, InvalidBlock, RuleViolation, Tip};
use crate::node::Node;
use crate::store::{Adoption, Operation, Rejection, StoreError};

/// Most stored bytes of one branch.
const MAX_STAGED_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// A branch while it comes in. It is forgotten when this is dropped.
pub(in crate::node) struct Branch {
    node: Arc<Node>,
    number: u64,
    /// Whether the store holds any of it.
    is_staged: bool,
    checker: Checker,
    bytes: u64,
}

impl Branch {
    /// A branch that shares the first `common` blocks with our chain.
    pub(in crate::node) fn above(node: &Arc<Node>, common: u64) -> Result<Self, StoreError> {
        let network = node.state().network;
        let mut checker = Checker::new(network.difficulty, network.sealed_from);
        if let Some(below) = common.checked_sub(1) {
            let view = node.view()?;
            let block = view.block(below)?;
            let block = block.ok_or(StoreError::Rejected(crate::store::Rejection::NotConnected))?;
            checker = checker.above(Tip::of(&block), view.history(common)?);
        }
        Ok(Self {
            node: Arc::clone(node),
            number: node.branches.fetch_add(1, Ordering::Relaxed),
            is_staged: false,
            checker,
            bytes: 0,
        })
    }

    /// Checks the next blocks; else the first that breaks a rule, and which.
    pub(in crate::node) fn check(&mut self, blocks: &[Block]) -> Result<(), InvalidBlock> {
        let bytes = &mut self.bytes;
        self.checker.push_all(blocks, |passed| {
            *bytes += 256 + passed.block.message.text().len() as u64;
            passed.acceptable
        })
    }

    /// Refuses a branch that grows beyond all measure.
    pub(in crate::node) fn check_size(&self) -> Result<(), SyncError> {
        if self.bytes > MAX_STAGED_BYTES {
            let why = format!("has a branch of more than {MAX_STAGED_BYTES} bytes");
            return Err(SyncError::Incompatible(why));
        }
        Ok(())
    }

    /// Hands checked blocks to the store, which keeps them until the branch is complete.
    pub(in crate::node) fn stage(
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

    /// The order to follow the branch.
    pub(in crate::node) fn adoption(&self, source: String) -> Adoption {
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
            // It is refused only by a store that has ended; the next start removes what is left.
            let _ = self
                .node
                .submit(|reply| Operation::DropBranch(number, reply));
        }
    }
}

/// Returns the outcome of an operation on blocks of a peer.
pub(super) fn settled<T>(
    answer: Result<Result<T, StoreError>, oneshot::error::RecvError>,
) -> Result<T, SyncError> {
    match answer.unwrap_or(Err(StoreError::Closed)) {
        Ok(outcome) => Ok(outcome),
        Err(StoreError::Rejected(Rejection::StaleTip | Rejection::NotConnected)) => {
            Err(SyncError::ChainMoved)
        }
        Err(StoreError::Rejected(Rejection::NotPreferred)) => Err(SyncError::NotBetter),
        Err(StoreError::Rejected(Rejection::Invalid(invalid))) => Err(not_followed(&invalid)),
        Err(StoreError::Rejected(
            rejection @ (Rejection::TooDeep { .. } | Rejection::GenesisFixed),
        )) => Err(SyncError::Incompatible(format!(
            "has a branch that is refused: {rejection}"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// Converts the violation of a rule in pages of blocks. Pages of two chains do not join, and a peer may switch
/// from one to the other at any time.
pub(super) fn not_followed(invalid: &InvalidBlock) -> SyncError {
    match invalid.violation {
        RuleViolation::PreviousHash { .. } => SyncError::ChainMoved,
        _ => SyncError::refused_block(invalid),
    }
}
