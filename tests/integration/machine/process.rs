//! A process that is halted for a while, and one with too few file handles.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use blockchain::wire::BlockPage;

use crate::support::command::signal;
use crate::support::environment::variable;
use crate::support::http::{connect, request};
use crate::support::test_node::TestNode;
use crate::support::{allow_many_files, wait_for};

/// Maximum response time of the other nodes while one is halted.
const SOON: Duration = Duration::from_secs(2);

/// Maximum time until all nodes agree again.
const HEALED: Duration = Duration::from_secs(20);

#[test]
#[expect(
    clippy::print_stderr,
    reason = "the figures are shown with --nocapture"
)]
fn a_halted_node_catches_up_and_delays_no_other() {
    let seconds = variable("BLOCKCHAIN_FREEZE_SECONDS").unwrap_or(3);
    let common = [
        "--difficulty",
        "2",
        "--chain-interval",
        "1s",
        "--neighbours",
    ];
    let first = TestNode::start(&common[..4]);
    let known = first.address().to_string();
    let second = TestNode::start(&[&common[..], &[&known]].concat());
    let known = format!("{known},{}", second.address());
    let frozen = TestNode::start(&[&common[..], &[&known]].concat());
    let nodes = [&first, &second, &frozen];
    wait_for("the nodes to know each other", || {
        let know = |node: &TestNode| node.status().sync.answering > 1;
        nodes.into_iter().all(know).then_some(())
    });
    let mut texts = Vec::new();
    let mut add = |node: &TestNode| {
        texts.push(format!("message {}", texts.len()));
        node.add(&texts[texts.len() - 1]);
    };
    for node in nodes {
        add(node);
    }
    signal("STOP", frozen.process());
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    while begun.elapsed() < Duration::from_secs(seconds) {
        for node in [&first, &second] {
            let asked = Instant::now();
            add(node);
            node.get("/api/v1/status").expect(200);
            slowest = slowest.max(asked.elapsed());
        }
        // The interval between messages.
        thread::sleep(Duration::from_millis(50));
    }
    let process = frozen.process();
    signal("CONT", process);
    let woken = Instant::now();
    add(&frozen);
    wait_for("one tip", || {
        let states = nodes.map(TestNode::status);
        let is_one = |state: &blockchain::wire::Status| {
            state.tip.hash == states[0].tip.hash && state.mempool.count == 0
        };
        states.iter().all(is_one).then_some(())
    });
    let healed = woken.elapsed();
    for node in nodes {
        let mut found = BTreeMap::new();
        let mut from = Some(1);
        while let Some(index) = from {
            let page: BlockPage = node.json(&format!("/blocks?limit=1000&from={index}"));
            for block in page.blocks {
                *found.entry(block.data.message).or_insert(0) += 1;
            }
            from = page.next;
        }
        let expected: BTreeMap<_, _> = texts.iter().map(|text| (text.clone(), 1)).collect();
        assert_eq!(found, expected);
    }
    eprintln!(
        "halted for {seconds} s; one tip {healed:.1?} after it resumed; {} messages, each in one \
         block; slowest addition and status of the others {slowest:.1?}",
        texts.len()
    );
    assert!(slowest < SOON, "{slowest:?}");
    assert!(healed < HEALED, "{healed:?}");
}

/// Returns `true` if the other side has closed the connection.
fn is_closed(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let mut stream = stream;
    match stream.read(&mut [0; 16]) {
        Ok(read) => read == 0,
        Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
    }
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "the figures are shown with --nocapture"
)]
fn a_node_with_64_file_handles_survives_a_thousand_connections() {
    const HANDLES: u64 = 64;
    const CONNECTIONS: usize = 1000;
    allow_many_files();
    let mut node = TestNode::stopped();
    let limited = format!("ulimit -n {HANDLES} && exec \"$@\"");
    node.wrapper = ["sh", "-c", &limited, "sh"].map(str::to_owned).into();
    node.start_again(&["--difficulty", "1", "--backup-interval", "500ms"]);
    let before = node.processor_seconds();
    let begun = Instant::now();
    let mut slowest = Duration::ZERO;
    let mut idle = Vec::new();
    for number in 0..CONNECTIONS {
        idle.push(connect(node.address()).unwrap());
        if number % 50 == 49 {
            let asked = Instant::now();
            node.add(&format!("beside {number} connections"));
            node.get("/health").expect(200);
            slowest = slowest.max(asked.elapsed());
        }
    }
    // The node must not spin while all connections are open; the time is the measured interval.
    let settled = node.processor_seconds();
    thread::sleep(Duration::from_secs(2));
    let idling = node
        .processor_seconds()
        .zip(settled)
        .map_or(0.0, |(after, before)| after - before);
    assert!(idling < 0.5, "{idling} s of processor time in 2 s");
    let open = idle.iter().filter(|stream| !is_closed(stream)).count();
    assert!(open < usize::try_from(HANDLES).unwrap(), "{open} are open");
    drop(idle);
    let asked = Instant::now();
    node.mine(&["when they are gone"]);
    request(node.address(), "GET", "/chain", &[], &[])
        .unwrap()
        .expect(200);
    let after = asked.elapsed();
    wait_for("the chain file", || {
        node.folder().join("node.chain").exists().then_some(())
    });
    let stderr = node.stop();
    assert!(!stderr.contains("panicked"), "{stderr}");
    let warnings = stderr.matches("cannot accept connections").count();
    assert!(warnings < 10, "{stderr}");
    node.wrapper.clear();
    node.start_again(&["--threads", "0"]);
    assert_eq!(node.status().length, 2 + CONNECTIONS as u64 / 50);
    eprintln!(
        "{CONNECTIONS} connections on {HANDLES} handles: {open} open at the end, slowest addition \
         and /health {slowest:.1?}, {idling:.2} s of processor time in 2 s, {after:.1?} when they \
         were gone, {warnings} warnings; {:.1?} and {:.2?} s of processor time in all",
        begun.elapsed(),
        settled.zip(before).map(|(after, before)| after - before)
    );
    assert!(slowest < SOON && after < SOON, "{slowest:?} {after:?}");
}
