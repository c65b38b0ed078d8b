//! A branch that forks below our tip: finding where, checking it as it comes in, switching to it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::{not_followed, settled, wanted};
use crate::chain::{Block, BlockHash, Checker, InvalidBlock, Tip};
use crate::node::clocks::HeldBack;
use crate::node::session::{Claim, PeerContext, SyncError};
use crate::node::{Node, reorgs};
use crate::store::{Adoption, Operation, StoreError};
use crate::text::counted;

/// Most stored bytes of one branch.
const MAX_STAGED_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Fetches the branch of a peer and follows it if it is better. Returns the block that is held
/// back, if any.
pub(super) async fn switch(
    with: &PeerContext,
    claim: &Claim,
) -> Result<Option<HeldBack>, SyncError> {
    let node = &with.node;
    let state = node.state();
    let common = match claim.genesis {
        Some(genesis) if genesis != state.genesis => 0,
        _ => fork_point(with, state.length().min(claim.length)).await?,
    };
    node.check_reorg_allowed(common)?;
    let mut branch = Branch::above(node, common)?;
    let (mut next, mut held_back) = (common, None);
    while next < claim.length && held_back.is_none() {
        let mut page = with
            .client
            .blocks(&with.peer, next, wanted(next, claim))
            .await?;
        held_back = HeldBack::cut(&mut page, node.clock().seconds());
        if page.is_empty() {
            break;
        }
        next += page.len() as u64;
        let checked = branch.check(&page);
        checked.map_err(|invalid| not_followed(&invalid))?;
        branch.check_size()?;
        node.peers.claim_fetch(&with.peer, claim.length);
        let staged = branch.stage(page)?;
        settled(staged.await)?;
    }
    if held_back.is_some() && next == common {
        return Ok(held_back);
    }
    let adoption = branch.adoption(with.peer.to_string());
    let adopted = node.submit(|reply| Operation::Adopt(adoption, reply))?;
    match settled(adopted.await) {
        Ok(reorg) => reorgs::log(&reorg),
        // It may be better when the time of its other blocks has come.
        Err(SyncError::NotBetter) if held_back.is_some() => {}
        Err(error) => return Err(error),
    }
    Ok(held_back)
}

/// The number of blocks that both chains begin with, given that at most `most` can be common.
/// A peer whose chain changes meanwhile makes this wrong; the check of the branch will tell.
async fn fork_point(with: &PeerContext, most: u64) -> Result<u64, SyncError> {
    // All below `common` is shared, nothing from `differs` on.
    let (mut common, mut differs) = (0, most);
    let mut step = 1;
    while common < differs {
        let index = differs.saturating_sub(step).max(common);
        if is_common(with, index).await? {
            common = index + 1;
            break;
        }
        differs = index;
        step *= 2;
    }
    while common < differs {
        let middle = common + (differs - common) / 2;
        if is_common(with, middle).await? {
            common = middle + 1;
        } else {
            differs = middle;
        }
    }
    Ok(common)
}

async fn is_common(with: &PeerContext, index: u64) -> Result<bool, SyncError> {
    let theirs = with.client.blocks(&with.peer, index, 1).await?;
    let Some(theirs) = theirs.first() else {
        return Err(SyncError::ChainMoved);
    };
    let found = with.node.view()?.index_of(&BlockHash::of(theirs))?;
    Ok(found == Some(index))
}

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
            genesis_until: self.node.genesis_until(),
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

impl Node {
    /// Longest chain whose genesis block may be replaced; 0 where every block must be sealed.
    fn genesis_until(&self) -> u64 {
        match self.state().network.sealed_from {
            Some(_) => 0,
            None => self.settings.peers.genesis_until,
        }
    }

    /// Whether another genesis that is refused now will be refused later, too.
    pub(in crate::node) fn is_past_first_round(&self) -> bool {
        self.genesis_until() == 0 || self.peers.first_round_ended()
    }

    /// Whether our chain may be left for one that shares its first `common` blocks.
    pub(in crate::node) fn check_reorg_allowed(&self, common: u64) -> Result<(), SyncError> {
        let (length, settings) = (self.state().length(), &self.settings.peers);
        let is_fixed = length > self.genesis_until() || !self.peers.first_round_ended();
        let depth = length.saturating_sub(common);
        if common == 0 && is_fixed {
            return Err(SyncError::Incompatible(
                "has another genesis, and that of this chain is fixed".to_owned(),
            ));
        }
        if depth > settings.max_reorg {
            return Err(SyncError::Incompatible(format!(
                "has a branch that takes off {}, more than --max-reorg {} allows: \
                 find out which branch is right, and restart with a higher --max-reorg to follow \
                 the other",
                counted(depth, "block"),
                settings.max_reorg
            )));
        }
        Ok(())
    }
}
