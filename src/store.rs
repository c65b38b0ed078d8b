//! The store: one redb file that holds the chain, its indexes and the mempool.
//!
//! A [`View`] reads in one transaction. All writes go through one thread ([`writer`]), which joins
//! the queued operations into durable commits. The parts:
//! * [`tables`]: the schema; `value`: stored values with checksums; `network`: difficulty and seal
//!   rule
//! * [`view`]: all reads; `page`: bounded reads of consecutive rows; `derived`: the values of a
//!   block that follow from the chain up to it
//! * [`writer`]: the commits; `operation`, `queue`: the operations and the queue of the writer
//! * `edit`: one write transaction; `blocks`, `mempool`, `lines`, `idempotency`, `reorg`: its operations
//! * `index`: the indexes by hash and by message id
//! * [`bulk`]: builds the database of a whole chain at once
//! * `engine`: the redb database; `file`: the file under it; `overlay`: a file that is read without
//!   being changed
//! * `space`: free space on the disk and in the file
//! * [`disconnected`]: the content of disconnected blocks
//! * [`state`]: tip, history tree, network and counts as of the last commit
//! * [`integrity`]: checks of blocks, indexes and counts; `proofs`: checkpoints, receipts and
//!   consistency proofs
//! * [`error`]: the errors; [`panics`]: panics of the engine

mod blocks;
pub mod bulk;
mod derived;
pub mod disconnected;
mod edit;
mod engine;
pub mod error;
mod file;
mod idempotency;
mod index;
pub mod integrity;
mod lines;
pub mod mempool;
mod network;
mod operation;
mod overlay;
mod page;
pub mod panics;
mod proofs;
mod queue;
pub mod reorg;
mod space;
pub mod state;
pub mod tables;
mod value;
pub mod view;
pub mod writer;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::{Database, ReadableDatabase, StorageBackend};

use self::blocks::CheckedBlock;
use self::edit::Edit;
use self::engine::Engine;
use self::overlay::Lock;
use self::panics::catch_engine_panic;
use self::space::Space;
use self::tables::{META, OLDEST_SCHEMA, RUNNING, SCHEMA, SCHEMA_VERSION};
use self::view::ReadErrorHook;
use self::writer::Writer;
use crate::chain::{Block, BlockHash};
use crate::fs::{folder_of, sync_folder, temporary_prefix};

pub use self::bulk::{BulkLoad, BulkPage, BulkSummary};
pub use self::error::{Rejection, StoreError};
pub use self::lines::AddedLines;
pub use self::mempool::{Added, Addition};
pub use self::network::Network;
pub use self::operation::{Operation, Reply};
pub use self::page::PageLimit;
pub use self::reorg::Adoption;
pub use self::state::State;
pub use self::tables::{
    DisconnectedRecord, NeighbourRecord, NeighbourStatus, ProfileRecord, ReorgRecord,
    SnapshotRecord,
};
pub use self::view::{Pending, View};
pub use self::writer::Listener;

/// Number of newest blocks that are checked at open, since new blocks are built on them.
const CHECKED_AT_OPEN: u64 = 1000;

/// An open database.
pub struct Store {
    database: Arc<Engine>,
    writer: Writer,
    /// Reports failed reads to the listener.
    read_error_hook: ReadErrorHook,
    free_space: writer::FreeSpace,
    /// `None` if the storage is not a file.
    space: Option<Arc<Space>>,
    stopped_cleanly: bool,
    /// Every block was checked since the last unclean stop.
    scrubbed: AtomicBool,
}

impl Store {
    /// Creates a database that holds only a genesis block. A kill at any moment leaves either the
    /// complete file or none.
    pub fn create(path: &Path, genesis: &Block, network: Network) -> Result<(), StoreError> {
        let io_error = |path: &Path, source: io::Error| StoreError::Io {
            path: path.to_owned(),
            source: Arc::new(source),
        };
        let folder = folder_of(path);
        let file = tempfile::Builder::new()
            .prefix(&temporary_prefix(path))
            .suffix(".redb")
            .tempfile_in(folder)
            .map_err(|source| io_error(folder, source))?;
        let reopened = file
            .reopen()
            .map_err(|source| io_error(file.path(), source))?;
        let backend = catch_engine_panic(|| Ok(redb::backends::FileBackend::new(reopened)?))?;
        let database = Engine::on_backend(backend)?;
        initialise(&database, genesis, network)?;
        database.close()?;
        file.as_file()
            .sync_all()
            .map_err(|source| io_error(file.path(), source))?;
        file.persist_noclobber(path)
            .map_err(|error| match error.error.kind() {
                io::ErrorKind::AlreadyExists => StoreError::Exists {
                    path: path.to_owned(),
                },
                _ => io_error(path, error.error),
            })?;
        sync_folder(folder).map_err(|source| io_error(folder, source))
    }

