//! `blockchain node`: where it keeps its files, and what keeps it from starting.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use crate::support::command::{BINARY, Blockchain, foreign_variables, signal};
use crate::support::test_node::TestNode;
use crate::support::wait_for;

#[test]
fn two_nodes_cannot_share_a_folder() {
    let node = TestNode::start(&["--threads", "0"]);
    let before = node.running();
    Blockchain::new(["node", "--port", "0", "--db"])
        .args([node.folder()])
        .exits(3)
        .complains(&["node.redb is in use by another process"]);
    node.add("the first is not disturbed");
    assert_eq!(node.running(), before);
}

#[test]
fn the_token_is_readable_by_its_owner_only_and_new_at_each_start() {
    use std::os::unix::fs::PermissionsExt;
    let mut node = TestNode::start(&["--threads", "0"]);
    let path = node.folder().join("node.token");
    let first = fs::read_to_string(&path).unwrap();
    assert_eq!(first.trim_end().len(), 64, "{first:?}");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    node.stop();
    assert!(!path.exists());
    node.start_again(&[]);
    let second = fs::read_to_string(&path).unwrap();
    assert_ne!(second, first);
    // A kill leaves the file behind, and the next start replaces it.
    node.kill();
    node.start_again(&[]);
    assert_ne!(fs::read_to_string(&path).unwrap(), second);
    // The file of another process is not removed.
    fs::write(&path, "another\n").unwrap();
    node.stop();
    assert_eq!(fs::read_to_string(&path).unwrap(), "another\n");
}

#[test]
fn a_port_in_use_is_named_and_the_database_stays_clean() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut node = TestNode::start(&["--threads", "0"]);
    node.stop();
    Blockchain::new(["node", "--port", &address.port().to_string(), "--db"])
        .args([node.folder()])
        .exits(3)
        .complains(&[&format!("cannot listen on {address}"), "in use"]);
    assert_eq!(node.running(), None);
    node.start_again(&[]);
    assert!(
        !node.stderr().contains("did not stop cleanly"),
        "{}",
        node.stderr()
    );
}

#[test]
fn a_host_of_another_machine_is_named() {
    let node = TestNode::stopped();
    Blockchain::new(["node", "--port", "0", "--host", "192.0.2.1", "--db"])
        .args([node.folder()])
        .exits(3)
        .complains(&["cannot listen on 192.0.2.1:0"]);
}

#[test]
fn a_folder_that_cannot_be_created_is_named() {
    let node = TestNode::stopped();
    let file = node.sibling("file");
    fs::write(&file, "").unwrap();
    Blockchain::new(["node", "--port", "0", "--db"])
        .args([file.join("db")])
        .exits(3)
        .complains(&["file/db"]);
}

#[test]
fn a_file_that_is_not_a_database_is_rejected_and_kept() {
    let mut node = TestNode::stopped();
    let database = node.folder().join("node.redb");
    fs::create_dir(node.folder()).unwrap();
    for content in [&b""[..], b"no database", &[0; 10_000]] {
        fs::write(&database, content).unwrap();
        node.spawn(&[]);
        assert_eq!(node.wait_for_exit().code(), Some(3), "{}", node.stderr());
        assert!(node.stderr().contains("error: "), "{}", node.stderr());
        assert!(!node.stderr().contains("panicked"), "{}", node.stderr());
        assert_eq!(fs::read(&database).unwrap(), content);
    }
}

