//! Invalid responses: endless, slow, truncated, of another shape.

use std::time::Duration;

use serde_json::{Value, json};

use super::{MARKER, Scene, peer_with_override};
use crate::support::chain::{ChainBuilder, ProofKind};
use crate::support::fake_nodes::FakeNode;
use crate::support::fake_peer::{FakePeer, Reply, Step, head, response};
use blockchain::chain::Block;

/// Returns a fake node that has only the genesis block.
fn empty() -> FakeNode {
    FakeNode::new(&[Block::default_genesis()])
}

/// Returns a fake node with one block more than the others, so that its blocks are requested.
fn longer() -> FakeNode {
    let builder: ChainBuilder =
        super::chain_above(&[Block::default_genesis()], 5, ProofKind::Sealed);
    FakeNode::new(&builder.blocks)
}

fn endless() -> Reply {
    vec![
        head(200, &[], None),
        Step::Endless(MARKER.repeat(10_000).into_bytes()),
    ]
}

/// Starts a peer for each of these bodies of a valid response.
fn saying<B: Into<Vec<u8>>>(bodies: impl IntoIterator<Item = B>) -> Vec<FakePeer> {
    let bodies = bodies.into_iter().map(Into::into);
    bodies
        .map(|body| FakePeer::start(move |_| response(200, &[], body.clone())))
        .collect()
}

#[test]
fn an_endless_body_is_cut_off() {
    let blocks = peer_with_override(longer(), "/api/v1/blocks", |_| endless());
    // Its chain is not better, so only its messages are requested.
    let pending = empty().with("/mempool/next_sequence", 9);
    let pending = peer_with_override(pending, "/api/v1/mempool", |_| endless());
    let status = peer_with_override(empty(), "/api/v1/status", |_| endless());
    let mut bad = vec![blocks, pending, status];
    for start in ["\"", "[[[[", "{\"node_id\": \"", "{\"version\": [1, "] {
        bad.push(FakePeer::start(move |_| {
            let rest = Step::Endless(MARKER.repeat(10_000).into_bytes());
            vec![head(200, &[], None), Step::Bytes(start.into()), rest]
        }));
    }
    let scene = Scene::with_bad_peers(&bad);
    scene.wait_until_held_off("more than");
    scene.assert_unharmed();
}

#[test]
fn a_response_byte_by_byte_is_too_slow() {
    let body = FakePeer::start(|_| {
        let body = MARKER.repeat(100).into_bytes();
        vec![
            head(200, &[], Some(600)),
            Step::Trickle(body, Duration::from_secs(1)),
        ]
    });
    let head = FakePeer::start(|_| {
        let head = format!("HTTP/1.1 200 OK\r\nX: {}", MARKER.repeat(100)).into_bytes();
        vec![Step::Trickle(head, Duration::from_millis(500))]
    });
    let scene = Scene::with_bad_peers(&[body, head]);
    scene.assert_unharmed();
    scene.wait_until_held_off("is too slow");
    scene.assert_unharmed();
}

#[test]
fn a_silent_peer_delays_no_other() {
    let bad = FakePeer::start(|_| vec![Step::Silence]);
    let scene = Scene::with_bad_peer(&bad);
    scene.assert_unharmed();
    scene.wait_until_held_off("is too slow");
    scene.assert_unharmed();
    // The node asks it again, but with a growing delay.
    assert!(bad.requests().len() <= 3, "{:?}", bad.requests());
}

#[test]
fn a_truncated_response_is_an_error() {
    let cut: [fn() -> Reply; 4] = [
        Vec::new,
        || vec![Step::Bytes(b"HTTP/1.1 200 OK\r\nConte".to_vec())],
        || vec![head(200, &[], Some(1000)), Step::Bytes(MARKER.into())],
        || vec![Step::Bytes(MARKER.into())],
    ];
    let bad = cut.map(|reply| FakePeer::start(move |_| reply()));
    let scene = Scene::with_bad_peers(&bad);
    scene.wait_until_held_off("unreachable");
    scene.assert_unharmed();
}

