//! Builds the database of a whole chain at once, as an import does.
//!
//! The database counts only when it is complete, so it needs no durable steps in between: it is
//! written in one transaction, whose commit is its only sync. Blocks and nodes of the history tree
//! come in the order of their keys. Rows of the indexes do not: inserted as they come, each would
//! rewrite a page of its own. They are sorted first, on disk if there are many, and inserted last.

mod sorter;

use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use redb::{CursorMut, Key, Table, Value};

use self::sorter::Sorter;
use super::edit::Edit;
use super::engine::Engine;
use super::error::{Rejection, StoreError};
use super::network::Network;
use super::panics::guarded;
use super::space::Space;
use super::state::{State, block_json_bytes};
use super::tables::SCHEMA_VERSION;
use super::value;
use crate::chain::{Block, BlockHash, Passed, Seal};
use crate::fs::folder_of;
use crate::pow::Difficulty;

/// Maximum number of pages that wait for the thread that writes them.
const PAGES_AHEAD: usize = 4;

/// Writes the blocks of a chain, which were checked, to a new database.
pub struct BulkLoad {
    steps: Option<SyncSender<Step>>,
    thread: Option<JoinHandle<Result<BulkSummary, StoreError>>>,
}

enum Step {
    Page(BulkPage),
    /// All blocks were passed; the chain belongs to a network with these parameters.
    Finish(Network),
}

/// Consecutive blocks of a chain, with the rows that they have in the tables.
#[derive(Default)]
pub struct BulkPage {
    blocks: Vec<EncodedBlock>,
    hashes: Vec<BlockHash>,
    nodes: Vec<[u8; 32]>,
    sealed: u64,
}

struct EncodedBlock {
    value: Vec<u8>,
    message: [u8; 16],
    json_bytes: u64,
}

impl BulkPage {
    /// Adds the hash and the nodes of the next block, which passed the checks.
    pub fn push(&mut self, passed: &Passed<'_, '_>) {
        self.hashes.push(passed.hash);
        self.nodes.extend_from_slice(passed.nodes);
        self.sealed += u64::from(passed.seal == Some(Seal::Sealed));
    }

    /// Encodes the blocks, which are those that were pushed, on all processors.
    pub fn encode(&mut self, blocks: &[Block]) {
        let encode = |block: &Block| EncodedBlock {
            value: value::encode_block(block),
            message: *block.message.id().as_bytes(),
            json_bytes: block_json_bytes(block),
        };
        let blocks = blocks.par_iter().with_min_len(64).map(encode);
        blocks.collect_into_vec(&mut self.blocks);
    }
}

/// Summary of a complete database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BulkSummary {
    /// Number of message ids that appear in more than one block.
    pub repeated_ids: u64,
}

impl BulkLoad {
    /// Creates a database at `path`, where no file is, and starts the thread that writes it. Writing
    /// stops with an error when fewer than `min_free` bytes are free on the disk.
    pub fn start(path: &Path, genesis: &Block, min_free: u64) -> Result<Self, StoreError> {
        let (steps, receiver) = sync_channel(PAGES_AHEAD);
        let unknown = Network {
            difficulty: Difficulty::MIN,
            sealed_from: None,
        };
        let loader = Loader {
            engine: Engine::create(path)?,
            folder: folder_of(path).to_owned(),
            space: Space::new(path, folder_of(path), min_free),
            state: State::below_genesis(genesis, unknown),
        };
        let thread = thread::Builder::new()
            .name("store-bulk".to_owned())
            .spawn(move || loader.run(&receiver))
            .map_err(|source| io_error(path, source))?;
        Ok(Self {
            steps: Some(steps),
            thread: Some(thread),
        })
    }

    /// Passes the next blocks to the thread that writes them.
    ///
    /// # Errors
    /// If the thread has failed.
    pub fn push(&mut self, page: BulkPage) -> Result<(), StoreError> {
        match &self.steps {
            Some(steps) if steps.send(Step::Page(page)).is_ok() => Ok(()),
            _ => Err(self.join().err().unwrap_or(StoreError::Closed)),
        }
    }

