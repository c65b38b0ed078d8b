//! The indexes of the chain: from the hash of a block, and from the id of its message, to its index.
//!
//! Keys of an index are random. In a large table, nearly every new row would change a page of its
//! own, so that connecting a block would rewrite two pages for 64 bytes. Each index therefore has a
//! second, small table for its recent rows, which share pages. When it is full, each commit moves as
//! many rows to the main table as it adds, in the order of their keys: consecutive keys share pages
//! there, too. A lookup reads both tables.

use std::ops::Bound;

use redb::{
    CursorMut, Key, ReadOnlyTable, ReadTransaction, ReadableTable, ReadableTableMetadata, Table,
    TableDefinition, TableError, TableHandle, Value, WriteTransaction,
};

use super::error::StoreError;

/// At most one row in this many is recent: more would spread the additions of a commit over more
/// pages, fewer its moved rows.
const RECENT_DIVISOR: u64 = 32;

/// Maximum number of recent rows.
const MAX_RECENT_ROWS: u64 = 1 << 18;

/// The recent table is rewritten if at least one row is added for this many of its rows: appending a
/// row costs a tenth of inserting one.
const REWRITE_DIVISOR: u64 = 8;

/// Maximum number of added rows that are collected, and of rows that are moved at once.
const ROWS_AT_ONCE: usize = 1 << 16;

/// Minimum number of recent rows.
const MIN_RECENT_ROWS: u64 = 16;

/// The two tables of an index.
pub(crate) struct IndexDefinition<const N: usize> {
    pub(crate) main: TableDefinition<'static, &'static [u8; N], u64>,
    pub(crate) recent: TableDefinition<'static, &'static [u8; N], u64>,
}

/// An index in a write transaction.
pub(crate) struct Index<'txn, const N: usize> {
    pub(super) main: Table<'txn, &'static [u8; N], u64>,
    pub(super) recent: Table<'txn, &'static [u8; N], u64>,
    /// Rows that were added, but are not in a table yet.
    added: Vec<([u8; N], u64)>,
}

impl<'txn, const N: usize> Index<'txn, N> {
    pub(super) fn open(
        txn: &'txn WriteTransaction,
        definition: &IndexDefinition<N>,
    ) -> Result<Self, StoreError> {
        Ok(Self {
            main: txn.open_table(definition.main)?,
            recent: txn.open_table(definition.recent)?,
            added: Vec::new(),
        })
    }

    /// Returns the lowest index of a key.
    pub(super) fn get(&mut self, key: &[u8; N]) -> Result<Option<u64>, StoreError> {
        self.write_added()?;
        lookup(&self.main, Some(&self.recent), key)
    }

    /// Adds a row, unless a lower index has the same key. It is written later, with others.
    pub(super) fn insert(&mut self, key: &[u8; N], index: u64) -> Result<(), StoreError> {
        self.added.push((*key, index));
        if self.added.len() < ROWS_AT_ONCE {
            return Ok(());
        }
        self.write_added()
    }

    /// Writes the added rows to the recent table: one by one if they are few, else together with
    /// the rows that are there, in the order of their keys.
    fn write_added(&mut self) -> Result<(), StoreError> {
        let mut rows = std::mem::take(&mut self.added);
        if rows.len() as u64 * REWRITE_DIVISOR < self.recent.len()? {
            for (key, index) in &rows {
                insert_lowest(&mut self.recent, key, *index)?;
            }
            return Ok(());
        }
        if rows.is_empty() {
            return Ok(());
        }
        for row in self.recent.iter()? {
            let (key, index) = row?;
            rows.push((*key.value(), index.value()));
        }
        rows.sort_unstable();
        // Of the rows of one key, the lowest index comes first.
        rows.dedup_by_key(|(key, _)| *key);
        self.recent.retain(|_, _| false)?;
        let mut end = end_of(&mut self.recent)?;
        for (key, index) in &rows {
            end.insert_before(key, index)?;
        }
        Ok(end.close()?)
    }

    /// Removes the row of a key if it has this index.
    pub(super) fn remove(&mut self, key: &[u8; N], index: u64) -> Result<(), StoreError> {
        self.write_added()?;
        for table in [&mut self.main, &mut self.recent] {
            if table.get(key)?.is_some_and(|found| found.value() == index) {
                table.remove(key)?;
            }
        }
        Ok(())
    }

    /// Moves the recent rows that are too many to the main table, from `position` upwards in the
    /// order of their keys, and sets `position` to the end of the last one.
    pub(super) fn move_rows(&mut self, position: &mut [u8; N]) -> Result<(), StoreError> {
        self.write_added()?;
        let recent = self.recent.len()?;
        let all = self.main.len()? + recent;
        let kept = (all / RECENT_DIVISOR).clamp(MIN_RECENT_ROWS, MAX_RECENT_ROWS);
        let mut excess = recent.saturating_sub(kept);
        while excess > 0 {
            let count = usize::try_from(excess).unwrap_or(usize::MAX);
            let is_start = *position == [0; N];
            match self.move_some(position, count.min(ROWS_AT_ONCE))? {
                0 if is_start => {
                    return Err(StoreError::corrupt(
                        "a table of recent rows has fewer than it says",
                    ));
                }
                // The end of the table: continue with the lowest key.
                0 => *position = [0; N],
                moved => excess -= moved,
            }
        }
        Ok(())
    }

