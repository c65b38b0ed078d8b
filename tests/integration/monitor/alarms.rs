//! Rewritten chains, reorgs and lies.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{Front, Watch, grow, lines, node_with, rewrite};
use crate::support::command::Blockchain;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

fn neighbours(of: &TestNode) -> [String; 2] {
    ["--neighbours".to_owned(), of.address().to_string()]
}

#[test]
fn growth_raises_no_alarm_and_the_kept_lines_verify() {
    let first = node_with(0, &[]);
    let options = neighbours(&first);
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    let second = TestNode::start(&[&["--difficulty", "1"], &options[..]].concat());
    let watch = Watch::new(&[first.address().to_string(), second.address().to_string()]);
    // The chain is empty first, has one block, and then grows.
    for poll in 0..100 {
        watch.polls(0);
        if poll % 4 == 0 {
            first.mine(&[&format!("entry {poll}")]);
        }
    }
    let kinds = watch.kinds();
    assert!(
        kinds
            .iter()
            .all(|kind| kind == "start" || kind == "advance"),
        "{kinds:?}"
    );
    assert!(watch.settled() >= 20);
    // The trust file of the monitor also proves receipts.
    let kept = watch.folder().join("kept.txt");
    let line = fs::read_to_string(&kept).unwrap();
    let index = line.lines().nth(1).unwrap().split(' ').nth(2).unwrap();
    let receipt = first.sibling("receipt.json");
    let get = first.command(["receipt", "get", "0", "--at", index]);
    get.args(["--output".as_ref(), receipt.as_os_str()])
        .exits(0);
    let verify = Blockchain::new(["receipt", "verify"])
        .args([&receipt])
        .args(["--trust"]);
    verify.args([&kept]).exits(0);
}

#[test]
fn a_reorg_of_one_block_is_a_notice() {
    let mut node = node_with(5, &[]);
    let front = Front::of(&node);
    let watch = Watch::of(&front);
    watch.polls(0);
    // Another node has the same chain except for its last block, and one block more.
    let chain = node.sibling("chain.ndjson");
    let export = node.command(["export", "--format", "ndjson"]);
    export
        .args(["--output".as_ref(), chain.as_os_str()])
        .exits(0);
    let text = fs::read_to_string(&chain).unwrap();
    let shorter: Vec<_> = text.lines().take(5).collect();
    let cut = node.sibling("cut.ndjson");
    fs::write(&cut, shorter.join("\n") + "\n").unwrap();
    let mut other = TestNode::stopped();
    let import = Blockchain::new(["import"]).args([&cut]).args(["--db"]);
    import.args([other.folder()]).exits(0);
    other.start_again(&[]);
    grow(&other, 2, "other");
    node.stop();
    let options = neighbours(&other);
    let options: Vec<_> = options.iter().map(String::as_str).collect();
    front.restart(&mut node, &options);
    wait_for("the reorg", || (node.status().reorgs == 1).then_some(()));
    watch.polls(0);
    assert_eq!(watch.kinds(), ["start", "reorg"]);
    let reorg = &watch.events()[1];
    assert_eq!(
        (&reorg["fork"], &reorg["disconnected"]),
        (&4.into(), &1.into())
    );
}

