//! Answers that are none: endless, slow, cut off, of another shape.

use std::time::Duration;

use serde_json::{Value, json};

use super::{MARK, Scene, but_for};
use crate::support::fake_peer::{FakePeer, Reply, Step, answer, head};
use crate::support::pretence::Ours;
use crate::support_store::{Kind, Maker};
use blockchain::chain::Block;

/// A node that has nothing but the genesis block all have.
fn empty() -> Ours {
    Ours::new(&[Block::documented_genesis()])
}

/// One with a block more than anybody else, so that its blocks are asked for.
fn longer() -> Ours {
    let maker: Maker = super::chain_above(&[Block::documented_genesis()], 5, Kind::Sealed);
    Ours::new(&maker.blocks)
}

fn endless() -> Reply {
    vec![
        head(200, &[], None),
        Step::Endless(MARK.repeat(10_000).into_bytes()),
    ]
}

/// A peer for each of these bodies of a good answer.
fn saying<B: Into<Vec<u8>>>(bodies: impl IntoIterator<Item = B>) -> Vec<FakePeer> {
    let bodies = bodies.into_iter().map(Into::into);
    bodies
        .map(|body| FakePeer::start(move |_| answer(200, &[], body.clone())))
        .collect()
}

#[test]
fn a_body_that_never_ends_is_cut() {
    let blocks = but_for(longer(), "/api/v1/blocks", |_| endless());
    // Its blocks are no better, so that its messages are asked for.
    let waiting = empty().with("/mempool/next_sequence", 9);
    let waiting = but_for(waiting, "/api/v1/mempool", |_| endless());
    let status = but_for(empty(), "/api/v1/status", |_| endless());
    let mut bad = vec![blocks, waiting, status];
    for start in ["\"", "[[[[", "{\"node_id\": \"", "{\"version\": [1, "] {
        bad.push(FakePeer::start(move |_| {
            let rest = Step::Endless(MARK.repeat(10_000).into_bytes());
            vec![head(200, &[], None), Step::Bytes(start.into()), rest]
        }));
    }
    let scene = Scene::among(&bad);
    scene.fails("more than");
    scene.stays_well();
}

#[test]
fn what_comes_byte_by_byte_is_too_slow() {
    let body = FakePeer::start(|_| {
        let body = MARK.repeat(100).into_bytes();
        vec![
            head(200, &[], Some(600)),
            Step::Trickle(body, Duration::from_secs(1)),
        ]
    });
    let head = FakePeer::start(|_| {
        let head = format!("HTTP/1.1 200 OK\r\nX: {}", MARK.repeat(100)).into_bytes();
        vec![Step::Trickle(head, Duration::from_millis(500))]
    });
    let scene = Scene::among(&[body, head]);
    scene.stays_well();
    scene.fails("takes too long");
    scene.stays_well();
}

#[test]
fn a_peer_that_never_answers_holds_up_nobody() {
    let bad = FakePeer::start(|_| vec![Step::Silence]);
    let scene = Scene::around(&bad);
    scene.stays_well();
    scene.fails("takes too long");
    scene.stays_well();
    // It is asked again, but not all the time.
    assert!(bad.asked().len() <= 3, "{:?}", bad.asked());
}

#[test]
fn an_answer_cut_short_is_none() {
    let cut: [fn() -> Reply; 4] = [
        Vec::new,
        || vec![Step::Bytes(b"HTTP/1.1 200 OK\r\nConte".to_vec())],
        || vec![head(200, &[], Some(1000)), Step::Bytes(MARK.into())],
        || vec![Step::Bytes(MARK.into())],
    ];
    let bad = cut.map(|reply| FakePeer::start(move |_| reply()));
    let scene = Scene::among(&bad);
    scene.fails("cannot be reached");
    scene.stays_well();
}

#[test]
fn json_of_another_shape_is_refused_and_not_repeated() {
    let long = format!("{MARK}\n\u{1b}[2J\u{202e}").repeat(1000);
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
        json!(MARK),
        json!({MARK: 1}),
        empty().with("/length", -1).status,
        empty().with("/difficulty", 1e300).status,
        empty().with("/tip/hash", MARK).status,
        empty().with("/genesis", MARK).status,
    ]);
    let bad = saying(statuses.iter().map(Value::to_string));
    let scene = Scene::among(&bad);
    scene.fails("");
    for which in 0..bad.len() {
        let refused = scene.listed(which).refused.unwrap();
        assert!(refused.chars().count() < 400, "{refused}");
        assert!(!refused.contains(char::is_control), "{refused:?}");
    }
    scene.stays_well();
}

#[test]
fn deep_nesting_and_endless_digits_are_refused() {
    let deep = "[".repeat(100_000);
    let status = empty().status.to_string();
    let digits = format!("\"reorgs\":{}", "9".repeat(50_000));
    let long = status.replace("\"reorgs\":0", &digits);
    assert_ne!(long, status);
    let objects = "{\"a\":".repeat(50_000);
    let mut bad = saying([deep.clone(), format!("{{\"x\": {deep}"), objects, long]);
    let body = format!("{{\"message\": \"api/v1/status\", \"x\": {deep}");
    bad.push(FakePeer::start(move |_| answer(404, &[], body.clone())));
    let scene = Scene::among(&bad);
    scene.fails("something else");
    assert!(!scene.listed(3).refused.unwrap().contains("99999"));
    scene.stays_well();
}

#[test]
fn numbers_beyond_all_measure_come_to_nothing() {
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
        FakePeer::start(move |asked| ours.answer(asked))
    });
    let scene = Scene::among(&bad);
    scene.stays_well();
    scene.is_told(0, "does not deliver", |listed| listed.failures > 0);
    scene.is_told(6, "speaks protocol 4294967295", |listed| {
        listed.failures == 0
    });
    scene.stays_well();
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = FakePeer::start(|asked| empty().answer(asked));
    let to = format!("http://{}/api/v1/status", elsewhere.address());
    let bad = [301, 302, 307, 308].map(|status| {
        let to = to.clone();
        FakePeer::start(move |_| answer(status, &[("Location", &to)], MARK))
    });
    let scene = Scene::among(&bad);
    scene.fails("with status 30");
    scene.stays_well();
    assert_eq!(elsewhere.asked().len(), 0);
}

#[test]
fn compressed_bodies_are_not_unpacked() {
    // A gzip of nothing: header, an empty block, trailer.
    let gzip = hex::decode("1f8b080000000000000303000000000000000000").unwrap();
    let bad = ["gzip", "deflate", "br"].map(|encoding| {
        let gzip = gzip.clone();
        FakePeer::start(move |_| answer(200, &[("Content-Encoding", encoding)], &*gzip))
    });
    let scene = Scene::among(&bad);
    scene.fails("something else");
    scene.stays_well();
}

#[test]
fn what_is_neither_kind_of_node_is_held_off() {
    let other = format!("{{\"message\": \"{MARK}\"}}");
    let replies = [
        answer(503, &[], MARK),
        answer(204, &[], ""),
        answer(404, &[], other),
        answer(404, &[], MARK),
    ];
    let bad = replies.map(|reply| FakePeer::start(move |_| reply.clone()));
    let scene = Scene::among(&bad);
    for (which, reason) in (0..).zip(["status 503", "no JSON", "neither", "no JSON"]) {
        scene.is_told(which, reason, |listed| listed.failures > 0);
    }
    scene.stays_well();
}
