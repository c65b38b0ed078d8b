//! Speed of the proof-of-work search and of checking proofs, in tries and checks per second.
//!
//! Compare numbers of one run only; what counts is how a kernel stands to the two yardsticks: the
//! loop anyone writes first (`format`), and one block compression of `sha2` a try (`sha2-block`).

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

use blockchain::pow::{Difficulty, Digits, Kernel, Outcome, Search, proof_is_valid, sealed_width};

/// A prefix as long as a sealed candidate's: the last proof, of 100 digits, and 77 digits.
const SEALED_PREFIX: [u8; 177] = [b'7'; 177];

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("a benchmark has threads")
}

/// Tries all counters of `width` digits: none fits at the highest difficulty.
fn exhaust(kernel: Kernel, prefix: &[u8], width: u8, count: usize) {
    let outcome = Search {
        prefix,
        digits: Digits::Fixed(width),
        difficulty: Difficulty::MAX,
        threads: threads(count),
        stop: &AtomicBool::new(false),
        tries: &AtomicU64::new(0),
    }
    .run_on(kernel);
    assert_eq!(outcome, Outcome::Exhausted);
}

/// A prefix with which the last of `width` digits is at `end` in the last block.
fn prefix_for(end: usize, width: u8) -> Vec<u8> {
    vec![b'7'; 128 + end - usize::from(width)]
}

/// All candidates of six digits, by kernel and by where the digits end in the last block.
fn kernels(c: &mut Criterion) {
    const WIDTH: u8 = 6;
    let tries = 10_u64.pow(WIDTH.into());
    let mut group = c.benchmark_group("pow/search");
    group.throughput(Throughput::Elements(tries));
    group.sample_size(10);
    // 55 is the place of sealed candidates, 54 and 53 leave digits after those of a row, 63 takes
    // two blocks a try and 16 is a short open candidate.
    for end in [55, 54, 53, 63, 16] {
        for kernel in Kernel::available() {
            let prefix = prefix_for(end, WIDTH);
            let id = BenchmarkId::new(kernel.name(), format!("end-{end}"));
            group.bench_function(id, |b| b.iter(|| exhaust(kernel, &prefix, WIDTH, 1)));
        }
    }
    group.finish();
}

/// The two yardsticks, on enough tries for a sample of reasonable length.
fn yardsticks(c: &mut Criterion) {
    const TRIES: u64 = 20_000;
    let mut group = c.benchmark_group("pow/yardstick");
    group.throughput(Throughput::Elements(TRIES));
    group.sample_size(20);
    let prefix = "7".repeat(111);
    group.bench_function(BenchmarkId::new("format", TRIES), |b| {
        b.iter(|| {
            let fits = |counter: &u64| {
                let digest = Sha256::digest(format!("{prefix}{counter:010}"));
                hex::encode(digest).ends_with("00000000")
            };
            black_box((0..TRIES).filter(fits).count())
        });
    });
    group.bench_function(BenchmarkId::new("sha2-block", TRIES), |b| {
        b.iter(|| {
            let mut block = [[b'7'; 64]];
            let fits = |counter: &u64| {
                block[0][..8].copy_from_slice(&counter.to_le_bytes());
                let mut state = [7; 8];
                compress256(&mut state, &block);
                state[7] == 0
            };
            black_box((0..TRIES).filter(fits).count())
        });
    });
    group.finish();
}

/// The best kernel on one thread and two.
fn by_threads(c: &mut Criterion) {
    const WIDTH: u8 = 7;
    let tries = 10_u64.pow(WIDTH.into());
    let mut group = c.benchmark_group("pow/threads");
    group.throughput(Throughput::Elements(tries));
    group.sample_size(10);
    for count in [1, 2] {
        let prefix = prefix_for(55, WIDTH);
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| exhaust(Kernel::best(), &prefix, WIDTH, count));
        });
    }
    group.finish();
}

/// Whole searches as a miner makes them, one after the other with another prefix each.
fn searches(c: &mut Criterion) {
    let mut group = c.benchmark_group("pow/mine");
    group.throughput(Throughput::Elements(1));
    for difficulty in [1, 2, 3] {
        for (name, digits) in [
            ("sealed", Digits::Fixed(sealed_width(SEALED_PREFIX.len()))),
            ("open", Digits::Natural),
        ] {
            let mut prefix = SEALED_PREFIX;
            let mut number = 0_u64;
            group.bench_function(BenchmarkId::new(name, difficulty), |b| {
                b.iter(|| {
                    number += 1;
                    prefix[..8].copy_from_slice(&number.to_le_bytes());
                    Search {
                        prefix: &prefix,
                        digits,
                        difficulty: Difficulty::new(difficulty).expect("1 to 3"),
                        threads: threads(2),
                        stop: &AtomicBool::new(false),
                        tries: &AtomicU64::new(0),
                    }
                    .run()
                });
            });
        }
    }
    group.finish();
}

/// Checks of one proof after the last, by the length of both.
fn checks(c: &mut Criterion) {
    let mut group = c.benchmark_group("pow/check");
    group.throughput(Throughput::Elements(1));
    for digits in [7, 100] {
        let (last, proof) = (vec![b'7'; digits], vec![b'3'; digits]);
        group.bench_function(BenchmarkId::from_parameter(digits), |b| {
            b.iter(|| proof_is_valid(black_box(&last), black_box(&proof), Difficulty::default()));
        });
    }
    group.finish();
}

criterion_group!(benches, yardsticks, kernels, by_threads, searches, checks);
criterion_main!(benches);