    /// Completes the database and closes it. It is on disk when this returns.
    pub fn finish(mut self, network: Network) -> Result<BulkSummary, StoreError> {
        if let Some(steps) = &self.steps {
            // A thread that is gone has failed, and `join` returns its error.
            let _ = steps.send(Step::Finish(network));
        }
        self.join()
    }

    fn join(&mut self) -> Result<BulkSummary, StoreError> {
        self.steps = None;
        let thread = self.thread.take().ok_or(StoreError::Closed)?;
        let joined = thread.join();
        joined.unwrap_or_else(|_| Err(StoreError::interrupted("the load", &"its thread panicked")))
    }
}

impl Drop for BulkLoad {
    /// Ends the thread of an abandoned load, so that nothing is written to its file any more.
    fn drop(&mut self) {
        let _ = self.join();
    }
}

struct Loader {
    engine: Engine,
    folder: PathBuf,
    space: Space,
    /// The state before the genesis block.
    state: State,
}

impl Loader {
    fn run(self, steps: &Receiver<Step>) -> Result<BulkSummary, StoreError> {
        let summary = guarded(|| {
            let txn = self.engine.begin_write()?;
            let mut edit = Edit::open(&txn, self.state.clone())?;
            let (indexes, network) = self.write_pages(&mut edit, steps)?;
            let summary = indexes.write(&mut edit)?;
            edit.set_schema(SCHEMA_VERSION)?;
            edit.set_network(network)?;
            edit.finish()?;
            txn.commit()?;
            Ok(summary)
        })?;
        self.engine.close()?;
        Ok(summary)
    }

    /// Writes the blocks and the history tree. Returns the rows of the indexes.
    fn write_pages(
        &self,
        edit: &mut Edit<'_>,
        steps: &Receiver<Step>,
    ) -> Result<(IndexRows, Network), StoreError> {
        let mut blocks = end_of(&mut edit.blocks)?;
        let mut history = end_of(&mut edit.history)?;
        let mut indexes = IndexRows::new(&self.folder);
        let (mut index, mut position) = (0_u64, 0_u64);
        for step in steps {
            let page = match step {
                Step::Page(page) => page,
                Step::Finish(network) => {
                    blocks.close()?;
                    history.close()?;
                    return Ok((indexes, network));
                }
            };
            if let Some((free, needed)) = self.space.free().filter(|(free, needed)| free < needed) {
                return Err(Rejection::NoSpace { free, needed }.into());
            }
            for (block, hash) in page.blocks.iter().zip(&page.hashes) {
                blocks.insert_before(index, &*block.value)?;
                indexes.push(index, hash, &block.message)?;
                edit.state.totals.chain_json_bytes += block.json_bytes;
                index += 1;
            }
            for node in &page.nodes {
                history.insert_before(position, node)?;
                position += 1;
            }
            edit.state.totals.sealed += page.sealed;
        }
        // The load was abandoned.
        Err(StoreError::Closed)
    }
}

/// Rows of the two indexes, each a key and its index in big endian, which sort like the keys.
struct IndexRows {
    folder: PathBuf,
    by_hash: Sorter<40>,
    by_message: Sorter<24>,
}

