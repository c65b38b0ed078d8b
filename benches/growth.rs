//! Growth of size and times with the length of the chain, printed as a Markdown table.
//!
//! `cargo bench --bench growth`, or with other lengths: `cargo bench --bench growth -- 10000 50000`.

#![expect(clippy::unwrap_used, reason = "a benchmark that fails may stop")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]
#![expect(clippy::cast_precision_loss, reason = "figures are rounded")]

#[path = "support/chain.rs"]
mod chain;
#[path = "support/load.rs"]
mod load;
#[path = "support/process.rs"]
mod process;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use load::Clients;
use process::Node;

fn main() {
    let lengths: Vec<u64> = std::env::args().filter_map(|a| a.parse().ok()).collect();
    let lengths = if lengths.is_empty() {
        vec![10_000, 100_000, 1_000_000]
    } else {
        lengths
    };
    println!(
        "| blocks | database | `verify --db` | restart after `kill -9` | resident then | \
         `/api/v1/blocks/{{n}}` | `/add` | `/chain` | receipt, median and 99th percentile | \
         `receipt verify` |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut bulk = Vec::new();
    for length in lengths {
        let folder = tempfile::tempdir().unwrap();
        chain::database(&folder.path().join("node.redb"), length);
        bulk.push(bulk_row(folder.path(), length));
        println!("{}", row(folder.path(), length));
    }
    println!();
    println!("| blocks | `verify` of a file | `import` | `export --format json` | first sync |");
    println!("|---|---|---|---|---|");
    for row in bulk {
        println!("{row}");
    }
}

/// Blocks a second of whole processes that read or write the whole chain.
fn bulk_row(folder: &Path, length: u64) -> String {
    let other = tempfile::tempdir().unwrap();
    let database = folder.to_str().unwrap();
    let [file, json, imported, synced] =
        ["chain.bincode", "chain.json", "imported", "synced"].map(|name| other.path().join(name));
    let timed = |arguments: &[&str]| {
        let begun = Instant::now();
        assert!(process::command(arguments).status().unwrap().success());
        length as f64 / begun.elapsed().as_secs_f64()
    };
    let [file, json, imported] = [&file, &json, &imported].map(|path| path.to_str().unwrap());
    timed(&[
        "export", "--db", database, "--format", "bincode", "--output", file,
    ]);
    let export = timed(&[
        "export", "--db", database, "--format", "json", "--output", json,
    ]);
    fs::remove_file(json).unwrap();
    let verify = timed(&["verify", file]);
    let import = timed(&["import", file, "--db", imported]);

    let old = Node::start(folder, &["--threads", "0"]);
    let neighbour = old.address.to_string();
    let begun = Instant::now();
    let options = [
        "--threads",
        "0",
        "--difficulty",
        "1",
        "--neighbours",
        &neighbour,
    ];
    fs::create_dir(&synced).unwrap();
    let new = Node::start(&synced, &options);
    while process::length(new.address) < length {
        std::thread::sleep(Duration::from_millis(20));
    }
    let sync = length as f64 / begun.elapsed().as_secs_f64();
    format!("| {length} | {verify:.0}/s | {import:.0}/s | {export:.0}/s | {sync:.0}/s |")
}

fn row(folder: &Path, length: u64) -> String {
    let size = fs::metadata(folder.join("node.redb")).unwrap().len();

    let begun = Instant::now();
    let folder_text = folder.to_str().unwrap();
    let verify = process::command(&["verify", "--db", folder_text]).status();
    assert!(verify.unwrap().success());
    let verify = begun.elapsed();

    let options = ["--threads", "0"];
    drop(Node::start(folder, &options));
    let node = Node::start(folder, &options);
    let (started_in, resident) = (node.started_in, node.resident());

    let blocks = rate(node.address, 64, 50_000, move |number| {
        let index = number.wrapping_mul(7919) % length;
        format!("GET /api/v1/blocks/{index} HTTP/1.1\r\nhost: localhost\r\n\r\n")
    });
    let receipts = receipt_times(node.address, length);
    let receipt_verify = receipt_verify(node.address, folder, length);
    let chain = chain_rate(node.address);
    let add = rate(node.address, 256, 50_000, |number| {
        format!("PUT /add?message=message%20{number} HTTP/1.1\r\nhost: localhost\r\n\r\n")
    });
    format!(
        "| {length} | {:.0} MB | {:.2} s, {:.0}/s | {:.0} ms | {:.0} MB | {blocks:.0}/s | {add:.0}/s | {:.0} MB/s | {receipts} | {receipt_verify} |",
        size as f64 / 1e6,
        verify.as_secs_f64(),
        length as f64 / verify.as_secs_f64(),
        started_in.as_secs_f64() * 1e3,
        resident as f64 / 1e6,
        chain / 1e6,
    )
}

fn rate(
    address: SocketAddr,
    connections: usize,
    count: u64,
    request: impl Fn(u64) -> String + Send + Sync + 'static,
) -> f64 {
    let (elapsed, _) = Clients::new(address, connections).send(count, request);
    count as f64 / elapsed.as_secs_f64()
}

/// Times of requests for receipts of any block under the tip, one after the other.
fn receipt_times(address: SocketAddr, length: u64) -> String {
    let (_, times) = Clients::new(address, 1).send(20_000, move |number| {
        let index = number.wrapping_mul(7919) % (length - 1);
        format!("GET /api/v1/blocks/{index}/receipt HTTP/1.1\r\nhost: localhost\r\n\r\n")
    });
    median_and_99th(times)
}

/// Times of the whole process that verifies a receipt by a kept checkpoint.
fn receipt_verify(address: SocketAddr, folder: &Path, length: u64) -> String {
    let body = |path: &str| {
        let response = process::get(address, path).unwrap();
        response.split_once("\r\n\r\n").unwrap().1.to_owned()
    };
    let receipt = folder.join("receipt.json");
    let path = format!("/api/v1/blocks/{}/receipt", length / 3);
    fs::write(&receipt, body(&path)).unwrap();
    let checkpoint: serde_json::Value = serde_json::from_str(&body("/api/v1/checkpoint")).unwrap();
    let line = checkpoint["checkpoint"].as_str().unwrap();
    let verify = [
        "receipt",
        "verify",
        receipt.to_str().unwrap(),
        "--trust",
        line,
    ];
    let run = |_| {
        let begun = Instant::now();
        assert!(process::command(&verify).status().unwrap().success());
        begun.elapsed()
    };
    median_and_99th((0..200).map(run).collect())
}

fn median_and_99th(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times[times.len() * percent / 100].as_secs_f64() * 1e3;
    format!("{:.2} ms, {:.2} ms", at(50), at(99))
}

/// Bytes of `/chain` a second; the whole response, or as much of it as comes in some seconds.
fn chain_rate(address: SocketAddr) -> f64 {
    const LONGEST: Duration = Duration::from_secs(5);
    let mut stream = TcpStream::connect(address).unwrap();
    let request = b"GET /chain HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let begun = Instant::now();
    stream.write_all(request).unwrap();
    let (mut buffer, mut bytes) = (vec![0; 1 << 20], 0);
    while begun.elapsed() < LONGEST {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            read => bytes += read,
        }
    }
    bytes as f64 / begun.elapsed().as_secs_f64()
}
