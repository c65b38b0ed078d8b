//! The rules of the chain: pure data types and checks, no I/O, no clock.
//!
//! A chain is a list of blocks. Every block but the first is linked to the one before it by that
//! block's hash and by a proof of work. The documented rules, numbered as findings report them:
//!
//! 1. the genesis block has index 0, no proof and no previous hash;
//! 2. the index of a block equals its position;
//! 3. its previous hash equals the hash of the block before it;
//! 4. its proof solves the puzzle of [`crate::pow`] for the proof before it, at the checking
//!    node's own difficulty;
//! 5. its time is strictly later than that of the block before it.
//!
//! On top of the rules stands what makes a chain *acceptable* to this program: no proof is a
//! broken seal, and from `sealed_from` on every proof is sealed ([`seal`]).
//!
//! The parts:
//! * [`block`]: a block, its link to the one before, the tip of a chain, the documented genesis
//! * [`message`]: what a block carries
//! * [`timestamp`], [`proof`], [`hash`]: the three values whose exact text is hashed
//! * [`history`]: the Merkle tree over all block hashes
//! * [`seal`]: proofs that bind the content of their block
//! * [`check`]: the rules, with a named violation for each; `facts`: what they compare, worked out
//!   for many blocks at once
//! * [`choice`]: which of two acceptable chains is followed; [`reorg`]: a switch between them, in
//!   numbers

pub mod block;
pub mod check;
pub mod fork_choice;
pub mod hash;
pub mod history;
pub mod message;
mod precomputed;
pub mod preimage;
pub mod proof;
pub mod reorg;
pub mod seal;
pub mod timestamp;
mod tip;

pub use block::{Block, Link};
pub use check::{Checker, InvalidBlock, Passed, RuleViolation};
pub use hash::BlockHash;
pub use history::History;
pub use message::{Message, MessageId};
pub use proof::Proof;
pub use reorg::ReorgCounts;
pub use seal::Seal;
pub use timestamp::Timestamp;
pub use tip::Tip;