impl IndexRows {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            by_hash: Sorter::new(folder),
            by_message: Sorter::new(folder),
        }
    }

    fn push(&mut self, index: u64, hash: &BlockHash, message: &[u8; 16]) -> Result<(), StoreError> {
        let by_hash = self.by_hash.push(row(hash.as_bytes(), index));
        let by_message = self.by_message.push(row(message, index));
        by_hash
            .and(by_message)
            .map_err(|error| io_error(&self.folder, error))
    }

    fn write(self, edit: &mut Edit<'_>) -> Result<BulkSummary, StoreError> {
        let failed = |error: DrainError| error.at(&self.folder);
        let mut by_hash = end_of(&mut edit.index_by_hash)?;
        self.by_hash
            .drain(|row| {
                let (hash, index) = parts::<32>(row);
                by_hash.insert_before(hash, index)?;
                Ok(())
            })
            .map_err(failed)?;
        by_hash.close()?;

        // Blocks may carry the same id; the index keeps the lowest of them, which comes first.
        let mut by_message = end_of(&mut edit.index_by_message)?;
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

fn io_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        source: Arc::new(source),
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

/// Returns a cursor at the end of a table.
fn end_of<'a, K: Key, V: Value>(
    table: &'a mut Table<'_, K, V>,
) -> Result<CursorMut<'a, K, V>, StoreError> {
    Ok(table.upper_bound_mut(Bound::<K::SelfType<'_>>::Unbounded)?)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::chain::Checker;
    use crate::store::tests::{chain, message};
    use crate::store::{PageLimit, Store, View};

    const NETWORK: Network = Network {
        difficulty: Difficulty::MIN,
        sealed_from: Some(6),
    };

    /// Returns the pages of a chain of six blocks, in which an id appears twice.
    fn pages() -> (Vec<Block>, Vec<BulkPage>) {
        let ids = [3, 1, 2, 1, 4];
        let messages: Vec<_> = ids.map(|id| message(id, &format!("text {id}"))).into();
        let blocks = chain(&messages);
        let mut checker = Checker::new(Difficulty::MIN, None);
        let pages = blocks.chunks(4).map(|blocks| {
            let mut page = BulkPage::default();
            let pushed = checker.push_all(blocks, |passed| {
                page.push(&passed);
                passed.acceptable
            });
            pushed.unwrap();
            page.encode(blocks);
            page
        });
        let pages = pages.collect();
        (blocks, pages)
    }

    /// Returns everything that a view of the chain shows.
    fn content(view: &View) -> (Vec<Block>, State, Vec<Option<u64>>) {
        let limit = PageLimit {
            count: 100,
            bytes: usize::MAX,
        };
        let blocks = view.blocks(0, limit).unwrap();
        let by_hash = blocks
            .iter()
            .map(|block| view.index_of(&BlockHash::of(block)));
        let by_message = blocks
            .iter()
            .map(|block| view.index_of_message(&block.message.id()));
        let indexes = by_hash.chain(by_message).map(Result::unwrap).collect();
        (blocks, State::load(view).unwrap(), indexes)
    }

    #[test]
    fn a_bulk_load_and_single_blocks_make_the_same_database() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bulk.redb");
        let (blocks, pages) = pages();
        let mut load = BulkLoad::start(&path, &blocks[0], 0).unwrap();
        for page in pages {
            load.push(page).unwrap();
        }
        assert_eq!(load.finish(NETWORK).unwrap().repeated_ids, 1);
        let loaded = Store::open(&path, 0, Box::new(|_| {})).unwrap();

        let single = Store::in_memory(&blocks[0], NETWORK).unwrap();
        for pair in blocks.windows(2) {
            let (parent, block) = (BlockHash::of(&pair[0]), pair[1].clone());
            single
                .write(|reply| crate::store::Operation::Append(parent, vec![block], reply))
                .unwrap();
        }
        let (loaded, single) = (loaded.view().unwrap(), single.view().unwrap());
        assert_eq!(
            format!("{:?}", content(&loaded)),
            format!("{:?}", content(&single))
        );
        assert_eq!(loaded.network().unwrap(), NETWORK);
    }

    #[test]
    fn an_abandoned_load_has_ended_when_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bulk.redb");
        let (blocks, mut pages) = pages();
        let mut load = BulkLoad::start(&path, &blocks[0], 0).unwrap();
        load.push(pages.remove(0)).unwrap();
        drop(load);
        // Its lock is released.
        let opened = Engine::open(&path).unwrap();
        assert!(
            opened
                .begin_write()
                .unwrap()
                .list_tables()
                .unwrap()
                .next()
                .is_none()
        );
        drop(opened);
        fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_full_disk_ends_the_load_with_a_named_error() {
        let folder = tempfile::tempdir().unwrap();
        let (blocks, pages) = pages();
        let path = folder.path().join("bulk.redb");
        let mut load = BulkLoad::start(&path, &blocks[0], u64::MAX).unwrap();
        let pushed = pages.into_iter().try_for_each(|page| load.push(page));
        let error = pushed
            .and_then(|()| load.finish(NETWORK).map(drop))
            .unwrap_err();
        assert!(
            matches!(
                error,
                StoreError::Rejected(Rejection::NoSpace {
                    needed: u64::MAX,
                    ..
                })
            ),
            "{error}"
        );
    }
}