#[test]
fn json_of_another_shape_is_rejected_and_not_echoed() {
    let long = format!("{MARKER}\n\u{1b}[2J\u{202e}").repeat(1000);
    let pointers = [
        "/node_id",
        "/length",
        "/tip",
        "/mempool",
        "/sync",
        "/difficulty",
    ];
    let with = |pointer: &&str| empty().with(pointer, long.clone()).status;
    let mut statuses: Vec<Value> = pointers.iter().map(with).collect();
    statuses.extend([
        Value::Null,
        json!([]),
        json!(MARKER),
        json!({MARKER: 1}),
        empty().with("/length", -1).status,
        empty().with("/difficulty", 1e300).status,
        empty().with("/tip/hash", MARKER).status,
        empty().with("/genesis", MARKER).status,
    ]);
    let bad = saying(statuses.iter().map(Value::to_string));
    let scene = Scene::with_bad_peers(&bad);
    scene.wait_until_held_off("");
    for which in 0..bad.len() {
        let rejected = scene.listed(which).refused.unwrap();
        assert!(rejected.chars().count() < 400, "{rejected}");
        assert!(!rejected.contains(char::is_control), "{rejected:?}");
    }
    scene.assert_unharmed();
}

#[test]
fn deep_nesting_and_endless_digits_are_rejected() {
    let deep = "[".repeat(100_000);
    let status = empty().status.to_string();
    let digits = format!("\"reorgs\":{}", "9".repeat(50_000));
    let long = status.replace("\"reorgs\":0", &digits);
    assert_ne!(long, status);
    let objects = "{\"a\":".repeat(50_000);
    let mut bad = saying([deep.clone(), format!("{{\"x\": {deep}"), objects, long]);
    let body = format!("{{\"message\": \"api/v1/status\", \"x\": {deep}");
    bad.push(FakePeer::start(move |_| response(404, &[], body.clone())));
    let scene = Scene::with_bad_peers(&bad);
    scene.wait_until_held_off("invalid response");
    assert!(!scene.listed(3).refused.unwrap().contains("99999"));
    scene.assert_unharmed();
}

#[test]
fn absurd_numbers_change_nothing() {
    let pointers = [
        "/length",
        "/sealed",
        "/tip/index",
        "/mempool/next_sequence",
        "/mempool/count",
        "/reorgs",
        "/protocol",
    ];
    let bad = pointers.map(|pointer| {
        let most = if pointer == "/protocol" {
            u64::from(u32::MAX)
        } else {
            u64::MAX
        };
        let ours = empty()
            .with(pointer, most)
            .with("/tip/hash", "0f".repeat(32));
        FakePeer::start(move |request| ours.response(request))
    });
    let scene = Scene::with_bad_peers(&bad);
    scene.assert_unharmed();
    scene.wait_until_rejected(0, "did not send them", |listed| listed.failures > 0);
    scene.wait_until_rejected(
        6,
        "different protocol version (theirs 4294967295",
        |listed| listed.failures == 0,
    );
    scene.assert_unharmed();
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = FakePeer::start(|request| empty().response(request));
    let to = format!("http://{}/api/v1/status", elsewhere.address());
    let bad = [301, 302, 307, 308].map(|status| {
        let to = to.clone();
        FakePeer::start(move |_| response(status, &[("Location", &to)], MARKER))
    });
    let scene = Scene::with_bad_peers(&bad);
    scene.wait_until_held_off("returned status 30");
    scene.assert_unharmed();
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn compressed_bodies_are_not_unpacked() {
    // An empty gzip file: header, an empty block, trailer.
    let gzip = hex::decode("1f8b080000000000000303000000000000000000").unwrap();
    let bad = ["gzip", "deflate", "br"].map(|encoding| {
        let gzip = gzip.clone();
        FakePeer::start(move |_| response(200, &[("Content-Encoding", encoding)], &*gzip))
    });
    let scene = Scene::with_bad_peers(&bad);
    scene.wait_until_held_off("invalid response");
    scene.assert_unharmed();
}

#[test]
fn a_server_that_is_not_a_node_is_put_in_backoff() {
    let other = format!("{{\"message\": \"{MARKER}\"}}");
    let replies = [
        response(503, &[], MARKER),
        response(204, &[], ""),
        response(404, &[], other),
        response(404, &[], MARKER),
    ];
    let bad = replies.map(|reply| FakePeer::start(move |_| reply.clone()));
    let scene = Scene::with_bad_peers(&bad);
    for (which, reason) in (0..).zip(["status 503", "invalid JSON", "neither", "invalid JSON"]) {
        scene.wait_until_rejected(which, reason, |listed| listed.failures > 0);
    }
    scene.assert_unharmed();
}
