//! Below a base path, inside a node process, without its node, and over older nodes.

use serde_json::{Value, json};

use crate::support::command::{Blockchain, signal};
use crate::support::explorer::{Explorer, StubNode, address_in, browse};
use crate::support::http::request;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

#[test]
fn every_link_is_below_the_base_path() {
    let node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one", "two"]);
    let explorer = Explorer::of(node.address(), &["--base-path", "/group/chain/"]);
    for path in [
        "/",
        "/blocks",
        "/block/1",
        "/mempool",
        "/peers",
        "/reorgs",
        "/lab",
        "/receipt",
        "/checkpoint",
        "/proving",
        "/nope",
    ] {
        // A reverse proxy may forward the whole path or strip the base path.
        let whole = explorer.browse("GET", &format!("/group/chain{path}"), &[], "");
        let taken = explorer.browse("GET", path, &[], "");
        assert_eq!(whole.status, taken.status, "{path}");
        for attribute in [
            "href=\"",
            "src=\"",
            "action=\"",
            "data-raw=\"",
            "data-base=\"",
        ] {
            for rest in whole.text().split(attribute).skip(1) {
                let value = rest.split('"').next().unwrap();
                let is_below = value.starts_with("/group/chain") || value.starts_with('#');
                assert!(is_below, "{attribute}{value} in {path}");
            }
        }
    }
    explorer.browse("GET", "/group/chain", &[], "").expect(200);
    explorer.browse("GET", "/group/chainx", &[], "").expect(404);
    let jump = explorer
        .browse("GET", "/group/chain/blocks?at=1", &[], "")
        .expect(303);
    assert_eq!(
        jump.header("location"),
        Some("/group/chain/blocks?from=1#b1")
    );
    let home = explorer.browse("GET", "/group/chain/", &[], "");
    assert!(
        home.header("set-cookie")
            .unwrap()
            .contains("Path=/group/chain;")
    );
}

#[test]
fn the_description_of_the_api_is_served_below_the_base_path() {
    let node = TestNode::start(&["--threads", "0", "--closed"]);
    let explorer = Explorer::of(node.address(), &["--base-path", "/chain"]);
    let home = explorer.browse("GET", "/chain/", &[], "").expect(200);
    let link = "<a href=\"/chain/docs\">API documentation</a>";
    assert!(home.text().contains(link), "{}", home.text());
    let docs = explorer.browse("GET", "/chain/docs", &[], "").expect(200);
    let policy = docs.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"));
    let address = node.address();
    let text = docs.text();
    for part in [
        &format!("The node at <code>{address}</code> takes these requests"),
        &format!("curl &#39;{address}/api/v1/blocks/tip&#39;"),
        "href=\"docs/style.css\"",
        "href=\"openapi.json\"",
        "href=\"./\"",
    ] {
        assert!(text.contains(part), "{part}");
    }
    let style = explorer.browse("GET", "/chain/docs/style.css", &[], "");
    let kind = style.expect(200).header("content-type").map(str::to_owned);
    assert_eq!(kind.as_deref(), Some("text/css; charset=utf-8"));
    let document = explorer.browse("GET", "/chain/openapi.json", &[], "");
    let document: Value = document.expect(200).json();
    let server = format!("http://{address}/");
    assert_eq!(document["servers"], json!([{ "url": server }]));

    let other = StubNode::start(&[]);
    let explorer = Explorer::of(other.address(), &[]);
    let page = explorer.browse("GET", "/docs", &[], "").expect(404);
    assert!(page.text().contains("no description of its API"));
}

#[test]
fn a_visitor_from_another_machine_reads_the_address_that_this_machine_reaches() {
    let docs = |node: &TestNode, headers: &[(&str, &str)]| {
        let explorer = Explorer::of(node.address(), &[]);
        let page = explorer.browse("GET", "/docs", headers, "");
        page.expect(200).text().to_owned()
    };
    let (from_afar, proxy) = (("Host", "192.0.2.7:8080"), ("X-Forwarded-For", "192.0.2.9"));
    let node = TestNode::start(&["--threads", "0", "--advertise", "node.example:9"]);
    let port = node.address().port();
    for (headers, address) in [
        (&[from_afar][..], format!("192.0.2.7:{port}")),
        (&[from_afar, proxy], "node.example:9".to_owned()),
        (&[], node.address().to_string()),
    ] {
        let text = docs(&node, headers);
        let example = format!("curl &#39;{address}/api/v1/status&#39;");
        assert!(text.contains(&example), "{address}");
        assert!(!text.contains("machine only"), "{address}");
    }
    let node = TestNode::start(&["--threads", "0"]);
    let limit = format!(
        "<code>{}</code> takes these requests, from its own machine only",
        node.address()
    );
    assert!(docs(&node, &[from_afar]).contains(&limit));
}