    /// Moves at most `count` rows, and returns their number.
    fn move_some(&mut self, position: &mut [u8; N], count: usize) -> Result<u64, StoreError> {
        let mut rows = Vec::with_capacity(count);
        for row in self.recent.range::<&[u8; N]>(&*position..)?.take(count) {
            let (key, index) = row?;
            rows.push((*key.value(), index.value()));
        }
        for (key, index) in &rows {
            insert_lowest(&mut self.main, key, *index)?;
        }
        if let Some((last, _)) = rows.last() {
            let moved = &*position..=last;
            self.recent.retain_in::<&[u8; N], _>(moved, |_, _| false)?;
            *position = *last;
        }
        Ok(rows.len() as u64)
    }
}

/// Returns a cursor at the end of a table.
pub(super) fn end_of<'a, K: Key, V: Value>(
    table: &'a mut Table<'_, K, V>,
) -> Result<CursorMut<'a, K, V>, StoreError> {
    Ok(table.upper_bound_mut(Bound::<K::SelfType<'_>>::Unbounded)?)
}

fn insert_lowest<const N: usize>(
    table: &mut Table<'_, &'static [u8; N], u64>,
    key: &[u8; N],
    index: u64,
) -> Result<(), StoreError> {
    let replaced = table.insert(key, index)?.map(|replaced| replaced.value());
    if let Some(lower) = replaced.filter(|replaced| *replaced < index) {
        table.insert(key, lower)?;
    }
    Ok(())
}

/// Rows of the main table are older, so the lowest index of a key is there if it has one.
fn lookup<const N: usize>(
    main: &impl ReadableTable<&'static [u8; N], u64>,
    recent: Option<&impl ReadableTable<&'static [u8; N], u64>>,
    key: &[u8; N],
) -> Result<Option<u64>, StoreError> {
    if let Some(found) = main.get(key)? {
        return Ok(Some(found.value()));
    }
    let found = recent.map(|recent| recent.get(key)).transpose()?.flatten();
    Ok(found.map(|found| found.value()))
}

/// An index in a read transaction.
pub(super) struct ReadIndex<const N: usize> {
    main: ReadOnlyTable<&'static [u8; N], u64>,
    /// `None` in the database of an earlier version.
    recent: Option<ReadOnlyTable<&'static [u8; N], u64>>,
}

impl<const N: usize> IndexDefinition<N> {
    /// Opens the index for reading.
    pub(super) fn read(&self, txn: &ReadTransaction) -> Result<ReadIndex<N>, StoreError> {
        let recent = match txn.open_table(self.recent) {
            Ok(table) => Some(table),
            Err(TableError::TableDoesNotExist(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let main = txn.open_table(self.main)?;
        Ok(ReadIndex { main, recent })
    }

    /// Returns the name of the index.
    pub(super) fn name(&self) -> &str {
        self.main.name()
    }
}

impl<const N: usize> ReadIndex<N> {
    /// Returns the lowest index of a key.
    pub(super) fn get(&self, key: &[u8; N]) -> Result<Option<u64>, StoreError> {
        lookup(&self.main, self.recent.as_ref(), key)
    }

    /// Returns the number of rows.
    pub(super) fn len(&self) -> Result<u64, StoreError> {
        let recent = self.recent.as_ref().map(ReadableTableMetadata::len);
        Ok(self.main.len()? + recent.transpose()?.unwrap_or(0))
    }

    /// Returns the indexes of at most `count` keys from `first` to `last`, in the order of the keys.
    pub(super) fn range(
        &self,
        first: &[u8; N],
        last: &[u8; N],
        count: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let mut rows = Vec::new();
        for table in self.tables() {
            for row in table.range::<&[u8; N]>(first..=last)?.take(count) {
                let (key, index) = row?;
                rows.push((*key.value(), index.value()));
            }
        }
        rows.sort_unstable();
        rows.truncate(count);
        Ok(rows.into_iter().map(|(_, index)| index).collect())
    }

    /// Calls `each` with all rows.
    pub(super) fn each(
        &self,
        mut each: impl FnMut(&[u8; N], u64) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        for table in self.tables() {
            for row in table.iter()? {
                let (key, index) = row?;
                each(key.value(), index.value())?;
            }
        }
        Ok(())
    }

    fn tables(&self) -> impl Iterator<Item = &ReadOnlyTable<&'static [u8; N], u64>> {
        [&self.main].into_iter().chain(&self.recent)
    }
}

#[cfg(test)]
mod tests;
