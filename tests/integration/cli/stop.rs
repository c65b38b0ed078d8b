//! Signals end a node in order; `miner.log` tells what it did.

use std::fs;
use std::time::Duration;

use blockchain::chain::{Block, BlockHash, Message};
use blockchain::codec;
use blockchain::store::{Operation, Store};

use crate::support::chain::{ChainBuilder, OPEN_NETWORK, ProofKind, listener};
use crate::support::command::signal;
use crate::support::random::SeededRng;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// Bytes at which the log is rotated.
const ROTATION: usize = 1024 * 1024;

#[test]
fn each_signal_stops_a_node_cleanly_and_in_time() {
    let mut node = TestNode::stopped();
    for signal in ["INT", "TERM", "HUP"] {
        for busy in [false, true] {
            node.start_again(&["--difficulty", "12"]);
            assert!(
                !node.stderr().contains("did not stop cleanly"),
                "{}",
                node.stderr()
            );
            if busy {
                node.add(signal);
                wait_for("the search", || node.status().mining.active.then_some(()));
            }
            let status = node.stop_with(signal);
            assert_eq!(status.code(), Some(0), "{signal} {busy}: {}", node.stderr());
            assert_eq!(node.running(), None);
        }
    }
    node.start_again(&["--threads", "0"]);
    assert_eq!((node.status().length, node.status().mempool.count), (1, 3));
}

#[test]
fn a_crash_is_noticed_and_a_clean_stop_is_not_mistaken_for_one() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one"]);
    node.kill();
    node.start_again(&[]);
    let log = node.stop();
    assert!(
        log.contains("the previous run did not stop cleanly"),
        "{log}"
    );
    node.start_again(&[]);
    let log = node.stop();
    assert!(!log.contains("did not stop cleanly"), "{log}");
}

#[test]
fn the_log_has_one_line_per_event() {
    let mut node = TestNode::start(&["--difficulty", "1", "--log", "trace"]);
    let hostile = "one\ntwo\r\n2020-01-01T00:00:00Z  INFO forged \u{1b}[31m\u{2028}\u{85}";
    node.mine(&[hostile]);
    let target = crate::support::http::percent_encode(hostile);
    node.get(&format!("/{target}")).expect(404);
    node.get(&format!("/api/v1/messages/{target}")).expect(400);
    node.get(&format!("/api/v1/blocks/{target}")).expect(400);
    node.request("PUT", &format!("/add?message={target}"), &[], &[])
        .expect(200);
    node.stop();
    let log = fs::read_to_string(node.folder().join("miner.log")).unwrap();
    assert!(log.contains("mined") && log.contains("stopped"), "{log}");
    assert!(!log.contains('\u{1b}') && !log.contains('\r'), "{log}");
    assert!(!log.contains("INFO forged"), "{log}");
    for line in log.lines() {
        let (time, rest) = line.split_once(' ').unwrap();
        assert!(time.starts_with("20") && time.ends_with('Z'), "{line}");
        let level = rest.split_whitespace().next().unwrap();
        assert!(
            ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"].contains(&level),
            "{line}"
        );
    }
}

#[test]
fn the_log_level_is_respected() {
    let mut node = TestNode::stopped();
    for (level, informs, debugs) in [
        ("error", false, false),
        ("info", true, false),
        ("debug", true, true),
    ] {
        node.start_again(&["--difficulty", "1", "--log", level]);
        node.mine(&["a message"]);
        let log = node.stop();
        assert_eq!(log.contains(" INFO "), informs, "{level}: {log}");
        assert_eq!(log.contains("DEBUG blockchain"), debugs, "{level}: {log}");
    }
}

#[test]
fn the_log_is_rotated_at_1_mib_and_three_old_files_are_kept() {
    let mut node = TestNode::stopped();
    fs::create_dir(node.folder()).unwrap();
    let folder = node.folder();
    let log = |number: usize| match number {
        0 => folder.join("miner.log"),
        _ => folder.join(format!("miner.log.{number}")),
    };
    let old = |number: usize| format!("old {number}\n").repeat(ROTATION / 6 + 1);
    for number in 0..4 {
        fs::write(log(number), old(number)).unwrap();
    }
    node.start_again(&["--difficulty", "1"]);
    node.stop();
    for number in 0..3 {
        let moved = fs::read_to_string(log(number + 1)).unwrap();
        let is_same = moved == old(number);
        assert!(is_same, "miner.log.{} is another", number + 1);
    }
    assert!(!log(4).exists());
    let new = fs::read_to_string(log(0)).unwrap();
    assert!(
        new.len() < 10_000 && new.contains("listening") && new.contains("stopped"),
        "{new}"
    );
}

#[test]
fn the_log_may_be_json() {
    let mut node = TestNode::start(&["--threads", "0", "--log-format", "json"]);
    let stderr = node.stop();
    let file = fs::read_to_string(node.folder().join("miner.log")).unwrap();
    for log in [stderr, file] {
        let lines = log.lines().map(serde_json::from_str::<serde_json::Value>);
        let lines: Vec<_> = lines.map(Result::unwrap).collect();
        let is_told = |line: &serde_json::Value| line["fields"]["message"] == "listening";
        assert!(lines.iter().any(is_told), "{log}");
    }
}

/// Time after which a second signal is another request, with a margin.
const ANOTHER_REQUEST: Duration = Duration::from_millis(700);

