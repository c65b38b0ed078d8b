//! Sync: one session per peer, which fetches blocks and messages.
//!
//! * `context`, `error`: shared by the others
//! * `branch`: a branch while it is received, checked and staged
//! * `chain`, `mempool`: blocks and messages of nodes of this program
//! * `reference`: the chain of a reference miner
//! * `session`: schedules rounds and announcements, and judges their results
//! * [`genesis`]: the genesis block of a network to join
//!
//! Each module uses only those above it.

mod branch;
mod chain;
mod context;
mod error;
pub mod genesis;
mod mempool;
mod reference;
mod session;

pub(super) use session::run;
