//! Speed of checking a chain, in blocks per second: blocks in memory, and the whole command on
//! each source.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

#[path = "support/chain.rs"]
mod chain;
#[path = "support/process.rs"]
mod process;

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sha2::{Digest, Sha256};

use blockchain::chain::{BlockHash, Checker, Proof, preimage};
use blockchain::node::settings::ProofMode;
use blockchain::pow::{Difficulty, Kernel, Texts};

fn memory(c: &mut Criterion) {
    let mut group = c.benchmark_group("check/memory");
    group.sample_size(20);
    for (name, proof) in [("open", ProofMode::Open), ("sealed", ProofMode::Sealed)] {
        let blocks = chain::chain(proof, 10_000);
        group.throughput(Throughput::Elements(blocks.len() as u64));
        for (way, at_a_time) in [("", 1000), ("-one-by-one", 1)] {
            let name = format!("{name}{way}");
            group.bench_function(BenchmarkId::new(name, blocks.len()), |b| {
                b.iter(|| {
                    let mut checker = Checker::new(Difficulty::MIN, None);
                    for page in blocks.chunks(at_a_time) {
                        checker.push_all(page, |passed| passed.acceptable).unwrap();
                    }
                    black_box(checker.seals())
                });
            });
        }
    }
    group.finish();
}

/// `verify` as a process, from its start to its end.
fn sources(c: &mut Criterion) {
    const BLOCKS: u64 = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    chain::database(&folder.path().join("node.redb"), BLOCKS);
    let mut group = c.benchmark_group("check/verify");
    group.sample_size(10);
    group.throughput(Throughput::Elements(BLOCKS));
    let mut measure = |name: &str, arguments: &[&str]| {
        group.bench_function(BenchmarkId::new(name, BLOCKS), |b| {
            b.iter(|| assert!(process::command(arguments).status().unwrap().success()));
        });
    };
    measure("database", &["verify", "--db", &path("")]);
    for format in ["chain", "pickle", "bincode"] {
        let file = path(format);
        let export = [
            "export",
            "--db",
            &path(""),
            "--format",
            format,
            "--output",
            &file,
        ];
        assert!(process::command(&export).status().unwrap().success());
        std::fs::remove_file(path(&format!("{format}.hash"))).unwrap();
        measure(format, &["verify", &file]);
    }
    group.finish();
}

fn parts(c: &mut Criterion) {
    let blocks = chain::chain(ProofMode::Sealed, 129);
    let block = &blocks[99];
    let mut group = c.benchmark_group("check/parts");
    group.throughput(Throughput::Elements(1));
    group.bench_function("text", |b| {
        let mut text = Vec::new();
        b.iter(|| {
            text.clear();
            preimage::write_preimage(black_box(block), &mut text);
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

/// The digests of the texts of blocks: by each kernel, and by `sha2` as the yardstick.
fn digests(c: &mut Criterion) {
    let (mut texts, mut singly) = (Texts::default(), Vec::new());
    for block in &chain::chain(ProofMode::Sealed, 129)[1..] {
        texts.push(|text| preimage::write_preimage(block, text));
        let mut text = Vec::new();
        preimage::write_preimage(block, &mut text);
        singly.push(text);
    }
    let mut group = c.benchmark_group("check/digests");
    group.throughput(Throughput::Bytes(
        singly.iter().map(|text| text.len() as u64).sum(),
    ));
    for kernel in Kernel::available() {
        group.bench_function(BenchmarkId::new(kernel.name(), singly.len()), |b| {
            b.iter(|| texts.digests(kernel));
        });
    }
    group.bench_function(BenchmarkId::new("sha2", singly.len()), |b| {
        b.iter(|| singly.iter().map(Sha256::digest).collect::<Vec<_>>());
    });
    group.finish();
}

criterion_group!(benches, memory, sources, parts, digests);
criterion_main!(benches);
