//! A node with bad neighbours and one good one. Whatever the bad ones do, the good one's blocks arrive
//! in time, the chain stays unchanged, and memory stays bounded.
//!
//! * [`responses`]: invalid responses: endless, slow, truncated, of other shapes
//! * [`chains`]: chains that must not be followed
//! * [`claims`]: false lengths, tips and node ids
//! * [`messages`]: pending messages
//! * [`announcements`]: false and excessive announcements
//! * [`closed`]: a node that is closed to strangers
//! * [`neighbours`]: the neighbours that peers name
//! * `per_address`: limits shared by all peers of one remote address
//! * [`reference`]: fake reference miners

mod announcements;
mod chains;
mod claims;
mod closed;
mod messages;
mod neighbours;
#[cfg(target_os = "linux")]
mod per_address;
mod reference;
mod responses;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use blockchain::chain::{Block, Message};
use blockchain::codec;
use blockchain::wire::{Neighbour, Neighbours};

use crate::support::chain::{ChainBuilder, ProofKind};
use crate::support::fake_nodes::FakeNode;
use crate::support::fake_peer::{FakePeer, ReceivedRequest, Reply};
use crate::support::random::SeededRng;
use crate::support::test_node::TestNode;

/// Part of every text that a bad peer sends; it must never be visible.
const MARKER: &str = "poison";

/// Greatest number that the JSON of the API accepts.
const MAX_JSON_INTEGER: u64 = i64::MAX.unsigned_abs();

/// Maximum time until a good neighbour's block arrives.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum memory growth caused by a bad peer, in bytes.
const MAX_MEMORY_GROWTH: u64 = 64 * 1024 * 1024;

const SHORT_INTERVALS: [&str; 10] = [
    "--difficulty",
    "1",
    "--threads",
    "0",
    "--chain-interval",
    "200ms",
    "--data-interval",
    "200ms",
    "--gossip-interval",
    "500ms",
];

/// A node with a good neighbour and bad ones.
struct Scene {
    node: TestNode,
    good: TestNode,
    /// Addresses of the bad neighbours.
    bad: Vec<String>,
    _peers: Vec<FakePeer>,
    /// Memory in use by a node like this one that has no bad neighbour.
    memory: Option<u64>,
}

/// A node with one block. It looks for no neighbours, and tells those that ask it what is new.
fn good_node(options: &[&str]) -> TestNode {
    let options = [&["--difficulty", "1", "--max-neighbours", "0"], options].concat();
    let good = TestNode::start(&options);
    good.mine(&["the first message"]);
    good
}

impl Scene {
    /// A node that has synchronised with its good neighbour.
    fn with_bad_peer(bad: &FakePeer) -> Self {
        Self::with_bad_peers(std::slice::from_ref(bad))
    }

    /// The same with more than one bad neighbour.
    fn with_bad_peers(bad: &[FakePeer]) -> Self {
        Self::with(good_node(&[]), bad, &[])
    }

    fn with(good: TestNode, bad: &[FakePeer], options: &[&str]) -> Self {
        let peers = bad.to_vec();
        let bad: Vec<_> = bad.iter().map(|bad| bad.address().to_string()).collect();
        let neighbours = format!("{},{}", bad.join(","), good.address());
        let most = (bad.len() + 2).to_string();
        let room = ["--max-neighbours", &most, "--neighbours", &neighbours];
        let options = [&SHORT_INTERVALS[..], &room, options].concat();
        let node = TestNode::start(&options);
        let scene = Self {
            memory: good.resident(),
            node,
            good,
            bad,
            _peers: peers,
        };
        scene.wait_for_same_tip();
        scene
    }

    /// Returns the entry of a bad neighbour in the node's list.
    fn listed(&self, which: usize) -> Neighbour {
        listed(&self.node, &self.bad[which]).unwrap()
    }

    /// Waits until each bad neighbour is held off, for a reason in these words.
    #[track_caller]
    fn wait_until_held_off(&self, reason: &str) {
        for which in 0..self.bad.len() {
            self.wait_until_rejected(which, reason, |listed| listed.failures > 0);
        }
    }

    /// Waits until the node reports this about a bad neighbour that it does not hold off.
    #[track_caller]
    fn wait_until_rejected_without_failure(&self, reason: &str) {
        self.wait_until_rejected(0, reason, |listed| listed.failures == 0);
    }

