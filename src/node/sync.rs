//! Sync: one session per peer, and what it fetches.
//!
//! * `context`, `error`: what the others share
//! * `branch`: a branch while it is checked and staged
//! * `chain`, `mempool`: blocks and messages of nodes of this program
//! * `reference`: the chain of a reference miner
//! * `session`: when to ask and to announce, and what an outcome means for the peer
//! * [`genesis`]: the first block of a network to join
//!
//! Each uses only those above it.

mod branch;
mod chain;
mod context;
mod error;
pub mod genesis;
mod mempool;
mod reference;
mod session;

pub(super) use error::SyncError;
pub(super) use session::run;
