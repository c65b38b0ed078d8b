//! Chains that must not be followed, or not yet.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{
    MARKER, Scene, blocks_of, chain_above, fake_peer, genesis, good_node, peer_with_override,
    poison, switchable_peer,
};
use crate::support::chain::{ChainBuilder, ProofKind, with_text};
use crate::support::fake_nodes::{FakeNode, frames};
use crate::support::fake_peer::{FakePeer, Step, head, response};
use crate::support::random::SeededRng;
use crate::support::wait_for;
use blockchain::chain::{Block, MessageId};

#[test]
fn a_broken_block_in_a_long_chain_ends_it_there() {
    let mut blocks = chain_above(&genesis(), 2502, ProofKind::Sealed).blocks;
    blocks[2501] = with_text(&blocks[2501], "changed");
    let (bad, turn) = switchable_peer(FakeNode::new(&genesis()));
    let scene = Scene::with_bad_peer(&bad);
    turn(FakeNode::new(&blocks));
    // A branch that forks below the tip is followed as a whole or not at all.
    scene.wait_until_held_off("block 2501: not acceptable because the seal is broken");
    scene.assert_unharmed();
    assert_eq!(scene.node.status().length, 3);
    // Valid blocks above the tip of the node stay.
    let good = good_node(&[]);
    let mut blocks = chain_above(&blocks_of(&good), 2502, ProofKind::Sealed).blocks;
    let last = blocks.len() - 1;
    blocks[last] = with_text(&blocks[last], "changed");
    let bad = fake_peer(&blocks);
    let scene = Scene::with(good, &[bad], &[]);
    scene.wait_until_rejected(0, "the seal is broken", |listed| listed.failures > 0);
    let kept = blocks_of(&scene.node);
    assert!(kept.len() > 900 && kept.len() < blocks.len());
    assert!(blocks.starts_with(&kept));
}

#[test]
fn a_chain_with_every_message_changed_is_rejected() {
    let good = good_node(&[]);
    good.mine(&["two", "three"]);
    let copy: Vec<_> = {
        let mut builder = ChainBuilder::new(&genesis());
        for block in &blocks_of(&good)[1..] {
            let mut block = with_text(block, &format!("{MARKER} {}", block.index));
            let link = block.link.as_mut().unwrap();
            link.previous_hash = builder.tip().hash;
            builder.push(block);
        }
        // One block more makes it the longer chain.
        let mut rng = SeededRng::new(1);
        builder.mine(poison(&mut rng), ProofKind::Sealed);
        builder.blocks
    };
    let bad = fake_peer(&copy);
    let scene = Scene::with(good, &[bad], &[]);
    scene.wait_until_held_off("the seal is broken");
    scene.assert_unharmed();
}

#[test]
fn an_open_chain_of_any_length_is_rejected_where_blocks_are_sealed() {
    let blocks = chain_above(&genesis(), 1500, ProofKind::Open).blocks;
    let bad = fake_peer(&blocks);
    let scene = Scene::with_bad_peer(&bad);
    scene.wait_until_held_off("the proof is open");
    scene.assert_unharmed();
}

#[test]
fn a_chain_of_another_genesis_is_another_network() {
    let other = Block::genesis(1e9, MessageId::random(), "another".to_owned()).unwrap();
    let blocks = chain_above(&[other], 1500, ProofKind::Sealed).blocks;
    let bad = fake_peer(&blocks);
    let scene = Scene::with_bad_peer(&bad);
    scene.wait_until_rejected_without_failure("different genesis block");
    scene.assert_unharmed();
    let asked = bad.count("GET", "/api/v1/blocks");
    bad.wait_for_requests("GET", "/api/v1/status", 4);
    assert_eq!(bad.count("GET", "/api/v1/blocks"), asked, "fetched again");
    assert!(scene.node.status().sync.differences[0].contains("different genesis block"));
    // The peer claims the genesis block of the node, but its blocks have another one.
    let liar = FakeNode::new(&blocks);
    let liar = liar.with("/genesis", scene.node.status().genesis);
    let scene = Scene::with_bad_peer(&FakePeer::start(move |request| liar.response(request)));
    scene.wait_until_rejected(0, "different genesis block", |_| true);
    scene.assert_unharmed();
}

/// Hours from now, in seconds since the epoch.
fn hours_ahead(hours: u64) -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    (now + Duration::from_secs(hours * 3600)).as_secs_f64()
}

/// Mines a block whose timestamp is hours ahead.
fn push_ahead(builder: &mut ChainBuilder, hours: u64) {
    let time = hours_ahead(hours);
    builder.mine_at(poison(&mut SeededRng::new(hours)), ProofKind::Sealed, time);
}

