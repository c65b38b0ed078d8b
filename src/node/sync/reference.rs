//! Chain sync with reference miners, which answer with their whole chain or nothing.
//!
//! The length in bytes is asked for first, and the chain only if that changed. It is parsed as it
//! arrives, on a thread that may block, and compared with ours; what differs is checked and staged
//! like any other branch. Messages of a valid branch that is not followed are taken in, since the
//! reference would lose them.

use std::sync::Arc;

use tokio::time::Instant;

use super::branch::Branch;
use super::context::PeerContext;
use super::error::SyncError;
use super::mempool;
use crate::chain::{Block, BlockHash, Message};
use crate::client::{BodyReader, NodeAddress, PeerClient, read_blocking};
use crate::node::clocks::HeldBack;
use crate::node::settings::{REFERENCE_REFRESH, REFERENCE_SHARE, RESCUED_BLOCKS, SYNC_PAGE};
use crate::node::{Node, reorgs};
use crate::reference::json::{ChainBody, JsonChainReader};
use crate::store::{Operation, PageLimit, Rejection, StoreError};
use crate::wire::Position;

/// Most bytes of messages that are staged at a time.
const STAGED_BYTES: usize = 1024 * 1024;

/// Most bytes of messages that are rescued from one branch.
const RESCUED_BYTES: usize = 8 * 1024 * 1024;

/// How our blocks are read to compare them.
const PAGE: PageLimit = PageLimit {
    count: SYNC_PAGE,
    bytes: 1024 * 1024,
};

/// What is known of a reference miner's chain from earlier rounds.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// Its length in bytes, and when it was fetched.
    fetched: Option<(u64, Instant)>,
    /// When it may be fetched again.
    not_before: Option<Instant>,
}

/// What became of a chain that was read.
#[derive(Default)]
struct Verdict {
    /// It is valid and not followed; these of its messages could get lost.
    rescued: Vec<Message>,
    /// The rest of it has a time too far ahead: not yet.
    held_back: Option<HeldBack>,
}

impl Progress {
    /// Fetches the chain if it may have changed, and follows it if it is better.
    pub(super) async fn fetch_chain(&mut self, context: &PeerContext) -> Result<(), SyncError> {
        let now = Instant::now();
        if self.not_before.is_some_and(|at| now < at) {
            return Ok(());
        }
        let bytes = context.client.chain_bytes(&context.peer).await?;
        let is_known = self
            .fetched
            .is_some_and(|(known, at)| Some(known) == bytes && at.elapsed() < REFERENCE_REFRESH);
        if is_known {
            return Ok(());
        }
        let most = context.node.settings.peers.max_chain_bytes;
        if let Some(bytes) = bytes.filter(|bytes| *bytes > most) {
            return Err(SyncError::Incompatible(format!(
                "has a chain of {bytes} bytes, more than the {most} of --max-chain-bytes"
            )));
        }
        let begun = Instant::now();
        let outcome = fetch(context, most).await;
        let took = begun.elapsed();
        self.not_before = Some(Instant::now() + took.saturating_mul(REFERENCE_SHARE));
        let held_back = outcome.as_ref().ok().and_then(|verdict| verdict.held_back);
        let peers = &context.node.peers;
        peers.with(&context.peer, |peer| peer.held_back = held_back);
        let verdict = outcome?;
        self.fetched = bytes
            .filter(|_| verdict.held_back.is_none())
            .map(|bytes| (bytes, begun));
        mempool::learn(context, verdict.rescued).await.map(drop)
    }
}

/// Fetches the chain and follows it if it is better.
async fn fetch(context: &PeerContext, most: u64) -> Result<Verdict, SyncError> {
    let (node, peer) = (Arc::clone(&context.node), context.peer.clone());
    let body = context.client.chain(&context.peer, most).await?;
    read_blocking(body, move |reader| read(&node, &peer, reader)).await
}

/// The genesis block of a reference miner.
pub(super) async fn first_block(
    client: &PeerClient,
    peer: &NodeAddress,
) -> Result<Block, SyncError> {
    let body = client.chain(peer, u64::MAX).await?;
    read_blocking(body, |reader| {
        let first = JsonChainReader::new(ChainBody::new(reader)).next();
        let first = first.ok_or_else(|| SyncError::Misbehaved("has an empty chain".to_owned()))?;
        first.map_err(|error| refused(&error))
    })
    .await
}

/// Our own blocks, one after the other.
struct Ours<'a> {
    node: &'a Node,
    page: std::vec::IntoIter<Block>,
    next: u64,
}

impl Ours<'_> {
    fn next(&mut self) -> Result<Option<Block>, StoreError> {
        if self.page.len() == 0 {
            self.page = self.node.view()?.blocks(self.next, PAGE)?.into_iter();
        }
        let block = self.page.next();
        self.next += u64::from(block.is_some());
        Ok(block)
    }
}

fn read(node: &Arc<Node>, peer: &NodeAddress, arriving: BodyReader) -> Result<Verdict, SyncError> {
    let mut theirs = JsonChainReader::new(ChainBody::new(arriving)).peekable();
    let mut ours = Ours {
        node,
        page: Vec::new().into_iter(),
        next: 0,
    };
    let (mut common, mut tip) = (0, None);
    // As long as both agree, nothing has to be checked.
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
        return Ok(Verdict::default());
    }
    if let Some(Err(error)) = theirs.peek() {
        return Err(refused(error));
    }
    node.check_reorg_allowed(common)?;
    follow(node, peer, common, theirs)
}

/// Checks and stages the blocks from the fork point on, and follows them if they are better.
fn follow(
    node: &Arc<Node>,
    peer: &NodeAddress,
    common: u64,
    theirs: impl Iterator<Item = Result<Block, crate::reference::ReadError>>,
) -> Result<Verdict, SyncError> {
    let length = node.state().length();
    let mut branch = Branch::above(node, common)?;
    let is_near = common > 0 && length.saturating_sub(common) <= RESCUED_BLOCKS;
    let (mut rescued, mut rescued_bytes) = (Vec::new(), 0);
    let (mut page, mut page_bytes) = (Vec::new(), 0);
    let (mut held_back, mut tip) = (None, None);
    let now = node.clock().seconds();
    for block in theirs {
        let block = block.map_err(|error| refused(&error))?;
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
        return Ok(Verdict { rescued, held_back });
    };
    stage(&mut branch, page)?;
    node.peers.with(peer, |peer| peer.tip = Some(tip));
    let adoption = branch.adoption(peer.to_string());
    match node.write(|reply| Operation::Adopt(adoption, reply)) {
        Ok(reorg) => {
            reorgs::log(&reorg);
            rescued.clear();
            Ok(Verdict { rescued, held_back })
        }
        Err(StoreError::Rejected(Rejection::NotPreferred)) => Ok(Verdict { rescued, held_back }),
        Err(StoreError::Rejected(Rejection::StaleTip | Rejection::NotConnected)) => {
            Err(SyncError::ChainMoved)
        }
        Err(StoreError::Rejected(rejection)) => Err(SyncError::Incompatible(format!(
            "has a branch that is refused: {rejection}"
        ))),
        Err(error) => Err(error.into()),
    }
}

/// Checks a page and puts it aside until the branch is complete.
fn stage(branch: &mut Branch, page: Vec<Block>) -> Result<(), SyncError> {
    if page.is_empty() {
        return Ok(());
    }
    let checked = branch.check(&page);
    checked.map_err(|invalid| SyncError::refused_block(&invalid))?;
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

fn refused(error: &crate::reference::ReadError) -> SyncError {
    SyncError::Misbehaved(format!("sends a chain that is refused: {error}"))
}
