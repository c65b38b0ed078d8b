//! The proof-of-work puzzle and the search for solutions.
//!
//! The decimal text of the previous proof and that of the new proof are concatenated; [`NO_PROOF`]
//! takes the place of the proof of the genesis block. The new proof is valid if the SHA-256 digest of
//! the result, in hex, *ends* with at least as many zeros as the difficulty.
//!
//! ```
//! use blockchain::pow::{self, Difficulty, NO_PROOF};
//!
//! let difficulty = Difficulty::new(2)?;
//! assert!(pow::proof_is_valid(NO_PROOF.as_bytes(), b"350", difficulty));
//! assert!(!pow::proof_is_valid(NO_PROOF.as_bytes(), b"351", difficulty));
//! # Ok::<(), pow::InvalidDifficulty>(())
//! ```
//!
//! The puzzle does not commit to:
//!
//! * **The block.** Neither the message nor the time nor the previous hash is hashed, so the puzzle
//!   does not protect them. A sealed proof does: it starts with a commitment to the block, and the
//!   search only chooses the digits after it ([`crate::chain::seal`]).
//! * **The boundary between the proofs.** `12` and `3` give the same digest as `1` and `23`.
//! * **The smallest proof.** Any proof with enough zeros is valid. [`Search`] finds the smallest one,
//!   so that its result depends neither on the number of threads nor on the machine.
//!
//! This module treats proofs as bytes; [`crate::chain::Proof`] checks that they are integers.

mod candidate;
mod digests;
mod kernel;
mod lanes;
mod search;

use std::{error, fmt, num, str};

use sha2::{Digest, Sha256};

pub use self::digests::Texts;
pub use self::kernel::Kernel;
pub use self::search::{Digits, Outcome, Search, sealed_width};

/// Text that takes the place of the previous proof in the first puzzle of a chain: the genesis block
/// has no proof.
pub const NO_PROOF: &str = "None";

/// Number of zeros that the hex digest of a proof must end with, 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Difficulty(u8);

impl Difficulty {
    /// Minimum difficulty: one zero, 16 tries on average.
    pub const MIN: Self = Self(1);
    /// Maximum difficulty: all digits of the digest are zeros.
    pub const MAX: Self = Self(64);

    /// Creates a difficulty of `zeros` hex digits.
    ///
    /// # Errors
    ///
    /// If `zeros` is not 1 to 64.
    pub const fn new(zeros: u8) -> Result<Self, InvalidDifficulty> {
        if Self::MIN.0 <= zeros && zeros <= Self::MAX.0 {
            Ok(Self(zeros))
        } else {
            Err(InvalidDifficulty::OutOfRange(zeros))
        }
    }

    /// Returns the number of zeros.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Difficulty {
    /// Returns the default of the reference miner, 5.
    fn default() -> Self {
        Self(5)
    }
}

impl fmt::Display for Difficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl str::FromStr for Difficulty {
    type Err = InvalidDifficulty;

    fn from_str(text: &str) -> Result<Self, InvalidDifficulty> {
        Self::new(text.parse().map_err(InvalidDifficulty::NotANumber)?)
    }
}

/// Error for a number or text that is not a [`Difficulty`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidDifficulty {
    /// A number that is not 1 to 64.
    OutOfRange(u8),
    /// A text that is not a number from 0 to 255.
    NotANumber(num::ParseIntError),
}

impl fmt::Display for InvalidDifficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange(zeros) => {
                write!(
                    f,
                    "difficulty {zeros} is not between {} and {}",
                    Difficulty::MIN,
                    Difficulty::MAX
                )
            }
            Self::NotANumber(_) => {
                write!(
                    f,
                    "difficulty is not a number between {} and {}",
                    Difficulty::MIN,
                    Difficulty::MAX
                )
            }
        }
    }
}

impl error::Error for InvalidDifficulty {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::OutOfRange(_) => None,
            Self::NotANumber(source) => Some(source),
        }
    }
}

/// Counts the zeros at the end of the hex text of a digest, 0 to 64.
pub fn trailing_zeros(digest: &[u8; 32]) -> u8 {
    let mut zeros = 0;
    for byte in digest.iter().rev() {
        if *byte != 0 {
            return zeros + u8::from(byte.trailing_zeros() >= 4);
        }
        zeros += 2;
    }
    zeros
}

/// Counts the zeros at the end of the hex SHA-256 of `last` followed by `proof`.
pub fn zeros(last: &[u8], proof: &[u8]) -> u8 {
    let digest = Sha256::new_with_prefix(last).chain_update(proof).finalize();
    trailing_zeros(&digest.into())
}

/// Returns `true` if `proof` solves the puzzle for the previous proof `last`, both as decimal text.
pub fn proof_is_valid(last: &[u8], proof: &[u8], difficulty: Difficulty) -> bool {
    zeros(last, proof) >= difficulty.get()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difficulty_is_1_to_64() {
        for zeros in 1..=64 {
            assert_eq!(Difficulty::new(zeros).unwrap().get(), zeros);
            assert_eq!(zeros.to_string().parse(), Difficulty::new(zeros));
        }
        assert_eq!(Difficulty::new(0), Err(InvalidDifficulty::OutOfRange(0)));
        assert_eq!(
            "65".parse::<Difficulty>(),
            Err(InvalidDifficulty::OutOfRange(65))
        );
        assert_eq!(
            "x".parse::<Difficulty>().unwrap_err().to_string(),
            "difficulty is not a number between 1 and 64"
        );
        assert_eq!(Difficulty::default().to_string(), "5");
    }

    #[test]
    fn zeros_are_counted_from_the_end_in_hex_digits() {
        let mut digest = [0xff; 32];
        assert_eq!(trailing_zeros(&digest), 0);
        digest[31] = 0xf0;
        assert_eq!(trailing_zeros(&digest), 1);
        digest[31] = 0;
        assert_eq!(trailing_zeros(&digest), 2);
        digest[30] = 0x08;
        assert_eq!(trailing_zeros(&digest), 2);
        assert_eq!(trailing_zeros(&[0; 32]), 64);
    }

    #[test]
    fn reference_proofs_are_valid_up_to_their_difficulty_only() {
        for (zeros_wanted, proof) in [(1, "1"), (2, "350"), (3, "3969"), (4, "15558")] {
            assert_eq!(zeros(b"None", proof.as_bytes()), zeros_wanted, "{proof}");
        }
        let five = Difficulty::default();
        assert!(proof_is_valid(b"None", b"1406000", five));
        assert!(!proof_is_valid(b"None", b"1406001", five));
        assert!(!proof_is_valid(b"None", b"15558", five));
    }

    #[test]
    fn the_boundary_between_the_proofs_is_not_hashed() {
        assert_eq!(zeros(b"12", b"3"), zeros(b"1", b"23"));
        assert_eq!(zeros(b"", b"None1"), zeros(b"None", b"1"));
    }
}
