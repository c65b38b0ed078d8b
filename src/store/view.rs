//! Reads: a view is one transaction with a consistent content.

use std::sync::Arc;

use redb::{ReadTransaction, ReadableDatabase, ReadableTable, ReadableTableMetadata};

use super::error::StoreError;
use super::network::Network;
use super::page::{PageLimit, check_absent, check_consecutive, take_page};
use super::panics::catch_engine_panic;
use super::tables::{
    self, NeighbourRecord, PendingRecord, ProfileRecord, ReorgRecord, SnapshotRecord, Totals,
};
use super::value::{self, decode_block};
use crate::chain::history::NodeHash;
use crate::chain::{Block, BlockHash, History, Message, MessageId};
use crate::text::counted;

/// A pending message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Sequence number, in order of arrival.
    pub sequence: u64,
    /// Time of arrival in milliseconds since the epoch.
    pub arrived: u64,
    /// The message.
    pub message: Message,
}

impl Pending {
    pub(crate) fn decode(sequence: u64, bytes: &[u8]) -> Result<Self, StoreError> {
        let pending: PendingRecord = value::decode("mempool", sequence, bytes)?;
        let message = Message::new(MessageId::from_bytes(pending.id), pending.text)
            .map_err(|error| StoreError::corrupt(format!("mempool {sequence}: {error}")))?;
        Ok(Self {
            sequence,
            arrived: pending.arrived,
            message,
        })
    }
}

/// A consistent view of the database, whatever is written meanwhile. While one is open, pages freed
/// by commits cannot be reused and the file grows, so it must not be kept during slow work.
pub struct View {
    /// `None` only during drop.
    txn: Option<ReadTransaction>,
    read_error_hook: Option<ReadErrorHook>,
}

/// Receives the error of every failed read.
pub(crate) type ReadErrorHook = Arc<dyn Fn(&StoreError) + Send + Sync>;

impl View {
    pub(crate) fn new(
        database: &redb::Database,
        read_error_hook: Option<ReadErrorHook>,
    ) -> Result<Self, StoreError> {
        let txn = report_errors(read_error_hook.as_ref(), || Ok(database.begin_read()?))?;
        Ok(Self {
            txn: Some(txn),
            read_error_hook,
        })
    }

