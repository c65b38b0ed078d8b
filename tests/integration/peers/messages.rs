//! Pending messages of a bad peer.

use serde_json::json;

use super::{
    MARKER, Scene, blocks_of, genesis, good_node, peer_with_override, poison, switchable_peer,
};
use crate::support::fake_nodes::{FakeNode, mempool_entry};
use crate::support::fake_peer::{FakePeer, json};
use crate::support::random::SeededRng;
use crate::support::wait_for;
use blockchain::chain::{Message, MessageId};

#[test]
fn mined_messages_do_not_become_pending_again() {
    let good = good_node(&[]);
    good.mine(&["two", "three"]);
    let mined: Vec<_> = blocks_of(&good)
        .into_iter()
        .map(|block| block.message)
        .collect();
    // The same ids also come with other texts: an id belongs to the message that had it first.
    let other = mined
        .iter()
        .map(|message| Message::new(message.id(), format!("{MARKER} {}", message.text())).unwrap());
    let pending: Vec<_> = mined.iter().cloned().chain(other).collect();
    let (bad, turn) = switchable_peer(FakeNode::new(&genesis()));
    let scene = Scene::with(good, std::slice::from_ref(&bad), &[]);
    turn(FakeNode::new(&genesis()).with_pending(pending));
    wait_for("two looks", || {
        (bad.count("GET", "/api/v1/mempool") > 0).then_some(())
    });
    scene.assert_unharmed();
    assert_eq!(scene.node.pending(), []);
}

#[test]
fn a_pending_message_is_not_replaced() {
    let (bad, turn) = switchable_peer(FakeNode::new(&genesis()));
    let scene = Scene::with_bad_peer(&bad);
    let id: MessageId = scene.node.add("ours").parse().unwrap();
    // A bad peer gives the id of a pending message another text.
    let message = Message::new(id, MARKER.to_owned()).unwrap();
    turn(FakeNode::new(&genesis()).with_pending(vec![message]));
    wait_for("a look", || {
        (bad.count("GET", "/api/v1/mempool") > 0).then_some(())
    });
    scene.assert_unharmed();
    let kept: blockchain::wire::MessageStatus = scene.node.json(&format!("/messages/{id}"));
    assert_eq!(kept.message, "ours");
}

#[test]
fn mempool_pages_without_progress_are_not_followed() {
    let message = poison(&mut SeededRng::new(1));
    let page = |first: u64, next: u64| {
        let mut bent = mempool_entry(first, &message);
        bent["message"] = "".into();
        json!({"messages": [bent], "next": next, "count": 1})
    };
    let pages = [
        // An empty page that promises more.
        json!({"messages": [], "next": 1, "count": 1}),
        // The last possible sequence number, with a further page.
        json!({"messages": [mempool_entry(u64::MAX, &message)], "next": 0, "count": 1}),
        page(1, 1),
        json!({"messages": [{"sequence": 1, "id": MARKER, "message": "x", "age": 0.0}],
               "next": null, "count": 1}),
        json!({"messages": [{"sequence": 1, "id": "A".repeat(32), "message": "x", "age": 0.0}],
               "next": null, "count": 1}),
        json!({"messages": [{"sequence": 1, "id": "a".repeat(32), "message": "x".repeat(300_000),
               "age": 0.0}], "next": null, "count": 1}),
    ];
    let bad = pages.map(|page| {
        let ours = FakeNode::new(&genesis()).with("/mempool/next_sequence", 1_000);
        peer_with_override(ours, "/api/v1/mempool", move |_| json(&page))
    });
    let scene = Scene::with_bad_peers(&bad);
    for which in [0, 2, 3, 4, 5] {
        scene.wait_until_rejected(which, "", |listed| listed.failures > 0);
    }
    for bad in &bad {
        assert!(bad.count("GET", "/api/v1/mempool") < 10);
    }
    scene.good.mine(&["another message"]);
    scene.wait_for_same_tip();
}

#[test]
fn an_oversized_mempool_page_is_rejected() {
    let mut rng = SeededRng::new(1);
    let messages: Vec<_> = (0..20_000)
        .map(|sequence| mempool_entry(sequence, &poison(&mut rng)))
        .collect();
    let page = json!({"messages": messages, "next": null, "count": 20_000});
    let ours = FakeNode::new(&genesis()).with("/mempool/next_sequence", 20_000);
    let bad = peer_with_override(ours, "/api/v1/mempool", move |_| json(&page));
    let scene = Scene::with_bad_peer(&bad);
    scene.wait_until_held_off("too many messages");
    scene.assert_unharmed();
}

#[test]
fn messages_beyond_the_learned_share_are_not_fetched() {
    // Nothing is added while the disk is full, which must not make the node ask without a delay.
    let down = std::sync::atomic::AtomicUsize::new(0);
    let ours = FakeNode::new(&genesis()).with_pending(vec![poison(&mut SeededRng::new(1))]);
    let peer = FakePeer::start(move |request| {
        // The first response is cut off, so that the node has a failure to recover from.
        if down.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        ours.response(request)
    });
    let address = peer.address().to_string();
    let options = ["--neighbours", &address, "--min-free", "1000000GiB"];
    let options = [&super::SHORT_INTERVALS[..], &options].concat();
    let mut node = crate::support::test_node::TestNode::stopped();
    node.spawn(&options);
    wait_for("some rounds", || {
        (peer.count("GET", "/api/v1/status") > 3).then_some(())
    });
    let before = peer.count("GET", "/api/v1/status");
    // The requests of one second are counted.
    std::thread::sleep(std::time::Duration::from_secs(1));
    let asked = peer.count("GET", "/api/v1/status") - before;
    assert!(asked < 20, "{asked} rounds a second");
}
