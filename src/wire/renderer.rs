//! Renders blocks of a chain as bodies, with the values derived from the chain up to them.

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use serde_json::Number;

use super::{Block, calendar_time};
use crate::chain::{self, Derived, History, derive_all, derive_one};

/// Number of blocks below which they are rendered on one processor.
const MIN_PARALLEL_BLOCKS: usize = 64;

/// Renders consecutive blocks of a chain.
#[derive(Clone, Debug)]
pub struct BlockRenderer {
    history: History,
    previous_proof: Option<chain::Proof>,
}

impl BlockRenderer {
    /// Creates a renderer for the blocks after those in `history`; `previous` is the last one of them.
    pub fn above(history: History, previous: Option<&chain::Block>) -> Self {
        Self {
            history,
            previous_proof: previous.and_then(chain::Block::proof).cloned(),
        }
    }

    /// Renders the next block.
    pub fn render(&mut self, block: &chain::Block) -> Block {
        let derived = derive_one(&mut self.history, self.previous_proof.as_ref(), block);
        self.previous_proof = block.proof().cloned();
        render(block, &derived)
    }

    /// Renders the next blocks, on all processors, and converts each with `finish`.
    pub fn render_all<T: Send>(
        &mut self,
        blocks: &[chain::Block],
        finish: impl Fn(Block) -> T + Sync,
    ) -> Vec<T> {
        let derived = self.derive(blocks);
        let blocks = blocks
            .par_iter()
            .with_min_len(MIN_PARALLEL_BLOCKS)
            .zip(derived);
        blocks
            .map(|(block, derived)| finish(render(block, &derived)))
            .collect()
    }

    fn derive(&mut self, blocks: &[chain::Block]) -> Vec<Derived> {
        let derived = derive_all(&mut self.history, self.previous_proof.as_ref(), blocks);
        if let Some(last) = blocks.last() {
            self.previous_proof = last.proof().cloned();
        }
        derived
    }
}

/// Renders a block, given what was derived from the chain up to it.
pub(crate) fn render(block: &chain::Block, derived: &Derived) -> Block {
    let previous_hash = block.link.as_ref().map(|link| link.previous_hash);
    Block {
        index: block.index,
        hash: derived.hash.to_string(),
        previous_hash: previous_hash.map(|hash| hash.to_string()),
        timestamp: number(block.timestamp),
        timestamp_text: block.timestamp.to_string(),
        time: calendar_time(block.timestamp.seconds()),
        proof: block.proof().map(ToString::to_string),
        seal: derived.seal.map(|seal| seal.to_string()),
        history_root: hex::encode(derived.history_root),
        difficulty: block.proof().map(|_| derived.zeros),
        data: (&block.message).into(),
    }
}

pub(super) fn number(timestamp: chain::Timestamp) -> Number {
    match timestamp.as_integer() {
        Some(seconds) => seconds.into(),
        None => Number::from_f64(timestamp.seconds()).unwrap_or_else(|| 0.into()),
    }
}
