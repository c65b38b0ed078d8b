//! Additions: messages of clients, from the request until the outcome is known.
//!
//! A client that is not answered in time asks for the message by its id, or repeats the request
//! with its key. So an addition keeps one id for as long as it is in flight, however often it is
//! repeated, and whoever asks for that id learns that the outcome is not known yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thiserror::Error;

use super::{Node, settings};
use crate::chain::message::TextTooLong;
use crate::chain::{Message, MessageId};
use crate::store::{Added, Addition, Operation, StoreError};

/// Why a message was not taken in.
#[derive(Debug, Error)]
pub enum AddError {
    /// Longer than a block may carry.
    #[error(transparent)]
    TooLong(#[from] TextTooLong),
    /// The store did not take it: this request does not keep the message.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The commit takes too long, or failed: the message may or may not be kept.
    #[error("it is not known whether the message is on disk; ask for {id} before adding it again")]
    OutcomeUnknown {
        /// The id under which it is found if it is kept.
        id: MessageId,
    },
}

/// Additions whose outcome is not known.
#[derive(Debug, Default)]
pub(super) struct InFlight(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// Number of requests for each id.
    ids: HashMap<MessageId, usize>,
    /// The id of each key together with a text.
    keyed: HashMap<KeyedText, MessageId>,
}

/// Digests of a client's key and of the text.
type KeyedText = ([u8; 32], [u8; 32]);

impl InFlight {
    /// Notes a request and chooses its id: that of the same text under the same key, if that is in
    /// flight, else a fresh one.
    fn enter(self: &Arc<Self>, keyed: Option<KeyedText>) -> Request {
        let mut table = self.table();
        let id = match keyed {
            Some(keyed) => *table.keyed.entry(keyed).or_insert_with(MessageId::random),
            None => MessageId::random(),
        };
        *table.ids.entry(id).or_default() += 1;
        Request {
            in_flight: Arc::clone(self),
            id,
            keyed,
            is_unknown: false,
        }
    }

    /// Forgets one request for an id.
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

    fn table(&self) -> MutexGuard<'_, Table> {
        // Every change is whole even if the thread that made it panicked later.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request in flight. It ends when this is dropped, unless its outcome is unknown by then: that
/// lasts until the next start.
#[derive(Debug)]
struct Request {
    in_flight: Arc<InFlight>,
    id: MessageId,
    keyed: Option<KeyedText>,
    is_unknown: bool,
}

impl Request {
    /// Notes that the store has the request: unless it answers, the message may be kept.
    fn submitted(mut self) -> Self {
        self.is_unknown = true;
        self
    }

    /// Ends the request with the answer of the store.
    fn end<T>(mut self, outcome: &Result<T, StoreError>) {
        self.is_unknown = outcome.as_ref().is_err_and(may_be_kept);
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        if !self.is_unknown {
            self.in_flight.leave(self.id, self.keyed);
        }
    }
}

/// Returns `true` if an operation that ended with this error may be on disk all the same.
fn may_be_kept(error: &StoreError) -> bool {
    let is_refusal = matches!(
        error,
        StoreError::Rejected(_) | StoreError::Overloaded | StoreError::Closed
    );
    !is_refusal
}

impl Node {
    /// Takes in a message of a client: when this returns, it is on disk.
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
        // What was committed before can be answered even while the disk stalls. The request is in
        // flight by now, so whatever is not in this view has the same id.
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
                return Err(self.refused(id, error));
            }
        };
        match tokio::time::timeout(settings::ADD_TIMEOUT, answer).await {
            Ok(Ok(Ok(added))) => Ok(added),
            Ok(Ok(Err(error))) if !may_be_kept(&error) => Err(self.refused(id, error)),
            // Also if it was dropped unanswered: a writer that panics may do so after its commit.
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => Err(AddError::OutcomeUnknown { id }),
        }
    }

    /// The error of a request that was refused. An earlier one for the same id may still be kept.
    fn refused(&self, id: MessageId, error: StoreError) -> AddError {
        if self.is_in_flight(&id) {
            AddError::OutcomeUnknown { id }
        } else {
            error.into()
        }
    }

    /// Returns `true` if a message with this id was handed in and it is not known whether it is on
    /// disk. A view that is opened afterwards holds everything whose outcome was known by then.
    pub fn is_in_flight(&self, id: &MessageId) -> bool {
        self.in_flight.table().ids.contains_key(id)
    }
}
