//! Networks of real processes.
//!
//! * this file: five nodes in a line, a ring and a star on loopback, one of which is restarted; the
//!   time until a block is on all of them
//! * `partition`: two halves that are separated and joined again
//! * [`differences`]: nodes of different networks
//! * [`warnings`]: histories that are replaced
//! * `closed`: a class and a stranger, each on its own machine

#[cfg(target_os = "linux")]
mod closed;
mod differences;
#[cfg(target_os = "linux")]
mod partition;
mod warnings;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use blockchain::wire::{BlockPage, MessageStatus};

use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// A topology: for each node, its configured neighbours and its maximum number of neighbours.
type Shape = [(&'static [usize], usize); 5];

const LINE: Shape = [(&[], 1), (&[0], 2), (&[1], 2), (&[2], 2), (&[3], 1)];
const RING: Shape = [(&[], 2), (&[0], 2), (&[1], 2), (&[2], 2), (&[3, 0], 2)];
const STAR: Shape = [(&[], 4), (&[0], 1), (&[0], 1), (&[0], 1), (&[0], 1)];

/// Starts the nodes of a shape; `threads` mine on each.
fn start(shape: &Shape, threads: [&str; 5]) -> Vec<(TestNode, Vec<String>)> {
    let mut nodes: Vec<(TestNode, Vec<String>)> = Vec::new();
    for (number, (known, most)) in shape.iter().enumerate() {
        let address = |other: &usize| nodes[*other].0.address().to_string();
        let known: Vec<_> = known.iter().map(address).collect();
        let options: Vec<_> = [
            "--difficulty",
            "2",
            "--threads",
            threads[number],
            "--max-neighbours",
            &most.to_string(),
            "--neighbours",
            &known.join(","),
        ]
        .map(str::to_owned)
        .into();
        let node = TestNode::start(&options.iter().map(String::as_str).collect::<Vec<_>>());
        nodes.push((node, options));
    }
    wait_for("the nodes to know each other", || {
        nodes
            .iter()
            .all(|(node, _)| node.status().sync.answering > 0)
            .then_some(())
    });
    nodes
}

/// Waits until all nodes have the same tip and no pending messages.
fn wait_for_one_tip(nodes: &[(TestNode, Vec<String>)]) {
    wait_for("one tip", || {
        let states: Vec<_> = nodes.iter().map(|(node, _)| node.status()).collect();
        let is_one = states
            .iter()
            .all(|state| state.tip.hash == states[0].tip.hash && state.mempool.count == 0);
        is_one.then_some(())
    });
}

/// Asserts that every text is in exactly one block of each node.
fn assert_each_once(nodes: &[(TestNode, Vec<String>)], texts: &[String]) {
    for (node, _) in nodes {
        let page: BlockPage = node.json("/blocks?limit=1000");
        let mut found = BTreeMap::new();
        for block in &page.blocks[1..] {
            *found.entry(block.data.message.clone()).or_insert(0) += 1;
        }
        let expected: BTreeMap<_, _> = texts.iter().map(|text| (text.clone(), 1)).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn five_nodes_agree_in_every_topology() {
    for shape in [&LINE, &RING, &STAR] {
        let mut nodes = start(shape, ["1"; 5]);
        let mut texts = Vec::new();
        let mut say = |nodes: &[(TestNode, Vec<String>)], from: &[usize]| {
            for number in from {
                texts.push(format!("{} from {number}", texts.len()));
                nodes[*number].0.add(&texts[texts.len() - 1]);
            }
        };
        say(&nodes, &[0, 1, 2, 3, 4, 0, 2, 4]);
        nodes[2].0.stop();
        say(&nodes, &[0, 1, 3, 4, 0, 4]);
        let (node, options) = &mut nodes[2];
        // The restarted node has another port, so its neighbours have to learn its address again.
        node.start_again(&options.iter().map(String::as_str).collect::<Vec<_>>());
        say(&nodes, &[2, 0, 4]);
        wait_for_one_tip_of_reachable(&mut nodes, shape);
        assert_each_once(&nodes, &texts);
    }
}

/// Restarts, in a line and a ring, the nodes that know only the old address of the restarted node,
/// with the new one.
fn wait_for_one_tip_of_reachable(nodes: &mut [(TestNode, Vec<String>)], shape: &Shape) {
    for number in 3..nodes.len() {
        let known = shape[number].0.iter();
        let known: Vec<_> = known
            .map(|other| nodes[*other].0.address().to_string())
            .collect();
        let (node, options) = &mut nodes[number];
        let last = options.len() - 1;
        if options[last] != known.join(",") {
            options[last] = known.join(",");
            node.stop();
            node.start_again(&options.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
    wait_for_one_tip(nodes);
}

#[test]
#[expect(clippy::print_stderr, reason = "the figure is for whoever runs this")]
fn a_mined_block_is_everywhere_within_moments() {
    let nodes = start(&RING, ["1", "0", "0", "0", "0"]);
    let mut times = Vec::new();
    for round in 0..20 {
        let before = nodes[0].0.status().length;
        nodes[0].0.add(&format!("round {round}"));
        wait_for("the block", || {
            (nodes[0].0.status().length > before).then_some(())
        });
        let mined = Instant::now();
        wait_for("the block everywhere", || {
            nodes
                .iter()
                .all(|(node, _)| node.status().length > before)
                .then_some(())
        });
        times.push(mined.elapsed());
    }
    times.sort();
    let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
    eprintln!(
        "from a mined block to the last of 5 nodes: median {median:.1?}, longest {longest:.1?}"
    );
    assert!(median < Duration::from_millis(500), "{times:?}");
}

#[test]
fn a_message_is_mined_by_the_node_that_accepted_it_or_later_by_another() {
    let miner = TestNode::start(&["--difficulty", "1"]);
    let known = miner.address().to_string();
    let other = TestNode::start(&[
        "--difficulty",
        "1",
        "--threads",
        "0",
        "--neighbours",
        &known,
    ]);
    wait_for("the nodes to know each other", || {
        let know = |node: &TestNode| node.status().sync.answering > 0;
        (know(&miner) && know(&other)).then_some(())
    });
    other.add("from one that does not mine");
    wait_for("the message", || {
        (miner.status().mempool.count == 1).then_some(())
    });
    // Time in which the miner would mine a message of its own; a learned one waits for a second.
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(
        miner.status().length,
        1,
        "mined at once, as its own node would"
    );
    miner.add("its own");
    wait_for("its own block", || {
        (miner.status().length == 2).then_some(())
    });
    wait_for("the other block", || {
        (other.status().length == 3).then_some(())
    });
    let page: BlockPage = other.json("/blocks");
    assert_eq!(page.blocks[1].data.message, "its own");
}

/// Ends the load of a test, however the test ends.
struct EndOfLoad<'a>(&'a AtomicBool);

impl Drop for EndOfLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn steady_local_load_does_not_starve_messages_of_a_node_that_does_not_mine() {
    let miner = TestNode::start(&["--difficulty", "3"]);
    let known = miner.address().to_string();
    let other = TestNode::start(&[
        "--difficulty",
        "3",
        "--threads",
        "0",
        "--neighbours",
        &known,
        "--data-interval",
        "200ms",
    ]);
    let find = |id: &str| {
        let found = miner.get(&format!("/api/v1/messages/{id}"));
        (found.status == 200).then(|| found.json::<MessageStatus>())
    };
    let index = |id: &str| Some(find(id)?.block?.index);
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = EndOfLoad(&is_over);
        // Some local messages are pending at every moment, so that each learned message is
        // considered soon after it has arrived.
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                if miner.status().mempool.count < 10 {
                    (0..5).for_each(|number| _ = miner.add(&format!("local {number}")));
                }
            }
        });
        wait_for("the load", || (miner.status().length > 5).then_some(()));
        let add = |number| other.add(&format!("learned {number}"));
        let learned: Vec<_> = (0..5).map(add).collect();
        wait_for("all of them to be learned", || {
            learned.iter().all(|id| find(id).is_some()).then_some(())
        });
        // Learned messages take precedence over those that arrive two seconds later.
        std::thread::sleep(Duration::from_secs(2));
        let later = miner.add("two seconds later");
        let later = wait_for("the later message", || index(&later));
        for id in &learned {
            let block = index(id);
            let is_before = block.is_some_and(|block| block < later);
            assert!(is_before, "{block:?}, the later message in {later}");
        }
    });
}
