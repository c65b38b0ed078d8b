//! Chain sync with nodes of this program: only what is new is fetched, and each block is checked
//! before anything is built upon it.
//!
//! Blocks that join our tip are appended as they come, a page at a time. A branch that forks below
//! it is looked for (the fork point, by doubling and halving), checked while it comes in, staged,
//! and followed in one transaction if it is better by then ([`crate::chain::fork_choice`]).

mod branch;

pub(super) use branch::Branch;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::info;

use super::Node;
use super::clocks::HeldBack;
use super::session::{Claim, PeerContext, SyncError};
use super::settings::SYNC_PAGE;
use crate::chain::{Block, BlockHash, InvalidBlock, RuleViolation};
use crate::store::{Operation, Rejection, StoreError};
use crate::wire::NetworkStatus;

/// Pages that may wait for the writer: it joins them into few commits, each of which rewrites what
/// the indexes have in common.
const MAX_IN_FLIGHT_APPENDS: usize = 16;

/// How often a long fetch says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// From so many missing blocks on, only one peer at a time is asked for them.
const MANY: u64 = 2 * SYNC_PAGE as u64;

/// Follows the chain of a peer as far as it is better than ours.
pub(super) async fn follow(with: &PeerContext, claim: &Claim) -> Result<(), SyncError> {
    let node = &with.node;
    let state = node.state();
    if !is_better(node, claim)? {
        note_held_back(with, None);
        return Ok(());
    }
    let missing = claim.length.saturating_sub(state.length());
    let is_long = missing > MANY;
    if is_long && !node.peers.claim_fetch(&with.peer, claim.length) {
        // Another peer is sending; what it leaves missing is asked for afterwards.
        return Err(SyncError::Deferred);
    }
    let outcome = fetch(with, claim).await;
    node.peers.end_fetch(&with.peer);
    if is_long {
        let length = node.state().length();
        info!(blocks = length - state.length().min(length), length, peer = %with.peer, "synchronised");
    }
    let held_back = outcome.as_ref().ok().copied().flatten();
    note_held_back(with, held_back);
    outcome.map(drop)
}

/// Notes which block of the peer is held back.
fn note_held_back(with: &PeerContext, held_back: Option<HeldBack>) {
    let peers = &with.node.peers;
    peers.with(&with.peer, |peer| peer.held_back = held_back);
}

/// Whether a peer's chain would be followed if it is what it claims to be.
fn is_better(node: &Node, claim: &Claim) -> Result<bool, StoreError> {
    let state = node.state();
    if claim.length < state.length() || node.view()?.index_of(&claim.tip)?.is_some() {
        return Ok(false);
    }
    if claim.length > state.length() {
        return Ok(true);
    }
    let offered = crate::chain::fork_choice::ForkCandidate {
        length: claim.length,
        sealed: claim.sealed.unwrap_or(0),
        genesis: claim.genesis.unwrap_or(state.genesis),
        tip: claim.tip,
        // The last rule of a tie asks for it; whether it is true shows when the block is here.
        tip_is_sealed: true,
    };
    Ok(crate::chain::fork_choice::prefers_offered(
        &state.fork_candidate(),
        &offered,
    ))
}

/// Fetches what is better, as far as it is not held back.
async fn fetch(with: &PeerContext, claim: &Claim) -> Result<Option<HeldBack>, SyncError> {
    let state = with.node.state();
    if claim.length > state.length() {
        let page = with
            .client
            .blocks(&with.peer, state.length(), wanted(state.length(), claim))
            .await?;
        let first = page.first().and_then(|block| block.link.as_ref());
        if first.is_some_and(|link| link.previous_hash == state.tip.hash) {
            return extend(with, claim, state.tip.hash, page).await;
        }
        if page.is_empty() {
            let why = format!("claims {} blocks and does not deliver them", claim.length);
            return Err(SyncError::Misbehaved(why));
        }
    }
    branch::switch(with, claim).await
}

/// How many blocks to ask for from an index on.
fn wanted(from: u64, claim: &Claim) -> usize {
    let missing = claim.length.saturating_sub(from);
    usize::try_from(missing)
        .unwrap_or(usize::MAX)
        .clamp(1, SYNC_PAGE)
}

/// Appends pages to our tip while the next ones are being fetched.
async fn extend(
    with: &PeerContext,
    claim: &Claim,
    mut parent: BlockHash,
    mut page: Vec<Block>,
) -> Result<Option<HeldBack>, SyncError> {
    let node = &with.node;
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
            info!(index = next, of = claim.length, peer = %with.peer, "synchronising");
        }
        // The right to fetch is renewed as long as there is progress.
        node.peers.claim_fetch(&with.peer, claim.length);
        page = with
            .client
            .blocks(&with.peer, next, wanted(next, claim))
            .await?;
    }
    for appended in in_flight {
        settled(appended.await)?;
    }
    Ok(held_back)
}

/// What came of blocks of a peer.
fn settled<T>(
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

/// What a violation in pages of blocks means. Pages of two chains do not join, and a peer may switch
/// from one to the other at any time.
fn not_followed(invalid: &InvalidBlock) -> SyncError {
    match invalid.violation {
        RuleViolation::PreviousHash { .. } => SyncError::ChainMoved,
        _ => SyncError::refused_block(invalid),
    }
}

impl Node {
    /// How a peer's network is another than ours, with the remedy; none if it is the same.
    pub(super) fn difference(&self, theirs: &NetworkStatus) -> Option<String> {
        let state = self.state();
        let ours = state.genesis.to_string();
        if theirs.genesis != ours {
            let genesis: String = theirs.genesis.chars().take(64).collect();
            return Some(format!(
                "has another genesis ({genesis}, here {ours}): they are two networks; to join its, \
                 start a node on a new folder with --genesis {genesis} --difficulty {}",
                theirs.difficulty
            ));
        }
        let own = state.network.difficulty.get();
        if theirs.difficulty != own {
            return Some(format!(
                "has difficulty {}, this node {own}: restart the one with the higher difficulty \
                 with --difficulty {}; until then blocks are followed as far as they hold here, \
                 and waiting messages are not shared",
                theirs.difficulty,
                own.min(theirs.difficulty)
            ));
        }
        let rule = |from: Option<u64>| match from {
            Some(from) => format!("sealed blocks from {from} on"),
            None => "open blocks accepted".to_owned(),
        };
        (theirs.sealed_from != state.network.sealed_from).then(|| {
            format!(
                "has another seal rule ({}, here {}): make them the same with \
                 --require-sealed=FROM; until then blocks are followed as far as they hold here, \
                 and waiting messages are not shared",
                rule(theirs.sealed_from),
                rule(state.network.sealed_from)
            )
        })
    }
}
