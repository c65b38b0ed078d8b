//! Does the file hold what it should: every block, and in every index the row that belongs to it.

use std::path::Path;

use redb::{ReadableTable, ReadableTableMetadata};

use super::StoppedStore;
use super::error::{StoreError, guarded};
use super::state::State;
use super::tables;
use super::view::{PageLimit, View};
use crate::chain::{Block, BlockHash, MessageId, history};

/// How many blocks are read at a time.
const PAGE: PageLimit = PageLimit {
    count: 1000,
    bytes: 4 * 1024 * 1024,
};

/// Checks the newest blocks, their links and their rows in the indexes and the history tree.
pub fn check_newest(view: &View, count: u64) -> Result<(), StoreError> {
    let length = view.last_block()?.index + 1;
    check_range(view, length.saturating_sub(count), length)
}

/// Checks the blocks from index `from` up to and without `to`: their links and their rows.
pub fn check_range(view: &View, from: u64, to: u64) -> Result<(), StoreError> {
    let mut previous = match from.checked_sub(1) {
        Some(index) => Some(block_at(view, index)?),
        None => None,
    };
    let mut next = from;
    while next < to {
        for block in view.blocks(next, PAGE)? {
            if block.index != next {
                return Err(StoreError::corrupt(format!(
                    "table blocks, key {next}: missing"
                )));
            }
            check_rows(view, &block, previous.as_ref())?;
            next += 1;
            previous = Some(block);
        }
        if previous.as_ref().is_none_or(|last| last.index + 1 != next) {
            return Err(StoreError::corrupt(format!(
                "table blocks, key {next}: missing"
            )));
        }
    }
    Ok(())
}

fn check_rows(view: &View, block: &Block, previous: Option<&Block>) -> Result<(), StoreError> {
    let index = block.index;
    let wrong = |what: &str| Err(StoreError::corrupt(format!("block {index}: {what}")));
    let linked = block.link.as_ref().map(|link| link.previous_hash);
    if linked != previous.map(BlockHash::of) {
        return wrong("its previous hash is not that of the block before");
    }
    let hash = BlockHash::of(block);
    if view.index_of(&hash)? != Some(index) {
        return wrong("the index by hash does not lead to it");
    }
    let id = block.message.id();
    let carrier = view.index_of_message(&id)?;
    let leads_here = match carrier {
        Some(lower) if lower < index => block_at(view, lower)?.message.id() == id,
        carrier => carrier == Some(index),
    };
    if !leads_here {
        return wrong("the index by message does not lead to it");
    }
    let mut before = view.history(index)?;
    before.append(&hash, |_, _| {});
    if before != view.history(index + 1)? {
        return wrong("the history tree has other hashes");
    }
    Ok(())
}

fn block_at(view: &View, index: u64) -> Result<Block, StoreError> {
    view.block(index)?
        .ok_or_else(|| StoreError::corrupt(format!("table blocks, key {index}: missing")))
}

/// What a whole check of a database file came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// Blocks, all with their rows.
    pub blocks: u64,
    /// Pending messages, all found by id.
    pub pending: u64,
}

/// Opens the file of a stopped node and checks all of it: the engine's own checksums, every
/// block, and that every index holds the rows that belong there and no other. `progress` hears
/// how many blocks are done, of how many.
pub fn check_file(path: &Path, mut progress: impl FnMut(u64, u64)) -> Result<Report, StoreError> {
    let mut stopped = StoppedStore::open(path)?;
    guarded(|| {
        if stopped.database.check_integrity()? {
            Ok(())
        } else {
            Err(StoreError::corrupt(
                "the checksums of the file do not match its content",
            ))
        }
    })?;
    let view = stopped.view()?;
    let state = State::load(&view)?;
    let length = state.length();
    for from in (0..length).step_by(PAGE.count) {
        check_range(&view, from, length.min(from + PAGE.count as u64))?;
        progress(from, length);
    }
    progress(length, length);
    let pending = check_mempool(&view, &state)?;
    guarded(|| {
        let txn = view.transaction();
        expect_rows("blocks", txn.open_table(tables::BLOCKS)?.len()?, length)?;
        expect_rows(
            "index_by_hash",
            txn.open_table(tables::INDEX_BY_HASH)?.len()?,
            length,
        )?;
        let nodes = history::node_count(length);
        expect_rows("history", txn.open_table(tables::HISTORY)?.len()?, nodes)?;
        for row in txn.open_table(tables::INDEX_BY_MESSAGE)?.iter()? {
            let (id, index) = row?;
            let (id, index) = (MessageId::from_bytes(*id.value()), index.value());
            if block_at(&view, index)?.message.id() != id {
                return Err(StoreError::corrupt(format!(
                    "table index_by_message, key {id}: block {index} carries another message"
                )));
            }
        }
        Ok(())
    })?;
    Ok(Report {
        blocks: length,
        pending,
    })
}

fn check_mempool(view: &View, state: &State) -> Result<u64, StoreError> {
    let (mut next, mut count, mut bytes) = (0, 0, 0);
    loop {
        let page = view.pending_from(next, PAGE)?;
        let Some(last) = page.last() else { break };
        next = last.sequence + 1;
        for pending in &page {
            let id = pending.message.id();
            if view
                .pending(&id)?
                .is_none_or(|found| found.sequence != pending.sequence)
            {
                return Err(StoreError::corrupt(format!(
                    "table mempool_by_id, key {id}: does not lead to the message"
                )));
            }
            count += 1;
            bytes += pending.message.text().len() as u64;
        }
    }
    let by_id = guarded(|| {
        Ok(view
            .transaction()
            .open_table(tables::MEMPOOL_BY_ID)?
            .len()?)
    })?;
    expect_rows("mempool_by_id", by_id, count)?;
    expect_rows("mempool", state.mempool_count(), count)?;
    if state.mempool_bytes() != bytes || state.totals.next_sequence < next {
        return Err(StoreError::corrupt(
            "table meta, key totals: does not match the mempool",
        ));
    }
    Ok(count)
}

fn expect_rows(table: &str, found: u64, expected: u64) -> Result<(), StoreError> {
    if found == expected {
        Ok(())
    } else {
        Err(StoreError::corrupt(format!(
            "table {table} has {found} rows, expected {expected}"
        )))
    }
}
