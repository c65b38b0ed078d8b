//! `blockchain verify`: says which rule, which block, and exits with the result.

use std::fs;
use std::time::SystemTime;

use serde_json::Value;

use super::get::nobody;
use crate::support::command::Blockchain;
use crate::support::test_node::TestNode;

fn verify(node: &TestNode) -> Blockchain {
    Blockchain::new(["verify", "--db"]).args([node.folder()])
}

fn verify_running(node: &TestNode) -> Blockchain {
    Blockchain::new(["verify", "--node", &node.address().to_string()])
}

#[test]
fn a_valid_chain_verifies_stopped_running_and_remote() {
    let mut node = TestNode::start(&["--difficulty", "2"]);
    node.mine(&["one", "two"]);
    let tip = node.status().tip.hash;
    let words = [
        "valid\n",
        "3 blocks checked: 2 sealed, 0 open, 0 broken\n",
        &tip,
    ];
    let by_node = verify_running(&node).succeeds().prints(&words);
    assert!(!by_node.stdout.contains("were checked"), "{by_node:?}");
    let running = verify(&node).succeeds();
    assert_eq!(running.stdout, by_node.stdout);
    for command in [verify(&node), verify_running(&node)] {
        command
            .args(["--difficulty", "2", "--require-sealed"])
            .succeeds();
    }
    let report: Value = verify(&node).args(["--json"]).succeeds().json();
    assert_eq!(report["valid"], true);
    assert_eq!(
        (&report["blocks"], &report["sealed"]),
        (&3.into(), &2.into())
    );
    assert!(report["difficulty"].as_u64().unwrap() >= 2);
    assert_eq!(report["database_checked"], false);
    assert!(report["finding"].is_null());
    node.stop();
    verify(&node)
        .succeeds()
        .prints(&words)
        .prints(&["the database file and its indexes were checked"]);
    let report: Value = verify(&node).args(["--json"]).succeeds().json();
    assert_eq!(report["database_checked"], true);
}

#[test]
fn a_difficulty_above_the_chain_names_block_and_rule() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one", "two"]);
    let words = [
        "NOT VALID\n",
        "block 1: breaks rule 4: the digest of the proofs ends with",
        "expected 20 or more",
        "1 block checked",
    ];
    for command in [verify(&node), verify_running(&node)] {
        command.args(["--difficulty", "20"]).exits(1).prints(&words);
    }
    node.stop();
    let report = verify(&node)
        .args(["--difficulty", "20", "--json"])
        .exits(1);
    assert_eq!(report.stderr, "");
    let report: Value = report.json();
    assert_eq!(
        (&report["valid"], &report["finding"]["block"]),
        (&false.into(), &1.into())
    );
}

#[test]
fn open_proofs_are_counted_and_may_be_rejected() {
    let mut node = TestNode::start(&["--accept-open", "--proof", "open", "--difficulty", "1"]);
    node.mine(&["one", "two"]);
    node.stop();
    node.start_again(&[]);
    node.mine(&["three"]);
    let counts = ["4 blocks checked: 1 sealed, 2 open, 0 broken\n"];
    for command in [verify(&node), verify_running(&node)] {
        command.succeeds().prints(&counts);
    }
    let words = [
        "NOT VALID",
        "block 1: not acceptable because the proof is open",
    ];
    for option in [
        "--require-sealed",
        "--require-sealed=1",
        "--require_sealed=0",
    ] {
        verify(&node)
            .args([option])
            .exits(1)
            .prints(&words)
            .prints(&counts);
    }
    verify(&node)
        .args(["--require-sealed=2"])
        .exits(1)
        .prints(&["block 2: not acceptable"]);
    verify_running(&node)
        .args(["--require-sealed=3"])
        .succeeds()
        .prints(&counts);
}

#[test]
fn a_genesis_block_alone_is_a_valid_chain() {
    let mut node = TestNode::start(&["--threads", "0"]);
    node.stop();
    let report: Value = verify(&node).args(["--json"]).succeeds().json();
    assert_eq!(
        (&report["blocks"], &report["difficulty"]),
        (&1.into(), &Value::Null)
    );
}

#[test]
fn a_changed_character_in_the_file_is_found() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["the letter in question"]);
    node.stop();
    let database = node.folder().join("node.redb");
    let mut bytes = fs::read(&database).unwrap();
    let needle = b"the letter in question";
    let places: Vec<_> = (0..bytes.len() - needle.len())
        .filter(|place| bytes[*place..].starts_with(needle))
        .collect();
    assert!(!places.is_empty());
    for place in places {
        bytes[place] = b'T';
    }
    fs::write(&database, bytes).unwrap();
    let report = verify(&node).args(["--json"]).exits(1);
    let report: Value = report.json();
    assert_eq!(
        (&report["valid"], &report["database_checked"]),
        (&false.into(), &true.into())
    );
    assert!(
        report["finding"]["problem"].as_str().unwrap().len() > 10,
        "{report}"
    );
    verify(&node).exits(1).prints(&["NOT VALID\n"]);
}

#[test]
fn an_unreadable_source_is_exit_code_3() {
    let (_kept, nobody) = nobody();
    Blockchain::new(["verify", "--node", &format!("127.0.0.1:{nobody}")])
        .exits(3)
        .complains(&["no node is listening on"]);
    Blockchain::new(["verify", "--db", "/nowhere"])
        .exits(3)
        .complains(&["there is no database"]);
}

/// Content of the database file, and when it was changed last.
fn database(node: &TestNode) -> (Vec<u8>, SystemTime) {
    let path = node.folder().join("node.redb");
    let changed = path.metadata().unwrap().modified().unwrap();
    (fs::read(path).unwrap(), changed)
}

#[test]
fn verifying_a_stopped_node_does_not_change_its_file() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one", "two"]);
    node.add("waits for no one");
    for is_killed in [false, true] {
        if is_killed {
            node.start_again(&["--threads", "0"]);
            node.add("after a new start");
            node.kill();
        } else {
            node.stop();
        }
        let before = database(&node);
        verify(&node)
            .succeeds()
            .prints(&["the database file and its indexes were checked"]);
        Blockchain::new(["export", "--json", "--db"])
            .args([node.folder()])
            .succeeds()
            .prints(&["one", "two"]);
        assert!(database(&node) == before, "killed: {is_killed}");
    }
    node.start_again(&["--threads", "0"]);
}

#[test]
fn a_path_that_is_not_a_database_is_named_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    let named = path.display().to_string();
    let run = |command: &str| Blockchain::new([command, "--json", "--db"]).args([folder.path()]);
    fs::write(&path, "a text").unwrap();
    let foreign = format!("{named} is not a database");
    run("verify")
        .exits(1)
        .prints(&["\"valid\": false", &foreign]);
    run("export").exits(3).complains(&[&foreign]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    for command in ["verify", "export"] {
        let opened = format!("the database {named} cannot be opened: is a directory");
        run(command).exits(3).complains(&[&opened]);
    }
}
