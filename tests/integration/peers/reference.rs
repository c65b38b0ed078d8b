//! Fake reference miners: the requests to them, and the chains and messages that are accepted or
//! rejected.
//!
//! * [`followed`]: chains and messages that are taken

mod followed;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{MARKER, SHORT_INTERVALS, chain_above, genesis, listed};
use crate::support::chain::{ProofKind, with_text};
use crate::support::fake_nodes::{FakeReferenceMiner, chain_text};
use crate::support::fake_peer::{FakePeer, Step, head, response};
use crate::support::random::SeededRng;
use crate::support::test_node::TestNode;
use crate::support::wait_for;
use blockchain::chain::{Block, BlockHash};
use blockchain::wire::{Neighbour, PeerKind};

/// A fake reference miner that can change, and a node that shares its network.
struct Pair {
    miner: FakePeer,
    now: Arc<Mutex<FakeReferenceMiner>>,
    node: TestNode,
}

impl Pair {
    fn start(first: FakeReferenceMiner) -> Self {
        Self::with(first, &[])
    }

    fn with(first: FakeReferenceMiner, options: &[&str]) -> Self {
        let now = Arc::new(Mutex::new(first));
        let answering = Arc::clone(&now);
        let miner = FakePeer::start(move |request| {
            let now = answering.lock().unwrap().clone();
            now.response(request)
        });
        let address = miner.address().to_string();
        let options = [
            &SHORT_INTERVALS[..],
            &["--accept-open", "--neighbours", &address],
            options,
        ]
        .concat();
        Self {
            node: TestNode::start(&options),
            miner,
            now,
        }
    }

    fn turn(&self, next: FakeReferenceMiner) {
        *self.now.lock().unwrap() = next;
    }

    fn listed(&self) -> Neighbour {
        listed(&self.node, &self.miner.address().to_string()).unwrap()
    }

