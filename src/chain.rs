//! The rules of the chain: pure data types and checks, no I/O, no clock.
//!
//! A chain is a list of blocks. Each block except the first contains the hash of the previous block
//! and a proof of work. Violations name the rules by these numbers:
//!
//! 1. The genesis block has index 0, no proof and no previous hash.
//! 2. The index of a block is its position in the chain.
//! 3. Its previous hash is the hash of the previous block.
//! 4. Its proof solves the puzzle of [`crate::pow`] for the previous proof, at the difficulty of the
//!    checking node.
//! 5. Its time is strictly later than that of the previous block.
//!
//! A chain that follows the rules is *valid*. It is *acceptable* to this program if, in addition, no
//! proof is a broken seal and every proof from index `sealed_from` on is sealed ([`seal`]).
//!
//! ```
//! use blockchain::chain::{Block, BlockHash, Checker, Message, MessageId, Proof, Seal, Timestamp, seal};
//! use blockchain::pow::{self, Difficulty};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let genesis = Block::default_genesis();
//! assert_eq!(
//!     BlockHash::of(&genesis).to_string(),
//!     "c0f0de3647e32b3b129e4ca3c329dd7584fa375366106b4c22c31c55f8c1ab94"
//! );
//!
//! // Every block must be sealed from index 1 on.
//! let mut checker = Checker::new(Difficulty::MIN, Some(1));
//! checker.push(&genesis)?;
//! let tip = checker.tip().ok_or("the genesis block is the tip")?.clone();
//!
//! // A sealed proof is the commitment to its block, then the digits of the search.
//! let message = Message::new(MessageId::random(), "hello, chain".to_owned())?;
//! let time = 1_600_000_000.5;
//! let root = checker.history().root();
//! let commitment = seal::commitment(tip.index + 1, &tip.hash, &root, &message, time);
//! let proof: Proof = (0..)
//!     .map(|nonce| format!("{commitment}{nonce}"))
//!     .find(|proof| pow::proof_is_valid(tip.proof_text(), proof.as_bytes(), Difficulty::MIN))
//!     .ok_or("a nonce exists")?
//!     .parse()?;
//! let block = tip.successor(message, Timestamp::float(time)?, proof);
//! assert_eq!(checker.push(&block)?, Some(Seal::Sealed));
//!
//! // The seal fits no other content.
//! let mut forged = block.clone();
//! forged.message = Message::new(block.message.id(), "goodbye, chain".to_owned())?;
//! assert_eq!(Seal::of(&forged, || root), Some(Seal::Broken));
//! # Ok(())
//! # }
//! ```
//!
//! Modules:
//! * [`block`]: a block and its link to the previous one, the default genesis block
//! * [`message`]: the message that a block contains
//! * [`timestamp`], [`proof`], [`hash`]: values whose exact text is hashed
//! * [`preimage`]: the text of a block that is hashed
//! * `tip`: [`Tip`], the last block of a chain
//! * [`history`]: the Merkle tree over all block hashes
//! * [`seal`]: proofs that commit to the content of their block
//! * [`check`]: the rules, with a named violation for each; `precomputed`: the hashes that they compare
//! * [`fork_choice`]: the rule that chooses between two acceptable chains
//! * [`reorg`]: the numbers of a switch between them

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
pub use precomputed::{Derived, SealDetails, derive_all, derive_one};
pub use proof::Proof;
pub use reorg::ReorgCounts;
pub use seal::Seal;
pub use timestamp::Timestamp;
pub use tip::Tip;
