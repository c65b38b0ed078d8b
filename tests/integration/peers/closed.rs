//! A closed node follows named neighbours only, and takes messages from allowed addresses only.

use serde_json::json;

use super::{SHORT_INTERVALS, chain_above, fake_peer, genesis};
use crate::support::chain::ProofKind;
use crate::support::command::Blockchain;
use crate::support::explorer::Explorer;
use crate::support::fake_nodes::FakeReferenceMiner;
use crate::support::fake_peer::FakePeer;
use crate::support::http::request;
use crate::support::test_node::TestNode;
use crate::support::wait_for;
use blockchain::wire::{Neighbours, PeerOrigin};

const CLOSED: &[&str] = &["--closed", "--difficulty", "1"];

/// Options of a node that asks often and does not mine.
fn asking(options: &[&str]) -> TestNode {
    TestNode::start(&[&SHORT_INTERVALS[..], options].concat())
}

fn change(node: &TestNode, what: &str, address: &str) {
    Blockchain::new(["neighbours", what, address, "--db"])
        .args([node.folder()])
        .exits(0);
}

fn neighbours(node: &TestNode) -> Vec<String> {
    let known: Neighbours = node.json("/neighbours");
    known
        .neighbours
        .into_iter()
        .map(|one| one.address)
        .collect()
}

/// The status of an addition with these headers.
fn add(node: &TestNode, headers: &[(&str, &str)]) -> (u16, String) {
    let response = request(node.address(), "PUT", "/add?message=x", headers, &[]).unwrap();
    (response.status, String::from_utf8(response.body).unwrap())
}

#[test]
fn a_closed_node_neither_dials_nor_hears_strangers() {
    let node = asking(&["--closed"]);
    assert!(node.status().closed);
    let stranger = fake_peer(&genesis());
    let address = stranger.address().to_string();
    let body = json!({"protocol": 1, "address": address, "tip": "0f".repeat(32),
        "length": 9, "mempool_seq": 0})
    .to_string();
    for headers in [&[][..], &[("x-forwarded-for", "127.0.0.1")]] {
        let rejected = request(
            node.address(),
            "POST",
            "/api/v1/announce",
            headers,
            body.as_bytes(),
        )
        .unwrap();
        assert_eq!(rejected.status, 403);
        let text = String::from_utf8(rejected.body).unwrap();
        assert!(text.contains("\"closed\""), "{text}");
    }
    // A request that names its sender makes no guest.
    let named = [("blockchain-peer", &*address)];
    let read = request(node.address(), "GET", "/api/v1/status", &named, &[]).unwrap();
    assert_eq!(read.status, 200);
    // A neighbour names the stranger.
    let friend = TestNode::start(&["--difficulty", "1", "--neighbours", &address]);
    change(&node, "add", &friend.address().to_string());
    wait_for("the answer of the neighbour", || {
        let known: Neighbours = node.json("/neighbours");
        known.neighbours[0].version.is_some().then_some(())
    });
    friend.mine(&["from the named neighbour"]);
    wait_for("its block", || (node.status().length == 2).then_some(()));
    assert_eq!(neighbours(&node), [friend.address().to_string()]);
    let asked = stranger.requests();
    let own = node.address().port().to_string();
    let of_node = |line: &_| format!("{line:?}").contains(&own);
    assert!(!asked.iter().any(of_node), "{asked:?}");
}

#[test]
fn a_closed_node_takes_messages_from_allowed_addresses_only() {
    let mut node = TestNode::start(CLOSED);
    assert_eq!(add(&node, &[]).0, 200);
    for header in ["x-forwarded-for", "forwarded"] {
        let (status, body) = add(&node, &[(header, "127.0.0.1")]);
        assert_eq!(status, 403, "{body}");
        assert!(
            body.contains("\"closed\"") && body.contains("--allow-add"),
            "{body}"
        );
    }
    node.stop();
    // The next run keeps the neighbour, and its own option replaces the default.
    node.start_again(&["--allow-add", "10.0.0.0/8,2001:db8::/32"]);
    assert_eq!(add(&node, &[]).0, 403);
    let text = node.command(["add", "no"]).exits(1).stderr;
    assert!(text.contains("closed"), "{text}");
    node.stop();
    node.start_again(&[]);
    assert_eq!(add(&node, &[]).0, 403);
    assert_eq!(node.pending().len() as u64 + node.status().length, 2);
    node.stop();
    node.start_again(&["--allow-add", "127.0.0.1"]);
    assert_eq!(add(&node, &[]).0, 200);
    node.stop();
    node.start_again(&["--closed=false"]);
    assert!(!node.status().closed);
    assert_eq!(add(&node, &[("forwarded", "for=192.0.2.1")]).0, 200);
    node.stop();
    Blockchain::new(["node", "--port", "0", "--allow-add", "10.0.0.0/8", "--db"])
        .args([node.folder()])
        .exits(2)
        .complains(&["--allow-add requires --closed"]);
}

