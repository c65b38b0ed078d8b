//! The file of a database, as the storage backend of the engine.
//!
//! A file can be removed, replaced or truncated while it is open, without an error from the system:
//! further writes go to a file without a path. Every sync, and with it every commit, therefore
//! checks that the path still leads to the open file, at its full length.

use std::fs::{self, File, Metadata};
use std::io;
use std::ops::Bound;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend, StorageError};

use super::error::StoreError;

/// An open file with its path.
#[derive(Debug)]
pub(super) struct DatabaseFile {
    file: FileBackend,
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
    /// Length in bytes, as set by the engine.
    length: AtomicU64,
}

impl DatabaseFile {
    /// Wraps the open file at `path`.
    pub(super) fn new(file: File, path: &Path) -> Result<Self, DatabaseError> {
        let metadata = file.metadata().map_err(StorageError::from)?;
        Ok(Self {
            file: FileBackend::new(file)?,
            path: path.to_owned(),
            identity: identity(&metadata),
            length: AtomicU64::new(metadata.len()),
        })
    }

    /// Checks that the path leads to the open file, and that it is not truncated.
    fn check(&self) -> io::Result<()> {
        let change = match fs::metadata(&self.path) {
            Ok(found) if identity(&found) != self.identity => "replaced by another file",
            Ok(found) if found.len() < self.length.load(Ordering::Relaxed) => "truncated",
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => "removed",
            Err(error) => return Err(error),
        };
        let path = self.path.clone();
        Err(io::Error::other(StoreError::Lost { path, change }))
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

impl StorageBackend for DatabaseFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.check()?;
        self.file.set_len(length)?;
        self.length.store(length, Ordering::Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        self.file.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        // A write at the end would extend a truncated file to its full length again.
        if offset + data.len() as u64 >= self.length.load(Ordering::Relaxed) {
            self.check()?;
        }
        self.file.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Creates and opens a file of 4 KiB.
    fn opened(folder: &Path) -> (PathBuf, DatabaseFile) {
        let path = folder.join("file");
        fs::write(&path, [7; 4096]).unwrap();
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let file = DatabaseFile::new(file, &path).unwrap();
        (path, file)
    }

    #[track_caller]
    fn change(synced: io::Result<()>) -> &'static str {
        let error = StoreError::from(redb::Error::Io(synced.unwrap_err()));
        match error {
            StoreError::Lost { change, .. } => change,
            error => panic!("{error}"),
        }
    }

    #[test]
    fn a_sync_fails_once_the_path_leads_elsewhere() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = opened(folder.path());
        file.sync_data().unwrap();
        let aside = folder.path().join("aside");
        fs::rename(&path, &aside).unwrap();
        assert_eq!(change(file.sync_data()), "removed");
        fs::copy(&aside, &path).unwrap();
        assert_eq!(change(file.sync_data()), "replaced by another file");
        fs::rename(&aside, &path).unwrap();
        file.sync_data().unwrap();
        fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(change(file.sync_data()), "removed");
    }

    #[test]
    fn a_truncated_file_is_detected_before_it_is_extended() {
        let folder = tempfile::tempdir().unwrap();
        let (path, file) = opened(folder.path());
        file.set_len(8192).unwrap();
        file.write(4096, &[7; 4096]).unwrap();
        file.sync_data().unwrap();
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(0)
            .unwrap();
        assert_eq!(change(file.write(4096, &[7; 4096])), "truncated");
        assert_eq!(change(file.set_len(16_384)), "truncated");
        file.write(0, &[7; 512]).unwrap();
        assert_eq!(change(file.sync_data()), "truncated");
    }

    #[test]
    fn the_engine_may_shrink_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let (_path, file) = opened(folder.path());
        file.set_len(1024).unwrap();
        file.sync_data().unwrap();
    }
}
