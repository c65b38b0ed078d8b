//! `blockchain stamp`: one message for many files, and a proof beside each.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::support::command::{Blockchain, Finished};
use crate::support::skip::skip;
use crate::support::test_node::TestNode;

/// A mining node and a folder with files, each with its number as its content.
pub(super) fn start(files: usize) -> (TestNode, Vec<PathBuf>) {
    let node = TestNode::start(&["--difficulty", "1"]);
    let folder = node.sibling("files");
    fs::create_dir(&folder).unwrap();
    let file = |number: usize| {
        let path = folder.join(format!("minutes {number}.txt"));
        fs::write(&path, format!("file {number}\n")).unwrap();
        path
    };
    (node, (0..files).map(file).collect())
}

pub(super) fn stamp(node: &TestNode, files: &[PathBuf]) -> Blockchain {
    node.command(["stamp"]).args(files)
}

pub(super) fn stamp_of(file: &std::path::Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".stamp.json");
    name.into()
}

/// Verifies without a node, by the checkpoint of the tip.
pub(super) fn verify(node: &TestNode, file: &std::path::Path, code: i32) -> Finished {
    let checkpoint = node.command(["checkpoint"]).succeeds().stdout;
    let file = file.as_os_str();
    let command = Blockchain::new(["stamp", "verify"]).args([file]);
    command.args(["--trust", checkpoint.trim_end()]).exits(code)
}

#[test]
fn each_stamped_file_is_proven_and_no_changed_one() {
    for count in [1, 2, 3, 5, 100] {
        let (node, files) = start(count);
        // The stamp of a message in the tip would wait for a later block.
        let options = ["--no-wait"].into_iter().filter(|_| count > 1);
        let stamped = stamp(&node, &files).args(options).exits(0);
        let expected = if count == 1 {
            "in block 1"
        } else {
            "is pending"
        };
        assert!(stamped.stdout.contains(expected), "{stamped:?}");
        node.mine(&["above"]);
        node.command(["stamp", "upgrade"])
            .args(files.iter().map(|file| stamp_of(file)))
            .succeeds();
        for file in files.iter().take(7) {
            let proven = verify(&node, file, 0);
            assert!(
                proven.stdout.starts_with("PROVEN by the checkpoint"),
                "{proven:?}"
            );
            assert!(
                proven.stdout.contains("stamped by this message"),
                "{proven:?}"
            );
        }
        // The chain contains neither the name nor the digest of a file.
        let block = node.get("/api/v1/blocks/1");
        let block = block.text();
        assert!(
            block.contains(&format!("blockchain-stamp/1 sha256 {count} ")),
            "{block}"
        );
        assert!(!block.contains("minutes"), "{block}");
        fs::write(&files[0], "file 0 \n").unwrap();
        verify(&node, &files[0], 1)
            .prints(&["NOT PROVEN: the file is not the one that was stamped"]);
        if let [_, first, second, ..] = &files[..] {
            fs::rename(stamp_of(first), stamp_of(second)).unwrap();
            verify(&node, second, 1)
                .prints(&["NOT PROVEN: the file is not the one that was stamped"]);
        }
    }
}

#[test]
fn a_pending_stamp_is_completed_later() {
    let mut node = TestNode::start(&["--threads", "0", "--difficulty", "1"]);
    let file = node.sibling("a.txt");
    fs::write(&file, "a").unwrap();
    let options = ["--no-wait", "--json"];
    let stamped: Value = stamp(&node, std::slice::from_ref(&file))
        .args(options)
        .succeeds()
        .json();
    assert_eq!(
        (&stamped["files"], &stamped["block"]),
        (&Value::from(1), &Value::Null)
    );
    verify(&node, &file, 1).prints(&["was pending when the stamp was written"]);
    node.stop();
    node.start_again(&[]);
    node.mine(&["above"]);
    let upgrade = |node: &TestNode| node.command(["stamp", "upgrade"]).args([stamp_of(&file)]);
    upgrade(&node).succeeds();
    verify(&node, &file, 0);
    // A node of another chain does not spoil the stamp.
    let other = TestNode::start(&["--difficulty", "1"]);
    other.mine(&["another", "chain"]);
    let before = fs::read(stamp_of(&file)).unwrap();
    upgrade(&other).exits(1);
    assert_eq!(fs::read(stamp_of(&file)).unwrap(), before);
}

#[test]
fn nothing_is_added_if_a_stamp_cannot_be_written() {
    let (node, files) = start(2);
    let folder = node.sibling("files");
    let same = folder.join("sub").join("minutes 0.txt");
    fs::create_dir(same.parent().unwrap()).unwrap();
    fs::write(&same, "x").unwrap();
    let dir = node.sibling("stamps");
    fs::create_dir(&dir).unwrap();
    let pair = [files[0].clone(), same];
    let rejected = stamp(&node, &pair)
        .args(["--dir".as_ref(), dir.as_os_str()])
        .exits(2);
    rejected.complains(&["two files would have the stamp"]);
    fs::write(stamp_of(&files[1]), "kept").unwrap();
    stamp(&node, &files)
        .exits(1)
        .complains(&["minutes 1.txt.stamp.json exists already"]);
    assert_eq!(fs::read(stamp_of(&files[1])).unwrap(), b"kept");
    stamp(&node, std::slice::from_ref(&folder))
        .exits(3)
        .complains(&["files", "a folder"]);
    stamp(&node, &[folder.join("none")])
        .exits(3)
        .complains(&["none"]);
    let status = node.status();
    assert_eq!((status.length, status.mempool.count), (1, 0));
    assert!(!stamp_of(&files[0]).exists());
}

#[test]
fn names_are_read_from_the_standard_input_and_stamps_written_to_a_folder() {
    let (node, files) = start(3);
    let dir = node.sibling("stamps");
    fs::create_dir(&dir).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.to_str().unwrap()).collect();
    let command = node.command(["stamp", "-", "--plain", "--no-wait"]);
    let command = command.args(["--dir".as_ref(), dir.as_os_str()]);
    command.stdin(names.join("\n")).exits(0);
    let stamp = fs::read_to_string(dir.join("minutes 2.txt.stamp.json")).unwrap();
    let stamp: Value = serde_json::from_str(&stamp).unwrap();
    assert_eq!(
        (&stamp["salt"], &stamp["leaf"]),
        (&Value::from(""), &Value::from(2))
    );
}

#[test]
fn the_specification_accepts_a_stamp() {
    let (node, files) = start(3);
    stamp(&node, &files).args(["--no-wait"]).succeeds();
    node.mine(&["above"]);
    let upgraded = node
        .command(["stamp", "upgrade"])
        .args([stamp_of(&files[1])]);
    upgraded.succeeds();
    let checkpoint = node.command(["checkpoint"]).succeeds().stdout;
    let script = "import sys\nsys.path.insert(0, 'tests')\nimport receipt\n\
        stamp = open(sys.argv[2], encoding='ascii', newline='').read()\n\
        content = open(sys.argv[1], 'rb').read()\n\
        print(receipt.verify_stamp(stamp, content, [receipt.read_checkpoint(sys.argv[3])])[0])\n";
    let Ok(output) = Command::new("python3")
        .args(["-c", script])
        .args([&files[1], &stamp_of(&files[1])])
        .arg(checkpoint.trim_end())
        .output()
    else {
        return skip("stamps by the specification", "python3 is not installed");
    };
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "1\n", "{error}");
}
