//! Clocks that disagree: the local clock and those of the neighbours, and blocks from the future.
//!
//! A block dated more than [`MAX_BLOCK_AHEAD`] ahead of the local clock is held back until it is no
//! longer that far ahead. Such a block is not misbehaviour: the clock of its miner may be right and
//! ours wrong. Both sides log a warning, because the network stays split until the wrong clock is
//! set. The local clock is compared with the times in the status of neighbours that run this
//! program. It is never changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Node;
use super::peers::held_back::{HeldBack, date};
use super::settings::{CLOCK_CHECK_INTERVAL, MAX_BLOCK_AHEAD, MAX_CLOCK_OFFSET};
use crate::store::StoreError;
use crate::text::Span;

/// A disagreement of clocks.
#[derive(Clone, Debug, PartialEq)]
enum ClockIssue {
    /// The local clock is ahead of the median of the neighbours by this many seconds.
    Local { ahead: f64, neighbours: usize },
    /// The tip is ahead of the local clock by this many seconds.
    Tip {
        index: u64,
        timestamp: f64,
        ahead: f64,
    },
    /// A block of a peer is held back.
    HeldBack { peer: String, block: HeldBack },
}

impl ClockIssue {
    /// Returns the subject of the issue, which is logged once whatever the figures.
    fn key(&self) -> String {
        match self {
            Self::Local { .. } => "local".to_owned(),
            Self::Tip { .. } => "tip".to_owned(),
            Self::HeldBack { peer, .. } => format!("peer {peer}"),
        }
    }
}

impl std::fmt::Display for ClockIssue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local { ahead, neighbours } => {
                let direction = if *ahead > 0.0 { "ahead of" } else { "behind" };
                write!(
                    f,
                    "this machine's clock is {} {direction} its neighbours' (median of \
                     {neighbours}): set the one that is wrong, preferably by NTP; a node holds \
                     back blocks dated more than {} h ahead of its clock",
                    Span(ahead.abs().round()),
                    MAX_BLOCK_AHEAD / 3600.0
                )
            }
            Self::Tip {
                index,
                timestamp,
                ahead,
            } => write!(
                f,
                "the tip, block {index}, is dated {}, {} ahead of this machine's clock: set this \
                 clock or that of the machine that mined it, preferably by NTP",
                date(*timestamp),
                Span(*ahead)
            ),
            Self::HeldBack { peer, block } => write!(f, "{peer}: {block}"),
        }
    }
}

/// Returns the minimum offset from the local clock, in seconds (negative if behind), of a clock
/// that showed `theirs` between the local times `before` and `after`. Returns `None` if the local
/// clock was set meanwhile or `theirs` is not finite.
pub(super) fn offset(theirs: f64, before: f64, after: f64) -> Option<f64> {
    (theirs.is_finite() && before <= after).then(|| theirs - theirs.clamp(before, after))
}

/// Returns the median; of two middle values, the one nearer to 0.
fn median(mut offsets: Vec<f64>) -> Option<f64> {
    offsets.sort_by(f64::total_cmp);
    let upper = *offsets.get(offsets.len() / 2)?;
    let lower = *offsets.get((offsets.len() - 1) / 2)?;
    Some(if lower.abs() < upper.abs() {
        lower
    } else {
        upper
    })
}

impl Node {
    /// Returns the median of the neighbours' clock offsets in seconds ahead of the local clock;
    /// `None` if no offset is known.
    pub(crate) fn clock_offset(&self) -> Option<f64> {
        median(self.peers.clock_offsets())
    }

    /// Returns the seconds by which the tip is ahead of the local clock; 0 if it is not.
    pub(crate) fn tip_ahead(&self) -> f64 {
        (self.state().tip.timestamp.seconds() - self.clock().seconds()).max(0.0)
    }

    /// Returns the warnings about clocks that disagree.
    pub(super) fn clock_warnings(&self) -> Vec<String> {
        let issues = self.clock_issues().into_iter();
        issues.map(|issue| issue.to_string()).collect()
    }

    fn clock_issues(&self) -> Vec<ClockIssue> {
        let mut issues = Vec::new();
        let offsets = self.peers.clock_offsets();
        let neighbours = offsets.len();
        if let Some(offset) = median(offsets)
            && offset.abs() > MAX_CLOCK_OFFSET
        {
            let ahead = -offset;
            issues.push(ClockIssue::Local { ahead, neighbours });
        }
        let (tip, ahead) = (self.state().tip.clone(), self.tip_ahead());
        if ahead > MAX_CLOCK_OFFSET {
            issues.push(ClockIssue::Tip {
                index: tip.index,
                timestamp: tip.timestamp.seconds(),
                ahead,
            });
        }
        let held_back = self.peers.held_back().into_iter();
        issues.extend(held_back.map(|(peer, block)| ClockIssue::HeldBack { peer, block }));
        issues
    }
}

/// Logs disagreements of clocks, each once until it is resolved.
pub(super) async fn run(node: Arc<Node>, shutdown: CancellationToken) -> Result<(), StoreError> {
    let mut logged = BTreeSet::new();
    while !shutdown.is_cancelled() {
        let issues = node.clock_issues();
        for issue in &issues {
            if !logged.contains(&issue.key()) {
                warn!(reason = %issue, "clocks disagree");
            }
        }
        let found: BTreeSet<_> = issues.iter().map(ClockIssue::key).collect();
        if found.is_empty() && !logged.is_empty() {
            info!("the clocks agree again");
        }
        logged = found;
        tokio::select! {
            () = tokio::time::sleep(CLOCK_CHECK_INTERVAL) => {}
            () = shutdown.cancelled() => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_excludes_the_duration_of_the_request() {
        assert_eq!(offset(101.0, 100.0, 102.0), Some(0.0));
        assert_eq!(offset(110.0, 100.0, 102.0), Some(8.0));
        assert_eq!(offset(90.0, 100.0, 102.0), Some(-10.0));
        assert_eq!(offset(101.0, 102.0, 100.0), None);
        assert_eq!(offset(f64::NAN, 100.0, 102.0), None);
        assert_eq!(offset(f64::INFINITY, 100.0, 102.0), None);
    }

    #[test]
    fn of_two_middle_offsets_the_median_is_the_smaller() {
        for (offsets, expected) in [
            (vec![], None),
            (vec![-9.0], Some(-9.0)),
            (vec![9000.0, 0.5], Some(0.5)),
            (vec![0.0, -9000.0], Some(0.0)),
            (vec![9000.0, 1.0, -9000.0], Some(1.0)),
            (vec![9000.0, 9001.0, 1.0], Some(9000.0)),
        ] {
            assert_eq!(median(offsets.clone()), expected, "{offsets:?}");
        }
    }
}
