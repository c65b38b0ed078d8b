//! `blockchain add`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use blockchain::wire::MessageStatus;

use super::get::nobody;
use crate::support::command::Blockchain;
use crate::support::fake_nodes::FakeReferenceMiner;
use crate::support::fake_peer::{FakePeer, ReceivedRequest, Reply, json, response};
use crate::support::test_node::TestNode;

/// Maximum length of a message in bytes.
const LIMIT: usize = 64 * 1024;

fn idle() -> TestNode {
    TestNode::start(&["--threads", "0"])
}

fn texts(node: &TestNode) -> Vec<String> {
    node.pending()
        .into_iter()
        .map(|pending| pending.message)
        .collect()
}

#[test]
fn a_message_is_added_and_its_id_printed() {
    let node = idle();
    let added = node.command(["add", "an argument"]).succeeds();
    let id = added.stdout.strip_suffix('\n').unwrap();
    let status: MessageStatus = node.json(&format!("/messages/{id}"));
    assert_eq!(status.message, "an argument");
    let added: Value = node.command(["add", "another", "--json"]).succeeds().json();
    let id = added["id"].as_str().unwrap();
    assert_eq!(added.as_object().unwrap().len(), 1);
    assert_eq!(
        node.json::<MessageStatus>(&format!("/messages/{id}"))
            .message,
        "another"
    );
}

#[test]
fn a_message_is_read_from_the_standard_input() {
    let node = idle();
    for (input, text) in [
        ("piped", "piped"),
        ("piped\n", "piped"),
        ("piped\r\n", "piped"),
        ("\u{feff}marked\r\n", "marked"),
        ("two\r\nlines\n", "two\r\nlines"),
        ("\n\n", "\n"),
        ("ends with CR\r", "ends with CR\r"),
        (" ", " "),
        ("-", "-"),
    ] {
        node.command(["add", "-"]).stdin(input).succeeds();
        assert_eq!(texts(&node).last().unwrap(), text);
    }
}

#[test]
fn each_line_is_added_as_a_message() {
    let node = idle();
    let lines = "\u{feff}one\n\n\r\ntwo \u{1b}[31m\r\n\u{feff}three";
    let added = node.command(["add", "--lines"]).stdin(lines).succeeds();
    let pending = node.pending();
    let ids: Vec<_> = pending.iter().map(|pending| pending.id.as_str()).collect();
    assert_eq!(added.stdout.lines().collect::<Vec<_>>(), ids);
    assert_eq!(texts(&node), ["one", "two \u{1b}[31m", "\u{feff}three"]);
    let added = node.command(["add", "--lines"]).stdin("").succeeds();
    assert_eq!(added.stdout, "");
    let added = node
        .command(["add", "--lines", "--json"])
        .stdin("four\n")
        .succeeds();
    assert_eq!(added.json::<Value>()["id"], node.pending()[3].id);
}

#[test]
fn add_can_wait_until_a_message_is_mined() {
    let node = TestNode::start(&["--difficulty", "1"]);
    let added = node.command(["add", "one", "--wait"]).succeeds();
    assert!(added.stdout.ends_with(" mined in block 1\n"), "{added:?}");
    let added = node.command(["add", "two", "--wait", "--json"]).succeeds();
    assert_eq!(added.json::<Value>()["index"], 2);
    let added = node
        .command(["add", "--lines", "--wait"])
        .stdin("three\nfour\n")
        .succeeds();
    let ends: Vec<_> = added
        .stdout
        .lines()
        .map(|line| line.split_once(' ').unwrap().1)
        .collect();
    assert_eq!(ends, ["mined in block 3", "mined in block 4"]);
}

#[test]
fn a_message_of_maximum_length_is_accepted_and_a_longer_one_rejected() {
    let node = idle();
    let longest = "x".repeat(LIMIT);
    node.command(["add", &longest]).succeeds();
    node.command(["add", "-"]).stdin(longest.clone()).succeeds();
    node.command(["add", "-"])
        .stdin(format!("{longest}\n"))
        .succeeds();
    node.command(["add", "--lines"])
        .stdin(format!("{longest}\n{longest}"))
        .succeeds();
    assert_eq!(texts(&node), [&*longest; 5]);
    let words = ["65536 bytes"];
    // A text that is cut off within a character is still reported as too long.
    let wide = ["x", &"é".repeat(LIMIT)].concat();
    for longer in [format!("{longest}x"), wide] {
        node.command(["add", "-"])
            .stdin(longer.clone())
            .exits(1)
            .complains(&words);
        node.command(["add", &longer[..=LIMIT]])
            .exits(1)
            .complains(&words);
        let lines = format!("fits\n{longer}\nnever read\n");
        let rejected = node.command(["add", "--lines"]).stdin(lines).exits(1);
        assert!(
            rejected
                .stderr
                .contains("line 2: it is longer than the 65536 bytes allowed"),
            "{rejected:?}"
        );
        assert_eq!(rejected.stdout.lines().count(), 1);
    }
    assert_eq!(texts(&node).len(), 7);
}

#[test]
fn an_invalid_message_is_rejected() {
    let node = idle();
    let empty = ["the message is empty"];
    node.command(["add", ""]).exits(1).complains(&empty);
    node.command(["add", "-"])
        .stdin("")
        .exits(1)
        .complains(&empty);
    node.command(["add", "-"])
        .stdin("\n")
        .exits(1)
        .complains(&empty);
    let wrong = b"a\xffb".to_vec();
    node.command(["add", "-"])
        .stdin(wrong.clone())
        .exits(1)
        .complains(&["not valid UTF-8"]);
    node.command(["add", "--lines"])
        .stdin(wrong.clone())
        .exits(1)
        .complains(&["line 1: it is not valid UTF-8"]);
    node.command([OsStr::new("add"), OsStr::from_bytes(&wrong)])
        .exits(2)
        .complains(&["UTF-8"]);
    assert_eq!(texts(&node), [""; 0]);
}

