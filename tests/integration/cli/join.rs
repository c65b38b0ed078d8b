//! `invite` prints the code of a network, and `join` runs a node on it.

use blockchain::wire::{Neighbours, PeerOrigin};

use crate::support::command::{Blockchain, Finished};
use crate::support::test_node::TestNode;
use crate::support::wait_for;

const OWN_NETWORK: &[&str] = &["--new-genesis=Class 8b", "--difficulty", "3"];

/// The code of a node on this machine.
fn invite(node: &TestNode, options: &[&str]) -> String {
    let address = node.address().to_string();
    let printed = Blockchain::new(["invite", "--address", &address, "--db"])
        .args([node.folder()])
        .args(options)
        .exits(0);
    printed.stdout.trim().to_owned()
}

/// Expects that `join` fails with this exit code and leaves no folder behind.
#[track_caller]
fn rejected(code: &str, exit_code: i32) -> Finished {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("node");
    let rejected = Blockchain::new(["join", code, "--port", "0", "--db"])
        .args([&folder])
        .exits(exit_code);
    assert!(!folder.exists());
    rejected
}

fn wait_for_tip(nodes: &[&TestNode], length: u64) {
    wait_for("one tip", || {
        let tips: Vec<_> = nodes.iter().map(|node| node.status().tip).collect();
        (tips.iter().all(|tip| *tip == tips[0]) && tips[0].index + 1 == length).then_some(())
    });
}

#[test]
fn an_invited_node_shares_the_chain_in_both_directions() {
    let host = TestNode::start(OWN_NETWORK);
    host.mine(&["from the host"]);
    let code = invite(&host, &[]);
    let genesis = host.status().genesis;
    assert!(
        code.ends_with(&format!("/{}/d3/s1", &genesis[..32])),
        "{code}"
    );
    // QR codes hold the code in upper case.
    let guest = TestNode::join(&code.to_uppercase(), &[]);
    wait_for_tip(&[&host, &guest], 2);
    guest.mine(&["from the guest"]);
    wait_for_tip(&[&host, &guest], 3);
    assert_eq!(guest.status().difficulty, 3);
    let log = guest.stderr();
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn a_joined_node_finds_its_network_again() {
    let host = TestNode::start(OWN_NETWORK);
    let (code, address) = (invite(&host, &[]), host.address().to_string());
    let mut guest = TestNode::join(&address, &["--yes"]);
    wait_for("the record of the neighbour", || {
        let known: Neighbours = guest.json("/neighbours");
        known
            .neighbours
            .iter()
            .any(|peer| peer.failures == 0 && peer.version.is_some())
            .then_some(())
    });
    guest.stop();
    // The next start needs neither the code nor the host.
    guest.command = vec!["node".to_owned()];
    guest.start_again(&[]);
    let known: Neighbours = guest.json("/neighbours");
    assert_eq!(known.neighbours[0].address, address);
    assert_eq!(known.neighbours[0].origin, PeerOrigin::Configured);
    guest.stop();
    drop(host);
    for again in [&code, &address] {
        guest.command = vec!["join".to_owned(), again.clone()];
        guest.start_again(&[]);
        guest.kill();
    }
}

#[test]
fn a_code_of_another_network_changes_nothing() {
    let host = TestNode::start(OWN_NETWORK);
    let code = invite(&host, &[]);
    let (address, rest) = code.split_once('/').unwrap();
    let digit = if rest.starts_with('0') { "1" } else { "0" };
    rejected(&format!("{address}/{digit}{}", &rest[1..]), 1).complains(&["has the genesis block"]);
    rejected(&code.replace("/d3", "/d2"), 1).complains(&["has difficulty 3", "the code says 2"]);
    rejected(&code.replace("/d3", "/d4"), 1).complains(&["has difficulty 3", "the code says 4"]);
    rejected(&code.replace("/s1", "/so"), 1).complains(&["seal rule", "open proofs accepted"]);

    let other = TestNode::start(&["--new-genesis=other", "--difficulty", "3"]);
    let mut guest = TestNode::join(&invite(&other, &[]), &[]);
    guest.stop();
    let before = std::fs::read(guest.folder().join("node.redb")).unwrap();
    for code in [&code, &code.replace("/s1", "/so"), address] {
        Blockchain::new(["join", code, "--port", "0", "--db"])
            .args([guest.folder()])
            .exits(1)
            .complains(&["the genesis block of this database is", "another folder"]);
    }
    for (part, changed) in [("/d3", "/d2"), ("/s1", "/so"), ("/s1", "/s2")] {
        Blockchain::new(["join", &invite(&other, &[]).replace(part, changed), "--db"])
            .args([guest.folder()])
            .exits(1)
            .complains(&["this database", "another folder"]);
    }
    assert_eq!(
        std::fs::read(guest.folder().join("node.redb")).unwrap(),
        before
    );
}

#[test]
fn what_the_code_leaves_open_is_printed_and_must_be_accepted() {
    let host = TestNode::start(OWN_NETWORK);
    let (address, genesis) = (host.address().to_string(), host.status().genesis);
    rejected(&address, 2).complains(&[
        "and the code does not: genesis",
        &genesis,
        "difficulty 3",
        "sealed from block 1",
        "trust on first use",
        "the complete code is",
        "--yes",
    ]);
    let short = format!("{address}/{}", &genesis[..8]);
    rejected(&short, 2).complains(&["good in a classroom", "difficulty 3", "--yes"]);
    let short = invite(&host, &["--short"]);
    let guest = TestNode::join(&short, &[]);
    assert!(guest.stderr().contains("2^32 hashes"));
}

#[test]
fn a_code_without_an_answer_or_a_meaning_has_its_exit_code() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    rejected(&address, 3).complains(&["no response from", "--host 0.0.0.0"]);
    let code = format!("{address}+127.0.0.1:1/c0c0c0c0/d5/s1");
    rejected(&code, 3).complains(&["none of the 2 nodes"]);
    for hostile in [
        "a".repeat(1025),
        format!("a/c0c0c0c0/d{}", "9".repeat(100_000)),
        "a/\u{1b}[2J".to_owned(),
        "[fe80::1%eth0]/c0c0c0c0".to_owned(),
        String::new(),
    ] {
        let told = rejected(&hostile, 2).stderr;
        assert!(told.len() < 400 && !told.contains('\u{1b}'), "{told:?}");
    }
    for option in [
        "--new-genesis",
        "--force-new-chain",
        "--accept-open",
        "--genesis=any",
    ] {
        Blockchain::new(["join", "127.0.0.1:1", option])
            .exits(2)
            .complains(&["cannot be used with join"]);
    }
}

