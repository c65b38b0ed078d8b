//! The hash of a block.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// SHA-256 digest of a block's text ([`preimage`](super::preimage)), written as 64 lower-case hex
/// digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockHash([u8; 32]);

impl BlockHash {
    /// Creates a hash from its raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.pad(str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for BlockHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BlockHash {
    type Err = InvalidBlockHash;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut hash = [0; 32];
        // Reference miners compare hashes as text, so upper case is a different hash.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidBlockHash);
        }
        hex::decode_to_slice(text, &mut hash).map_err(|_| InvalidBlockHash)?;
        Ok(Self(hash))
    }
}

/// Error for a text that is not a block hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a block hash is 64 lower-case hex digits")]
pub struct InvalidBlockHash;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_exactly_64_lower_case_hex_digits() {
        let text = BlockHash::from_bytes([0xc0; 32]).to_string();
        assert_eq!(text.parse::<BlockHash>().unwrap().to_string(), text);
        for wrong in ["", "c0c0c0", &text.to_uppercase(), &format!("{text}0")] {
            assert_eq!(wrong.parse::<BlockHash>(), Err(InvalidBlockHash), "{wrong}");
        }
    }
}
