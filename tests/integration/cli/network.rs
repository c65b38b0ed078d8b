//! The database keeps the rules of its network: genesis, difficulty, seal rule.

use crate::support::command::Blockchain;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

const DOCUMENTED: &str = "c0f0de3647e32b3b129e4ca3c329dd7584fa375366106b4c22c31c55f8c1ab94";

/// Expects that a node does not start, for a reason in these words, and that the folder stays
/// unchanged.
#[track_caller]
fn rejected(node: &TestNode, options: &[&str], words: &[&str]) {
    Blockchain::new(["node", "--port", "0", "--db"])
        .args([node.folder()])
        .args(options)
        .exits(1)
        .complains(words);
    assert_eq!(node.running(), None);
}

#[test]
fn the_difficulty_is_kept_and_lowered_with_a_warning() {
    let mut node = TestNode::start(&[]);
    assert_eq!(node.status().difficulty, 5);
    node.stop();
    // The difficulty may change freely until a block is mined.
    node.start_again(&["--difficulty", "6"]);
    assert!(!node.stop().contains("WARN"));
    node.start_again(&["--difficulty", "2"]);
    node.mine(&["at difficulty 2"]);
    let log = node.stop();
    assert!(
        log.contains("WARN")
            && log.contains("lowering the difficulty for good")
            && log.contains("from=6 to=2"),
        "{log}"
    );
    node.start_again(&[]);
    assert_eq!(node.status().difficulty, 2);
    assert!(!node.stop().contains("WARN"));
    node.start_again(&["--difficulty", "1"]);
    assert_eq!(node.status().difficulty, 1);
    node.stop();
    // The block meets difficulty 2, so the difficulty can be raised to it again.
    node.start_again(&["--difficulty", "2"]);
    assert_eq!(node.status().difficulty, 2);
}

#[test]
fn a_new_genesis_may_be_named_again_on_its_own_chain() {
    let own = ["--new-genesis=Class 8b"];
    let mut node = TestNode::start(&own);
    let genesis = node.status().genesis;
    node.stop();
    node.start_again(&own);
    assert_eq!(node.status().genesis, genesis);
    node.stop();
    rejected(
        &node,
        &["--new-genesis=Class 8c"],
        &["already has a chain", "--force-new-chain"],
    );
    rejected(&node, &["--new-genesis"], &["already has a chain"]);
    let mut documented = TestNode::start(&[]);
    documented.stop();
    rejected(&documented, &["--new-genesis"], &["already has a chain"]);
}

#[test]
fn a_difficulty_above_the_chain_is_rejected_naming_the_block() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one", "two"]);
    node.stop();
    rejected(
        &node,
        &["--difficulty", "20"],
        &[
            "the chain is invalid at difficulty 20",
            "block 1: breaks rule 4",
            "expected 20 or more",
            "the stored difficulty (1)",
        ],
    );
    node.start_again(&[]);
    assert_eq!((node.status().difficulty, node.status().length), (1, 3));
    assert!(!node.stop().contains("did not stop cleanly"));
}

#[test]
fn a_custom_genesis_is_for_a_new_folder_only() {
    let mut own = TestNode::start(&["--new-genesis", "--threads", "0"]);
    let mut named = TestNode::start(&["--new-genesis=our \"own\" é", "--threads", "0"]);
    let (first, second) = (own.status().genesis, named.status().genesis);
    assert!(first != DOCUMENTED && second != DOCUMENTED && first != second);
    let block: serde_json::Value = own.json("/blocks/0");
    assert_eq!(
        block["data"]["message"],
        "This is the workload of the very first Block in this chain!"
    );
    let block: serde_json::Value = named.json("/blocks/0");
    assert_eq!(block["data"]["message"], "our \"own\" é");
    assert!(named.stderr().contains(&second), "{}", named.stderr());
    own.stop();
    named.stop();
    rejected(
        &own,
        &["--new_genesis=again"],
        &["already has a chain", "use --new-genesis with a new folder"],
    );
    // The same start again is harmless.
    for options in [&["--new-genesis"][..], &[]] {
        own.start_again(options);
        assert_eq!(own.status().genesis, first);
        own.stop();
    }
}

