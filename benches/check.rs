//! Speed of checking a chain, in blocks per second: what one core does with blocks in memory.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use blockchain::chain::{Block, BlockHash, Checker, History, Message, MessageId, Proof, Tip, hash};
use blockchain::node::miner::{Effort, Front};
use blockchain::node::settings::ProofMode;
use blockchain::pow::Difficulty;

/// A chain of difficulty 1 with messages of 32 bytes.
fn chain(proof: ProofMode, length: u32) -> Vec<Block> {
    let genesis = Block::documented_genesis();
    let tip = Tip::of(&genesis);
    let mut history = History::default();
    history.append(&tip.hash, |_, _| {});
    let mut front = Front::new(tip, history);
    let effort = Effort {
        proof,
        difficulty: Difficulty::MIN,
        threads: NonZeroUsize::MIN,
        stop: &AtomicBool::new(false),
        tries: &AtomicU64::new(0),
    };
    let mut blocks = vec![genesis];
    for number in 1..length {
        let id = MessageId::from_bytes(u128::from(number).to_be_bytes());
        let message = Message::new(id, format!("benchmark message {number:>14}")).unwrap();
        let now = 1.7e9 + f64::from(number);
        blocks.push(
            front
                .mine(message, now, &effort)
                .expect("the digits suffice"),
        );
    }
    blocks
}

fn check(c: &mut Criterion) {
    let mut group = c.benchmark_group("check/memory");
    group.sample_size(20);
    for (name, proof) in [("open", ProofMode::Open), ("sealed", ProofMode::Sealed)] {
        let blocks = chain(proof, 10_000);
        group.throughput(Throughput::Elements(blocks.len() as u64));
        group.bench_function(BenchmarkId::new(name, blocks.len()), |b| {
            b.iter(|| {
                let mut checker = Checker::new(Difficulty::MIN, None);
                for block in &blocks {
                    checker.push(block).unwrap();
                }
                black_box(checker.seals())
            });
        });
    }
    group.finish();
}

fn parts(c: &mut Criterion) {
    let blocks = chain(ProofMode::Sealed, 100);
    let block = &blocks[99];
    let mut group = c.benchmark_group("check/parts");
    group.throughput(Throughput::Elements(1));
    group.bench_function("text", |b| {
        let mut text = Vec::new();
        b.iter(|| {
            text.clear();
            hash::write_preimage(black_box(block), &mut text);
        });
    });
    group.bench_function("hash", |b| b.iter(|| BlockHash::of(black_box(block))));
    group.bench_function("decode", |b| {
        let bytes = blockchain::codec::encode_block(block);
        b.iter(|| blockchain::codec::decode_block(black_box(&bytes)));
    });
    group.bench_function("proof-text", |b| {
        let text = block.proof().unwrap().to_string();
        b.iter(|| black_box(&text).parse::<Proof>());
    });
    group.finish();
}

criterion_group!(benches, check, parts);
criterion_main!(benches);
