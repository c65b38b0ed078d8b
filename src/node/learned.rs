//! How many learned messages one remote address may have pending, and how fast it may teach them.
//!
//! The learned half of the mempool is shared as slots are: an address may have as many messages
//! there, and bytes of them, as it leaves free. Which address taught a message is known in memory
//! alone. After a restart the messages of before belong to nobody, and what is free, of which every
//! address may take half, is less by them: so one that begins anew each time never fills it.
//! Configured and added neighbours have neither limit, but for that of the learned half.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Node;
use crate::chain::{Message, MessageId};
use crate::store::mempool::{MAX_LEARNED_BYTES, MAX_LEARNED_COUNT};
use crate::store::{StoreError, View};

/// Minimum time between two looks which of these messages are still pending.
const RECOUNT_PAUSE: Duration = Duration::from_secs(5);

/// Messages that may be kept although they are not pending any more.
const STALE: u64 = 1000;

/// Messages of each address that were taken in, of which some may be mined by now.
#[derive(Debug, Default)]
pub(super) struct Teachers(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    taught: HashMap<IpAddr, Taught>,
    recounted: Option<Instant>,
}

impl Table {
    /// Forgets what is not pending any more, unless that was done a moment ago. Returns `false`
    /// then.
    fn recount(&mut self, view: &View) -> Result<bool, StoreError> {
        if self
            .recounted
            .is_some_and(|at| at.elapsed() < RECOUNT_PAUSE)
        {
            return Ok(false);
        }
        for taught in self.taught.values_mut() {
            taught.recount(view)?;
        }
        self.taught.retain(|_, taught| !taught.messages.is_empty());
        self.recounted = Some(Instant::now());
        Ok(true)
    }

    /// Number and bytes of further messages of an address that fit into its share.
    fn room(&self, teacher: IpAddr, free: (u64, u64)) -> (u64, u64) {
        match self.taught.get(&teacher) {
            Some(taught) => taught.room(free),
            None => Taught::default().room(free),
        }
    }

    fn len(&self) -> usize {
        self.taught
            .values()
            .map(|taught| taught.messages.len())
            .sum()
    }
}

#[derive(Debug, Default)]
struct Taught {
    /// Bytes of each text.
    messages: HashMap<MessageId, u64>,
    bytes: u64,
}

impl Taught {
    /// Number and bytes of further messages that fit into the share.
    fn room(&self, free: (u64, u64)) -> (u64, u64) {
        let count = self.messages.len() as u64;
        // A first one is taken as long as there is room for any.
        let first = u64::from(count == 0);
        let half = |free: u64, held: u64| free.saturating_sub(held) / 2;
        (
            half(free.0, count).max(first.min(free.0)),
            half(free.1, self.bytes).max(first * free.1),
        )
    }

    /// Forgets what is not pending any more.
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
    /// Returns how many messages may be asked for at a peer counted under this address.
    pub(super) fn may_teach(&self, teacher: Option<IpAddr>) -> usize {
        teacher.map_or(usize::MAX, |teacher| self.add_rate.available(teacher))
    }

    /// Keeps as many of these new messages as a peer counted under this address may teach now.
    /// Returns when to try the others again, if there are any.
    pub(super) fn admit_taught(
        &self,
        teacher: IpAddr,
        messages: &mut Vec<Message>,
    ) -> Result<Option<Duration>, StoreError> {
        let view = self.view()?;
        let totals = view.totals()?;
        let free = (
            MAX_LEARNED_COUNT.saturating_sub(totals.learned_count),
            MAX_LEARNED_BYTES.saturating_sub(totals.learned_bytes),
        );
        let mut table = self
            .teachers
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let wanted = messages.len();
        let bytes = |message: &Message| message.text().len() as u64;
        let fitting = |(count, most): (u64, u64)| {
            let mut sum = 0;
            let sums = messages.iter().map(|message| {
                sum += bytes(message);
                sum
            });
            let fitting = sums.take_while(|sum| *sum <= most).count();
            fitting.min(usize::try_from(count).unwrap_or(usize::MAX))
        };
        let mut fits = fitting(table.room(teacher, free));
        let stale = (table.len() as u64).saturating_sub(totals.learned_count);
        if (fits < wanted || stale > STALE) && table.recount(&view)? {
            fits = fitting(table.room(teacher, free));
        }
        let taken = self.add_rate.take(teacher, fits);
        let taught = table.taught.entry(teacher).or_default();
        messages.truncate(taken);
        for message in messages.iter() {
            taught.bytes += bytes(message);
            taught.messages.insert(message.id(), bytes(message));
        }
        Ok(if taken < fits {
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
    fn an_address_has_as_much_room_as_it_leaves_free() {
        let mut taught = Taught::default();
        assert_eq!(taught.room((100, 1000)), (50, 1000));
        for number in 0..50_u8 {
            let id = MessageId::from_bytes([number; 16]);
            taught.messages.insert(id, 10);
        }
        taught.bytes = 500;
        assert_eq!(taught.room((50, 500)), (0, 0));
        assert_eq!(taught.room((60, 600)), (5, 50));
        // Another one has half of the rest, and a first message while there is any room.
        assert_eq!(Taught::default().room((50, 500)), (25, 500));
        assert_eq!(Taught::default().room((1, 500)).0, 1);
        assert_eq!(Taught::default().room((0, 500)).0, 0);
    }
}
