//! Chain files of a reference miner: written beside the database, and imported at the first start.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};

use blockchain::wire::Status;

use super::support::command::{BINARY, Blockchain};
use super::support::http::request;
use super::support::test_node::TestNode;
use super::support::wait_for;

const JSON_3: &[u8] = include_bytes!("../fixtures/chains/json_3.chain");

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// Returns the content of `/chain`: the text of the documented chain file.
fn served(node: &TestNode) -> String {
    let body: Value = node.get("/chain").expect(200).json();
    body["chain"].as_str().unwrap().to_owned()
}

#[test]
fn a_stopped_node_leaves_the_documented_files() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one", "é\n\"two\""]);
    let chain = served(&node);
    node.stop();
    let file = node.folder().join("node.chain");
    assert_eq!(fs::read_to_string(&file).unwrap(), chain);
    let hash = fs::read_to_string(node.folder().join("node.hash")).unwrap();
    assert_eq!(hash, hex::encode(Sha256::digest(chain)));
    Blockchain::new(["verify"])
        .args([&file])
        .succeeds()
        .prints(&["valid\n3 blocks checked"]);

    // An unchanged chain is not written again; a changed one makes a backup of the older file.
    let before = names(&node.folder());
    node.start_again(&[]);
    node.stop();
    assert_eq!(names(&node.folder()), before);
    node.start_again(&["--backup-interval", "20ms"]);
    node.mine(&["three"]);
    wait_for("the snapshot", || {
        (names(&node.folder()).len() == before.len() + 3).then_some(())
    });
    node.stop();
    let backup = names(&node.folder())
        .into_iter()
        .find(|name| name.starts_with("node_"))
        .unwrap();
    assert_eq!(
        hex::encode(Sha256::digest(
            fs::read(node.folder().join(backup)).unwrap()
        )),
        hash
    );
}

#[test]
fn snapshots_can_be_pickles_and_can_be_disabled() {
    let mut node = TestNode::start(&["--difficulty", "1", "--snapshot-at-stop", "never"]);
    node.mine(&["one"]);
    node.stop();
    assert!(!node.folder().join("node.chain").exists());
    node.start_again(&["--chain_serialization", "pickle"]);
    node.stop();
    let file = fs::read(node.folder().join("node.chain")).unwrap();
    assert_eq!(file[..2], [0x80, 4]);
}

#[test]
fn a_changed_serialization_is_written_without_a_new_block() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one"]);
    node.stop();
    let chain = node.folder().join("node.chain");
    let json = fs::read(&chain).unwrap();
    assert_eq!(json[0], b'[');
    let tick = ["--backup-interval", "20ms", "--chain-serialization"];
    node.start_again(&[&tick[..], &["pickle"]].concat());
    let pickle = wait_for("the pickle", || {
        let file = fs::read(&chain).unwrap();
        (file != json).then_some(file)
    });
    assert_eq!(pickle[..2], [0x80, 4]);
    node.stop();
    node.start_again(&["--snapshot-at-stop", "always"]);
    node.stop();
    assert_eq!(fs::read(&chain).unwrap(), json);
}

#[test]
fn only_backups_of_this_program_are_pruned() {
    let mut node = TestNode::stopped();
    fs::create_dir(node.folder()).unwrap();
    fs::write(node.folder().join("node.chain"), JSON_3).unwrap();
    node.start_again(&["--backup-interval", "10ms", "--max-backups", "1"]);
    for text in ["one", "two", "three"] {
        let hash = fs::read(node.folder().join("node.hash")).ok();
        node.mine(&[text]);
        wait_for("a snapshot", || {
            (fs::read(node.folder().join("node.hash")).ok() != hash).then_some(())
        });
    }
    node.stop();
    let backups: Vec<_> = names(&node.folder())
        .into_iter()
        .filter(|name| name.starts_with("node_"))
        .collect();
    let contents: Vec<_> = backups
        .iter()
        .map(|name| fs::read(node.folder().join(name)).unwrap())
        .collect();
    assert_eq!(backups.len(), 2, "{backups:?}");
    assert!(
        contents.iter().any(|content| content == JSON_3),
        "the file moved in is kept"
    );
}

#[test]
fn a_chain_file_alone_in_a_folder_is_imported_at_the_first_start() {
    let mut node = TestNode::stopped();
    fs::create_dir(node.folder()).unwrap();
    fs::write(node.folder().join("test.chain"), JSON_3).unwrap();
    fs::write(
        node.folder().join("test_22-11-2026_09:05:03.chain"),
        "an old backup",
    )
    .unwrap();
    node.start_again(&["--threads", "0"]);
    let status = node.status();
    assert_eq!((status.length, status.sealed_from), (4, Some(4)));
    assert_eq!(served(&node).as_bytes(), JSON_3);
    node.stop();
    assert_eq!(fs::read(node.folder().join("test.chain")).unwrap(), JSON_3);
}