#[test]
fn a_second_signal_ends_a_long_stop_at_once() {
    let mut rng = SeededRng::new(2);
    // The snapshot of 40 MB takes seconds.
    let mut large = || Message::new(rng.message().id(), "x".repeat(64_000)).unwrap();
    let (mut node, _) = node_of(600, &mut large);
    for name in ["INT", "TERM"] {
        node.start_again(&["--threads", "0", "--snapshot-at-stop", "always"]);
        signal(name, node.process());
        wait_for("the begin of the stop", || {
            node.stderr().contains("stopping").then_some(())
        });
        std::thread::sleep(ANOTHER_REQUEST);
        assert!(!node.has_ended(), "the stop was too short to interrupt");
        signal(name, node.process());
        let code = if name == "INT" { 130 } else { 143 };
        assert_eq!(node.wait_for_exit().code(), Some(code));
        let log = node.stderr();
        assert!(log.contains("exiting without a snapshot"), "{log}");
        assert!(!log.contains("snapshot written"), "{log}");
    }
    node.start_again(&["--threads", "0"]);
    assert_eq!(node.status().length, 601);
}

/// A stopped node with more blocks than are checked at the start.
fn long() -> (TestNode, ChainBuilder) {
    let mut rng = SeededRng::new(1);
    node_of(1200, &mut || rng.message())
}

/// A stopped node with this many blocks after the genesis block.
fn node_of(blocks: usize, message: &mut dyn FnMut() -> Message) -> (TestNode, ChainBuilder) {
    let node = TestNode::stopped();
    fs::create_dir(node.folder()).unwrap();
    let path = node.folder().join("node.redb");
    Store::create(&path, &Block::default_genesis(), OPEN_NETWORK).unwrap();
    let mut builder = ChainBuilder::new(&[Block::default_genesis()]);
    (0..blocks).for_each(|_| builder.mine(message(), ProofKind::Open));
    let store = Store::open(&path, 0, listener().0).unwrap();
    let parent = BlockHash::of(&builder.blocks[0]);
    store
        .write(|reply| Operation::Append(parent, builder.above(1), reply))
        .unwrap();
    store.close().unwrap();
    (node, builder)
}

/// One with a damaged block 5, below those that are checked at the start.
fn damaged() -> TestNode {
    let (node, builder) = long();
    let path = node.folder().join("node.redb");
    let mut file = fs::read(&path).unwrap();
    let block = codec::encode_block(&builder.blocks[5]);
    let places = file.windows(block.len()).enumerate();
    let found: Vec<_> = places
        .filter_map(|(at, bytes)| (bytes == block).then_some(at))
        .collect();
    assert!(!found.is_empty());
    for at in found {
        file[at + block.len() / 2] ^= 1;
    }
    fs::write(&path, file).unwrap();
    node
}

#[test]
fn damage_found_by_a_request_stops_the_node_and_is_named() {
    let mut node = damaged();
    node.start_again(&["--threads", "0"]);
    node.get("/api/v1/blocks/1199").expect(200);
    node.get("/api/v1/blocks/5").expect(500);
    assert_eq!(node.wait_for_exit().code(), Some(3), "{}", node.stderr());
    let told = node.stderr();
    assert!(
        told.contains("the database is damaged: table blocks, key 5"),
        "{told}"
    );
}

#[test]
fn damage_found_by_the_last_snapshot_is_not_a_clean_stop() {
    let mut node = damaged();
    node.start_again(&["--threads", "0", "--snapshot-at-stop", "always"]);
    assert_eq!(node.stop_with("TERM").code(), Some(3), "{}", node.stderr());
    let told = node.stderr();
    assert!(told.contains("table blocks, key 5"), "{told}");
}

/// Starts the node with a standard error that nobody reads.
fn to_unread_pipe(node: &mut TestNode) {
    let pipe = node.sibling("pipe");
    let script = r#"mkfifo "$0" && exec 2<>"$0" && exec "$@""#;
    let pipe = pipe.to_str().unwrap();
    node.wrapper = ["sh", "-c", script, pipe].map(str::to_owned).into();
}

#[test]
fn an_unread_standard_error_blocks_nothing() {
    let mut node = TestNode::stopped();
    to_unread_pipe(&mut node);
    node.start_again(&["--log", "trace", "--difficulty", "1"]);
    let file = node.folder().join("miner.log");
    // Both logs have the same lines, and a pipe holds 64 KiB.
    for number in 0.. {
        node.add(&format!("message {number}"));
        if fs::metadata(&file).unwrap().len() > 128 * 1024 {
            break;
        }
    }
    assert_eq!(node.stop_with("TERM").code(), Some(0));
    let last = fs::read_to_string(file).unwrap();
    for told in ["stopped", "standard error was not read to its end"] {
        assert!(last.contains(told), "no {told:?} in {last}");
    }
}

#[test]
fn a_stop_during_the_check_of_an_unclean_start_is_clean_and_the_next_start_continues() {
    const UNCLEAN: &str = "the previous run did not stop cleanly";
    const CHECKED: &str = "all blocks checked after an unclean stop";
    let (mut node, _) = long();
    node.start_again(&["--threads", "0"]);
    node.kill();
    node.start_again(&["--threads", "0"]);
    let log = node.stop();
    assert!(log.contains(UNCLEAN) && log.contains("stopped"), "{log}");
    node.start_again(&["--threads", "0"]);
    // The check may have been faster than the signal; then this start is a clean one.
    if !log.contains(CHECKED) {
        assert!(node.stderr().contains(UNCLEAN), "{}", node.stderr());
        wait_for("the check", || {
            node.stderr().contains(CHECKED).then_some(())
        });
    }
    node.stop();
    node.start_again(&["--threads", "0"]);
    assert!(!node.stop().contains(UNCLEAN));
}
