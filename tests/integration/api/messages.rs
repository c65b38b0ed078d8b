//! `/api/v1/messages` and `/api/v1/mempool`.

use std::collections::BTreeSet;
use std::thread;

use serde_json::json;

use blockchain::wire::{BlockPage, MempoolPage, MessageState, MessageStatus, PostedMessage};

use crate::support::http::post_message;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// Maximum length of a message in bytes.
const LIMIT: usize = 64 * 1024;

fn post(node: &TestNode, text: &str, key: &str) -> String {
    let response = post_message(node.address(), text, Some(key)).unwrap();
    response.expect(201).json::<PostedMessage>().id
}

#[test]
fn a_message_is_pending_then_mined_then_confirmed() {
    let mut node = TestNode::start(&["--threads", "0", "--difficulty", "1"]);
    let id = node.add("one");
    let target = format!("/messages/{id}");
    let status: MessageStatus = node.json(&target);
    assert_eq!(
        (status.state, status.confirmations),
        (MessageState::Pending, 0)
    );
    assert_eq!((status.id.as_str(), status.message.as_str()), (&*id, "one"));
    assert!(status.waiting.unwrap() < 60.0);
    assert_eq!((status.block, status.renamed_from), (None, None));

    node.stop();
    node.start_again(&[]);
    let mined = wait_for("the miner", || {
        Some(node.json::<MessageStatus>(&target)).filter(|status| status.block.is_some())
    });
    assert_eq!((mined.state, mined.confirmations), (MessageState::Mined, 1));
    assert_eq!(mined.block.as_ref().unwrap().index, 1);
    assert_eq!(mined.block.as_ref().unwrap().hash, node.status().tip.hash);
    assert_eq!(mined.waiting, None);

    node.mine(&["two"]);
    let later: MessageStatus = node.json(&target);
    assert_eq!((later.block, later.confirmations), (mined.block, 2));
}

#[test]
fn two_idempotency_keys_in_one_request_are_rejected() {
    let node = TestNode::start(&["--threads", "0"]);
    let json = ("Content-Type", "application/json");
    let keys = [json, ("Idempotency-Key", "a"), ("Idempotency-Key", "b")];
    node.request("POST", "/api/v1/messages", &keys, b"{\"message\":\"x\"}")
        .expect_error(400, "bad_request");
    assert_eq!(node.status().mempool.count, 0);
}

#[test]
fn an_idempotency_key_adds_one_message_even_across_a_restart() {
    let mut node = TestNode::start(&["--threads", "0", "--difficulty", "1"]);
    let id = post(&node, "once", "key");
    let posts: Vec<_> = thread::scope(|scope| {
        let again = || scope.spawn(|| post(&node, "once", "key"));
        let posts: Vec<_> = (0..8).map(|_| again()).collect();
        posts.into_iter().map(|post| post.join().unwrap()).collect()
    });
    assert!(posts.iter().all(|other| *other == id), "{id} {posts:?}");
    let conflict = |node: &TestNode| {
        let response = post_message(node.address(), "another", Some("key")).unwrap();
        response.expect_error(409, "key_reused");
    };
    conflict(&node);
    assert_ne!(post(&node, "once", "another key"), id);
    assert_eq!(node.status().mempool.count, 2);

    node.kill();
    node.start_again(&["--threads", "0"]);
    assert_eq!(post(&node, "once", "key"), id);
    conflict(&node);
    assert_eq!(node.pending().len(), 2);

    node.stop();
    node.start_again(&[]);
    wait_for("the miner", || (node.status().length == 3).then_some(()));
    assert_eq!(post(&node, "once", "key"), id);
    let chain: BlockPage = node.json("/blocks");
    assert_eq!(
        chain
            .blocks
            .iter()
            .filter(|block| block.data.id == id)
            .count(),
        1
    );
    assert_eq!((node.status().length, node.status().mempool.count), (3, 0));
}

