//! Many messages of a client in one operation: all of them or none.

use std::collections::HashMap;

use super::edit::{Edit, EditResult};
use super::error::StoreError;
use crate::chain::{Message, MessageId};

/// Result of adding many messages, which are all on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddedLines {
    /// Id of each message, in order.
    pub ids: Vec<MessageId>,
    /// Number of messages that were held already.
    pub known: u64,
}

impl Edit<'_> {
    /// Adds messages in order, except those that are pending or mined already, and repetitions. None
    /// is added if there is no room for all. `arrived` is in milliseconds since the epoch.
    pub(crate) fn add_lines(
        &mut self,
        messages: Vec<Message>,
        arrived: u64,
    ) -> EditResult<AddedLines> {
        let mut new = New::default();
        let mut lines = AddedLines::default();
        for mut message in messages {
            let is_held = loop {
                match self.text_of(&message.id(), &new)? {
                    None => break false,
                    Some(text) if text == message.text() => break true,
                    Some(_) => message = message.renamed(),
                }
            };
            lines.ids.push(message.id());
            if is_held {
                lines.known += 1;
            } else {
                new.push(message);
            }
        }
        let bytes = new.messages.iter().map(|new| new.text().len() as u64).sum();
        if let Err(rejection) = self.make_room(new.messages.len() as u64, bytes)? {
            return Ok(Err(rejection));
        }
        for message in new.messages {
            self.add_pending(message, arrived)?;
        }
        Ok(Ok(lines))
    }

    /// Returns the text of the message with an id, among the new ones or in the store.
    fn text_of(&mut self, id: &MessageId, new: &New) -> Result<Option<String>, StoreError> {
        if let Some(&nth) = new.by_id.get(id) {
            return Ok(Some(new.messages[nth].text().to_owned()));
        }
        let held = self.message_with_id(id)?;
        Ok(held.map(|held| held.text().to_owned()))
    }
}

/// The messages that are to be added.
#[derive(Default)]
struct New {
    messages: Vec<Message>,
    by_id: HashMap<MessageId, usize>,
}

impl New {
    fn push(&mut self, message: Message) {
        self.by_id.insert(message.id(), self.messages.len());
        self.messages.push(message);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rejection;
    use super::super::mempool::MAX_COUNT;
    use super::super::tests::{TestDatabase, message};
    use super::*;

    fn lines(texts: &[&str]) -> Vec<Message> {
        let once = |text: &&str| Message::once((*text).to_owned()).unwrap();
        texts.iter().map(once).collect()
    }

    #[test]
    fn a_line_is_added_once_however_often_it_is_repeated() {
        let mined = Message::once("mined".to_owned()).unwrap();
        let mut database = TestDatabase::new(&[mined]);
        let added = |database: &mut TestDatabase, texts: &[&str]| {
            let added = database.change(|edit| edit.add_lines(lines(texts), 0));
            added.unwrap()
        };
        let first = added(&mut database, &["a", "b", "a", "mined"]);
        assert_eq!((first.ids.len(), first.known), (4, 2));
        assert_eq!(first.ids[0], first.ids[2]);
        let again = added(&mut database, &["b", "c", "a"]);
        assert_eq!((again.ids.len(), again.known), (3, 2));
        assert_eq!(database.state.mempool_count(), 3);
    }

    #[test]
    fn a_line_whose_id_another_message_has_is_known_under_its_derived_id() {
        let line = Message::once("mine".to_owned()).unwrap();
        let squatter = Message::new(line.id(), "not mine".to_owned()).unwrap();
        let mut database = TestDatabase::new(&[squatter]);
        for known in [0, 1] {
            let added = database
                .change(|edit| edit.add_lines(vec![line.clone()], 0))
                .unwrap();
            assert_eq!((added.ids, added.known), (vec![line.renamed().id()], known));
        }
    }

    #[test]
    fn a_batch_without_room_for_all_adds_nothing() {
        let mut database = TestDatabase::new(&[message(1, "mined")]);
        let many = |count: u64| {
            let text = |nth: u64| Message::once(nth.to_string()).unwrap();
            (0..count).map(text).collect::<Vec<_>>()
        };
        let rejected = database.change(|edit| edit.add_lines(many(MAX_COUNT + 1), 0));
        assert!(
            matches!(rejected, Err(Rejection::MempoolFull { .. })),
            "{rejected:?}"
        );
        assert_eq!(database.state.mempool_count(), 0);
        let added = database.change(|edit| edit.add_lines(many(MAX_COUNT), 0));
        assert_eq!(added.unwrap().known, 0);
        assert_eq!(database.state.mempool_count(), MAX_COUNT);
    }
}
