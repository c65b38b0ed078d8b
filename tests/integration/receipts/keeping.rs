//! `checkpoint --output`: a file of kept checkpoints follows one history only.

use std::fs;
use std::path::Path;

use super::command::text;
use super::node_with;
use crate::support::command::{Blockchain, Finished};
use crate::support::test_node::TestNode;

/// Appends a checkpoint of a running node to a file.
fn keep(node: &TestNode, file: &Path, more: &[&str], code: i32) -> Finished {
    let address = node.address();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    Blockchain::new(["checkpoint", "--host", &host, "--port", &port])
        .args(["--output", text(file)])
        .args(more)
        .exits(code)
}

fn lines(file: &Path) -> usize {
    fs::read_to_string(file).unwrap().lines().count()
}

#[test]
fn a_receipt_is_got_under_the_newest_checkpoint_of_a_trust_file() {
    let node = node_with(4);
    let folder = tempfile::tempdir().unwrap();
    let (kept, receipt) = (folder.path().join("kept.txt"), folder.path().join("r.json"));
    // The checkpoint of the other network has a higher index.
    let other = node_with_genesis("other", 6);
    keep(&other, &kept, &[], 0);
    let get = |node: &TestNode, code| {
        let get = ["receipt", "get", "1", "--at", text(&kept)];
        node.command(get)
            .args(["--output", text(&receipt)])
            .exits(code)
    };
    get(&node, 1).complains(&["has no checkpoint of this network"]);
    keep(&node, &kept, &["--at", "3"], 0);
    keep(&node, &kept, &["--at", "2"], 0);
    node.mine(&["above the kept ones"]);
    get(&node, 0);
    Blockchain::new(["receipt", "verify", text(&receipt), "--trust", text(&kept)])
        .exits(0)
        .prints(&["PROVEN by the checkpoint of block 3"]);
    // Another history of the same network does not have that block.
    get(&node_with(5), 1).complains(&["there is no block"]);
    node.command(["receipt", "get", "1", "--at", "absent.txt"])
        .exits(2)
        .complains(&["or a trust file"]);
}

fn node_with_genesis(text: &str, messages: usize) -> TestNode {
    let node = TestNode::start(&["--difficulty", "1", &format!("--new-genesis={text}")]);
    let messages: Vec<_> = (0..messages).map(|number| number.to_string()).collect();
    node.mine(&messages.iter().map(String::as_str).collect::<Vec<_>>());
    node
}

#[test]
fn a_checkpoint_is_kept_once_and_in_any_order() {
    let mut node = node_with(4);
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.txt");
    keep(&node, &kept, &["--at", "3"], 0);
    keep(&node, &kept, &[], 0);
    keep(&node, &kept, &[], 0);
    // A block below the kept ones, and one that is already kept.
    keep(&node, &kept, &["--at", "1"], 0);
    keep(&node, &kept, &["--at", "3"], 0);
    assert_eq!(lines(&kept), 3);
    node.mine(&["above the kept ones"]);
    keep(&node, &kept, &[], 0);
    node.stop();
    let db = node.folder();
    let of_folder = ["checkpoint", "--output", text(&kept), "--db", text(&db)];
    Blockchain::new(of_folder).exits(0);
    Blockchain::new(of_folder).args(["--at", "2"]).exits(0);
    assert_eq!(lines(&kept), 5);
    // Checkpoints of another network are not compared.
    let other = TestNode::start(&["--difficulty", "1", "--new-genesis=other"]);
    keep(&other, &kept, &[], 0);
    assert_eq!(lines(&kept), 6);
}

#[test]
fn a_checkpoint_of_another_history_is_rejected() {
    let (node, other) = (node_with(3), node_with(6));
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.txt");
    keep(&node, &kept, &["--at", "2"], 0);
    keep(&node, &kept, &[], 0);
    let before = fs::read(&kept).unwrap();
    for (at, block, line) in [
        ("tip", 3, 2),
        ("3", 3, 2),
        ("2", 2, 1),
        ("1", 3, 2),
        ("5", 3, 2),
    ] {
        let rejected = keep(&other, &kept, &["--at", at], 1);
        assert_eq!(rejected.stdout, "");
        rejected.complains(&[
            &format!(
                "nothing was added to {}: the chain of {} does not contain block {block} that line \
                 {line} keeps",
                kept.display(),
                other.address()
            ),
            "hint: the chain was rewritten or is incomplete, or this is another node; compare with",
            &format!(
                "blockchain verify --node {} --checkpoint {}",
                other.address(),
                kept.display()
            ),
        ]);
    }
    let mut other = other;
    other.stop();
    let db = other.folder();
    for at in ["tip", "3", "1"] {
        Blockchain::new(["checkpoint", "--output", text(&kept), "--at", at])
            .args(["--db", text(&db)])
            .exits(1)
            .complains(&["does not contain block 3", "verify --db"]);
    }
    assert_eq!(fs::read(&kept).unwrap(), before);
}

#[test]
fn a_checkpoint_of_a_shorter_chain_is_rejected() {
    let node = node_with(3);
    let shorter = TestNode::start(&["--difficulty", "1"]);
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.txt");
    keep(&node, &kept, &["--at", "2"], 0);
    for at in ["tip", "0"] {
        keep(&shorter, &kept, &["--at", at], 1).complains(&[
            "ends at block 0, below block 2 that line 1 keeps",
            "verify --node",
        ]);
    }
    assert_eq!(lines(&kept), 1);
}

#[test]
fn what_is_no_receipt_and_what_is_named_twice_is_said() {
    let mut node = node_with(3);
    let folder = tempfile::tempdir().unwrap();
    let (kept, export) = (folder.path().join("kept.txt"), folder.path().join("e.json"));
    keep(&node, &kept, &[], 0);
    let address = node.address();
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    let of_node = ["--host", &host, "--port", &port];
    let to = ["--output", text(&export)];
    Blockchain::new(["export"]).args(of_node).args(to).exits(0);
    for (file, content) in [
        (&kept, "checkpoint lines"),
        (&export, "a list, such as an export"),
    ] {
        Blockchain::new(["receipt", "verify", text(file), "--trust", text(&kept)])
            .exits(1)
            .prints(&[
                &format!("NOT PROVEN: the file holds {content}, not a receipt"),
                "blockchain receipt get",
            ]);
    }
    let id = node.mine(&["twice"]).remove(0);
    let receipt = Blockchain::new(["receipt", "get", &id, &id, "4", "2", "--at", "tip"]);
    let receipt = receipt.args(of_node).exits(0).stdout;
    node.mine(&["tip"]);
    let again = Blockchain::new(["receipt", "get", "4", "2", "--at", "4"]);
    assert_eq!(receipt, again.args(of_node).exits(0).stdout);
    Blockchain::new(["get", "block", "99"])
        .args(of_node)
        .exits(1)
        .complains(&["there is no block 99: the tip is block 5"]);
    node.stop();
    let db = node.folder();
    Blockchain::new(["checkpoint", "--at", "99", "--db", text(&db)])
        .exits(1)
        .complains(&["there is no block 99: the tip is block 5"]);
}
