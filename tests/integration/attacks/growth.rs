//! Slow readers of `/chain`, just above the minimum rate, do not make the database file grow.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::environment::variable;
use crate::support::http::{connect_from, put_message, request_bytes};
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// Seconds of one measurement in the short form.
const SHORT: u64 = 2;

/// Bytes that a reader takes at a time, and the pause between reads: 70 KiB/s.
const BITE: usize = 7 * 1024;
const PAUSE: Duration = Duration::from_millis(100);

/// Long messages in the chain: more than the sockets of a reader hold on its way.
const MESSAGES: usize = 320;
const BYTES: usize = 60_000;

/// Growth that is allowed beyond twice that without a reader, for space that the engine reserves. A
/// view that stays open costs about half a megabyte per addition.
const MARGIN: u64 = 8 << 20;

/// Returns the duration of one measurement of the long form in seconds, if it is requested.
fn long_form() -> Option<u64> {
    variable("BLOCKCHAIN_GROWTH_SECONDS")
}

/// Returns the allocated size of the database file in bytes.
fn allocated(node: &TestNode) -> u64 {
    let file = node.folder().join("node.redb").metadata().unwrap();
    file.blocks() * 512
}

/// Reads a stream slowly until `ended` is set; returns `false` if the stream ended before.
fn read_slowly(mut stream: TcpStream, ended: &AtomicBool) -> bool {
    stream
        .write_all(&request_bytes("GET", "/chain", &[], &[]))
        .unwrap();
    let mut bite = vec![0; BITE];
    let mut is_first = true;
    while !ended.load(Ordering::Relaxed) {
        if stream.read_exact(&mut bite).is_err() {
            return false;
        }
        assert!(!is_first || bite.starts_with(b"HTTP/1.1 200"));
        is_first = false;
        // The pause makes the reader slow.
        thread::sleep(PAUSE);
    }
    true
}

/// Adds messages at this rate beside that many readers. Returns how much the file grew, and how
/// many were added.
fn measure(node: &TestNode, readers: u8, rate: u32, seconds: u64) -> (u64, u64) {
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        let streams: Vec<_> = (0..readers)
            .map(|reader| {
                // One address may have only a few streams.
                let stream = connect_from([127, 0, 1, 1 + reader].into(), node.address()).unwrap();
                let ended = &ended;
                scope.spawn(move || read_slowly(stream, ended))
            })
            .collect();
        // Every reader has started before the measurement begins.
        thread::sleep(PAUSE * 3);
        let before = allocated(node);
        let (begun, mut added) = (Instant::now(), 0);
        while begun.elapsed() < Duration::from_secs(seconds) {
            put_message(node.address(), "some message")
                .unwrap()
                .expect(200);
            added += 1;
            // Keeps to the rate.
            let due = begun + Duration::from_secs(1) / rate * added;
            thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        let grown = allocated(node).saturating_sub(before);
        ended.store(true, Ordering::Relaxed);
        for stream in streams {
            assert!(stream.join().unwrap(), "a stream ended early");
        }
        (grown, u64::from(added))
    })
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "the figures are shown with --nocapture"
)]
fn slow_readers_of_the_chain_do_not_make_the_database_grow() {
    let node = TestNode::start(&["--difficulty", "1", "--threads", "1"]);
    let text = "x".repeat(BYTES);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..MESSAGES / 8).for_each(|_| drop(node.add(&text))));
        }
    });
    wait_for("the miner", || {
        (node.status().mempool.count == 0).then_some(())
    });
    let (seconds, rates): (_, &[u32]) = match long_form() {
        Some(seconds) => (seconds, &[50, 200]),
        None => (SHORT, &[200]),
    };
    for rate in rates {
        let alone = measure(&node, 0, *rate, seconds);
        eprintln!("{rate}/s without readers: {alone:?} bytes grown, messages added");
        for readers in [1, 16] {
            let beside = measure(&node, readers, *rate, seconds);
            eprintln!("{rate}/s beside {readers}: {beside:?}");
            let most = 2 * alone.0 * beside.1 / alone.1.max(1) + MARGIN;
            assert!(beside.0 <= most, "{} bytes, more than {most}", beside.0);
        }
    }
}
