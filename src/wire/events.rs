//! Events of `GET /events` (server-sent events). The name of an event is its kind, its data one of
//! these bodies as JSON, its id what `Last-Event-ID` resumes after.

use serde::{Deserialize, Serialize};

use super::{Block, Neighbour, PendingMessage, Reorg};

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "event", content = "data")]
pub enum Event {
    /// A block was put on the chain.
    Block(Block),
    /// Another branch is followed: blocks were taken off, and the connected ones follow as `block`.
    Reorg(Reorg),
    /// A message waits to be mined.
    Message(PendingMessage),
    /// A neighbour came, went or changed.
    Neighbour(Neighbour),
    /// More happened than is told one by one: ask for the state anew.
    Reset,
}