#[test]
fn future_blocks_are_held_back_without_penalty() {
    let good = good_node(&[]);
    let held = blocks_of(&good);
    // The future block is above the tip of the node, is a branch, or ends a branch that is not
    // better without it.
    let mut above = ChainBuilder::new(&held);
    push_ahead(&mut above, 3);
    let mut branch = ChainBuilder::new(&genesis());
    push_ahead(&mut branch, 3);
    branch.mine(poison(&mut SeededRng::new(1)), ProofKind::Sealed);
    let tied = (0..).map(|seed| {
        let mut tied = ChainBuilder::new(&genesis());
        tied.mine(poison(&mut SeededRng::new(seed)), ProofKind::Sealed);
        tied
    });
    let lower = ChainBuilder::new(&held).tip().hash;
    let mut tied = tied
        .into_iter()
        .find(|tied| tied.tip().hash > lower)
        .unwrap();
    push_ahead(&mut tied, 3);
    let (bad, turn): (Vec<_>, Vec<_>) = (0..3)
        .map(|_| switchable_peer(FakeNode::new(&genesis())))
        .unzip();
    let scene = Scene::with(good, &bad, &[]);
    for (turn, builder) in turn.iter().zip([above, branch, tied]) {
        turn(FakeNode::new(&builder.blocks));
    }
    for bad in &bad {
        // The node keeps asking for the blocks.
        let asked = bad.count("GET", "/api/v1/blocks");
        wait_for("another round", || {
            (bad.count("GET", "/api/v1/blocks") > asked + 2).then_some(())
        });
    }
    for which in 0..bad.len() {
        let listed = scene.listed(which);
        assert_eq!(
            (listed.failures, &listed.refused),
            (0, &None),
            "{which}: {listed:?}"
        );
    }
    scene.assert_unharmed();
}

#[test]
fn a_block_one_hour_ahead_is_accepted() {
    let good = good_node(&[]);
    let mut builder = ChainBuilder::new(&blocks_of(&good));
    push_ahead(&mut builder, 1);
    let scene = Scene::with(good, &[fake_peer(&builder.blocks)], &[]);
    wait_for("the block", || {
        (scene.node.status().length == 3).then_some(())
    });
}

#[test]
fn a_timestamp_that_is_not_finite_is_rejected() {
    let blocks = chain_above(&genesis(), 3, ProofKind::Sealed).blocks;
    let time = blocks[2].timestamp.seconds();
    let good_frames = frames(&blocks);
    let bad = [f64::NAN, f64::INFINITY, -f64::INFINITY].map(|invalid| {
        let mut bytes = good_frames.clone();
        let place = bytes
            .windows(8)
            .position(|window| window == time.to_le_bytes());
        let place = place.unwrap();
        bytes[place..place + 8].copy_from_slice(&invalid.to_le_bytes());
        peer_with_override(FakeNode::new(&blocks), "/api/v1/blocks", move |_| {
            response(200, &[], &*bytes)
        })
    });
    let scene = Scene::with_bad_peers(&bad);
    scene.wait_until_held_off("not well-formed");
    scene.assert_unharmed();
}

#[test]
fn frames_that_lie_about_their_length_are_rejected() {
    let blocks = chain_above(&genesis(), 3, ProofKind::Sealed).blocks;
    let good = frames(&blocks);
    let longest = [&u32::MAX.to_be_bytes()[..], &good].concat();
    let empty = [&[0; 4][..], &good].concat();
    let cut = good[..good.len() - 1].to_vec();
    let stray = [&good[..], &[1, 2]].concat();
    let mut inside = good.clone();
    // Offset of the length of the text in the first block; the length becomes that of an address
    // space.
    let place = inside
        .windows(4)
        .position(|window| window == b"This")
        .unwrap();
    inside[place - 1] = 253;
    let bodies = [longest, empty, cut, stray, inside];
    let mut bad: Vec<_> = bodies
        .map(|body| {
            peer_with_override(FakeNode::new(&blocks), "/api/v1/blocks", move |_| {
                response(200, &[], &*body)
            })
        })
        .into();
    // More blocks than requested, other blocks, and a head that announces too many bytes.
    let many = frames(&chain_above(&genesis(), 1100, ProofKind::Open).blocks);
    bad.push(peer_with_override(
        FakeNode::new(&blocks),
        "/api/v1/blocks",
        move |_| response(200, &[], &*many),
    ));
    let shifted = frames(&blocks[2..]);
    bad.push(peer_with_override(
        FakeNode::new(&blocks),
        "/api/v1/blocks",
        move |_| response(200, &[], &*shifted),
    ));
    let scene = Scene::with_bad_peers(&bad);
    scene.wait_until_held_off("invalid response");
    scene.assert_unharmed();
    let promising = peer_with_override(FakeNode::new(&blocks), "/api/v1/blocks", move |_| {
        vec![head(200, &[], Some(u64::MAX)), Step::Bytes(MARKER.into())]
    });
    let scene = Scene::with_bad_peer(&promising);
    scene.wait_until_held_off("");
    scene.assert_unharmed();
}
