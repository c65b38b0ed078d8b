//! Stamping that is killed, or whose disk or node fails: no message is added whose stamp is lost,
//! and the command can be completed later.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use blockchain::wire::BlockPage;
use serde_json::Value;

use super::stamps::{stamp, stamp_of, start, verify};
use crate::support::command::{BINARY, signal};
use crate::support::fake_nodes::FakeReferenceMiner;
use crate::support::fake_peer::{FakePeer, Step};
use crate::support::random::SeededRng;
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// Starts `stamp` in the background.
fn stamping(port: u16, files: &[PathBuf]) -> Child {
    Command::new(BINARY)
        .args(["stamp", "--host", "127.0.0.1", "--port", &port.to_string()])
        .args(files)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn upgrade(node: &TestNode, files: &[PathBuf]) {
    node.command(["stamp", "upgrade"])
        .args(files.iter().map(|file| stamp_of(file)))
        .exits(0);
}

/// Number of blocks with the message of a stamp.
fn stamps_in(node: &TestNode) -> usize {
    let page: BlockPage = node.json("/blocks?from=0&limit=1000");
    let texts = page.blocks.iter().map(|block| &block.data.message);
    texts.filter(|text| text.contains("-stamp/1 ")).count()
}

#[test]
fn every_stamp_is_written_before_the_message_is_sent_and_is_completed_after_a_kill() {
    let (node, files) = start(3);
    let expected = files.clone();
    let sent = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&sent);
    // A node that receives the message and never answers.
    let silent = FakePeer::start(move |request| {
        let read = |file: &PathBuf| fs::read(stamp_of(file)).unwrap_or_default();
        let stamps: Vec<_> = expected.iter().map(read).collect();
        *kept.lock().unwrap() = Some((request.clone(), stamps));
        vec![Step::Silence]
    });
    let mut child = stamping(silent.address().port(), &files);
    let (request, stamps) = wait_for("the message", || sent.lock().unwrap().clone());
    child.kill().unwrap();
    child.wait().unwrap();
    let text = String::from_utf8(request.body.clone()).unwrap();
    for stamp in &stamps {
        let stamp: Value = serde_json::from_slice(stamp).expect("a stamp is missing");
        let message = stamp["pending"]["message"].as_str().unwrap();
        assert!(text.contains(message), "{text}");
    }

    // The chain of one node contains the message, that of the other does not.
    let other = TestNode::start(&["--difficulty", "1"]);
    node.request("POST", &request.target, &[], &request.body)
        .expect(201);
    for node in [&node, &other] {
        for (file, stamp) in files.iter().zip(&stamps) {
            fs::write(stamp_of(file), stamp).unwrap();
        }
        node.mine(&["above"]);
        upgrade(node, &files);
        node.mine(&["above"]);
        upgrade(node, &files);
        for file in &files {
            verify(node, file, 0).prints(&["PROVEN by the checkpoint"]);
        }
        assert_eq!(stamps_in(node), 1);
    }
}

#[test]
fn stamping_that_is_killed_at_any_moment_is_completed() {
    let mut rng = SeededRng::new(19);
    let (node, files) = start(40);
    for _ in 0..6 {
        let before = stamps_in(&node);
        let mut child = stamping(node.address().port(), &files);
        // The moment of the kill.
        thread::sleep(Duration::from_millis(rng.below(300)));
        child.kill().unwrap();
        child.wait().unwrap();
        let is_stamped = |file: &&PathBuf| stamp_of(file).exists();
        let stamped: Vec<_> = files.iter().filter(is_stamped).cloned().collect();
        if !stamped.is_empty() {
            upgrade(&node, &stamped);
            node.mine(&["above"]);
            upgrade(&node, &stamped);
        }
        for file in stamped.first().into_iter().chain(stamped.last()) {
            verify(&node, file, 0);
        }
        for file in &stamped {
            fs::remove_file(stamp_of(file)).unwrap();
        }
        let added = stamps_in(&node) - before;
        assert_eq!(added, usize::from(!stamped.is_empty()));
    }
}

