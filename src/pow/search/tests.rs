use std::time::{Duration, Instant};

use super::*;
use crate::pow::{proof_is_valid, zeros};

/// The first proofs after a genesis block, for difficulty 1 to 5.
const REFERENCE: [&[u64]; 5] = [
    &[1, 33, 28, 6, 16, 17, 1, 33, 28, 6],
    &[350, 323, 28, 200, 263, 1363, 75, 291, 815, 315],
    &[3969, 989, 13702, 10982, 147, 2784, 11783, 1802, 932, 2595],
    &[
        15558, 106_578, 39329, 312_549, 33318, 76232, 79498, 17880, 145_264, 141_558,
    ],
    &[1_406_000, 423_135, 1_704_725, 938_493],
];

/// The parameters of a search that tests vary.
struct Case<'a> {
    prefix: &'a [u8],
    digits: Digits,
    difficulty: u8,
    threads: usize,
}

impl Case<'_> {
    /// Runs the search on `kernel` and returns the outcome and the tries.
    fn run(&self, kernel: Kernel, chunk: u64) -> (Outcome, u64) {
        let (stop, tries) = (AtomicBool::new(false), AtomicU64::new(0));
        let outcome = self.search(&stop, &tries).run_in_chunks(kernel, chunk);
        (outcome, tries.into_inner())
    }

    fn search<'s>(&'s self, stop: &'s AtomicBool, tries: &'s AtomicU64) -> Search<'s> {
        Search {
            prefix: self.prefix,
            digits: self.digits,
            difficulty: Difficulty::new(self.difficulty).unwrap(),
            threads: NonZeroUsize::new(self.threads).unwrap(),
            stop,
            tries,
        }
    }
}

fn natural(prefix: &[u8], difficulty: u8) -> Case<'_> {
    Case {
        prefix,
        digits: Digits::Natural,
        difficulty,
        threads: 1,
    }
}

#[test]
fn reference_proofs_are_found_one_after_the_other() {
    for (difficulty, proofs) in (1..).zip(REFERENCE) {
        // A million tries take most of a minute without optimization.
        let budget = if cfg!(debug_assertions) {
            50_000
        } else {
            u64::MAX
        };
        for kernel in Kernel::available() {
            let mut last = "None".to_owned();
            for proof in proofs {
                let next = proof.to_string();
                let level = Difficulty::new(difficulty).unwrap();
                assert!(proof_is_valid(last.as_bytes(), next.as_bytes(), level));
                if *proof <= budget {
                    let (outcome, tries) = natural(last.as_bytes(), difficulty).run(kernel, CHUNK);
                    assert_eq!(outcome, Outcome::Found(*proof), "{} {last}", kernel.name());
                    assert_eq!(tries, proof + 1, "{} {last}", kernel.name());
                }
                last = next;
            }
        }
    }
}

#[test]
fn the_result_is_the_same_for_any_number_of_threads() {
    for threads in [1, 2, 3, 8] {
        for chunk in [100, 1000, 5000] {
            let case = Case {
                threads,
                ..natural(b"None", 4)
            };
            assert_eq!(
                case.run(Kernel::best(), chunk).0,
                Outcome::Found(15558),
                "{threads}"
            );
        }
        for (last, proof) in [("147", 2784), ("13702", 10982), ("2784", 11783)] {
            let case = Case {
                threads,
                ..natural(last.as_bytes(), 3)
            };
            assert_eq!(
                case.run(Kernel::best(), 100).0,
                Outcome::Found(proof),
                "{threads}"
            );
        }
    }
}

#[test]
fn the_lower_of_two_concurrent_hits_wins() {
    for number in 0..40 {
        let prefix = format!("{number},");
        let case = natural(prefix.as_bytes(), 3);
        let (expected, _) = case.run(Kernel::best(), CHUNK);
        // About every fourth chunk has a hit, and chunks are too short to be stopped by another hit.
        let (outcome, _) = Case { threads: 4, ..case }.run(Kernel::best(), 1000);
        assert_eq!(outcome, expected, "{number}");
    }
}

