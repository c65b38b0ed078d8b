//! Failing syncs, injected by `strace`, and full disks: a small tmpfs that the test mounts.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use blockchain::chain::{Block, Message};
use blockchain::store::{Operation, Store};
use blockchain::wire::{Health, PostedMessage};

use super::{assert_kept, succeeds};
use crate::support::chain::{ChainBuilder, OPEN_NETWORK, ProofKind};
use crate::support::command::Blockchain;
use crate::support::environment::variable;
use crate::support::http::{post_message, put_message};
use crate::support::random::SeededRng;
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// Syncs that fail in the short form, counted per thread: the first are those of the start, the
/// others those of commits.
const SYNCS: &[u64] = &[1, 3, 9, 40];

/// Maximum lifetime of a node with a failing disk; some syncs never happen.
const LIFE: Duration = Duration::from_secs(4);

/// Adds messages until the node is gone or the time is over; returns those acknowledged.
fn add_until_the_end(node: &mut TestNode, name: &str) -> (Vec<String>, bool) {
    let mut acknowledged = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < LIFE {
        if node.has_ended() {
            return (acknowledged, true);
        }
        let address = node
            .running()
            .and_then(|running| running["address"].as_str()?.parse().ok());
        let Some(address) = address else {
            // A poll interval.
            std::thread::sleep(Duration::from_millis(2));
            continue;
        };
        let text = format!("{name} {}", acknowledged.len());
        let response = if acknowledged.len().is_multiple_of(2) {
            put_message(address, &text)
        } else {
            post_message(address, &text, None)
        };
        match response {
            Ok(response) if response.status < 300 => acknowledged.push(text),
            // A failure must be reported as one.
            Ok(response) => assert!(response.status >= 500, "{response:?}"),
            // The node is starting or ending; a retry interval.
            Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    (acknowledged, false)
}

#[test]
#[expect(clippy::print_stderr, reason = "the counts are shown with --nocapture")]
fn a_failed_sync_is_never_acknowledged() {
    if !succeeds(&["strace", "-f", "-o", "/dev/null", "true"]) {
        return skip(
            "failing syncs",
            "strace cannot trace (apt-get install strace)",
        );
    }
    let count: Option<u64> = variable("BLOCKCHAIN_FAULT_SYNCS");
    let syncs: Vec<_> = count.map_or_else(|| SYNCS.to_vec(), |count| (1..=count).collect());
    let (mut ended, mut total, mut runs) = (0, 0, 0);
    let mut slowest = Duration::ZERO;
    for failing in &syncs {
        // A sync that fails once, and a disk that fails from then on.
        for when in [failing.to_string(), format!("{failing}+")] {
            let mut node = TestNode::start(&["--difficulty", "1", "--threads", "0"]);
            let before = "before the fault".to_owned();
            node.add(&before);
            node.stop();
            let inject = format!("inject=fdatasync,fsync:error=EIO:when={when}");
            let strace = ["strace", "-D", "-f", "-qq", "-o", "/dev/null"];
            let strace = [&strace[..], &["-e", "trace=fdatasync,fsync", "-e", &inject]];
            node.wrapper = strace.concat().into_iter().map(str::to_owned).collect();
            node.spawn(&["--difficulty", "1", "--backup-interval", "200ms"]);
            let (acknowledged, has_ended) = add_until_the_end(&mut node, &when);
            if has_ended {
                let code = node.wait_for_exit().code();
                assert_eq!(code, Some(3), "{when}: {}", node.stderr());
                assert!(node.stderr().contains("error: "), "{}", node.stderr());
                assert!(!node.stderr().contains("panicked"), "{}", node.stderr());
                ended += 1;
            }
            node.kill();
            node.wrapper.clear();
            node.start_again(&["--threads", "0"]);
            slowest = slowest.max(node.started_in);
            assert_kept(&node, acknowledged.iter().chain([&before]));
            node.stop();
            total += acknowledged.len();
            runs += 1;
        }
    }
    eprintln!(
        "{runs} runs, {ended} ended with 3, {total} acknowledged, none lost; slowest next start \
         {slowest:.1?}"
    );
    assert!(ended > runs / 3, "the faults did not reach the node");
}

#[test]
fn a_removed_database_stops_the_node_and_nothing_more_is_acknowledged() {
    type Fault = fn(&Path);
    let faults: [(&str, Fault); 4] = [
        ("removed", |file| {
            fs::remove_dir_all(file.parent().unwrap()).unwrap();
        }),
        ("removed", |file| {
            fs::rename(file, file.with_extension("aside")).unwrap();
        }),
        ("replaced by another file", |file| {
            let copy = file.with_extension("copy");
            fs::copy(file, &copy).unwrap();
            fs::rename(copy, file).unwrap();
        }),
        ("truncated", |file| {
            let file = fs::OpenOptions::new().write(true).open(file).unwrap();
            file.set_len(4096).unwrap();
        }),
    ];
    for (change, fault) in faults {
        let mut node = TestNode::start(&["--difficulty", "1", "--threads", "0"]);
        node.add("before");
        let file = node.folder().join("node.redb");
        fault(&file);
        let response = post_message(node.address(), "after", None);
        let status = response.map(|response| response.status);
        assert!(!matches!(status, Ok(..500)), "{change}: {status:?}");
        assert_eq!(
            node.wait_for_exit().code(),
            Some(3),
            "{change}: {}",
            node.stderr()
        );
        let expected = format!("the database {} was {change}", file.display());
        assert!(node.stderr().contains(&expected), "{}", node.stderr());
        // A stop without a commit is not clean, either.
        let mut node = TestNode::start(&["--difficulty", "1", "--threads", "0"]);
        let file = node.folder().join("node.redb");
        fault(&file);
        // The folder may belong to another node by now, so no snapshot is written into it.
        let snapshot = file.with_extension("chain");
        let _ = fs::remove_file(&snapshot);
        let code = node.stop_with("TERM").code();
        assert_eq!(code, Some(3), "{change}: {}", node.stderr());
        assert!(!snapshot.exists(), "{change}");
    }
}

/// A small disk mounted at the folder of a node, and unmounted when it is dropped.
struct SmallDisk(String);

impl SmallDisk {
    fn mount(node: &TestNode, mebibytes: u64) -> Option<Self> {
        fs::create_dir_all(node.folder()).unwrap();
        let folder = node.folder().display().to_string();
        let size = format!("size={mebibytes}m");
        let is_mounted = succeeds(&["mount", "-t", "tmpfs", "-o", &size, "tmpfs", &folder]);
        is_mounted.then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        succeeds(&["umount", "-l", &self.0]);
    }
}

/// Adds long messages until one is not acknowledged; returns those that were and the other response.
fn fill(node: &TestNode) -> (Vec<String>, Option<u16>) {
    let mut acknowledged = Vec::new();
    loop {
        let text = format!("{} {}", acknowledged.len(), "x".repeat(60_000));
        match post_message(node.address(), &text, None) {
            Ok(response) if response.status == 201 => {
                response.json::<PostedMessage>();
                acknowledged.push(text);
            }
            Ok(response) => return (acknowledged, Some(response.status)),
            Err(_) => return (acknowledged, None),
        }
        assert!(acknowledged.len() < 2000, "the disk is not small");
    }
}

#[track_caller]
fn skip_disk() {
    skip("full disks", "a tmpfs cannot be mounted (needs root)");
}

#[test]
#[expect(clippy::print_stderr, reason = "the counts are shown with --nocapture")]
fn a_full_disk_rejects_only_additions_until_there_is_space() {
    let mut node = TestNode::stopped();
    let Some(_disk) = SmallDisk::mount(&node, 32) else {
        return skip_disk();
    };
    let other = node.folder().join("other");
    fs::write(&other, vec![1; 8 << 20]).unwrap();
    node.start_again(&["--threads", "0", "--min-free", "8MiB"]);
    let (mut acknowledged, status) = fill(&node);
    assert_eq!(status, Some(503));
    let rejected = |node: &TestNode| {
        let health: Health = node.get("/health").expect(503).json();
        assert!(
            health.reasons[0].contains("are free on the disk"),
            "{health:?}"
        );
        let response = post_message(node.address(), "no", None).unwrap();
        response.expect_error(503, "unavailable");
        put_message(node.address(), "no").unwrap().expect(503);
        for target in ["/chain", "/data", "/neighbours", "/api/v1/status"] {
            node.get(target).expect(200);
        }
    };
    rejected(&node);
    // Another file takes all the space, down to the last byte, and is then deleted.
    let last = node.folder().join("last");
    let filled = fs::write(&last, vec![1; 64 << 20]);
    assert!(filled.is_err(), "there was space left");
    rejected(&node);
    fs::remove_file(&last).unwrap();
    rejected(&node);
    fs::remove_file(&other).unwrap();
    let begun = Instant::now();
    wait_for("space", || {
        let response = put_message(node.address(), "again").unwrap();
        (response.status == 200).then_some(())
    });
    let healed = begun.elapsed();
    node.get("/health").expect(200);
    eprintln!(
        "{} acknowledged, then 503; the first 200 {healed:.1?} after there was space",
        acknowledged.len()
    );
    acknowledged.push("again".to_owned());
    node.stop();
    assert_kept_on(&mut node, &acknowledged);
}

/// Compares the database with the acknowledged messages, without a check of free space.
#[track_caller]
fn assert_kept_on(node: &mut TestNode, acknowledged: &[String]) {
    node.start_again(&["--threads", "0", "--min-free", "0"]);
    assert_kept(node, acknowledged);
}

/// Creates a database with more than 20 MiB of free pages below pages that are in use.
fn make_hollow_database(folder: &Path) {
    let path = folder.join("node.redb");
    Store::create(&path, &Block::default_genesis(), OPEN_NETWORK).unwrap();
    let store = Store::open(&path, 0, Box::new(|_| {})).unwrap();
    let mut rng = SeededRng::new(1);
    let mut builder = ChainBuilder::new(&[Block::default_genesis()]);
    let text = "x".repeat(60_000);
    builder.mine(Message::new(rng.id(), text).unwrap(), ProofKind::Open);
    let long = builder.above(1).remove(0);
    for page in 0..20 {
        let at = |index| Block {
            index,
            ..long.clone()
        };
        let blocks = (20 * page..20 * (page + 1)).map(at).collect();
        store
            .write(|reply| Operation::Stage(1, blocks, reply))
            .unwrap();
        let message = Message::new(rng.id(), long.message.text().to_owned());
        let message = vec![(message.unwrap(), 1)];
        store
            .write(|reply| Operation::Restore(message, reply))
            .unwrap();
    }
    store
        .write(|reply| Operation::DropBranch(1, reply))
        .unwrap();
    store.close().unwrap();
}

#[test]
#[expect(clippy::print_stderr, reason = "the counts are shown with --nocapture")]
fn freed_pages_of_the_database_are_reused_on_a_nearly_full_disk() {
    const FREE: u64 = 6 << 20;
    let mut node = TestNode::stopped();
    let Some(_disk) = SmallDisk::mount(&node, 64) else {
        return skip_disk();
    };
    make_hollow_database(&node.folder());
    let folder = node.folder();
    let free = || {
        let disk = rustix::fs::statvfs(&folder).unwrap();
        disk.f_bavail * disk.f_frsize
    };
    let other = vec![1; usize::try_from(free() - FREE).unwrap()];
    fs::write(node.folder().join("other"), other).unwrap();
    node.start_again(&["--threads", "0", "--min-free", "8MiB"]);
    let (acknowledged, status) = fill(&node);
    let left = free();
    eprintln!(
        "{} acknowledged with {} KiB free, then 503 with {} KiB",
        acknowledged.len(),
        FREE >> 10,
        left >> 10
    );
    assert_eq!(status, Some(503));
    assert!(acknowledged.len() > 100, "the file was not reused");
    assert!(left > FREE / 2, "the disk was filled");
    node.stop();
    assert_kept_on(&mut node, &acknowledged);
}

#[test]
fn a_killed_node_can_be_verified_and_exported_on_a_read_only_disk() {
    let mut node = TestNode::stopped();
    let Some(disk) = SmallDisk::mount(&node, 32) else {
        return skip_disk();
    };
    node.start_again(&["--difficulty", "1", "--min-free", "1MiB"]);
    node.mine(&["one"]);
    node.kill();
    assert!(succeeds(&["mount", "-o", "remount,ro", &disk.0]));
    let of_folder =
        |command: &str| Blockchain::new([command, "--json", "--db"]).args([node.folder()]);
    of_folder("verify").succeeds().prints(&["\"valid\": true"]);
    of_folder("export").succeeds().prints(&["one"]);
}

#[test]
#[expect(clippy::print_stderr, reason = "the counts are shown with --nocapture")]
fn nothing_is_falsely_acknowledged_on_a_completely_full_disk() {
    let mut node = TestNode::stopped();
    let Some(_disk) = SmallDisk::mount(&node, 16) else {
        return skip_disk();
    };
    node.start_again(&["--threads", "0", "--min-free", "0"]);
    // Most of the space is taken by another file, which is deleted later.
    let other = node.folder().join("other");
    fs::write(&other, vec![1; 9 << 20]).unwrap();
    let (acknowledged, status) = fill(&node);
    assert!(status.is_none_or(|status| status >= 500), "{status:?}");
    let code = node.wait_for_exit().code();
    assert_eq!(code, Some(3), "{}", node.stderr());
    assert!(node.stderr().contains("error: "), "{}", node.stderr());
    assert!(!node.stderr().contains("panicked"), "{}", node.stderr());
    fs::remove_file(&other).unwrap();
    assert_kept_on(&mut node, &acknowledged);
    node.add("again");
    node.stop();
    eprintln!(
        "{} acknowledged, none lost; it ended with 3",
        acknowledged.len()
    );
}
