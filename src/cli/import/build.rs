//! Builds the database of an imported chain.

use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};

use crate::chain::{Block, BlockHash, Message};
use crate::cli::chain_file::{Batch, ChainFile};
use crate::cli::error::Error;
use crate::cli::files::MIN_FREE;
use crate::cli::source::PAGE;
use crate::clock::{Clock, SystemClock};
use crate::store::{Network, Operation, Reply, Store, StoreError, View};

/// Maximum number of items and approximate maximum size of texts per write.
const BATCH_COUNT: usize = 4000;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Pending messages of the old database with their arrival times, in milliseconds.
#[derive(Default)]
pub(super) struct Carried(Vec<(Message, u64)>);

impl Carried {
    pub(super) fn from(view: &View) -> Result<Self, StoreError> {
        let (mut carried, mut next) = (Vec::new(), 0);
        loop {
            let page = view.pending_from(next, PAGE)?;
            let Some(last) = page.last() else { break };
            next = last.sequence + 1;
            let parts = |pending: crate::store::Pending| (pending.message, pending.arrived);
            carried.extend(page.into_iter().map(parts));
        }
        Ok(Self(carried))
    }
}

/// Summary of a new database.
pub(super) struct Built {
    pub(super) genesis: BlockHash,
    pub(super) tip: BlockHash,
    pub(super) pending: u64,
}

/// Creates a database at `path` from the file and the carried messages. On success it is complete,
/// on disk and closed.
pub(super) fn build(
    file: &mut ChainFile,
    path: &Path,
    genesis: &Block,
    network: Network,
    carried: &Carried,
) -> Result<Built, Error> {
    Store::create(path, genesis, network)?;
    let store = Store::open(path, MIN_FREE, Box::new(|_| {}))?;
    let mut builder = Builder {
        store: &store,
        tip: BlockHash::of(genesis),
        blocks: Vec::new(),
        messages: Vec::new(),
        bytes: 0,
        in_flight: None,
    };
    // Clients know the ids of carried messages, so those take precedence over the file's.
    builder.messages.extend_from_slice(&carried.0);
    builder.flush()?;
    let now = SystemClock.millis();
    let walk = file.walk(|batch| builder.push(batch, now).map(|()| true))?;
    if let Some(invalid) = walk.invalid {
        return Err(file.rejected(invalid));
    }
    builder.flush()?;
    builder.wait()?;
    let state = store.state();
    store.close()?;
    Ok(Built {
        genesis: state.genesis,
        tip: state.tip.hash,
        pending: state.mempool_count(),
    })
}

/// Passes batches to the writer of the store, which writes one while the next is read.
struct Builder<'a> {
    store: &'a Store,
    /// Hash of the last block submitted.
    tip: BlockHash,
    blocks: Vec<Block>,
    messages: Vec<(Message, u64)>,
    bytes: usize,
    in_flight: Option<Receiver<Result<(), StoreError>>>,
}

impl Builder<'_> {
    fn push(&mut self, batch: Batch, now: u64) -> Result<(), Error> {
        // The database has its genesis block; if the file's differs, the next block is rejected.
        for block in batch.blocks.into_iter().filter(|block| block.index > 0) {
            self.bytes += block.message.text().len();
            self.blocks.push(block);
        }
        for message in batch.pending {
            self.bytes += message.text().len();
            self.messages.push((message, now));
        }
        if self.blocks.len() + self.messages.len() >= BATCH_COUNT || self.bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.bytes = 0;
        let blocks = std::mem::take(&mut self.blocks);
        if let Some(last) = blocks.last() {
            let parent = std::mem::replace(&mut self.tip, BlockHash::of(last));
            self.submit(|reply| Operation::Append(parent, blocks, reply))?;
        }
        let messages = std::mem::take(&mut self.messages);
        if !messages.is_empty() {
            self.submit(|reply| Operation::Restore(messages, reply))?;
        }
        Ok(())
    }

    fn submit(&mut self, operation: impl FnOnce(Reply<()>) -> Operation) -> Result<(), Error> {
        self.wait()?;
        let (sender, receiver) = sync_channel(1);
        self.store.submit(operation(Box::new(move |result| {
            // After another failure the receiver is gone.
            let _ = sender.send(result);
        })))?;
        self.in_flight = Some(receiver);
        Ok(())
    }

    /// Waits for the operation in flight.
    fn wait(&mut self) -> Result<(), Error> {
        match self.in_flight.take() {
            Some(receiver) => Ok(receiver.recv().unwrap_or(Err(StoreError::Closed))?),
            None => Ok(()),
        }
    }
}