#[test]
fn a_sealed_database_stays_sealed() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["sealed"]);
    node.stop();
    rejected(
        &node,
        &["--accept-open"],
        &["requires sealed blocks", "with a new folder"],
    );
    rejected(&node, &["--accept_open"], &["requires sealed blocks"]);
    rejected(&node, &["--proof", "open"], &["requires sealed blocks"]);
    rejected(
        &node,
        &["--require-sealed=2"],
        &[
            "must be sealed from index 1 on",
            "--require-sealed=2 would weaken this",
        ],
    );
    node.start_again(&["--require-sealed", "--proof", "sealed"]);
    assert_eq!(node.status().sealed_from, Some(1));
}

#[test]
fn open_proofs_need_a_network_that_accepts_them() {
    let mut node = TestNode::stopped();
    Blockchain::new(["node", "--port", "0", "--proof", "open", "--db"])
        .args([node.folder()])
        .exits(2)
        .complains(&["--proof open requires --accept-open"]);
    assert!(!node.folder().exists());
    node.start_again(&["--accept-open", "--proof", "open", "--difficulty", "3"]);
    assert!(
        node.stderr().contains("open proofs are accepted"),
        "{}",
        node.stderr()
    );
    node.mine(&["one", "two"]);
    // The documented search: the first that fits.
    let blocks: serde_json::Value = node.json("/blocks");
    let proofs = [&blocks["blocks"][1]["proof"], &blocks["blocks"][1]["seal"]];
    assert_eq!(proofs, ["3969", "open"]);
    node.stop();

    node.start_again(&["--proof", "sealed"]);
    assert_eq!(node.status().sealed_from, None);
    node.mine(&["three"]);
    let block: serde_json::Value = node.json("/blocks/3");
    assert_eq!(block["seal"], "sealed");
    node.stop();

    let words = ["block 1: not acceptable because the proof is open"];
    rejected(&node, &["--require-sealed=1"], &words);
    node.start_again(&["--require-sealed"]);
    assert_eq!(node.status().sealed_from, Some(4));
    node.mine(&["four"]);
    node.stop();
    rejected(&node, &["--accept-open"], &["requires sealed blocks"]);
    node.start_again(&["--require-sealed=3"]);
    assert_eq!(node.status().sealed_from, Some(3));
}

#[test]
fn a_node_waiting_for_its_genesis_block_reports_it() {
    let mut node = TestNode::stopped();
    let hash = "ab".repeat(32);
    // A port where no node is.
    node.spawn(&["--genesis", &hash, "--neighbours", "127.0.0.1:1"]);
    let line = wait_for("a word", || {
        let log = node.stderr();
        let mut lines = log.lines();
        let line = lines.find(|line| line.contains("waiting for a neighbour"))?;
        line.ends_with(&hash).then(|| line.to_owned())
    });
    for text in ["INFO", "the API starts when it is fetched"] {
        assert!(line.contains(text), "{line}");
    }
    assert_eq!(node.running(), None);
    node.kill();
}

#[test]
fn an_invalid_genesis_or_port_is_rejected() {
    let rejected = |option: &str, value: &str, why: &str| {
        Blockchain::new(["node", "--port", "0", "--db", "/nowhere", option, value])
            .exits(2)
            .complains(&[option, why]);
    };
    for genesis in ["", "c0f0de", "ANY", &"g".repeat(64)] {
        rejected("--genesis", genesis, "or the hash of a block");
    }
    for address in ["example.org", "http://example.org/", "[::1]"] {
        rejected("--advertise", address, "has no port; write HOST:PORT");
    }
}
