//! Limits that all peers of one remote address share: slots, and messages that nodes learn from
//! them. The tests use several loopback addresses, which only Linux has.

use std::net::Ipv4Addr;
use std::time::Instant;

use blockchain::chain::{Message, MessageId};
use blockchain::wire::Neighbours;

use super::{BLOCK_TIMEOUT, SHORT_INTERVALS, announce, chain_above, genesis};
use crate::support::chain::ProofKind;
use crate::support::fake_nodes::FakeNode;
use crate::support::fake_peer::FakePeer;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

const CROWD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const NEWCOMER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// Slots for learned peers and guests.
const SLOTS: usize = 3 + 32;

/// Messages a second of the nodes under test, and messages of each fake peer.
const RATE: u32 = 100;
const TAUGHT: usize = 200;

fn at(host: Ipv4Addr, ours: FakeNode) -> FakePeer {
    FakePeer::start_at(host, move |request| ours.response(request))
}

fn announces(node: &TestNode, peer: &FakePeer, length: u64, messages: usize) {
    let address = peer.address().to_string();
    announce(node, &address, &"0f".repeat(32), length, messages as u64);
}

fn with_messages(count: usize) -> FakeNode {
    let message = |number| Message::new(MessageId::random(), format!("message {number}"));
    let pending = (0..count).map(|number| message(number).unwrap()).collect();
    FakeNode::new(&genesis()).with_pending(pending)
}

#[test]
fn a_newcomer_is_followed_although_one_address_holds_all_slots() {
    let node = TestNode::start(&SHORT_INTERVALS);
    let crowd: Vec<_> = (0..SLOTS)
        .map(|_| at(CROWD, FakeNode::new(&genesis())))
        .collect();
    wait_for("the crowd", || {
        // Candidates of one address are dialled a few at a time.
        for peer in &crowd {
            announces(&node, peer, 9, 0);
        }
        let known: Neighbours = node.json("/neighbours");
        (known.neighbours.len() == SLOTS).then_some(())
    });
    let blocks = chain_above(&genesis(), 3, ProofKind::Sealed).above(0);
    let newcomer = at(NEWCOMER, FakeNode::new(&blocks));
    let begun = Instant::now();
    announces(&node, &newcomer, 4, 0);
    wait_for("the newcomer's chain", || {
        (node.status().tip.index == 3).then_some(())
    });
    assert!(begun.elapsed() < BLOCK_TIMEOUT, "{:?}", begun.elapsed());
    let known: Neighbours = node.json("/neighbours");
    assert_eq!(known.neighbours.len(), SLOTS);
}

#[test]
fn peers_of_one_address_teach_messages_within_the_add_rate() {
    let rate = RATE.to_string();
    let node = TestNode::start(&[&SHORT_INTERVALS[..], &["--add-rate", &rate]].concat());
    let peers = [0, 1].map(|_| at(CROWD, with_messages(TAUGHT)));
    let begun = Instant::now();
    for peer in &peers {
        announces(&node, peer, 1, TAUGHT);
    }
    wait_for("all messages", || {
        let count = node.status().mempool.count;
        let most = f64::from(RATE) * (begun.elapsed().as_secs_f64() + 1.0);
        #[expect(clippy::cast_precision_loss, reason = "few messages")]
        let is_slow = count as f64 <= most;
        assert!(is_slow, "{count} after {:?}", begun.elapsed());
        (count == 2 * TAUGHT as u64).then_some(())
    });
}

#[test]
fn a_configured_neighbour_teaches_messages_at_any_rate() {
    let peer = at(CROWD, with_messages(900));
    let address = peer.address().to_string();
    // At the rate limit of additions, this would take a quarter of an hour.
    let options = ["--add-rate", "1", "--neighbours", &address];
    let node = TestNode::start(&[&SHORT_INTERVALS[..], &options].concat());
    wait_for("all messages", || {
        (node.status().mempool.count == 900).then_some(())
    });
}
