//! The kernels that try candidates, and the selection of the fastest one that the processor supports.

use std::ops::Range;

use super::Difficulty;
use super::candidate::Candidate;
use super::lanes::{Lanes, ROWS};

/// An implementation of the search for this processor. Values exist only for supported instruction
/// sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel(Kind);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Lanes(Lanes),
    Compress,
}

/// Outcome of searching a range of counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scan {
    /// The smallest counter of the range that solves the puzzle.
    Hit(u64),
    /// No counter of the range solves the puzzle.
    Miss,
    /// The search was stopped before the end of the range.
    Stopped,
}

impl Kernel {
    /// Returns all kernels that the processor supports, the fastest first.
    pub fn available() -> impl Iterator<Item = Self> {
        let compress = |wanted| (has_sha_instructions() == wanted).then_some(Kind::Compress);
        let kinds = [
            Lanes::avx512().map(Kind::Lanes),
            Lanes::avx2().map(Kind::Lanes),
            compress(true),
            Some(Kind::Lanes(Lanes::portable())),
            compress(false),
        ];
        kinds.into_iter().flatten().map(Self)
    }

    /// Returns the fastest kernel for the search.
    pub fn best() -> Self {
        Self::available().next().unwrap_or(Self(Kind::Compress))
    }

    /// Returns the fastest kernel for [`Texts`](super::Texts). Complete digests need all rounds, so
    /// SHA-256 instructions are faster than all vectors but the widest.
    pub fn best_for_texts() -> Self {
        let narrow = Lanes::avx2().filter(|_| has_sha_instructions());
        Self::available()
            .find(|kernel| narrow.is_none() || kernel.lanes() != narrow)
            .unwrap_or(Self(Kind::Compress))
    }

    /// Returns the name of the kernel.
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Lanes(lanes) => lanes.name(),
            Kind::Compress => "compress",
        }
    }

    /// Returns the vector instruction set of the kernel, if it uses one.
    pub(super) const fn lanes(self) -> Option<Lanes> {
        match self.0 {
            Kind::Lanes(lanes) => Some(lanes),
            Kind::Compress => None,
        }
    }

    /// Tries a range of counters, all with the number of digits of `candidate`.
    pub(super) fn scan(
        self,
        candidate: &mut Candidate,
        counters: Range<u64>,
        difficulty: Difficulty,
        should_stop: impl Fn() -> bool,
    ) -> Scan {
        match self.0 {
            Kind::Lanes(lanes) => by_rows(lanes, candidate, counters, difficulty, should_stop),
            Kind::Compress => one_by_one(candidate, counters, difficulty, should_stop),
        }
    }
}

/// Returns `true` if the processor has SHA-256 instructions, which `sha2` then uses.
fn has_sha_instructions() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("sha");
    #[cfg(target_arch = "aarch64")]
    return std::arch::is_aarch64_feature_detected!("sha2");
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    return false;
}

/// Tries one candidate at a time. The other kernels are tested against it.
fn one_by_one(
    candidate: &mut Candidate,
    counters: Range<u64>,
    difficulty: Difficulty,
    should_stop: impl Fn() -> bool,
) -> Scan {
    /// Number of tries between two polls of `should_stop`, a fraction of a millisecond.
    const POLL: u64 = 1024;

    candidate.set(counters.start);
    let mut state = candidate.state_before_last();
    for counter in counters.clone() {
        if (counter - counters.start).is_multiple_of(POLL) && should_stop() {
            return Scan::Stopped;
        }
        if candidate.zeros_after(state) >= difficulty.get() {
            return Scan::Hit(counter);
        }
        if candidate.increment() {
            state = candidate.state_before_last();
        }
    }
    Scan::Miss
}

/// Tries candidates in vector lanes, if the position of the digits allows it.
///
/// A row is a value of three digits that share a word ([`Candidate::row_step`]). If digits follow
/// them, each value of those digits is tried on the same rows. A hit in one row does not rule out a
/// smaller counter in a lower row, so the remaining values are tried on the lower rows.
fn by_rows(
    lanes: Lanes,
    candidate: &mut Candidate,
    counters: Range<u64>,
    difficulty: Difficulty,
    should_stop: impl Fn() -> bool,
) -> Scan {
    let whole_rows =
        |step: &u64| counters.start.is_multiple_of(*step) && counters.end.is_multiple_of(*step);
    let Some(step) = candidate.row_step().filter(whole_rows) else {
        return one_by_one(candidate, counters, difficulty, should_stop);
    };
    let mut start = counters.start;
    let max_rows = rows_at_once(step, difficulty);
    while start < counters.end {
        let first = u16::try_from(start / step % u64::from(ROWS)).expect("a remainder of 1000");
        let row_zero = start - u64::from(first) * step;
        let left = u16::try_from((counters.end - row_zero) / step).unwrap_or(ROWS);
        let end = ROWS.min(first + max_rows).min(left);
        let mut end_row = end;
        let mut hit = None;
        for after in 0..step {
            if should_stop() {
                return Scan::Stopped;
            }
            candidate.set(row_zero + after);
            let batch = candidate.batch(difficulty);
            let mut rows = first..end_row;
            while let Some(row) = lanes.find(&batch, rows.clone()) {
                let counter = row_zero + u64::from(row) * step + after;
                // The lanes compute only the last word of the digest.
                if candidate.zeros(counter) >= difficulty.get() {
                    hit = Some(counter);
                    end_row = row;
                    break;
                }
                rows.start = row + 1;
            }
        }
        if let Some(counter) = hit {
            return Scan::Hit(counter);
        }
        start = row_zero + u64::from(end) * step;
    }
    Scan::Miss
}