#[test]
fn a_trailing_slash_redirects_to_the_page() {
    let node = TestNode::start(&["--threads", "0"]);
    for base in ["", "/group/chain"] {
        let explorer = Explorer::of(node.address(), &["--base-path", base]);
        for (target, page) in [
            ("/blocks/", "/blocks"),
            ("/blocks/?from=0&newest", "/blocks?from=0&newest"),
            ("/block/0/", "/block/0"),
            ("/raw/block/0//", "/raw/block/0"),
            // None of these redirects to another site.
            ("//evil.example/", ""),
            ("//evil/", "/evil"),
            ("/\\evil/", ""),
            ("/%5cevil/", ""),
            ("/..//evil/", ""),
        ] {
            let target = format!("{base}{target}");
            for method in ["GET", "HEAD"] {
                let response = request(explorer.address(), method, &target, &[], &[]).unwrap();
                let (status, location) = match page {
                    "" => (404, None),
                    page => (308, Some(format!("{base}{page}"))),
                };
                assert_eq!(response.status, status, "{method} {target}");
                assert_eq!(response.header("location"), location.as_deref(), "{target}");
            }
            request(explorer.address(), "POST", &target, &[], &[])
                .unwrap()
                .expect(405);
        }
        request(explorer.address(), "GET", &format!("{base}/"), &[], &[])
            .unwrap()
            .expect(200);
    }
}

#[test]
fn inside_a_node_process_it_starts_and_stops_with_the_node() {
    let mut node = TestNode::start(&["--difficulty", "1", "--ui=0"]);
    let address = wait_for("the explorer", || address_in(&node.stderr()));
    node.mine(&["from the node"]);
    let home = browse(address, "GET", "/", &[], "").expect(200);
    assert!(home.text().contains("from the node"), "{}", home.text());
    let log = node.stop();
    assert!(log.contains("stopped"), "{log}");
    assert!(request(address, "GET", "/", &[], &[]).is_err());
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    let node = TestNode::start(&["--threads", "0"]);
    let taken = node.address().port().to_string();
    let finished = Blockchain::new(["ui", "--port", &taken]).exits(3);
    finished.complains(&["error: cannot listen on 127.0.0.1:", "--port"]);
    Blockchain::new(["ui", "--base-path", "a b"]).exits(2);
    Blockchain::new(["ui", "--node", "https://a"]).exits(2);

    let mut second = TestNode::stopped();
    second.spawn(&[&format!("--ui={taken}")]);
    assert_eq!(
        second.wait_for_exit().code(),
        Some(3),
        "{}",
        second.stderr()
    );
    // The failed start does not count as an unclean shutdown.
    second.start_again(&[]);
    assert!(!second.stop().contains("did not stop cleanly"));
}

