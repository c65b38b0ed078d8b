//! Mining and sync status in words.

use super::peer_row::is_companion;
use crate::ui::format;
use crate::wire::{Neighbour, Status};

/// Mining and sync status in words.
#[derive(Debug)]
pub(in crate::ui) struct StatusSummary {
    /// Expected number of tries for a proof.
    pub(in crate::ui) tries: String,
    /// The last measured hash rate.
    pub(in crate::ui) hash_rate: String,
    /// Expected time for a proof at that rate; empty if the rate is unknown.
    pub(in crate::ui) proof_time: String,
    pub(in crate::ui) mining: &'static str,
    pub(in crate::ui) sync: String,
    /// Nobody is known who would mine the pending messages.
    pub(in crate::ui) is_stuck: bool,
}

impl StatusSummary {
    /// Takes into account which peers are on the network of the node.
    pub(in crate::ui) fn with_peers(status: &Status, peers: Option<&[Neighbour]>) -> Self {
        let summary = Self::of(status);
        let sync = &status.sync;
        let is_alone = match peers {
            Some(peers) => !peers.iter().any(|peer| is_companion(peer, status)),
            None => sync.answering == 0,
        };
        Self {
            is_stuck: is_alone && status.mempool.count > 0 && status.mining.threads == 0,
            sync: if is_alone && sync.answering > 0 && sync.fetching_from.is_none() {
                "no neighbour is on this network".to_owned()
            } else {
                summary.sync
            },
            ..summary
        }
    }

    fn of(status: &Status) -> Self {
        let (mining, sync) = (&status.mining, &status.sync);
        let tries = 16_f64.powi(i32::from(status.difficulty));
        let is_measured = mining.hash_rate > 0.0;
        Self {
            tries: format::large_number(tries),
            hash_rate: if is_measured {
                format::hash_rate(mining.hash_rate)
            } else {
                "unknown".to_owned()
            },
            proof_time: if is_measured {
                format::duration(tries / mining.hash_rate)
            } else {
                String::new()
            },
            mining: match (mining.threads, mining.active) {
                (0, _) => "mining is off",
                (_, true) => "searching for a proof",
                (_, false) if status.mempool.count > 0 => "paused",
                (_, false) => "idle: mempool empty",
            },
            sync: match (&sync.fetching_from, sync.target, sync.neighbours) {
                (Some(_), Some(target), _) => {
                    let percent = status.length.saturating_mul(100) / target.max(1);
                    format!("syncing, {}%", percent.min(99))
                }
                (Some(_), None, _) => "syncing".to_owned(),
                (None, _, 0) => "standalone".to_owned(),
                (None, ..) if sync.answering == 0 => "no neighbour responds".to_owned(),
                (None, ..) if !sync.differences.is_empty() => {
                    "not following every neighbour".to_owned()
                }
                (None, ..) => "in sync".to_owned(),
            },
            is_stuck: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;

    #[test]
    fn sync_and_mining_status_are_described_in_words() {
        let mut status = samples::status();
        assert_eq!(StatusSummary::of(&status).sync, "in sync");
        let alone = StatusSummary::with_peers(&status, Some(&[]));
        assert_eq!(alone.sync, "no neighbour is on this network");
        status.sync.differences = vec!["a:1: different genesis block".to_owned()];
        let summary = StatusSummary::of(&status);
        assert_eq!(summary.sync, "not following every neighbour");
        status.sync.differences.clear();
        status.mining.active = false;
        assert_eq!(StatusSummary::of(&status).mining, "paused");
        status.mempool.count = 0;
        assert_eq!(StatusSummary::of(&status).mining, "idle: mempool empty");
        status.mempool.count = 1;
        status.sync.answering = 0;
        assert_eq!(StatusSummary::of(&status).sync, "no neighbour responds");
        status.sync.fetching_from = Some("a:1".to_owned());
        status.sync.target = Some(8);
        assert_eq!(StatusSummary::of(&status).sync, "syncing, 25%");
        status.mining.threads = 0;
        status.sync.answering = 1;
        let is_stuck = |peers| StatusSummary::with_peers(&status, peers).is_stuck;
        assert!(!is_stuck(None), "a neighbour responds");
        assert!(is_stuck(Some(&[])));
        status.mining.hash_rate = 0.0;
        let summary = StatusSummary::of(&status);
        assert_eq!(
            (summary.mining, &*summary.proof_time),
            ("mining is off", "")
        );
    }
}