    #[track_caller]
    fn wait_until_rejected(&self, which: usize, reason: &str, is_so: impl Fn(&Neighbour) -> bool) {
        let deadline = Instant::now() + 3 * BLOCK_TIMEOUT;
        loop {
            let listed = self.listed(which);
            let rejected = listed.refused.as_ref();
            if rejected.is_some_and(|why| why.contains(reason)) && is_so(&listed) {
                return;
            }
            let log = || self.node.stderr();
            assert!(
                Instant::now() < deadline,
                "{reason:?}: {listed:?}\n{}",
                log()
            );
            // A poll interval.
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[track_caller]
    fn wait_for_same_tip(&self) {
        let begin = Instant::now();
        while self.node.status().tip.hash != self.good.status().tip.hash {
            let listed = self.node.get("/api/v1/neighbours");
            assert!(
                begin.elapsed() < BLOCK_TIMEOUT,
                "{}\n{}",
                self.node.stderr(),
                listed.text()
            );
            // A poll interval.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asserts that the node follows its good neighbour, uses no more memory and has forwarded
    /// nothing.
    #[track_caller]
    fn assert_unharmed(&self) {
        self.good.mine(&["another message"]);
        self.wait_for_same_tip();
        assert_eq!(self.node.status().reorgs, 0);
        self.assert_not_poisoned();
    }

    /// Asserts that nothing of the bad neighbour is shown or kept in memory.
    #[track_caller]
    fn assert_not_poisoned(&self) {
        for path in [
            "/chain",
            "/data",
            "/neighbours",
            "/api/v1/status",
            "/api/v1/neighbours",
            "/api/v1/mempool",
            "/api/v1/reorgs",
        ] {
            let response = self.node.get(path).expect(200);
            assert!(
                !response.text().contains(MARKER),
                "{path}: {}",
                response.text()
            );
        }
        let log = self.node.stderr();
        assert!(!log.contains(MARKER) && !log.contains("panicked"), "{log}");
        assert!(log.len() < 64 * 1024, "{log}");
        if let (Some(before), Some(now)) = (self.memory, self.node.resident()) {
            assert!(
                now < before + MAX_MEMORY_GROWTH,
                "{before} bytes before, {now} now"
            );
        }
    }
}

/// Returns the entry of a neighbour in a node's list.
fn listed(node: &TestNode, address: &str) -> Option<Neighbour> {
    let known: Neighbours = node.json("/neighbours");
    known
        .neighbours
        .into_iter()
        .find(|one| one.address == address)
}

/// Returns all blocks of a node.
fn blocks_of(node: &TestNode) -> Vec<Block> {
    let accept = [("Accept", codec::FRAMES)];
    let target = "/api/v1/blocks?limit=1000";
    let frames = node.request("GET", target, &accept, &[]).expect(200);
    codec::read_frames(&frames.body).unwrap()
}

/// Returns the chain that all nodes begin with.
pub(crate) fn genesis() -> [Block; 1] {
    [Block::default_genesis()]
}

/// Starts a peer with these blocks and no pending messages.
fn fake_peer(blocks: &[Block]) -> FakePeer {
    let ours = FakeNode::new(blocks);
    FakePeer::start(move |request| ours.response(request))
}

/// Starts a peer whose content can be exchanged.
fn switchable_peer(first: FakeNode) -> (FakePeer, impl Fn(FakeNode)) {
    let id = first.status["node_id"].clone();
    let now = Arc::new(Mutex::new(first));
    let answering = Arc::clone(&now);
    let peer = FakePeer::start(move |request| {
        let now = answering.lock().unwrap().clone();
        now.response(request)
    });
    (peer, move |next| {
        *now.lock().unwrap() = next.with("/node_id", id.clone());
    })
}

/// A chain above the blocks given.
pub(crate) fn chain_above(below: &[Block], count: usize, kind: ProofKind) -> ChainBuilder {
    let mut builder = ChainBuilder::new(below);
    let mut rng = SeededRng::new(0xbad);
    for _ in 0..count {
        builder.mine(poison(&mut rng), kind);
    }
    builder
}

/// A message that no good node sends.
fn poison(rng: &mut SeededRng) -> Message {
    let id = rng.id();
    Message::new(id, format!("{MARKER} {id}")).unwrap()
}

/// Starts a peer that answers one path differently, and the others as `ours` does.
fn peer_with_override(
    ours: FakeNode,
    path: &'static str,
    reply: impl Fn(&ReceivedRequest) -> Reply + Send + Sync + 'static,
) -> FakePeer {
    FakePeer::start(move |request| {
        if request.path() == path {
            reply(request)
        } else {
            ours.response(request)
        }
    })
}

/// Sends a node an announcement in the name of `address`.
fn announce(node: &TestNode, address: &str, tip: &str, length: u64, mempool_seq: u64) {
    let body = serde_json::json!({
        "protocol": 1, "address": address, "tip": tip, "length": length,
        "mempool_seq": mempool_seq,
    });
    let body = body.to_string();
    node.request("POST", "/api/v1/announce", &[], body.as_bytes())
        .expect(204);
}
