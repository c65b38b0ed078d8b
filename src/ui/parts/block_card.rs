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
    /// The seal state, if it is not the usual one of the chain.
    pub(in crate::ui) seal: Option<SealBadge>,
    pub(in crate::ui) line: Line,
}

impl BlockCard {
    /// A block that a search for words found.
    pub(in crate::ui) fn found(
        base: &str,
        block: &Block,
        usual: SealBadge,
        words: &[String],
    ) -> Self {
        Self {
            line: Line::found(&block.data.message, MAX_CHARACTERS, words),
            ..Self::new(base, block, usual)
        }
    }

    /// `usual` is the seal state of most blocks of the chain.
    pub(in crate::ui) fn new(base: &str, block: &Block, usual: SealBadge) -> Self {
        Self {
            index: block.index,
            hash: HashLink::new(base, &block.hash),
            previous: block
                .previous_hash
                .as_deref()
                .map(|hash| HashLink::new(base, hash)),
            time: RelativeTime::of(block),
            seal: SealBadge::unusual(block, usual),
            line: Line::new(&block.data.message, MAX_CHARACTERS),
        }
    }
}
