//! Stamps at a node that answers about another message, and among files that are no stamps.

use std::fs;
use std::path::PathBuf;
use std::slice;
use std::time::{Duration, Instant};

use blockchain::wire::SingleBlock;
use serde_json::Value;

use super::stamps::{stamp, stamp_of, start, verify};
use crate::support::command::Blockchain;
use crate::support::fake_peer::{FakePeer, response};
use crate::support::http::request;
use crate::support::test_node::TestNode;

fn upgrade(node: &TestNode, stamps: &[PathBuf]) -> Blockchain {
    node.command(["stamp", "upgrade"]).args(stamps)
}

/// A node that forwards requests, but those for a message or its receipt as if for another message.
fn liar(node: &TestNode, other: String) -> FakePeer {
    let address = node.address();
    FakePeer::start(move |received| {
        let target = match received.path().strip_prefix("/api/v1/messages/") {
            Some(rest) if received.method == "GET" => {
                let receipt = if rest.ends_with("/receipt") {
                    "/receipt?at=tip"
                } else {
                    ""
                };
                format!("/api/v1/messages/{other}{receipt}")
            }
            _ => received.target.clone(),
        };
        let answered = request(address, &received.method, &target, &[], &received.body).unwrap();
        response(answered.status, &[], answered.body)
    })
}

#[test]
fn a_receipt_of_another_message_never_replaces_a_pending_stamp() {
    let (node, files) = start(1);
    let ids = node.mine(&["another message"]);
    let liar = liar(&node, ids[0].clone());
    let port = liar.address().port().to_string();
    Blockchain::new(["stamp", "--port", &port])
        .args(&files)
        .exits(3)
        .complains(&[
            "has another message under the id",
            "blockchain stamp upgrade",
        ]);
    let pending: Value = serde_json::from_slice(&fs::read(stamp_of(&files[0])).unwrap()).unwrap();
    let message = pending["pending"]["message"].as_str().unwrap();
    assert!(message.starts_with("blockchain-stamp/1 "), "{message}");
    Blockchain::new(["stamp", "upgrade", "--port", &port])
        .args([stamp_of(&files[0])])
        .exits(1)
        .complains(&["has another message under the id"]);
    node.mine(&["above"]);
    upgrade(&node, &[stamp_of(&files[0])]).succeeds();
    verify(&node, &files[0], 0);
}

#[test]
fn a_stamp_whose_id_another_message_has_is_completed() {
    let (node, files) = start(1);
    let options = ["--plain", "--no-wait"];
    stamp(&node, &files).args(options).succeeds();
    let pending: Value = serde_json::from_slice(&fs::read(stamp_of(&files[0])).unwrap()).unwrap();
    let id = pending["pending"]["id"].as_str().unwrap();

    // On another chain, another message has the id.
    let mut idle = TestNode::start(&["--difficulty", "1", "--threads", "0"]);
    let taken = idle.add("squatter");
    idle.stop();
    let exported = Blockchain::new(["export", "--format", "json", "--with-mempool", "--db"]);
    let exported = exported.args([idle.folder()]).succeeds().stdout;
    let file = idle.sibling("squatted.json");
    fs::write(&file, exported.replace(&taken, id)).unwrap();
    let mut other = TestNode::stopped();
    let import = Blockchain::new(["import"]).args([&file]);
    import
        .args(["--difficulty", "1", "--db"])
        .args([other.folder()])
        .succeeds();
    other.start_again(&[]);
    other.mine(&["above"]);
    upgrade(&other, &[stamp_of(&files[0])]).exits(0);
    verify(&other, &files[0], 0);
}

#[test]
fn one_bad_stamp_does_not_keep_others_from_being_upgraded() {
    let (node, files) = start(4);
    stamp(&node, &files).args(["--no-wait"]).succeeds();
    node.mine(&["above"]);
    let stamps: Vec<_> = files.iter().map(|file| stamp_of(file)).collect();
    fs::write(&stamps[1], "{").unwrap();
    // A completed stamp of another network.
    let (foreign, others) = start(1);
    stamp(&foreign, &others).args(["--no-wait"]).succeeds();
    foreign.mine(&["above"]);
    upgrade(&foreign, &[stamp_of(&others[0])]).exits(0);
    fs::copy(stamp_of(&others[0]), &stamps[3]).unwrap();
    let upgraded = upgrade(&node, &stamps).exits(1);
    assert_eq!(upgraded.stdout, "2 stamps upgraded\n");
    for expected in [
        "minutes 1.txt.stamp.json: ",
        "minutes 3.txt.stamp.json: ",
        "error: stamps not upgraded: 2 of 4",
    ] {
        assert!(upgraded.stderr.contains(expected), "{upgraded:?}");
    }
    verify(&node, &files[0], 0);
    verify(&node, &files[2], 0);
    assert_eq!(fs::read(&stamps[1]).unwrap(), b"{");
}

#[test]
fn a_stamp_of_a_replaced_tip_follows_its_message_on_its_own_network_only() {
    let (node, files) = start(1);
    // The block is the tip, which the command warns of.
    stamp(&node, &files).exits(0);
    let path = stamp_of(&files[0]);
    let before = fs::read(&path).unwrap();
    let other = TestNode::start(&["--difficulty", "1"]);
    upgrade(&other, slice::from_ref(&path))
        .exits(1)
        .complains(&["does not have its message"]);
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(other.status().length, 1, "nothing was added");

    // The chain that replaced the block has the message in another one.
    let text = node.json::<SingleBlock>("/blocks/1").block.data.message;
    other.mine(&["another block"]);
    let lines = "/api/v1/messages/lines?once=true";
    other
        .request("POST", lines, &[], text.as_bytes())
        .expect(201);
    other.mine(&["above"]);
    let upgraded = upgrade(&other, &[path]).exits(0);
    let expected = "block 1 was replaced, and its message mined again in block 2";
    assert!(upgraded.stderr.contains(expected), "{upgraded:?}");
    verify(&other, &files[0], 0);
}

#[test]
fn stamps_that_stay_pending_wait_together() {
    let node = TestNode::start(&["--threads", "0"]);
    let folder = node.sibling("files");
    fs::create_dir(&folder).unwrap();
    let files: Vec<_> = ["a", "b", "c"].map(|name| folder.join(name)).into();
    for file in &files {
        fs::write(file, "text").unwrap();
    }
    stamp(&node, &files).args(["--no-wait"]).succeeds();
    let begin = Instant::now();
    let stamps: Vec<_> = files.iter().map(|file| stamp_of(file)).collect();
    let pending = upgrade(&node, &stamps).exits(1);
    assert!(begin.elapsed() < Duration::from_secs(19), "{pending:?}");
    assert_eq!(pending.stderr.matches("the message is pending").count(), 3);
}

#[test]
fn json_names_stamps_whose_names_are_not_utf_8() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let node = TestNode::start(&["--difficulty", "1"]);
    let file = node
        .sibling("x")
        .with_file_name(OsStr::from_bytes(b"minutes \xff.txt"));
    fs::write(&file, "text").unwrap();
    let stamped = stamp(&node, slice::from_ref(&file)).args(["--no-wait", "--json"]);
    let stamped: Value = stamped.succeeds().json();
    assert_eq!(stamped["files"], 1);
    assert!(stamp_of(&file).exists());
}
