//! The drawing of a reorg: the last common block and the two branches above it, newest first.

use askama::Template;
use askama::filters::HtmlSafe;

use crate::wire::Reorg;

/// Maximum number of blocks drawn of each branch.
const MAX_BLOCKS: u64 = 6;

/// Width of a block with its link.
const STEP: u64 = 76;

/// The fork of a reorg.
#[derive(Debug, Template)]
#[template(path = "parts/fork.html", config = "src/ui/askama.toml")]
pub(in crate::ui) struct Fork {
    /// Index of the last common block; `None` if the genesis block was replaced.
    common: Option<u64>,
    /// Left edge of the last common block.
    common_x: u64,
    disconnected: Branch,
    connected: Branch,
}

impl HtmlSafe for Fork {}

#[derive(Debug)]
struct Branch {
    count: u64,
    /// Index and left edge of each block, from the fork on.
    blocks: Vec<(u64, u64)>,
}

impl Branch {
    fn new(from: u64, count: u64, common_x: u64) -> Self {
        let shown = 0..count.min(MAX_BLOCKS);
        Self {
            count,
            blocks: shown
                .map(|nth| (from.saturating_add(nth), common_x - STEP * (nth + 1)))
                .collect(),
        }
    }

    /// Returns `true` if the branch has more blocks than are drawn.
    fn is_cut(&self) -> bool {
        self.count > self.blocks.len() as u64
    }

    /// Returns the left edge of the newest block.
    fn end(&self) -> u64 {
        self.blocks.last().map_or(0, |(_, x)| *x)
    }
}

impl Fork {
    pub(in crate::ui) fn of(reorg: &Reorg) -> Self {
        let longest = reorg.disconnected.max(reorg.connected).min(MAX_BLOCKS);
        let common_x = STEP * longest + 24;
        Self {
            common: reorg.from.checked_sub(1),
            common_x,
            disconnected: Branch::new(reorg.from, reorg.disconnected, common_x),
            connected: Branch::new(reorg.from, reorg.connected, common_x),
        }
    }

    fn width(&self) -> u64 {
        self.common_x + 64
    }
}
