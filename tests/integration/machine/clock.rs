//! A clock that is set back and forth while the node runs, by libfaketime.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use blockchain::wire::BlockPage;

use crate::support::http::{percent_encode, request};
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// Where distributions put the library.
const PLACES: &[&str] = &[
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
];

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

/// How many of so many additions of another machine are taken.
fn taken(node: &TestNode, asked: usize) -> usize {
    let forwarded = [("X-Forwarded-For", "192.0.2.1")];
    let add = |number| {
        let target = format!("/add?message={}", percent_encode(&format!("rate {number}")));
        request(node.address(), "PUT", &target, &forwarded, &[]).unwrap()
    };
    let answers = (0..asked).map(add);
    answers.filter(|answer| answer.status == 200).count()
}

#[test]
#[expect(clippy::print_stderr, reason = "the figures are for whoever runs this")]
fn a_clock_that_jumps_breaks_neither_chain_nor_intervals() {
    let Some(library) = PLACES.iter().find(|place| Path::new(place).exists()) else {
        eprintln!("skipped: there is no libfaketime (apt-get install faketime)");
        return;
    };
    let steady = TestNode::start(&["--difficulty", "1"]);
    let mut node = TestNode::stopped();
    let offset = node.beside("offset");
    let set = |text: &str| {
        // In one step, so that no half of it is read.
        let next = offset.with_extension("next");
        fs::write(&next, format!("{text}\n")).unwrap();
        fs::rename(next, &offset).unwrap();
    };
    set("+0");
    node.wrapper = vec![
        "env".to_owned(),
        format!("LD_PRELOAD={library}"),
        format!("FAKETIME_TIMESTAMP_FILE={}", offset.display()),
        "FAKETIME_NO_CACHE=1".to_owned(),
        "DONT_FAKE_MONOTONIC=1".to_owned(),
    ];
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
        set(jump);
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
        // A clock a year behind must not follow the other's blocks yet, nor hold it against it.
        if ahead > -10_000.0 {
            agree([&steady, &node]);
        }
        assert!(taken(&node, 8) < 8, "the rate is not kept");
        std::thread::sleep(Duration::from_millis(1100));
        assert!(taken(&node, 1) == 1, "the rate does not go on");
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
