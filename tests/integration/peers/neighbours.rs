//! Neighbours that peers name.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{
    MARKER, SHORT_INTERVALS, Scene, fake_peer, genesis, good_node, listed, peer_with_override,
};
use crate::support::command::Blockchain;
use crate::support::fake_nodes::FakeNode;
use crate::support::fake_peer::{FakePeer, json};
use crate::support::test_node::TestNode;
use crate::support::wait_for;
use blockchain::wire::{Neighbours, PeerKind, PeerOrigin};

fn entry(address: &str) -> Value {
    json!({"address": address, "kind": "ours", "origin": "learned", "tip": null,
           "last_answer": 1.0, "failures": 0, "retry_in": null, "refused": null,
           "network": null, "version": null})
}

/// Starts a peer that names these addresses as its neighbours.
fn naming(addresses: &[String]) -> FakePeer {
    naming_later(&Arc::new(Mutex::new(addresses.to_vec())))
}

/// Starts a peer that names the addresses that the list holds at the time of the request.
fn naming_later(addresses: &Arc<Mutex<Vec<String>>>) -> FakePeer {
    let addresses = Arc::clone(addresses);
    peer_with_override(FakeNode::new(&genesis()), "/api/v1/neighbours", move |_| {
        let addresses = addresses.lock().unwrap();
        let all: Vec<_> = addresses.iter().map(|address| entry(address)).collect();
        json(&json!({"neighbours": all}))
    })
}

#[test]
fn thousands_of_neighbours_are_not_kept() {
    let nobody: Vec<_> = (0..800)
        .map(|port| format!("127.0.0.1:{}", 1 + port))
        .collect();
    let names: Vec<_> = (0..800)
        .map(|number| format!("{MARKER}{number}.invalid:1"))
        .collect();
    let bad = [naming(&nobody), naming(&names)];
    let scene = Scene::with_bad_peers(&bad);
    wait_for("three rounds", || {
        let asked = |bad: &FakePeer| bad.count("GET", "/api/v1/neighbours") > 2;
        bad.iter().all(asked).then_some(())
    });
    let known: Neighbours = scene.node.json("/neighbours");
    assert_eq!(known.neighbours.len(), 3, "{known:?}");
    scene.assert_unharmed();
}

#[test]
fn learned_neighbours_are_bounded() {
    let others: Vec<_> = (0..20).map(|_| fake_peer(&genesis())).collect();
    let names: Vec<_> = others.iter().map(|one| one.address().to_string()).collect();
    let bad = naming(&names);
    let scene = Scene::with_bad_peer(&bad);
    wait_for("three neighbours", || {
        let known: Neighbours = scene.node.json("/neighbours");
        (known.neighbours.len() > 2).then_some(())
    });
    scene.assert_unharmed();
    let known: Neighbours = scene.node.json("/neighbours");
    assert_eq!(known.neighbours.len(), 3, "{known:?}");
    // The node asks for no more neighbours when all slots are used.
    let dialled = others
        .iter()
        .filter(|one| !one.requests().is_empty())
        .count();
    assert!(dialled <= 8, "{dialled}");
}

#[test]
fn a_node_does_not_keep_its_own_address_under_any_name() {
    let names = Arc::new(Mutex::new(Vec::new()));
    let bad = naming_later(&names);
    let scene = Scene::with_bad_peer(&bad);
    let port = scene.node.address().port();
    let hosts = ["127.0.0.1", "localhost", "127.0.0.2", "0.0.0.0", "127.1"];
    *names.lock().unwrap() = hosts.map(|host| format!("{host}:{port}")).into();
    let before = bad.count("GET", "/api/v1/neighbours");
    wait_for("two rounds", || {
        (bad.count("GET", "/api/v1/neighbours") > before + 2).then_some(())
    });
    let known: Neighbours = scene.node.json("/neighbours");
    assert_eq!(known.neighbours.len(), 2, "{known:?}");
    let log = scene.node.stderr();
    assert!(log.contains("ignoring the node's own address"), "{log}");
    scene.assert_unharmed();
}

#[test]
fn a_peer_that_copies_a_node_id_does_not_replace_its_owner() {
    // Configured neighbours stay, independent of their order and their claims.
    let good = good_node(&[]);
    let copied = good.status().node_id;
    let ours = FakeNode::new(&genesis()).with("/node_id", copied);
    let bad: Vec<_> = (0..3)
        .map(|_| {
            let ours = ours.clone();
            FakePeer::start(move |request| ours.response(request))
        })
        .collect();
    let scene = Scene::with(good, &bad, &[]);
    for bad in &bad {
        bad.wait_for_requests("GET", "/api/v1/status", 2);
    }
    let good = listed(&scene.node, &scene.good.address().to_string()).unwrap();
    assert_eq!((good.origin, good.failures), (PeerOrigin::Configured, 0));
    scene.assert_unharmed();
}

#[test]
fn only_the_neighbour_that_claims_our_node_id_is_dropped() {
    let (bad, turn) = super::switchable_peer(FakeNode::new(&genesis()));
    let scene = Scene::with_bad_peer(&bad);
    drop(turn);
    let own = scene.node.status().node_id;
    let ours = FakeNode::new(&genesis()).with("/node_id", own);
    let liar = FakePeer::start(move |request| ours.response(request));
    super::announce(
        &scene.node,
        &liar.address().to_string(),
        &"0f".repeat(32),
        1,
        0,
    );
    wait_for("a look", || {
        (liar.count("GET", "/api/v1/status") > 0).then_some(())
    });
    scene.assert_unharmed();
    assert_eq!(listed(&scene.node, &liar.address().to_string()), None);
    assert!(listed(&scene.node, &scene.bad[0]).is_some());
}

