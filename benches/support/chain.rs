//! Chains to measure with: sealed or open, difficulty 1, messages of 32 bytes.

#![allow(dead_code, reason = "each benchmark uses some of it")]
#![allow(unreachable_pub, reason = "the root is a benchmark")]

use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};

use blockchain::chain::{Block, Checker, History, Message, MessageId, Tip};
use blockchain::node::miner::{MiningParams, MiningTip};
use blockchain::node::settings::ProofMode;
use blockchain::pow::Difficulty;
use blockchain::store::{BulkLoad, BulkPage, Network};

/// Returns a message. Ids are spread over all values, as those of real messages are.
pub fn message(number: u64) -> Message {
    let id = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    let id = MessageId::from_bytes(id.to_be_bytes());
    Message::new(id, format!("benchmark message {number:>14}")).unwrap()
}

/// Mines a chain after the default genesis block.
pub struct Miner {
    mining_tip: MiningTip,
    proof: ProofMode,
    /// The last message mined.
    pub number: u64,
}

impl Miner {
    /// Starts a chain after the genesis block.
    pub fn new(proof: ProofMode) -> Self {
        let tip = Tip::of(&Block::default_genesis());
        let mut history = History::default();
        history.append(&tip.hash, |_, _| {});
        Self {
            mining_tip: MiningTip::new(tip, history),
            proof,
            number: 0,
        }
    }

    /// Mines the next blocks.
    pub fn mine(&mut self, count: u64) -> Vec<Block> {
        let params = MiningParams {
            proof: self.proof,
            difficulty: Difficulty::MIN,
            threads: NonZeroUsize::MIN,
            stop: &AtomicBool::new(false),
            tries: &AtomicU64::new(0),
        };
        let mut next = || {
            self.number += 1;
            // Real timestamps have microseconds.
            #[expect(clippy::cast_precision_loss, reason = "numbers are small")]
            let now = 1.7e9 + self.number as f64 * 1.234_567;
            self.mining_tip
                .mine(message(self.number), now, &params)
                .unwrap()
        };
        (0..count).map(|_| next()).collect()
    }
}

/// Returns a chain of `length` blocks, with its genesis block.
pub fn chain(proof: ProofMode, length: u64) -> Vec<Block> {
    let mut blocks = vec![Block::default_genesis()];
    blocks.extend(Miner::new(proof).mine(length - 1));
    blocks
}

/// Makes the database of a node that holds a sealed chain of `length` blocks.
pub fn database(path: &Path, length: u64) {
    let network = Network {
        difficulty: Difficulty::MIN,
        sealed_from: Some(1),
    };
    let genesis = Block::default_genesis();
    let mut load = BulkLoad::start(path, &genesis, 0).unwrap();
    let mut checker = Checker::new(Difficulty::MIN, Some(1));
    let mut add = |blocks: &[Block]| {
        let mut page = BulkPage::default();
        let pushed = checker.push_all(blocks, |passed| {
            page.push(&passed);
            passed.acceptable
        });
        pushed.unwrap();
        page.encode(blocks);
        load.push(page).unwrap();
    };
    add(&[genesis]);
    let mut miner = Miner::new(ProofMode::Sealed);
    let mut left = length - 1;
    while left > 0 {
        let blocks = miner.mine(left.min(5000));
        left -= blocks.len() as u64;
        add(&blocks);
    }
    load.finish(network).unwrap();
}
