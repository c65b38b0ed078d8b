//! The monitor of a network: it keeps checkpoints, checks that every node still extends them, tells
//! somebody when one does not, and keeps both branches.
//!
//! A sealed chain can be rewritten by anyone who does its work again. Nobody can do so unnoticed while
//! somebody else keeps an older checkpoint and looks. The parts:
//!
//! * [`event`]: the events that are told
//! * [`checks`]: the judgement on proofs, receipts and blocks, without I/O
//! * [`recent`]: the newest blocks seen, and how their branches are related
//! * [`folder`]: the state folder, its lock and its atomic writes
//! * [`state`]: the content of that folder; `kept`: its trust file
//! * [`source`]: the requests to a node, behind a trait so that tests can simulate nodes
//! * [`poll`]: one poll of one node
//! * `judge`: what the responses of all nodes mean together; `alarms`: which of that is told
//! * `branches`: finds the fork of two branches; `evidence`: the folders that keep them
//! * [`round`]: one poll of all nodes: events, evidence, and the order of all writes
//! * [`settle`]: the start of a state, moving its checkpoint, accepting another branch
//! * [`outbox`]: events that a command is still to be told
//!
//! One round writes in this order: evidence, events, outbox, the told alarms and the blocks seen, and
//! the settled checkpoint last. A crash in between therefore repeats an alarm and never loses one.

mod alarms;
mod branches;
pub mod checks;
pub mod event;
mod evidence;
pub mod folder;
mod judge;
mod kept;
pub mod outbox;
pub mod poll;
pub mod recent;
pub mod round;
pub mod settle;
pub mod source;
pub mod state;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::client::ClientError;

/// Options of a monitor.
#[derive(Clone, Copy, Debug)]
pub struct MonitorSettings {
    /// Number of blocks by which the settled checkpoint stays below the lowest tip.
    pub depth: u64,
    /// Time without a new block after which pending messages are an alarm.
    pub stall: Duration,
    /// Number of older blocks whose content is checked in each poll.
    pub sample: usize,
    /// Time after which an alarm that still stands is told again.
    pub repeat: Duration,
}

/// Error that stops a monitor.
#[derive(Debug, Error)]
pub enum MonitorError {
    /// A file of the state cannot be read or written.
    #[error("{}: {source}", path.display())]
    State {
        /// The file.
        path: PathBuf,
        /// Cause of the failure.
        #[source]
        source: io::Error,
    },
    /// Another monitor has the state folder.
    #[error("{} is in use by another monitor", path.display())]
    Busy {
        /// The state folder.
        path: PathBuf,
    },
    /// A request that cannot be left out failed.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The request contradicts the state or the nodes.
    #[error("{0}")]
    Rejected(String),
    /// The arguments do not fit the state.
    #[error("{0}")]
    Usage(String),
}

#[cfg(test)]
mod tests;
