//! The text of a block that is hashed.
//!
//! The text is a wire format of the reference miner: eleven lines with spaces, tabs and the terminal
//! codes for bold, as it prints a block. Values are written unescaped, so a message with line
//! breaks is hashed with them.

use std::io::Write;

use sha2::{Digest, Sha256};

use super::block::{Block, Link};
use super::hash::BlockHash;
use super::proof::puzzle_text;

const RULE: [u8; 80] = [b'='; 80];
const LINE: [u8; 66] = [b'_'; 66];

impl BlockHash {
    /// Hashes a block.
    pub fn of(block: &Block) -> Self {
        let mut text = Vec::with_capacity(640 + block.message.text().len());
        write_preimage(block, &mut text);
        Self::from_bytes(Sha256::digest(&text).into())
    }
}

/// Appends the text of a block that is hashed.
pub fn write_preimage(block: &Block, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n| ");
    out.extend_from_slice(&RULE);
    // Writing into a Vec cannot fail.
    let _ = write!(out, "\n| \x1b[1mindex\x1b[0m: \t {} ", block.index);
    let _ = write!(out, "\n| \x1b[1mtime\x1b[0m: \t {} ", block.timestamp);
    out.extend_from_slice(b"\n| \x1b[1mproof\x1b[0m: \t ");
    out.extend_from_slice(puzzle_text(block.proof()));
    out.extend_from_slice(b" \n| \x1b[1mprev. hash\x1b[0m: \t ");
    match &block.link {
        None => out.extend_from_slice(b"None"),
        Some(Link { previous_hash, .. }) => push_hex(previous_hash.as_bytes(), out),
    }
    out.extend_from_slice(b" \n| \t\t");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_genesis_has_the_text_and_hash_of_the_reference_miner() {
        let json = include_str!("../../tests/fixtures/genesis.json");
        let vector: serde_json::Value = serde_json::from_str(json).unwrap();
        let genesis = Block::default_genesis();
        let mut text = Vec::new();
        write_preimage(&genesis, &mut text);
        assert_eq!(hex::encode(&text), vector["preimage_hex"].as_str().unwrap());
        assert_eq!(
            BlockHash::of(&genesis).to_string(),
            vector["sha256"].as_str().unwrap()
        );
    }
}
