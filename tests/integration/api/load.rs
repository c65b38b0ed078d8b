//! Slow readers and idle connections do not delay other clients.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::support::http::{connect, read_answer, request_bytes};
use crate::support::test_node::TestNode;

/// Streams that local clients may have at a time; the other quarter is for other addresses.
const STREAMS: usize = 12;

/// Maximum response time under load.
const SOON: Duration = Duration::from_secs(2);

/// Starts a node whose `/data` is longer than the buffers of a connection.
fn full() -> TestNode {
    let node = TestNode::start(&["--threads", "0"]);
    let text = "x".repeat(64 * 1024);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| drop(node.add(&text))));
        }
    });
    node
}

/// Requests a stream and reads only its beginning.
fn slow_reader(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address).unwrap();
    let request = request_bytes("GET", "/data", &[], &[]);
    stream.write_all(&request).unwrap();
    let mut start = [0; 12];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    stream
}

fn answers_soon(node: &TestNode) {
    let begin = Instant::now();
    node.get("/health").expect(200);
    node.add("from another client");
    node.get("/api/v1/blocks").expect(200);
    let took = begin.elapsed();
    assert!(took < SOON, "{took:?}");
}

#[test]
fn the_thirteenth_local_stream_is_rejected_until_one_ends() {
    let mut node = full();
    let mut readers: Vec<_> = (0..STREAMS).map(|_| slow_reader(node.address())).collect();
    for target in ["/data", "/chain"] {
        node.get(target).expect_error(503, "unavailable");
    }
    answers_soon(&node);
    // A reader that disconnects frees its stream, as does one that reads to the end.
    drop(readers.pop());
    crate::support::wait_for("a free stream", || {
        (node.get("/chain").status == 200).then_some(())
    });
    readers.push(slow_reader(node.address()));
    node.get("/chain").expect(503);
    let mut rest = Vec::new();
    readers.pop().unwrap().read_to_end(&mut rest).unwrap();
    assert!(rest.len() > 10_000_000 && rest.ends_with(b"]}\"\n"));
    crate::support::wait_for("a free stream", || {
        (node.get("/chain").status == 200).then_some(())
    });
    // Open streams neither delay the stop nor make it unclean.
    node.stop();
    node.start_again(&["--threads", "0"]);
    assert!(
        !node.stderr().contains("did not stop cleanly"),
        "{}",
        node.stderr()
    );
}

#[test]
fn idle_connections_do_not_block_others() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    let halves: [&[u8]; 3] = [
        b"",
        b"GET /chain HT",
        b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    ];
    let idle: Vec<_> = (0..150)
        .map(|number| {
            let mut stream = connect(node.address()).unwrap();
            stream.write_all(halves[number % halves.len()]).unwrap();
            stream
        })
        .collect();
    answers_soon(&node);
    let stderr = node.stop();
    assert!(!stderr.contains("WARN"), "{stderr}");
    drop(idle);
}

#[test]
fn one_connection_takes_many_requests() {
    let node = TestNode::start(&["--threads", "0"]);
    let mut stream = connect(node.address()).unwrap();
    let request = b"GET /neighbours HTTP/1.1\r\nHost: x\r\n\r\n".repeat(20);
    stream.write_all(&request).unwrap();
    stream
        .write_all(&request_bytes("GET", "/neighbours", &[], &[]))
        .unwrap();
    let mut responses = Vec::new();
    stream.read_to_end(&mut responses).unwrap();
    let text = String::from_utf8(responses).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 21);
    let last = text.rfind("HTTP/1.1").unwrap();
    read_answer(&text.as_bytes()[last..], false)
        .unwrap()
        .expect(200);
}
