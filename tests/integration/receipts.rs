//! Receipts, checkpoints and consistency proofs as people use them: over REST, on the command line
//! and in a browser, against a second implementation in Python.

mod agreement;
mod bad_files;
mod browser;
mod command;
mod faults;
mod interrupted_stamps;
mod keeping;
mod misled_stamps;
mod stamp_pages;
mod stamps;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use blockchain::wire::{BlockPage, CheckpointView};
use serde_json::Value;

use crate::support::skip::skip;
use crate::support::test_node::TestNode;

/// The second implementation, written from the rules alone.
const PYTHON: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/receipt.py");

/// Makes every receipt and consistency proof of a chain, given as the blocks of `/api/v1/blocks`,
/// and prints a line for each: the path that a node serves it under, and its text as JSON.
const MAKE_ALL: &str = r#"
import json, sys
sys.path.insert(0, sys.argv[1])
import receipt
shown = json.load(sys.stdin)
blocks = [{
    "index": b["index"], "timestamp": b["timestamp_text"], "proof": b["proof"],
    "previous_hash": b["previous_hash"], "id": b["data"]["id"], "message": b["data"]["message"],
    "h": bytes.fromhex(b["hash"]),
} for b in shown]
roots = [bytes.fromhex(b["history_root"]) for b in shown]
for b, r in zip(blocks, roots):
    assert receipt.block_hash(b) == b["h"]
    assert receipt.mth([x["h"] for x in blocks[:b["index"]]]) == r
for at in range(len(blocks)):
    line = receipt.checkpoint_line(blocks[0]["h"].hex(), at, blocks[at]["h"].hex(), roots[at].hex())
    trusted = [receipt.read_checkpoint(line)]
    for n in range(at + 1):
        text = receipt.emit(receipt.make(blocks, [n], at, roots))
        receipt.verify(text, trusted)
        print(json.dumps(["blocks/%d/receipt?at=%d" % (n, at), text]))
        if n < at:
            text = receipt.emit(receipt.consistency_file(blocks, roots, n, at))
            receipt.verify_consistency(text, trusted)
            print(json.dumps(["consistency?from=%d&to=%d" % (n, at), text]))
"#;

fn has_python() -> bool {
    let found = Command::new("python3").arg("--version").output();
    found.is_ok_and(|output| output.status.success())
}

/// A node with `count` mined messages above the genesis block.
fn node_with(count: usize) -> TestNode {
    let node = TestNode::start(&["--difficulty", "1"]);
    let texts: Vec<_> = (1..=count)
        .map(|n| format!("entry {n} \u{fc}\u{1f600}"))
        .collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    node.mine(&texts);
    node
}

fn body(node: &TestNode, path: &str) -> String {
    node.get(&format!("/api/v1/{path}"))
        .expect(200)
        .text()
        .to_owned()
}

