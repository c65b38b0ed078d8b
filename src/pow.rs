//! The proof-of-work puzzle: what a proof is and whether one fits.
//!
//! Write the previous block's proof and the new proof as decimal text one after the other, with
//! nothing between (the genesis has the text `None` in place of a proof). The SHA-256 of these
//! bytes, in hex, must *end* with as many zeros as the difficulty says.
//!
//! What the puzzle does not bind:
//!
//! * **The block.** Neither message nor time nor previous hash is hashed, so a proof alone says
//!   nothing about the content it stands beside. A sealed proof repairs that: it starts with a
//!   commitment to the block, and the search only chooses the digits after it.
//! * **The joint.** `12` then `3` is hashed as `1` then `23`; both are one and the same puzzle.
//! * **The smallest proof.** Any text that fits is a proof; [`search`] finds the smallest so that
//!   its answer does not depend on the number of threads or the machine.
//!
//! This module knows texts as bytes. What makes a text a proof is decided by its caller.

mod candidate;
pub mod digests;
pub mod kernel;
mod lanes;
pub mod search;

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
    /// The lowest difficulty: one zero, about 16 tries.
    pub const MIN: Self = Self(1);
    /// The highest difficulty: the whole digest is zero. Nobody will see such a proof.
    pub const MAX: Self = Self(64);

    /// Makes a difficulty of `zeros` hex digits.
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

    /// The number of zeros.
    pub const fn get(self) -> u8 {
        self.0
    }

    /// How many tries a proof takes on average: 16 to the power of the difficulty.
    pub fn expected_tries(self) -> f64 {
        16_f64.powi(i32::from(self.0))
    }
}

impl Default for Difficulty {
    /// The documented default, 5.
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

/// A number or text that is no [`Difficulty`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvalidDifficulty {
    /// A number that is not 1 to 64.
    OutOfRange(u8),
    /// A text that is no number from 0 to 255.
    NotANumber(num::ParseIntError),
}

impl fmt::Display for InvalidDifficulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange(zeros) => {
                write!(
                    f,
                    "difficulty {zeros} is not {} to {}",
                    Difficulty::MIN,
                    Difficulty::MAX
                )
            }
            Self::NotANumber(_) => {
                write!(
                    f,
                    "difficulty is not a number {} to {}",
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

/// Counts the zeros at the end of a digest's hex text: 0 to 64.
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

/// Whether `proof` fits after the proof `last`, both as decimal text (`None` for the genesis).
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
            "difficulty is not a number 1 to 64"
        );
        assert_eq!(Difficulty::default().to_string(), "5");
        assert!((Difficulty::default().expected_tries() - 1_048_576.0).abs() < f64::EPSILON);
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
    fn documented_proofs_fit_at_their_difficulty_only() {
        for (zeros_wanted, proof) in [(1, "1"), (2, "350"), (3, "3969"), (4, "15558")] {
            assert_eq!(zeros(b"None", proof.as_bytes()), zeros_wanted, "{proof}");
        }
        let five = Difficulty::default();
        assert!(proof_is_valid(b"None", b"1406000", five));
        assert!(!proof_is_valid(b"None", b"1406001", five));
        assert!(!proof_is_valid(b"None", b"15558", five));
    }

    #[test]
    fn the_joint_is_not_bound() {
        assert_eq!(zeros(b"12", b"3"), zeros(b"1", b"23"));
        assert_eq!(zeros(b"", b"None1"), zeros(b"None", b"1"));
    }
}
