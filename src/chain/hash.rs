//! The hash of a block, and the documented text it is taken over.
//!
//! The text is a wire format: eleven lines with blanks, tabs and the terminal codes for bold, as
//! the original program prints a block. Values go in raw, so a message with line breaks is
//! hashed with them.

use std::fmt;
use std::io::Write;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::block::{Block, Link};

/// A SHA-256 digest of a block's text, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockHash([u8; 32]);

impl BlockHash {
    /// Hashes a block.
    pub fn of(block: &Block) -> Self {
        let mut text = Vec::with_capacity(640 + block.message.text().len());
        write_preimage(block, &mut text);
        Self(Sha256::digest(&text).into())
    }

    /// The hash with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw digest.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

const RULE: [u8; 80] = [b'='; 80];
const LINE: [u8; 66] = [b'_'; 66];

/// Appends the text of a block that is hashed.
pub fn write_preimage(block: &Block, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n| ");
    out.extend_from_slice(&RULE);
    // Writing into a Vec cannot fail.
    let _ = write!(out, "\n| \x1b[1mindex\x1b[0m: \t {} ", block.index);
    let _ = write!(out, "\n| \x1b[1mtime\x1b[0m: \t {} ", block.timestamp);
    out.extend_from_slice(b"\n| \x1b[1mproof\x1b[0m: \t ");
    match &block.link {
        None => out.extend_from_slice(b"None \n| \x1b[1mprev. hash\x1b[0m: \t None "),
        Some(Link {
            previous_hash,
            proof,
        }) => {
            out.extend_from_slice(proof.as_bytes());
            out.extend_from_slice(b" \n| \x1b[1mprev. hash\x1b[0m: \t ");
            push_hex(previous_hash.as_bytes(), out);
            out.push(b' ');
        }
    }
    out.extend_from_slice(b"\n| \t\t");
    out.extend_from_slice(&LINE);
    out.extend_from_slice(b"\n| \x1b[1mdata\x1b[0m:\t\t| id: \t");
    push_hex(block.message.id().as_bytes(), out);
    out.extend_from_slice(b"\n| \t\t| message: ");
    out.extend_from_slice(block.message.text().as_bytes());
    out.extend_from_slice(b"\n| \t\t");
    // The second line is one character shorter; that is part of the format.
    out.extend_from_slice(&LINE[1..]);
    out.extend_from_slice(b"\n| ");
    out.extend_from_slice(&RULE);
    out.push(b'\n');
}

fn push_hex(bytes: &[u8], out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
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
        // Case matters: the chain compares hashes as text.
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(InvalidBlockHash);
        }
        hex::decode_to_slice(text, &mut hash).map_err(|_| InvalidBlockHash)?;
        Ok(Self(hash))
    }
}

/// A text that is no block hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a block hash is 64 lower-case hex digits")]
pub struct InvalidBlockHash;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_genesis_has_the_documented_text_and_hash() {
        let json = include_str!("../../tests/fixtures/genesis.json");
        let vector: serde_json::Value = serde_json::from_str(json).unwrap();
        let genesis = Block::documented_genesis();
        let mut text = Vec::new();
        write_preimage(&genesis, &mut text);
        assert_eq!(hex::encode(&text), vector["preimage_hex"].as_str().unwrap());
        assert_eq!(
            BlockHash::of(&genesis).to_string(),
            vector["sha256"].as_str().unwrap()
        );
    }

    #[test]
    fn a_hash_is_exactly_64_lower_case_hex_digits() {
        let text = BlockHash::of(&Block::documented_genesis()).to_string();
        assert_eq!(text.parse::<BlockHash>().unwrap().to_string(), text);
        for wrong in ["", "c0f0de", &text.to_uppercase(), &format!("{text}0")] {
            assert_eq!(wrong.parse::<BlockHash>(), Err(InvalidBlockHash), "{wrong}");
        }
    }
}