#[test]
fn a_hit_above_a_stopped_chunk_is_not_the_result() {
    let outcome = |found, unsearched| {
        let shared = Shared::new(0, CHUNK);
        shared.found.store(found, Ordering::Relaxed);
        shared.unsearched.store(unsearched, Ordering::Relaxed);
        shared.outcome()
    };
    assert_eq!(outcome(7, 5), Outcome::Stopped);
    assert_eq!(outcome(5, 7), Outcome::Found(5));
    assert_eq!(outcome(5, u64::MAX), Outcome::Found(5));
    assert_eq!(outcome(u64::MAX, 7), Outcome::Stopped);
    assert_eq!(outcome(u64::MAX, u64::MAX), Outcome::Exhausted);
}

#[test]
fn fixed_widths_find_the_smallest_counter_with_leading_zeros() {
    let kernels: Vec<_> = Kernel::available().collect();
    let lengths = [0, 4, 40, 77, 170].into_iter().cycle();
    for ((width, kernel), len) in (1..=96).zip(kernels.iter().cycle()).zip(lengths) {
        let prefix = vec![b'6'; len];
        let text = |counter: u64| format!("{counter:0width$}", width = usize::from(width));
        let last = 10_u64.pow(u32::from(width).min(4)) - 1;
        let expected = (0..=last).find(|counter| zeros(&prefix, text(*counter).as_bytes()) >= 2);
        let digits = Digits::Fixed(width);
        let (outcome, _) = Case {
            digits,
            ..natural(&prefix, 2)
        }
        .run(*kernel, CHUNK);
        let expected = expected.map_or(Outcome::Exhausted, Outcome::Found);
        assert_eq!(outcome, expected, "{width} digits after {len}");
    }
}

#[test]
fn a_width_without_a_solution_is_exhausted_after_all_its_counters() {
    for kernel in Kernel::available() {
        for (width, all) in [(1, 10), (2, 100), (3, 1000), (4, 10_000)] {
            for threads in [1, 2] {
                let digits = Digits::Fixed(width);
                let case = Case {
                    digits,
                    threads,
                    ..natural(b"None", 12)
                };
                assert_eq!(
                    case.run(kernel, 1000),
                    (Outcome::Exhausted, all),
                    "{}",
                    kernel.name()
                );
            }
        }
    }
}

#[test]
#[should_panic(expected = "width 97 is not 1 to 96")]
fn a_width_of_97_panics() {
    let digits = Digits::Fixed(97);
    Case {
        digits,
        ..natural(b"None", 1)
    }
    .run(Kernel::best(), CHUNK);
}

#[test]
fn the_stop_flag_ends_a_search_within_half_a_second() {
    for threads in [1, 2] {
        for kernel in Kernel::available() {
            let (stop, tries) = (AtomicBool::new(false), AtomicU64::new(0));
            let case = Case {
                threads,
                ..natural(b"None", 64)
            };
            let search = case.search(&stop, &tries);
            thread::scope(|scope| {
                let outcome = scope.spawn(|| search.run_on(kernel));
                // The calling thread searches the first chunk alone.
                while tries.load(Ordering::Relaxed) < CHUNK {
                    thread::yield_now();
                }
                stop.store(true, Ordering::Relaxed);
                let asked = Instant::now();
                assert_eq!(
                    outcome.join().unwrap(),
                    Outcome::Stopped,
                    "{}",
                    kernel.name()
                );
                assert!(
                    asked.elapsed() < Duration::from_millis(500),
                    "{}",
                    kernel.name()
                );
            });
        }
    }
}

#[test]
fn nothing_is_tried_if_the_stop_flag_is_already_set() {
    let (stop, tries) = (AtomicBool::new(true), AtomicU64::new(0));
    let outcome = natural(b"None", 1).search(&stop, &tries).run();
    assert_eq!((outcome, tries.into_inner()), (Outcome::Stopped, 0));
}

#[test]
fn the_sealed_width_ends_the_digits_right_before_the_minimum_padding() {
    for len in 0..300 {
        let width = sealed_width(len);
        assert!((10..=73).contains(&width));
        assert_eq!((len + usize::from(width)) % 64, 55);
    }
}
