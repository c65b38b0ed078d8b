//! What the machine under a node can do to it, on the real binary.
//!
//! * [`disk`]: syncs that fail, and a disk without space
//! * [`clock`]: a clock that jumps
//! * [`process`]: a process that stands still, and one with too few file handles
//!
//! Where the machine does not allow a fault, the test says so and passes. Longer forms, with their
//! counts: `BLOCKCHAIN_FAULT_SYNCS=60` (each of so many syncs fails in each way) and
//! `BLOCKCHAIN_FREEZE_SECONDS=30`, with `cargo test --test integration machine:: -- --nocapture`.

mod clock;
mod disk;
mod process;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use blockchain::wire::Block;

use crate::support::command::Blockchain;
use crate::support::test_node::TestNode;

/// Runs a command of the system and says whether it succeeded.
fn succeeds(line: &[&str]) -> bool {
    let status = Command::new(line[0])
        .args(&line[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Messages of the chain and of the mempool, and how often each is there.
fn kept(node: &TestNode) -> BTreeMap<String, u32> {
    let chain: Vec<Block> = Blockchain::new(["export", "--json", "--db"])
        .args([node.folder()])
        .succeeds()
        .json();
    let mined = chain.into_iter().skip(1).map(|block| block.data.message);
    let waiting = node.pending().into_iter().map(|pending| pending.message);
    let mut kept = BTreeMap::new();
    for text in mined.chain(waiting) {
        *kept.entry(text).or_insert(0) += 1;
    }
    kept
}

/// Every message that was acknowledged is there once.
#[track_caller]
fn assert_kept<'a>(node: &TestNode, acknowledged: impl IntoIterator<Item = &'a String>) {
    let kept = kept(node);
    for text in acknowledged {
        assert_eq!(kept.get(text), Some(&1), "{}", &text[..text.len().min(60)]);
    }
}
