//! A node that lies, a file that must not be replaced, and a database that is damaged.

use std::fs;

use serde_json::Value;

use super::command::{checkpoint, text, vector};
use super::node_with;
use crate::support::command::Blockchain;
use crate::support::fake_peer::{FakePeer, answer};

#[test]
fn an_old_consistency_proof_does_not_stand_in_for_one_of_the_kept_checkpoint() {
    // It ends at the kept checkpoint, so it says nothing about the chain above.
    let old = fs::read_to_string(vector("consistency_6_to_11.json")).unwrap();
    let liar = FakePeer::start(move |_| answer(200, &[], old.clone()));
    let address = liar.address().to_string();
    let line = checkpoint(11);
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
        let refused = Blockchain::new(command).args(["--output", text(&database)]);
        refused.exits(2).complains(&["belongs to a node"]);
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
        let refused = Blockchain::new(command).args(["--db", text(&folder)]);
        refused.exits(3).complains(&["history"]);
    }
}
