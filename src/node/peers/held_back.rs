//! The block of a peer that is dated too far in the future to be connected now.

use crate::chain::Block;
use crate::node::settings::MAX_BLOCK_AHEAD;
use crate::wire::calendar_time;

/// The first block of a peer that is held back.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct HeldBack {
    /// Index of the block.
    pub index: u64,
    /// Timestamp of the block in seconds since the epoch.
    pub timestamp: f64,
}

impl HeldBack {
    /// Truncates a page of a peer's blocks before the first one that is too far ahead of the time
    /// `now`, and returns that block.
    pub(in crate::node) fn cut(page: &mut Vec<Block>, now: f64) -> Option<Self> {
        let position = page
            .iter()
            .position(|block| Self::of(block, now).is_some())?;
        let held_back = Self::of(&page[position], now);
        page.truncate(position);
        held_back
    }

    /// Returns the block if it must be held back at the time `now`.
    pub(in crate::node) fn of(block: &Block, now: f64) -> Option<Self> {
        let timestamp = block.timestamp.seconds();
        (timestamp > now + MAX_BLOCK_AHEAD).then_some(Self {
            index: block.index,
            timestamp,
        })
    }
}

impl std::fmt::Display for HeldBack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { index, timestamp } = *self;
        write!(
            f,
            "block {index} is dated {}, more than {} h ahead of this machine's clock, and is held \
             back until then: set the clock of the machine that mined it, or of this one, preferably \
             by NTP",
            date(timestamp),
            MAX_BLOCK_AHEAD / 3600.0
        )
    }
}

/// Returns a block's time for people.
pub(in crate::node) fn date(seconds: f64) -> String {
    calendar_time(seconds).unwrap_or_else(|| format!("{seconds} s after the epoch"))
}
