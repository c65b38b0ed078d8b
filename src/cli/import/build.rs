//! Checks a chain file and builds its database in one pass.

use std::path::Path;

use crate::chain::Message;
use crate::cli::chain_file::{Batch, ChainFile, Walk};
use crate::cli::error::Error;
use crate::cli::examine::Examiner;
use crate::cli::files::MIN_FREE;
use crate::clock::{Clock, SystemClock};
use crate::store::{
    BulkLoad, BulkPage, Network, Operation, PageLimit, ProfileRecord, Store, StoreError, View,
};

/// Maximum number of pending messages and approximate maximum size of their texts per write.
const BATCH_COUNT: usize = 4000;
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Records that the new database takes over from the old one.
#[derive(Default)]
pub(super) struct Carried {
    /// Pending messages with their arrival times, in milliseconds.
    messages: Vec<(Message, u64)>,
    /// Name, title and access: a closed node must not become open.
    profile: ProfileRecord,
}

impl Carried {
    pub(super) fn from(view: &View) -> Result<Self, StoreError> {
        let (mut carried, mut next) = (Vec::new(), 0);
        loop {
            let page = view.pending_from(next, PageLimit::SCAN)?;
            let Some(last) = page.last() else { break };
            next = last.sequence + 1;
            let parts = |pending: crate::store::Pending| (pending.message, pending.arrived);
            carried.extend(page.into_iter().map(parts));
        }
        Ok(Self {
            messages: carried,
            profile: view.profile()?,
        })
    }
}

/// A database under construction.
pub(super) struct Build<'a> {
    path: &'a Path,
    pub(super) examiner: Examiner,
    /// Chooses the parameters of the network, after the last block.
    network: &'a dyn Fn(&Examiner) -> Network,
    /// Records of the old database.
    carried: Carried,
    stage: Stage,
    messages: Vec<(Message, u64)>,
    /// Size of the texts of `messages`.
    bytes: usize,
}

/// The part of a chain file that comes next.
enum Stage {
    Start,
    Blocks(BulkLoad),
    /// All blocks are in the database.
    Pending(Store, u64),
}

/// Summary of a new database.
pub(super) struct Built {
    pub(super) repeated_ids: u64,
    pub(super) pending: u64,
}

impl<'a> Build<'a> {
    /// Prepares a database at `path`. `network` chooses its parameters when all blocks are known.
    pub(super) fn new(
        path: &'a Path,
        examiner: Examiner,
        network: &'a dyn Fn(&Examiner) -> Network,
        carried: Carried,
    ) -> Self {
        Self {
            path,
            examiner,
            network,
            carried,
            stage: Stage::Start,
            messages: Vec::new(),
            bytes: 0,
        }
    }

    /// Checks and writes the content of a file up to the first error, which the examiner records.
    pub(super) fn read(&mut self, file: &mut ChainFile) -> Result<Walk, Error> {
        let now = SystemClock.millis();
        let walk = file.walk(|batch| self.push(batch, now))?;
        if let Some(invalid) = &walk.invalid {
            self.examiner.record_read_error(invalid);
        }
        Ok(walk)
    }

    /// Returns `false` after a block that breaks a rule.
    fn push(&mut self, batch: Batch, now: u64) -> Result<bool, Error> {
        let mut page = BulkPage::default();
        self.examiner
            .push_all(&batch.blocks, |passed| page.push(passed));
        let (None, Some(genesis)) = (&self.examiner.error, &self.examiner.genesis) else {
            return Ok(self.examiner.error.is_none());
        };
        if !batch.blocks.is_empty() {
            page.encode(&batch.blocks);
            if let Stage::Start = self.stage {
                self.stage = Stage::Blocks(BulkLoad::start(self.path, genesis, MIN_FREE)?);
            }
            match &mut self.stage {
                Stage::Blocks(load) => load.push(page)?,
                Stage::Start | Stage::Pending(..) => {
                    return Err(Error::failed("a block follows the pending messages"));
                }
            }
        }
        for message in batch.pending {
            self.bytes += message.text().len();
            self.messages.push((message, now));
        }
        if self.messages.len() >= BATCH_COUNT || self.bytes >= BATCH_BYTES {
            self.flush()?;
        }
        Ok(true)
    }

    fn flush(&mut self) -> Result<(), Error> {
        self.bytes = 0;
        let messages = std::mem::take(&mut self.messages);
        self.finish_blocks()?;
        if let Stage::Pending(store, _) = &self.stage {
            store.write(|reply| Operation::Restore(messages, reply))?;
        }
        Ok(())
    }

    /// Completes the blocks, and opens the database for the pending messages.
    fn finish_blocks(&mut self) -> Result<(), Error> {
        let load = match std::mem::replace(&mut self.stage, Stage::Start) {
            Stage::Blocks(load) => load,
            stage => {
                self.stage = stage;
                return Ok(());
            }
        };
        let summary = load.finish((self.network)(&self.examiner))?;
        let store = Store::open(self.path, MIN_FREE, Box::new(|_| {}))?;
        // Clients know the ids of carried messages, so those take precedence over the file's.
        let Carried { messages, profile } = std::mem::take(&mut self.carried);
        store.write(|reply| Operation::Restore(messages, reply))?;
        store.write(|reply| Operation::SetProfile(profile, reply))?;
        self.stage = Stage::Pending(store, summary.repeated_ids);
        Ok(())
    }

    /// Completes the database of a chain without an error. It is on disk and closed when this
    /// returns.
    pub(super) fn finish(mut self) -> Result<Built, Error> {
        self.flush()?;
        let Stage::Pending(store, repeated_ids) = self.stage else {
            return Err(StoreError::Closed.into());
        };
        let pending = store.state().mempool_count();
        store.close()?;
        Ok(Built {
            repeated_ids,
            pending,
        })
    }
}