    /// Waits until the node has this chain.
    #[track_caller]
    fn follows(&self, blocks: &[Block]) {
        let wanted = BlockHash::of(blocks.last().unwrap()).to_string();
        let deadline = std::time::Instant::now() + super::BLOCK_TIMEOUT;
        while self.node.status().tip.hash != wanted {
            let log = || self.node.stderr();
            assert!(
                std::time::Instant::now() < deadline,
                "{:?}\n{}",
                self.listed(),
                log()
            );
            // A poll interval.
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until the miner is held off for this reason.
    #[track_caller]
    fn rejects(&self, reason: &str) {
        wait_for(reason, || {
            let listed = self.listed();
            let why = listed.refused.as_ref()?;
            why.contains(reason).then_some(())
        });
    }

    /// Waits for as many more responses of this kind.
    #[track_caller]
    fn rounds(&self, method: &str, path: &str, count: usize) {
        let before = self.miner.count(method, path);
        wait_for("some rounds", || {
            (self.miner.count(method, path) >= before + count).then_some(())
        });
    }
}

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/chains");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn a_reference_miner_gets_only_documented_requests_and_its_chain_is_fetched_only_on_change() {
    let blocks = chain_above(&genesis(), 3, ProofKind::Open).blocks;
    let pair = Pair::start(FakeReferenceMiner::new(&blocks));
    pair.follows(&blocks);
    pair.rounds("HEAD", "/chain", 5);
    pair.rounds("GET", "/data", 3);
    pair.rounds("GET", "/neighbours", 2);
    let requests = pair.miner.requests();
    assert_eq!(requests[0].target, "/api/v1/status");
    for request in &requests[1..] {
        let line = (&*request.method, &*request.target);
        let documented = [
            ("HEAD", "/chain"),
            ("GET", "/chain"),
            ("GET", "/data"),
            ("GET", "/neighbours"),
        ];
        assert!(documented.contains(&line), "{request:?}");
        assert!(request.body.is_empty(), "{request:?}");
    }
    let first = requests
        .iter()
        .find(|request| request.target == "/chain")
        .unwrap();
    assert_eq!(first.method, "HEAD");
    assert_eq!(pair.miner.count("GET", "/chain"), 1);
    // This node announces nothing to a reference miner.
    pair.node.add("waits here");
    pair.rounds("HEAD", "/chain", 2);
    assert_eq!(pair.miner.count("POST", "/api/v1/announce"), 0);
    let listed = pair.listed();
    assert_eq!((listed.kind, listed.failures), (PeerKind::Reference, 0));
    assert_eq!(listed.tip.unwrap().index, 3);
    // One block more.
    let blocks = chain_above(&blocks, 1, ProofKind::Open).blocks;
    pair.turn(FakeReferenceMiner::new(&blocks));
    pair.follows(&blocks);
    assert_eq!(pair.miner.count("GET", "/chain"), 2);
}

#[test]
fn chains_that_are_invalid_are_rejected() {
    let good = chain_above(&genesis(), 2, ProofKind::Open).blocks;
    let longer = chain_above(&good, 3, ProofKind::Open).blocks;
    // A miner that adopted a chain while it mined: the parent of its next block is its old tip.
    let mut old_tip = chain_above(&good, 1, ProofKind::Open).blocks;
    let mut stray = chain_above(&genesis(), 3, ProofKind::Open).blocks.remove(3);
    stray.link.as_mut().unwrap().previous_hash = BlockHash::of(&genesis()[0]);
    old_tip[3] = stray;
    let mut changed = longer.clone();
    changed[3] = with_text(&changed[3], "changed");
    let sealed = {
        let mut sealed = chain_above(&good, 2, ProofKind::Sealed).blocks;
        let last = sealed.len() - 1;
        sealed[last] = with_text(&sealed[last], "changed");
        sealed
    };
    let text = chain_text(&longer);
    let later = format!("\"_timestamp\": {}", longer[4].timestamp);
    assert!(text.contains(&later));
    for (chain, reason) in [
        (chain_text(&old_tip), "breaks rule 3: the previous hash is"),
        (chain_text(&changed), "breaks rule 3"),
        (chain_text(&sealed), "the seal is broken"),
        (
            text.replace(&later, "\"_timestamp\": NaN"),
            "not well-formed",
        ),
        (
            text.replace(&later, "\"_timestamp\": Infinity"),
            "not well-formed",
        ),
        (text.replace(&later, "\"_timestamp\": 1"), "breaks rule 5"),
        (text[..text.len() - 40].to_owned(), "is truncated"),
        (
            text.replace("\"_index\": 4", "\"_index\": 5"),
            "breaks rule 2",
        ),
        (
            text.replace("\"_index\": 4", "\"py/reduce\": 4"),
            "unreadable chain",
        ),
        ("[".repeat(100_000), "unreadable chain"),
        (String::new(), "unreadable chain"),
        ("[]".to_owned(), "unreadable chain"),
        (
            fixture("invalid/json_message_changed.chain"),
            "invalid chain: block",
        ),
        (fixture("tolerated/json_tuple.chain"), "unreadable chain"),
    ] {
        let pair = Pair::start(FakeReferenceMiner::new(&good));
        pair.follows(&good);
        pair.turn(FakeReferenceMiner {
            chain,
            ..FakeReferenceMiner::default()
        });
        pair.rejects(reason);
        assert!(pair.listed().failures > 0, "{reason}: {:?}", pair.listed());
        assert_eq!(pair.node.status().length, 3, "{reason}");
        assert!(!pair.node.get("/chain").text().contains("changed"));
    }
}

#[test]
fn an_endless_response_is_abandoned() {
    let start = chain_text(&chain_above(&genesis(), 3, ProofKind::Open).blocks);
    let start = serde_json::to_string(&start).unwrap();
    let inside = format!("{{\"chain\": {}", &start[..start.len() - 5]);
    for (path, begin, piece) in [
        ("/chain", inside, MARKER),
        ("/chain", "{\"chain\": \"[".to_owned(), " "),
        ("/chain", "{\"length\": ".to_owned(), "["),
        ("/chain", "{".to_owned(), "\"a\": 1, "),
        ("/data", "\"".to_owned(), MARKER),
        ("/neighbours", "{\"neighbours\": \"".to_owned(), MARKER),
    ] {
        let reference = FakeReferenceMiner::new(&genesis());
        let miner = FakePeer::start(move |request| {
            if request.path() != path || request.method != "GET" {
                return reference.response(request);
            }
            let endless = Step::Endless(piece.repeat(5_000).into_bytes());
            vec![
                head(200, &[], None),
                Step::Bytes(begin.clone().into_bytes()),
                endless,
            ]
        });
        let address = miner.address().to_string();
        let options = [
            &SHORT_INTERVALS[..],
            &["--accept-open", "--max-chain-bytes", "64MiB"],
        ]
        .concat();
        let node = TestNode::start(&[&options[..], &["--neighbours", &address]].concat());
        let before = node.resident();
        if path == "/neighbours" {
            wait_for("two looks", || (miner.count("GET", path) > 1).then_some(()));
        } else {
            wait_for("the rejection", || {
                (listed(&node, &address)?.failures > 0).then_some(())
            });
        }
        if let (Some(before), Some(now)) = (before, node.resident()) {
            assert!(
                now < before + super::MAX_MEMORY_GROWTH,
                "{path}: {before} bytes before, {now} now"
            );
        }
        let shown = node.get("/api/v1/neighbours");
        assert!(
            !shown.text().contains(&MARKER.repeat(20)),
            "{}",
            shown.text()
        );
    }
}

#[test]
fn a_reference_miner_is_rejected_where_blocks_must_be_sealed() {
    let blocks = chain_above(&genesis(), 3, ProofKind::Open).blocks;
    let reference = FakeReferenceMiner::new(&blocks);
    let miner = FakePeer::start(move |request| reference.response(request));
    let address = miner.address().to_string();
    let node = TestNode::start(&[&SHORT_INTERVALS[..], &["--neighbours", &address]].concat());
    wait_for("the reason", || {
        let why = listed(&node, &address)?.refused?;
        why.contains("a reference miner mines open blocks")
            .then_some(())
    });
    assert_eq!(miner.count("GET", "/chain"), 0);
    assert_eq!(node.status().length, 1);
}

#[test]
fn another_genesis_is_taken_while_the_chain_is_short_and_rejected_later() {
    // The chains differ in length, so that each is fetched.
    let other = |seed: u64| {
        let (id, text) = (
            SeededRng::new(seed).id(),
            format!("another {:x}", 1 << (4 * seed)),
        );
        Block::genesis(1e9, id, text).unwrap()
    };
    let first = chain_above(&[other(1)], 2, ProofKind::Open).blocks;
    let pair = Pair::start(FakeReferenceMiner::new(&first));
    pair.follows(&first);
    let second = chain_above(&[other(2)], 7, ProofKind::Open).blocks;
    // A chain of equal length with another genesis block is not followed.
    let tied = chain_above(&[other(3)], 2, ProofKind::Open).blocks;
    pair.turn(FakeReferenceMiner::new(&tied));
    pair.rounds("GET", "/chain", 1);
    pair.rounds("GET", "/data", 2);
    assert_eq!(pair.node.status().length, 3);
    pair.turn(FakeReferenceMiner::new(&second));
    pair.follows(&second);
    // Now there are more than six blocks after it.
    let third = chain_above(&[other(4)], 50, ProofKind::Open).blocks;
    pair.turn(FakeReferenceMiner::new(&third));
    pair.rejects("different genesis block, and the genesis block of this chain is fixed");
    assert_eq!(pair.listed().failures, 0);
    let status = pair.node.status();
    assert_eq!((status.length, status.reorgs), (8, 2));
}

#[test]
fn duplicate_and_invalid_neighbours_are_ignored() {
    let reference = FakeReferenceMiner::new(&genesis());
    let second = reference.clone();
    let second = FakePeer::start(move |request| second.response(request));
    let pair = Pair::start(reference.clone());
    let own = pair.node.address().port();
    let loopback = || "127.0.0.1".to_owned();
    let neighbours = vec![
        (loopback(), pair.miner.address().port()),
        (loopback(), second.address().port()),
        (loopback(), second.address().port()),
        (loopback(), own),
        ("localhost".to_owned(), own),
        (MARKER.repeat(300), 1),
        ("a b".to_owned(), 1),
        ("http://x".to_owned(), 1),
        (loopback(), 0),
    ];
    pair.turn(FakeReferenceMiner {
        neighbours,
        ..reference
    });
    wait_for("the second one", || {
        listed(&pair.node, &second.address().to_string())
    });
    pair.rounds("GET", "/neighbours", 2);
    let known = pair.node.get("/api/v1/neighbours");
    assert!(!known.text().contains(MARKER), "{}", known.text());
    let known: blockchain::wire::Neighbours = known.json();
    assert_eq!(known.neighbours.len(), 2, "{known:?}");
}

#[test]
fn a_peer_with_an_invalid_status_is_held_off() {
    let reference = FakeReferenceMiner::new(&genesis());
    let down = Arc::new(Mutex::new(false));
    let is_down = Arc::clone(&down);
    let miner = FakePeer::start(move |request| {
        if *is_down.lock().unwrap() && request.path() != "/api/v1/status" {
            return response(500, &[], MARKER);
        }
        reference.response(request)
    });
    let address = miner.address().to_string();
    let options = [
        &SHORT_INTERVALS[..],
        &["--accept-open", "--neighbours", &address],
    ]
    .concat();
    let node = TestNode::start(&options);
    wait_for("its chain", || {
        (miner.count("GET", "/data") > 0).then_some(())
    });
    *down.lock().unwrap() = true;
    wait_for("the failure", || {
        (listed(&node, &address)?.failures > 0).then_some(())
    });
    *down.lock().unwrap() = false;
    wait_for("better times", || {
        let listed = listed(&node, &address)?;
        (listed.failures == 0 && listed.refused.is_none()).then_some(())
    });
}
