//! Free space: on the disk, and within the database file.
//!
//! The engine reuses pages that it has given up, but the file seldom gets shorter: a page that is in
//! use near its end holds all before it. So a file that has grown once can take much without any
//! more of the disk. The engine counts its free pages by reading all others, so that is done only
//! while the disk is nearly full ([`Space::measure`]).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{ReadableTableMetadata, TableHandle};

use super::error::StoreError;
use super::view::View;

/// Bytes of one block of a file, as the system counts them.
const BLOCK: u64 = 512;

/// The space that one database can use.
#[derive(Debug)]
pub(crate) struct Space {
    file: PathBuf,
    folder: PathBuf,
    /// Bytes that must stay free.
    min_free: u64,
    /// Bytes of the file that can be reused, as measured last.
    reusable: AtomicU64,
}

impl Space {
    pub(crate) fn new(file: &Path, folder: &Path, min_free: u64) -> Self {
        Self {
            file: file.to_owned(),
            folder: folder.to_owned(),
            min_free,
            reusable: AtomicU64::new(0),
        }
    }

    /// Bytes that are free, and how many must be; none where the system does not say: a failed
    /// write will. Space within the file counts beyond what commits need to replace pages all the
    /// time, and for at most half of what must be free: the measurement can be a moment old, a
    /// commit can need pages that the file never held, and a reader can hold back what was given up.
    pub(crate) fn free(&self) -> Option<(u64, u64)> {
        let reusable = self.reusable.load(Ordering::Relaxed);
        let to_spare = reusable.saturating_sub(self.min_free / 8);
        let free = self.on_disk()? + to_spare.min(self.min_free / 2);
        Some((free, self.min_free))
    }

    /// Bytes that are free on the disk.
    fn on_disk(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Measures how many bytes of the file can be reused, if the disk is nearly full. That takes as
    /// long as reading the whole database.
    pub(crate) fn measure(
        &self,
        view: impl Fn() -> Result<View, StoreError>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<(), StoreError> {
        let is_short = self.on_disk().is_some_and(|free| free < self.min_free);
        let reusable = if is_short {
            let mut used = 0;
            for table in view()?.tables()? {
                if is_stopped() {
                    return Ok(());
                }
                // A view of its own: while one is open, no page that is replaced can be reused.
                used += view()?.used_bytes(&table)?;
            }
            let held = fs::metadata(&self.file).map_or(0, |file| file.blocks() * BLOCK);
            held.saturating_sub(used)
        } else {
            0
        };
        self.reusable.store(reusable, Ordering::Relaxed);
        Ok(())
    }
}

impl View {
    /// Returns the names of all tables.
    fn tables(&self) -> Result<Vec<String>, StoreError> {
        self.read(|| {
            let tables = self.transaction().list_tables()?;
            Ok(tables.map(|table| table.name().to_owned()).collect())
        })
    }

    /// Returns the bytes of all pages of a table. Reads every one of them.
    fn used_bytes(&self, table: &str) -> Result<u64, StoreError> {
        self.read(|| {
            let mut tables = self.transaction().list_tables()?;
            let Some(table) = tables.find(|found| found.name() == table) else {
                return Ok(0);
            };
            let stats = self.transaction().open_untyped_table(table)?.stats()?;
            Ok(stats.stored_bytes() + stats.metadata_bytes() + stats.fragmented_bytes())
        })
    }
}
