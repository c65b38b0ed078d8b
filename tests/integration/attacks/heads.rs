//! Parsable request heads without a valid target or host: the node and the explorer reject them with
//! the right status before any route handles them.

use std::io::{Read, Write};
use std::net::SocketAddr;

use crate::support::explorer::Explorer;
use crate::support::http::{connect, exchange};
use crate::support::test_node::TestNode;

/// Request line and headers of each head, and the status of its response; 0 stands for the status of
/// `GET /`.
const HEADS: &[(&str, &str, u16)] = &[
    // The four forms of a request target, RFC 9112, section 3.2.
    ("GET / HTTP/1.1", "Host: x\r\n", 0),
    ("GET http://x/ HTTP/1.1", "Host: x\r\n", 0),
    ("GET http://x HTTP/1.1", "Host: x\r\n", 0),
    ("GET http://x?q HTTP/1.1", "Host: x\r\n", 0),
    ("GET HTTPS://x:1/ HTTP/1.1", "Host: x\r\n", 0),
    ("GET gopher://x/ HTTP/1.1", "Host: x\r\n", 400),
    ("GET a:1 HTTP/1.1", "Host: x\r\n", 400),
    ("HEAD a:1 HTTP/1.1", "Host: x\r\n", 400),
    ("PUT a:1 HTTP/1.1", "Host: x\r\n", 400),
    ("OPTIONS a:1 HTTP/1.1", "Host: x\r\n", 400),
    ("GET neighbours HTTP/1.1", "Host: x\r\n", 400),
    ("GET [::1]:80 HTTP/1.1", "Host: x\r\n", 400),
    ("GET ?q HTTP/1.1", "Host: x\r\n", 400),
    ("GET * HTTP/1.1", "Host: x\r\n", 400),
    ("PUT * HTTP/1.1", "Host: x\r\n", 400),
    ("CONNECT a:1 HTTP/1.1", "Host: a:1\r\n", 405),
    ("CONNECT a HTTP/1.1", "Host: a\r\n", 405),
    ("CONNECT /chain HTTP/1.1", "Host: x\r\n", 405),
    ("CONNECT * HTTP/1.1", "Host: x\r\n", 405),
    // The host, RFC 9112, section 3.2.
    ("GET / HTTP/1.1", "", 400),
    ("GET / HTTP/1.0", "", 0),
    ("GET / HTTP/1.0", "Host: x\r\n", 0),
    ("GET / HTTP/1.1", "Host: x\r\nHost: x\r\n", 400),
    ("GET / HTTP/1.1", "Host: x\r\nhost: y\r\n", 400),
    ("GET / HTTP/1.0", "Host: x\r\nHost: y\r\n", 400),
    ("GET http://x/ HTTP/1.1", "", 400),
    ("GET / HTTP/1.1", "Host:\r\n", 400),
    ("GET / HTTP/1.1", "Host: :80\r\n", 400),
    ("GET / HTTP/1.1", "Host: x y\r\n", 400),
    ("GET / HTTP/1.1", "Host: x, y\r\n", 400),
    ("GET / HTTP/1.1", "Host: x/y\r\n", 400),
    ("GET / HTTP/1.1", "Host: http://x\r\n", 400),
    ("GET / HTTP/1.1", "Host: u@x\r\n", 400),
    ("GET / HTTP/1.1", "Host: x:99999\r\n", 400),
    ("GET / HTTP/1.1", "Host: x:y\r\n", 400),
    ("GET / HTTP/1.1", "Host: ::1\r\n", 400),
    ("GET / HTTP/1.1", "Host: [::1\r\n", 400),
    ("GET / HTTP/1.1", "Host: [x]\r\n", 400),
    ("GET / HTTP/1.1", "Host: \u{e4}\r\n", 400),
    ("GET / HTTP/1.1", "Host: [::1]:80\r\n", 0),
    ("GET / HTTP/1.1", "Host: a_b.example:\r\n", 0),
    // Expectations, RFC 9110, section 10.1.1.
    ("GET / HTTP/1.1", "Host: x\r\nExpect: 100-Continue\r\n", 0),
    ("GET / HTTP/1.1", "Host: x\r\nExpect: tea\r\n", 417),
    (
        "GET / HTTP/1.1",
        "Host: x\r\nExpect: tea\r\nExpect: 100-continue\r\n",
        417,
    ),
    ("GET / HTTP/1.0", "Expect: tea\r\n", 0),
];