#[test]
fn the_mempool_has_pages_in_the_order_of_arrival() {
    let node = TestNode::start(&["--threads", "0"]);
    let (each, clients) = (35, 32);
    thread::scope(|scope| {
        for client in 0..clients {
            let node = &node;
            scope.spawn(move || {
                for number in 0..each {
                    node.add(&format!("{client} {number}"));
                }
            });
        }
    });
    let first: MempoolPage = node.json("/mempool");
    assert_eq!((first.count, first.messages.len()), (1120, 1000));
    assert_eq!(first.next, first.messages.last().map(|last| last.sequence));
    let second: MempoolPage = node.json(&format!("/mempool?after={}", first.next.unwrap()));
    assert_eq!(
        (second.count, second.messages.len(), second.next),
        (1120, 120, None)
    );
    let end: MempoolPage = node.json("/mempool?after=18446744073709551615");
    assert_eq!((end.count, end.messages.len(), end.next), (1120, 0, None));

    let all = node.pending();
    assert!(all.is_sorted_by(|a, b| a.sequence < b.sequence));
    let texts: BTreeSet<_> = all.iter().map(|pending| &pending.message).collect();
    assert_eq!(texts.len(), 1120);
    for client in 0..clients {
        // The messages of one client keep their order.
        let of_client = all
            .iter()
            .filter(|pending| pending.message.starts_with(&format!("{client} ")));
        let texts: Vec<_> = of_client.map(|pending| pending.message.clone()).collect();
        let expected: Vec<_> = (0..each)
            .map(|number| format!("{client} {number}"))
            .collect();
        assert_eq!(texts, expected);
    }
    let short: MempoolPage = node.json("/mempool?limit=2");
    let sequences: Vec<_> = short.messages.iter().map(|one| one.sequence).collect();
    assert_eq!(sequences, [all[0].sequence, all[1].sequence]);
    assert_eq!(short.next, Some(all[1].sequence));
    for query in [
        "?after=x",
        "?after=-1",
        "?before=1",
        "?limit=0",
        "?limit=1001",
    ] {
        node.get(&format!("/api/v1/mempool{query}"))
            .expect_error(400, "bad_request");
    }
}

#[test]
fn a_message_has_at_most_64_kib() {
    let node = TestNode::start(&["--threads", "0"]);
    // Each of these bytes is escaped in JSON: the body is six times as long.
    for fill in ["x", "\u{1}"] {
        for length in [LIMIT - 1, LIMIT] {
            let text = fill.repeat(length);
            let id = node.add(&text);
            assert_eq!(
                node.json::<MessageStatus>(&format!("/messages/{id}"))
                    .message,
                text
            );
        }
        let response = post_message(node.address(), &fill.repeat(LIMIT + 1), None).unwrap();
        response.expect_error(413, "too_large");
    }
    // Bytes count, not characters.
    node.add(&"é".repeat(LIMIT / 2));
    let response = post_message(node.address(), &"é".repeat(LIMIT / 2 + 1), None).unwrap();
    response.expect_error(413, "too_large");
    assert_eq!(node.status().mempool.count, 5);
}

#[test]
fn any_text_round_trips() {
    let node = TestNode::start(&["--difficulty", "1"]);
    let texts = [
        "\0",
        "\u{feff}",
        "a\r\nb\u{2028}",
        "e\u{301} é",
        "\u{10ffff}",
        "\"}{",
    ];
    let ids = node.mine(&texts);
    for (id, text) in ids.iter().zip(texts) {
        let status: MessageStatus = node.json(&format!("/messages/{id}"));
        assert_eq!(
            (status.message.as_str(), status.state),
            (text, MessageState::Mined)
        );
    }
}

#[test]
fn an_invalid_message_body_is_rejected() {
    let node = TestNode::start(&["--threads", "0"]);
    let kind = [("Content-Type", "application/json; charset=utf-8")];
    let send = |body: &[u8]| node.request("POST", "/api/v1/messages", &kind, body);
    for body in [
        &b""[..],
        b"{}",
        b"[]",
        b"\"text\"",
        b"{\"message\": \"\"}",
        b"{\"message\": 1}",
        b"{\"message\": null}",
        b"{\"message\": \"a\", \"message\": \"b\"}",
        b"{\"message\": \"\\ud800\"}",
        b"{\"message\": \"\xff\"}",
        b"{\"message\": \"a\"",
        b"{\"message\": \"a\"} more",
    ] {
        send(body).expect_error(400, "bad_request");
    }
    let deep = ["[".repeat(100_000), "]".repeat(100_000)].concat();
    let nested = json!({"message": "a", "more": 1}).to_string();
    send(deep.as_bytes()).expect_error(400, "bad_request");
    assert_eq!(node.status().mempool.count, 0);
    send(nested.as_bytes()).expect(201);
}
