//! A disconnected block in a list.

use super::{HashLink, Line, SealBadge};
use crate::wire::{DisconnectedBlock, DisconnectedBlockContent};

/// Maximum number of characters shown of a message.
const MAX_CHARACTERS: usize = 140;

/// A block that a reorg disconnected.
#[derive(Debug)]
pub(in crate::ui) struct DisconnectedRow {
    /// Number of the reorg.
    pub(in crate::ui) reorg: u64,
    pub(in crate::ui) index: u64,
    pub(in crate::ui) hash: HashLink,
    pub(in crate::ui) message_id: String,
    /// `None` if the node does not have its content any more.
    pub(in crate::ui) content: Option<Content>,
}

/// The content of a disconnected block.
#[derive(Debug)]
pub(in crate::ui) struct Content {
    /// The seal state, if it is not the usual one of the chain.
    pub(in crate::ui) seal: Option<SealBadge>,
    pub(in crate::ui) line: Line,
    /// Block in which the message was mined again.
    pub(in crate::ui) mined_in: Option<u64>,
    pub(in crate::ui) is_pending: bool,
}

impl DisconnectedRow {
    /// A block of which the node has the hash and the id alone.
    pub(in crate::ui) fn bare(base: &str, reorg: u64, block: &DisconnectedBlock) -> Self {
        Self {
            reorg,
            index: block.index,
            hash: HashLink::new(base, &block.hash),
            message_id: block.message_id.clone(),
            content: None,
        }
    }

    /// A block that the node still has.
    pub(in crate::ui) fn with_content(
        base: &str,
        found: &DisconnectedBlockContent,
        usual: SealBadge,
    ) -> Self {
        let block = &found.block;
        Self {
            reorg: found.reorg,
            index: block.index,
            hash: HashLink::new(base, &block.hash),
            message_id: block.data.id.clone(),
            content: Some(Content {
                seal: SealBadge::unusual(block, usual),
                line: Line::new(&block.data.message, MAX_CHARACTERS),
                mined_in: found.mined_in,
                is_pending: found.pending,
            }),
        }
    }
}
