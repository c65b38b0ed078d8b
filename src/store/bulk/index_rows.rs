//! The rows of the two indexes, which are sorted before they are inserted.

use std::io;
use std::path::{Path, PathBuf};

use super::sorter::Sorter;
use super::{BulkSummary, io_error};
use crate::chain::BlockHash;
use crate::store::edit::Edit;
use crate::store::error::StoreError;
use crate::store::index::end_of;

/// Rows of the two indexes, each a key and its index in big endian, which sort like the keys.
pub(super) struct IndexRows {
    folder: PathBuf,
    by_hash: Sorter<40>,
    by_message: Sorter<24>,
}

impl IndexRows {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            by_hash: Sorter::new(folder),
            by_message: Sorter::new(folder),
        }
    }

    pub(super) fn push(
        &mut self,
        index: u64,
        hash: &BlockHash,
        message: &[u8; 16],
    ) -> Result<(), StoreError> {
        let by_hash = self.by_hash.push(row(hash.as_bytes(), index));
        let by_message = self.by_message.push(row(message, index));
        by_hash
            .and(by_message)
            .map_err(|error| io_error(&self.folder, error))
    }

    pub(super) fn write(self, edit: &mut Edit<'_>) -> Result<BulkSummary, StoreError> {
        let failed = |error: DrainError| error.at(&self.folder);
        let mut by_hash = end_of(&mut edit.index_by_hash.main)?;
        self.by_hash
            .drain(|row| {
                let (hash, index) = parts::<32>(row);
                by_hash.insert_before(hash, index)?;
                Ok(())
            })
            .map_err(failed)?;
        by_hash.close()?;

        // Blocks may contain the same id; the index keeps the lowest of them, which comes first.
        let mut by_message = end_of(&mut edit.index_by_message.main)?;
        let (mut last, mut repeats, mut repeated_ids) = (None, false, 0);
        self.by_message
            .drain(|row| {
                let (id, index) = parts::<16>(row);
                if last == Some(*id) {
                    repeated_ids += u64::from(!std::mem::replace(&mut repeats, true));
                    return Ok(());
                }
                (last, repeats) = (Some(*id), false);
                by_message.insert_before(id, index)?;
                Ok(())
            })
            .map_err(failed)?;
        by_message.close()?;
        Ok(BulkSummary { repeated_ids })
    }
}

/// Error of a row, or of the file of sorted runs.
enum DrainError {
    Store(StoreError),
    Io(io::Error),
}

impl DrainError {
    fn at(self, folder: &Path) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Io(error) => io_error(folder, error),
        }
    }
}

impl From<redb::CursorError> for DrainError {
    fn from(error: redb::CursorError) -> Self {
        Self::Store(error.into())
    }
}

impl From<io::Error> for DrainError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

fn row<const K: usize, const N: usize>(key: &[u8; K], index: u64) -> [u8; N] {
    let mut row = [0; N];
    row[..K].copy_from_slice(key);
    row[K..].copy_from_slice(&index.to_be_bytes());
    row
}

fn parts<const K: usize>(row: &[u8]) -> (&[u8; K], u64) {
    let (key, index) = row.split_first_chunk().expect("a row begins with its key");
    let index = index.try_into().expect("a row ends with an index");
    (key, u64::from_be_bytes(index))
}
