//! The position of a client in the stream of events, and the events after it.
//!
//! An [`EventCursor`] holds the whole position, so the node keeps nothing for disconnected clients:
//! the number of blocks the client knows and the hash of the last one, the number of reorgs it has
//! received, and the sequence number of its next message.

use std::fmt;
use std::str::FromStr;

use crate::api::v1::{blocks, messages, reorgs};
use crate::chain::BlockHash;
use crate::store::{PageLimit, StoreError, View};
use crate::wire::Event;

/// Maximum number of blocks, messages or reorgs by which a client may be behind. A client further
/// behind receives a reset.
const MAX_BEHIND: u64 = 1000;

/// Maximum size of the pages in which events are read.
const PAGE: PageLimit = PageLimit {
    count: 100,
    bytes: 64 * 1024,
};

/// The position of a client in the stream of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EventCursor {
    /// Number of blocks and the hash of the last one; `None` before the first.
    last: Option<(u64, BlockHash)>,
    /// Sequence number of the next message.
    sequence: u64,
    /// Number of reorgs so far.
    reorgs: u64,
}

/// Events in order, each with the cursor after it, if the stream can resume there.
#[derive(Debug)]
pub(crate) struct CursorStep {
    pub(crate) events: Vec<(Event, Option<EventCursor>)>,
    /// The cursor after all of them.
    pub(crate) cursor: EventCursor,
    /// `true` if there are no further events.
    pub(crate) is_complete: bool,
}

impl EventCursor {
    /// Returns the cursor after all events of a view.
    pub(crate) fn at_end(view: &View) -> Result<Self, StoreError> {
        let (last, totals) = (view.tip_block()?, view.totals()?);
        Ok(Self {
            last: Some((last.index + 1, BlockHash::of(&last))),
            sequence: totals.next_sequence,
            reorgs: totals.reorgs,
        })
    }

    fn length(&self) -> u64 {
        self.last.map_or(0, |(length, _)| length)
    }

    /// Returns the next events after this cursor in a view. `now` is in milliseconds since the Unix epoch.
    pub(crate) fn step(self, view: &View, now: u64) -> Result<CursorStep, StoreError> {
        let end = Self::at_end(view)?;
        let mut events = Vec::new();
        let Some(mut cursor) = self.follow_reorgs(view, &end, &mut events)? else {
            return reset(view);
        };
        let behind = end.length().saturating_sub(cursor.length());
        if behind > MAX_BEHIND || end.sequence.saturating_sub(cursor.sequence) > MAX_BEHIND {
            return reset(view);
        }
        let page = view.blocks(cursor.length(), PAGE)?;
        for block in blocks::describe(view, &page)?.into_iter().zip(&page) {
            let (described, block) = block;
            cursor.last = Some((block.index + 1, BlockHash::of(block)));
            events.push((Event::Block(described), Some(cursor.clone())));
        }
        let mut is_complete = cursor.last == end.last;
        if is_complete {
            let page = view.pending_from(cursor.sequence, PAGE)?;
            is_complete = page.is_empty();
            for pending in &page {
                cursor.sequence = pending.sequence + 1;
                let message = Event::Message(messages::describe(pending, now));
                events.push((message, Some(cursor.clone())));
            }
            if is_complete {
                cursor = end;
            }
        }
        Ok(CursorStep {
            events,
            cursor,
            is_complete,
        })
    }

    /// Adds the reorgs after this cursor to `events`, and moves the cursor back to the last block that
    /// none of them disconnected. Returns `None` if the cursor does not belong to this chain.
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
        let Some(count) = usize::try_from(missed)
            .ok()
            .filter(|_| missed <= MAX_BEHIND)
        else {
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
            // Until a reorg disconnects it, the block must be on the chain before that reorg.
            let old_length = record.from.saturating_add(record.disconnected);
            let is_disconnected = kept < self.length();
            let was_tip = self.last == Some((old_length, BlockHash::from_bytes(record.old_tip)));
            if !is_disconnected && (kept > old_length || kept == old_length && !was_tip) {
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
        let count = records.len();
        for (position, (number, record)) in records.iter().enumerate() {
            // A client that reconnects before the last of them receives all of them again.
            let after = (position + 1 == count).then(|| self.clone());
            events.push((Event::Reorg(reorgs::describe(*number, record)), after));
        }
        Ok(Some(self))
    }
}

/// Returns a reset, after which the client must read everything again.
pub(crate) fn reset(view: &View) -> Result<CursorStep, StoreError> {
    let cursor = EventCursor::at_end(view)?;
    Ok(CursorStep {
        events: vec![(Event::Reset, Some(cursor.clone()))],
        cursor,
        is_complete: true,
    })
}

/// Writes `LENGTH-HASH-SEQUENCE-REORGS`; before the first block the hash is empty.
impl fmt::Display for EventCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.last {
            Some((length, hash)) => write!(f, "{length}-{hash}")?,
            None => write!(f, "0-")?,
        }
        write!(f, "-{}-{}", self.sequence, self.reorgs)
    }
}

/// The text is not a valid cursor.
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
    fn a_cursor_survives_a_round_trip() {
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
    fn an_invalid_cursor_is_rejected() {
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
