//! Speed of the store on a real disk: durable operations per second by how many share a commit,
//! and reads.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::mpsc;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use blockchain::chain::{Block, Message, MessageId};
use blockchain::node::miner::{Effort, Front};
use blockchain::node::settings::ProofMode;
use blockchain::pow::Difficulty;
use blockchain::store::{Addition, Network, Operation, PageLimit, Store};

const NETWORK: Network = Network {
    difficulty: Difficulty::MIN,
    sealed_from: Some(1),
};

fn open(folder: &Path) -> Store {
    let path = folder.join("bench.redb");
    Store::create(&path, &Block::documented_genesis(), NETWORK).unwrap();
    Store::open(&path, 0, Box::new(|_| {})).unwrap()
}

fn message(number: u64) -> Message {
    // Ids as they come: spread over all values.
    let id = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let id = MessageId::from_bytes(id.to_be_bytes());
    Message::new(id, format!("benchmark message {number:>14}")).unwrap()
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

fn mine(front: &mut Front, numbers: std::ops::Range<u64>) -> Vec<Block> {
    let effort = Effort {
        proof: ProofMode::Sealed,
        difficulty: NETWORK.difficulty,
        threads: NonZeroUsize::MIN,
        stop: &AtomicBool::new(false),
        tries: &AtomicU64::new(0),
    };
    numbers
        .map(|number| front.mine(message(number), 1.7e9, &effort).unwrap())
        .collect()
}

fn front(store: &Store) -> Front {
    let state = store.state();
    Front::new(state.tip.clone(), state.history.clone())
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
            let mut next = 0;
            b.iter_batched(
                || {
                    let parent = store.state().tip.hash;
                    let blocks = mine(&mut front(&store), next..next + count);
                    next += count;
                    (parent, blocks)
                },
                |(parent, blocks)| {
                    store
                        .write(|reply| Operation::Append(parent, blocks, reply))
                        .unwrap();
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
    for start in (0..LENGTH).step_by(1000) {
        let (parent, blocks) = (
            store.state().tip.hash,
            mine(&mut front(&store), start..start + 1000),
        );
        store
            .write(|reply| Operation::Append(parent, blocks, reply))
            .unwrap();
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

criterion_group!(benches, adds, appends, reads);
criterion_main!(benches);