#[test]
fn the_folder_and_the_options_may_come_from_the_environment() {
    let home = TestNode::stopped();
    let folder = home.sibling(".blockchain/node");
    let start = |options: &[&str], name: &str, value: &str, expected: &str| {
        let mut command = std::process::Command::new(BINARY);
        for name in foreign_variables() {
            command.env_remove(name);
        }
        let node = command
            .arg("node")
            .args(options)
            .env("HOME", home.sibling(""))
            .env("BLOCKCHAIN_NODE_PORT", "0")
            .env("BLOCKCHAIN_NODE_THREADS", "0")
            .env("BLOCKCHAIN_NODE_DIFFICULTY", "3")
            .env(name, value)
            .stderr(std::process::Stdio::null())
            .spawn();
        let mut node = node.unwrap();
        let address = Path::new(expected).join("node.address");
        let text = wait_for("the address", || fs::read(&address).ok());
        // The node must not be killed, because the log is written with a delay.
        signal("TERM", node.id());
        node.wait().unwrap();
        let running: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert!(!running["address"].as_str().unwrap().ends_with(":12345"));
        let log = fs::read_to_string(Path::new(expected).join("miner.log")).unwrap_or_default();
        let from = log.find("difficulty=").map(|at| at + "difficulty=".len());
        from.map(|from| log[from..=from].to_owned())
    };
    let folder = folder.to_str().unwrap();
    start(&[], "RUST_LOG", "error", folder);
    assert!(home.sibling(".blockchain/node/node.redb").exists());
    let other = home.sibling("other");
    let other = other.to_str().unwrap();
    let difficulty = start(&[], "BLOCKCHAIN_NODE_DB", other, other);
    assert_eq!(difficulty.as_deref(), Some("3"));
    // An option wins over the environment.
    let third = home.sibling("third");
    let third = third.to_str().unwrap();
    let options = ["--difficulty", "4", "--db", third];
    let difficulty = start(&options, "BLOCKCHAIN_NODE_DB", other, third);
    assert_eq!(difficulty.as_deref(), Some("4"));
}

#[test]
fn a_start_on_a_port_in_use_changes_nothing() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let mut node = TestNode::start(&["--threads", "0"]);
    node.add("kept where it is");
    node.stop();
    let files = || {
        let entries = fs::read_dir(node.folder()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    let explorer = format!("--ui={port}");
    for options in [["--port", &port], ["--port=0", &explorer]] {
        let complaint = [format!("127.0.0.1:{port}"), "in use".to_owned()];
        let complaint = [complaint[0].as_str(), &complaint[1]];
        Blockchain::new(["node", "--force-new-chain", "--db"])
            .args([node.folder()])
            .args(options)
            .exits(3)
            .complains(&complaint);
        assert_eq!(files(), before);
        // No new database is left behind.
        let fresh = node.sibling("fresh");
        Blockchain::new(["node", "--db"])
            .args([&fresh])
            .args(options)
            .exits(3)
            .complains(&complaint);
        assert!(!fresh.exists());
    }
    node.start_again(&["--threads", "0"]);
    assert_eq!(node.status().mempool.count, 1);
}

#[test]
fn without_free_space_messages_are_rejected_and_reads_served() {
    let mut node = TestNode::start(&["--threads", "0"]);
    node.add("while there was space");
    node.stop();
    node.spawn(&["--min-free", "1000000GiB"]);
    let address = wait_for("the address", || {
        node.running()?["address"].as_str()?.parse().ok()
    });
    let get = |target| crate::support::http::request(address, "GET", target, &[], &[]);
    let health = wait_for("an answer", || get("/health").ok()).expect(503);
    let health: blockchain::wire::Health = health.json();
    assert!(!health.ready);
    assert!(
        health.reasons[0].contains("are free on the disk"),
        "{health:?}"
    );
    crate::support::http::post_message(address, "none left", None)
        .unwrap()
        .expect_error(503, "unavailable");
    crate::support::http::put_message(address, "none left")
        .unwrap()
        .expect(503);
    get("/data").unwrap().expect(200);
    let status: blockchain::wire::Status = get("/api/v1/status").unwrap().expect(200).json();
    let shortage = "GiB are free on the disk, less than the 1000000 GiB";
    let is_told = |text: &String| text.contains(shortage) && text.contains("no messages");
    assert!(status.warnings.iter().any(is_told), "{status:?}");
    let log = node.stderr();
    assert!(log.contains("WARN") && log.contains(shortage), "{log}");
    assert_eq!(node.stop_with("TERM").code(), Some(0));
    node.start_again(&["--threads", "0"]);
    assert_eq!(node.status().mempool.count, 1);
}

#[test]
fn listening_on_all_addresses_is_a_warning() {
    let mut node = TestNode::stopped();
    node.spawn(&["--host", "0.0.0.0", "--threads", "0"]);
    wait_for("the warning", || {
        node.stderr()
            .contains("listening on a non-loopback address")
            .then_some(())
    });
    node.stop();
}
