//! One write transaction with its tables open, and the state that results from it.
//!
//! Its operations are in [`super::blocks`], [`super::mempool`] and [`super::reorg`]. Each of them
//! either succeeds completely or is rejected before it changes anything, so that many can share one
//! commit.

use redb::{Table, WriteTransaction};

use super::error::{Rejection, StoreError};
use super::index::Index;
use super::network::Network;
use super::state::State;
use super::tables::{self, NeighbourRecord, NetworkRecord, ProfileRecord, SnapshotRecord};
use super::value;

/// Result of an operation: the outer error is a failed database, the inner one a rejection.
pub(crate) type EditResult<T> = Result<Result<T, Rejection>, StoreError>;

pub(crate) struct Edit<'txn> {
    pub(crate) blocks: Table<'txn, u64, &'static [u8]>,
    pub(crate) index_by_hash: Index<'txn, 32>,
    pub(crate) index_by_message: Index<'txn, 16>,
    pub(crate) history: Table<'txn, u64, &'static [u8; 32]>,
    pub(crate) mempool: Table<'txn, u64, &'static [u8]>,
    pub(crate) mempool_by_id: Table<'txn, &'static [u8; 16], u64>,
    pub(crate) learned: Table<'txn, u64, ()>,
    pub(crate) renamed: Table<'txn, &'static [u8; 16], &'static [u8; 16]>,
    pub(crate) idempotency: Table<'txn, &'static [u8; 32], &'static [u8]>,
    pub(crate) idempotency_by_time: Table<'txn, (u64, &'static [u8; 32]), ()>,
    pub(crate) staged: Table<'txn, (u64, u64), &'static [u8]>,
    pub(crate) reorgs: Table<'txn, u64, &'static [u8]>,
    pub(crate) disconnected: Table<'txn, (u64, u64), &'static [u8]>,
    neighbours: Table<'txn, &'static str, &'static [u8]>,
    meta: Table<'txn, &'static str, &'static [u8]>,
    /// The state after the operations so far.
    pub(crate) state: State,
}

impl<'txn> Edit<'txn> {
    pub(crate) fn open(txn: &'txn WriteTransaction, state: State) -> Result<Self, StoreError> {
        Ok(Self {
            blocks: txn.open_table(tables::BLOCKS)?,
            index_by_hash: Index::open(txn, &tables::INDEX_BY_HASH)?,
            index_by_message: Index::open(txn, &tables::INDEX_BY_MESSAGE)?,
            history: txn.open_table(tables::HISTORY)?,
            mempool: txn.open_table(tables::MEMPOOL)?,
            mempool_by_id: txn.open_table(tables::MEMPOOL_BY_ID)?,
            learned: txn.open_table(tables::LEARNED)?,
            renamed: txn.open_table(tables::RENAMED)?,
            idempotency: txn.open_table(tables::IDEMPOTENCY)?,
            idempotency_by_time: txn.open_table(tables::IDEMPOTENCY_BY_TIME)?,
            staged: txn.open_table(tables::STAGED)?,
            reorgs: txn.open_table(tables::REORGS)?,
            disconnected: txn.open_table(tables::DISCONNECTED)?,
            neighbours: txn.open_table(tables::NEIGHBOURS)?,
            meta: txn.open_table(tables::META)?,
            state,
        })
    }

    /// Moves rows of the indexes, writes the running counts and returns the resulting state.
    pub(crate) fn finish(mut self) -> Result<State, StoreError> {
        let positions = &mut self.state.index_positions;
        self.index_by_hash.move_rows(&mut positions.by_hash)?;
        self.index_by_message.move_rows(&mut positions.by_message)?;
        self.meta
            .insert(tables::TOTALS, &*value::encode(&self.state.totals))?;
        Ok(self.state)
    }

    pub(crate) fn set_network(&mut self, network: Network) -> Result<(), StoreError> {
        let record: NetworkRecord = network.to_record();
        self.meta
            .insert(tables::NETWORK, &*value::encode(&record))?;
        self.state.network = network;
        Ok(())
    }

    /// Sets or clears the mark that a node has the database open.
    pub(crate) fn set_running(&mut self, running: bool) -> Result<(), StoreError> {
        if running {
            self.meta.insert(tables::RUNNING, &[][..])?;
        } else {
            self.meta.remove(tables::RUNNING)?;
        }
        Ok(())
    }

    pub(crate) fn note_snapshot(&mut self, record: &SnapshotRecord) -> Result<(), StoreError> {
        self.meta
            .insert(tables::SNAPSHOT, &*value::encode(record))?;
        Ok(())
    }

    /// Records that the administrator has looked at all reorgs up to this one.
    pub(crate) fn acknowledge(&mut self, number: u64) -> Result<(), StoreError> {
        let number = number.min(self.state.totals.reorgs);
        self.meta
            .insert(tables::ACKNOWLEDGED, &*value::encode(&number))?;
        Ok(())
    }

    pub(crate) fn set_profile(&mut self, record: &ProfileRecord) -> Result<(), StoreError> {
        self.meta.insert(tables::PROFILE, &*value::encode(record))?;
        Ok(())
    }

    /// Replaces the kept neighbours.
    pub(crate) fn set_neighbours(&mut self, records: &[NeighbourRecord]) -> Result<(), StoreError> {
        self.neighbours.retain(|_, _| false)?;
        for record in records {
            self.neighbours
                .insert(&*record.address, &*value::encode(record))?;
        }
        Ok(())
    }

    pub(crate) fn set_schema(&mut self, version: u32) -> Result<(), StoreError> {
        self.meta
            .insert(tables::SCHEMA, &version.to_le_bytes()[..])?;
        Ok(())
    }

    /// Deletes staged branches of an earlier run.
    pub(crate) fn clear_staged(&mut self) -> Result<(), StoreError> {
        Ok(self.staged.retain(|_, _| false)?)
    }
}
