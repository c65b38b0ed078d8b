//! A block in a list.

use super::hash_link::HashLink;
use super::relative_time::RelativeTime;
use super::seal_badge::SealBadge;
use super::text::Line;
use crate::wire::Block;

/// Maximum number of characters shown of a message.
const MAX_CHARACTERS: usize = 140;

/// A block in a list.
#[derive(Debug)]
pub(in crate::ui) struct BlockCard {
    pub(in crate::ui) index: u64,
    pub(in crate::ui) hash: HashLink,
    pub(in crate::ui) previous: Option<HashLink>,
    pub(in crate::ui) time: RelativeTime,
    pub(in crate::ui) seal: SealBadge,
    pub(in crate::ui) line: Line,
}

impl BlockCard {
    pub(in crate::ui) fn new(base: &str, block: &Block) -> Self {
        Self {
            index: block.index,
            hash: HashLink::new(base, &block.hash),
            previous: block
                .previous_hash
                .as_deref()
                .map(|hash| HashLink::new(base, hash)),
            time: RelativeTime::of(block),
            seal: SealBadge::of(block),
            line: Line::new(&block.data.message, MAX_CHARACTERS),
        }
    }
}
