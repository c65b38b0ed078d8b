//! Mining and sync status in words.

use crate::ui::format;
use crate::wire::Status;

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
}

impl StatusSummary {
    pub(in crate::ui) fn of(status: &Status) -> Self {
        let (mining, sync) = (&status.mining, &status.sync);
        let tries = 16_f64.powi(i32::from(status.difficulty));
        let is_measured = mining.hash_rate > 0.0;
        Self {
            tries: format::large_number(tries),
            hash_rate: if is_measured {
                format::hash_rate(mining.hash_rate)
            } else {
                "not measured yet".to_owned()
            },
            proof_time: if is_measured {
                format::duration(tries / mining.hash_rate)
            } else {
                String::new()
            },
            mining: match (mining.threads, mining.active) {
                (0, _) => "mining is off",
                (_, true) => "searching for a proof",
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
                (None, ..) => "in sync".to_owned(),
            },
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
        status.sync.answering = 0;
        assert_eq!(StatusSummary::of(&status).sync, "no neighbour responds");
        status.sync.fetching_from = Some("a:1".to_owned());
        status.sync.target = Some(8);
        assert_eq!(StatusSummary::of(&status).sync, "syncing, 25%");
        status.mining.threads = 0;
        status.mining.hash_rate = 0.0;
        let summary = StatusSummary::of(&status);
        assert_eq!(
            (summary.mining, &*summary.proof_time),
            ("mining is off", "")
        );
    }
}
