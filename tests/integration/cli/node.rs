//! `blockchain node`: where it keeps its files, and what keeps it from starting.

use std::fs;
use std::net::TcpListener;

use crate::support::command::Blockchain;
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
fn the_token_is_its_owners_alone_and_new_at_each_start() {
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
    // After a kill the old one stays, until the next start.
    node.kill();
    node.start_again(&[]);
    assert_ne!(fs::read_to_string(&path).unwrap(), second);
    // One that a successor wrote is not removed.
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
        .complains(&[&format!("the address {address}"), "in use"]);
    assert_eq!(node.running(), None);
    node.start_again(&[]);
    assert!(
        !node.stderr().contains("did not end cleanly"),
        "{}",
        node.stderr()
    );
}

#[test]
fn a_host_that_is_not_ours_is_named() {
    let node = TestNode::stopped();
    Blockchain::new(["node", "--port", "0", "--host", "192.0.2.1", "--db"])
        .args([node.folder()])
        .exits(3)
        .complains(&["the address 192.0.2.1:0"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let node = TestNode::stopped();
    let file = node.beside("file");
    fs::write(&file, "").unwrap();
    Blockchain::new(["node", "--port", "0", "--db"])
        .args([file.join("db")])
        .exits(3)
        .complains(&["file/db"]);
}

#[test]
fn a_file_that_is_no_database_is_refused_and_kept() {
    let mut node = TestNode::stopped();
    let database = node.folder().join("node.redb");
    fs::create_dir(node.folder()).unwrap();
    for content in [&b""[..], b"no database", &[0; 10_000]] {
        fs::write(&database, content).unwrap();
        node.spawn(&[]);
        assert_eq!(node.ends().code(), Some(3), "{}", node.stderr());
        assert!(node.stderr().contains("error: "), "{}", node.stderr());
        assert!(!node.stderr().contains("panicked"), "{}", node.stderr());
        assert_eq!(fs::read(&database).unwrap(), content);
    }
}

#[test]
fn the_folder_and_the_options_may_come_from_the_environment() {
    let home = TestNode::stopped();
    let folder = home.beside(".blockchain/node");
    // The port is taken, so the node stops as soon as it has made its database.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let start = |name: &str, value: &str| {
        Blockchain::new(["node"])
            .env("HOME", home.beside(""))
            .env("BLOCKCHAIN_NODE_PORT", &port)
            .env("BLOCKCHAIN_NODE_DIFFICULTY", "3")
            .env(name, value)
            .exits(3)
            .complains(&["127.0.0.1:", &port]);
    };
    start("RUST_LOG", "error");
    assert!(folder.join("node.redb").exists());
    let other = home.beside("other");
    start("BLOCKCHAIN_NODE_DB", other.to_str().unwrap());
    assert!(other.join("node.redb").exists());
    // An option wins over the environment.
    Blockchain::new(["node", "--difficulty", "4", "--db"])
        .args([home.beside("third")])
        .env("BLOCKCHAIN_NODE_DIFFICULTY", "3")
        .env("BLOCKCHAIN_NODE_PORT", &port)
        .exits(3);
    let log = fs::read_to_string(home.beside("third/miner.log")).unwrap();
    assert!(log.contains("new database"), "{log}");
}

#[test]
fn without_space_it_takes_no_messages_but_answers() {
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
    assert!(health.reasons[0].contains("bytes are free"), "{health:?}");
    crate::support::http::post_message(address, "none left", None)
        .unwrap()
        .expect_error(503, "unavailable");
    crate::support::http::put_message(address, "none left")
        .unwrap()
        .expect(503);
    get("/data").unwrap().expect(200);
    assert_eq!(node.stop_with("TERM").code(), Some(0));
    node.start_again(&["--threads", "0"]);
    assert_eq!(node.status().mempool.count, 1);
}

#[test]
fn an_open_address_is_said_to_be_open() {
    let mut node = TestNode::stopped();
    node.spawn(&["--host", "0.0.0.0", "--threads", "0"]);
    wait_for("the warning", || {
        node.stderr()
            .contains("0.0.0.0 is open to others")
            .then_some(())
    });
    node.stop();
}
