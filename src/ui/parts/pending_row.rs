//! A pending message in a list.

use super::relative_time::{RelativeTime, now};
use super::text::Line;
use crate::ui::format;
use crate::wire::PendingMessage;

/// Maximum number of characters shown of a message.
const MAX_CHARACTERS: usize = 140;

/// A pending message in a list.
#[derive(Debug)]
pub(in crate::ui) struct PendingRow {
    pub(in crate::ui) id: String,
    pub(in crate::ui) line: Line,
    /// Time at which the node stored the message.
    pub(in crate::ui) added: RelativeTime,
    pub(in crate::ui) size: String,
}

impl PendingRow {
    pub(in crate::ui) fn new(message: &PendingMessage) -> Self {
        Self {
            id: message.id.clone(),
            line: Line::new(&message.message, MAX_CHARACTERS),
            added: RelativeTime::at(now() - message.age),
            size: format::bytes(message.message.len()),
        }
    }
}
