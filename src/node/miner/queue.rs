//! The queue of the miner: pending messages in order of arrival, except that messages of peers are
//! deferred, so that the node that received them can mine them first.
//!
//! Each message is read once. From then on it is *ready*, or *deferred* until its due time, when it
//! becomes ready before any later message is read. A steady load therefore cannot delay a message
//! of a peer beyond its due time, and deferred messages are not scanned again for each batch.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::chain::Message;
use crate::node::settings::{BATCH_BLOCKS, BATCH_BYTES, LEARNED_MESSAGE_DELAY};
use crate::store::{PageLimit, Pending, StoreError, View};

/// Delay of a message of a peer in milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "a second")]
const DELAY: u64 = LEARNED_MESSAGE_DELAY.as_millis() as u64;

/// Page of a single message.
const ONE: PageLimit = PageLimit {
    count: 1,
    bytes: BATCH_BYTES,
};

/// Pending messages that are not claimed by a mined block, identified by their sequence numbers.
#[derive(Debug, Default)]
pub(super) struct MiningQueue {
    /// Messages that may be mined, in order of arrival; about one batch at most.
    ready: BTreeMap<u64, Message>,
    ready_bytes: usize,
    /// Due times in milliseconds since the epoch, with sequence numbers.
    deferred: BTreeSet<(u64, u64)>,
    /// Lowest sequence number that was not read.
    next: u64,
}

impl MiningQueue {
    /// Reads messages until a batch is ready: those that are due, then later ones.
    pub(super) fn fill(&mut self, view: &View, now: u64) -> Result<(), StoreError> {
        while self.has_room()
            && let Some(sequence) = self.take_due(now)
        {
            // It may have been mined elsewhere or evicted meanwhile.
            let found = view.pending_from(sequence, ONE)?.pop();
            if let Some(pending) = found.filter(|pending| pending.sequence == sequence) {
                self.insert(pending);
            }
        }
        while self.has_room() {
            let limit = PageLimit {
                count: BATCH_BLOCKS - self.ready.len(),
                bytes: BATCH_BYTES - self.ready_bytes,
            };
            let page = view.pending_from(self.next, limit)?;
            if page.is_empty() {
                break;
            }
            for pending in page {
                self.next = pending.sequence + 1;
                let due = pending.arrived.saturating_add(DELAY);
                if !is_due(due, now) && view.is_learned(pending.sequence)? {
                    self.deferred.insert((due, pending.sequence));
                } else {
                    self.insert(pending);
                }
            }
        }
        Ok(())
    }

    /// Returns the message to mine next.
    pub(super) fn first(&self) -> Option<&Message> {
        self.ready.first_key_value().map(|(_, message)| message)
    }

    /// Removes the message to mine next; the caller keeps its sequence number until its block is
    /// committed.
    pub(super) fn claim_first(&mut self) -> Option<u64> {
        let (sequence, message) = self.ready.pop_first()?;
        self.ready_bytes -= message.text().len();
        Some(sequence)
    }

    /// Returns messages whose blocks were rejected to the queue.
    pub(super) fn release(&mut self, claimed: impl IntoIterator<Item = u64>) {
        self.deferred
            .extend(claimed.into_iter().map(|sequence| (0, sequence)));
    }

    /// Marks the ready messages to be read again, because blocks of peers may contain some of them.
    pub(super) fn reset(&mut self) {
        let ready = std::mem::take(&mut self.ready);
        self.ready_bytes = 0;
        self.release(ready.into_keys());
        if self.is_empty() {
            self.next = 0;
        }
    }

    /// Returns `true` if every message that was read is claimed or gone.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.deferred.is_empty()
    }

    /// Returns the time until the first deferred message is due; `None` if there is none.
    pub(super) fn time_until_due(&self, now: u64) -> Option<Duration> {
        let (due, _) = self.deferred.first()?;
        Some(Duration::from_millis(due.saturating_sub(now)))
    }

    fn has_room(&self) -> bool {
        self.ready.len() < BATCH_BLOCKS && self.ready_bytes < BATCH_BYTES
    }

    fn insert(&mut self, pending: Pending) {
        self.ready_bytes += pending.message.text().len();
        self.ready.insert(pending.sequence, pending.message);
    }

    /// Removes a deferred message that is due.
    fn take_due(&mut self, now: u64) -> Option<u64> {
        if self
            .deferred
            .first()
            .is_some_and(|(due, _)| is_due(*due, now))
        {
            return self.deferred.pop_first().map(|(_, sequence)| sequence);
        }
        // After the clock was set back, due times lie too far in the future.
        if self
            .deferred
            .last()
            .is_some_and(|(due, _)| is_due(*due, now))
        {
            return self.deferred.pop_last().map(|(_, sequence)| sequence);
        }
        None
    }
}

/// Returns `true` if a message with this due time may be mined. A due time further away than the
/// delay means that the clock was set back, which must not delay the message.
fn is_due(due: u64, now: u64) -> bool {
    due <= now || due > now.saturating_add(DELAY)
}

#[cfg(test)]
mod tests;
