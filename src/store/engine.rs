//! The database engine, opened and closed with care: a damaged file can make it panic, also when
//! it is dropped after an earlier panic has poisoned its locks.

use std::ops::Deref;
use std::path::Path;

use redb::{Builder, Database, StorageBackend};

use super::error::StoreError;
use super::panics::guarded;

/// Memory for pages of the file, in bytes.
const CACHE_BYTES: usize = 48 * 1024 * 1024;

/// An open database whose end is guarded, too.
pub(crate) struct Engine(Option<Database>);

impl Engine {
    /// Opens a file and names what stands in the way.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing {
                path: path.to_owned(),
            });
        }
        guarded(|| {
            let opened = builder().open(path).map_err(|error| match error {
                redb::DatabaseError::DatabaseAlreadyOpen
                | redb::DatabaseError::LockProtocolMismatch => StoreError::Busy {
                    path: path.to_owned(),
                },
                error => error.into(),
            });
            Ok(Self(Some(opened?)))
        })
    }

    /// Opens what is on another kind of storage, or makes a database there if it is empty.
    pub(crate) fn on(backend: impl StorageBackend) -> Result<Self, StoreError> {
        guarded(|| Ok(Self(Some(builder().create_with_backend(backend)?))))
    }

    /// Closes the database; dropping it does the same, but keeps silent about failures.
    pub(crate) fn close(mut self) -> Result<(), StoreError> {
        let database = self.0.take();
        guarded(|| Ok(database.map_or(Ok(()), Database::close)?))
    }

    /// Checks the engine's own checksums over the whole file.
    pub(crate) fn check_checksums(&mut self) -> Result<(), StoreError> {
        let database = &mut self.0;
        let whole = guarded(|| match database {
            Some(database) => Ok(database.check_integrity()?),
            None => Err(StoreError::Closed),
        })?;
        if whole {
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
        // There is nobody left to tell, and nothing left to save.
        let _ = guarded(|| {
            drop(database);
            Ok(())
        });
    }
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}
