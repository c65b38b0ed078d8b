//! Hostile clients against the real binary.
//!
//! * [`slow`]: slow clients of every kind, by the thousand, together with honest ones
//! * [`growth`]: slow readers of the chain, and the size of the database
//! * [`smuggling`]: ambiguous requests
//! * [`heads`]: parsable request heads without a valid target or host
//! * [`limits`]: requests just below, at, just above and far above each limit
//! * [`rate`]: the rate limit of additions
//! * [`sharing`]: one address that takes as many shared slots as it can
//!
//! Long form of the first two: `BLOCKCHAIN_ATTACK_SECONDS=60 BLOCKCHAIN_GROWTH_SECONDS=60 cargo
//! test --test integration attacks:: -- --nocapture`.

mod growth;
mod heads;
mod limits;
mod rate;
mod sharing;
mod slow;
mod smuggling;
