//! `blockchain neighbours` and `blockchain get neighbours`: the changes of the administrator
//! survive a restart.

use blockchain::wire::{Event, NeighbourChange, Neighbours, PeerKind, PeerOrigin};

use crate::support::command::Blockchain;
use crate::support::events::Events;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

const QUIET: &[&str] = &["--threads", "0", "--difficulty", "1"];

/// Adds or removes a neighbour of a node.
fn change(node: &TestNode, what: &str, address: &str) -> Blockchain {
    Blockchain::new(["neighbours", what, address, "--db"]).args([node.folder()])
}

fn list(node: &TestNode) -> Neighbours {
    node.command(["get", "neighbours", "--json"])
        .succeeds()
        .json()
}

/// Waits until a node has this one neighbour, of its own kind.
#[track_caller]
fn responses(node: &TestNode, address: &str) {
    wait_for("an answer of the neighbour", || {
        let list = list(node).neighbours;
        let [one] = &*list else {
            return None;
        };
        assert_eq!(
            (&*one.address, one.origin),
            (address, PeerOrigin::Configured)
        );
        (one.kind == PeerKind::Ours && one.tip.is_some()).then_some(())
    });
}

#[test]
fn neighbours_are_added_and_removed_for_good() {
    let (mut node, other) = (TestNode::start(QUIET), TestNode::start(QUIET));
    let address = other.address().to_string();
    change(&node, "add", &address)
        .succeeds()
        .prints(&[&format!("{address} is a neighbour\n")]);
    responses(&node, &address);
    let text = node.command(["get", "neighbours"]).succeeds().stdout;
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "1 neighbour");
    assert!(lines[1].starts_with("ADDRESS"), "{text}");
    for part in [&*address, "this program", "0 c0f0de3647e3", "s ago"] {
        assert!(lines[2].contains(part), "{part}: {text}");
    }
    let page = node.get("/metrics").expect(200).text().to_owned();
    for line in [
        "blockchain_peers{kind=\"ours\",origin=\"configured\"} 1\n",
        "blockchain_peers{kind=\"reference\",origin=\"guest\"} 0\n",
        "blockchain_peers_answering 1\n",
        "blockchain_peers_refused 0\n",
    ] {
        assert!(page.contains(line), "{line}: {page}");
    }

    // The next run has the neighbour without an option.
    node.stop();
    node.start_again(QUIET);
    responses(&node, &address);
    change(&node, "remove", &address)
        .succeeds()
        .prints(&[&format!("{address} was removed\n")]);
    assert_eq!(list(&node).neighbours, []);
    change(&node, "remove", &address)
        .exits(1)
        .complains(&["there is no such neighbour"]);
    node.stop();
    // The options of the next run do not bring it back.
    node.start_again(&[QUIET, &["--neighbours", &address]].concat());
    assert_eq!(list(&node).neighbours, []);
    let log = node.stderr();
    assert!(log.contains("until it is added"), "{log}");
    change(&node, "add", &address).succeeds();
    responses(&node, &address);
}

#[test]
fn a_neighbour_that_comes_or_goes_is_an_event() {
    let (node, other) = (TestNode::start(QUIET), TestNode::start(QUIET));
    let address = other.address().to_string();
    let (mut events, _) = Events::from_now(node.address());
    change(&node, "add", &address).succeeds();
    let mut next = |expected| {
        loop {
            let told = events.expect("neighbour");
            let Event::Neighbour(event) = told.event() else {
                panic!("{told:?}");
            };
            if event.change == expected {
                return assert_eq!(event.address, address);
            }
            assert_eq!(event.change, NeighbourChange::Changed);
        }
    };
    next(NeighbourChange::Came);
    change(&node, "remove", &address).succeeds();
    next(NeighbourChange::Went);
}

#[test]
fn changing_neighbours_needs_the_token() {
    let (node, address) = (TestNode::start(QUIET), "127.0.0.1:1");
    std::fs::write(node.folder().join("node.token"), "0".repeat(64)).unwrap();
    change(&node, "add", address).exits(1).complains(&["401"]);
}

#[test]
fn the_neighbours_of_a_stopped_node_are_changed() {
    let (mut node, other) = (TestNode::start(QUIET), TestNode::start(QUIET));
    let address = other.address().to_string();
    node.stop();
    change(&node, "add", &address).succeeds();
    node.start_again(QUIET);
    responses(&node, &address);
    node.stop();
    change(&node, "remove", &address).succeeds().prints(&[
        "was removed\n",
        "--closed",
        "on each side that removed it",
    ]);
    change(&node, "remove", &address)
        .exits(1)
        .complains(&["is removed already"]);
    node.start_again(&[QUIET, &["--neighbours", &address]].concat());
    assert_eq!(list(&node).neighbours, []);
    node.stop();
    node.start_again(&[QUIET, &["--closed"]].concat());
    change(&node, "add", &address).succeeds();
    let printed = change(&node, "remove", &address).succeeds().stdout;
    assert!(!printed.contains("--closed"), "{printed}");
}