    /// Opens a database and starts its writer. Writes are rejected while fewer than `min_free` bytes
    /// are free on the disk.
    pub fn open(path: &Path, min_free: u64, listener: Listener) -> Result<Self, StoreError> {
        let database = Engine::open_writable(path)?;
        let space = Arc::new(Space::new(path, folder_of(path), min_free));
        let free_space = Arc::clone(&space);
        let store = Self::start(database, listener, Arc::new(move || free_space.free()));
        let store = store.map_err(|error| error.opening(path))?;
        Ok(Self {
            space: Some(space),
            ..store
        })
    }

    /// Opens a database on any storage backend, and creates it if the storage is empty.
    pub fn with_backend(
        backend: impl StorageBackend,
        genesis: &Block,
        network: Network,
        listener: Listener,
    ) -> Result<Self, StoreError> {
        let database = Engine::on_backend(backend)?;
        if catch_engine_panic(|| is_empty(&database))? {
            initialise(&database, genesis, network)?;
        }
        Self::start(database, listener, Arc::new(|| None))
    }

    /// Opens a database in memory, without a listener.
    #[cfg(test)]
    pub(crate) fn in_memory(genesis: &Block, network: Network) -> Result<Self, StoreError> {
        let backend = redb::backends::InMemoryBackend::new();
        Self::with_backend(backend, genesis, network, Box::new(|_| {}))
    }

    fn start(
        database: Engine,
        listener: Listener,
        free_space: writer::FreeSpace,
    ) -> Result<Self, StoreError> {
        check_schema(&database)?;
        let view = View::new(&database, None)?;
        let state = catch_engine_panic(|| State::load(&view))?;
        integrity::check_counts(&view, &state)?;
        let stopped_cleanly = catch_engine_panic(|| {
            Ok(view.transaction().open_table(META)?.get(RUNNING)?.is_none())
        })?;
        integrity::check_newest(&view, CHECKED_AT_OPEN)?;
        drop(view);
        let length = state.length();
        change(&database, state.clone(), |edit| {
            edit.set_schema(SCHEMA_VERSION)?;
            edit.clear_staged()?;
            edit.set_running(true)
        })?;
        let database = Arc::new(database);
        let listener: Arc<writer::ListenerFn> = Arc::from(listener);
        let error_listener = Arc::clone(&listener);
        let read_error_hook: ReadErrorHook = Arc::new(move |error| error_listener(Err(error)));
        let writer = Writer::start(
            Arc::clone(&database),
            state,
            listener,
            Arc::clone(&free_space),
        )?;
        Ok(Self {
            database,
            writer,
            read_error_hook,
            free_space,
            space: None,
            stopped_cleanly,
            // A short chain was checked completely above.
            scrubbed: AtomicBool::new(stopped_cleanly || length <= CHECKED_AT_OPEN),
        })
    }

    /// Opens a consistent view of the last commit.
    pub fn view(&self) -> Result<View, StoreError> {
        View::new(&self.database, Some(Arc::clone(&self.read_error_hook)))
    }

    /// Returns the state of the last commit from memory.
    pub fn state(&self) -> Arc<State> {
        self.writer.state()
    }

    /// Records that every block was checked, so that this run can end cleanly.
    pub fn note_scrubbed(&self) {
        self.scrubbed.store(true, Ordering::Relaxed);
    }

    /// Returns `true` if the previous run closed the database.
    pub fn stopped_cleanly(&self) -> bool {
        self.stopped_cleanly
    }