#[test]
fn lines_are_messages_like_any_other_on_a_closed_node() {
    let node = TestNode::start(CLOSED);
    let lines = |headers: &[(&str, &str)]| {
        node.request("POST", "/api/v1/messages/lines", headers, b"one\ntwo\n")
    };
    lines(&[("x-forwarded-for", "127.0.0.1")]).expect_error(403, "closed");
    assert_eq!(node.status().mempool.next_sequence, 0);
    lines(&[]).expect(201);
}

#[test]
fn a_closed_node_follows_a_reference_miner_that_is_named() {
    let blocks = chain_above(&genesis(), 3, ProofKind::Open).blocks;
    let mut miner = FakeReferenceMiner::new(&blocks);
    // The peer names another node, which this node does not ask.
    let stranger = fake_peer(&genesis());
    miner.neighbours = vec![("127.0.0.1".to_owned(), stranger.address().port())];
    let miner = FakePeer::start(move |request| miner.response(request));
    let known = miner.address().to_string();
    let node = asking(&["--closed", "--accept-open", "--neighbours", &known]);
    wait_for("its chain", || (node.status().length == 4).then_some(()));
    assert_eq!(neighbours(&node), [known]);
    assert_eq!(stranger.requests().len(), 0);
}

#[test]
fn the_log_of_a_closed_node_says_who_may_add() {
    let node = TestNode::start(&["--host", "0.0.0.0", "--closed"]);
    let log = node.stderr();
    assert!(
        log.contains("closed to additions") && !log.contains("and add messages"),
        "{log}"
    );
}

#[test]
fn a_closed_node_forgets_whom_it_has_learned() {
    let other = TestNode::start(&["--difficulty", "1"]);
    let friend = TestNode::start(&[
        "--difficulty",
        "1",
        "--neighbours",
        &other.address().to_string(),
    ]);
    let address = friend.address().to_string();
    let mut node = asking(&["--neighbours", &address]);
    wait_for("two neighbours", || {
        (neighbours(&node).len() == 2).then_some(())
    });
    node.stop();
    node.start_again(&["--closed", "--neighbours", &address]);
    let known: Neighbours = node.json("/neighbours");
    assert_eq!(known.neighbours.len(), 1, "{known:?}");
    assert_eq!(known.neighbours[0].origin, PeerOrigin::Configured);
}

#[test]
fn neighbours_announce_to_each_other_if_both_are_closed() {
    let (one, two) = (TestNode::start(CLOSED), TestNode::start(CLOSED));
    change(&one, "add", &two.address().to_string());
    change(&two, "add", &format!("localhost:{}", one.address().port()));
    for (from, to, length) in [(&one, &two, 2), (&two, &one, 3)] {
        from.mine(&["a message"]);
        wait_for("the block", || (to.status().length == length).then_some(()));
    }
    let rejected = |node: &TestNode| node.stderr().contains("closed to the announcements");
    assert!(!rejected(&one) && !rejected(&two));
}

#[test]
fn a_rejected_announcement_does_not_end_reading() {
    let closed = TestNode::start(CLOSED);
    let address = closed.address().to_string();
    let reader = asking(&["--neighbours", &address]);
    // The stranger announces new blocks in vain.
    reader.add("for nobody");
    closed.mine(&["one", "two"]);
    wait_for("the longer chain", || {
        (reader.status().tip == closed.status().tip).then_some(())
    });
    let known: Neighbours = reader.json("/neighbours");
    assert_eq!(
        (known.neighbours[0].failures, &known.neighbours[0].refused),
        (0, &None)
    );
}

#[test]
fn the_explorer_of_a_closed_node_has_no_form_for_others() {
    let node = TestNode::start(CLOSED);
    let explorer = Explorer::of(node.address(), &[]);
    for path in ["/", "/mempool", "/add"] {
        let local = explorer.get(path).text().to_owned();
        assert!(local.contains("<textarea"), "{path}: {local}");
        let forwarded = [("x-forwarded-for", "192.0.2.1")];
        let page = request(explorer.address(), "GET", path, &forwarded, &[]).unwrap();
        assert_eq!(
            page.status,
            if path == "/add" { 403 } else { 200 },
            "{path}"
        );
        let page = String::from_utf8(page.body).unwrap();
        assert!(
            !page.contains("<textarea") && page.contains("is closed"),
            "{path}: {page}"
        );
    }
    assert!(
        explorer
            .get("/peers")
            .text()
            .contains("closed: everybody may read")
    );
}