/// Returns the number of rows to search before the next ones are started.
///
/// If digits follow those of the row, a larger batch than the expected number of tries would be
/// wasted on counters above the first hit.
fn rows_at_once(step: u64, difficulty: Difficulty) -> u16 {
    if step == 1 {
        return ROWS;
    }
    let expected_tries = 1 << (4 * u64::from(difficulty.get()).min(5));
    u16::try_from(expected_tries / step).map_or(ROWS, |rows| rows.clamp(16, ROWS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pow::candidate::Prefix;
    use crate::pow::zeros;

    /// Checks every kernel against hashing the text of each counter.
    fn check(prefix: &[u8], fixed_zeros: u32, digits: u32, counters: Range<u64>, difficulty: u8) {
        let width = (fixed_zeros + digits) as usize;
        let is_hit =
            |counter: &u64| zeros(prefix, format!("{counter:0width$}").as_bytes()) >= difficulty;
        let expected = counters.clone().find(is_hit).map_or(Scan::Miss, Scan::Hit);
        let difficulty = Difficulty::new(difficulty).unwrap();
        let prefix = Prefix::new(prefix);
        for kernel in Kernel::available() {
            let mut candidate = Candidate::new(&prefix, fixed_zeros, digits);
            let scan = kernel.scan(&mut candidate, counters.clone(), difficulty, || false);
            assert_eq!(
                scan,
                expected,
                "{} {width} digits {counters:?}",
                kernel.name()
            );
        }
    }

    #[test]
    fn every_kernel_agrees_at_every_padding_border() {
        for (len, digits) in (0..=130).zip((5..=19).cycle()) {
            check(&vec![b'7'; len], 0, digits, 10_000..20_000, 2);
        }
    }

    #[test]
    fn every_kernel_agrees_where_a_carry_adds_a_digit() {
        for (digits, len) in (5..=19).zip([4, 36, 37, 38, 39, 100].into_iter().cycle()) {
            let nines = 10_u64.pow(digits - 1);
            check(&vec![b'3'; len], 0, digits, nines - 500..nines + 2500, 3);
            check(
                &vec![b'3'; len],
                0,
                digits,
                9 * nines - 100..9 * nines + 500,
                3,
            );
        }
    }

    #[test]
    fn rows_cut_anywhere_give_the_smallest_hit_of_the_range() {
        for start in [0, 1, 15, 16, 17, 983, 999, 1000, 1001] {
            for count in [0, 1, 15, 16, 17, 33, 999, 1000, 1001] {
                for prefix in [[b'5'; 45].as_slice(), &[b'5'; 46], &[b'5'; 47]] {
                    check(prefix, 0, 8, start..start + count, 2);
                }
            }
        }
        // Two digits follow the row: batches of 16, 32, … rows, 100 times each.
        for first in [0, 100, 1500, 99_800] {
            check(&[b'5'; 46], 0, 8, first..first + 6400, 3);
        }
    }

    #[test]
    fn above_difficulty_8_a_last_word_of_zeros_is_not_enough() {
        // 938532467, the first proof of this width after the genesis, has 8 zeros and not 9.
        check(b"None", 32, 19, 938_532_400..938_532_500, 8);
        check(b"None", 32, 19, 938_532_400..938_532_500, 9);
    }

    #[test]
    fn every_kernel_stops_when_told_to() {
        let mut candidate = Candidate::new(&Prefix::new(b"None"), 0, 19);
        for kernel in Kernel::available() {
            let polls = std::cell::Cell::new(0);
            let should_stop = || {
                polls.set(polls.get() + 1);
                polls.get() > 3
            };
            let all = 0..10_u64.pow(19);
            let scan = kernel.scan(&mut candidate, all, Difficulty::MAX, should_stop);
            assert_eq!((scan, polls.get()), (Scan::Stopped, 4), "{}", kernel.name());
        }
    }

    #[test]
    fn the_best_kernel_is_the_first_available() {
        assert_eq!(Kernel::available().next(), Some(Kernel::best()));
        let for_texts = Kernel::best_for_texts();
        assert!(Kernel::available().any(|kernel| kernel == for_texts));
        assert!(for_texts.name() != "avx2" || !has_sha_instructions());
        let mut names: Vec<_> = Kernel::available().map(Kernel::name).collect();
        assert!(names.contains(&"compress") && names.contains(&"portable"));
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kernel::available().count());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn every_kernel_finds_what_hashing_the_text_finds(
            prefix in prop::collection::vec(any::<u8>(), 0..300),
            fixed_zeros in 0_u32..=77,
            digits in 1_u32..=19,
            start: u64,
            difficulty in 1_u8..=3,
        ) {
            let end = 10_u64.pow(digits);
            let start = start % end / 100 * 100;
            check(&prefix, fixed_zeros, digits, start..end.min(start + 1500), difficulty);
        }
    }
}
