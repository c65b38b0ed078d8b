//! Chains and messages of a reference miner that are taken.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Pair, fixture};
use crate::peers::{BLOCK_TIMEOUT, chain_above, genesis, poison};
use crate::support::chain::{ChainBuilder, ProofKind};
use crate::support::fake_nodes::{FakeReferenceMiner, chain_text};
use crate::support::random::SeededRng;
use crate::support::wait_for;
use blockchain::chain::{Block, Message};
use blockchain::wire::{Reorg, ReorgPage};

#[test]
fn a_longer_chain_is_followed_whoever_wrote_it() {
    for name in [
        "json_3.chain",
        "json_3_py311_jsonpickle1.4.1.chain",
        "json_odd.chain",
    ] {
        let pair = Pair::start(FakeReferenceMiner {
            chain: fixture(name),
            ..FakeReferenceMiner::default()
        });
        wait_for(name, || (pair.node.status().length > 1).then_some(()));
        assert_eq!(pair.listed().failures, 0);
    }
}

#[test]
fn messages_of_a_losing_branch_become_pending() {
    let ours = chain_above(&genesis(), 5, ProofKind::Open).blocks;
    let pair = Pair::start(FakeReferenceMiner::new(&ours));
    pair.follows(&ours);
    let mut losing = ChainBuilder::new(&ours[..3]);
    let mut rng = SeededRng::new(77);
    let messages: Vec<_> = (0..2)
        .map(|number| Message::new(rng.id(), format!("rescued {number}")).unwrap())
        .collect();
    for message in &messages {
        losing.mine(message.clone(), ProofKind::Open);
    }
    pair.turn(FakeReferenceMiner::new(&losing.blocks));
    wait_for("both messages", || {
        let texts: Vec<_> = pair
            .node
            .pending()
            .into_iter()
            .map(|one| one.message)
            .collect();
        (texts == ["rescued 0", "rescued 1"]).then_some(())
    });
    assert_eq!(pair.node.status().tip.index, 5);
    assert_eq!(pair.listed().failures, 0);
    // Messages of a disconnected branch are pending, too.
    let winning = chain_above(&losing.blocks, 4, ProofKind::Sealed).blocks;
    pair.turn(FakeReferenceMiner::new(&winning));
    pair.follows(&winning);
    let mut texts: Vec<_> = pair
        .node
        .pending()
        .into_iter()
        .map(|one| one.message)
        .collect();
    texts.sort();
    let mut left: Vec<_> = ours[3..]
        .iter()
        .map(|block| block.message.text().to_owned())
        .collect();
    left.sort();
    // The branch shares the ids of some of its messages with ours.
    left.retain(|text| !winning.iter().any(|block| block.message.text() == text));
    assert_eq!(texts, left);
    let reorgs: ReorgPage = pair.node.json("/reorgs");
    let [
        Reorg {
            disconnected: 3, ..
        },
    ] = reorgs.reorgs[..]
    else {
        panic!("{reorgs:?}");
    };
}

#[test]
fn pending_messages_are_taken_once() {
    let message = poison(&mut SeededRng::new(1));
    let mut pending = vec![message.clone(); 3];
    pending.push(Message::new(message.id(), "another text".to_owned()).unwrap());
    pending.push(Message::new(SeededRng::new(2).id(), String::new()).unwrap());
    let reference = FakeReferenceMiner::new(&genesis());
    let pair = Pair::start(FakeReferenceMiner {
        pending,
        ..reference
    });
    pair.rounds("GET", "/data", 3);
    let pending = pair.node.pending();
    assert_eq!(pending.len(), 1, "{pending:?}");
    assert_eq!(pending[0].id, message.id().to_string());
}

#[test]
fn a_future_block_is_held_back_without_penalty() {
    let blocks = chain_above(&genesis(), 2, ProofKind::Open).blocks;
    let pair = Pair::start(FakeReferenceMiner::new(&blocks));
    pair.follows(&blocks);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    for below in [&blocks[..], &blocks[..2]] {
        let mut ahead = ChainBuilder::new(below);
        ahead.mine_at(
            poison(&mut SeededRng::new(9)),
            ProofKind::Open,
            now + 3.0 * 3600.0,
        );
        ahead.mine(poison(&mut SeededRng::new(10)), ProofKind::Open);
        let before = pair.miner.count("GET", "/chain");
        pair.turn(FakeReferenceMiner::new(&ahead.blocks));
        wait_for("the chain to be fetched", || {
            (pair.miner.count("GET", "/chain") > before).then_some(())
        });
        // Later rounds show that the chain was judged and its miner is not held off.
        pair.rounds("HEAD", "/chain", 3);
        let listed = pair.listed();
        assert_eq!((listed.failures, listed.refused), (0, None));
        assert_eq!(pair.node.status().length, 3);
    }
    // The node asks for omitted blocks again, even if nothing else has changed.
    let mut soon = ChainBuilder::new(&blocks);
    soon.mine_at(
        poison(&mut SeededRng::new(9)),
        ProofKind::Open,
        now + 7200.0 + 2.5,
    );
    pair.turn(FakeReferenceMiner::new(&soon.blocks));
    pair.follows(&soon.blocks);
}

/// Memory that the database keeps pages in; as much again is left to the rest.
const CACHE: u64 = 48 * 1024 * 1024;

#[test]
fn long_messages_are_staged_in_bounded_memory() {
    let mut builder = ChainBuilder::new(&genesis());
    let mut rng = SeededRng::new(1);
    for _ in 0..240 {
        let text = "x".repeat(250_000);
        builder.mine(Message::new(rng.id(), text).unwrap(), ProofKind::Open);
    }
    let chain = chain_text(&builder.blocks);
    let pair = Pair::start(FakeReferenceMiner::new(&genesis()));
    let before = pair.node.resident();
    pair.turn(FakeReferenceMiner {
        chain,
        ..FakeReferenceMiner::default()
    });
    let mut most = None;
    let begin = std::time::Instant::now();
    while pair.node.status().length == 1 && begin.elapsed() < 8 * BLOCK_TIMEOUT {
        most = most.max(pair.node.resident());
        // A sampling interval.
        std::thread::sleep(Duration::from_millis(5));
    }
    pair.follows(&builder.blocks);
    if let (Some(before), Some(most)) = (before, most) {
        assert!(most < before + 2 * CACHE, "{before} before, up to {most}");
    }
}

#[test]
fn the_genesis_of_a_longer_chain_is_adopted_after_the_first_round() {
    use crate::peers::{SHORT_INTERVALS, fake_peer};
    use crate::support::test_node::TestNode;
    let other = Block::genesis(1e9, SeededRng::new(4).id(), "another".to_owned()).unwrap();
    let blocks = chain_above(&[other], 3, ProofKind::Sealed).blocks;
    let peer = fake_peer(&blocks);
    let address = peer.address().to_string();
    let options = [
        &SHORT_INTERVALS[..],
        &["--accept-open", "--neighbours", &address],
    ]
    .concat();
    let node = TestNode::start(&options);
    wait_for("its chain", || (node.status().length == 4).then_some(()));
}