#[test]
fn no_message_is_sent_if_a_stamp_is_not_on_the_disk() {
    let mut traced = Command::new("strace");
    let traced = traced.args(["-o", "/dev/null", "true"]).status();
    if !traced.is_ok_and(|status| status.success()) {
        return skip("syncs of stamps", "strace cannot trace");
    }
    // The stamps themselves, then their folder.
    let few = [(1, "fsync", 1), (1, "fsync", 2)];
    let many = [(40, "syncfs", 1), (40, "fsync", 1)];
    for (count, sync, when) in few.into_iter().chain(many) {
        let (node, files) = start(count);
        let output = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e"])
            .arg(format!("trace={sync}"))
            .arg("-e")
            .arg(format!("inject={sync}:error=EIO:when={when}"))
            .args([BINARY, "stamp", "--port"])
            .arg(node.address().port().to_string())
            .args(&files)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{sync} {when}: {error}");
        assert!(error.contains("Input/output error"), "{error}");
        let status = node.status();
        assert_eq!((status.length, status.mempool.count), (1, 0));
        assert!(files.iter().all(|file| !stamp_of(file).exists()));
        stamp(&node, &files).args(["--no-wait"]).succeeds();
    }
}

#[test]
fn a_message_that_was_not_added_leaves_no_stamp() {
    let mut node = TestNode::start(&["--threads", "0"]);
    let file = node.sibling("a.txt");
    fs::write(&file, "a").unwrap();
    let miner = FakePeer::start(|request| FakeReferenceMiner::default().response(request));
    let run = |port: u16| {
        let port = port.to_string();
        let output = Command::new(BINARY)
            .args(["stamp", "--port", &port])
            .arg(&file)
            .output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(3), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let error = run(miner.address().port());
    assert!(error.contains("cannot stamp files"), "{error}");
    assert!(error.contains("at a node of this program"), "{error}");
    assert!(!stamp_of(&file).exists());
    let port = node.address().port();
    node.stop();
    let error = run(port);
    assert!(error.contains("no node is listening"), "{error}");
    assert!(!stamp_of(&file).exists());
}

#[test]
fn a_message_that_may_be_added_leaves_its_stamps_although_a_retry_finds_no_node() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.txt");
    fs::write(&file, "a").unwrap();
    // The node reads one request and closes the connection without a response.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let lost = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
    });
    let output = Command::new(BINARY)
        .args(["stamp", "--port", &port])
        .arg(&file)
        .output()
        .unwrap();
    lost.join().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("blockchain stamp upgrade"), "{error}");
    assert!(stamp_of(&file).exists(), "{error}");
}

#[test]
fn a_node_that_is_lost_while_the_message_is_pending_leaves_stamps_to_complete() {
    let mut node = TestNode::start(&["--threads", "0", "--difficulty", "1"]);
    let file = node.sibling("a.txt");
    fs::write(&file, "a").unwrap();
    let child = Command::new(BINARY)
        .args(["stamp", "--port", &node.address().port().to_string()])
        .arg(&file)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for("the message", || {
        (node.status().mempool.count == 1).then_some(())
    });
    node.kill();
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{error}");
    assert!(error.contains("blockchain stamp upgrade"), "{error}");
    node.start_again(&[]);
    node.mine(&["above"]);
    upgrade(&node, std::slice::from_ref(&file));
    verify(&node, &file, 0);
}

#[test]
fn a_pending_stamp_cannot_add_any_other_message() {
    let node = TestNode::start(&["--threads", "0"]);
    let file = node.sibling("a.txt.stamp.json");
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/receipts");
    let stamp = fs::read_to_string(fixture.join("stamp_file2_of_5.json")).unwrap();
    let (start, _) = stamp.split_once("\"receipt\": ").unwrap();
    let id = "0".repeat(32);
    let pending = format!(
        "{start}\"receipt\": null,\n \"pending\": {{\n  \"id\": \"{id}\",\n  \"message\": \"pay me\"\n }}\n}}\n"
    );
    fs::write(&file, pending).unwrap();
    let command = node.command(["stamp", "upgrade"]).args([&file]);
    command.exits(1).complains(&["the message is not a stamp"]);
    assert_eq!(node.status().mempool.count, 0);
}

/// Ctrl-C while the message is pending.
#[test]
fn an_interrupted_stamp_is_completed() {
    let node = TestNode::start(&["--threads", "0"]);
    let file = node.sibling("a.txt");
    fs::write(&file, "a").unwrap();
    let mut child = stamping(node.address().port(), std::slice::from_ref(&file));
    wait_for("the message", || {
        (node.status().mempool.count == 1).then_some(())
    });
    signal("INT", child.id());
    assert!(!child.wait().unwrap().success());
    let stamp = fs::read_to_string(stamp_of(&file)).unwrap();
    assert!(stamp.contains("\"pending\""), "{stamp}");
}
