//! Invalid requests to `/api/v1`: the right status, and always the same error body.

use crate::support::http::{exchange, post_message};
use crate::support::test_node::TestNode;

const MESSAGES: &str = "/api/v1/messages";

#[test]
fn paths_that_do_not_exist_are_404() {
    let node = TestNode::start(&["--threads", "0"]);
    for target in [
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nope",
        "/api/v1/status/",
        "/api/v1/blocks/",
        "/api/v1/blocks/1/",
        "/api/v1/status/more",
        "/api/v2/status",
    ] {
        for method in ["GET", "POST", "DELETE", "OPTIONS"] {
            let response = node.request(method, target, &[], &[]);
            response.expect_error(404, "not_found");
        }
    }
    let id = "0".repeat(32);
    node.get(&format!("{MESSAGES}/{id}"))
        .expect_error(404, "not_found");
    for wrong in [&id[1..], &id.replace('0', "g"), "x", "%00"] {
        node.get(&format!("{MESSAGES}/{wrong}"))
            .expect_error(400, "bad_request");
    }
}

#[test]
fn unsupported_methods_are_405_with_the_allowed_ones() {
    let node = TestNode::start(&["--threads", "0"]);
    let id = format!("{MESSAGES}/{}", "0".repeat(32));
    for (target, allow) in [
        ("/api/v1/status", "GET, HEAD, OPTIONS"),
        ("/api/v1/blocks", "GET, HEAD, OPTIONS"),
        ("/api/v1/blocks/tip", "GET, HEAD, OPTIONS"),
        ("/api/v1/mempool", "GET, HEAD, OPTIONS"),
        ("/health", "GET, HEAD, OPTIONS"),
        (&id, "GET, HEAD, OPTIONS"),
        (MESSAGES, "OPTIONS, POST"),
    ] {
        for method in ["PUT", "DELETE", "PATCH"] {
            let response = node.request(method, target, &[], &[]);
            assert_eq!(response.header("allow"), Some(allow), "{method} {target}");
            response.expect_error(405, "method_not_allowed");
        }
        let options = node.request("OPTIONS", target, &[], &[]).expect(200);
        assert_eq!(options.header("allow"), Some(allow), "{target}");
    }
    node.get(MESSAGES).expect_error(405, "method_not_allowed");
    let head = node
        .request("HEAD", "/api/v1/blocks/tip", &[], &[])
        .expect(200);
    assert_eq!(
        head.content_length(),
        node.get("/api/v1/blocks/tip").content_length()
    );
}

#[test]
fn a_message_body_must_be_json() {
    let node = TestNode::start(&["--threads", "0"]);
    let body = b"{\"message\": \"a\"}";
    for headers in [
        &[][..],
        &[("Content-Type", "text/plain")],
        &[("Content-Type", "application/x-www-form-urlencoded")],
        &[("Content-Type", "application/jsonp")],
    ] {
        let response = node.request("POST", MESSAGES, headers, body);
        response.expect_error(415, "unsupported_media_type");
    }
    for kind in ["application/json", "Application/JSON ; charset=utf-8"] {
        let response = node.request("POST", MESSAGES, &[("Content-Type", kind)], body);
        response.expect(201);
    }
    let chunked = b"POST /api/v1/messages HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\n{\"mes\r\nb\r\nsage\": \"a\"}\r\n0\r\n\r\n";
    exchange(node.address(), chunked).unwrap().expect(201);
    assert_eq!(node.status().mempool.count, 3);
}

#[test]
fn a_body_must_be_an_object_not_a_list_of_values() {
    let node = TestNode::start(&["--threads", "0"]);
    let kind = [("Content-Type", "application/json")];
    for (path, body) in [
        (MESSAGES, "[\"x\"]"),
        ("/api/v1/announce", "[1, \":1\", \"00\", 1, 0]"),
    ] {
        let response = node.request("POST", path, &kind, body.as_bytes());
        response.expect_error(400, "bad_request");
    }
    assert_eq!(node.status().mempool.count, 0);
}

#[test]
fn an_idempotency_key_has_1_to_256_bytes() {
    let node = TestNode::start(&["--threads", "0"]);
    post_message(node.address(), "a", Some(&"k".repeat(256)))
        .unwrap()
        .expect(201);
    for key in ["", &"k".repeat(257)] {
        let response = post_message(node.address(), "a", Some(key)).unwrap();
        response.expect_error(400, "bad_request");
    }
    assert_eq!(node.status().mempool.count, 1);
}

#[test]
fn an_oversized_body_is_rejected_and_not_buffered() {
    let node = TestNode::start(&["--threads", "0"]);
    let kind = [("Content-Type", "application/json")];
    // More than the buffers of the connection hold: the response has to wait for the rest.
    for length in [400_000, 12_000_000] {
        let response = node.request("POST", MESSAGES, &kind, &vec![b' '; length]);
        response.expect_error(413, "too_large");
    }
    assert_eq!(node.status().mempool.count, 0);
}

#[test]
fn an_unparsable_head_is_answered_with_a_bare_status() {
    let mut node = TestNode::start(&["--threads", "0"]);
    let long_line = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(70_000));
    // More than the node reads of it: the rest must not cut off the response.
    let long_head = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(3_000_000));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200));
    for (request, status) in [
        (long_line, 414),
        (long_head, 431),
        (many, 431),
        ("\u{1}\u{2}\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n".to_owned(), 400),
    ] {
        let response = exchange(node.address(), request.as_bytes()).unwrap();
        assert_eq!(response.header("connection"), Some("close"));
        assert_eq!(response.expect(status).text(), "");
    }
    // The same as the second request on a connection, after a valid one.
    let two = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n\x01\r\n\r\n";
    let mut stream = crate::support::http::connect(node.address()).unwrap();
    std::io::Write::write_all(&mut stream, two).unwrap();
    let mut responses = String::new();
    std::io::Read::read_to_string(&mut stream, &mut responses).unwrap();
    assert!(responses.starts_with("HTTP/1.1 200 OK"), "{responses}");
    assert!(
        responses.contains("HTTP/1.1 400 Bad Request"),
        "{responses}"
    );
    node.stop();
}
