//! Nodes of different networks: each reports the difference with the remedy; and how one joins the
//! network of the other.

use blockchain::wire::{ReorgPage, Status};

use crate::support::test_node::TestNode;
use crate::support::wait_for;

const QUICK: [&str; 4] = ["--chain-interval", "200ms", "--data-interval", "200ms"];

fn start(options: &[&str], known: &[&TestNode]) -> TestNode {
    let known: Vec<_> = known
        .iter()
        .map(|node| node.address().to_string())
        .collect();
    let known = ["--neighbours", &known.join(",")];
    TestNode::start(&[options, &QUICK, &known].concat())
}

fn difference(node: &TestNode) -> String {
    wait_for("a difference", || {
        let status: Status = node.status();
        status.sync.differences.first().cloned()
    })
}

#[track_caller]
fn both_say(one: &TestNode, other: &TestNode, texts: &[&str]) {
    for node in [one, other] {
        let said = difference(node);
        for text in texts {
            assert!(said.contains(text), "no {text:?} in {said:?}");
        }
    }
}

#[test]
fn another_difficulty_is_reported_by_both_nodes() {
    let one = start(&["--difficulty", "1"], &[]);
    let other = start(&["--difficulty", "2"], &[&one]);
    both_say(&one, &other, &["different difficulty", "--difficulty"]);
    // Blocks of the higher difficulty are valid at the lower one.
    other.mine(&["held at both"]);
    wait_for("the block", || (one.status().length == 2).then_some(()));
}

#[test]
fn another_seal_rule_is_reported_by_both_nodes() {
    let one = start(&["--difficulty", "1"], &[]);
    let other = start(
        &["--difficulty", "1", "--accept-open", "--proof", "open"],
        &[&one],
    );
    both_say(&one, &other, &["different seal rule", "--require-sealed"]);
    other.mine(&["open"]);
    wait_for("the rejection", || {
        difference(&one)
            .contains("open; from index 1")
            .then_some(())
    });
    assert_eq!(one.status().length, 1);
    // Both nodes accept sealed blocks.
    one.mine(&["sealed", "sealed, too"]);
    wait_for("the longer chain", || {
        (other.status().length == 4).then_some(())
    });
}

#[test]
fn another_genesis_is_reported_by_both_nodes_and_can_be_joined() {
    let one = start(&["--difficulty", "1", "--new-genesis=ours"], &[]);
    let other = start(&["--difficulty", "1"], &[&one]);
    both_say(&one, &other, &["different genesis block", "--genesis"]);
    one.mine(&["a", "b"]);
    assert_eq!(other.status().length, 1);
    let genesis = one.status().genesis;
    let joined = start(
        &["--difficulty", "1", "--genesis", &genesis.to_uppercase()],
        &[&one],
    );
    wait_for("the chain", || {
        (joined.status().tip.hash == one.status().tip.hash).then_some(())
    });
    assert_eq!(joined.status().genesis, genesis);
}

#[test]
fn a_reorg_above_max_reorg_is_rejected_and_a_smaller_one_recorded() {
    let mut short = start(&["--difficulty", "1"], &[]);
    short.mine(&["a", "b", "c"]);
    let long = start(&["--difficulty", "1", "--max-reorg", "2"], &[]);
    long.mine(&["1", "2", "3", "4"]);
    short.stop();
    let known = long.address().to_string();
    let neighbour = [
        "--neighbours",
        &known,
        "--difficulty",
        "1",
        "--max-reorg",
        "2",
    ];
    short.start_again(&[&neighbour[..], &QUICK].concat());
    let said = difference(&short);
    assert!(
        said.contains("would disconnect 3 blocks, more than the 2 allowed by --max-reorg"),
        "{said}"
    );
    assert_eq!(short.status().length, 4);
    short.stop();
    short.start_again(&[&neighbour[..4], &QUICK].concat());
    wait_for("one chain with all messages", || {
        let (one, other) = (short.status(), long.status());
        (one.tip.hash == other.tip.hash && one.length == 8).then_some(())
    });
    let page: ReorgPage = short.json("/reorgs");
    let reorg = page.reorgs.last().unwrap();
    assert_eq!((reorg.from, reorg.disconnected, reorg.returned), (1, 3, 3));
    assert_eq!(reorg.source, known);
    assert_eq!(reorg.left.len(), 3);
}
