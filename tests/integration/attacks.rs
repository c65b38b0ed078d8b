//! What a hostile client can do with a socket, against the real binary.
//!
//! * [`slow`]: clients that are slow in every way, by the thousand, beside honest ones
//! * [`growth`]: slow readers of the chain, and the size of the database
//! * [`smuggling`]: requests that two readers could read in two ways
//! * [`heads`]: request heads that can be parsed and yet name nothing
//! * [`limits`]: requests just below, at and just above each limit, and far beyond
//! * [`rate`]: how many messages one address may add
//! * [`sharing`]: one address that takes all it can of what clients share
//!
//! A longer form of the first two: `BLOCKCHAIN_ATTACK_SECONDS=60 BLOCKCHAIN_GROWTH_SECONDS=60 cargo
//! test --test integration attacks:: -- --nocapture`.

mod growth;
mod heads;
mod limits;
mod rate;
mod sharing;
mod slow;
mod smuggling;
