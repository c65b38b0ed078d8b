//! Where a client of the events is, and what comes after.
//!
//! A [`EventCursor`] says all of that by itself, so nothing has to be kept for a client that may come
//! back: how many blocks it knows and the last of them, how many reorgs it was told, and which
//! message comes next.

use std::fmt;
use std::str::FromStr;

use crate::api::v1::{blocks, messages, reorgs};
use crate::chain::BlockHash;
use crate::store::{PageLimit, StoreError, View};
use crate::wire::Event;

/// Most blocks, messages or reorgs that a client is told after the fact; one further behind is
/// told to start anew.
pub(crate) const CATCH_UP: u64 = 1000;

/// How much is read at a time.
const PAGE: PageLimit = PageLimit {
    count: 100,
    bytes: 64 * 1024,
};

/// What a client has been told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventCursor {
    /// Number of blocks and the hash of the last one; none before the first.
    last: Option<(u64, BlockHash)>,
    /// Sequence number of the next message.
    sequence: u64,
    /// Reorgs so far.
    reorgs: u64,
}

/// Events in order, each with where the client is after it, as far as it can resume there.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) events: Vec<(Event, Option<EventCursor>)>,
    /// Where the client is after all of them.
    pub(crate) cursor: EventCursor,
    /// Whether that is everything there is.
    pub(crate) is_all: bool,
}

impl EventCursor {
    /// After everything that a view holds.
    pub(crate) fn at_end(view: &View) -> Result<Self, StoreError> {
        let (last, totals) = (view.last_block()?, view.totals()?);
        Ok(Self {
            last: Some((last.index + 1, BlockHash::of(&last))),
            sequence: totals.next_sequence,
            reorgs: totals.reorgs,
        })
    }

    fn length(&self) -> u64 {
        self.last.map_or(0, |(length, _)| length)
    }

    /// What happened since, as of a view; `now` is in milliseconds since the epoch.
    pub(crate) fn step(self, view: &View, now: u64) -> Result<Step, StoreError> {
        let end = Self::at_end(view)?;
        let mut events = Vec::new();
        let Some(mut cursor) = self.follow_reorgs(view, &end, &mut events)? else {
            return reset(view);
        };
        let behind = end.length().saturating_sub(cursor.length());
        if behind > CATCH_UP || end.sequence.saturating_sub(cursor.sequence) > CATCH_UP {
            return reset(view);
        }
        let page = view.blocks(cursor.length(), PAGE)?;
        for block in blocks::describe(view, &page)?.into_iter().zip(&page) {
            let (described, block) = block;
            cursor.last = Some((block.index + 1, BlockHash::of(block)));
            events.push((Event::Block(described), Some(cursor.clone())));
        }
        let mut is_all = cursor.last == end.last;
        if is_all {
            let page = view.pending_from(cursor.sequence, PAGE)?;
            is_all = page.is_empty();
            for pending in &page {
                cursor.sequence = pending.sequence + 1;
                let message = Event::Message(messages::describe(pending, now));
                events.push((message, Some(cursor.clone())));
            }
            if is_all {
                cursor = end;
            }
        }
        Ok(Step {
            events,
            cursor,
            is_all,
        })
    }

    /// Tells the reorgs since and goes back to the last block that outlived them all; none if this
    /// was never a place on the way to `end`.
    fn follow_reorgs(
        mut self,
        view: &View,
        end: &Self,
        events: &mut Vec<(Event, Option<Self>)>,
    ) -> Result<Option<Self>, StoreError> {
        let missed = end.reorgs.checked_sub(self.reorgs);
        let Some(missed) = missed.filter(|_| self.sequence <= end.sequence) else {
            return Ok(None);
        };
        let Some(count) = usize::try_from(missed).ok().filter(|_| missed <= CATCH_UP) else {
            return Ok(None);
        };
        let mut records = if count > 0 {
            view.reorgs(end.reorgs, count)?
        } else {
            Vec::new()
        };
        records.reverse();
        let mut kept = self.length();
        for (_, record) in &records {
            // Until a reorg takes it off, the block must be on the chain that was left.
            let left = record.from.saturating_add(record.disconnected);
            let is_gone = kept < self.length();
            let was_tip = self.last == Some((left, BlockHash::from_bytes(record.old_tip)));
            if !is_gone && (kept > left || kept == left && !was_tip) {
                return Ok(None);
            }
            kept = kept.min(record.from);
        }
        if kept < self.length() {
            self.last = match kept.checked_sub(1) {
                None => None,
                Some(index) => match view.block(index)? {
                    Some(block) => Some((kept, BlockHash::of(&block))),
                    None => return Ok(None),
                },
            };
        } else if let Some((length, hash)) = self.last {
            let held = match length.checked_sub(1) {
                Some(index) if length <= end.length() => view.block(index)?,
                _ => None,
            };
            if held.is_none_or(|held| BlockHash::of(&held) != hash) {
                return Ok(None);
            }
        }
        self.reorgs = end.reorgs;
        let told = records.len();
        for (position, (number, record)) in records.iter().enumerate() {
            // Who comes back before the last of them is told all of them again.
            let after = (position + 1 == told).then(|| self.clone());
            events.push((Event::Reorg(reorgs::describe(*number, record)), after));
        }
        Ok(Some(self))
    }
}

/// The client has to ask for everything anew.
pub(crate) fn reset(view: &View) -> Result<Step, StoreError> {
    let cursor = EventCursor::at_end(view)?;
    Ok(Step {
        events: vec![(Event::Reset, Some(cursor.clone()))],
        cursor,
        is_all: true,
    })
}

/// `LENGTH-HASH-SEQUENCE-REORGS`; before the first block the hash is left out.
impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.last {
            Some((length, hash)) => write!(f, "{length}-{hash}")?,
            None => write!(f, "0-")?,
        }
        write!(f, "-{}-{}", self.sequence, self.reorgs)
    }
}

/// The text is no cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidEventCursor;

impl FromStr for EventCursor {
    type Err = InvalidEventCursor;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.splitn(5, '-').collect();
        let [length, hash, sequence, reorgs] = parts[..] else {
            return Err(InvalidEventCursor);
        };
        let number = |text: &str| text.parse::<u64>().map_err(|_| InvalidEventCursor);
        let last = match number(length)? {
            0 if hash.is_empty() => None,
            0 => return Err(InvalidEventCursor),
            length => Some((length, hash.parse().map_err(|_| InvalidEventCursor)?)),
        };
        Ok(Self {
            last,
            sequence: number(sequence)?,
            reorgs: number(reorgs)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let hash = BlockHash::from_bytes([7; 32]);
        for last in [None, Some((1, hash)), Some((u64::MAX, hash))] {
            let cursor = EventCursor {
                last,
                sequence: u64::MAX,
                reorgs: 3,
            };
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        let hash = "7".repeat(64);
        for text in [
            String::new(),
            "1".to_owned(),
            "1--2-3".to_owned(),
            "0-".to_owned(),
            format!("0-{hash}-2-3"),
            format!("1-{hash}-2"),
            format!("1-{hash}-2-3-4"),
            format!("-1-{hash}-2-3"),
            format!("1-{}-2-3", &hash[1..]),
            format!("18446744073709551616-{hash}-2-3"),
        ] {
            assert_eq!(
                text.parse::<EventCursor>(),
                Err(InvalidEventCursor),
                "{text}"
            );
        }
    }
}
