use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64};

use tempfile::TempDir;

use super::*;
use crate::chain::{Message, MessageId};
use crate::clock::SystemClock;
use crate::node::Executor;
use crate::node::miner::{MiningParams, MiningTip};
use crate::node::settings::{PeerSettings, ProofMode, Settings};
use crate::pow::Difficulty;
use crate::store::{Adoption, Network, Store};

pub(in crate::node) fn node() -> (TempDir, Arc<Node>) {
    node_with(Executor::Pool)
}

pub(in crate::node) fn node_with(executor: Executor) -> (TempDir, Arc<Node>) {
    let network = Network {
        difficulty: Difficulty::MIN,
        sealed_from: None,
    };
    let settings = Settings {
        threads: None,
        proof: ProofMode::Open,
        snapshot: None,
        peers: PeerSettings::default(),
        add_rate: None,
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("node.redb");
    Store::create(&path, &Block::default_genesis(), network).unwrap();
    let node = Node::open(&path, 0, settings, Arc::new(SystemClock), executor).unwrap();
    (folder, Arc::new(node))
}

/// Mines blocks with this text above the first `common` blocks of the node.
pub(in crate::node) fn mined(node: &Node, common: u64, count: usize, text: &str) -> Vec<Block> {
    let view = node.view().unwrap();
    let tip = Tip::of(&view.block(common - 1).unwrap().unwrap());
    let mut mining_tip = MiningTip::new(tip, view.history(common).unwrap());
    let params = MiningParams {
        proof: ProofMode::Open,
        difficulty: Difficulty::MIN,
        threads: NonZeroUsize::MIN,
        stop: &AtomicBool::new(false),
        tries: &AtomicU64::new(0),
    };
    let mut block = |_| {
        let message = Message::new(MessageId::random(), text.to_owned()).unwrap();
        mining_tip.mine(message, 0.0, &params).unwrap()
    };
    (0..count).map(&mut block).collect()
}

/// Appends blocks to the chain of the node.
pub(in crate::node) fn append(node: &Node, blocks: Vec<Block>) {
    let tip = node.state().tip.hash;
    node.write(|reply| Operation::Append(tip, blocks, reply))
        .unwrap();
}

/// Switches to a longer branch that shares `common` blocks.
pub(in crate::node) fn switch(node: &Node, common: u64) {
    let count = usize::try_from(node.state().length() - common).unwrap() + 1;
    let blocks = mined(node, common, count, "other");
    node.write(|reply| Operation::Stage(1, blocks, reply))
        .unwrap();
    let adoption = Adoption {
        branch: 1,
        source: "neighbour.example:12345".to_owned(),
        at: 0,
        max_reorg: u64::MAX,
        max_replaceable_genesis_length: 0,
    };
    node.write(|reply| Operation::Adopt(adoption, reply))
        .unwrap();
}

#[test]
fn a_reorg_fails_a_snapshot_only_if_it_disconnects_what_was_read() {
    let (_folder, node) = node();
    append(&node, mined(&node, 1, 1500, "text"));
    let until = node.state().tip.index;
    let mut pages = Pages::up_to(&node, until);
    let mut read = pages.next().unwrap();
    assert_eq!(read.len(), PageLimit::SCAN.count);
    switch(&node, 1400);
    read.extend(pages.next().unwrap());
    assert!(pages.next().unwrap().is_empty());
    // The new branch has one block more than it had when the snapshot began.
    let view = node.view().unwrap();
    let held = (0..=until).map(|index| view.block(index).unwrap().unwrap());
    assert!(held.eq(read), "it is not the chain that is followed now");
    let mut pages = Pages::up_to(&node, until);
    pages.next().unwrap();
    switch(&node, 999);
    let rejected = StoreError::Rejected(Rejection::StaleTip);
    assert_eq!(pages.next().unwrap_err().to_string(), rejected.to_string());
}

#[tokio::test]
async fn a_panic_of_a_task_is_not_reported_as_damage() {
    let (folder, node) = node();
    let read = node.blocking(|_| -> Result<(), StoreError> { panic!("on purpose") });
    let settings = SnapshotSettings {
        chain: folder.path().join("node.chain"),
        format: Format::Chain,
        interval: Duration::from_secs(1),
        max_backups: 1,
        at_stop: SnapshotAtStop::Always,
    };
    let written = snapshot(&node, &settings, || panic!("on purpose"));
    for (error, task) in [
        (read.await.unwrap_err(), "a read"),
        (written.await.unwrap_err(), "a snapshot"),
    ] {
        assert!(matches!(error, StoreError::Interrupted { .. }), "{error:?}");
        let text = error.to_string();
        assert!(
            text.starts_with(task) && text.contains("on purpose"),
            "{text}"
        );
        assert!(!text.contains("damaged"), "{text}");
    }
}