#[test]
fn every_proof_of_a_node_is_byte_for_byte_that_of_the_second_implementation() {
    if !has_python() {
        return skip("receipts against tests/receipt.py", "there is no python3");
    }
    let node = node_with(39);
    let page: BlockPage = node.json("/blocks?limit=100");
    let folder = PYTHON.trim_end_matches("/receipt.py");
    let mut python = Command::new("python3")
        .args(["-B", "-c", MAKE_ALL, folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let blocks = serde_json::to_vec(&page.blocks).unwrap();
    python.stdin.take().unwrap().write_all(&blocks).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    let lines = String::from_utf8(output.stdout).unwrap();
    let mut count = 0;
    for line in lines.lines() {
        let (path, text): (String, String) = serde_json::from_str(line).unwrap();
        assert_eq!(body(&node, &path), text, "{path}");
        count += 1;
    }
    assert_eq!(count, 40 * 41 / 2 + 40 * 39 / 2);
}

#[test]
fn a_receipt_is_named_after_its_blocks_and_tagged_with_their_hashes() {
    let node = node_with(4);
    let response = node.get("/api/v1/blocks/2/receipt?at=4").expect(200);
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(
        response.header("content-disposition"),
        Some("attachment; filename=\"block-2-under-4.receipt.json\"")
    );
    let hash = |index: u64| node.json::<Value>(&format!("/blocks/{index}"))["hash"].clone();
    let tag = format!(
        "\"{}-{}\"",
        hash(2).as_str().unwrap(),
        hash(4).as_str().unwrap()
    );
    assert_eq!(response.header("etag"), Some(&*tag));
    let again = |path: &str, tag: &str| node.request("GET", path, &[("If-None-Match", tag)], &[]);
    let path = "/api/v1/blocks/2/receipt?at=4";
    assert!(again(path, &tag).expect(304).body.is_empty());
    assert_eq!(again(path, "\"other\"").expect(200).body, response.body);
    again("/api/v1/blocks/4/receipt?at=2", "*").expect_error(409, "above");
    let tip = node.get("/api/v1/blocks/2/receipt").expect(200);
    assert_eq!(tip.text(), response.text());
    let by_hash = format!("blocks/{}/receipt?at=tip", hash(2).as_str().unwrap());
    assert_eq!(body(&node, &by_hash), response.text());
}

#[test]
fn a_pending_message_has_no_receipt_until_it_is_mined() {
    let node = TestNode::start(&["--difficulty", "1", "--threads", "0"]);
    let id = node.add("soon");
    let path = format!("/api/v1/messages/{id}/receipt");
    node.get(&path).expect_error(409, "pending");
    let unknown = format!("/api/v1/messages/{}/receipt", "0".repeat(32));
    node.get(&unknown).expect_error(404, "not_found");
    node.get("/api/v1/messages/x/receipt")
        .expect_error(400, "bad_request");
    let rejected = node.command(["receipt", "get", &id]).exits(1);
    rejected.complains(&["pending"]);

    let node = TestNode::start(&["--difficulty", "1"]);
    let ids = node.mine(&["mined"]);
    let receipt = body(&node, &format!("messages/{}/receipt", ids[0]));
    assert!(receipt.contains("\"entries\": []") && receipt.contains("mined"));
}

#[test]
fn a_receipt_is_found_by_every_spelling_of_an_id() {
    let node = TestNode::start(&["--difficulty", "1"]);
    let id = node.mine(&["mined"])[0].clone();
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| &id[range]);
    let uuid = parts.join("-").to_uppercase();
    let receipt = body(&node, &format!("messages/{id}/receipt"));
    assert_eq!(body(&node, &format!("messages/{uuid}/receipt")), receipt);
}

#[test]
fn requests_that_cannot_be_met_say_why() {
    let node = node_with(3);
    for (path, status, code) in [
        ("checkpoint?at=9", 404, "not_found"),
        ("checkpoint?at=x!", 400, "bad_request"),
        ("checkpoint?to=1", 400, "bad_request"),
        ("blocks/3/receipt?at=2", 409, "above"),
        ("blocks/9/receipt", 404, "not_found"),
        ("blocks/1/receipt?at=9", 404, "not_found"),
        ("receipts", 400, "bad_request"),
        ("receipts?block=1&block=1", 400, "bad_request"),
        ("receipts?block=1&at=2&at=3", 400, "bad_request"),
        ("receipts?block=9", 404, "not_found"),
        ("consistency?from=2&to=2", 400, "bad_request"),
        ("consistency?from=3", 400, "bad_request"),
        ("consistency?from=9", 404, "not_found"),
        ("consistency?from=x", 400, "bad_request"),
        ("consistency", 400, "bad_request"),
    ] {
        node.get(&format!("/api/v1/{path}"))
            .expect_error(status, code);
    }
    let many = vec!["block=1"; 101].join("&");
    node.get(&format!("/api/v1/receipts?{many}"))
        .expect_error(400, "bad_request");
}

#[test]
fn a_receipt_lists_several_blocks_in_ascending_order() {
    let node = node_with(5);
    let receipt: Value =
        serde_json::from_str(&body(&node, "receipts?block=4&block=0&block=5&block=2")).unwrap();
    let entries = receipt["entries"].as_array().unwrap().iter();
    let indexes: Vec<_> = entries
        .map(|entry| entry["index"].as_u64().unwrap())
        .collect();
    // The file already contains the block that proves it.
    assert_eq!(indexes, [0, 2, 4]);
    assert_eq!(receipt["under"]["index"], 5);
}

#[test]
fn a_checkpoint_names_the_tip_unless_another_block_is_asked_for() {
    let node = node_with(3);
    let genesis: CheckpointView = node.json("/checkpoint?at=0");
    assert_eq!(genesis.seal, None);
    assert_eq!(genesis.genesis, genesis.hash);
    let tip: CheckpointView = node.json("/checkpoint");
    assert_eq!((tip.index, tip.confirmations), (3, 1));
    assert_eq!(tip.seal.as_deref(), Some("sealed"));
    let words: BTreeSet<_> = tip.checkpoint.split(' ').collect();
    for word in [&tip.genesis, &tip.hash, &tip.history_root] {
        assert!(words.contains(word.as_str()));
    }
    let same: CheckpointView = node.json(&format!("/checkpoint?at={}", tip.hash));
    assert_eq!(same, tip);
}
