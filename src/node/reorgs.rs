//! Logs reorgs, and counts them for metrics and status.

use std::sync::{Mutex, PoisonError};

use tracing::{info, warn};

use super::Node;
use crate::chain::ReorgCounts;
use crate::store::{Operation, ReorgRecord, StoreError};

/// Number of reorgs read at a time.
const PAGE: usize = 1000;

/// Totals over all reorgs since the database was created.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReorgTotals {
    /// Number of reorgs.
    pub count: u64,
    /// Number of blocks in all of them.
    pub blocks: ReorgCounts,
    /// Number of deep reorgs.
    pub deep: u64,
    /// Number of reorgs that replaced sealed blocks by open ones.
    pub trading_sealed: u64,
    /// Maximum number of blocks disconnected by one reorg.
    pub max_depth: u64,
    /// The last notable reorg, with its number.
    pub last_notable: Option<(u64, ReorgRecord)>,
}

impl ReorgTotals {
    fn add(&mut self, number: u64, reorg: ReorgRecord) {
        let counts = reorg.counts();
        self.blocks.disconnected += counts.disconnected;
        self.blocks.disconnected_sealed += counts.disconnected_sealed;
        self.blocks.connected += counts.connected;
        self.blocks.connected_sealed += counts.connected_sealed;
        self.deep += u64::from(counts.is_deep());
        self.trading_sealed += u64::from(counts.trades_sealed());
        self.max_depth = self.max_depth.max(counts.disconnected);
        let last = self.last_notable.as_ref().map_or(0, |(last, _)| *last);
        if counts.is_notable() && number > last {
            let reorg = ReorgRecord {
                // The blocks are listed with the reorg itself.
                disconnected_blocks: Vec::new(),
                ..reorg
            };
            self.last_notable = Some((number, reorg));
        }
    }
}

/// Totals over the reorgs read so far.
#[derive(Debug, Default)]
pub(super) struct ReorgTotalsCache(Mutex<ReorgTotals>);

impl Node {
    /// Returns the totals over all reorgs; reads those since the last call.
    pub(crate) fn reorg_totals(&self) -> Result<ReorgTotals, StoreError> {
        let read = self.reorgs.0.lock();
        let mut totals = read.unwrap_or_else(PoisonError::into_inner);
        let count = self.state().reorgs();
        if totals.count < count {
            let view = self.view()?;
            while totals.count < count {
                let last = count.min(totals.count + PAGE as u64);
                let page = usize::try_from(last - totals.count).unwrap_or(PAGE);
                for (number, reorg) in view.reorgs(last, page)? {
                    totals.add(number, reorg);
                }
                totals.count = last;
            }
        }
        Ok(totals.clone())
    }
}

impl Node {
    /// Records that the administrator has looked at the reorgs up to this number; it is on disk when
    /// this returns.
    pub(crate) async fn acknowledge_reorgs(&self, number: u64) -> Result<(), StoreError> {
        let answer = self.submit(|reply| Operation::Acknowledge(number, reply))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }
}

/// Logs a reorg.
pub(super) fn log(reorg: &ReorgRecord) {
    if reorg.disconnected == 0 {
        return;
    }
    macro_rules! log_reorg {
        ($level:ident, $text:literal) => {
            $level!(
                from = reorg.from,
                disconnected = reorg.disconnected,
                disconnected_sealed = reorg.disconnected_sealed,
                connected = reorg.connected,
                connected_sealed = reorg.connected_sealed,
                returned = reorg.returned,
                source = reorg.source,
                $text
            )
        };
    }
    let counts = reorg.counts();
    if counts.is_deep() {
        log_reorg!(
            warn,
            "deep reorg: many blocks were replaced by another branch"
        );
    } else {
        log_reorg!(info, "reorg: switched to another branch");
    }
    if counts.trades_sealed() {
        warn!(
            sealed_before = reorg.disconnected_sealed,
            sealed_now = reorg.connected_sealed,
            "a reorg replaced sealed blocks by open ones"
        );
    }
}
