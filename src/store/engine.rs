//! The database engine. A damaged file can make it panic when it is opened, closed or dropped, so
//! all of these run in [`catch_engine_panic`].

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::ops::Deref;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use redb::{Builder, Database, DatabaseError, StorageBackend};

use super::error::StoreError;
use super::file::DatabaseFile;
use super::overlay::{Lock, Overlay};
use super::panics::catch_engine_panic;

/// Size of the page cache in bytes.
const CACHE_BYTES: usize = 48 * 1024 * 1024;

/// First bytes of every file of the engine.
const MAGIC: &[u8; 9] = b"redb\x1A\x0A\xA9\x0D\x0A";

/// An open database.
pub(crate) struct Engine(Option<Database>);

impl Engine {
    /// Opens a file for reading and writing.
    pub(crate) fn open_writable(path: &Path) -> Result<Self, StoreError> {
        Self::open_file_with(path, true, |file| DatabaseFile::new(file, path))
    }

    /// Creates a database in a new file, which only its owner may read.
    pub(crate) fn create(path: &Path) -> Result<Self, StoreError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| StoreError::opening_file(path, error))?;
        catch_engine_panic(|| {
            let backend = DatabaseFile::new(file, path)?;
            Ok(Self(Some(builder().create_with_backend(backend)?)))
        })
        .map_err(|error| error.opening(path))
    }

    /// Opens a file for reading; writes of the engine stay in memory.
    pub(crate) fn open_read_only(path: &Path, lock: Lock) -> Result<Self, StoreError> {
        let writable = lock == Lock::Exclusive;
        Self::open_file_with(path, writable, |file| Overlay::new(file, lock))
    }

    fn open_file_with<B: StorageBackend>(
        path: &Path,
        writable: bool,
        backend: impl FnOnce(File) -> Result<B, DatabaseError>,
    ) -> Result<Self, StoreError> {
        let file = open_file(path, writable)?;
        catch_engine_panic(|| {
            let opened = backend(file).and_then(|backend| builder().create_with_backend(backend));
            Ok(Self(Some(opened?)))
        })
        .map_err(|error| error.opening(path))
    }

    /// Opens the database on a storage backend, or creates one if the storage is empty.
    pub(crate) fn on_backend(backend: impl StorageBackend) -> Result<Self, StoreError> {
        catch_engine_panic(|| Ok(Self(Some(builder().create_with_backend(backend)?))))
    }

    /// Closes the database. Dropping it does the same but ignores failures.
    pub(crate) fn close(mut self) -> Result<(), StoreError> {
        let database = self.0.take();
        catch_engine_panic(|| Ok(database.map_or(Ok(()), Database::close)?))
    }

    /// Checks the engine's checksums over the whole file.
    pub(crate) fn check_checksums(&mut self) -> Result<(), StoreError> {
        let database = &mut self.0;
        let is_intact = catch_engine_panic(|| match database {
            Some(database) => Ok(database.check_integrity()?),
            None => Err(StoreError::Closed),
        })?;
        if is_intact {
            Ok(())
        } else {
            Err(StoreError::corrupt(
                "the checksums of the file do not match its content",
            ))
        }
    }
}

impl Deref for Engine {
    type Target = Database;

    fn deref(&self) -> &Database {
        self.0.as_ref().expect("only close and drop take it out")
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let database = self.0.take();
        // A failure cannot be reported here; `close` does that.
        let _ = catch_engine_panic(|| {
            drop(database);
            Ok(())
        });
    }
}

/// Opens a file that begins like every database. The engine would create a database in an empty
/// file, and block on a FIFO.
fn open_file(path: &Path, writable: bool) -> Result<File, StoreError> {
    let failed = |source: io::Error| StoreError::opening_file(path, source);
    let kind = fs::metadata(path).map_err(failed)?;
    if kind.is_dir() {
        return Err(failed(io::ErrorKind::IsADirectory.into()));
    }
    let foreign = || StoreError::NotADatabase {
        path: path.to_owned(),
    };
    if !kind.is_file() {
        return Err(foreign());
    }
    let mut file = OpenOptions::new()
        .read(true)
        .write(writable)
        .open(path)
        .map_err(failed)?;
    let mut start = [0; MAGIC.len()];
    match file.read_exact(&mut start) {
        Ok(()) if start == *MAGIC => Ok(file),
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(failed(error)),
        _ => Err(foreign()),
    }
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}
