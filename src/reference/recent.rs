//! The most recent messages of a chain while it is read, to which a reference in the file may point.
//!
//! Both formats number their objects and can refer to an earlier one. The reference miner never writes
//! a reference to a message, but accepts one. Only the most recent messages are kept, so that memory
//! stays constant.

use std::collections::VecDeque;

use crate::chain::Message;

/// Maximum number of messages kept.
const MAX_MESSAGES: usize = 1024;

/// Maximum number of bytes of text kept, unless the last message alone has more.
const MAX_BYTES: usize = 1024 * 1024;

/// The most recent messages by their number in the file, in ascending order.
#[derive(Debug, Default)]
pub(super) struct Recent {
    messages: VecDeque<(u64, Message)>,
    bytes: usize,
}

impl Recent {
    /// Adds a message and drops the oldest ones beyond the limits.
    pub(super) fn push(&mut self, number: u64, message: &Message) {
        self.bytes += message.text().len();
        self.messages.push_back((number, message.clone()));
        while self.messages.len() > MAX_MESSAGES
            || (self.messages.len() > 1 && self.bytes > MAX_BYTES)
        {
            if let Some((_, old)) = self.messages.pop_front() {
                self.bytes -= old.text().len();
            }
        }
    }

    /// Returns the message with this number, if it is still kept.
    pub(super) fn get(&self, number: u64) -> Option<&Message> {
        let found = self
            .messages
            .binary_search_by_key(&number, |(number, _)| *number);
        found.ok().and_then(|at| Some(&self.messages.get(at)?.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::MessageId;
    use crate::chain::message::MAX_TEXT_BYTES;

    #[test]
    fn the_most_recent_messages_are_kept_and_memory_is_bounded() {
        let message = |text: String| Message::new(MessageId::from_bytes([1; 16]), text).unwrap();
        let mut recent = Recent::default();
        for number in 0..3000 {
            recent.push(2 * number, &message(number.to_string()));
        }
        assert_eq!(recent.get(5998).unwrap().text(), "2999");
        assert_eq!(recent.get(5999), None);
        assert_eq!(recent.get(2 * (3000 - 1024)).unwrap().text(), "1976");
        assert_eq!(recent.get(2 * (3000 - 1025)), None);
        for number in 10_000..10_100 {
            recent.push(number, &message("x".repeat(MAX_TEXT_BYTES)));
        }
        assert!(recent.bytes <= MAX_BYTES && recent.messages.len() == 4);
    }
}
