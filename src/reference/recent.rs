//! The last messages of a chain while it is read: what a reference in a file can point to.
//!
//! Both formats number their objects and may name an earlier one in place of writing it again.
//! The original never does that with a message, but takes it. To read in constant memory only the
//! last messages are held.

use std::collections::VecDeque;

use crate::chain::Message;

/// Most messages held.
const MOST: usize = 1024;

/// Most bytes of text held, beside the last message.
const MOST_BYTES: usize = 1024 * 1024;

/// The last messages by their number in the file, which rises.
#[derive(Debug, Default)]
pub(super) struct Recent {
    messages: VecDeque<(u64, Message)>,
    bytes: usize,
}

impl Recent {
    /// Holds a message, and lets the oldest go when there are too many.
    pub(super) fn hold(&mut self, number: u64, message: &Message) {
        self.bytes += message.text().len();
        self.messages.push_back((number, message.clone()));
        while self.messages.len() > MOST || (self.messages.len() > 1 && self.bytes > MOST_BYTES) {
            if let Some((_, old)) = self.messages.pop_front() {
                self.bytes -= old.text().len();
            }
        }
    }

    /// The message with this number, if it is still held.
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
    fn the_last_messages_are_held_and_memory_is_bounded() {
        let message = |text: String| Message::new(MessageId::from_bytes([1; 16]), text).unwrap();
        let mut recent = Recent::default();
        for number in 0..3000 {
            recent.hold(2 * number, &message(number.to_string()));
        }
        assert_eq!(recent.get(5998).unwrap().text(), "2999");
        assert_eq!(recent.get(5999), None);
        assert_eq!(recent.get(2 * (3000 - 1024)).unwrap().text(), "1976");
        assert_eq!(recent.get(2 * (3000 - 1025)), None);
        for number in 10_000..10_100 {
            recent.hold(number, &message("x".repeat(MAX_TEXT_BYTES)));
        }
        assert!(recent.bytes <= MOST_BYTES && recent.messages.len() == 4);
    }
}
