//! Builds the database of a whole chain at once, as an import does.
//!
//! The database counts only when it is complete, so it needs no durable steps in between: it is
//! written in one transaction, whose commit is its only sync. Blocks and nodes of the history tree
//! come in the order of their keys. Rows of the indexes do not: inserted as they come, each would
//! rewrite a page of its own. They are sorted first, on disk if there are many, and inserted last.

mod index_rows;
mod sorter;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use self::index_rows::IndexRows;
use super::blocks::{CheckedBlock, EncodedBlock};
use super::edit::Edit;
use super::engine::Engine;
use super::error::{Rejection, StoreError};
use super::index::end_of;
use super::network::Network;
use super::panics::catch_engine_panic;
use super::space::Space;
use super::state::State;
use super::tables::SCHEMA_VERSION;
use crate::chain::{Block, Passed};
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
    checked: Vec<CheckedBlock>,
    nodes: Vec<[u8; 32]>,
}

impl BulkPage {
    /// Adds the values and the nodes of the next block, which passed the checks.
    pub fn push(&mut self, passed: &Passed<'_, '_>) {
        self.checked.push(passed.into());
        self.nodes.extend_from_slice(passed.nodes);
    }

    /// Encodes the blocks, which are those that were pushed, on all processors.
    pub fn encode(&mut self, blocks: &[Block]) {
        self.blocks = EncodedBlock::all(blocks, &self.checked);
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
        let summary = catch_engine_panic(|| {
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
            for (block, checked) in page.blocks.iter().zip(&page.checked) {
                blocks.insert_before(index, &*block.value)?;
                indexes.push(index, &checked.hash, &block.message)?;
                edit.state.totals.chain_json_bytes += block.json_bytes;
                edit.state.totals.sealed += u64::from(checked.is_sealed());
                index += 1;
            }
            for node in &page.nodes {
                history.insert_before(position, node)?;
                position += 1;
            }
        }
        // The load was abandoned.
        Err(StoreError::Closed)
    }
}

fn io_error(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        path: path.to_owned(),
        source: Arc::new(source),
    }
}

#[cfg(test)]
mod tests;
