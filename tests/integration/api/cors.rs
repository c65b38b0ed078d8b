//! `--allow-origin`: web applications of other origins.

use std::io::{BufRead, BufReader, Write};

use crate::support::fake_peer::{FakePeer, response};
use crate::support::http::{TransportResponse, connect, request_bytes};
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::webdriver::Browser;

const APP: &str = "https://app.example";

/// Requests of the tests have this host.
const HOST: &str = "test";

fn start(origin: &str) -> TestNode {
    let options = ["--threads", "0", "--allow-host", HOST, "--allow-origin"];
    TestNode::start(&[&options[..], &[origin]].concat())
}

fn ask(node: &TestNode, method: &str, target: &str, origin: &str) -> TransportResponse {
    let headers = [("Origin", origin), ("Content-Type", "application/json")];
    let body: &[u8] = if method == "POST" {
        br#"{"message":"from a page"}"#
    } else {
        b""
    };
    node.request(method, target, &headers, body)
}

fn preflight(node: &TestNode, method: &str, target: &str, origin: &str) -> TransportResponse {
    let headers = [
        ("Origin", origin),
        ("Access-Control-Request-Method", method),
        ("Access-Control-Request-Headers", "content-type"),
    ];
    node.request("OPTIONS", target, &headers, b"")
}

fn assert_shared(response: &TransportResponse) {
    let origin = response.header("access-control-allow-origin");
    assert_eq!(origin, Some(APP), "{response:?}");
    assert_eq!(response.header("access-control-allow-credentials"), None);
    assert_eq!(response.header("vary"), Some("origin"));
}

#[test]
fn pages_of_an_allowed_origin_read_and_add() {
    let node = start(APP);
    for target in ["/api/v1/status", "/chain", "/health", "/openapi.json"] {
        assert_shared(&ask(&node, "GET", target, APP).expect(200));
        assert_shared(&ask(&node, "HEAD", target, APP).expect(200));
    }
    assert_shared(&ask(&node, "GET", "/api/v1/blocks/99", APP).expect(404));
    assert_shared(&ask(&node, "POST", "/api/v1/messages", APP).expect(201));
    assert_shared(&ask(&node, "POST", "/api/v1/messages/lines", APP).expect(201));
    assert_shared(&ask(&node, "PUT", "/add?message=x", APP).expect(200));
    for (method, target) in [
        ("GET", "/api/v1/blocks"),
        ("POST", "/api/v1/messages"),
        ("PUT", "/add"),
    ] {
        let response = preflight(&node, method, target, APP).expect(204);
        let header = |name: &str| response.header(&format!("access-control-{name}"));
        assert_eq!(header("allow-origin"), Some(APP));
        assert!(header("allow-methods").unwrap().contains(method));
        let headers = header("allow-headers").unwrap();
        assert!(headers.contains("content-type") && headers.contains("idempotency-key"));
        assert!(!headers.contains("authorization"), "{headers}");
        assert!(!headers.contains("blockchain-peer"), "{headers}");
    }
    // A cache must not keep a response for everybody.
    let plain = node.get("/api/v1/status");
    assert_eq!(plain.header("vary"), Some("origin"));
    assert_eq!(plain.header("access-control-allow-origin"), None);
    // Requests of the node's own pages are not cross-origin.
    let own = format!("http://{HOST}");
    let own = ask(&node, "GET", "/api/v1/status", &own).expect(200);
    assert_eq!(own.header("access-control-allow-origin"), None);
}

#[test]
fn no_page_administers_the_node_or_announces() {
    let node = start(APP);
    let token = std::fs::read_to_string(node.folder().join("node.token")).unwrap();
    let bearer = format!("Bearer {}", token.trim());
    for (method, target) in [
        ("POST", "/api/v1/neighbours"),
        ("DELETE", "/api/v1/neighbours/127.0.0.1:1"),
        ("POST", "/api/v1/reorgs/acknowledge"),
        ("POST", "/api/v1/announce"),
    ] {
        let headers = [
            ("Origin", APP),
            ("Authorization", &*bearer),
            ("Content-Type", "application/json"),
        ];
        let body = br#"{"address":"127.0.0.1:1"}"#;
        let refused = node.request(method, target, &headers, body);
        assert_eq!(refused.header("access-control-allow-origin"), None);
        refused.expect_error(403, "forbidden");
        let refused = preflight(&node, method, target, APP);
        assert_eq!(refused.header("access-control-allow-origin"), None);
        refused.expect_error(403, "forbidden");
    }
}

