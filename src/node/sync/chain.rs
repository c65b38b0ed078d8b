//! Chain sync with nodes of this program: fetches the missing blocks only.
//!
//! Blocks that connect to our tip are appended page by page. For a branch that forks below the tip,
//! the fork point is searched by doubling and halving; its blocks are checked while they are
//! received, staged, and connected in one transaction if fork choice prefers the branch
//! ([`crate::chain::fork_choice`]).

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::info;

use super::branch::{Branch, committed, not_followed};
use super::context::PeerContext;
use super::error::{Misbehaviour, SyncError};
use crate::chain::{Block, BlockHash};
use crate::node::peers::held_back::HeldBack;
use crate::node::policy::ClaimedChain;
use crate::node::reorgs;
use crate::node::settings::SYNC_PAGE;
use crate::store::{Operation, StoreError};

/// Maximum number of pages in flight to the writer, which joins them into few commits.
const MAX_IN_FLIGHT_APPENDS: usize = 8;

/// Interval between two progress messages in the log.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// Number of missing blocks above which they are fetched from one peer at a time.
const EXCLUSIVE_FETCH_BLOCKS: u64 = 2 * SYNC_PAGE as u64;

/// Follows the chain of a peer if it is better than ours.
pub(super) async fn sync_blocks(
    context: &PeerContext,
    claim: &ClaimedChain,
) -> Result<(), SyncError> {
    let node = &context.node;
    let state = node.state();
    if !node.would_follow(claim)? {
        context.note_held_back(None);
        return Ok(());
    }
    let missing = claim.length.saturating_sub(state.length());
    let is_long = missing > EXCLUSIVE_FETCH_BLOCKS;
    if is_long && !node.peers.claim_fetch(&context.peer, claim.length) {
        return Err(SyncError::Deferred);
    }
    let outcome = fetch_missing(context, claim).await;
    node.peers.end_fetch(&context.peer);
    if is_long && outcome.is_ok() {
        let length = node.state().length();
        let blocks = length.saturating_sub(state.length());
        info!(blocks, length, peer = %context.peer, "chain synchronized");
    }
    let held_back = outcome.as_ref().ok().copied().flatten();
    context.note_held_back(held_back);
    outcome.map(drop)
}

/// Fetches the missing blocks up to the first one that is held back, which is returned.
async fn fetch_missing(
    context: &PeerContext,
    claim: &ClaimedChain,
) -> Result<Option<HeldBack>, SyncError> {
    let state = context.node.state();
    if claim.length > state.length() {
        let page = context
            .client
            .blocks(
                &context.peer,
                state.length(),
                page_size(claim, state.length()),
            )
            .await?;
        let first = page.first().and_then(|block| block.link.as_ref());
        if first.is_some_and(|link| link.previous_hash == state.tip.hash) {
            return extend(context, claim, state.tip.hash, page).await;
        }
        if page.is_empty() {
            let claimed = claim.length;
            return Err(Misbehaviour::UndeliveredBlocks { claimed }.into());
        }
    }
    switch_to_branch(context, claim).await
}

/// Appends pages to our tip while the next ones are being fetched.
async fn extend(
    context: &PeerContext,
    claim: &ClaimedChain,
    mut parent: BlockHash,
    mut page: Vec<Block>,
) -> Result<Option<HeldBack>, SyncError> {
    let node = &context.node;
    let mut last_progress = Instant::now();
    let mut held_back;
    let mut in_flight: VecDeque<oneshot::Receiver<Result<(), StoreError>>> = VecDeque::new();
    loop {
        held_back = HeldBack::cut(&mut page, node.clock().seconds());
        let Some(last) = page.last() else { break };
        let (next, hash) = (last.index + 1, BlockHash::of(last));
        let is_last = next >= claim.length || held_back.is_some();
        let appended = node.submit(|reply| Operation::Append(parent, page, reply))?;
        in_flight.push_back(appended);
        if in_flight.len() > MAX_IN_FLIGHT_APPENDS
            && let Some(earliest) = in_flight.pop_front()
        {
            committed(earliest).await?;
        }
        parent = hash;
        if is_last {
            break;
        }
        if last_progress.elapsed() >= PROGRESS_INTERVAL {
            last_progress = Instant::now();
            info!(index = next, of = claim.length, peer = %context.peer, "synchronizing the chain");
        }
        // Renews the fetch lock, which lasts as long as there is progress.
        node.peers.claim_fetch(&context.peer, claim.length);
        page = context
            .client
            .blocks(&context.peer, next, page_size(claim, next))
            .await?;
    }
    for appended in in_flight {
        committed(appended).await?;
    }
    Ok(held_back)
}

