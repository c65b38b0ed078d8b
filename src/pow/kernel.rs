//! The kernels that try candidates, and the choice among those this machine can run.

use std::ops::Range;

use super::Difficulty;
use super::candidate::Candidate;

/// A way to try candidates; a value stands for one that this machine can run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Compress,
}

/// What became of a range of candidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// The smallest counter of the range that fits.
    Hit(u64),
    /// No counter of the range fits.
    Miss,
    /// The range was left before its end.
    GivenUp,
}

impl Kernel {
    /// Every kernel this machine can run, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        [Self(Kind::Compress)].into_iter()
    }

    /// The fastest kernel this machine can run.
    pub fn best() -> Self {
        Self(Kind::Compress)
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Compress => "compress",
        }
    }

    /// Tries the counters of a range, all of `candidate`'s length.
    pub(super) fn scan(
        self,
        candidate: &mut Candidate,
        counters: Range<u64>,
        difficulty: Difficulty,
        give_up: impl Fn() -> bool,
    ) -> Scan {
        match self.0 {
            Kind::Compress => one_by_one(candidate, counters, difficulty, give_up),
        }
    }
}

/// Tries one candidate at a time: the reference for every other kernel.
fn one_by_one(
    candidate: &mut Candidate,
    counters: Range<u64>,
    difficulty: Difficulty,
    give_up: impl Fn() -> bool,
) -> Scan {
    /// How many tries pass before asking again whether to give up: a fraction of a millisecond.
    const POLL: u64 = 1024;

    candidate.set(counters.start);
    let mut state = candidate.state_before_last();
    let last_block = if candidate.spills { 64 } else { 0 };
    for counter in counters.clone() {
        if (counter - counters.start).is_multiple_of(POLL) && give_up() {
            return Scan::GivenUp;
        }
        if candidate.zeros_after(state) >= difficulty.get() {
            return Scan::Hit(counter);
        }
        if candidate.increment() < last_block {
            state = candidate.state_before_last();
        }
    }
    Scan::Miss
}
