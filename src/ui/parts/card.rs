//! A block as cards and lists show it.

use super::{Hash, Line, Seal, When};
use crate::wire::Block;

/// Characters of a message in a list.
const LINE: usize = 140;

/// A block in a chain or list.
#[derive(Debug)]
pub(in crate::ui) struct Card {
    pub(in crate::ui) index: u64,
    pub(in crate::ui) hash: Hash,
    pub(in crate::ui) previous: Option<Hash>,
    pub(in crate::ui) when: When,
    pub(in crate::ui) seal: Seal,
    pub(in crate::ui) line: Line,
}

impl Card {
    pub(in crate::ui) fn new(base: &str, block: &Block) -> Self {
        Self {
            index: block.index,
            hash: Hash::new(base, &block.hash),
            previous: block
                .previous_hash
                .as_deref()
                .map(|hash| Hash::new(base, hash)),
            when: When::of(block),
            seal: Seal::of(block),
            line: Line::new(&block.data.message, LINE),
        }
    }
}
