//! Additions: messages of clients, from the request until the outcome is known.
//!
//! A client that gets no response in time asks for the message by its id, or repeats the request
//! with its idempotency key. An addition therefore keeps one id while it is in flight, however
//! often it is repeated, and a request for that id reports that the outcome is not known yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use super::{Node, settings};
use crate::chain::message::TextTooLong;
use crate::chain::{Message, MessageId};
use crate::store::{Added, AddedLines, Addition, Operation, StoreError};

/// Error of [`Node::add_message`] and [`Node::add_lines`].
#[derive(Debug, Error)]
pub enum AddError {
    /// The text is longer than a block may contain.
    #[error(transparent)]
    TooLong(#[from] TextTooLong),
    /// The store rejected the addition or failed; the message is not stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The commit takes too long or failed: the message may or may not be stored.
    #[error(
        "outcome unknown: the message may be on disk; query message {id} before adding it again"
    )]
    OutcomeUnknown {
        /// The id under which the message is found if it is stored.
        id: MessageId,
    },
    /// Like `OutcomeUnknown`, for lines, of which either all are stored or none.
    #[error("outcome unknown: the lines may be on disk; with once=true they can be sent again")]
    LinesOutcomeUnknown,
}

/// Additions whose outcome is not known yet.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<InFlightTable>);

#[derive(Debug, Default)]
struct InFlightTable {
    /// Number of requests per id.
    ids: HashMap<MessageId, usize>,
    /// Id of each pair of key and text.
    keyed: HashMap<KeyedText, MessageId>,
}

/// Digests of an idempotency key and of a text.
type KeyedText = ([u8; 32], [u8; 32]);

impl InFlight {
    /// Registers a request and assigns its id: that of the same text under the same key if one is
    /// in flight, otherwise a random one.
    fn enter(self: &Arc<Self>, keyed: Option<KeyedText>) -> InFlightAddition {
        let mut table = self.table();
        let id = match keyed {
            Some(keyed) => *table.keyed.entry(keyed).or_insert_with(MessageId::random),
            None => MessageId::random(),
        };
        *table.ids.entry(id).or_default() += 1;
        InFlightAddition {
            in_flight: Arc::clone(self),
            id,
            keyed,
            is_unknown: false,
        }
    }

    /// Unregisters a request for an id.
    fn leave(&self, id: MessageId, keyed: Option<KeyedText>) {
        let mut table = self.table();
        let Some(count) = table.ids.get_mut(&id) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            table.ids.remove(&id);
            if let Some(keyed) = keyed {
                table.keyed.remove(&keyed);
            }
        }
    }

    fn table(&self) -> MutexGuard<'_, InFlightTable> {
        // No panic can interrupt a change under the lock, so a poisoned one holds valid data.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request in flight. Dropping it unregisters the request, unless its outcome is unknown: such a
/// request stays registered until the next start.
#[derive(Debug)]
struct InFlightAddition {
    in_flight: Arc<InFlight>,
    id: MessageId,
    keyed: Option<KeyedText>,
    is_unknown: bool,
}

impl InFlightAddition {
    /// Marks the request as submitted: until the store replies, the message may be stored.
    fn submitted(mut self) -> Self {
        self.is_unknown = true;
        self
    }

    /// Ends the request with the result of the store.
    fn end<T>(mut self, outcome: &Result<T, StoreError>) {
        self.is_unknown = outcome.as_ref().is_err_and(may_be_stored);
    }
}

impl Drop for InFlightAddition {
    fn drop(&mut self) {
        if !self.is_unknown {
            self.in_flight.leave(self.id, self.keyed);
        }
    }
}

/// Returns `true` if an operation that ended with this error may nevertheless be on disk.
fn may_be_stored(error: &StoreError) -> bool {
    let is_rejection = matches!(
        error,
        StoreError::Rejected(_) | StoreError::Overloaded | StoreError::Closed
    );
    !is_rejection
}

