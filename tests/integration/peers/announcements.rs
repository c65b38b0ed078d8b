//! False announcements, and too many of them.

use std::time::{Duration, Instant};

use super::{MARKER, MAX_JSON_INTEGER, Scene, announce, fake_peer, genesis};
use crate::support::fake_nodes::FakeNode;
use crate::support::fake_peer::FakePeer;
use crate::support::http::request;
use blockchain::wire::{Neighbours, PeerOrigin};

#[test]
fn announcements_without_delivery_change_nothing() {
    let bad = fake_peer(&genesis());
    let scene = Scene::with_bad_peer(&bad);
    for length in [2, 3, 1_000_000_000, MAX_JSON_INTEGER] {
        announce(
            &scene.node,
            &scene.bad[0],
            &"0f".repeat(32),
            length,
            MAX_JSON_INTEGER,
        );
        scene.assert_unharmed();
    }
    assert_eq!(scene.node.status().sync.fetching_from, None);
}

#[test]
fn a_flood_of_announcements_from_a_known_peer_causes_few_requests() {
    let bad = fake_peer(&genesis());
    let scene = Scene::with_bad_peer(&bad);
    let before = bad.requests().len();
    let begin = Instant::now();
    let mut told = 0;
    while begin.elapsed() < Duration::from_secs(1) {
        announce(
            &scene.node,
            &scene.bad[0],
            &format!("{told:064x}"),
            1 + told,
            1,
        );
        told += 1;
    }
    let asked = bad.requests().len() - before;
    assert!(
        asked < 400,
        "asked {asked} times after {told} announcements"
    );
    scene.assert_unharmed();
}

#[test]
fn a_flood_of_announced_addresses_is_bounded() {
    let bad = fake_peer(&genesis());
    let scene = Scene::with_bad_peer(&bad);
    // Invalid names, ports where no node listens, and the address of this node.
    let own = scene.node.address().to_string();
    let mut addresses: Vec<_> = (0..1500)
        .map(|number| match number % 3 {
            0 => format!("127.9.{}.{}:{}", number / 200, number % 200 + 1, 1 + number),
            1 => format!("{MARKER}-{number}.invalid:1"),
            _ => format!("127.0.0.1:{}", 1 + number % 1000),
        })
        .collect();
    addresses.push(own.clone());
    addresses.push(format!("localhost:{}", scene.node.address().port()));
    for address in &addresses {
        announce(
            &scene.node,
            address,
            &"0f".repeat(32),
            MAX_JSON_INTEGER,
            MAX_JSON_INTEGER,
        );
    }
    scene.assert_unharmed();
    let known: Neighbours = scene.node.json("/neighbours");
    for neighbour in &known.neighbours {
        assert!(!addresses.contains(&neighbour.address), "{neighbour:?}");
    }
}

#[test]
fn guests_are_bounded() {
    let fakes: Vec<_> = (0..60).map(|_| fake_peer(&genesis())).collect();
    let bad = fake_peer(&genesis());
    let scene = Scene::with_bad_peer(&bad);
    for fake in &fakes {
        announce(
            &scene.node,
            &fake.address().to_string(),
            &"0f".repeat(32),
            9,
            0,
        );
    }
    scene.assert_unharmed();
    // Time in which the node could take in more guests than it may.
    std::thread::sleep(Duration::from_secs(1));
    let known: Neighbours = scene.node.json("/neighbours");
    let is_guest = |origin| origin == PeerOrigin::Guest;
    let guests = known
        .neighbours
        .iter()
        .filter(|one| is_guest(one.origin))
        .count();
    assert!((20..=33).contains(&guests), "{guests}");
    // The good and the bad neighbour, and one guest for whom there was a slot.
    assert_eq!(known.neighbours.len(), guests + 3);
    scene.assert_unharmed();
}

#[test]
fn invalid_announcements_are_rejected() {
    let bad = FakePeer::start(|request| FakeNode::new(&genesis()).response(request));
    let scene = Scene::with_bad_peer(&bad);
    let post = |body: &str| {
        let address = scene.node.address();
        request(address, "POST", "/api/v1/announce", &[], body.as_bytes())
            .unwrap()
            .status
    };
    let tip = "0f".repeat(32);
    for body in [
        "{}".to_owned(),
        "[".repeat(3000),
        format!(
            "{{\"protocol\":1,\"address\":\":1\",\"tip\":\"{MARKER}\",\"length\":1,\"mempool_seq\":1}}"
        ),
        format!(
            "{{\"protocol\":1,\"address\":\":1\",\"tip\":\"{tip}\",\"length\":-1,\"mempool_seq\":1}}"
        ),
    ] {
        assert_eq!(post(&body), 400, "{body}");
    }
    assert_eq!(post(&" ".repeat(5000)), 413);
    // Invalid addresses are skipped.
    for address in [
        "",
        ":",
        ":0",
        ":99999",
        "a b:1",
        "https://x",
        "\u{0}:1",
        &"x".repeat(3000),
    ] {
        announce(&scene.node, address, &tip, 1, 1);
    }
    scene.assert_unharmed();
}
