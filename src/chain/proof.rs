//! A proof: an integer of any size, stored as checked decimal text.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use crate::pow::NO_PROOF;

/// Maximum number of digits of a proof, which is the limit of the reference miner (Python).
pub const MAX_DIGITS: usize = 4300;

/// An integer as its decimal text: an optional `-`, then digits without leading zeros.
///
/// The puzzle and the block hash are computed over the text, so the text is stored unchanged.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Proof(Box<str>);

impl Proof {
    /// Returns the decimal text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the bytes of the decimal text.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Returns the text of a proof in the puzzle and in the block hash; [`NO_PROOF`] for the genesis
/// block.
pub fn puzzle_text(proof: Option<&Proof>) -> &[u8] {
    proof.map_or(NO_PROOF.as_bytes(), Proof::as_bytes)
}

impl From<u64> for Proof {
    fn from(value: u64) -> Self {
        Self(value.to_string().into())
    }
}

impl FromStr for Proof {
    type Err = InvalidProof;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for Proof {
    type Error = InvalidProof;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.strip_prefix('-').unwrap_or(&text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidProof::NotAnInteger);
        }
        if digits.len() > MAX_DIGITS {
            return Err(InvalidProof::TooLong {
                found: digits.len(),
            });
        }
        if digits.starts_with('0') && text != "0" {
            return Err(InvalidProof::LeadingZero);
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Error for a text that is not a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidProof {
    /// Not an optional `-` followed by digits.
    #[error("a proof is an integer in decimal digits")]
    NotAnInteger,
    /// More than [`MAX_DIGITS`] digits.
    #[error("the proof has {found} digits, more than the {MAX_DIGITS} allowed")]
    TooLong {
        /// Number of digits found.
        found: usize,
    },
    /// Leading zeros, as in `007` or `-0`.
    #[error("a proof is written without leading zeros")]
    LeadingZero,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_any_size_and_sign_are_proofs() {
        for text in [
            "0",
            "7",
            "-1",
            "18446744073709551616",
            &"9".repeat(MAX_DIGITS),
        ] {
            assert_eq!(text.parse::<Proof>().unwrap().as_str(), text);
        }
        assert_eq!(Proof::from(u64::MAX).as_str(), "18446744073709551615");
    }

    #[test]
    fn other_texts_are_rejected_with_the_reason() {
        for text in ["", "-", "+1", "1.0", "1e3", " 1", "1 ", "x", "--1", "١"] {
            assert_eq!(
                text.parse::<Proof>(),
                Err(InvalidProof::NotAnInteger),
                "{text:?}"
            );
        }
        for text in ["00", "007", "-0", "-01"] {
            assert_eq!(
                text.parse::<Proof>(),
                Err(InvalidProof::LeadingZero),
                "{text:?}"
            );
        }
        let found = MAX_DIGITS + 1;
        assert_eq!(
            "1".repeat(found).parse::<Proof>(),
            Err(InvalidProof::TooLong { found })
        );
    }
}
