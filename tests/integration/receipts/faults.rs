//! A block that a reorg disconnects, a node that lies, a file that must not be replaced, and a database that is damaged.

use std::fs;

use serde_json::Value;

use super::command::{checkpoint, text, vector};
use blockchain::chain::Block;

use super::node_with;
use crate::support::chain::{ChainBuilder, OPEN_NETWORK, ProofKind};
use crate::support::command::Blockchain;
use crate::support::fake_nodes::FakeNode;
use crate::support::fake_peer::{FakePeer, json, response};
use crate::support::in_process_node::InProcessNode;
use crate::support::random::SeededRng;

#[test]
fn a_consistency_proof_of_an_older_checkpoint_is_rejected() {
    // The receipt ends at the kept checkpoint, so it says nothing about later blocks.
    let old = fs::read_to_string(vector("consistency_6_to_11.json")).unwrap();
    let line = checkpoint(11);
    let genesis = line.split(' ').nth(1).unwrap();
    let status = FakeNode::new(&[Block::default_genesis()]).with("/genesis", genesis);
    let liar = FakePeer::start(move |request| match request.path() {
        "/api/v1/status" => json(&status.status),
        _ => response(200, &[], old.clone()),
    });
    let address = liar.address().to_string();
    let verify = [
        "--json",
        "verify",
        "--node",
        &address,
        "--checkpoint",
        &line,
        "--quick",
    ];
    let report: Value = Blockchain::new(verify).exits(1).json();
    assert_eq!(report["finding"]["class"], "not_kept");
}

#[test]
fn no_file_of_a_node_is_replaced() {
    let mut node = node_with(1);
    node.stop();
    let database = node.folder().join("node.redb");
    let before = fs::read(&database).unwrap();
    let folder = node.folder();
    for command in [
        &["receipt", "page"][..],
        &["receipt", "get", "1", "--db", text(&folder)],
        &["consistency", "get", "--from", "0", "--db", text(&folder)],
    ] {
        let rejected = Blockchain::new(command).args(["--output", text(&database)]);
        rejected.exits(2).complains(&["belongs to a node"]);
    }
    assert_eq!(fs::read(&database).unwrap(), before);
}

#[test]
fn a_damaged_history_tree_gives_no_proof() {
    const HISTORY: redb::TableDefinition<'_, u64, &[u8; 32]> =
        redb::TableDefinition::new("history");
    let mut node = node_with(4);
    node.stop();
    let database = redb::Database::open(node.folder().join("node.redb")).unwrap();
    let write = database.begin_write().unwrap();
    // The leaf of block 0.
    write
        .open_table(HISTORY)
        .unwrap()
        .insert(0, &[7; 32])
        .unwrap();
    write.commit().unwrap();
    drop(database);
    let folder = node.folder();
    for command in [
        &["receipt", "get", "1", "--at", "4"][..],
        &["consistency", "get", "--from", "1"],
        &["checkpoint", "--at", "1"],
    ] {
        let rejected = Blockchain::new(command).args(["--db", text(&folder)]);
        rejected.exits(3).complains(&["history"]);
    }
}

#[test]
fn a_receipt_under_a_disconnected_block_is_one_of_another_block() {
    let mut random = SeededRng::new(16);
    let mut extend = |builder: &mut ChainBuilder, count| {
        (0..count).for_each(|_| builder.mine(random.message(), ProofKind::Sealed));
    };
    let mut chain = ChainBuilder::new(&[Block::default_genesis()]);
    extend(&mut chain, 5);
    let node = InProcessNode::start(OPEN_NETWORK);
    node.append(&chain.above(1));
    let (host, port) = (
        node.address.ip().to_string(),
        node.address.port().to_string(),
    );
    let of_node = ["--host", &host, "--port", &port];
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("receipt.json");
    let get = ["receipt", "get", "2", "--output", text(&file)];
    Blockchain::new(get).args(of_node).exits(0);
    let line = Blockchain::new(["checkpoint"]).args(of_node).succeeds();
    let address = node.address.to_string();
    let verify = |by: &str, what: &str, code| -> Value {
        let verify = ["--json", "receipt", "verify", text(&file), by, what];
        Blockchain::new(verify).exits(code).json()
    };
    assert_eq!(verify("--node", &address, 0)["by"], "node");

    // The block of the message stays in the chain, but the block that proves it does not.
    let mut other = ChainBuilder::new(&chain.blocks[..4]);
    extend(&mut other, 4);
    node.adopt(&other.above(4));
    assert_eq!(verify("--node", &address, 1)["reason"], "other_block");
    let tip = Blockchain::new(["checkpoint"]).args(of_node).succeeds();
    let tip = tip.stdout.trim_end();
    assert_eq!(verify("--trust", tip, 1)["reason"], "not_trusted");
    assert_eq!(
        verify("--trust", line.stdout.trim_end(), 0)["by"],
        "checkpoint"
    );
    Blockchain::new(get).args(of_node).exits(0);
    assert_eq!(verify("--node", &address, 0)["by"], "node");
}
