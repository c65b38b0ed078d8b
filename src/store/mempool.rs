//! The mempool: pending messages, in order of arrival.

use redb::ReadableTable;

use super::edit::{Edit, EditResult};
use super::error::{Rejection, StoreError};
use super::tables::PendingRecord;
use super::value::{self, decode_block};
use super::view::Pending;
use crate::chain::{Message, MessageId};
use crate::reference::json;

/// Maximum number of pending messages; further ones are rejected.
pub const MAX_COUNT: u64 = 100_000;

/// Maximum size of the pending texts in bytes; further messages are rejected.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;

/// Maximum number of pending messages learned from peers: half of the mempool.
pub const MAX_LEARNED_COUNT: u64 = MAX_COUNT / 2;

/// Maximum size of their texts in bytes.
pub const MAX_LEARNED_BYTES: u64 = MAX_BYTES / 2;

/// A message to add.
#[derive(Clone, Debug)]
pub struct Addition {
    /// The message, under a fresh id.
    pub message: Message,
    /// Digest of the client's idempotency key ([`Addition::key_digest`]).
    pub key: Option<[u8; 32]>,
    /// Time of arrival in milliseconds since the epoch.
    pub arrived: u64,
}

/// The result of an [`Addition`]: the message is on disk under this id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Added {
    /// The id; for a repeated key, that of the first request.
    pub id: MessageId,
    /// This request added the message, not an earlier one with the same key.
    pub is_new: bool,
}