    /// Runs one read under guard.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        report_errors(self.read_error_hook.as_ref(), work)
    }

    /// Returns the block at `index`.
    pub fn block(&self, index: u64) -> Result<Option<Block>, StoreError> {
        self.read(|| {
            let blocks = self.transaction().open_table(tables::BLOCKS)?;
            let Some(bytes) = blocks.get(index)? else {
                return check_absent(index, blocks.len()?).map(|()| None);
            };
            decode_block(index, bytes.value()).map(Some)
        })
    }

    /// Returns the number of blocks.
    pub fn length(&self) -> Result<u64, StoreError> {
        self.read(|| Ok(self.transaction().open_table(tables::BLOCKS)?.len()?))
    }

    /// Returns the tip of the chain.
    pub fn tip_block(&self) -> Result<Block, StoreError> {
        self.read(|| {
            let blocks = self.transaction().open_table(tables::BLOCKS)?;
            let last = blocks
                .last()?
                .ok_or_else(|| StoreError::corrupt("there are no blocks"))?;
            let block = decode_block(last.0.value(), last.1.value())?;
            let rows = blocks.len()?;
            if block.index.checked_add(1) != Some(rows) {
                let index = block.index;
                return Err(StoreError::corrupt(format!(
                    "table blocks has {}, but the tip has index {index}",
                    counted(rows, "row")
                )));
            }
            Ok(block)
        })
    }

    /// Returns a page of blocks from `from` upwards.
    pub fn blocks(&self, from: u64, limit: PageLimit) -> Result<Vec<Block>, StoreError> {
        self.read(|| {
            let blocks = self.transaction().open_table(tables::BLOCKS)?;
            let page = take_page(blocks.range(from..)?, limit, decode_block)?;
            check_consecutive(from.., &page)?;
            if page.is_empty() && limit.count > 0 {
                check_absent(from, blocks.len()?)?;
            }
            Ok(page)
        })
    }

    /// Returns a page of blocks from `from` downwards.
    pub fn blocks_down(&self, from: u64, limit: PageLimit) -> Result<Vec<Block>, StoreError> {
        self.read(|| {
            let blocks = self.transaction().open_table(tables::BLOCKS)?;
            let page = take_page(blocks.range(..=from)?.rev(), limit, decode_block)?;
            let from = from.min(blocks.len()?.saturating_sub(1));
            check_consecutive((0..=from).rev(), &page)?;
            if page.is_empty() && limit.count > 0 {
                check_absent(from, blocks.len()?)?;
            }
            Ok(page)
        })
    }

    /// Returns the index of the block with this hash.
    pub fn index_of(&self, hash: &BlockHash) -> Result<Option<u64>, StoreError> {
        self.read(|| {
            let index = tables::INDEX_BY_HASH.read(self.transaction())?;
            index.get(hash.as_bytes())
        })
    }

    /// Returns the block with this hash.
    pub fn block_with_hash(&self, hash: &BlockHash) -> Result<Option<Block>, StoreError> {
        let index = self.index_of(hash)?;
        self.resolve_index("index_by_hash", index, |block| {
            BlockHash::of(block) == *hash
        })
    }

    /// Returns the lowest block that contains a message with this id.
    pub fn block_of_message(&self, id: &MessageId) -> Result<Option<Block>, StoreError> {
        let index = self.index_of_message(id)?;
        self.resolve_index("index_by_message", index, |block| block.message.id() == *id)
    }

    /// Returns the block that an index row points to, after a check that its key is the same.
    fn resolve_index(
        &self,
        table: &str,
        index: Option<u64>,
        is_right: impl FnOnce(&Block) -> bool,
    ) -> Result<Option<Block>, StoreError> {
        let Some(index) = index else {
            return Ok(None);
        };
        let block = self.block(index)?;
        self.read(|| match block {
            Some(block) if is_right(&block) => Ok(Some(block)),
            _ => Err(StoreError::index_mismatch(table, index)),
        })
    }

    /// Returns the indexes of blocks with a hash from `first` to `last`, in order of their hashes.
    pub fn indexes_of(
        &self,
        first: &BlockHash,
        last: &BlockHash,
        count: usize,
    ) -> Result<Vec<u64>, StoreError> {
        self.read(|| {
            let index = tables::INDEX_BY_HASH.read(self.transaction())?;
            index.range(first.as_bytes(), last.as_bytes(), count)
        })
    }

    /// Returns the lowest index of a block that contains a message with this id.
    pub fn index_of_message(&self, id: &MessageId) -> Result<Option<u64>, StoreError> {
        self.read(|| {
            let index = tables::INDEX_BY_MESSAGE.read(self.transaction())?;
            index.get(id.as_bytes())
        })
    }

    /// Returns the new id of a message whose id another message took.
    pub fn renamed(&self, id: &MessageId) -> Result<Option<MessageId>, StoreError> {
        self.read(|| {
            let table = self.transaction().open_table(tables::RENAMED)?;
            Ok(table
                .get(id.as_bytes())?
                .map(|id| MessageId::from_bytes(*id.value())))
        })
    }

    /// Returns the id that a message has now: the given one, or that of its last renaming.
    pub fn current_id(&self, id: MessageId) -> Result<MessageId, StoreError> {
        self.read(|| {
            let renamed = self.transaction().open_table(tables::RENAMED)?;
            let mut current = id;
            // Each renaming of a message is another row.
            for _ in 0..=renamed.len()? {
                match renamed.get(current.as_bytes())? {
                    Some(next) => current = MessageId::from_bytes(*next.value()),
                    None => return Ok(current),
                }
            }
            let what = format!("table renamed: the ids of message {id} form a circle");
            Err(StoreError::corrupt(what))
        })
    }

    /// Returns the history tree over the first `length` blocks.
    pub fn history(&self, length: u64) -> Result<History, StoreError> {
        self.read(|| {
            let nodes = self.transaction().open_table(tables::HISTORY)?;
            History::load(length, |position| {
                let node = nodes
                    .get(position)?
                    .ok_or_else(|| StoreError::missing("history", position))?;
                Ok(*node.value())
            })
        })
    }

    /// Returns the history root that is part of the seal of the block at `index`.
    pub fn history_root(&self, index: u64) -> Result<NodeHash, StoreError> {
        Ok(self.history(index)?.root())
    }

    /// Returns the pending message with this id.
    pub fn pending(&self, id: &MessageId) -> Result<Option<Pending>, StoreError> {
        self.read(|| {
            let by_id = self.transaction().open_table(tables::MEMPOOL_BY_ID)?;
            let Some(sequence) = by_id.get(id.as_bytes())?.map(|found| found.value()) else {
                return Ok(None);
            };
            let mempool = self.transaction().open_table(tables::MEMPOOL)?;
            let pending = mempool
                .get(sequence)?
                .ok_or_else(|| StoreError::missing("mempool", sequence))?;
            Pending::decode(sequence, pending.value()).map(Some)
        })
    }

    /// Returns a page of pending messages in order of arrival, from sequence number `from`.
    pub fn pending_from(&self, from: u64, limit: PageLimit) -> Result<Vec<Pending>, StoreError> {
        self.read(|| {
            let mempool = self.transaction().open_table(tables::MEMPOOL)?;
            take_page(mempool.range(from..)?, limit, Pending::decode)
        })
    }

    /// Returns `true` if the pending message with this sequence number came from a peer.
    pub fn is_learned(&self, sequence: u64) -> Result<bool, StoreError> {
        self.read(|| {
            let learned = self.transaction().open_table(tables::LEARNED)?;
            Ok(learned.get(sequence)?.is_some())
        })
    }

    /// Returns at most `count` reorgs with their numbers, from number `from` downwards.
    pub fn reorgs(&self, from: u64, count: usize) -> Result<Vec<(u64, ReorgRecord)>, StoreError> {
        self.read(|| {
            let reorgs = self.transaction().open_table(tables::REORGS)?;
            let limit = PageLimit {
                count,
                bytes: usize::MAX,
            };
            take_page(reorgs.range(..=from)?.rev(), limit, |number, bytes| {
                Ok((number, value::decode("reorgs", number, bytes)?))
            })
        })
    }

    /// Returns the kept neighbours in order of their addresses.
    pub fn neighbours(&self) -> Result<Vec<NeighbourRecord>, StoreError> {
        self.read(|| {
            let neighbours = self.transaction().open_table(tables::NEIGHBOURS)?;
            neighbours
                .iter()?
                .map(|row| {
                    let (address, bytes) = row?;
                    value::decode("neighbours", address.value(), bytes.value())
                })
                .collect()
        })
    }

    /// Returns difficulty and seal rule.
    pub fn network(&self) -> Result<Network, StoreError> {
        Network::from_record(self.meta(tables::NETWORK)?)
    }

    /// Returns the running counts.
    pub fn totals(&self) -> Result<Totals, StoreError> {
        self.meta(tables::TOTALS)
    }

    /// Returns the record of the snapshot files.
    pub fn snapshot(&self) -> Result<SnapshotRecord, StoreError> {
        Ok(self.find_meta(tables::SNAPSHOT)?.unwrap_or_default())
    }

    /// Returns the number of the last reorg that the administrator acknowledged; 0 for none.
    pub fn acknowledged(&self) -> Result<u64, StoreError> {
        Ok(self.find_meta(tables::ACKNOWLEDGED)?.unwrap_or_default())
    }

    /// Returns the options that later runs keep.
    pub fn profile(&self) -> Result<ProfileRecord, StoreError> {
        Ok(self.find_meta(tables::PROFILE)?.unwrap_or_default())
    }

    fn meta<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, StoreError> {
        self.find_meta(name)?
            .ok_or_else(|| StoreError::missing("meta", name))
    }

    fn find_meta<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Option<T>, StoreError> {
        self.read(|| {
            let meta = self.transaction().open_table(tables::META)?;
            meta.get(name)?
                .map(|bytes| value::decode("meta", name, bytes.value()))
                .transpose()
        })
    }

    pub(crate) fn transaction(&self) -> &ReadTransaction {
        self.txn.as_ref().expect("it is taken only by drop")
    }
}

impl Drop for View {
    fn drop(&mut self) {
        let txn = self.txn.take();
        // An earlier panic of the engine may have poisoned the locks that ending a transaction
        // takes.
        let _ = catch_engine_panic(|| {
            drop(txn);
            Ok(())
        });
    }
}

fn report_errors<T>(
    read_error_hook: Option<&ReadErrorHook>,
    work: impl FnOnce() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let outcome = catch_engine_panic(work);
    if let (Err(error), Some(read_error_hook)) = (&outcome, read_error_hook) {
        read_error_hook(error);
    }
    outcome
}
