//! `/metrics`: every number is there, under its documented name.

use blockchain::chain::Block;

use crate::support::chain::{ChainBuilder, OPEN_NETWORK, ProofKind};
use crate::support::events::Events;
use crate::support::http::request;
use crate::support::in_process_node::InProcessNode;
use crate::support::random::SeededRng;
use crate::support::test_node::TestNode;

/// The values of a page by name and labels.
struct Page(String);

impl Page {
    #[track_caller]
    fn value(&self, name: &str) -> f64 {
        let line = self.0.lines().find_map(|line| {
            let (found, value) = line.rsplit_once(' ')?;
            (found == name).then_some(value)
        });
        let line = line.unwrap_or_else(|| panic!("no {name} in {}", self.0));
        line.parse().unwrap()
    }

    #[track_caller]
    fn expect(&self, values: &[(&str, f64)]) {
        for (name, value) in values {
            let found = self.value(&format!("blockchain_{name}"));
            assert!((found - value).abs() < 1e-9, "{name}: {found}");
        }
    }
}

#[test]
fn metrics_report_the_state_of_the_node() {
    let node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one", "two", "three"]);
    let response = node.get("/metrics").expect(200);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    assert_eq!(response.header("content-type"), Some(kind));
    let page = Page(response.text().to_owned());
    page.expect(&[
        ("chain_blocks", 4.0),
        ("chain_sealed_blocks", 3.0),
        ("difficulty", 1.0),
        ("reorgs_total", 0.0),
        ("mempool_messages", 0.0),
        ("mempool_bytes", 0.0),
        ("mining_active", 0.0),
        ("ready", 1.0),
        (
            "http_requests_total{route=\"/api/v1/messages\",method=\"POST\",status=\"201\"}",
            3.0,
        ),
        (
            "http_request_duration_seconds_count{route=\"/api/v1/messages\",method=\"POST\"}",
            3.0,
        ),
        (
            concat!("build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"),
            1.0,
        ),
    ]);
    for name in [
        "mining_tries_total",
        "mining_hash_rate",
        "commits_total",
        "uptime_seconds",
        "tip_age_seconds",
        "tip_timestamp_seconds",
        "write_duration_seconds_count",
        "write_duration_seconds_bucket{le=\"+Inf\"}",
    ] {
        assert!(page.value(&format!("blockchain_{name}")) > 0.0, "{name}");
    }
}

/// Every sample of the text format belongs to a family that is declared before it, with its type.
#[test]
fn every_sample_has_a_declared_type_in_the_negotiated_format() {
    let node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one"]);
    let page = |accept: &str| {
        let response = node.request("GET", "/metrics", &[("Accept", accept)], &[]);
        let response = response.expect(200);
        assert_eq!(response.header("vary"), Some("accept"));
        let kind = response.header("content-type").unwrap().to_owned();
        (kind, response.text().to_owned())
    };
    let (kind, text) = page("application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"));
    assert!(text.ends_with("# EOF\n") && text.contains("# TYPE blockchain_commits counter\n"));
    let (kind, text) = page("application/openmetrics-text;q=0.5,text/plain;version=0.0.4");
    assert!(kind.starts_with("text/plain; version=0.0.4"));
    let mut types = std::collections::HashMap::new();
    for line in text.lines() {
        if let Some(declared) = line.strip_prefix("# TYPE ") {
            let (name, kind) = declared.split_once(' ').unwrap();
            assert!(types.insert(name, kind).is_none(), "{line}");
        } else if !line.starts_with("# HELP ") {
            let name = line.split(['{', ' ']).next().unwrap();
            let family = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|part| name.strip_suffix(part))
                .filter(|family| types.get(family) == Some(&"histogram"))
                .unwrap_or(name);
            let kind = types
                .get(family)
                .unwrap_or_else(|| panic!("no type: {line}"));
            assert_eq!(*kind == "counter", family.ends_with("_total"), "{line}");
        }
    }
    assert_eq!(types["blockchain_commits_total"], "counter");
    assert_eq!(types["blockchain_build_info"], "gauge");
}

#[test]
fn requests_are_counted_by_route_and_unknown_paths_add_no_labels() {
    let node = TestNode::start(&["--threads", "0"]);
    for target in ["/a", "/b?c", "/api/v1/nope", "/chain/"] {
        node.request("BREW", target, &[], &[]);
        node.get(target);
    }
    for index in 0..3 {
        node.get(&format!("/api/v1/blocks/{index}"));
    }
    node.request("GET", "/health", &[("Origin", "http://evil.example")], &[])
        .expect(403);
    let (_events, _) = Events::from_now(node.address());
    let page = Page(node.get("/metrics").expect(200).text().to_owned());
    let request = |route: &str, method: &str, status: u16| {
        let labels = format!("route=\"{route}\",method=\"{method}\",status=\"{status}\"");
        page.value(&format!("blockchain_http_requests_total{{{labels}}}"))
    };
    let is = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
    is(request("other", "GET", 404), 4.0);
    is(request("/api/v1/blocks/{block}", "GET", 200), 1.0);
    is(request("/api/v1/blocks/{block}", "GET", 404), 2.0);
    is(request("/health", "GET", 403), 1.0);
    is(request("/api/v1/events", "GET", 200), 1.0);
    assert!(!page.0.contains("BREW") && !page.0.contains("nope"));
    // Earlier connections may take a moment to close.
    crate::support::wait_for("the end of the others", || {
        let page = Page(node.get("/metrics").text().to_owned());
        let is_two = (page.value("blockchain_http_connections") - 2.0).abs() < 1e-9;
        is_two.then_some(())
    });
}

#[test]
fn reorgs_are_counted() {
    let node = InProcessNode::start(OPEN_NETWORK);
    let (mut builder, mut rng) = (
        ChainBuilder::new(&[Block::default_genesis()]),
        SeededRng::new(5),
    );
    let sums = |expected: [f64; 5]| {
        let response = request(node.address, "GET", "/metrics", &[], &[]).unwrap();
        let page = Page(response.expect(200).text().to_owned());
        page.expect(&[
            ("reorgs_total", expected[0]),
            ("reorg_disconnected_blocks_total", expected[1]),
            ("reorg_disconnected_sealed_blocks_total", expected[2]),
            ("reorg_connected_blocks_total", expected[3]),
            ("reorg_connected_sealed_blocks_total", expected[4]),
        ]);
    };
    builder.mine(rng.message(), ProofKind::Sealed);
    builder.mine(rng.message(), ProofKind::Open);
    node.append(&builder.above(1));
    sums([0.0; 5]);
    let mut other = ChainBuilder::new(&builder.blocks[..1]);
    for _ in 0..3 {
        other.mine(rng.message(), ProofKind::Sealed);
    }
    node.adopt(&other.above(1));
    sums([1.0, 2.0, 1.0, 3.0, 3.0]);
    let mut third = ChainBuilder::new(&other.blocks[..2]);
    for _ in 0..4 {
        third.mine(rng.message(), ProofKind::Open);
    }
    node.adopt(&third.above(2));
    sums([2.0, 4.0, 3.0, 7.0, 3.0]);
}
