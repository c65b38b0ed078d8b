//! Chain sync with reference miners, which can only send their whole chain.
//!
//! The chain is fetched only if its length in bytes has changed. It is parsed while it arrives, on
//! a blocking thread, and compared with ours; the rest is checked and staged like any other branch.
//! Messages of a valid branch that is not followed are added to the mempool, because the reference
//! miner would lose them.

use std::sync::Arc;

use tokio::time::Instant;

use super::branch::Branch;
use super::context::PeerContext;
use super::error::{Misbehaviour, SyncError};
use super::mempool;
use crate::chain::{Block, BlockHash, Message};
use crate::client::{BodyReader, NodeAddress, PeerClient, read_blocking};
use crate::node::peers::held_back::HeldBack;
use crate::node::policy::Incompatibility;
use crate::node::settings::{
    REFERENCE_INTERVAL_FACTOR, REFERENCE_REFRESH_INTERVAL, RESCUED_BLOCKS, SYNC_PAGE,
};
use crate::node::{Node, reorgs};
use crate::reference::json::{ChainBody, JsonChainReader};
use crate::store::{Operation, PageLimit, StoreError};
use crate::wire::Position;

/// Maximum size of the messages that are staged at a time, in bytes.
const STAGED_BYTES: usize = 1024 * 1024;

/// Maximum size of the messages that are rescued from one branch, in bytes.
const RESCUED_BYTES: usize = 8 * 1024 * 1024;

/// Size of the pages in which our blocks are read for the comparison.
const PAGE: PageLimit = PageLimit {
    count: SYNC_PAGE,
    bytes: 1024 * 1024,
};

/// Records of earlier fetches of a reference miner's chain.
#[derive(Debug, Default)]
pub(super) struct FetchHistory {
    /// Length of the chain in bytes, and time of the last fetch.
    last_fetch: Option<(u64, Instant)>,
    /// Earliest time of the next fetch.
    not_before: Option<Instant>,
}

/// Result of a chain that was read.
#[derive(Default)]
struct FetchedChain {
    /// Messages of a valid chain that is not followed.
    rescued: Vec<Message>,
    /// First block that is held back.
    held_back: Option<HeldBack>,
}

impl FetchHistory {
    /// Fetches the chain if it may have changed, and follows it if it is better.
    pub(super) async fn fetch_chain(&mut self, context: &PeerContext) -> Result<(), SyncError> {
        let now = Instant::now();
        if self.not_before.is_some_and(|at| now < at) {
            return Ok(());
        }
        let bytes = context.client.chain_bytes(&context.peer).await?;
        let is_known = self.last_fetch.is_some_and(|(known, at)| {
            Some(known) == bytes && at.elapsed() < REFERENCE_REFRESH_INTERVAL
        });
        if is_known {
            return Ok(());
        }
        let limit = context.node.settings.peers.max_chain_bytes;
        if let Some(bytes) = bytes.filter(|bytes| *bytes > limit) {
            return Err(Incompatibility::ChainTooLarge { bytes, limit }.into());
        }
        let begun = Instant::now();
        let outcome = fetch(context, limit).await;
        let took = begun.elapsed();
        self.not_before = Some(Instant::now() + took.saturating_mul(REFERENCE_INTERVAL_FACTOR));
        let held_back = outcome.as_ref().ok().and_then(|chain| chain.held_back);
        let peers = &context.node.peers;
        peers.with(&context.peer, |peer| peer.held_back = held_back);
        let chain = outcome?;
        self.last_fetch = bytes
            .filter(|_| chain.held_back.is_none())
            .map(|bytes| (bytes, begun));
        mempool::learn(context, chain.rescued).await.map(drop)
    }
}

/// Fetches the chain and follows it if it is better.
async fn fetch(context: &PeerContext, max_bytes: u64) -> Result<FetchedChain, SyncError> {
    let (node, peer) = (Arc::clone(&context.node), context.peer.clone());
    let body = context.client.chain(&context.peer, max_bytes).await?;
    read_blocking(body, move |reader| read(&node, &peer, reader)).await
}

/// Fetches the genesis block of a reference miner.
pub(super) async fn first_block(
    client: &PeerClient,
    peer: &NodeAddress,
) -> Result<Block, SyncError> {
    let body = client.chain(peer, u64::MAX).await?;
    read_blocking(body, |reader| {
        let first = JsonChainReader::new(ChainBody::new(reader)).next();
        Ok(first.ok_or(Misbehaviour::EmptyChain)??)
    })
    .await
}

