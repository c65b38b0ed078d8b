//! Free space, on the disk and within the database file.
//!
//! The engine reuses freed pages, but rarely shortens the file, because a single used page near its
//! end prevents that. A file that has grown once can therefore hold much more data without more
//! disk space. Counting its free pages means reading all others, so it is measured only while the
//! disk is nearly full ([`Space::measure`]).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use redb::{ReadableTableMetadata, TableHandle};

use super::error::StoreError;
use super::view::View;

/// Size of a block in `st_blocks`, in bytes (POSIX `sys/stat.h`).
const BLOCK: u64 = 512;

/// The space available to one database.
#[derive(Debug)]
pub(crate) struct Space {
    file: PathBuf,
    folder: PathBuf,
    /// Bytes that must stay free.
    min_free: u64,
    /// Reusable bytes within the file, as last measured.
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

    /// Returns the free bytes and the minimum that must stay free, or `None` if the system does not
    /// report them. Reusable space within the file counts for at most half of the minimum, and only
    /// beyond the reserve that commits need for replaced pages: the measurement may be outdated, a
    /// commit may extend the file, and an open view prevents the reuse of pages.
    pub(crate) fn free(&self) -> Option<(u64, u64)> {
        let reusable = self.reusable.load(Ordering::Relaxed);
        let usable = reusable.saturating_sub(self.min_free / 8);
        let free = self.on_disk()? + usable.min(self.min_free / 2);
        Some((free, self.min_free))
    }

    /// Returns the free bytes on the disk.
    fn on_disk(&self) -> Option<u64> {
        let disk = rustix::fs::statvfs(&self.folder).ok()?;
        Some(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Measures the reusable bytes within the file, if the disk is nearly full. This takes as long
    /// as reading the whole database.
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
                // A short-lived view for each table: an open view prevents the reuse of pages.
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

    /// Returns the size of all pages of a table in bytes. Reads each of them.
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
