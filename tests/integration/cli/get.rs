//! `blockchain get`, in words and in JSON.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};

use serde_json::Value;

use blockchain::wire::{Block, MempoolPage, MessageStatus, SingleBlock, Status};

use crate::support::command::{BINARY, Blockchain};
use crate::support::test_node::TestNode;

/// Text that would control a terminal, hide or reorder text, or forge a line.
const HOSTILE: &str =
    "a\u{1b}[31m\u{9b}31m\u{7f}\u{202e}b\u{2066}\u{200b}\r\nINFO forged\u{7}\u{85}";

/// Returns a port that is bound but does not listen.
pub(super) fn nobody() -> (tokio::net::TcpSocket, String) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port().to_string();
    (socket, port)
}

#[test]
fn the_chain_is_printed_oldest_first() {
    let node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one", "two", "three"]);
    let chain = node.command(["get", "chain"]).succeeds();
    let lines: Vec<_> = chain.stdout.lines().collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].contains("c0f0de3647e3  2020-02-09T17:14:44.244806Z  genesis  This is"));
    assert!(lines[3].starts_with("       3  ") && lines[3].ends_with("sealed   three"));
    for (newest, expected) in [("0", &lines[4..]), ("2", &lines[2..]), ("9", &lines[..])] {
        let chain = node
            .command(["get", "chain", "--newest", newest])
            .succeeds();
        assert_eq!(chain.stdout.lines().collect::<Vec<_>>(), expected);
    }
    let blocks: Vec<Block> = node.command(["get", "chain", "--json"]).succeeds().json();
    assert_eq!(
        blocks.iter().map(|block| block.index).collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    let newest = node
        .command(["get", "chain", "--json", "--newest", "1"])
        .succeeds();
    assert_eq!(newest.json::<Vec<Block>>(), blocks[3..]);
    let empty = node
        .command(["get", "chain", "--json", "--newest", "0"])
        .succeeds();
    assert_eq!(empty.json::<Vec<Block>>(), []);
}

#[test]
fn a_block_is_found_by_index_hash_and_as_tip() {
    let node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one"]);
    let tip = node
        .command(["get", "block", "tip", "--json"])
        .succeeds()
        .json::<SingleBlock>();
    assert_eq!((tip.block.index, tip.confirmations), (1, 1));
    let hash = &tip.block.hash;
    let upper = hash.to_uppercase();
    let names = [
        "1",
        "tip",
        hash,
        &hash[..12],
        &format!("{}…", &hash[..10]),
        &upper,
    ];
    for name in names {
        node.command(["get", "block", name]).succeeds().prints(&[
            "index          1\n",
            &format!("hash           {}\n", tip.block.hash),
            &format!("proof          {}\n", tip.block.proof.as_ref().unwrap()),
            "seal           sealed\n",
            "confirmations  1\n",
            "message        one\n",
        ]);
    }
    node.command(["get", "block", "0"]).succeeds().prints(&[
        "previous hash  none\n",
        "proof          none\n",
        "confirmations  2\n",
    ]);
}

#[test]
fn a_message_is_pending_and_then_mined() {
    let mut node = TestNode::start(&["--threads", "0", "--difficulty", "1"]);
    let id = node.add("a message");
    let get = |node: &TestNode| node.command(["get", "message", &id]).succeeds();
    let groups = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]];
    let uuid = groups.join("-").to_uppercase();
    node.command(["get", "message", &uuid])
        .succeeds()
        .prints(&[&id]);
    get(&node).prints(&[
        &id,
        "state          pending for ",
        "message        a message\n",
    ]);
    let data = node.command(["get", "data"]).succeeds();
    assert!(data.stdout.starts_with("1 pending\n"), "{data:?}");
    let data: MempoolPage = node.command(["get", "data", "--json"]).succeeds().json();
    assert_eq!((data.count, &data.messages[0].id), (1, &id));
    node.stop();
    node.start_again(&[]);
    node.mine(&["another"]);
    get(&node).prints(&["state          mined in block 1\n", "confirmations  2\n"]);
    let status = node.command(["get", "message", &id, "--json"]).succeeds();
    assert_eq!(status.json::<MessageStatus>().confirmations, 2);
    assert_eq!(
        node.command(["get", "data"]).succeeds().stdout,
        "0 pending\n"
    );
}

#[test]
fn status_and_neighbours_are_printed() {
    let node = TestNode::start(&["--difficulty", "1", "--threads", "0"]);
    node.add("waits");
    node.command(["get", "status"]).succeeds().prints(&[
        "difficulty  1\n",
        "seal rule   every block from 1 on must be sealed\n",
        "mempool     1 message, 5 bytes\n",
        "tip         block 0 c0f0de36",
        "chain       1 block, 0 of them sealed\n",
        "neighbours  0 known, 0 answering\n",
    ]);
    let status: Status = node.command(["get", "status", "--json"]).succeeds().json();
    assert_eq!(status.node_id, node.status().node_id);
    let neighbours = node.command(["get", "neighbours"]).succeeds();
    assert_eq!(neighbours.stdout, "0 neighbours\n");
    let neighbours: Value = node
        .command(["get", "neighbours", "--json"])
        .succeeds()
        .json();
    assert_eq!(neighbours["neighbours"], serde_json::json!([]));
}