/// Iterates over our own blocks.
struct OurBlocks<'a> {
    node: &'a Node,
    page: std::vec::IntoIter<Block>,
    next: u64,
}

impl OurBlocks<'_> {
    fn next(&mut self) -> Result<Option<Block>, StoreError> {
        if self.page.len() == 0 {
            self.page = self.node.view()?.blocks(self.next, PAGE)?.into_iter();
        }
        let block = self.page.next();
        self.next += u64::from(block.is_some());
        Ok(block)
    }
}

fn read(node: &Arc<Node>, peer: &NodeAddress, body: BodyReader) -> Result<FetchedChain, SyncError> {
    let mut theirs = JsonChainReader::new(ChainBody::new(body)).peekable();
    let mut ours = OurBlocks {
        node,
        page: Vec::new().into_iter(),
        next: 0,
    };
    let (mut common, mut tip) = (0, None);
    // Blocks that both chains share were checked before.
    while let Some(Ok(block)) = theirs.peek() {
        match ours.next()? {
            Some(held) if held == *block => common += 1,
            _ => break,
        }
        tip = theirs.next();
    }
    if theirs.peek().is_none() {
        if let Some(Ok(tip)) = tip {
            let tip = position(&tip);
            node.peers.with(peer, |peer| peer.tip = Some(tip));
        }
        return Ok(FetchedChain::default());
    }
    if let Some(Err(error)) = theirs.next_if(Result::is_err) {
        return Err(error.into());
    }
    node.check_reorg_allowed(common)?;
    let parent = match tip {
        Some(Ok(tip)) => Some(BlockHash::of(&tip)),
        _ => None,
    };
    sync_blocks(node, peer, (common, parent), theirs)
}

/// Checks and stages the blocks above the fork point, and switches to them if they are better. The
/// fork point is the number of blocks that both chains share, and the hash of the last one.
fn sync_blocks(
    node: &Arc<Node>,
    peer: &NodeAddress,
    (common, parent): (u64, Option<BlockHash>),
    theirs: impl Iterator<Item = Result<Block, crate::reference::ReadError>>,
) -> Result<FetchedChain, SyncError> {
    let length = node.state().length();
    let mut branch = Branch::above(node, parent)?;
    let is_near = common > 0 && length.saturating_sub(common) <= RESCUED_BLOCKS;
    let (mut rescued, mut rescued_bytes) = (Vec::new(), 0);
    let (mut page, mut page_bytes) = (Vec::new(), 0);
    let (mut held_back, mut tip) = (None, None);
    let now = node.clock().seconds();
    for block in theirs {
        let block = block?;
        held_back = HeldBack::of(&block, now);
        if held_back.is_some() {
            break;
        }
        let bytes = block.message.text().len();
        (rescued_bytes, page_bytes) = (rescued_bytes + bytes, page_bytes + bytes);
        if is_near && rescued_bytes <= RESCUED_BYTES {
            rescued.push(block.message.clone());
        }
        page.push(block);
        if page.len() == SYNC_PAGE || page_bytes >= STAGED_BYTES {
            tip = page.last().map(position);
            stage(&mut branch, std::mem::take(&mut page))?;
            page_bytes = 0;
        }
    }
    let Some(tip) = page.last().map(position).or(tip) else {
        return Ok(FetchedChain { rescued, held_back });
    };
    stage(&mut branch, page)?;
    node.peers.with(peer, |peer| peer.tip = Some(tip));
    let adoption = branch.adoption(peer.to_string());
    match branch.adopted(node.write(|reply| Operation::Adopt(adoption, reply))) {
        Ok(reorg) => {
            reorgs::log(&reorg);
            rescued.clear();
            Ok(FetchedChain { rescued, held_back })
        }
        Err(SyncError::NotBetter) => Ok(FetchedChain { rescued, held_back }),
        Err(error) => Err(error),
    }
}

/// Checks and stages a page.
fn stage(branch: &mut Branch, page: Vec<Block>) -> Result<(), SyncError> {
    if page.is_empty() {
        return Ok(());
    }
    branch.check(&page)?;
    branch.check_size()?;
    let staged = branch.stage(page)?.blocking_recv();
    Ok(staged.unwrap_or(Err(StoreError::Closed))?)
}

fn position(tip: &Block) -> Position {
    Position {
        index: tip.index,
        hash: BlockHash::of(tip).to_string(),
    }
}