fn assert_heads(address: SocketAddr, root: u16) {
    let mut problems = Vec::new();
    for (line, headers, expected) in HEADS {
        let expected = if *expected == 0 { root } else { *expected };
        let head = format!("{line}\r\n{headers}Connection: close\r\n\r\n");
        match exchange(address, head.as_bytes()) {
            Ok(response) if response.status == expected => {
                // Anything may follow a rejected head, such as the bytes for a tunnel.
                let closes = response.header("connection") == Some("close");
                if expected != root && !closes {
                    problems.push(format!("{line} {headers:?}: stays open"));
                }
                if expected == 405 && response.header("allow").is_none() {
                    problems.push(format!("{line} {headers:?}: no Allow"));
                }
            }
            Ok(response) => problems.push(format!("{line} {headers:?}: {}", response.status)),
            Err(error) => problems.push(format!("{line} {headers:?}: {error}")),
        }
    }
    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn a_node_rejects_heads_without_a_valid_target_or_host() {
    let mut node = TestNode::start(&["--threads", "0"]);
    assert_heads(node.address(), 404);
    let log = node.stop();
    assert!(!log.contains("panic"), "{log}");
}

#[test]
fn the_explorer_rejects_heads_without_a_valid_target_or_host() {
    let node = TestNode::start(&["--threads", "0"]);
    let explorer = Explorer::of(node.address(), &[]);
    assert_heads(explorer.address(), 200);
    let log = explorer.stderr();
    assert!(!log.contains("panic"), "{log}");
}

#[test]
fn rejected_heads_are_counted_and_not_logged() {
    let mut node = TestNode::start(&["--threads", "0"]);
    for _ in 0..50 {
        let head = b"GET a:1 HTTP/1.1\r\nHost: x\r\n\r\n";
        exchange(node.address(), head)
            .unwrap()
            .expect_error(400, "bad_request");
    }
    let page = node.get("/metrics").expect(200);
    let counted =
        "blockchain_http_requests_total{route=\"other\",method=\"GET\",status=\"400\"} 50";
    assert!(page.text().contains(counted), "{}", page.text());
    let log = node.stop();
    assert!(!log.contains("a:1") && log.len() < 4096, "{log}");
}

/// Sends a request and reads until the response contains `end`; the connection stays open.
fn until(address: SocketAddr, request: &[u8], end: &str) -> String {
    let mut stream = connect(address).unwrap();
    stream.write_all(request).unwrap();
    let (mut response, mut buffer) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&response).contains(end) {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "{}", String::from_utf8_lossy(&response));
        response.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8(response).unwrap()
}

#[test]
fn proxies_are_told_not_to_buffer_events() {
    let node = TestNode::start(&["--threads", "0"]);
    let explorer = Explorer::of(node.address(), &[]);
    for (address, path) in [
        (node.address(), "/api/v1/events"),
        (explorer.address(), "/events"),
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n");
        let response = until(address, request.as_bytes(), "\r\n\r\n");
        assert!(response.starts_with("HTTP/1.1 200 "), "{path}: {response}");
        assert!(
            response.contains("x-accel-buffering: no\r\n"),
            "{path}: {response}"
        );
    }
}

#[test]
fn a_declared_length_above_the_limit_is_rejected_before_the_body_is_asked_for() {
    let node = TestNode::start(&["--threads", "0"]);
    let explorer = Explorer::of(node.address(), &[]);
    for (address, path, length) in [
        (node.address(), "/api/v1/messages", 1_000_000),
        (node.address(), "/api/v1/announce", 5_000),
        (explorer.address(), "/add", 1_000_000),
    ] {
        let request = |length: usize| {
            format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
            )
        };
        let response = until(address, request(length).as_bytes(), "\r\n\r\n");
        assert!(response.starts_with("HTTP/1.1 413 "), "{path}: {response}");
        let response = until(address, request(10).as_bytes(), "\r\n\r\n");
        assert!(response.starts_with("HTTP/1.1 100 "), "{path}: {response}");
    }
}
