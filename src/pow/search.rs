//! The search for the smallest proof: counters in chunks, over threads, with a stop flag.
//!
//! The caller's thread takes the first chunk alone, so short searches start no thread. After that
//! every thread takes the lowest chunk nobody has taken. Each chunk below the lowest hit is
//! searched to its end, so the answer is the same for any number of threads.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::Difficulty;
use super::candidate::{COUNTING_DIGITS, Candidate, DIGITS, Prefix};
use super::kernel::{Kernel, Scan};

/// The number of candidates a thread takes at a time: a few milliseconds of work.
const CHUNK: u64 = 100_000;

/// How the counter of a search is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digits {
    /// 0, 1, 2, …, 9, 10, …: the documented search.
    Natural,
    /// With leading zeros to this number of digits, 1 to 96. Only the last 19 of them count.
    Fixed(u8),
}

/// What became of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The smallest counter that fits.
    Found(u64),
    /// The stop flag was set before the smallest counter was known.
    Stopped,
    /// No counter fits; the search needs another prefix.
    Exhausted,
}

/// A search for the smallest counter that, written after `prefix`, solves the puzzle.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// The bytes before the counter: the last proof, and the commitment if the proof is sealed.
    pub prefix: &'a [u8],
    /// How the counter is written.
    pub digits: Digits,
    /// The zeros the digest must end with.
    pub difficulty: Difficulty,
    /// How many threads work, the caller's among them.
    pub threads: NonZeroUsize,
    /// Set by anyone to end the search within milliseconds.
    pub stop: &'a AtomicBool,
    /// Goes up by the number of tries while they are made, for a display of the rate.
    pub tries: &'a AtomicU64,
}

/// What the threads of one search share.
struct Shared {
    /// How many counters a thread takes at a time.
    chunk: u64,
    /// The first counter nobody has taken.
    next: AtomicU64,
    /// The lowest counter found to fit.
    found: AtomicU64,
    /// The lowest counter of a chunk that was taken and left before its end.
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

    /// The outcome once all threads are done: a hit counts if all counters below it were tried.
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
    /// Searches with the fastest kernel of this machine.
    ///
    /// # Panics
    ///
    /// If `digits` is `Fixed` with a width that is not 1 to 96.
    pub fn run(&self) -> Outcome {
        self.run_on(Kernel::best())
    }

    /// Searches with a kernel of the caller's choice; the answer is the same for all of them.
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
                (1..=DIGITS).contains(&width.into()),
                "width {width} is not 1 to 96"
            );
        }
        let prefix = Prefix::new(self.prefix);
        let first = 0..chunk.min(self.end());
        let stopped = || self.stop.load(Ordering::Relaxed);
        match self.scan(kernel, &prefix, first.clone(), stopped) {
            Scan::Hit(counter) => return Outcome::Found(counter),
            Scan::GivenUp => return Outcome::Stopped,
            Scan::Miss if first.end == self.end() => return Outcome::Exhausted,
            Scan::Miss => {}
        }
        let shared = Shared::new(first.end, chunk);
        thread::scope(|scope| {
            for _ in 1..self.threads.get() {
                let builder = thread::Builder::new().name("pow".into());
                let started = builder.spawn_scoped(scope, || self.work(kernel, &prefix, &shared));
                // Without the thread the search takes longer; the answer is the same.
                if started.is_err() {
                    break;
                }
            }
            self.work(kernel, &prefix, &shared);
        });
        shared.outcome()
    }

    /// Takes chunks until one has a hit, all are taken, a lower hit is known or the flag is set.
    fn work(&self, kernel: Kernel, prefix: &Prefix<'_>, shared: &Shared) {
        let end = self.end();
        loop {
            let start = shared.next.fetch_add(shared.chunk, Ordering::Relaxed);
            let give_up = || {
                self.stop.load(Ordering::Relaxed) || shared.found.load(Ordering::Relaxed) < start
            };
            if start >= end {
                return;
            }
            match self.scan(
                kernel,
                prefix,
                start..end.min(start + shared.chunk),
                give_up,
            ) {
                Scan::Hit(counter) => {
                    shared.found.fetch_min(counter, Ordering::Relaxed);
                    return;
                }
                Scan::GivenUp => {
                    shared.unsearched.fetch_min(start, Ordering::Relaxed);
                    return;
                }
                Scan::Miss => {}
            }
        }
    }

    /// Tries a range of counters, each length of them apart.
    fn scan(
        &self,
        kernel: Kernel,
        prefix: &Prefix<'_>,
        counters: Range<u64>,
        give_up: impl Fn() -> bool,
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
            let scan = kernel.scan(&mut candidate, start..end, self.difficulty, &give_up);
            let tries = match scan {
                Scan::Hit(counter) => counter - start + 1,
                Scan::Miss => end - start,
                Scan::GivenUp => 0,
            };
            self.tries.fetch_add(tries, Ordering::Relaxed);
            if scan != Scan::Miss {
                return scan;
            }
            start = end;
        }
        Scan::Miss
    }

    /// The first counter that cannot be written.
    fn end(&self) -> u64 {
        let digits = match self.digits {
            Digits::Natural => COUNTING_DIGITS,
            Digits::Fixed(width) => COUNTING_DIGITS.min(width.into()),
        };
        10_u64.pow(digits)
    }
}

/// The width, 10 to 73 digits, at which the counting digits end one SHA-256 block exactly.
///
/// With it they always sit in the same place of the last block, the one that is searched fastest:
/// as late as they can, right before the least padding a block takes.
pub fn sealed_width(prefix_len: usize) -> u8 {
    const LEAST: u8 = 10;
    const END: u8 = 55;
    // The low byte is enough: 64 divides 256.
    let used = prefix_len.to_le_bytes()[0] % 64;
    LEAST + (64 + END - LEAST - used) % 64
}

#[cfg(test)]
mod tests;
