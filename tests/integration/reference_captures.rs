//! Every response of a reference miner that was captured, compared with this program's response to the
//! same request: status, JSON body and types of the values.

use std::io::{BufRead, BufReader, Read, Write};

use serde::Deserialize;
use serde_json::Value;

use super::support::http::connect;
use super::support::test_node::TestNode;

#[derive(Debug, Deserialize)]
struct Capture {
    name: String,
    raw: Option<String>,
    #[serde(default)]
    method: String,
    #[serde(default)]
    target: String,
    pad_message_to: Option<usize>,
    #[serde(default)]
    request_body: String,
    status: u16,
    body: Value,
}

impl Capture {
    fn request(&self) -> Vec<u8> {
        if let Some(raw) = &self.raw {
            return raw.clone().into_bytes();
        }
        let pad = "x".repeat(self.pad_message_to.unwrap_or(0));
        format!(
            "{} {}{pad} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}",
            self.method,
            self.target,
            self.request_body.len(),
            self.request_body
        )
        .into_bytes()
    }
}

/// Status and body of the first response.
fn exchange(node: &TestNode, request: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = BufReader::new(connect(node.address()).unwrap());
    // A response may come before the request is sent to its end.
    let _ = stream.get_mut().write_all(request);
    let (mut status, mut length, mut line) = (String::new(), 0, String::new());
    stream.read_line(&mut status).unwrap();
    while stream.read_line(&mut line).unwrap() > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    // HEAD has the length, but no body.
    let mut body = vec![
        0;
        if request.starts_with(b"HEAD") {
            0
        } else {
            length
        }
    ];
    stream.read_exact(&mut body).unwrap();
    (status.split(' ').nth(1).unwrap().parse().unwrap(), body)
}

/// Asserts that a value has the same type, at least the same keys, and the same text where it is
/// fixed.
fn agrees(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            expected.iter().all(|(key, expected)| {
                let fixed = matches!(key.as_str(), "message" | "more_information");
                found
                    .get(key)
                    .is_some_and(|found| agrees(found, expected) && (!fixed || found == expected))
            })
        }
        (Value::String(_), Value::String(_)) | (Value::Number(_), Value::Number(_)) => true,
        (found, expected) => found == expected,
    }
}

#[test]
fn every_captured_request_gets_the_captured_response() {
    let captures = include_str!("../fixtures/rest/captures.json");
    let captures: Vec<Capture> = serde_json::from_str(captures).unwrap();
    assert!(captures.len() > 60);
    let node = TestNode::start(&["--threads", "0"]);
    let mut wrong = Vec::new();
    for capture in captures {
        let (status, body) = exchange(&node, &capture.request());
        // HTTP/2.0 is not a version this server knows, which it calls a bad request, and so it does
        // HTTP/1.1 without a Host.
        let is_rejected = ["raw_http2", "raw_http11_nohost"].contains(&&*capture.name);
        // A reference miner does not say that /add has another method.
        let is_named = capture.name == "add_post";
        let expected = match capture.status {
            _ if is_rejected => 400,
            _ if is_named => 405,
            status => status,
        };
        let same_body = is_rejected
            || is_named
            || capture.body.is_null()
            || serde_json::from_slice(&body).is_ok_and(|body| agrees(&body, &capture.body));
        if status != expected || !same_body {
            let body = String::from_utf8_lossy(&body).into_owned();
            wrong.push((capture.name, expected, status, body));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
