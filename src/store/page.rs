//! Pages: bounded reads of consecutive rows.

use super::error::StoreError;
use crate::chain::Block;
use crate::text::json_length;

/// Maximum size of one page, which has at least one item.
#[derive(Clone, Copy, Debug)]
pub struct PageLimit {
    /// Maximum number of items.
    pub count: usize,
    /// Maximum size of the stored values, measured as JSON, in bytes.
    pub bytes: usize,
}

impl PageLimit {
    /// The limit of reads that go through the whole chain.
    pub const SCAN: Self = Self {
        count: 1000,
        bytes: 4 * 1024 * 1024,
    };

    /// Returns the same limit for at most `count` items.
    #[must_use]
    pub fn at_most(self, count: u64) -> Self {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        Self {
            count: self.count.min(count),
            ..self
        }
    }
}

/// Decodes rows until the page is full. The first row is included whatever its size.
pub(super) fn take_page<'a, T>(
    rows: impl Iterator<
        Item = Result<
            (
                redb::AccessGuard<'a, u64>,
                redb::AccessGuard<'a, &'static [u8]>,
            ),
            redb::StorageError,
        >,
    >,
    limit: PageLimit,
    decode: impl Fn(u64, &[u8]) -> Result<T, StoreError>,
) -> Result<Vec<T>, StoreError> {
    let (mut page, mut bytes) = (Vec::new(), 0);
    for row in rows.take(limit.count) {
        let (key, value) = row?;
        bytes += json_length(value.value());
        if bytes > limit.bytes && !page.is_empty() {
            break;
        }
        page.push(decode(key.value(), value.value())?);
    }
    Ok(page)
}

/// Checks that no block can exist at `index` in a chain of `length` blocks.
pub(super) fn check_absent(index: u64, length: u64) -> Result<(), StoreError> {
    if index < length {
        return Err(StoreError::missing("blocks", index));
    }
    Ok(())
}

/// Checks that no block is missing in a page. A damaged page of the file can hide rows.
pub(super) fn check_consecutive(
    indexes: impl Iterator<Item = u64>,
    page: &[Block],
) -> Result<(), StoreError> {
    match page
        .iter()
        .zip(indexes)
        .find(|(block, index)| block.index != *index)
    {
        Some((_, index)) => Err(StoreError::missing("blocks", index)),
        None => Ok(()),
    }
}
