//! A node does not start a new chain in a folder whose database is missing.

use std::fs;

use crate::support::command::Blockchain;
use crate::support::test_node::TestNode;

/// A stopped node with a mined message, whose database was moved aside.
fn lost(options: &[&str]) -> TestNode {
    let mut node = TestNode::start(&[&["--difficulty", "1"], options].concat());
    node.mine(&["acknowledged"]);
    node.stop();
    fs::rename(node.folder().join("node.redb"), node.sibling("aside")).unwrap();
    node
}

fn text(path: &std::path::Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_missing_database_is_not_replaced_by_a_new_chain() {
    let mut node = lost(&["--snapshot-at-stop", "never"]);
    let folder = node.folder();
    for options in [&[][..], &["--new-genesis"], &["--genesis", &"0".repeat(64)]] {
        Blockchain::new(["node", "--port", "0", "--db", text(&folder)])
            .args(options)
            .exits(3)
            .complains(&[
                "node.redb is missing, although a node has run on it",
                "hint: put the file back",
                "--force-new-chain",
            ]);
    }
    Blockchain::new(["join", "127.0.0.1:1", "--port", "0", "--db", text(&folder)])
        .exits(3)
        .complains(&["node.redb is missing"]);
    assert!(!folder.join("node.redb").exists());
    fs::rename(node.sibling("aside"), folder.join("node.redb")).unwrap();
    node.start_again(&["--threads", "0"]);
    assert_eq!(node.status().length, 2);
}

#[test]
fn a_missing_database_is_not_replaced_by_an_older_snapshot() {
    let mut node = lost(&["--snapshot-at-stop", "always"]);
    let (folder, chain) = (node.folder(), node.folder().join("node.chain"));
    let import = format!("blockchain import {} --db {}", text(&chain), text(&folder));
    Blockchain::new(["node", "--port", "0", "--db", text(&folder)])
        .exits(3)
        .complains(&["or import the snapshot of 20", " UTC", &import]);
    // The remedy in the error works.
    Blockchain::new(["import", text(&chain), "--db", text(&folder)]).exits(0);
    node.start_again(&["--threads", "0"]);
    assert_eq!(node.status().length, 2);
}

#[test]
fn a_new_chain_may_be_forced_where_the_database_is_missing() {
    let mut node = lost(&["--snapshot-at-stop", "always"]);
    node.start_again(&["--force-new-chain", "--threads", "0"]);
    assert_eq!(node.status().length, 1);
}

#[test]
fn a_start_that_failed_before_there_was_a_database_may_be_repeated() {
    let mut node = TestNode::stopped();
    let folder = node.folder();
    fs::create_dir(&folder).unwrap();
    let chain = folder.join("node.chain");
    fs::write(&chain, "no chain").unwrap();
    node.spawn(&[]);
    assert!(!node.wait_for_exit().success());
    fs::remove_file(&chain).unwrap();
    node.start_again(&["--threads", "0"]);
    assert_eq!(node.status().length, 1);
}
