//! Limits on the learned half of the mempool, by network group.
//!
//! A network group ([`crate::netgroup`]) may have as many learned messages pending, and
//! as many bytes of them, as it leaves free for others. The source of a message is known in memory
//! only: after a restart, earlier messages belong to no group and only reduce the free space.
//! A group gets at most half of the free space, so a peer that reconnects from new addresses never
//! fills it. Manual neighbours are subject only to the limits of the whole
//! learned half.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Node;
use crate::chain::{Message, MessageId};
use crate::store::mempool::{MAX_LEARNED_BYTES, MAX_LEARNED_COUNT};
use crate::store::{StoreError, View};

/// Minimum interval between two recounts of the messages that are still pending.
const RECOUNT_INTERVAL: Duration = Duration::from_secs(5);

/// Maximum number of stale entries (messages no longer pending) before a recount.
const MAX_STALE: u64 = 1000;

/// Messages learned from each network group; some may be mined by now.
#[derive(Debug, Default)]
pub(super) struct LearnedShares(Mutex<ShareTable>);

#[derive(Debug, Default)]
struct ShareTable {
    shares: HashMap<IpAddr, Share>,
    recounted: Option<Instant>,
}

impl ShareTable {
    /// Removes messages that are no longer pending. Returns `false` without doing so if the last
    /// recount was a moment ago.
    fn recount(&mut self, view: &View) -> Result<bool, StoreError> {
        if self
            .recounted
            .is_some_and(|at| at.elapsed() < RECOUNT_INTERVAL)
        {
            return Ok(false);
        }
        for share in self.shares.values_mut() {
            share.recount(view)?;
        }
        self.shares.retain(|_, share| !share.messages.is_empty());
        self.recounted = Some(Instant::now());
        Ok(true)
    }

    /// Returns the number and bytes of further messages that fit into the share of a group.
    fn room(&self, source: IpAddr, free: (u64, u64)) -> (u64, u64) {
        match self.shares.get(&source) {
            Some(share) => share.room(free),
            None => Share::default().room(free),
        }
    }

    fn len(&self) -> usize {
        self.shares.values().map(|share| share.messages.len()).sum()
    }
}

#[derive(Debug, Default)]
struct Share {
    /// Length of each text in bytes.
    messages: HashMap<MessageId, u64>,
    bytes: u64,
}

impl Share {
    /// Returns the number and bytes of further messages that fit.
    fn room(&self, free: (u64, u64)) -> (u64, u64) {
        let count = self.messages.len() as u64;
        // A first message is admitted as long as there is room for any.
        let first = u64::from(count == 0);
        let half = |free: u64, held: u64| free.saturating_sub(held) / 2;
        (
            half(free.0, count).max(first.min(free.0)),
            half(free.1, self.bytes).max(first * free.1),
        )
    }

    /// Removes messages that are no longer pending.
    fn recount(&mut self, view: &View) -> Result<(), StoreError> {
        let mut pending = HashMap::new();
        for (id, bytes) in &self.messages {
            if view.pending(id)?.is_some() {
                pending.insert(*id, *bytes);
            }
        }
        self.bytes = pending.values().sum();
        self.messages = pending;
        Ok(())
    }
}

impl Node {
    /// Returns the number of messages that may be learned from this source now; `None` has no
    /// limit.
    pub(super) fn learnable(&self, source: Option<IpAddr>) -> usize {
        source.map_or(usize::MAX, |source| self.add_rate.available(source))
    }

    /// Truncates new messages to those that may be learned from this source now. Returns when to
    /// retry the others, if there are any.
    pub(super) fn admit_learned(
        &self,
        source: IpAddr,
        messages: &mut Vec<Message>,
    ) -> Result<Option<Duration>, StoreError> {
        let view = self.view()?;
        let totals = view.totals()?;
        let free = (
            MAX_LEARNED_COUNT.saturating_sub(totals.learned_count),
            MAX_LEARNED_BYTES.saturating_sub(totals.learned_bytes),
        );
        let mut table = self
            .learned_shares
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let wanted = messages.len();
        let bytes = |message: &Message| message.text().len() as u64;
        let fitting = |(count, max_bytes): (u64, u64)| {
            let mut sum = 0;
            let sums = messages.iter().map(|message| {
                sum += bytes(message);
                sum
            });
            let fitting = sums.take_while(|sum| *sum <= max_bytes).count();
            fitting.min(usize::try_from(count).unwrap_or(usize::MAX))
        };
        let mut fits = fitting(table.room(source, free));
        let stale = (table.len() as u64).saturating_sub(totals.learned_count);
        if (fits < wanted || stale > MAX_STALE) && table.recount(&view)? {
            fits = fitting(table.room(source, free));
        }
        let admitted = self.add_rate.take(source, fits);
        let share = table.shares.entry(source).or_default();
        messages.truncate(admitted);
        for message in messages.iter() {
            share.bytes += bytes(message);
            share.messages.insert(message.id(), bytes(message));
        }
        Ok(if admitted < fits {
            Some(self.add_rate.retry_after())
        } else {
            (fits < wanted).then_some(self.settings.peers.data_interval)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_as_much_room_as_it_leaves_free() {
        let mut share = Share::default();
        assert_eq!(share.room((100, 1000)), (50, 1000));
        for number in 0..50_u8 {
            let id = MessageId::from_bytes([number; 16]);
            share.messages.insert(id, 10);
        }
        share.bytes = 500;
        assert_eq!(share.room((50, 500)), (0, 0));
        assert_eq!(share.room((60, 600)), (5, 50));
        // Another group has half of the rest, and a first message while there is any room.
        assert_eq!(Share::default().room((50, 500)), (25, 500));
        assert_eq!(Share::default().room((1, 500)).0, 1);
        assert_eq!(Share::default().room((0, 500)).0, 0);
    }
}
