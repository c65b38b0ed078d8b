//! Compressed responses, for clients that accept them.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::Command;

use flate2::read::GzDecoder;

use crate::support::explorer::Explorer;
use crate::support::http::{TransportResponse, connect, request_bytes};
use crate::support::skip::skip;
use crate::support::test_node::TestNode;

/// The header of `python-requests`.
const GZIP: (&str, &str) = ("Accept-Encoding", "gzip, deflate");

/// A node with a long chain and a long message.
fn start() -> TestNode {
    let node = TestNode::start(&["--difficulty", "1"]);
    let long: String = (0..13_000).map(|n| n.to_string()).collect();
    node.mine(&["one", "two", &long, &long, "four"]);
    node
}

fn content(response: &TransportResponse) -> Vec<u8> {
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    let mut content = Vec::new();
    GzDecoder::new(&*response.body)
        .read_to_end(&mut content)
        .unwrap();
    content
}

#[test]
fn long_responses_are_compressed_for_clients_that_accept_it() {
    let node = start();
    let explorer = Explorer::of(node.address(), &[]);
    let get = |target: &str, headers: &[(&str, &str)]| {
        if target.starts_with("/assets") || target == "/block/4" || target == "/lab" {
            return explorer.browse("GET", target, headers, "").expect(200);
        }
        node.request("GET", target, headers, b"").expect(200)
    };
    for target in [
        "/chain",
        "/api/v1/blocks",
        "/api/v1/blocks/4",
        "/api/v1/blocks/4/receipt",
        "/openapi.json",
        "/docs",
        "/block/4",
        "/lab",
        "/assets/base.css",
    ] {
        let plain = get(target, &[]);
        assert_eq!(plain.header("content-encoding"), None, "{target}");
        assert_eq!(plain.content_length(), Some(plain.body.len() as u64));
        assert_eq!(plain.header("vary"), Some("accept-encoding"), "{target}");
        let identity = get(target, &[("Accept-Encoding", "identity, gzip;q=0.1")]);
        assert_eq!(identity.header("content-encoding"), None, "{target}");
        let compressed = get(target, &[GZIP]);
        assert_eq!(compressed.header("vary"), Some("accept-encoding"));
        assert!(compressed.body.len() < plain.body.len() * 2 / 3, "{target}");
        // Pages of the explorer have a token of the session and times.
        if !["/block/4", "/lab"].contains(&target) {
            assert!(content(&compressed) == plain.body, "{target}");
        }
    }
    for target in ["/health", "/data", "/neighbours", "/api/v1/blocks/1"] {
        let short = node.request("GET", target, &[GZIP], b"").expect(200);
        assert_eq!(short.header("content-encoding"), None, "{target}");
        assert_eq!(short.content_length(), Some(short.body.len() as u64));
    }
}

#[test]
fn a_response_to_head_has_the_headers_of_the_one_to_get() {
    let node = start();
    for target in ["/chain", "/api/v1/blocks", "/openapi.json", "/health"] {
        let [get, head] =
            ["GET", "HEAD"].map(|method| node.request(method, target, &[GZIP], b"").expect(200));
        assert!(head.body.is_empty());
        for name in [
            "content-encoding",
            "content-length",
            "content-type",
            "vary",
            "etag",
        ] {
            assert_eq!(head.header(name), get.header(name), "{target} {name}");
        }
    }
}

#[test]
fn the_entity_tag_of_a_compressed_response_is_weak_and_revalidates_both() {
    let node = start();
    let explorer = Explorer::of(node.address(), &[]);
    let get = |target: &str, headers: &[(&str, &str)]| {
        if target.starts_with("/assets") {
            explorer.browse("GET", target, headers, "")
        } else {
            node.request("GET", target, headers, b"")
        }
    };
    for target in ["/api/v1/blocks/4", "/assets/base.css"] {
        let tag = |response: &TransportResponse| response.header("etag").unwrap().to_owned();
        let strong = tag(&get(target, &[]).expect(200));
        let weak = tag(&get(target, &[GZIP]).expect(200));
        assert_eq!(weak, format!("W/{strong}"));
        for known in [&strong, &weak, &format!("\"x\", {weak}")] {
            let known = ("If-None-Match", known.as_str());
            let same = get(target, &[known, GZIP]).expect(304);
            assert_eq!((tag(&same), same.body.len()), (weak.clone(), 0));
            assert_eq!(same.header("content-encoding"), None);
            assert_eq!(same.header("vary"), Some("accept-encoding"));
            let same = get(target, &[known]).expect(304);
            assert_eq!(tag(&same), strong);
        }
        get(target, &[("If-None-Match", "\"x\""), GZIP]).expect(200);
    }
}

#[test]
fn an_event_stream_is_not_compressed() {
    let node = TestNode::start(&["--threads", "0"]);
    let mut stream = connect(node.address()).unwrap();
    let request = request_bytes("GET", "/api/v1/events", &[GZIP], b"");
    stream.write_all(&request).unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<_> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head[0].contains("200"), "{head:?}");
    assert!(!head.iter().any(|line| line.contains("encoding: gzip")));
    node.add("at once");
    assert!(lines.any(|line| line.contains("at once")));
}

#[test]
fn python_requests_reads_every_documented_path() {
    let node = start();
    let script = "import sys, json, requests\n\
        base = sys.argv[1]\n\
        print(requests.put(base + '/add', params={'message': 'from python'}).status_code)\n\
        chain = requests.get(base + '/chain')\n\
        print(chain.headers.get('content-encoding'), chain.json()['length'] > 5)\n\
        print(len(json.loads(chain.json()['chain'])) == chain.json()['length'])\n\
        print(requests.get(base + '/data').status_code, requests.get(base + '/neighbours').json()['length'])\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.py");
    fs::write(&file, script).unwrap();
    let output = Command::new("python3")
        .arg(&file)
        .arg(format!("http://{}", node.address()))
        .output();
    let Ok(output) = output else {
        return skip("python-requests", "python3 is not installed");
    };
    let error = String::from_utf8_lossy(&output.stderr);
    if error.contains("No module named 'requests'") {
        return skip("python-requests", "it is not installed");
    }
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "200\ngzip True\nTrue\n200 0\n", "{error}");
}
