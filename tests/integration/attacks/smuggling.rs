//! Requests that a proxy and a node could read in two ways. Each is followed on its connection by
//! a request that adds a message: either the first has one reading and both are answered, or it is
//! rejected and the connection closed. What stands in the body of the first is never taken for a
//! request.

mod vectors;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use crate::support::TIMEOUT;
use crate::support::http::connect;
use crate::support::test_node::TestNode;
use vectors::{Reading, vectors};

/// Silence after which the node is considered to be waiting for more bytes.
const QUIET: Duration = Duration::from_millis(300);

/// The next request of an honest client on the same connection.
const NEXT: &str = "PUT /add?message=next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// The statuses of all responses on one connection.
fn statuses(node: &TestNode, bytes: &[u8]) -> Vec<u16> {
    let mut stream = connect(node.address()).unwrap();
    // The node may close the connection before it has received everything.
    let _ = stream.write_all(bytes);
    stream.set_read_timeout(Some(QUIET)).unwrap();
    let mut responses = Vec::new();
    let _ = stream.read_to_end(&mut responses);
    // If the node waits for more, there is no response.
    let _ = stream.shutdown(Shutdown::Write);
    stream.set_read_timeout(Some(TIMEOUT)).unwrap();
    let _ = stream.read_to_end(&mut responses);
    let text = String::from_utf8_lossy(&responses);
    let status = |(at, _): (usize, &str)| text.get(at + 9..at + 12)?.parse().ok();
    text.match_indices("HTTP/1.").filter_map(status).collect()
}

fn added(node: &TestNode) -> (usize, usize) {
    let pending = node.pending();
    let count = |text: &str| pending.iter().filter(|one| one.message == text).count();
    (count("hidden"), count("next"))
}

#[test]
#[expect(clippy::print_stderr, reason = "the count is for whoever runs this")]
fn an_ambiguous_request_is_rejected() {
    let node = TestNode::start(&["--threads", "0"]);
    let vectors = vectors();
    let mut problems = Vec::new();
    let (mut clear, mut rejected) = (0, 0);
    let mut before = added(&node);
    for (name, bytes, expected) in &vectors {
        let statuses = statuses(&node, &[bytes.as_bytes(), NEXT.as_bytes()].concat());
        let after = added(&node);
        let (hidden, next) = (after.0 - before.0, after.1 - before.1);
        before = after;
        // Two responses, the second to the honest request; or one rejection; or none.
        let reading = match (&statuses[..], next) {
            ([_, 200], 1) => Reading::Clear,
            ([400..500] | [], 0) => Reading::Rejected,
            _ => {
                problems.push(format!("{name}: {statuses:?}, {next} added"));
                continue;
            }
        };
        if hidden > 0 || (*expected != Reading::Either && reading != *expected) {
            problems.push(format!("{name}: {statuses:?} {reading:?}, {hidden} hidden"));
        }
        match reading {
            Reading::Clear => clear += 1,
            _ => rejected += 1,
        }
    }
    eprintln!(
        "{} vectors: {clear} with one reading, {rejected} rejected",
        vectors.len()
    );
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let node = TestNode::start(&["--threads", "0"]);
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    for number in 0..300 {
        let (line, status) = match number % 4 {
            0 => ("GET /neighbours".to_owned(), 200),
            1 => (format!("PUT /add?message={number}"), 200),
            2 => ("GET /nothing".to_owned(), 404),
            _ => ("DELETE /api/v1/status".to_owned(), 405),
        };
        bytes.extend_from_slice(format!("{line} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        expected.push(status);
    }
    bytes.extend_from_slice(NEXT.as_bytes());
    expected.push(200);
    assert_eq!(statuses(&node, &bytes), expected);
    assert_eq!(node.status().mempool.count, 76);
}
