//! A clock that is set back and forth while the node runs, with `libfaketime`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use blockchain::wire::{BlockPage, Neighbour, Neighbours};

use crate::support::http::{percent_encode, request};
use crate::support::skip::skip;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// Paths of the library in common distributions.
const PLACES: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

/// The offset of a node's clock from the system clock, kept in a file.
struct Offset(PathBuf);

impl Offset {
    /// Gives a stopped node its own clock, or records a skip if the library is missing.
    fn of(node: &mut TestNode) -> Option<Self> {
        let Some(library) = PLACES.iter().find(|place| Path::new(place).exists()) else {
            skip(
                "changed clocks",
                "libfaketime is not installed (apt-get install faketime)",
            );
            return None;
        };
        let offset = Self(node.sibling("offset"));
        offset.set("+0");
        node.wrapper = vec![
            "env".to_owned(),
            format!("LD_PRELOAD={library}"),
            format!("FAKETIME_TIMESTAMP_FILE={}", offset.0.display()),
            "FAKETIME_NO_CACHE=1".to_owned(),
            "DONT_FAKE_MONOTONIC=1".to_owned(),
        ];
        Some(offset)
    }

    fn set(&self, text: &str) {
        // The file is replaced atomically, so that the library never reads half of it.
        let next = self.0.with_extension("next");
        fs::write(&next, format!("{text}\n")).unwrap();
        fs::rename(next, &self.0).unwrap();
    }
}

fn seconds_now() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

/// The times of all blocks but the first.
fn times(node: &TestNode) -> Vec<f64> {
    let page: BlockPage = node.json("/blocks?limit=1000");
    page.blocks[1..]
        .iter()
        .map(|block| block.timestamp.as_f64().unwrap())
        .collect()
}

fn agree(nodes: [&TestNode; 2]) {
    wait_for("one tip", || {
        let states = nodes.map(TestNode::status);
        let is_one = states[0].tip.hash == states[1].tip.hash;
        (is_one && states.iter().all(|state| state.mempool.count == 0)).then_some(())
    });
}

/// Adds messages as a remote client, and returns the number that were accepted.
fn taken(node: &TestNode, asked: usize) -> usize {
    let forwarded = [("X-Forwarded-For", "192.0.2.1")];
    let add = |number| {
        let target = format!("/add?message={}", percent_encode(&format!("rate {number}")));
        request(node.address(), "PUT", &target, &forwarded, &[]).unwrap()
    };
    let responses = (0..asked).map(add);
    responses.filter(|response| response.status == 200).count()
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "the figures are shown with --nocapture"
)]
fn clock_jumps_break_neither_chain_nor_intervals() {
    let mut node = TestNode::stopped();
    let Some(offset) = Offset::of(&mut node) else {
        return;
    };
    let steady = TestNode::start(&["--difficulty", "1"]);
    let known = steady.address().to_string();
    let options = [
        "--difficulty",
        "1",
        "--neighbours",
        &known,
        "--add-rate",
        "5",
    ];
    node.start_again(&[&options[..], &["--chain-interval", "300ms"]].concat());
    let mut steps = Vec::new();
    for (jump, ahead) in [
        ("+0", 0.0),
        ("-3600", -3600.0),
        ("+3600", 3600.0),
        ("-31536000", -31_536_000.0),
        ("+0", 0.0),
    ] {
        offset.set(jump);
        let begun = Instant::now();
        let before = seconds_now();
        node.mine(&[&format!("the clock at {jump}")]);
        let last = *times(&node).last().unwrap();
        let earlier = times(&node).into_iter().rev().nth(1).unwrap_or(0.0);
        // The time of a block is that of the clock, or the next one after its predecessor's.
        let is_clock = (last - before - ahead).abs() < 20.0;
        assert!(
            is_clock || last.to_bits() == earlier.next_up().to_bits(),
            "{jump}: {last} after {earlier}"
        );
        let text = format!("of the other, the clock at {jump}");
        steady.add(&text);
        // A node whose clock is a year behind must not follow the blocks yet, nor hold off the
        // other node.
        if ahead > -10_000.0 {
            agree([&steady, &node]);
        }
        assert!(taken(&node, 8) < 8, "the rate is not kept");
        // The rate limit allows more after a second of real time.
        std::thread::sleep(Duration::from_millis(1100));
        assert!(taken(&node, 1) == 1, "the rate limit stopped refilling");
        steps.push(begun.elapsed());
    }
    agree([&steady, &node]);
    for node in [&steady, &node] {
        let times = times(node);
        assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
        let latest = times.last().unwrap() - seconds_now();
        assert!(latest < 3700.0, "{latest} s in the future");
    }
    let length = node.status().length;
    node.stop();
    eprintln!(
        "{length} blocks over {} jumps; steps {steps:.1?}",
        steps.len()
    );
}

/// The only neighbour of a node.
fn neighbour(node: &TestNode) -> Option<Neighbour> {
    let list: Neighbours = node.json("/neighbours");
    list.neighbours.into_iter().next()
}

/// Waits for a warning of a node that has these texts.
fn warns(node: &TestNode, texts: &[&str]) {
    wait_for(texts[0], || {
        let warnings = node.status().warnings.into_iter();
        let has_all = |warning: &String| texts.iter().all(|text| warning.contains(text));
        warnings.clone().find(has_all)
    });
}

#[test]
fn a_clock_three_hours_ahead_is_reported_by_both_nodes_without_penalty() {
    let mut fast = TestNode::stopped();
    let Some(offset) = Offset::of(&mut fast) else {
        return;
    };
    offset.set("+10800");
    let quick = ["--difficulty", "1", "--chain-interval", "300ms"];
    fast.start_again(&quick);
    let known = fast.address().to_string();
    // The node does not mine, because it would mine the same message.
    let known_to = ["--threads", "0", "--neighbours", &known];
    let steady = TestNode::start(&[&quick[..], &known_to].concat());
    fast.mine(&["from the future"]);

    warns(&steady, &[&known, "block 1 is dated", "held back", "NTP"]);
    warns(&steady, &["clock is", "behind its neighbours'", "NTP"]);
    warns(&fast, &["clock is", "ahead of its neighbours'", "NTP"]);
    let listed = neighbour(&steady).unwrap();
    assert_eq!((listed.failures, &listed.refused), (0, &None));
    assert!(listed.held_back.unwrap().contains("block 1 is dated"));
    let ahead = listed.clock_offset.unwrap();
    assert!((10_000.0..10_801.0).contains(&ahead), "{ahead}");
    assert!(neighbour(&fast).unwrap().clock_offset.unwrap() < -10_000.0);
    for node in [&steady, &fast] {
        node.get("/health").expect(200);
    }
    let table = steady.command(["get", "neighbours"]).succeeds().stdout;
    assert!(
        table.contains(" ahead") && table.contains("held back"),
        "{table}"
    );
    wait_for("the log", || {
        let (steady, fast) = (steady.stderr(), fast.stderr());
        let said = steady.matches("is held back").count();
        (said == 1 && fast.matches("ahead of its neighbours'").count() == 1).then_some(())
    });

    // Once its clock is right, the timestamp of its own tip is in the future.
    offset.set("+0");
    warns(&fast, &["the tip, block 1, is dated", "NTP"]);
    let metrics = fast.get("/metrics").expect(200).text().to_owned();
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap().trim().parse().unwrap()
    };
    assert!(value("blockchain_tip_ahead_seconds ") > 10_000.0);
    assert!(value("blockchain_tip_age_seconds ") < 600.0);
    fast.get("/health").expect(200);
}
