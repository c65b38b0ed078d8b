//! `blockchain export`.

use std::fs::{self, File};
use std::io::IsTerminal;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use sha2::{Digest, Sha256};

use blockchain::wire::{Block, BlockPage};

use crate::support::command::{BINARY, Blockchain, signal};
use crate::support::fake_peer::{FakePeer, Step, json};
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

fn export(folder: &Path) -> Blockchain {
    Blockchain::new(["export", "--json", "--db"]).args([folder])
}

#[test]
fn running_and_stopped_give_the_same_bytes() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one", "\u{1b}[31m\n\u{202e}\"", "é😀"]);
    let running = export(&node.folder()).succeeds();
    let asked = node
        .command(["export", "--json", "--host", "127.0.0.1"])
        .succeeds();
    let page: BlockPage = node.json("/blocks");
    node.stop();
    let stopped = export(&node.folder()).succeeds();
    assert_eq!(running.stdout, stopped.stdout);
    assert_eq!(running.stdout, asked.stdout);
    assert_eq!(stopped.json::<Vec<Block>>(), page.blocks);
    // Every block has one line, without control characters.
    assert_eq!(stopped.stdout.lines().count(), 4 + 2);
    assert!(!stopped.stdout.contains(['\u{1b}', '\u{202e}']));
    node.start_again(&["--threads", "0"]);
    assert_eq!(export(&node.folder()).succeeds().stdout, stopped.stdout);
    node.kill();
    // A killed node left its address behind; the database answers.
    assert!(node.running().is_some());
    assert_eq!(export(&node.folder()).succeeds().stdout, stopped.stdout);
}

#[test]
fn an_exported_file_is_complete_and_has_its_hash() {
    let node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one"]);
    let file = node.sibling("chain.json");
    fs::write(&file, "something older").unwrap();
    for option in ["--output", "-o"] {
        let printed = export(&node.folder())
            .args([option])
            .args([&file])
            .succeeds();
        assert_eq!(printed.stdout, "");
        let bytes = fs::read(&file).unwrap();
        assert_eq!(bytes, export(&node.folder()).succeeds().stdout.as_bytes());
        let hash = fs::read_to_string(node.sibling("chain.json.sha256")).unwrap();
        let digest = hex::encode(Sha256::digest(&bytes));
        assert_eq!(hash, format!("{digest}  chain.json\n"));
    }
    let ordinary = fs::metadata(node.sibling("chain.json.sha256"))
        .unwrap()
        .permissions();
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, ordinary.mode() & 0o777);
    let files = fs::read_dir(node.sibling("")).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "{names:?}");
}

#[test]
fn only_an_older_export_is_replaced() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one"]);
    let to = |path: &Path| export(&node.folder()).args(["--output"]).args([path]);
    let database = node.folder().join("node.redb");
    let copy = node.sibling("copy.json");
    fs::copy(&database, &copy).unwrap();
    let own = ["node.token", "node.address", "miner.log"].map(|name| node.folder().join(name));
    for path in [&database, &copy].into_iter().chain(&own) {
        let before = fs::read(path).unwrap();
        to(path).exits(2).complains(&["belongs to a node"]);
        assert_eq!(fs::read(path).unwrap(), before);
    }
    let chain = node.folder().join("node.chain");
    to(&chain).exits(2).complains(&["belongs to a node"]);
    assert!(!chain.exists());
    to(&node.folder().join("node.csv")).succeeds();
    assert!(!node.folder().join("node.hash").exists());
    let socket = node.sibling("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    to(&socket).exits(2).complains(&["is not a regular file"]);
    assert!(!fs::symlink_metadata(&socket).unwrap().is_file());
    // A link stays a link, and its target is written.
    let (file, link) = (node.sibling("chain.json"), node.sibling("link.json"));
    fs::write(&file, "something older").unwrap();
    symlink(&file, &link).unwrap();
    to(&link).succeeds();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let printed = to(Path::new("-")).succeeds().stdout;
    assert_eq!(fs::read_to_string(&file).unwrap(), printed);
    node.stop();
}

