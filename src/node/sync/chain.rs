//! Chain sync with nodes of this program: only what is new is fetched, and each block is checked
//! before anything is built upon it.
//!
//! Blocks that join our tip are appended as they come, a page at a time. A branch that forks below
//! it is looked for (the fork point, by doubling and halving), checked while it comes in, staged,
//! and followed in one transaction if it is better by then ([`crate::chain::fork_choice`]).

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::info;

use super::branch::{Branch, not_followed, settled};
use super::context::{Claim, PeerContext};
use super::error::SyncError;
use crate::chain::{Block, BlockHash};
use crate::node::clocks::HeldBack;
use crate::node::reorgs;
use crate::node::settings::SYNC_PAGE;
use crate::store::{Operation, StoreError};

/// Pages that may wait for the writer: it joins them into few commits, each of which rewrites what
/// the indexes have in common.
const MAX_IN_FLIGHT_APPENDS: usize = 16;

/// How often a long fetch says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// From so many missing blocks on, only one peer at a time is asked for them.
const MANY: u64 = 2 * SYNC_PAGE as u64;

/// Follows the chain of a peer as far as it is better than ours.
pub(super) async fn follow(context: &PeerContext, claim: &Claim) -> Result<(), SyncError> {
    let node = &context.node;
    let state = node.state();
    if !claim.is_better(node)? {
        context.note_held_back(None);
        return Ok(());
    }
    let missing = claim.length.saturating_sub(state.length());
    let is_long = missing > MANY;
    if is_long && !node.peers.claim_fetch(&context.peer, claim.length) {
        // Another peer is sending; what it leaves missing is asked for afterwards.
        return Err(SyncError::Deferred);
    }
    let outcome = fetch(context, claim).await;
    node.peers.end_fetch(&context.peer);
    if is_long {
        let length = node.state().length();
        info!(blocks = length - state.length().min(length), length, peer = %context.peer, "synchronised");
    }
    let held_back = outcome.as_ref().ok().copied().flatten();
    context.note_held_back(held_back);
    outcome.map(drop)
}

/// Fetches what is better, as far as it is not held back.
async fn fetch(context: &PeerContext, claim: &Claim) -> Result<Option<HeldBack>, SyncError> {
    let state = context.node.state();
    if claim.length > state.length() {
        let page = context
            .client
            .blocks(
                &context.peer,
                state.length(),
                claim.page_from(state.length()),
            )
            .await?;
        let first = page.first().and_then(|block| block.link.as_ref());
        if first.is_some_and(|link| link.previous_hash == state.tip.hash) {
            return extend(context, claim, state.tip.hash, page).await;
        }
        if page.is_empty() {
            let why = format!("claims {} blocks and does not deliver them", claim.length);
            return Err(SyncError::Misbehaved(why));
        }
    }
    switch(context, claim).await
}

/// Appends pages to our tip while the next ones are being fetched.
async fn extend(
    context: &PeerContext,
    claim: &Claim,
    mut parent: BlockHash,
    mut page: Vec<Block>,
) -> Result<Option<HeldBack>, SyncError> {
    let node = &context.node;
    let mut told = Instant::now();
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
            settled(earliest.await)?;
        }
        parent = hash;
        if is_last {
            break;
        }
        if told.elapsed() >= PROGRESS {
            told = Instant::now();
            info!(index = next, of = claim.length, peer = %context.peer, "synchronising");
        }
        // The right to fetch is renewed as long as there is progress.
        node.peers.claim_fetch(&context.peer, claim.length);
        page = context
            .client
            .blocks(&context.peer, next, claim.page_from(next))
            .await?;
    }
    for appended in in_flight {
        settled(appended.await)?;
    }
    Ok(held_back)
}

/// Fetches the branch of a peer and follows it if it is better. Returns the block that is held
/// back, if any.
pub(super) async fn switch(
    context: &PeerContext,
    claim: &Claim,
) -> Result<Option<HeldBack>, SyncError> {
    let node = &context.node;
    let state = node.state();
    let common = match claim.genesis {
        Some(genesis) if genesis != state.genesis => 0,
        _ => fork_point(context, state.length().min(claim.length)).await?,
    };
    node.check_reorg_allowed(common)?;
    let mut branch = Branch::above(node, common)?;
    let (mut next, mut held_back) = (common, None);
    while next < claim.length && held_back.is_none() {
        let mut page = context
            .client
            .blocks(&context.peer, next, claim.page_from(next))
            .await?;
        held_back = HeldBack::cut(&mut page, node.clock().seconds());
        if page.is_empty() {
            break;
        }
        next += page.len() as u64;
        let checked = branch.check(&page);
        checked.map_err(|invalid| not_followed(&invalid))?;
        branch.check_size()?;
        node.peers.claim_fetch(&context.peer, claim.length);
        let staged = branch.stage(page)?;
        settled(staged.await)?;
    }
    if held_back.is_some() && next == common {
        return Ok(held_back);
    }
    let adoption = branch.adoption(context.peer.to_string());
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
async fn fork_point(context: &PeerContext, most: u64) -> Result<u64, SyncError> {
    // All below `common` is shared, nothing from `differs` on.
    let (mut common, mut differs) = (0, most);
    let mut step = 1;
    while common < differs {
        let index = differs.saturating_sub(step).max(common);
        if is_common(context, index).await? {
            common = index + 1;
            break;
        }
        differs = index;
        step *= 2;
    }
    while common < differs {
        let middle = common + (differs - common) / 2;
        if is_common(context, middle).await? {
            common = middle + 1;
        } else {
            differs = middle;
        }
    }
    Ok(common)
}

async fn is_common(context: &PeerContext, index: u64) -> Result<bool, SyncError> {
    let theirs = context.client.blocks(&context.peer, index, 1).await?;
    let Some(theirs) = theirs.first() else {
        return Err(SyncError::ChainMoved);
    };
    let found = context.node.view()?.index_of(&BlockHash::of(theirs))?;
    Ok(found == Some(index))
}
