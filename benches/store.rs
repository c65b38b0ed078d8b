//! Speed of the store on a real disk: durable operations per second by the number that share a
//! commit, and reads.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

#[path = "support/chain.rs"]
mod chain;

use std::hint::black_box;
use std::path::Path;
use std::sync::mpsc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use blockchain::chain::Block;
use blockchain::node::settings::ProofMode;
use blockchain::pow::Difficulty;
use blockchain::store::{Addition, Adoption, Network, Operation, PageLimit, Store};
use chain::{Miner, message};

const NETWORK: Network = Network {
    difficulty: Difficulty::MIN,
    sealed_from: Some(1),
};

fn open(folder: &Path) -> Store {
    let path = folder.join("bench.redb");
    Store::create(&path, &Block::default_genesis(), NETWORK).unwrap();
    Store::open(&path, 0, Box::new(|_| {})).unwrap()
}

/// Submits all, then waits for all.
fn add_all(store: &Store, numbers: std::ops::Range<u64>) {
    let (sender, receiver) = mpsc::channel();
    let count = numbers.end - numbers.start;
    for number in numbers {
        let addition = Addition {
            message: message(number),
            key: None,
            arrived: 0,
        };
        let sender = sender.clone();
        let reply = Box::new(move |result| sender.send(result).unwrap());
        store.submit(Operation::Add(addition, reply)).unwrap();
    }
    for _ in 0..count {
        receiver.recv().unwrap().unwrap();
    }
}

/// Puts blocks on top of the chain.
fn append(store: &Store, blocks: Vec<Block>) {
    let parent = store.state().tip.hash;
    store
        .write(|reply| Operation::Append(parent, blocks, reply))
        .unwrap();
}

fn adds(c: &mut Criterion) {
    let mut group = c.benchmark_group("store/add");
    group.sample_size(10);
    for count in [1, 100, 1000] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            // A store of its own keeps the mempool below its limit.
            let folder = tempfile::tempdir().unwrap();
            let mut store = Some(open(folder.path()));
            let mut next = 0;
            b.iter(|| {
                if next + count > 90_000 {
                    drop(store.take());
                    std::fs::remove_file(folder.path().join("bench.redb")).unwrap();
                    (store, next) = (Some(open(folder.path())), 0);
                }
                add_all(store.as_ref().unwrap(), next..next + count);
                next += count;
            });
        });
    }
    group.finish();
}

fn appends(c: &mut Criterion) {
    let mut group = c.benchmark_group("store/append");
    group.sample_size(10);
    for count in [1, 100, 1000] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            let folder = tempfile::tempdir().unwrap();
            let store = open(folder.path());
            let mut miner = Miner::new(ProofMode::Sealed);
            b.iter_batched(
                || miner.mine(count),
                |blocks| append(&store, blocks),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

/// Stages and follows another branch: 100 blocks are disconnected and 100 connected.
fn reorgs(c: &mut Criterion) {
    let ours = Miner::new(ProofMode::Sealed).mine(100);
    let mut group = c.benchmark_group("store/reorg");
    group.sample_size(10);
    for count in [101, 1000] {
        let mut miner = Miner::new(ProofMode::Sealed);
        miner.number = 1_000_000;
        let theirs = miner.mine(count);
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter_batched(
                || {
                    let folder = tempfile::tempdir().unwrap();
                    let store = open(folder.path());
                    append(&store, ours.clone());
                    (folder, store, theirs.clone())
                },
                |(folder, store, theirs)| {
                    store
                        .write(|reply| Operation::Stage(1, theirs, reply))
                        .unwrap();
                    let adoption = Adoption {
                        branch: 1,
                        source: "benchmark".to_owned(),
                        at: 0,
                        max_reorg: u64::MAX,
                        max_replaceable_genesis_length: 0,
                    };
                    store
                        .write(|reply| Operation::Adopt(adoption, reply))
                        .unwrap();
                    (folder, store)
                },
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn reads(c: &mut Criterion) {
    const LENGTH: u64 = 20_000;
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut miner = Miner::new(ProofMode::Sealed);
    for _ in 0..LENGTH / 1000 {
        append(&store, miner.mine(1000));
    }
    let mut group = c.benchmark_group("store/read");
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("block", LENGTH), |b| {
        let mut index = 0;
        b.iter(|| {
            index = (index + 7919) % LENGTH;
            black_box(store.view().unwrap().block(index).unwrap())
        });
    });
    group.throughput(Throughput::Elements(1000));
    group.bench_function(BenchmarkId::new("page-of-1000", LENGTH), |b| {
        let limit = PageLimit {
            count: 1000,
            bytes: usize::MAX,
        };
        let view = store.view().unwrap();
        let mut from = 0;
        b.iter(|| {
            from = (from + 1000) % (LENGTH - 1000);
            black_box(view.blocks(from, limit).unwrap())
        });
    });
    group.finish();
}

criterion_group!(benches, adds, appends, reorgs, reads);
criterion_main!(benches);