#[test]
fn a_rewritten_chain_is_an_alarm_with_both_branches_until_it_is_accepted() {
    let mut node = node_with(8, &[]);
    let front = Front::of(&node);
    let watch = Watch::of(&front);
    watch.polls(0);
    let old: Vec<Value> = node.json::<Value>("/blocks?limit=100")["blocks"]
        .as_array()
        .unwrap()
        .clone();
    let settled = watch.file("settled");
    rewrite(&front, &mut node, &mut node_with(11, &[]));

    let told: Value = watch.polls(1).json();
    assert_eq!(told["kind"], "rewrite");
    assert_eq!((&told["alarm"], &told["fork"]), (&true.into(), &0.into()));
    assert_eq!(
        (&told["disconnected"], &told["connected"]),
        (&8.into(), &11.into())
    );
    assert_eq!(told["settled"], settled.trim());
    assert_eq!(watch.polls(1).stdout, "", "it is told once");
    assert_eq!(watch.file("settled"), settled);

    let evidence = Path::new(told["evidence"].as_str().unwrap());
    assert_eq!(lines(&evidence.join("old.ndjson")), old);
    assert_eq!(lines(&evidence.join("new.ndjson")).len(), 12);
    let event: Value =
        serde_json::from_slice(&fs::read(evidence.join("event.json")).unwrap()).unwrap();
    for branch in ["old", "new"] {
        assert_eq!(event[branch]["verdict"], "valid", "{event}");
    }
    assert_eq!(event["truncated"], false);
    let offered = fs::read_to_string(evidence.join("offered.txt")).unwrap();
    assert_eq!(offered.lines().next(), told["offered"].as_str());

    // Only the new block at the settled index can be accepted.
    let offered: Vec<_> = offered.split(' ').collect();
    let wrong = watch.command(&["--accept", &"0".repeat(64)]).exits(1);
    assert!(wrong.stderr.contains("no node has block 0000"), "{wrong:?}");
    let accepted: Value = watch.command(&["--accept", offered[3]]).exits(0).json();
    assert_eq!(accepted["kind"], "accepted");
    watch.polls(0);
    watch.polls(0);
    assert_eq!(watch.kinds(), ["start", "rewrite", "accepted"]);
}

#[test]
fn a_proxy_that_alters_a_consistency_proof_is_a_contradiction() {
    let node = node_with(8, &[]);
    // The last digit of the last hash.
    let liar = super::liar(&node, "/api/v1/consistency", |file| {
        let at = file.rfind('"').unwrap() - 1;
        let digit = if &file[at..=at] == "0" { "1" } else { "0" };
        format!("{}{digit}{}", &file[..at], &file[at + 1..])
    });
    let watch = Watch::new(&[liar.address().to_string()]);
    let told = watch.polls(1).stdout;
    assert!(told.contains("\"kind\":\"contradiction\""), "{told}");
    // An honest node on the same list makes no difference.
    let watch = Watch::new(&[node.address().to_string(), liar.address().to_string()]);
    watch.polls(1);
    assert_eq!(watch.kinds(), ["start", "contradiction"]);
}

#[test]
fn a_proxy_that_alters_a_message_in_receipts_is_found_by_the_samples() {
    let node = node_with(20, &[]);
    let liar = super::liar(&node, "/api/v1/receipts", |file| {
        file.replace("entry 7", "entry 8")
    });
    let watch = Watch::new(&[liar.address().to_string()]);
    let polls = (1..=200).find(|_| {
        let found = watch.command(&["--once", "--sample", "2"]).exits_any();
        found == 1
    });
    assert!(polls.is_some(), "the altered block was never sampled");
    let event = watch.events().pop().unwrap();
    assert_eq!(event["kind"], "contradiction");
    assert!(
        event["message"].as_str().unwrap().contains("block 7"),
        "{event}"
    );
    watch.polls(1);
}

#[test]
fn a_message_that_looks_like_a_command_is_never_run() {
    let mut node = node_with(4, &[]);
    grow(&node, 1, "$(touch x) `touch x` \u{1b}[2J");
    let front = Front::of(&node);
    let watch = Watch::of(&front);
    watch.polls(0);
    let mut other = node_with(6, &[]);
    grow(&other, 1, "$(touch x) `touch x`");
    rewrite(&front, &mut node, &mut other);
    let told = watch.root.path().join("told");
    let command = format!("cd {} && cat > told", watch.root.path().display());
    watch.command(&["--once", "--exec", &command]).exits(1);
    assert!(fs::read_to_string(told).unwrap().contains("\"rewrite\""));
    let left: Vec<_> = fs::read_dir(watch.root.path()).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}