#[test]
fn invalid_lines_are_skipped_reported_and_counted_if_asked() {
    let node = idle();
    let longer = "x".repeat(3 * LIMIT);
    let input = [b"one\n\xff\n", longer.as_bytes(), b"\ntwo"].concat();
    let add = |options: &[&str]| {
        let arguments = ["add", "--lines", "--once", "--skip-invalid"];
        let arguments = arguments.iter().chain(options);
        node.command(arguments).stdin(input.clone()).exits(0)
    };
    let plain = add(&[]);
    assert_eq!(texts(&node), ["one", "two"]);
    assert!(
        plain.stdout.ends_with("\n2 invalid lines skipped\n"),
        "{plain:?}"
    );
    for reason in [
        "warning: line 2 was skipped: it is not valid UTF-8",
        "warning: line 3 was skipped: it is longer than the 65536 bytes allowed\n",
    ] {
        assert!(plain.stderr.contains(reason), "{plain:?}");
    }
    let json = add(&["--json"]);
    let values = serde_json::Deserializer::from_str(&json.stdout).into_iter();
    let values: Vec<Value> = values.map(Result::unwrap).collect();
    assert_eq!(values.len(), 3);
    assert_eq!(values[2], serde_json::json!({"skipped": 2}));
    assert_eq!(texts(&node).len(), 2);
}

#[test]
fn without_a_node_add_says_how_to_start_one() {
    let (_kept, nobody) = nobody();
    Blockchain::new(["add", "a message", "--port", &nobody])
        .exits(3)
        .complains(&[
            "no node is listening on 127.0.0.1",
            "start one with \"blockchain node\"",
        ]);
}

/// Adds a message to a node that answers like this.
fn add_to(
    script: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static,
    options: &[&str],
) -> Blockchain {
    let node = FakePeer::start(script);
    let port = node.address().port().to_string();
    // The peer answers until the test ends.
    std::mem::forget(node);
    Blockchain::new(["add", "a message", "--port", &port]).args(options)
}

#[test]
fn an_unknown_outcome_is_reported_with_the_message_id() {
    let id = "0123456789abcdef0123456789abcdef";
    let error = serde_json::json!({
        "error": {"code": "outcome_unknown", "message": "not on disk yet", "id": id}
    });
    let unknown = error.to_string();
    let ask = format!("blockchain get message {id}");
    add_to(move |_| response(503, &[], unknown.clone()), &[])
        .exits(3)
        .complains(&["the message may have been added", &ask, "not on disk yet"]);
    // After an unknown outcome, a later rejection does not mean that the message was not added.
    let (unknown, asked) = (error.to_string(), AtomicUsize::new(0));
    let script = move |_: &ReceivedRequest| match asked.fetch_add(1, Ordering::Relaxed) {
        0 => response(503, &[], unknown.clone()),
        _ => response(404, &[], "{}"),
    };
    add_to(script, &[])
        .exits(3)
        .complains(&["the message may have been added", &ask]);
}

#[test]
fn a_truncated_response_leaves_the_outcome_unknown() {
    let look = [
        "the message may have been added",
        "GET /data and GET /chain",
    ];
    add_to(|_| Vec::new(), &[]).exits(3).complains(&look);
    let reference = |request: &ReceivedRequest| match request.method.as_str() {
        "POST" => FakeReferenceMiner::default().response(request),
        _ => Vec::new(),
    };
    add_to(reference, &[]).exits(3).complains(&look);
    let busy = r#"{"error": {"code": "unavailable", "message": "the disk is full"}}"#;
    let rejected = add_to(move |_| response(503, &[], busy), &[]).exits(3);
    assert!(!rejected.stderr.contains("may have been"), "{rejected:?}");
}

#[test]
fn a_message_is_reported_as_added_if_waiting_for_it_fails() {
    let reference = |request: &ReceivedRequest| match request.method.as_str() {
        "POST" => FakeReferenceMiner::default().response(request),
        _ => json(&serde_json::json!({"message": "Message added!"})),
    };
    let added = add_to(reference, &["--wait"]).exits(3);
    assert_eq!(added.stdout, "added\n");
    let told = "the message was added, but";
    assert!(added.stderr.contains(told), "{added:?}");
    assert!(
        added.stderr.contains("GET /data and GET /chain"),
        "{added:?}"
    );
    let id = "0123456789abcdef0123456789abcdef";
    let leaving = move |request: &ReceivedRequest| match request.method.as_str() {
        "POST" => response(201, &[], serde_json::json!({"id": id}).to_string()),
        _ => Vec::new(),
    };
    let added = add_to(leaving, &["--wait"]).exits(3);
    assert_eq!(added.stdout, format!("{id}\n"));
}

#[test]
fn waiting_for_a_node_that_does_not_mine_says_so() {
    let node = TestNode::start(&["--threads", "0"]);
    let address = node.address();
    let mut waiting = std::process::Command::new(crate::support::command::BINARY)
        .args([
            "add",
            "never mined",
            "--wait",
            "--host",
            &address.to_string(),
        ])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let stderr = waiting.stderr.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stderr), &mut line).unwrap();
    waiting.kill().unwrap();
    waiting.wait().unwrap();
    assert!(
        line.contains("this node does not mine (--threads 0)"),
        "{line}"
    );
}
