//! The search for the smallest proof: chunks of counters, searched by several threads, with a stop
//! flag.
//!
//! The calling thread searches the first chunk alone, so short searches start no thread. Then each
//! thread repeatedly takes the lowest chunk that is not taken. Each chunk below the lowest hit is
//! searched completely, so the result is the same for any number of threads.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::Difficulty;
use super::candidate::{COUNTING_DIGITS, Candidate, MAX_DIGITS, Prefix};
use super::kernel::{Kernel, Scan};

/// Number of candidates that a thread takes at a time, which is a few milliseconds of work.
const CHUNK: u64 = 100_000;

/// Notation of the counter of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {
    /// Without leading zeros: 0, 1, 2, …, 9, 10, …. This is the search of the reference miner.
    Natural,
    /// Padded with zeros to this number of digits, 1 to 96. The search varies the last 19 of them.
    Fixed(u8),
}

/// Outcome of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The smallest counter that solves the puzzle.
    Found(u64),
    /// The stop flag was set before the smallest counter was found.
    Stopped,
    /// No counter solves the puzzle; a different prefix is needed.
    Exhausted,
}

/// A search for the smallest counter that solves the puzzle when appended to `prefix`.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// Bytes before the counter: the previous proof, followed by the commitment for a sealed proof.
    pub prefix: &'a [u8],
    /// Notation of the counter.
    pub digits: Digits,
    /// Number of zeros that the digest must end with.
    pub difficulty: Difficulty,
    /// Number of threads, including the calling thread.
    pub threads: NonZeroUsize,
    /// Setting it stops the search within milliseconds.
    pub stop: &'a AtomicBool,
    /// Counts the candidates tried, so that a caller can display the hash rate.
    pub tries: &'a AtomicU64,
}

/// State shared by the threads of a search.
struct Shared {
    /// Number of counters that a thread takes at a time.
    chunk: u64,
    /// First counter that no thread has taken.
    next: AtomicU64,
    /// Lowest counter found that solves the puzzle.
    found: AtomicU64,
    /// Lowest first counter of a chunk whose search was stopped.
    unsearched: AtomicU64,
}

impl Shared {
    fn new(next: u64, chunk: u64) -> Self {
        Self {
            chunk,
            next: AtomicU64::new(next),
            found: AtomicU64::new(u64::MAX),
            unsearched: AtomicU64::new(u64::MAX),
        }
    }

    /// Returns the outcome when all threads are done. A hit counts only if all counters below it were
    /// tried.
    fn outcome(self) -> Outcome {
        let found = self.found.into_inner();
        let unsearched = self.unsearched.into_inner();
        if found < unsearched {
            Outcome::Found(found)
        } else if unsearched < u64::MAX {
            Outcome::Stopped
        } else {
            Outcome::Exhausted
        }
    }
}

impl Search<'_> {
    /// Searches with the fastest kernel that the processor supports.
    ///
    /// # Panics
    ///
    /// If `digits` is `Fixed` with a width that is not 1 to 96.
    pub fn run(&self) -> Outcome {
        self.run_on(Kernel::best())
    }

    /// Searches with the given kernel. All kernels give the same result.
    ///
    /// # Panics
    ///
    /// If `digits` is `Fixed` with a width that is not 1 to 96.
    pub fn run_on(&self, kernel: Kernel) -> Outcome {
        self.run_in_chunks(kernel, CHUNK)
    }

    fn run_in_chunks(&self, kernel: Kernel, chunk: u64) -> Outcome {
        if let Digits::Fixed(width) = self.digits {
            assert!(
                (1..=MAX_DIGITS).contains(&width.into()),
                "width {width} is not 1 to 96"
            );
        }
        let prefix = Prefix::new(self.prefix);
        let first = 0..chunk.min(self.end());
        let stopped = || self.stop.load(Ordering::Relaxed);
        match self.scan(kernel, &prefix, first.clone(), stopped) {
            Scan::Hit(counter) => return Outcome::Found(counter),
            Scan::Stopped => return Outcome::Stopped,
            Scan::Miss if first.end == self.end() => return Outcome::Exhausted,
            Scan::Miss => {}
        }
        let shared = Shared::new(first.end, chunk);
        thread::scope(|scope| {
            for _ in 1..self.threads.get() {
                let builder = thread::Builder::new().name("pow".into());
                let started = builder.spawn_scoped(scope, || self.work(kernel, &prefix, &shared));
                // With fewer threads the search takes longer but has the same result.
                if started.is_err() {
                    break;
                }
            }
            self.work(kernel, &prefix, &shared);
        });
        shared.outcome()
    }

    /// Searches chunks until one has a hit, all are taken, a lower hit is known or the stop flag is
    /// set.
    fn work(&self, kernel: Kernel, prefix: &Prefix<'_>, shared: &Shared) {
        let end = self.end();
        loop {
            let start = shared.next.fetch_add(shared.chunk, Ordering::Relaxed);
            let should_stop = || {
                self.stop.load(Ordering::Relaxed) || shared.found.load(Ordering::Relaxed) < start
            };
            if start >= end {
                return;
            }
            match self.scan(
                kernel,
                prefix,
                start..end.min(start + shared.chunk),
                should_stop,
            ) {
                Scan::Hit(counter) => {
                    shared.found.fetch_min(counter, Ordering::Relaxed);
                    return;
                }
                Scan::Stopped => {
                    shared.unsearched.fetch_min(start, Ordering::Relaxed);
                    return;
                }
                Scan::Miss => {}
            }
        }
    }

    /// Tries a range of counters, those of each number of digits separately.
    fn scan(
        &self,
        kernel: Kernel,
        prefix: &Prefix<'_>,
        counters: Range<u64>,
        should_stop: impl Fn() -> bool,
    ) -> Scan {
        let mut start = counters.start;
        while start < counters.end {
            let (zeros, digits) = match self.digits {
                Digits::Natural => (0, start.checked_ilog10().unwrap_or(0) + 1),
                Digits::Fixed(width) => {
                    let width = u32::from(width);
                    (
                        width.saturating_sub(COUNTING_DIGITS),
                        width.min(COUNTING_DIGITS),
                    )
                }
            };
            let mut candidate = Candidate::new(prefix, zeros, digits);
            let end = counters.end.min(10_u64.pow(digits));
            let scan = kernel.scan(&mut candidate, start..end, self.difficulty, &should_stop);
            let tries = match scan {
                Scan::Hit(counter) => counter - start + 1,
                Scan::Miss => end - start,
                Scan::Stopped => 0,
            };
            self.tries.fetch_add(tries, Ordering::Relaxed);
            if scan != Scan::Miss {
                return scan;
            }
            start = end;
        }
        Scan::Miss
    }

    /// Returns the first counter that has too many digits.
    fn end(&self) -> u64 {
        let digits = match self.digits {
            Digits::Natural => COUNTING_DIGITS,
            Digits::Fixed(width) => COUNTING_DIGITS.min(width.into()),
        };
        10_u64.pow(digits)
    }
}

/// Returns the number of nonce digits, 10 to 73, that makes a sealed proof fastest to search.
///
/// With it the digits end as late as possible in the last SHA-256 block, right before the minimum
/// padding, so the work before them is shared by all candidates.
pub fn sealed_width(prefix_len: usize) -> u8 {
    const MIN_DIGITS: u8 = 10;
    const END: u8 = 55;
    // 64 divides 256, so the low byte of the length suffices.
    let used = prefix_len.to_le_bytes()[0] % 64;
    MIN_DIGITS + (64 + END - MIN_DIGITS - used) % 64
}

#[cfg(test)]
mod tests;