#[test]
fn a_signal_stops_it_while_event_streams_are_open() {
    let events = "event: reset\ndata: {}\n\n";
    let node = StubNode::start(&[("/api/v1/events", events)]);
    let mut command = std::process::Command::new(crate::support::command::BINARY);
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut child = command
        .args(["ui", "--port", "0", "--node", &node.address().to_string()])
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let text = || std::fs::read_to_string(&log).unwrap();
    let address = wait_for("the explorer", || address_in(&text()));
    let listening = super::events::listen(address);
    let begin = std::time::Instant::now();
    signal("TERM", child.id());
    let status = wait_for("the end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(0), "{}", text());
    assert!(begin.elapsed().as_secs() < 3, "{:?}", begin.elapsed());
    drop(listening);
}

#[test]
fn every_page_reports_an_unreachable_node() {
    let mut node = TestNode::start(&["--threads", "0"]);
    let address = node.address();
    let explorer = Explorer::of(address, &[]);
    let home = explorer.browse("GET", "/", &[], "").expect(200);
    let cookie = home
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let token = home.text().split_once("name=\"token\" value=\"").unwrap().1[..64].to_owned();
    node.stop();
    for target in [
        "/",
        "/blocks",
        "/block/0",
        "/mempool",
        "/peers",
        "/reorgs",
        "/lab",
        "/search?q=1",
    ] {
        let response = explorer.get(target).expect(502);
        let expected = format!("The node at {address} is unreachable");
        assert!(
            response.text().contains(&expected),
            "{target}: {}",
            response.text()
        );
    }
    let id = "0".repeat(32);
    explorer.get(&format!("/message/{id}")).expect(502);
    let body = format!("token={token}&message=kept");
    let response = explorer
        .browse("POST", "/add", &[("Cookie", &cookie)], &body)
        .expect(502);
    assert!(
        response.text().contains(">\nkept</textarea>"),
        "{}",
        response.text()
    );
    explorer.get("/assets/base.css").expect(200);
    assert!(!explorer.stderr().contains("panicked"));
}

pub(super) fn status() -> Value {
    json!({
        "version": "9.9.9", "protocol": 1, "node_id": "n", "genesis": "c0".repeat(32),
        "tip": {"index": 5, "hash": "ab".repeat(32), "timestamp": 1_700_000_000.5},
        "length": 6, "sealed": 5, "difficulty": 5, "sealed_from": 1, "proof_mode": "sealed",
        "warnings": ["beware <script>"],
        "mempool": {"count": 0, "bytes": 0, "next_sequence": 2},
        "mining": {"active": true, "threads": 1, "tries": 9, "hash_rate": 65e6},
        "sync": {"neighbours": 1, "answering": 1, "fetching_from": null, "target": null,
            "differences": ["a:1: different genesis block"]},
        "reorgs": 1, "uptime": 5.0
    })
}

pub(super) fn block(index: u64, message: &str) -> Value {
    json!({
        "index": index, "hash": "ab".repeat(32), "previous_hash": "cd".repeat(32),
        "timestamp": 1_700_000_000.5, "timestamp_text": "1700000000.5", "time": null,
        "proof": "1406000", "seal": "open", "history_root": "ef".repeat(32), "difficulty": 7,
        "data": {"id": "e".repeat(32), "message": message}, "confirmations": 1
    })
}

#[test]
fn neighbours_reorgs_and_search_hits_are_shown() {
    let neighbours = json!({"neighbours": [{
        "address": "10.0.0.7:12345", "kind": "reference", "origin": "configured",
        "tip": {"index": 9, "hash": "99".repeat(32)}, "last_answer": 1.0, "failures": 0,
        "retry_in": null, "refused": "different genesis block: start with --genesis",
        "network": {"genesis": "dd".repeat(32), "difficulty": 5, "sealed_from": null},
        "version": null
    }]});
    let reorgs = json!({"reorgs": [{
        "number": 1, "timestamp": 1_700_000_000, "time": null, "source": "10.0.0.7:12345",
        "from": 4, "old_tip": "77".repeat(32), "new_tip": "ab".repeat(32), "disconnected": 1,
        "disconnected_sealed": 1, "connected": 2, "connected_sealed": 0, "returned": 1,
        "left": [{"index": 4, "hash": "77".repeat(32), "message_id": "f".repeat(32)}]
    }], "next": null});
    let hits = json!({"hits": [
        {"field": "text", "block": block(4, "found <script>"), "message_id": "e".repeat(32)},
        {"field": "id", "block": null, "message_id": "f".repeat(32)}
    ], "next": 3});
    let node = StubNode::start(&[
        ("/api/v1/status", &status().to_string()),
        (
            "/api/v1/blocks",
            &json!({"blocks": [block(5, "five")], "next": null}).to_string(),
        ),
        ("/api/v1/neighbours", &neighbours.to_string()),
        ("/api/v1/reorgs", &reorgs.to_string()),
        ("/api/v1/search", &hits.to_string()),
    ]);
    let explorer = Explorer::of(node.address(), &[]);
    for (target, texts) in [
        (
            "/",
            &[
                "1 of 1",
                "Beware &#60;script&#62;",
                "on another network",
                "65.0 MH/s",
            ][..],
        ),
        (
            "/peers",
            &[
                "reference miner",
                "same difficulty",
                "genesis differs: dddddddddd",
                "ifferent genesis block: start",
            ],
        ),
        (
            "/reorgs",
            &[
                "Reorg 1",
                "from block 4 on",
                "/message/ffff",
                "Open blocks replaced sealed blocks. Sealed before: 1 of 1 disconnected.",
            ],
        ),
        (
            "/search?q=a+b",
            &[
                "found &#60;script&#62;",
                "Pending message",
                "/search?q=a+b&#38;before=3",
            ],
        ),
    ] {
        let response = explorer.get(target).expect(200);
        for text in texts {
            assert!(
                response.text().contains(text),
                "{text} in {target}: {}",
                response.text()
            );
        }
    }
}

#[test]
fn pages_name_what_an_older_node_does_not_support() {
    let node = StubNode::start(&[
        ("/api/v1/status", &status().to_string()),
        (
            "/api/v1/blocks",
            &json!({"blocks": [block(5, "five")], "next": null}).to_string(),
        ),
    ]);
    let explorer = Explorer::of(node.address(), &[]);
    for target in ["/", "/peers", "/reorgs"] {
        let response = explorer.get(target).expect(200);
        assert!(response.text().contains("does not list its"), "{target}");
    }
    let response = explorer.get("/search?q=text").expect(200);
    assert!(
        response.text().contains("does not support text search"),
        "{}",
        response.text()
    );
    let response = StubNode::start(&[("/api/v1/status", "[]")]);
    Explorer::of(response.address(), &[]).get("/").expect(502);
}