impl Node {
    /// Adds a message of a client; it is on disk when this returns.
    pub async fn add_message(&self, text: String, key: Option<&[u8]>) -> Result<Added, AddError> {
        let key = key.map(Addition::key_digest);
        let keyed = key.map(|key| (key, Addition::text_digest(&text)));
        let request = self.in_flight.enter(keyed);
        let id = request.id;
        let addition = Addition {
            message: Message::new(id, text)?,
            key,
            arrived: self.clock.millis(),
        };
        // A repeated addition can be answered even while the disk stalls. The request is registered
        // by now, so an addition that is not in this view shares its id.
        if key.is_some()
            && let Some(known) = self.view()?.added_under_key(&addition)?
        {
            return known.map_err(|rejection| StoreError::from(rejection).into());
        }
        let request = request.submitted();
        let submitted = self.submit(|reply| {
            let reply = Box::new(move |outcome| {
                request.end(&outcome);
                reply(outcome);
            });
            Operation::Add(addition, reply)
        });
        let answer = match submitted {
            Ok(answer) => answer,
            Err(error) => {
                self.in_flight.leave(id, keyed);
                return Err(self.rejected(id, error));
            }
        };
        match tokio::time::timeout(settings::ADD_TIMEOUT, answer).await {
            Ok(Ok(Ok(added))) => Ok(added),
            Ok(Ok(Err(error))) if !may_be_stored(&error) => Err(self.rejected(id, error)),
            // A dropped reply is unknown too: a writer may panic after its commit.
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Err(AddError::OutcomeUnknown { id }),
        }
    }

    /// Adds messages of a client, all or none; they are on disk when this returns. With `once`, the
    /// id of a message follows from its text, and one that is held already is not added again.
    pub async fn add_lines(&self, texts: Vec<String>, once: bool) -> Result<AddedLines, AddError> {
        let message = |text| {
            if once {
                Message::once(text)
            } else {
                Message::new(MessageId::random(), text)
            }
        };
        let messages: Result<Vec<_>, _> = texts.into_iter().map(message).collect();
        let (messages, arrived) = (messages?, self.clock.millis());
        let answer = self.submit(|reply| Operation::AddLines(messages, arrived, reply))?;
        match tokio::time::timeout(settings::ADD_TIMEOUT, answer).await {
            Ok(Ok(Ok(added))) => Ok(added),
            Ok(Ok(Err(error))) if !may_be_stored(&error) => Err(error.into()),
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Err(AddError::LinesOutcomeUnknown),
        }
    }

    /// Returns the error of a rejected request. An earlier request with the same id may be stored.
    fn rejected(&self, id: MessageId, error: StoreError) -> AddError {
        if self.is_in_flight(&id) {
            AddError::OutcomeUnknown { id }
        } else {
            error.into()
        }
    }

    /// Returns `true` if an addition with this id is in flight. A view that is opened afterwards
    /// contains every addition whose outcome was known at this call.
    pub fn is_in_flight(&self, id: &MessageId) -> bool {
        self.in_flight.table().ids.contains_key(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Executor;
    use crate::node::backup::tests::node_with;

    #[tokio::test]
    async fn an_addition_that_a_closed_store_rejects_is_not_in_flight() {
        for executor in [Executor::Pool, Executor::Inline] {
            let (_folder, node) = node_with(executor);
            let reply = Box::new(|_| panic!("on purpose"));
            let ended = node.store.submit(Operation::DropBranch(1, reply));
            ended.unwrap();
            while node.signals.0.borrow().failure.is_none() {
                tokio::task::yield_now().await;
            }
            loop {
                let added = node.add_message("late".to_owned(), None).await;
                match added.unwrap_err() {
                    AddError::Store(StoreError::Closed) => break,
                    // The writer's thread has not ended yet.
                    AddError::Store(StoreError::Overloaded) => {}
                    error => panic!("{executor:?}: {error}"),
                }
            }
            assert!(node.in_flight.table().ids.is_empty(), "{executor:?}");
        }
    }
}