    /// Measures the reusable space within the file, if the disk is nearly full. This can take as
    /// long as reading the whole database.
    pub fn measure_space(&self, is_stopped: &dyn Fn() -> bool) -> Result<(), StoreError> {
        match &self.space {
            Some(space) => space.measure(|| self.view(), is_stopped),
            None => Ok(()),
        }
    }

    /// Returns how many bytes are free for the database and how many must stay free. Includes the
    /// reusable space within the file, as last measured.
    pub fn free_space(&self) -> Option<(u64, u64)> {
        (self.free_space)()
    }

    /// Queues an operation for the writer; its reply is called after the commit.
    pub fn submit(&self, operation: Operation) -> Result<(), StoreError> {
        self.writer.submit(operation)
    }

    /// Queues an operation for the writer and blocks until its commit.
    pub fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(Reply<T>) -> Operation,
    ) -> Result<T, StoreError> {
        let (sender, receiver) = std::sync::mpsc::sync_channel(1);
        self.submit(operation(Box::new(move |result| {
            // The receiver is alive until it has the result.
            let _ = sender.send(result);
        })))?;
        receiver.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Commits the queued operations and closes the file, recording a clean stop.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.writer.stop();
        // Otherwise the next start checks the older blocks again.
        if self.scrubbed.load(Ordering::Relaxed) {
            let state = State::clone(&self.state());
            change(&self.database, state, |edit| edit.set_running(false))?;
        }
        // The writer has ended, so this is the last reference.
        Arc::into_inner(self.database).map_or(Ok(()), Engine::close)
    }
}

/// The database of a stopped node, opened for reading. Its file is never changed: repairs after a
/// kill are made in memory.
pub struct StoppedStore {
    database: Engine,
}

impl StoppedStore {
    /// Opens the file under a shared lock, which excludes nodes but not other readers.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_with_lock(path, Lock::Shared)
    }

    /// Opens the file under an exclusive lock, for a process that is going to replace it.
    pub fn open_exclusive(path: &Path) -> Result<Self, StoreError> {
        Self::open_with_lock(path, Lock::Exclusive)
    }

    fn open_with_lock(path: &Path, lock: Lock) -> Result<Self, StoreError> {
        let database = Engine::open_read_only(path, lock)?;
        check_schema(&database).map_err(|error| error.opening(path))?;
        Ok(Self { database })
    }

    /// Checks the engine's checksums over the whole file.
    pub fn check_checksums(&mut self) -> Result<(), StoreError> {
        self.database.check_checksums()
    }

    /// Opens a consistent view of the database.
    pub fn view(&self) -> Result<View, StoreError> {
        View::new(&self.database, None)
    }
}

fn is_empty(database: &Database) -> Result<bool, StoreError> {
    Ok(database.begin_read()?.list_tables()?.next().is_none())
}

/// Fills a new database.
fn initialise(database: &Database, genesis: &Block, network: Network) -> Result<(), StoreError> {
    change(database, State::below_genesis(genesis, network), |edit| {
        edit.set_schema(SCHEMA_VERSION)?;
        edit.set_network(network)?;
        let checked = CheckedBlock {
            hash: BlockHash::of(genesis),
            details: None,
        };
        edit.connect_one(genesis, checked)
    })
}

/// Makes one commit outside the writer, at open and close.
fn change(
    database: &Database,
    state: State,
    work: impl FnOnce(&mut Edit<'_>) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    catch_engine_panic(|| {
        let mut txn = database.begin_write()?;
        txn.set_quick_repair(true);
        let mut edit = Edit::open(&txn, state)?;
        work(&mut edit)?;
        edit.finish()?;
        Ok(txn.commit()?)
    })
}

fn check_schema(database: &Database) -> Result<(), StoreError> {
    catch_engine_panic(|| {
        let meta = database.begin_read()?.open_table(META)?;
        let bytes = meta.get(SCHEMA)?;
        let bytes = bytes
            .as_ref()
            .and_then(|bytes| bytes.value().try_into().ok());
        let found = u32::from_le_bytes(
            bytes.ok_or_else(|| StoreError::corrupt("table meta, key schema: missing"))?,
        );
        if !(OLDEST_SCHEMA..=SCHEMA_VERSION).contains(&found) {
            return Err(StoreError::Schema {
                found,
                supported: SCHEMA_VERSION,
            });
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
