//! The two branches above a fork: the old one as it was seen, the new one as the node has it.

use super::checks::{Verdict, judge_branch};
use super::poll::PAGE;
use super::recent::ndjson;
use super::source::Source;
use super::state::State;
use crate::client::ClientError;
use crate::wire::{Block, BlockPage};

/// Maximum number of blocks of the new branch.
const MAX_BLOCKS: usize = 10_000;

/// Maximum size of the new branch as JSON, in bytes.
const MAX_BYTES: usize = 64 << 20;

/// Two branches. Each list begins with the last common block, if that is known.
#[derive(Debug)]
pub(super) struct Branches {
    /// Index of the last common block.
    pub(super) fork: Option<u64>,
    pub(super) old: Vec<Block>,
    pub(super) new: Vec<Block>,
    /// Index of the tip of the new branch.
    pub(super) new_tip: u64,
    /// The new branch continues above the blocks in the list.
    pub(super) truncated: bool,
}

impl Branches {
    /// Number of known blocks of the old branch above the fork.
    pub(super) fn disconnected(&self) -> u64 {
        let known = self.old.len() as u64;
        known - u64::from(self.fork.is_some() && known > 0)
    }

    /// Number of blocks of the new branch above the fork, or above the lowest one that was fetched.
    pub(super) fn connected(&self) -> u64 {
        let below = self.fork.or(self.new.first().map(|first| first.index));
        self.new_tip - below.unwrap_or(self.new_tip).min(self.new_tip)
    }

    /// Returns the verdicts on the old and the new branch.
    pub(super) fn verdicts(&self, state: &State) -> (Verdict, Verdict) {
        let judge = |blocks| judge_branch(blocks, self.fork, &state.network);
        (judge(&self.old), judge(&self.new))
    }

    /// Fetches the branch of a node, and finds where it leaves the old one.
    pub(super) async fn fetch<S: Source>(
        node: &S,
        old: Vec<Block>,
        new_tip: u64,
    ) -> Result<Self, ClientError> {
        let fork = find_fork(&old, node, new_tip).await?;
        let lowest = fork.or(old.first().map(|block| block.index));
        let from = lowest.unwrap_or(0).min(new_tip);
        let (new, truncated) = fetch(node, from, new_tip).await?;
        let old = old
            .into_iter()
            .filter(|block| fork.is_none_or(|fork| block.index >= fork))
            .collect();
        Ok(Self {
            fork,
            old,
            new,
            new_tip,
            truncated,
        })
    }

    /// Returns the files of both branches.
    pub(super) fn files(&self) -> [(&'static str, String); 2] {
        [
            ("old.ndjson", ndjson(&self.old)),
            ("new.ndjson", ndjson(&self.new)),
        ]
    }
}

/// Compares hashes downwards. Returns the index of the first block that both branches have.
async fn find_fork<S: Source>(
    old: &[Block],
    node: &S,
    new_tip: u64,
) -> Result<Option<u64>, ClientError> {
    let (Some(lowest), Some(highest)) = (old.first(), old.last()) else {
        return Ok(None);
    };
    let mut next = Some(highest.index.min(new_tip));
    while let Some(from) = next.filter(|from| *from >= lowest.index) {
        let BlockPage { blocks, .. } = node.blocks_down(from, PAGE).await?;
        for block in &blocks {
            let Some(at) = block.index.checked_sub(lowest.index) else {
                return Ok(None);
            };
            let ours = usize::try_from(at).ok().and_then(|at| old.get(at));
            if ours.is_some_and(|ours| ours.hash == block.hash) {
                return Ok(Some(block.index));
            }
        }
        // The node must go down, or the search would not end.
        let last = blocks.last().map(|block| block.index);
        next = last
            .filter(|last| *last <= from)
            .and_then(|last| last.checked_sub(1));
    }
    Ok(None)
}

/// Fetches the blocks of a node from an index to its tip, as far as the limits allow.
async fn fetch<S: Source>(
    node: &S,
    from: u64,
    tip: u64,
) -> Result<(Vec<Block>, bool), ClientError> {
    let mut blocks: Vec<Block> = Vec::new();
    let (mut next, mut bytes) = (Some(from), 0);
    while let Some(from) = next.filter(|from| *from <= tip) {
        let page = node
            .blocks(from, PAGE.min(MAX_BLOCKS - blocks.len()))
            .await?;
        let before = blocks.len();
        for block in page.blocks {
            bytes += serde_json::to_string(&block).map_or(0, |line| line.len());
            if bytes > MAX_BYTES || block.index > tip {
                break;
            }
            blocks.push(block);
        }
        next = blocks.last().map(|block| block.index + 1);
        if blocks.len() == before || blocks.len() >= MAX_BLOCKS || bytes > MAX_BYTES {
            break;
        }
    }
    let reached = blocks.last().is_some_and(|last| last.index >= tip);
    Ok((blocks, !reached))
}
