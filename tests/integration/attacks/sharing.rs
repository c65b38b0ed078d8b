//! One address takes as much as it can of what clients share; another one is still served at once.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::http::{TransportResponse, connect_from, read_answer, request_bytes};
use crate::support::test_node::TestNode;

const GREEDY: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const NEWCOMER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Time in which the newcomer must be answered.
const SOON: Duration = Duration::from_secs(5);

/// Sends a request and reads only the status.
fn begin(source: Ipv4Addr, node: SocketAddr, target: &str) -> (TcpStream, u16) {
    let mut stream = connect_from(source, node).unwrap();
    let request = request_bytes("GET", target, &[], &[]);
    stream.write_all(&request).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    let status = std::str::from_utf8(&start[9..]).unwrap().parse().unwrap();
    (stream, status)
}

fn ask(source: Ipv4Addr, node: SocketAddr, target: &str) -> io::Result<TransportResponse> {
    let stream = connect_from(source, node)?;
    (&stream).write_all(&request_bytes("GET", target, &[], &[]))?;
    read_answer(stream, false)
}

/// Opens and keeps as many streams as allowed. Returns the number of rejections, too.
fn hoard(node: SocketAddr, target: &str, count: usize) -> (Vec<TcpStream>, usize) {
    let opened = (0..count).map(|_| begin(GREEDY, node, target));
    let (held, rejected): (Vec<_>, Vec<_>) = opened.partition(|(_, status)| *status == 200);
    assert!(rejected.iter().all(|(_, status)| *status == 503));
    let held: Vec<_> = held.into_iter().map(|(stream, _)| stream).collect();
    (held, rejected.len())
}

/// Requests everything that is shared. Returns the requests that were rejected or slow.
fn newcomer(address: SocketAddr) -> Vec<(&'static str, u16, Duration)> {
    let targets = [
        "/chain",
        "/data",
        "/api/v1/search?q=x",
        "/api/v1/mempool",
        "/api/v1/events",
    ];
    let asked = targets.map(|target| {
        let begun = Instant::now();
        let (_, status) = begin(NEWCOMER, address, target);
        (target, status, begun.elapsed())
    });
    let is_bad = |(_, status, took): &(_, u16, Duration)| *status != 200 || *took > SOON;
    asked.into_iter().filter(is_bad).collect()
}

// Other systems have one loopback address.
#[cfg(target_os = "linux")]
#[test]
fn one_address_does_not_shut_out_another() {
    let node = TestNode::start(&["--threads", "0"]);
    // Longer than the buffers of a connection hold.
    let text = "x".repeat(64 * 1024);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| drop(node.add(&text))));
        }
    });
    let address = node.address();
    let (_streams, rejected) = hoard(address, "/data", 20);
    assert!(rejected >= 4, "{rejected}");
    let (_events, rejected) = hoard(address, "/api/v1/events", 80);
    assert!(rejected >= 16, "{rejected}");
    let share = ask(GREEDY, address, "/chain").unwrap();
    let told = share.expect_error(503, "unavailable");
    assert!(
        told.contains("this address has reached its share"),
        "{told}"
    );
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    let response = ask(GREEDY, address, "/api/v1/search?q=none").unwrap();
                    assert!(matches!(response.status, 200 | 429));
                }
            });
        }
        let rejected: Vec<_> = (0..5).flat_map(|_| newcomer(address)).collect();
        ended.store(true, Ordering::Relaxed);
        assert!(rejected.is_empty(), "{rejected:?}");
    });
}
