//! Finds the block that a text names. The API and the commands on a stopped node share it.

use thiserror::Error;

use crate::chain::{Block, BlockHash};
use crate::store::{StoreError, View};
use crate::wire::Lookup;
use crate::wire::lookup::MIN_HASH_DIGITS;

/// Maximum number of hashes listed when a hash prefix is ambiguous.
const MAX_AMBIGUOUS: usize = 10;

/// The reason why a text names no single block.
#[derive(Debug, Error)]
pub(crate) enum FindError {
    /// The text is not the name of a block.
    #[error("name a block by its index, its hash (at least {MIN_HASH_DIGITS} digits) or tip")]
    Invalid,
    /// Several hashes begin with the text.
    #[error("this hash prefix is ambiguous: {}", list(.0))]
    Ambiguous(Vec<BlockHash>),
    /// The blocks cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn list(hashes: &[BlockHash]) -> String {
    let hashes: Vec<_> = hashes.iter().map(ToString::to_string).collect();
    hashes.join(", ")
}

/// Returns the block that a text names: `tip`, an index, a hash or a hash prefix.
pub(crate) fn find_block(view: &View, name: &str) -> Result<Option<Block>, FindError> {
    if name == "tip" {
        return Ok(Some(view.tip_block()?));
    }
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(FindError::Invalid);
    }
    let wanted = Lookup::parse(name);
    // Decimal digits are always an index: a client that waits for the next block must not get a block
    // whose hash begins with these digits.
    if let Some(index) = wanted.index {
        return Ok(view.block(index)?);
    }
    let (first, last) = wanted.hashes.ok_or(FindError::Invalid)?;
    if first == last {
        return Ok(view.block_with_hash(&first)?);
    }
    match view.indexes_of(&first, &last, MAX_AMBIGUOUS)?[..] {
        [] => Ok(None),
        [index] => Ok(view.block(index)?),
        ref several => {
            let mut hashes = Vec::with_capacity(several.len());
            for index in several {
                hashes.extend(view.block(*index)?.as_ref().map(BlockHash::of));
            }
            Err(FindError::Ambiguous(hashes))
        }
    }
}