#[test]
fn an_impossible_export_names_the_reason() {
    let mut node = TestNode::start(&["--threads", "0"]);
    let default = Blockchain::new(["export", "--db"]).args([node.folder()]);
    default.succeeds().prints(&["[\n{\"index\":0,"]);
    Blockchain::new(["export", "--output", "x.CSV", "--db"])
        .args([node.folder()])
        .exits(2)
        .complains(&["add --format csv, or --format json"]);
    export(&node.sibling("nowhere"))
        .exits(3)
        .complains(&["there is no database at"]);
    export(&node.folder())
        .args(["--output", "/nowhere/at/all"])
        .exits(3)
        .complains(&["/nowhere/at"]);
    // The database is in use, but its node cannot be found.
    fs::remove_file(node.folder().join("node.address")).unwrap();
    export(&node.folder())
        .exits(3)
        .complains(&["but no node was found on it"]);
    node.stop();
    export(&node.folder()).succeeds();
}

#[test]
fn a_stale_address_file_is_not_trusted() {
    let node = TestNode::start(&["--threads", "0"]);
    let other = TestNode::start(&["--threads", "0", "--new-genesis"]);
    let address = |node: &TestNode| node.folder().join("node.address");
    fs::copy(address(&other), address(&node)).unwrap();
    let mut lie = other.running().unwrap();
    lie["node_id"] = node.status().node_id.into();
    fs::write(address(&node), lie.to_string()).unwrap();
    export(&node.folder())
        .exits(3)
        .complains(&["no node was found on it"]);
}

#[test]
fn binary_formats_are_not_written_to_a_terminal() {
    // /dev/ptmx is a terminal on Linux, but not on every system.
    let open = || File::options().read(true).write(true).open("/dev/ptmx");
    if !open().is_ok_and(|terminal| terminal.is_terminal()) {
        return skip("output to a terminal", "/dev/ptmx cannot be opened");
    }
    let mut node = TestNode::start(&["--threads", "0"]);
    node.stop();
    let export = |format: &str, to: &[&str]| -> Output {
        Command::new(BINARY)
            .args(["export", "--format", format, "--db"])
            .arg(node.folder())
            .args(to)
            .stdout(Stdio::from(open().unwrap()))
            .stderr(Stdio::piped())
            .output()
            .unwrap()
    };
    let file = node.sibling("chain");
    for format in ["bincode", "pickle"] {
        let rejected = export(format, &[]);
        let stderr = String::from_utf8(rejected.stderr).unwrap();
        assert_eq!(rejected.status.code(), Some(2), "{stderr}");
        for text in [format, "not for a terminal", "--output", "pipe"] {
            assert!(stderr.contains(text), "no {text:?} in {stderr}");
        }
        let written = export(format, &["--output", file.to_str().unwrap()]);
        assert!(written.status.success(), "{written:?}");
    }
    assert!(export("ndjson", &[]).status.success());
}

/// Starts an export from a node that sends no block, and waits until it has created its file.
fn hanging_export(silent: &FakePeer, file: &Path) -> Child {
    let port = silent.address().port().to_string();
    let child = Command::new(BINARY)
        .args(["export", "--json", "--host", "127.0.0.1", "--port", &port])
        .arg("--output")
        .arg(file)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let folder = file.parent().unwrap();
    wait_for("the file", || {
        (fs::read_dir(folder).unwrap().count() > 0).then_some(())
    });
    child
}

#[test]
fn an_interrupted_export_leaves_nothing() {
    let mut node = TestNode::start(&["--threads", "0"]);
    let status: Value = node.json("/status");
    node.stop();
    let silent = FakePeer::start(move |asked| match asked.path() {
        "/api/v1/status" => json(&status),
        _ => vec![Step::Silence],
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.json");
    for (name, code) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let child = hanging_export(&silent, &file);
        signal(name, child.id());
        let ended = child.wait_with_output().unwrap();
        let told = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(ended.status.code(), Some(code), "{told}");
        assert!(told.contains(&format!("ended by SIG{name}")), "{told}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
    // The next export removes the files of a killed one, but not those of one that is running.
    let mut killed = hanging_export(&silent, &file);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let to_file = || export(&node.folder()).args(["--output"]).args([&file]);
    to_file().succeeds();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    fs::remove_file(&file).unwrap();
    fs::remove_file(folder.path().join("x.json.sha256")).unwrap();
    let other = hanging_export(&silent, &file);
    to_file().succeeds();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    signal("TERM", other.id());
    assert_eq!(other.wait_with_output().unwrap().status.code(), Some(143));
}
