//! Rounds against simulated nodes.
//!
//! * `simulated`: a node that serves any chain, and can lie
//! * `world`: a monitor of simulated nodes with its folder and clock
//! * `kills`: a monitor that is killed between any two of its writes

mod kills;
pub(super) mod simulated;
mod world;

use std::path::Path;

use serde_json::Value;

use self::simulated::{Chain, SimulatedNode};
use self::world::World;
use crate::proofs::checkpoint::read_trust_file;
use crate::wire::Block;

fn blocks_of(folder: &str, name: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(Path::new(folder).join(name)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn event_file(folder: &str) -> Value {
    let text = std::fs::read_to_string(Path::new(folder).join("event.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[tokio::test]
async fn a_growing_chain_moves_the_settled_checkpoint_and_raises_no_alarm() {
    let mut chain = Chain::new(1);
    let node = SimulatedNode::new("a:1", &chain);
    let mut world = World::new(&[&node], 2);
    for length in 1..40 {
        chain.grow_to(length, 0);
        *node.chain.borrow_mut() = chain.clone();
        assert_eq!(world.round().await, 0);
        let settled = world.settled();
        assert_eq!(settled, chain.checkpoint(chain.tip().saturating_sub(2)));
        world.now += 61;
    }
    assert_eq!(world.kinds(), [&["start"][..], &["advance"; 36]].concat());
    let kept = read_trust_file(&world.file("kept.txt")).unwrap();
    assert_eq!(kept.len(), 37);
    for (_, kept) in kept {
        assert_eq!(kept, chain.checkpoint(kept.index));
    }
    assert_eq!(world.file("recent.ndjson").lines().count(), 39);
}

#[tokio::test]
async fn a_reorg_within_the_depth_is_a_notice() {
    let chain = Chain::new(8);
    let node = SimulatedNode::new("a:1", &chain);
    let mut world = World::new(&[&node], 2);
    assert_eq!(world.round().await, 0);
    *node.chain.borrow_mut() = chain.forked(7, 9);
    assert_eq!(world.round().await, 0);
    assert_eq!(world.kinds(), ["start", "reorg"]);
    let event = &world.events()[1];
    assert_eq!(
        (&event["fork"], &event["connected"]),
        (&6.into(), &2.into())
    );
    assert_eq!(event["alarm"], false);
}

#[tokio::test]
async fn a_rewrite_is_told_once_kept_with_both_branches_and_stands_until_it_is_accepted() {
    let chain = Chain::new(12);
    let node = SimulatedNode::new("a:1", &chain);
    let mut world = World::new(&[&node], 2);
    assert_eq!(world.round().await, 0);
    let settled = world.settled();
    let other = chain.forked(4, 15);
    *node.chain.borrow_mut() = other.clone();
    for _ in 0..3 {
        assert_eq!(world.round().await, 1);
        world.restart();
    }
    assert_eq!(world.settled(), settled, "it stays");
    assert_eq!(world.kinds(), ["start", "rewrite"]);
    let event = &world.events()[1];
    assert_eq!(event["settled"], settled.to_string());
    assert_eq!(event["offered"], other.checkpoint(9).to_string());
    assert_eq!(
        (&event["fork"], &event["disconnected"]),
        (&3.into(), &8.into())
    );
    assert_eq!(event["connected"], 11);
    let folder = event["evidence"].as_str().unwrap();
    assert_eq!(blocks_of(folder, "old.ndjson"), chain.rendered()[3..]);
    assert_eq!(blocks_of(folder, "new.ndjson"), other.rendered()[3..]);
    let file = event_file(folder);
    for (branch, count) in [("old", 8), ("new", 11)] {
        assert_eq!(file[branch]["verdict"], "valid", "{file}");
        assert_eq!(file[branch]["sealed"], count);
    }
    let read = |name: &str| std::fs::read_to_string(Path::new(folder).join(name)).unwrap();
    // Only the folder says what was known, and since when.
    let kept = read("kept.txt");
    let trusted = read_trust_file(&kept).unwrap();
    assert_eq!(trusted, [(2, settled), (4, chain.checkpoint(11))]);
    assert!(
        kept.contains("# the tip of a:1 since 2023-11-14T22:13:20Z\n"),
        "{kept}"
    );
    assert_eq!(
        read("offered.txt"),
        format!("{}\n{}\n", other.checkpoint(9), other.checkpoint(14))
    );
    // The alarm is told again after a day, with the same evidence.
    world.now += 24 * 3600;
    assert_eq!(world.round().await, 1);
    assert_eq!(world.kinds(), ["start", "rewrite", "rewrite"]);
    assert_eq!(world.events()[2]["evidence"], folder);
    assert!(world.accept(&other.hash(8)).await.is_err());
    assert!(world.accept(&chain.hash(9)).await.is_err());
    world.accept(&other.hash(9)).await.unwrap();
    assert_eq!(world.round().await, 0);
    assert_eq!(world.settled(), other.checkpoint(12));
    assert!(
        !world
            .kinds()
            .iter()
            .any(|kind| kind == "recovered" || kind == "reorg")
    );
    // The kept lines of the old branch are no longer trusted, and the file is still one.
    let kept = read_trust_file(&world.file("kept.txt")).unwrap();
    assert!(
        kept.iter()
            .all(|(_, kept)| *kept == other.checkpoint(kept.index))
    );
}

#[tokio::test]
async fn a_shorter_chain_is_behind_or_a_rewrite() {
    let chain = Chain::new(12);
    let (node, second) = (
        SimulatedNode::new("a:1", &chain),
        SimulatedNode::new("b:1", &chain),
    );
    let mut world = World::new(&[&node, &second], 2);
    assert_eq!(world.round().await, 0);
    node.chain.borrow_mut().blocks.truncate(5);
    assert_eq!(world.round().await, 0);
    assert_eq!(world.kinds(), ["start", "behind"]);
    world.now += 600;
    assert_eq!(world.round().await, 1);
    assert_eq!(world.kinds(), ["start", "behind", "stall"]);
    *node.chain.borrow_mut() = chain.clone();
    assert_eq!(world.round().await, 0);
    *node.chain.borrow_mut() = chain.forked(3, 6);
    assert_eq!(world.round().await, 1);
    assert_eq!(world.kinds()[3..], ["recovered", "split"]);
    let event = &world.events()[4];
    assert_eq!(
        (&event["offered"], &event["fork"]),
        (&Value::Null, &2.into())
    );
    assert_eq!(event["other"], "b:1");
    let hash = node.chain.borrow().hash(5);
    world.accept(&hash).await.unwrap();
}

#[tokio::test]
async fn nodes_that_serve_different_histories_are_a_split_that_names_both() {
    let chain = Chain::new(10);
    let (a, b) = (
        SimulatedNode::new("a:1", &chain),
        SimulatedNode::new("b:1", &chain),
    );
    let mut world = World::new(&[&a, &b], 2);
    assert_eq!(world.round().await, 0);
    let settled = world.settled();
    let other = chain.forked(6, 14);
    *b.chain.borrow_mut() = other.clone();
    assert_eq!(world.round().await, 1);
    // The node with the kept history is away for a while: no second alarm about the other one.
    a.is_silent.set(true);
    assert_eq!(world.round().await, 1);
    a.is_silent.set(false);
    assert_eq!(world.round().await, 1);
    assert_eq!(
        world.kinds(),
        ["start", "split", "unreachable", "recovered"]
    );
    let split = &world.events()[1];
    assert_eq!(
        (&split["node"], &split["other"]),
        (&"b:1".into(), &"a:1".into())
    );
    let folder = split["evidence"].as_str().unwrap();
    assert_eq!(blocks_of(folder, "old.ndjson"), chain.rendered()[5..]);
    assert_eq!(blocks_of(folder, "new.ndjson"), other.rendered()[5..]);
    assert_eq!(world.settled(), settled);
    *b.chain.borrow_mut() = chain;
    assert_eq!(world.round().await, 0);
    assert_eq!(world.kinds().last().unwrap(), "recovered");
}

#[tokio::test]
async fn nodes_that_part_above_the_settled_checkpoint_hold_it_until_they_agree() {
    let chain = Chain::new(8);
    let (a, b) = (
        SimulatedNode::new("a:1", &chain),
        SimulatedNode::new("b:1", &chain),
    );
    let mut world = World::new(&[&a, &b], 2);
    assert_eq!(world.round().await, 0);
    let settled = world.settled();
    let (mut left, right) = (chain.clone(), chain.forked(7, 13));
    left.grow_to(12, 0);
    *a.chain.borrow_mut() = left;
    *b.chain.borrow_mut() = right.clone();
    assert_eq!(world.round().await, 1);
    assert_eq!(world.kinds(), ["start", "reorg", "split"]);
    assert_eq!(world.settled(), settled, "neither branch is settled");
    *a.chain.borrow_mut() = right.clone();
    world.round().await;
    assert_eq!(world.round().await, 0);
    assert_eq!(world.settled(), right.checkpoint(10));
}

#[tokio::test]
async fn lies_are_contradictions() {
    let chain = Chain::new(12);
    let node = SimulatedNode::new("a:1", &chain);
    let mut world = World::new(&[&node], 2);
    assert_eq!(world.round().await, 0);
    // One digit of a hash in the proof.
    node.alter.set(|what, file| match what {
        "consistency" => {
            let at = file.rfind("\"path\"").unwrap() + 12;
            let digit = if &file[at..=at] == "0" { "1" } else { "0" };
            format!("{}{digit}{}", &file[..at], &file[at + 1..])
        }
        _ => file,
    });
    assert_eq!(world.round().await, 1);
    assert_eq!(world.kinds(), ["start", "contradiction"]);
    let folder = world.events()[1]["evidence"].as_str().unwrap().to_owned();
    assert!(Path::new(&folder).join("response.json").exists());
    // A message in a receipt.
    node.alter.set(|what, file| match what {
        "receipts" => file.replace("message 3 of", "message 33 of"),
        _ => file,
    });
    for _ in 0..60 {
        world.round().await;
    }
    assert_eq!(world.round().await, 1);
    // The alarm stands while that block cannot be proven, even if others can.
    let kinds = world.kinds();
    assert_eq!(
        kinds,
        ["start", "contradiction", "recovered", "contradiction"]
    );
    assert!(
        world.events()[3]["message"]
            .as_str()
            .unwrap()
            .contains("block 3")
    );
    node.alter.set(|_, file| file);
    assert_eq!(world.round().await, 0);
}

#[tokio::test]
async fn a_block_that_breaks_a_rule_is_a_contradiction() {
    let chain = Chain::new(6);
    let node = SimulatedNode::new("a:1", &chain);
    let mut world = World::new(&[&node], 2);
    assert_eq!(world.round().await, 0);
    let mut forged = Chain::new(1);
    forged.blocks = chain.blocks.clone();
    forged.grow_to(8, 0);
    let last = forged.blocks.last_mut().unwrap();
    last.message = crate::chain::Message::new(last.message.id(), "forged".to_owned()).unwrap();
    *node.chain.borrow_mut() = forged;
    assert_eq!(world.round().await, 1);
    let event = world.events().pop().unwrap();
    assert_eq!(event["kind"], "contradiction");
    assert!(
        event["message"]
            .as_str()
            .unwrap()
            .contains("seal is broken"),
        "{event}"
    );
    assert_eq!(world.file("recent.ndjson").lines().count(), 6);
}

#[tokio::test]
async fn silence_stalls_and_other_networks_are_edges() {
    let chain = Chain::new(5);
    let (a, b) = (
        SimulatedNode::new("a:1", &chain),
        SimulatedNode::new("b:1", &chain),
    );
    let mut world = World::new(&[&a, &b], 2);
    assert_eq!(world.round().await, 0);
    a.is_silent.set(true);
    assert_eq!(world.round().await, 3, "unreachable alone");
    a.is_silent.set(false);
    b.pending.set(1);
    assert_eq!(world.round().await, 0);
    world.now += 599;
    world.restart();
    assert_eq!(world.round().await, 0);
    world.now += 1;
    a.is_silent.set(true);
    assert_eq!(world.round().await, 1, "with another alarm");
    a.is_silent.set(false);
    b.pending.set(0);
    let mut elsewhere = chain.clone();
    elsewhere.blocks[0] =
        crate::chain::Block::genesis(1.0, crate::chain::MessageId::random(), String::new())
            .unwrap();
    *a.chain.borrow_mut() = elsewhere;
    assert_eq!(world.round().await, 1);
    *a.chain.borrow_mut() = chain;
    assert_eq!(world.round().await, 0);
    let mut kinds = world.kinds();
    kinds.retain(|kind| kind != "recovered");
    assert_eq!(
        kinds,
        [
            "start",
            "unreachable",
            "unreachable",
            "stall",
            "other_network"
        ]
    );
}
