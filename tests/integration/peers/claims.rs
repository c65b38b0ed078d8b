//! False lengths and tips.

use std::sync::Mutex;
use std::time::Duration;

use serde_json::Value;

use super::{
    MAX_JSON_INTEGER, SHORT_INTERVALS, Scene, announce, blocks_of, chain_above, fake_peer, genesis,
    good_node, listed, poison, switchable_peer,
};
use crate::support::chain::{ChainBuilder, ProofKind};
use crate::support::fake_nodes::FakeNode;
use crate::support::fake_peer::FakePeer;
use crate::support::random::SeededRng;
use crate::support::test_node::TestNode;
use crate::support::wait_for;
use blockchain::chain::BlockHash;
use blockchain::wire::PendingMessage;

#[test]
fn an_undelivered_length_is_held_against_the_peer() {
    let liar = FakeNode::new(&genesis()).with("/length", 1_000_000_000_u64);
    let liar = liar.with("/tip/index", 999_999_999_u64);
    let liar = liar.with("/tip/hash", "0f".repeat(32));
    let bad = FakePeer::start(move |request| liar.response(request));
    let scene = Scene::with_bad_peer(&bad);
    scene.wait_until_held_off("announced 1000000000 blocks but did not send them");
    assert_eq!(scene.node.status().sync.fetching_from, None);
    scene.assert_unharmed();
}

#[test]
fn an_undelivered_tip_changes_nothing() {
    let good = good_node(&[]);
    // The claimed tip has the length of the node's chain and wins every tie, but does not exist.
    let liar = FakeNode::new(&blocks_of(&good));
    let liar = liar
        .with("/tip/hash", "0".repeat(64))
        .with("/sealed", 1_000_000);
    let bad = FakePeer::start(move |request| liar.response(request));
    let scene = Scene::with(good, &[bad], &[]);
    scene.assert_unharmed();
}

#[test]
fn flapping_between_two_equal_tips_settles() {
    let mut good = good_node(&[]);
    // A mining node would mine the disconnected messages again and have the longer chain.
    good.stop();
    good.start_again(&["--threads", "0", "--max-neighbours", "0"]);
    let below = blocks_of(&good);
    let mut branches: Vec<_> = (0..6)
        .map(|seed| {
            let mut builder = ChainBuilder::new(&below);
            builder.mine(poison(&mut SeededRng::new(seed)), ProofKind::Sealed);
            FakeNode::new(&builder.blocks)
        })
        .collect();
    // In descending order, so that each is better than the one before it.
    branches.sort_by_key(|ours| std::cmp::Reverse(BlockHash::of(ours.blocks.last().unwrap())));
    let lowest = BlockHash::of(branches.last().unwrap().blocks.last().unwrap());
    let turn = Mutex::new(0);
    let responses = branches.clone();
    let id = branches[0].status["node_id"].clone();
    let bad = FakePeer::start(move |request| {
        let mut turn = turn.lock().unwrap();
        if request.path() == "/api/v1/status" {
            *turn += 1;
        }
        let now = responses[*turn % responses.len()].clone();
        now.with("/node_id", id.clone()).response(request)
    });
    let scene = Scene::with(good, std::slice::from_ref(&bad), &[]);
    wait_for("the lowest tip", || {
        let status = scene.node.status();
        (status.tip.hash == lowest.to_string()).then_some(())
    });
    let reorgs = scene.node.status().reorgs;
    assert!(reorgs < 6, "{reorgs}");
    bad.wait_for_requests("GET", "/api/v1/status", 6);
    let status = scene.node.status();
    assert_eq!(
        (status.tip.hash.clone(), status.reorgs),
        (lowest.to_string(), reorgs)
    );
    assert_eq!(status.sync.fetching_from, None);
    scene.wait_for_same_tip();
}

#[test]
fn an_equal_chain_that_is_not_preferred_causes_no_backoff() {
    // On a network that accepts open proofs, a lower tip wins a tie only if it is sealed.
    let mut ours = chain_above(&genesis(), 1, ProofKind::Open);
    ours.mine(poison(&mut SeededRng::new(1)), ProofKind::Sealed);
    let mut theirs = (2..).map(|seed| {
        let mut builder = chain_above(&genesis(), 1, ProofKind::Sealed);
        builder.mine(poison(&mut SeededRng::new(seed)), ProofKind::Open);
        builder
    });
    let theirs = theirs
        .find(|theirs| theirs.tip().hash < ours.tip().hash)
        .unwrap();
    let pretend = |builder: &ChainBuilder| {
        let ours = FakeNode::new(&builder.blocks).with("/sealed", 1);
        ours.with("/sealed_from", Value::Null)
    };
    let (peer, turn) = switchable_peer(pretend(&ours));
    let address = peer.address().to_string();
    let options = [
        &SHORT_INTERVALS[..],
        &["--accept-open", "--neighbours", &address],
    ]
    .concat();
    let node = TestNode::start(&options);
    wait_for("its blocks", || (node.status().length == 3).then_some(()));
    turn(pretend(&theirs));
    let asked = peer.count("GET", "/api/v1/status");
    wait_for("rounds", || {
        (peer.count("GET", "/api/v1/status") > asked + 12).then_some(())
    });
    let listed = listed(&node, &address).unwrap();
    assert_eq!((listed.failures, listed.refused), (0, None));
    assert_eq!(node.status().tip.hash, ours.tip().hash.to_string());
    // The chain is not fetched in every round.
    assert!(peer.count("GET", "/api/v1/blocks") < 20);
}

#[test]
fn a_forged_announcement_is_not_held_against_the_named_peer() {
    let scene = Scene::with_bad_peer(&fake_peer(&genesis()));
    let named = scene.good.address().to_string();
    let tip = scene.good.status().tip.hash;
    // The peer has neither the announced chains nor the announced messages.
    for (tip, length, messages) in [
        (&tip, 1_000_000_000, 0),
        (&"ab".repeat(32), 1_000_000_000, 0),
        (&"ab".repeat(32), 2, 0),
        (&"ab".repeat(32), 3, MAX_JSON_INTEGER),
        (&tip, 2, MAX_JSON_INTEGER),
        (&tip, MAX_JSON_INTEGER, MAX_JSON_INTEGER),
    ] {
        announce(&scene.node, &named, tip, length, messages);
        // Time in which the node asks the named peer; a real node cannot be watched for requests.
        std::thread::sleep(Duration::from_millis(50));
        let listed = listed(&scene.node, &named).unwrap();
        assert_eq!((listed.failures, listed.refused), (0, None));
    }
    scene.assert_unharmed();
}

#[test]
fn forged_mempool_announcements_do_not_hide_a_peers_own() {
    let (peer, turn) = switchable_peer(FakeNode::new(&genesis()));
    let scene = Scene::with_bad_peer(&peer);
    let tip = BlockHash::of(&genesis()[0]).to_string();
    for messages in [7, MAX_JSON_INTEGER] {
        announce(&scene.node, &scene.bad[0], &tip, 1, messages);
        peer.wait_for_requests("GET", "/api/v1/status", 2);
    }
    let message = poison(&mut SeededRng::new(1));
    turn(FakeNode::new(&genesis()).with_pending(vec![message.clone()]));
    wait_for("the message", || {
        let pending = scene.node.pending();
        let is_here = |held: &PendingMessage| held.id == message.id().to_string();
        pending.iter().any(is_here).then_some(())
    });
}
