//! Faults of the machine, on the real binary.
//!
//! * [`disk`]: failing syncs and full disks
//! * [`clock`]: a clock that jumps
//! * [`process`]: a halted process, and one with too few file handles
//!
//! A test whose fault the machine does not allow is skipped. Long form: `BLOCKCHAIN_FAULT_SYNCS=60`
//! (number of syncs, each of which fails in each way) and `BLOCKCHAIN_FREEZE_SECONDS=30`, with
//! `cargo test --test integration machine:: -- --nocapture`.

mod clock;
mod disk;
mod process;

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use blockchain::wire::Block;

use crate::support::command::Blockchain;
use crate::support::test_node::TestNode;

/// Runs a system command and returns `true` if it succeeded.
fn succeeds(line: &[&str]) -> bool {
    let status = Command::new(line[0])
        .args(&line[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// Returns each message of the chain and the mempool with the number of its occurrences.
fn kept(node: &TestNode) -> BTreeMap<String, u32> {
    let chain: Vec<Block> = Blockchain::new(["export", "--json", "--db"])
        .args([node.folder()])
        .succeeds()
        .json();
    let mined = chain.into_iter().skip(1).map(|block| block.data.message);
    let pending = node.pending().into_iter().map(|pending| pending.message);
    let mut kept = BTreeMap::new();
    for text in mined.chain(pending) {
        *kept.entry(text).or_insert(0) += 1;
    }
    kept
}

/// Asserts that every acknowledged message exists exactly once.
#[track_caller]
fn assert_kept<'a>(node: &TestNode, acknowledged: impl IntoIterator<Item = &'a String>) {
    let kept = kept(node);
    for text in acknowledged {
        assert_eq!(kept.get(text), Some(&1), "{}", &text[..text.len().min(60)]);
    }
}
