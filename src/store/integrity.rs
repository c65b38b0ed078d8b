//! Integrity checks: every block is valid and linked, and every index has exactly the rows it
//! should.

mod audit;

use redb::{
    Key, ReadTransaction, ReadableTable, ReadableTableMetadata, TableDefinition, TableHandle, Value,
};

use super::error::StoreError;
use super::index::IndexDefinition;
use super::mempool::message_json_bytes;
use super::page::PageLimit;
use super::panics::catch_engine_panic;
use super::state::State;
use super::tables;
use super::view::View;
use crate::chain::{Block, BlockHash, MessageId, history};
use crate::text::counted;

pub use audit::{Audit, IntegrityReport};

/// Checks the newest `count` blocks, their links and their rows in the indexes and the history
/// tree.
pub(super) fn check_newest(view: &View, count: u64) -> Result<(), StoreError> {
    let length = view.tip_block()?.index + 1;
    check_range(view, length.saturating_sub(count), length)
}

/// Checks the links and the index rows of the blocks from index `from` up to, but not including,
/// `to`.
pub(crate) fn check_range(view: &View, from: u64, to: u64) -> Result<(), StoreError> {
    let mut previous = match from.checked_sub(1) {
        Some(index) => Some(block_at(view, index)?),
        None => None,
    };
    let mut next = from;
    while next < to {
        let page = view.blocks(next, PageLimit::SCAN)?;
        if page.is_empty() {
            return Err(StoreError::missing("blocks", next));
        }
        for block in page {
            check_rows(view, &block, previous.as_ref())?;
            next += 1;
            previous = Some(block);
        }
    }
    Ok(())
}

fn check_rows(view: &View, block: &Block, previous: Option<&Block>) -> Result<(), StoreError> {
    let index = block.index;
    let wrong = |what: &str| Err(StoreError::corrupt(format!("block {index}: {what}")));
    let linked = block.link.as_ref().map(|link| link.previous_hash);
    if linked != previous.map(BlockHash::of) {
        return wrong("its previous hash is not the hash of the previous block");
    }
    let hash = BlockHash::of(block);
    if view.index_of(&hash)? != Some(index) {
        return wrong("the index by hash points to another block");
    }
    let id = block.message.id();
    let index_row = view.index_of_message(&id)?;
    let points_here = match index_row {
        Some(lower) if lower < index => block_at(view, lower)?.message.id() == id,
        index_row => index_row == Some(index),
    };
    if !points_here {
        return wrong("the index by message points to another block");
    }
    if !view.stored_details_are_right(block)? {
        return wrong("the details of its seal are not those of the chain");
    }
    let mut after = view.history(index)?;
    after.append(&hash, |_, _| {});
    if after != view.history(index + 1)? {
        return wrong("the history tree has other hashes");
    }
    Ok(())
}

fn block_at(view: &View, index: u64) -> Result<Block, StoreError> {
    view.block(index)?
        .ok_or_else(|| StoreError::missing("blocks", index))
}

/// Checks that the tables have as many rows as the state says, without a scan. This detects blocks
/// and messages hidden by a damaged page before new ones are added.
pub(super) fn check_counts(view: &View, state: &State) -> Result<(), StoreError> {
    let length = state.length();
    let nodes = history::node_count(length);
    let pending = state.mempool_count();
    catch_engine_panic(|| {
        let txn = view.transaction();
        expect_rows(txn, tables::BLOCKS, length)?;
        // Not the index by message: blocks with the same message id share a row there.
        let by_hash = &tables::INDEX_BY_HASH;
        let counted_tables = format!("{} have", both_tables(by_hash));
        expect(&counted_tables, by_hash.read(txn)?.len()?, length)?;
        expect_rows(txn, tables::HISTORY, nodes)?;
        expect_rows(txn, tables::MEMPOOL, pending)?;
        expect_rows(txn, tables::MEMPOOL_BY_ID, pending)?;
        expect_rows(txn, tables::LEARNED, state.totals.learned_count)?;
        let mempool = txn.open_table(tables::MEMPOOL)?;
        let last = mempool.last()?;
        if last.is_some_and(|last| last.0.value() >= state.totals.next_sequence) {
            return Err(wrong_totals("next_sequence"));
        }
        Ok(())
    })
}

