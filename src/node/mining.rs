//! Figures of the miner.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Figures of the miner, as it updates them.
#[derive(Debug, Default)]
pub struct Mining {
    /// `true` while a search is running.
    pub active: AtomicBool,
    /// Number of candidates tried since the start.
    pub tries: AtomicU64,
    /// Candidates per second in the last batch, as the bits of an `f64`.
    pub hash_rate: AtomicU64,
}

/// Figures of the miner at one moment.
#[derive(Clone, Copy, Debug)]
pub struct MiningFigures {
    /// `true` if a search is running.
    pub active: bool,
    /// Number of candidates tried since the start.
    pub tries: u64,
    /// Candidates per second in the last batch.
    pub hash_rate: f64,
}

impl Mining {
    /// Returns the current figures.
    pub fn snapshot(&self) -> MiningFigures {
        MiningFigures {
            active: self.active.load(Ordering::Relaxed),
            tries: self.tries.load(Ordering::Relaxed),
            hash_rate: f64::from_bits(self.hash_rate.load(Ordering::Relaxed)),
        }
    }
}
