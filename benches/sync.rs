//! Speed of synchronisation between two processes of this program on one machine.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]

#[path = "support/chain.rs"]
mod chain;
#[path = "support/process.rs"]
mod process;

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use process::{Node, length};

/// Time from the start of a new node's process until it has the whole chain of its only neighbour.
fn first(c: &mut Criterion) {
    let mut group = c.benchmark_group("sync/first");
    group.sample_size(10);
    for blocks in [10_000_u64, 100_000] {
        let folder = tempfile::tempdir().unwrap();
        chain::database(&folder.path().join("node.redb"), blocks);
        let old = Node::start(folder.path(), &["--threads", "0"]);
        let neighbour = old.address.to_string();
        group.throughput(Throughput::Elements(blocks));
        group.bench_function(BenchmarkId::new("sealed", blocks), |b| {
            b.iter_custom(|rounds| (0..rounds).map(|_| first_sync(&neighbour, blocks)).sum());
        });
    }
    group.finish();
}

fn first_sync(neighbour: &str, blocks: u64) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let begun = Instant::now();
    let options = [
        "--threads",
        "0",
        "--difficulty",
        "1",
        "--neighbours",
        neighbour,
    ];
    let new = Node::start(folder.path(), &options);
    while length(new.address) < blocks {
        // A poll interval, small compared with the measured time.
        std::thread::sleep(Duration::from_millis(5));
    }
    begun.elapsed()
}

criterion_group!(benches, first);
criterion_main!(benches);