/// Fetches the branch of a peer and switches to it if it is better. Returns the block that is held
/// back, if any.
async fn switch_to_branch(
    context: &PeerContext,
    claim: &ClaimedChain,
) -> Result<Option<HeldBack>, SyncError> {
    let node = &context.node;
    let state = node.state();
    let (common, parent) = match claim.genesis {
        Some(genesis) if genesis != state.genesis => (0, None),
        _ => fork_point(context, state.length().min(claim.length)).await?,
    };
    node.check_reorg_allowed(common)?;
    let mut branch = Branch::above(node, parent)?;
    let (mut next, mut held_back) = (common, None);
    while next < claim.length && held_back.is_none() {
        let mut page = context
            .client
            .blocks(&context.peer, next, page_size(claim, next))
            .await?;
        held_back = HeldBack::cut(&mut page, node.clock().seconds());
        if page.is_empty() {
            break;
        }
        next += page.len() as u64;
        let checked = branch.check(&page);
        checked.map_err(not_followed)?;
        branch.check_size()?;
        node.peers.claim_fetch(&context.peer, claim.length);
        let staged = branch.stage(page)?;
        committed(staged).await?;
    }
    if next == common {
        return match held_back {
            Some(_) => Ok(held_back),
            None => Err(SyncError::PeerChainMoved),
        };
    }
    let adoption = branch.adoption(context.peer.to_string());
    let adopted = node.submit(|reply| Operation::Adopt(adoption, reply))?;
    let adopted = adopted.await.unwrap_or(Err(StoreError::Closed));
    match branch.adopted(adopted) {
        Ok(reorg) => reorgs::log(&reorg),
        // It may be better when its other blocks are no longer held back.
        Err(SyncError::NotBetter) if held_back.is_some() => {}
        Err(error) => return Err(error),
    }
    Ok(held_back)
}

/// Returns the number of blocks that both chains share, at most `max`, and the hash of the last one.
/// The result is wrong if a chain changes meanwhile, which the branch detects.
async fn fork_point(
    context: &PeerContext,
    max: u64,
) -> Result<(u64, Option<BlockHash>), SyncError> {
    // Every block below `common` is shared, none from `differs` upwards.
    let (mut common, mut differs) = (0, max);
    let mut parent = None;
    let mut step = 1;
    while common < differs {
        let index = differs.saturating_sub(step).max(common);
        if let Some(hash) = common_block(context, index).await? {
            (common, parent) = (index + 1, Some(hash));
            break;
        }
        differs = index;
        step *= 2;
    }
    while common < differs {
        let middle = common + (differs - common) / 2;
        if let Some(hash) = common_block(context, middle).await? {
            (common, parent) = (middle + 1, Some(hash));
        } else {
            differs = middle;
        }
    }
    Ok((common, parent))
}

/// Returns the number of blocks to request from index `from` upwards.
fn page_size(claim: &ClaimedChain, from: u64) -> usize {
    let missing = claim.length.saturating_sub(from);
    usize::try_from(missing)
        .unwrap_or(usize::MAX)
        .clamp(1, SYNC_PAGE)
}

/// Returns the hash of the peer's block at an index if our chain has the same block there.
async fn common_block(context: &PeerContext, index: u64) -> Result<Option<BlockHash>, SyncError> {
    let theirs = context.client.blocks(&context.peer, index, 1).await?;
    let Some(theirs) = theirs.first() else {
        return Err(SyncError::PeerChainMoved);
    };
    let hash = BlockHash::of(theirs);
    let found = context.node.view()?.index_of(&hash)?;
    Ok((found == Some(index)).then_some(hash))
}