#[test]
fn a_missing_block_or_message_is_exit_code_1() {
    let node = TestNode::start(&["--threads", "0"]);
    let id = "0".repeat(32);
    for (what, name) in [("block", "1"), ("block", &"0".repeat(64)), ("message", &id)] {
        node.command(["get", what, name])
            .exits(1)
            .complains(&["answered 404: there is no"]);
        node.command(["get", what, name, "--json"])
            .exits(1)
            .complains(&["404"]);
    }
}

#[test]
fn without_a_node_everything_is_exit_code_3() {
    let (_kept, nobody) = nobody();
    for what in [
        &["chain"][..],
        &["block", "tip"],
        &["message", "5234180697424a318ca26e708d95e5cf"],
        &["data"],
        &["neighbours"],
        &["status"],
    ] {
        Blockchain::new(["get"])
            .args(what)
            .args(["--port", &nobody])
            .exits(3)
            .complains(&["no node is listening on 127.0.0.1", "blockchain node"]);
    }
}

#[test]
fn terminal_control_characters_are_escaped() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    let id = &node.mine(&[HOSTILE])[0];
    let shown = "a\\u{1b}[31m\\u{9b}31m\\u{7f}\\u{202e}b\\u{2066}\\u{200b}\\r\\nINFO forged";
    let is_harmless = |text: &str| {
        !text.contains(|c: char| c.is_control() && c != '\n')
            && !text.contains(['\u{202e}', '\u{2066}', '\u{200b}'])
    };
    let commands: [&[&str]; 4] = [
        &["get", "chain"],
        &["get", "block", "1"],
        &["get", "message", id],
        &["get", "data"],
    ];
    for (command, expected) in commands.iter().zip([true, true, true, false]) {
        let text = node.command(*command).succeeds().stdout;
        assert!(is_harmless(&text), "{command:?}: {text:?}");
        assert_eq!(text.contains(shown), expected, "{command:?}: {text}");
        let json = node.command(*command).args(["--json"]).succeeds();
        assert!(is_harmless(&json.stdout), "{command:?}: {json:?}");
        assert!(json.json::<Value>().is_array() || json.json::<Value>().is_object());
    }
    let json = node.command(["get", "block", "1", "--json"]).succeeds();
    assert_eq!(json.json::<SingleBlock>().block.data.message, HOSTILE);
    node.stop();
    node.start_again(&["--threads", "0"]);
    node.add(HOSTILE);
    let text = node
        .command(["get", "data"])
        .succeeds()
        .prints(&[shown])
        .stdout;
    assert!(is_harmless(&text) && text.lines().count() == 2, "{text:?}");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let node = TestNode::start(&["--difficulty", "1"]);
    // Far more than a pipe holds.
    let texts: Vec<_> = (0..16)
        .map(|number| format!("{number}").repeat(20_000))
        .collect();
    node.mine(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    for arguments in [&["get", "chain", "--json"][..], &["export", "--json"]] {
        let mut child = Command::new(BINARY)
            .args(arguments)
            .args(["--port", &node.address().port().to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        reader.read_line(&mut first).unwrap();
        assert_eq!(first, "[\n");
        drop(reader);
        let status = child.wait().unwrap();
        let mut stderr = String::new();
        child.stderr.unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((status.code(), &*stderr), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_node_may_be_named_by_its_url() {
    let node = TestNode::start(&["--threads", "0"]);
    let (_kept, nobody) = nobody();
    let port = node.address().port();
    for host in [
        format!("http://127.0.0.1:{port}"),
        format!("HTTP://127.0.0.1:{port}/"),
        format!("127.0.0.1:{port}"),
    ] {
        Blockchain::new(["get", "status", "--host", &host]).succeeds();
        // One address is asked, or none.
        Blockchain::new(["get", "status", "--host", &host, "--port", &nobody])
            .exits(2)
            .complains(&[&format!("--port names {nobody}: name one of them")]);
    }
    node.command(["get", "status", "--host", "http://127.0.0.1"])
        .succeeds();
}

#[test]
fn blocks_and_pending_messages_are_found() {
    let node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["budget of spring", "minutes of autumn"]);
    let get = |arguments: &[&str]| node.command([&["get"], arguments].concat());
    let found = get(&["search", "SPRING budget"]).succeeds().stdout;
    assert!(
        found.contains("       1  ") && found.contains("budget of spring"),
        "{found}"
    );
    assert_eq!(found.lines().count(), 1, "{found}");
    get(&["search", "winter"])
        .exits(1)
        .prints(&["nothing was found"]);
    let nothing: serde_json::Value = get(&["search", "winter", "--json"]).exits(1).json();
    assert_eq!(nothing["hits"], serde_json::json!([]));
    assert_eq!(get(&["reorgs"]).succeeds().stdout, "0 reorgs\n");
}