#[test]
fn a_node_on_loopback_invites_nobody_without_an_address() {
    let mut node = TestNode::start(OWN_NETWORK);
    let reject = |node: &TestNode| {
        Blockchain::new(["invite", "--db"])
            .args([node.folder()])
            .exits(1)
            .complains(&["loopback only", "--host 0.0.0.0", "--address"]);
    };
    reject(&node);
    assert!(!node.stderr().contains("join"), "{}", node.stderr());
    let code = invite(&node, &[]);
    node.stop();
    reject(&node);
    assert_eq!(invite(&node, &[]), code);
    Blockchain::new(["invite", "--address", "a_b", "--db"])
        .args([node.folder()])
        .exits(2)
        .complains(&["a_b:12345 cannot be part of a code"]);
    let drawn = invite(&node, &["--qr"]);
    assert!(drawn.contains('█') && drawn.ends_with(&code), "{drawn}");
}

#[test]
fn a_node_rejects_its_own_address_as_a_neighbour() {
    let node = TestNode::start(&[]);
    let port = node.address().port();
    for host in ["127.0.0.1", "localhost"] {
        Blockchain::new(["neighbours", "add", &format!("{host}:{port}"), "--db"])
            .args([node.folder()])
            .exits(1)
            .complains(&["is this node itself"]);
    }
    let known: Neighbours = node.json("/neighbours");
    assert_eq!(known.neighbours, []);
}

#[test]
fn title_and_name_are_kept_and_shown() {
    let mut host =
        TestNode::start(&[OWN_NETWORK, &["--title", "Class 8b", "--name", "Ms Ada"]].concat());
    let address = host.address().to_string();
    let shown = |node: &TestNode| (node.status().title, node.status().name);
    let expected = (Some("Class 8b".to_owned()), Some("Ms Ada".to_owned()));
    assert_eq!(shown(&host), expected);
    let guest = TestNode::join(&address, &["--yes", "--name", "Zoë"]);
    assert_eq!(
        shown(&guest),
        (Some("Class 8b".to_owned()), Some("Zoë".to_owned()))
    );
    wait_for("the name of the neighbour", || {
        let known: Neighbours = guest.json("/neighbours");
        (known.neighbours[0].name.as_deref() == Some("Ms Ada")).then_some(())
    });
    let text = guest.command(["get", "neighbours"]).succeeds().stdout;
    assert!(text.contains("(Ms Ada)"), "{text}");
    host.stop();
    host.start_again(&[]);
    assert_eq!(shown(&host), expected);
    host.stop();
    host.start_again(&["--title=", "--name", "Ada"]);
    assert_eq!(shown(&host), (None, Some("Ada".to_owned())));
    for (option, text) in [
        ("--name", "1234567890123456789012345"),
        ("--title", "a\u{1b}[2J"),
    ] {
        let rejected = Blockchain::new(["node", "--port", "0", option, text]).exits(2);
        assert!(
            rejected.stderr.contains("printable characters"),
            "{rejected:?}"
        );
    }
}

#[test]
fn thirty_nodes_join_at_once_and_reach_one_tip() {
    let host = TestNode::start(OWN_NETWORK);
    host.mine(&["one", "two", "three"]);
    let code = invite(&host, &[]);
    let options = ["--threads", "0", "--snapshot-at-stop", "never"];
    let guests: Vec<_> = std::thread::scope(|scope| {
        let joining: Vec<_> = (0..30)
            .map(|_| scope.spawn(|| TestNode::join(&code, &options)))
            .collect();
        joining.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let nodes: Vec<_> = guests.iter().chain([&host]).collect();
    wait_for_tip(&nodes, 4);
    // A message of one node reaches all.
    guests[7].add("from a guest");
    wait_for_tip(&nodes, 5);
}

#[test]
fn a_unit_that_restarts_join_again_and_again_is_harmless() {
    let host = TestNode::start(OWN_NETWORK);
    let mut guest = TestNode::join(&invite(&host, &[]), &[]);
    guest.mine(&["before"]);
    for run in 0..4 {
        if run % 2 == 0 {
            guest.kill();
        } else {
            guest.stop();
        }
        guest.start_again(&[]);
    }
    wait_for_tip(&[&host, &guest], 2);
    let known: Neighbours = guest.json("/neighbours");
    assert_eq!(known.neighbours.len(), 1, "{known:?}");
}
