//! `POST /api/v1/messages/lines`, and `add --lines` on top of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use blockchain::chain::Message;
use blockchain::wire::{AddedLines, BlockPage};

use crate::support::command::Blockchain;
use crate::support::environment::variable;
use crate::support::fake_nodes::FakeReferenceMiner;
use crate::support::fake_peer::{self, FakePeer};
use crate::support::http::TransportResponse;
use crate::support::random::SeededRng;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

const PATH: &str = "/api/v1/messages/lines";

/// Kills in the short form.
const KILLS: u64 = 4;

fn idle() -> TestNode {
    TestNode::start(&["--threads", "0"])
}

fn post(node: &TestNode, query: &str, body: impl AsRef<[u8]>) -> TransportResponse {
    node.request("POST", &format!("{PATH}{query}"), &[], body.as_ref())
}

fn added(node: &TestNode, query: &str, body: impl AsRef<[u8]>) -> AddedLines {
    post(node, query, body).expect(201).json()
}

fn texts(node: &TestNode) -> Vec<String> {
    let pending = node.pending().into_iter();
    pending.map(|pending| pending.message).collect()
}

#[test]
fn each_line_of_a_body_is_a_message() {
    let node = idle();
    let lines = added(&node, "?ids=true", "one\r\n\n two \nlast");
    assert_eq!((lines.added, lines.known), (3, 0));
    let ids: Vec<_> = node
        .pending()
        .into_iter()
        .map(|pending| pending.id)
        .collect();
    assert_eq!(lines.ids, Some(ids));
    assert_eq!(texts(&node), ["one", " two ", "last"]);
    let body = "{\"log\": \"a\\nb\", \"level\": 3}\n{\"log\": \"c\"}\n";
    let lines = added(&node, "?field=log", body);
    assert_eq!((lines.added, lines.ids), (2, None));
    assert_eq!(texts(&node)[3..], ["a\nb", "c"]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_message() {
    let node = idle();
    added(&node, "", "\u{feff}one\n\u{feff}two\n");
    assert_eq!(texts(&node), ["one", "\u{feff}two"]);
    let error: Value = post(&node, "", "\u{feff}\n").expect(400).json();
    assert_eq!(error["error"]["message"], "the body has no line");
    // The last line begins a request of the command, and its mark is not at the start of the input.
    let lines = "line\n".repeat(1000) + "\u{feff}late";
    node.command(["add", "--lines"]).stdin(lines).succeeds();
    assert_eq!(texts(&node)[1002], "\u{feff}late");
}

#[test]
fn an_idempotency_key_for_lines_is_rejected_in_favour_of_once() {
    let node = idle();
    let key = [("Idempotency-Key", "a")];
    let response = node.request("POST", PATH, &key, b"line\n");
    let message = response.expect_error(400, "bad_request");
    assert!(message.contains("once=true"), "{message}");
    assert_eq!(texts(&node), [""; 0]);
}

#[test]
fn a_body_with_one_bad_line_adds_nothing() {
    let node = idle();
    let mut many: String = (1..10_000).fold(String::new(), |mut lines, number| {
        let _ = writeln!(lines, "{{\"log\": \"line {number}\"}}");
        lines
    });
    many.push_str("{\"log\": 3}\n");
    let longer = format!("fits\n{}\n", "x".repeat(64 * 1024 + 1));
    for (query, body, code, words) in [
        (
            "?field=log",
            many.clone(),
            400,
            "line 10000: it is not an object with a text",
        ),
        (
            "",
            longer,
            400,
            "line 2: it is longer than the 65536 bytes allowed",
        ),
        ("", String::new(), 400, "the body has no line"),
        ("", "\r\n\n".to_owned(), 400, "the body has no line"),
        (
            "?field=log",
            "{\"log\": \"\"}".to_owned(),
            400,
            "at least one character",
        ),
        ("?oncee=true", "x".to_owned(), 400, "invalid query string"),
        (
            "",
            "x\n".repeat(10_001),
            413,
            "more than the 10000 lines allowed",
        ),
        (
            "",
            "x".repeat(8 * 1024 * 1024 + 1),
            413,
            "longer than the 8388608 bytes allowed",
        ),
    ] {
        let error: Value = post(&node, query, body).expect(code).json();
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(words), "{message}");
    }
    let gzip = [("Content-Encoding", "gzip")];
    node.request("POST", PATH, &gzip, b"x")
        .expect_error(415, "unsupported_media_type");
    let invalid = post(&node, "", b"a\n\xff\n").expect(400).json::<Value>();
    assert!(
        invalid
            .to_string()
            .contains("line 2: it is not valid UTF-8")
    );
    assert_eq!(node.status().mempool.count, 0);
}

#[test]
fn with_once_a_repeated_body_adds_nothing_more() {
    let mut node = idle();
    let body: String = (0..10_000).fold(String::new(), |mut lines, number| {
        let _ = writeln!(lines, "line {number}");
        lines
    });
    assert_eq!(added(&node, "?once=true", &body).added, 10_000);
    // Acknowledged lines are on disk.
    node.kill();
    node.start_again(&["--threads", "0"]);
    let again = added(&node, "?once=true&ids=true", &body);
    assert_eq!((again.added, again.known), (0, 10_000));
    let expected = Message::once("line 0".to_owned()).unwrap().id();
    assert_eq!(again.ids.unwrap()[0], expected.to_string());
    let twice = added(&node, "?once=true", "new\nnew\n");
    assert_eq!((twice.added, twice.known), (1, 1));
    assert_eq!(node.status().mempool.count, 10_001);
}

#[test]
fn add_lines_sends_lines_together_and_once_if_asked() {
    let node = idle();
    let run = |options: &[&str], input: &str| {
        let arguments = ["add", "--lines"]
            .into_iter()
            .chain(options.iter().copied());
        node.command(arguments).stdin(input).succeeds().stdout
    };
    let first = run(&["--once"], "a\nb\r\r\n");
    assert_eq!(run(&["--once"], "a\nb\r\r\n"), first);
    assert_eq!(texts(&node), ["a", "b\r"]);
    let printed = run(&["--field", "log", "--json"], "{\"log\":\"c\\nd\"}\n");
    let printed: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(texts(&node)[2], "c\nd");
    assert_eq!(printed, json!({"id": node.pending()[2].id}));
    let rejected = node.command(["add", "--lines", "--field", "log"]);
    let rejected = rejected
        .stdin("{\"log\":\"e\"}\n{\"msg\":\"f\"}\n")
        .exits(1);
    assert!(rejected.stderr.contains("line 2: "), "{rejected:?}");
    assert!(
        rejected.stderr.contains("under the key \"log\""),
        "{rejected:?}"
    );
    assert_eq!(
        rejected.stdout.lines().count(),
        1,
        "the lines before it are added"
    );
    assert_eq!(texts(&node)[3..], ["e"]);
    let printed = run(&["--json"], "g\nh\n");
    let ids = printed.lines().map(|line| {
        let object: Value = serde_json::from_str(line).unwrap();
        object["id"].as_str().unwrap().to_owned()
    });
    let pending = node.pending();
    let expected = pending[4..].iter().map(|message| message.id.clone());
    assert!(ids.eq(expected), "{printed}");
    node.command(["add", "x", "--once"]).exits(2);
}

#[test]
fn lines_are_added_one_by_one_to_a_reference_miner() {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&messages);
    let miner = FakePeer::start(move |request| {
        if request.method != "PUT" {
            return FakeReferenceMiner::default().response(request);
        }
        kept.lock().unwrap().push(request.target.clone());
        fake_peer::json(&json!({"message": "Message added!"}))
    });
    let port = miner.address().port().to_string();
    let command = |options: &[&'static str]| {
        let arguments = ["add", "--lines", "--port", &port];
        Blockchain::new(arguments).args(options)
    };
    command(&[]).stdin("a\nb\n").succeeds();
    let rejected = command(&["--once"]).stdin("c\n").exits(3);
    rejected.complains(&["does not support --once", "add the lines without --once"]);
    assert_eq!(
        *messages.lock().unwrap(),
        ["/add?message=a", "/add?message=b"]
    );
}

