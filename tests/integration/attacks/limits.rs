//! Requests just below, at and just above each limit: accepted, or rejected with the reason, and
//! neither leaves memory allocated.

use crate::support::http::{
    TransportResponse, exchange, percent_encode, post_message, put_message,
};
use crate::support::test_node::TestNode;

/// Maximum bytes of a message, bytes of a request target, and number of headers.
const MESSAGE: usize = 64 * 1024;
const TARGET: usize = u16::MAX as usize - 1;
const HEADERS: usize = 100;

/// Maximum length of a request head in bytes.
const HEAD: usize = 128 * 1024;

fn send(node: &TestNode, request: &str) -> TransportResponse {
    exchange(node.address(), request.as_bytes()).unwrap()
}

#[test]
fn a_message_has_a_limit_in_bytes_not_in_characters() {
    let node = TestNode::start(&["--threads", "0"]);
    // Each takes another number of bytes in the body, so the limit is on the text.
    for character in ["x", "\u{1}", "é", "😀", "\""] {
        let most = MESSAGE / character.len();
        for (count, status) in [(most - 1, 201), (most, 201), (most + 1, 413)] {
            let text = character.repeat(count);
            let response = post_message(node.address(), &text, None).unwrap();
            assert_eq!(response.status, status, "{count} times {character:?}");
        }
    }
}

#[test]
fn a_request_line_has_a_limit() {
    let node = TestNode::start(&["--threads", "0"]);
    let frame = "/add?message=".len();
    for (length, status) in [(TARGET - 1, 200), (TARGET, 200), (TARGET + 1, 414)] {
        let text = "x".repeat(length - frame);
        let response = put_message(node.address(), &text).unwrap();
        assert_eq!(response.status, status, "{length} bytes");
    }
    // The reference miner's clients escape text; the escaped form counts.
    let text = "é".repeat((TARGET - frame) / 6);
    assert!(percent_encode(&text).len() > TARGET - frame - 6);
    put_message(node.address(), &text).unwrap().expect(200);
}

#[test]
fn headers_have_a_limit_in_number_and_bytes() {
    let node = TestNode::start(&["--threads", "0"]);
    let with = |headers: &str| {
        let request =
            format!("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        send(&node, &request)
    };
    for (count, status) in [(HEADERS - 1, 200), (HEADERS, 200), (HEADERS + 1, 431)] {
        let headers = "x: y\r\n".repeat(count - 2);
        assert_eq!(with(&headers).status, status, "{count} headers");
    }
    let frame = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\nx: \r\n\r\n".len();
    for (length, status) in [(HEAD - 2, 200), (HEAD - 1, 200), (2 * HEAD, 431)] {
        let header = format!("x: {}\r\n", "y".repeat(length - frame));
        assert_eq!(with(&header).status, status, "{length} bytes");
    }
}

#[test]
fn bodies_have_a_limit_by_route() {
    let node = TestNode::start(&["--threads", "0"]);
    let json = [("Content-Type", "application/json")];
    let message = 6 * MESSAGE + 1024;
    for (path, most) in [("/api/v1/messages", message), ("/api/v1/announce", 4096)] {
        for (length, status) in [(most - 1, 400), (most, 400), (most + 1, 413)] {
            // The body is blank, so that it is invalid once it is read.
            let body = vec![b' '; length];
            let response = node.request("POST", path, &json, &body);
            assert_eq!(response.status, status, "{path} {length}");
        }
    }
    // Routes without a body do not wait for one, and do not take it for the next request.
    for method in ["GET", "DELETE", "PUT"] {
        let response = node.request(method, "/neighbours", &[], &vec![b' '; 100_000]);
        let expected = if method == "GET" { 200 } else { 405 };
        assert_eq!(response.status, expected, "{method}");
    }
}

#[test]
fn unterminated_request_heads_are_bounded() {
    let node = TestNode::start(&["--threads", "0"]);
    node.get("/health").expect(200);
    let before = node.resident();
    let begin = "GET / HTTP/1.1\r\nHost: x\r\n";
    let heads = [
        format!("GET /{}", "x".repeat(10_000_000)),
        format!("{begin}x: {}", "y".repeat(10_000_000)),
        format!("{begin}{}", "a: b\r\n".repeat(1_700_000)),
        format!("{begin}{}", "a:\r\n b\r\n".repeat(1_000_000)),
        "\r\n".repeat(5_000_000),
        "G".repeat(10_000_000),
    ];
    for _ in 0..3 {
        std::thread::scope(|scope| {
            for head in &heads {
                // Some requests are cut off before they are sent; none succeeds.
                let address = node.address();
                scope.spawn(move || {
                    let response = exchange(address, head.as_bytes());
                    let is_rejected =
                        |response: TransportResponse| (400..500).contains(&response.status);
                    assert!(response.map_or(true, is_rejected), "{head:.20}");
                });
            }
        });
    }
    node.get("/health").expect(200);
    if let (Some(before), Some(after)) = (before, node.resident()) {
        let more = after.saturating_sub(before) >> 20;
        assert!(more < 32, "{more} MiB more");
    }
}

#[test]
fn deeply_nested_json_is_rejected() {
    let node = TestNode::start(&["--threads", "0"]);
    let json = [("Content-Type", "application/json")];
    for (open, close) in [
        ("[", "]"),
        ("{\"a\":", "}"),
        ("{\"message\":", "}"),
        ("[{\"a\":", "}]"),
    ] {
        for depth in [2, 127, 128, 129, 10_000, 60_000] {
            let whole = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let half = open.repeat(depth);
            for body in [whole, half] {
                for path in ["/api/v1/messages", "/api/v1/announce"] {
                    let response = node.request("POST", path, &json, body.as_bytes());
                    let is_rejected = matches!(response.status, 400 | 413);
                    assert!(
                        is_rejected,
                        "{path} {depth} times {open:?}: {}",
                        response.status
                    );
                }
            }
        }
    }
    // An unknown field is skipped at any depth.
    let body = format!(
        "{{\"message\":\"a\",\"b\":{}{}}}",
        "[".repeat(9000),
        "]".repeat(9000)
    );
    let response = node.request("POST", "/api/v1/messages", &json, body.as_bytes());
    response.expect(201);
    assert_eq!(node.status().mempool.count, 1);
}