impl Edit<'_> {
    /// Adds a message of a client.
    pub(crate) fn add(&mut self, addition: &Addition) -> EditResult<Added> {
        if let Some(known) = self.added_under_key(addition)? {
            return Ok(known);
        }
        if let Err(rejection) = self.make_room(1, addition.message.text().len() as u64)? {
            return Ok(Err(rejection));
        }
        let id = self.add_pending(addition.message.clone(), addition.arrived)?;
        self.remember_addition(addition, id)?;
        Ok(Ok(Added { id, is_new: true }))
    }

    /// Evicts messages of peers, the latest first, to make room for `added` messages of a client
    /// with `bytes` of text.
    pub(super) fn make_room(&mut self, added: u64, bytes: u64) -> EditResult<()> {
        let is_full = |count: u64, held: u64| count + added > MAX_COUNT || held + bytes > MAX_BYTES;
        let totals = self.state.totals;
        let (count, held) = (totals.mempool_count, totals.mempool_bytes);
        if is_full(count - totals.learned_count, held - totals.learned_bytes) {
            let bytes = held;
            return Ok(Err(Rejection::MempoolFull { count, bytes }));
        }
        while is_full(
            self.state.totals.mempool_count,
            self.state.totals.mempool_bytes,
        ) {
            let Some(latest) = self.learned.last()?.map(|row| row.0.value()) else {
                return Err(StoreError::corrupt("table learned has too few rows"));
            };
            let id = self.pending_at(latest)?.message.id();
            self.remove_pending(&id)?;
        }
        Ok(Ok(()))
    }

    /// Adds messages of a peer whose ids are not held, as far as there is room for learned
    /// messages. Returns the number added.
    pub(crate) fn learn(
        &mut self,
        messages: Vec<Message>,
        arrived: u64,
    ) -> Result<u64, StoreError> {
        let mut added = 0;
        for message in messages {
            let (bytes, totals) = (message.text().len() as u64, &self.state.totals);
            let has_room = totals.learned_count < MAX_LEARNED_COUNT
                && totals.learned_bytes + bytes <= MAX_LEARNED_BYTES
                && totals.mempool_count < MAX_COUNT
                && totals.mempool_bytes + bytes <= MAX_BYTES;
            if !has_room || self.message_with_id(&message.id())?.is_some() {
                continue;
            }
            let sequence = self.next_sequence();
            self.insert_pending(&Pending {
                sequence,
                arrived,
                message,
            })?;
            self.learned.insert(sequence, ())?;
            self.state.totals.learned_count += 1;
            self.state.totals.learned_bytes += bytes;
            added += 1;
        }
        Ok(added)
    }

    fn next_sequence(&mut self) -> u64 {
        let sequence = self.state.totals.next_sequence;
        self.state.totals.next_sequence += 1;
        sequence
    }

    /// Restores acknowledged messages in their order of arrival. One whose id belongs to another
    /// message is kept under a new id, and found by both.
    pub(crate) fn restore(&mut self, messages: Vec<(Message, u64)>) -> Result<(), StoreError> {
        for (message, arrived) in messages {
            let original = message.id();
            let id = self.add_pending(message, arrived)?;
            self.remember_renamed(original, id)?;
        }
        Ok(())
    }

    /// Adds a message to the mempool unless it is pending or mined already. Returns the id under
    /// which it is kept.
    pub(super) fn add_pending(
        &mut self,
        message: Message,
        arrived: u64,
    ) -> Result<MessageId, StoreError> {
        let sequence = self.next_sequence();
        self.insert_unique(Pending {
            sequence,
            arrived,
            message,
        })
    }

    /// Removes a mined message. A pending message with the same id but another text keeps its
    /// position in the order of arrival, under a new id.
    pub(super) fn remove_mined(&mut self, mined: &Message) -> Result<(), StoreError> {
        let Some(pending) = self.remove_pending(&mined.id())? else {
            return Ok(());
        };
        if pending.message.text() != mined.text() {
            let id = self.insert_unique(pending)?;
            self.remember_renamed(mined.id(), id)?;
        }
        Ok(())
    }

    /// Inserts a message, under a derived id if another text has its id, unless the same message is
    /// held already.
    fn insert_unique(&mut self, mut pending: Pending) -> Result<MessageId, StoreError> {
        let mut held = false;
        while let Some(holder) = self.message_with_id(&pending.message.id())? {
            if holder.text() == pending.message.text() {
                held = true;
                break;
            }
            pending.message = pending.message.renamed();
        }
        let id = pending.message.id();
        if !held {
            self.insert_pending(&pending)?;
        }
        Ok(id)
    }

    /// Records the new id of a message whose id another message took. The first message to lose an
    /// id is the one that is found under it.
    pub(super) fn remember_renamed(
        &mut self,
        original: MessageId,
        id: MessageId,
    ) -> Result<(), StoreError> {
        if id != original && self.renamed.get(original.as_bytes())?.is_none() {
            self.renamed.insert(original.as_bytes(), id.as_bytes())?;
        }
        Ok(())
    }

    /// Returns the message with an id, in the mempool or the chain.
    pub(super) fn message_with_id(
        &mut self,
        id: &MessageId,
    ) -> Result<Option<Message>, StoreError> {
        if let Some(sequence) = self.mempool_by_id.get(id.as_bytes())? {
            return Ok(Some(self.pending_at(sequence.value())?.message));
        }
        if let Some(index) = self.index_by_message.get(id.as_bytes())? {
            let block = self
                .blocks
                .get(index)?
                .ok_or_else(|| StoreError::missing("blocks", index))?;
            let message = decode_block(index, block.value())?.message;
            if message.id() != *id {
                return Err(StoreError::index_mismatch("index_by_message", index));
            }
            return Ok(Some(message));
        }
        Ok(None)
    }

    fn pending_at(&self, sequence: u64) -> Result<Pending, StoreError> {
        let pending = self.mempool.get(sequence)?;
        let pending = pending.ok_or_else(|| missing(sequence))?;
        Pending::decode(sequence, pending.value())
    }

    fn insert_pending(&mut self, pending: &Pending) -> Result<(), StoreError> {
        let record = PendingRecord {
            id: *pending.message.id().as_bytes(),
            text: pending.message.text().to_owned(),
            arrived: pending.arrived,
        };
        self.mempool
            .insert(pending.sequence, &*value::encode(&record))?;
        self.mempool_by_id.insert(&record.id, pending.sequence)?;
        let totals = &mut self.state.totals;
        totals.mempool_count += 1;
        totals.mempool_bytes += pending.message.text().len() as u64;
        totals.mempool_json_bytes += message_json_bytes(&pending.message);
        Ok(())
    }

    fn remove_pending(&mut self, id: &MessageId) -> Result<Option<Pending>, StoreError> {
        let Some(sequence) = self
            .mempool_by_id
            .remove(id.as_bytes())?
            .map(|found| found.value())
        else {
            return Ok(None);
        };
        let removed = self
            .mempool
            .remove(sequence)?
            .ok_or_else(|| missing(sequence))?;
        let pending = Pending::decode(sequence, removed.value())?;
        let totals = &mut self.state.totals;
        totals.mempool_count -= 1;
        totals.mempool_bytes -= pending.message.text().len() as u64;
        totals.mempool_json_bytes -= message_json_bytes(&pending.message);
        if self.learned.remove(sequence)?.is_some() {
            totals.learned_count -= 1;
            totals.learned_bytes -= pending.message.text().len() as u64;
        }
        Ok(Some(pending))
    }
}

fn missing(sequence: u64) -> StoreError {
    StoreError::missing("mempool", sequence)
}

/// Returns the size of a message in the body of `/data`, in bytes.
pub(crate) fn message_json_bytes(message: &Message) -> u64 {
    let mut text = Vec::with_capacity(256);
    json::write_message(message, &mut text);
    json::escaped_len(&text)
}