/// Long form: `BLOCKCHAIN_LINES_KILLS=100 cargo test --test integration lines:: -- --nocapture`.
#[test]
fn each_line_is_in_exactly_one_block_after_kills_in_the_middle_of_a_stream() {
    let kills = variable("BLOCKCHAIN_LINES_KILLS").unwrap_or(KILLS);
    let mut rng = SeededRng::new(19);
    let mut node = TestNode::start(&["--difficulty", "1"]);
    let lines: Vec<String> = (0..3000).map(|number| format!("line {number}")).collect();
    let input = lines.join("\n");
    for _ in 0..kills {
        let command = node
            .command(["add", "--lines", "--once"])
            .stdin(input.clone());
        let sending = thread::spawn(move || command.exits_any());
        thread::sleep(Duration::from_millis(rng.below(400)));
        node.kill();
        sending.join().unwrap();
        node.start_again(&[]);
    }
    node.command(["add", "--lines", "--once"])
        .stdin(input)
        .succeeds();
    wait_for("the miner", || {
        (node.status().mempool.count == 0).then_some(())
    });
    let mut blocks: BTreeMap<String, u64> = BTreeMap::new();
    let mut from = 1;
    while from < node.status().length {
        let page: BlockPage = node.json(&format!("/blocks?from={from}&limit=1000"));
        from += page.blocks.len() as u64;
        for block in page.blocks {
            *blocks.entry(block.data.message).or_default() += 1;
        }
    }
    assert_eq!(blocks.len(), lines.len());
    assert!(
        blocks.values().all(|count| *count == 1),
        "a line is in two blocks"
    );
}