#[test]
fn learned_loopback_addresses_are_not_dialled_by_a_reachable_node() {
    let nearby = fake_peer(&genesis());
    let names = [
        nearby.address().to_string(),
        format!("localhost:{}", nearby.address().port()),
    ];
    let namer = naming(&names);
    let configured = namer.address().to_string();
    let options = ["--host", "0.0.0.0", "--neighbours", &configured];
    let options = [&SHORT_INTERVALS[..], &options].concat();
    let mut node = TestNode::stopped();
    node.spawn(&options);
    wait_for("two rounds", || {
        (namer.count("GET", "/api/v1/neighbours") > 2).then_some(())
    });
    assert_eq!(nearby.requests().len(), 0);
}

/// The addresses of all that a node knows.
fn known(node: &TestNode) -> Vec<String> {
    let known: Neighbours = node.json("/neighbours");
    known
        .neighbours
        .into_iter()
        .map(|one| one.address)
        .collect()
}

/// Adds or removes a neighbour of a node.
fn change(node: &TestNode, what: &str, address: &str) -> Blockchain {
    Blockchain::new(["neighbours", what, address, "--db"]).args([node.folder()])
}

/// Waits until a peer has named its neighbours three times more, so that they were all dialled.
#[track_caller]
fn rounds(namer: &FakePeer) {
    let named = || namer.count("GET", "/api/v1/neighbours");
    let before = named();
    wait_for("three rounds", || (named() > before + 3).then_some(()));
}

#[test]
fn a_removed_neighbour_is_not_relearned_under_an_alias() {
    let other = super::good_node(&["--host", "0.0.0.0"]);
    let port = other.address().port();
    let at = |host: &str| format!("{host}:{port}");
    let names = Arc::new(Mutex::new(Vec::new()));
    let namer = naming_later(&names);
    let namer_address = namer.address().to_string();
    let start = |node: &mut TestNode, neighbour: &str| {
        let neighbours = format!("{namer_address},{neighbour}");
        let options = ["--max-neighbours", "9", "--neighbours", &neighbours];
        node.start_again(&[&SHORT_INTERVALS[..], &options].concat());
    };
    let mut node = TestNode::stopped();
    start(&mut node, &at("127.0.0.1"));
    wait_for("its id", || {
        let kind = listed(&node, &at("127.0.0.1"))?.kind;
        (kind == PeerKind::Ours).then_some(())
    });
    change(&node, "remove", &at("[::ffff:127.0.0.1]"))
        .succeeds()
        .prints(&[&format!("{} was removed\n", at("127.0.0.1"))]);
    assert_eq!(known(&node), [&*namer_address]);

    let aliases = [
        "127.0.0.1",
        "127.0.0.1.",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
        "localhost",
        "LocalHost.",
        // Known by its node id.
        "127.0.0.2",
    ];
    let rejected = ["127.1", "2130706433", "0x7f000001", "127.000.000.001"];
    let spellings: Vec<_> = aliases
        .iter()
        .chain(&rejected)
        .map(|host| at(host))
        .collect();
    let comes_back = |node: &TestNode| {
        let tip = "0f".repeat(32);
        for address in spellings.iter().chain([&format!(":{port}")]) {
            super::announce(node, address, &tip, 9, 0);
        }
        names.lock().unwrap().clone_from(&spellings);
        rounds(&namer);
        assert_eq!(known(node), [&*namer_address], "{}", node.stderr());
    };
    comes_back(&node);
    let log = node.stderr();
    assert!(
        log.contains("a removed neighbour under another address"),
        "{log}"
    );

    // The next run does not bring it back, either, although another peer names it.
    node.stop();
    start(&mut node, &at("localhost"));
    wait_for("a look at the name", || {
        (known(&node).len() == 1).then_some(())
    });
    comes_back(&node);

    for host in rejected {
        for what in ["add", "remove"] {
            change(&node, what, &at(host))
                .exits(2)
                .complains(&["is not a host name or IP address; write 127.0.0.1"]);
        }
    }
    // An addition under any address brings back all of them.
    names.lock().unwrap().clear();
    for host in aliases {
        change(&node, "add", &at(host)).succeeds();
        wait_for("the added one", || {
            let listed: Neighbours = node.json("/neighbours");
            let mut others = listed.neighbours.into_iter();
            let added = others.find(|one| one.address != namer_address)?;
            (added.kind == PeerKind::Ours).then_some(())
        });
        change(&node, "remove", &at(host)).succeeds();
        wait_for("its end", || (known(&node).len() == 1).then_some(()));
    }
    // Only the administrator removes a neighbour that was added under two addresses.
    change(&node, "add", &at("localhost")).succeeds();
    change(&node, "add", &at("127.0.0.2")).succeeds();
    change(&node, "remove", &at("localhost")).succeeds();
    let left = [namer_address.clone(), at("127.0.0.2")];
    wait_for("the other address", || (known(&node) == left).then_some(()));
}