#[test]
fn multiple_or_invalid_chain_files_are_rejected_and_unchanged() {
    let mut node = TestNode::stopped();
    fs::create_dir(node.folder()).unwrap();
    for name in ["a.chain", "b.chain"] {
        fs::write(node.folder().join(name), JSON_3).unwrap();
    }
    node.spawn(&[]);
    assert_eq!(node.wait_for_exit().code(), Some(1));
    assert!(node.stderr().contains("a.chain") && node.stderr().contains("b.chain"));

    fs::remove_file(node.folder().join("b.chain")).unwrap();
    let cut = &JSON_3[..JSON_3.len() - 1];
    fs::write(node.folder().join("a.chain"), cut).unwrap();
    node.spawn(&[]);
    assert_eq!(node.wait_for_exit().code(), Some(1));
    assert!(node.stderr().contains("not readable"), "{}", node.stderr());
    assert_eq!(fs::read(node.folder().join("a.chain")).unwrap(), cut);
    assert!(!node.folder().join("node.redb").exists());
}

#[test]
fn a_forced_new_chain_deletes_nothing_and_keeps_pending_messages() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one"]);
    node.stop();
    let chain = fs::read(node.folder().join("node.chain")).unwrap();
    node.start_again(&["--threads", "0"]);
    let id = node.add("waits");
    node.stop();
    node.start_again(&["--threads", "0", "--force-new-chain", "--new-genesis=mine"]);
    assert_eq!(node.status().length, 1);
    assert_eq!(node.pending()[0].id, id);
    node.stop();
    let kept: Vec<_> = names(&node.folder())
        .into_iter()
        .filter(|name| name.starts_with("node_"))
        .collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    let old = kept
        .iter()
        .find(|name| {
            Path::new(name)
                .extension()
                .is_some_and(|ending| ending == "chain")
        })
        .unwrap();
    assert_eq!(fs::read(node.folder().join(old)).unwrap(), chain);
}

/// A miner by the documented command, killed at the end.
struct Miner(Child);

impl Miner {
    fn start(chain: &Path, options: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command
            .args(["miner", "start"])
            .arg(chain)
            .args(["--port", "0"])
            .args(options);
        Self(
            command
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap(),
        )
    }

    fn stop(mut self) {
        let kill = format!("kill -s TERM {}", self.0.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Miner {
    fn drop(&mut self) {
        // It has stopped already, unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn miner_start_continues_a_chain_file_by_the_documented_rules() {
    let folder = tempfile::tempdir().unwrap();
    let chain = folder.path().join("test.chain");
    fs::write(&chain, JSON_3).unwrap();
    let options = ["--difficulty", "1", "--chain_serialization", "json"];
    let miner = Miner::start(&chain, &options);
    let address = wait_for("the miner", || {
        let running = fs::read(folder.path().join("test.address")).ok()?;
        let running: Value = serde_json::from_slice(&running).ok()?;
        running["address"].as_str()?.parse().ok()
    });
    let status: Status = wait_for("the status", || {
        serde_json::from_slice(
            &request(address, "GET", "/api/v1/status", &[], &[])
                .ok()?
                .body,
        )
        .ok()
    });
    assert_eq!(
        (status.length, status.difficulty, status.sealed_from),
        (4, 1, None)
    );
    assert!(!status.warnings.is_empty());
    assert_eq!(
        request(address, "PUT", "/add?message=more", &[], &[])
            .unwrap()
            .status,
        200
    );
    wait_for("the block", || {
        let block = request(address, "GET", "/api/v1/blocks/4", &[], &[]).ok()?;
        (block.status == 200).then_some(())
    });
    miner.stop();
    let file = fs::read(&chain).unwrap();
    assert!(file.starts_with(&JSON_3[..JSON_3.len() - 1]));
    Blockchain::new(["verify"])
        .args([&chain])
        .succeeds()
        .prints(&["5 blocks checked: 1 sealed"]);
}

#[test]
fn a_chain_file_cannot_have_the_name_of_another_file() {
    for name in ["x.redb", "x.hash", "x.address"] {
        Blockchain::new(["miner", "start", name])
            .exits(2)
            .complains(&["cannot be a chain file"]);
    }
}