fn expect_rows<K: Key + 'static, V: Value + 'static>(
    txn: &ReadTransaction,
    table: TableDefinition<'_, K, V>,
    expected: u64,
) -> Result<(), StoreError> {
    let counted_table = format!("table {} has", table.name());
    expect(&counted_table, txn.open_table(table)?.len()?, expected)
}

fn expect(counted_tables: &str, found: u64, expected: u64) -> Result<(), StoreError> {
    if found == expected {
        return Ok(());
    }
    Err(StoreError::corrupt(format!(
        "{counted_tables} {}, expected {expected}",
        counted(found, "row")
    )))
}

/// Names the two tables of an index, either of which may hold a row.
fn both_tables<const N: usize>(index: &IndexDefinition<N>) -> String {
    format!("tables {} and {}", index.name(), index.recent.name())
}

fn wrong_totals(field: &str) -> StoreError {
    StoreError::corrupt(format!(
        "table meta, key totals: {field} does not match the other tables"
    ))
}

fn check_index_by_message(view: &View) -> Result<(), StoreError> {
    catch_engine_panic(|| {
        let by_message = &tables::INDEX_BY_MESSAGE;
        by_message.read(view.transaction())?.each(|id, index| {
            let id = MessageId::from_bytes(*id);
            if block_at(view, index)?.message.id() == id {
                return Ok(());
            }
            Err(StoreError::corrupt(format!(
                "{}, key {id}: block {index} contains another message",
                both_tables(by_message)
            )))
        })
    })
}

fn check_mempool(view: &View, state: &State) -> Result<u64, StoreError> {
    let (mut next, mut count, mut bytes, mut json_bytes) = (0, 0, 0, 0);
    loop {
        let page = view.pending_from(next, PageLimit::SCAN)?;
        let Some(last) = page.last() else { break };
        next = last.sequence + 1;
        for pending in &page {
            let id = pending.message.id();
            let found = view.pending(&id)?;
            if found.is_none_or(|found| found.sequence != pending.sequence) {
                return Err(StoreError::corrupt(format!(
                    "table mempool_by_id, key {id}: points to another message"
                )));
            }
            if view.index_of_message(&id)?.is_some() {
                return Err(StoreError::corrupt(format!(
                    "table mempool_by_id, key {id}: a block has this id"
                )));
            }
            count += 1;
            bytes += pending.message.text().len() as u64;
            json_bytes += message_json_bytes(&pending.message);
        }
    }
    let learned_bytes = check_learned(view)?;
    if state.totals.learned_bytes != learned_bytes {
        return Err(wrong_totals("learned_bytes"));
    }
    if state.mempool_count() != count {
        return Err(wrong_totals("mempool_count"));
    }
    if state.mempool_bytes() != bytes {
        return Err(wrong_totals("mempool_bytes"));
    }
    if state.totals.mempool_json_bytes != json_bytes {
        return Err(wrong_totals("mempool_json_bytes"));
    }
    Ok(count)
}

/// Checks that every message recorded as learned is pending. Returns the size of their texts.
fn check_learned(view: &View) -> Result<u64, StoreError> {
    catch_engine_panic(|| {
        let mut bytes = 0;
        for row in view.transaction().open_table(tables::LEARNED)?.iter()? {
            let sequence = row?.0.value();
            let one = PageLimit { count: 1, bytes: 0 };
            match view.pending_from(sequence, one)?.first() {
                Some(pending) if pending.sequence == sequence => {
                    bytes += pending.message.text().len() as u64;
                }
                _ => return Err(StoreError::missing("mempool", sequence)),
            }
        }
        Ok(bytes)
    })
}

#[cfg(test)]
mod tests;