#[test]
fn other_origins_and_hosts_stay_rejected() {
    let node = start(APP);
    let off = TestNode::start(&["--threads", "0", "--allow-host", HOST]);
    for origin in [
        "https://evil.example",
        "http://app.example",
        "https://app.example:444",
        "https://app.example.evil.example",
        "https://APP.example",
        "null",
        "*",
        "",
    ] {
        for method in ["GET", "POST"] {
            let refused = ask(&node, method, "/api/v1/messages", origin);
            assert_eq!(refused.header("access-control-allow-origin"), None);
            refused.expect_error(403, "forbidden");
        }
        preflight(&node, "POST", "/api/v1/messages", origin).expect_error(403, "forbidden");
    }
    // Without the option there is no trace of it.
    ask(&off, "GET", "/api/v1/status", APP).expect_error(403, "forbidden");
    preflight(&off, "GET", "/api/v1/status", APP).expect_error(403, "forbidden");
    assert_eq!(off.get("/api/v1/status").header("vary"), None);
    // DNS rebinding: a page reaches this node under its own host name.
    let node = TestNode::start(&["--threads", "0", "--allow-origin", APP]);
    for origin in [APP, "http://test"] {
        for refused in [
            ask(&node, "GET", "/api/v1/status", origin),
            preflight(&node, "GET", "/api/v1/status", origin),
        ] {
            assert_eq!(refused.header("access-control-allow-origin"), None);
            refused.expect_error(403, "forbidden");
        }
    }
    assert_eq!(node.status().mempool.count, 0);
}

#[test]
fn a_page_follows_the_events() {
    let node = start(APP);
    let mut stream = connect(node.address()).unwrap();
    let headers = [("Origin", APP), ("Accept", "text/event-stream")];
    stream
        .write_all(&request_bytes("GET", "/api/v1/events", &headers, b""))
        .unwrap();
    let head = BufReader::new(stream).lines().map_while(Result::ok);
    let head: Vec<_> = head.take_while(|line| !line.is_empty()).collect();
    let expected = format!("access-control-allow-origin: {APP}");
    assert!(head[0].contains("200"), "{head:?}");
    assert!(head.contains(&expected), "{head:?}");
}

#[test]
fn an_origin_must_be_exact() {
    for wrong in ["*", "null", "https://app.example/", "app.example"] {
        let command = crate::support::command::Blockchain::new(["node", "--allow-origin", wrong]);
        command.exits(2).complains(&["such as https://app.example"]);
    }
    let config = tempfile::tempdir().unwrap();
    let file = config.path().join("config.toml");
    std::fs::write(
        &file,
        "[node]\nallow-origin = [\"https://a.example\", \"HTTPS://App.Example:443\"]\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    let node = TestNode::start(&["--threads", "0", "--allow-host", HOST, "--config", file]);
    assert_shared(&ask(&node, "GET", "/api/v1/status", APP).expect(200));
}

#[test]
fn a_browser_lets_a_page_of_another_port_use_the_node() {
    let browser = match Browser::start() {
        Ok(browser) => browser,
        Err(reason) => return skip("a page of another origin", &reason),
    };
    let page = FakePeer::start(|_| {
        let kind = [("Content-Type", "text/html")];
        response(200, &kind, "<!doctype html><title>app</title><p>app")
    });
    let origin = format!("http://{}", page.address());
    let node = start(&origin);
    let closed = TestNode::start(&["--threads", "0"]);
    browser.open(&origin);
    let run = |node: &TestNode| {
        browser.run(&format!(
            "const base = 'http://{}/api/v1';
             return (async () => {{
               const status = await (await fetch(base + '/status')).json();
               const added = await fetch(base + '/messages', {{
                 method: 'POST',
                 headers: {{'Content-Type': 'application/json', 'Idempotency-Key': 'once'}},
                 body: JSON.stringify({{message: 'from a page'}}),
               }});
               const lines = await fetch(base + '/messages/lines', {{method: 'POST', body: 'a\\nb'}});
               let admin = 'sent';
               try {{
                 await fetch(base + '/neighbours/127.0.0.1:1', {{method: 'DELETE'}});
               }} catch (error) {{ admin = 'blocked'; }}
               return [status.length, added.status, lines.status, admin].join(' ');
             }})().catch(error => 'blocked');",
            node.address()
        ))
    };
    assert_eq!(run(&node), "1 201 201 blocked");
    assert_eq!(run(&closed), "blocked");
    let texts: Vec<_> = node.pending().into_iter().map(|one| one.message).collect();
    assert_eq!(texts, ["from a page", "a", "b"]);
}
