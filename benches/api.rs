//! Requests a second over kept connections, of a node and of a handler that does nothing under the
//! same server. The clients run on the same machine as the servers.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]
#![expect(clippy::print_stdout, reason = "percentiles are told, too")]

#[path = "support/chain.rs"]
mod chain;
#[path = "support/load.rs"]
mod load;
#[path = "support/process.rs"]
mod process;

use std::net::SocketAddr;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;
use warp::Filter;

use blockchain::http::{ConnectionPool, serve};
use load::Clients;
use process::Node;

const BLOCKS: u64 = 10_000;

/// Serves `/empty` on a runtime of its own for as long as this process lives.
fn empty_handler() -> SocketAddr {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(listener.local_addr().unwrap()).unwrap();
            let routes = warp::path!("empty").map(warp::reply);
            let service = TowerToHyperService::new(warp::service(routes));
            let service = move |_| service;
            serve(
                listener,
                service,
                ConnectionPool::default(),
                CancellationToken::new(),
            )
            .await;
        });
    });
    receiver.recv().unwrap()
}

fn request(method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
}

fn requests(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    chain::database(&folder.path().join("node.redb"), BLOCKS);
    let node = Node::start(folder.path(), &["--threads", "0"]);
    let empty = empty_handler();
    let mut group = c.benchmark_group("api");
    group.throughput(Throughput::Elements(1));
    group.sample_size(10);
    for connections in [64, 256] {
        let mut measure = |name: &str, address, make: fn(u64) -> String| {
            let mut clients = Clients::new(address, connections);
            group.bench_function(BenchmarkId::new(name, connections), |b| {
                b.iter_custom(|count| clients.send(count, make).0);
            });
        };
        measure("empty", empty, |_| request("GET", "/empty"));
        measure("neighbours", node.address, |_| {
            request("GET", "/neighbours")
        });
        measure("block", node.address, |number| {
            let index = number.wrapping_mul(7919) % BLOCKS;
            request("GET", &format!("/api/v1/blocks/{index}"))
        });
    }
    group.finish();
    add(c, empty);
}

/// Additions, each on disk before its response, and beside them the empty handler again, so that
/// both figures are from the same minute.
fn add(c: &mut Criterion, empty: SocketAddr) {
    let folder = tempfile::tempdir().unwrap();
    chain::database(&folder.path().join("node.redb"), 1);
    // The miner runs, so that the mempool never fills.
    let node = Node::start(folder.path(), &["--difficulty", "1"]);
    let mut group = c.benchmark_group("api/add");
    group.throughput(Throughput::Elements(1));
    group.sample_size(10);
    group.measurement_time(Duration::from_secs(2));
    let mut clients = Clients::new(empty, 256);
    group.bench_function(BenchmarkId::new("empty", 256), |b| {
        b.iter_custom(|count| clients.send(count, |_| request("PUT", "/empty")).0);
    });
    let mut clients = Clients::new(node.address, 256);
    group.bench_function(BenchmarkId::new("add-and-mine", 256), |b| {
        b.iter_custom(|count| {
            clients
                .send(count, |number| {
                    request(
                        "PUT",
                        &format!("/add?message=benchmark%20message%20{number}"),
                    )
                })
                .0
        });
    });
    group.finish();
}

/// Response time of `/health` while every core mines: median and 99th percentile.
fn while_mining(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let cores = std::thread::available_parallelism().unwrap().to_string();
    let node = Node::start(folder.path(), &["--difficulty", "12", "--threads", &cores]);
    Clients::new(node.address, 1).send(1, |_| request("PUT", "/add?message=work"));
    // Time in which the miner starts.
    std::thread::sleep(Duration::from_millis(500));
    let mut clients = Clients::new(node.address, 4);
    let mut all = Vec::new();
    let mut group = c.benchmark_group("api/while-mining");
    group.sample_size(10);
    group.throughput(Throughput::Elements(1));
    group.bench_function("health", |b| {
        b.iter_custom(|count| {
            let (elapsed, took) = clients.send(count, |_| request("GET", "/health"));
            all.extend(took);
            elapsed
        });
    });
    group.finish();
    all.sort_unstable();
    if let Some(longest) = all.last() {
        let (median, p99) = (all[all.len() / 2], all[all.len() * 99 / 100]);
        println!(
            "{} requests: median {median:?}, 99th percentile {p99:?}, slowest {longest:?}",
            all.len()
        );
    }
}

criterion_group!(benches, requests, while_mining);
criterion_main!(benches);
