//! Stored values: [`crate::codec`] bytes after a checksum.
//!
//! The engine verifies its own checksums only when the whole file is checked. This one is verified
//! at every read, so a block or message that the disk has changed is never served. Keys and tables
//! with values of fixed width (indexes, history) have no checksum.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | layout: 2, or 4 for a sealed block |
//! | 4 | CRC-32 (ISO-HDLC) of the rest, little endian |
//! | 32 | layout 4: root over all blocks before this one |
//! | 1 | layout 4: trailing zeros of the digest of the previous proof and its own |
//! | rest | [`crate::codec`] bytes |
//!
//! Layout 4 spares a read of many other rows. Older databases have sealed blocks in layout 2, and
//! those of schema 2 have values that are [`crate::codec`] bytes alone, which begin with a 1. Both
//! are still read, and are replaced when they are written again.

use std::fmt::Display;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::StoreError;
use crate::chain::{Block, SealDetails};
use crate::codec;

/// First byte of a value with a checksum.
const VERSION: u8 = 2;

/// First byte of a sealed block with the details of its seal. The byte has no checksum, so any two
/// layouts differ in two bits of it.
const VERSION_SEALED: u8 = 4;

/// Length of the details of a seal in bytes.
const DETAILS_BYTES: usize = 33;

/// Length of version and checksum in bytes.
const HEADER_BYTES: usize = 5;

/// Encodes a record.
pub(crate) fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    with_checksum(VERSION, |bytes| codec::write(record, bytes))
}

/// Encodes a block that is not connected.
pub(crate) fn encode_block(block: &Block) -> Vec<u8> {
    with_checksum(VERSION, |bytes| codec::write_block(block, bytes))
}

/// Encodes a connected block, with the details of its seal if it is sealed.
pub(crate) fn encode_connected(block: &Block, details: Option<&SealDetails>) -> Vec<u8> {
    let Some(details) = details else {
        return encode_block(block);
    };
    with_checksum(VERSION_SEALED, |bytes| {
        bytes.extend(details.history_root);
        bytes.push(details.zeros);
        codec::write_block(block, bytes);
    })
}

/// Decodes a record; an error names table and key.
pub(crate) fn decode<T: DeserializeOwned>(
    table: &str,
    key: impl Display,
    stored: &[u8],
) -> Result<T, StoreError> {
    let bytes = checked(table, &key, stored)?;
    codec::decode(bytes).map_err(|error| StoreError::undecodable(table, key, &error))
}

/// Decodes the block at an index of the chain.
pub(crate) fn decode_block(index: u64, stored: &[u8]) -> Result<Block, StoreError> {
    decode_block_of("blocks", index, stored)
}

/// Decodes the block at an index in a table.
pub(crate) fn decode_block_of(table: &str, index: u64, stored: &[u8]) -> Result<Block, StoreError> {
    let (_, bytes) = split_details(stored, checked(table, &index, stored)?);
    let block = codec::decode_block(bytes)
        .map_err(|error| StoreError::undecodable(table, index, &error))?;
    if block.index != index {
        return Err(StoreError::corrupt(format!(
            "table {table}, key {index}: the block has index {}",
            block.index
        )));
    }
    Ok(block)
}

/// Decodes the details of the seal of the block at an index of the chain; `None` if they are not
/// stored.
pub(crate) fn details(index: u64, stored: &[u8]) -> Result<Option<SealDetails>, StoreError> {
    let bytes = checked("blocks", &index, stored)?;
    Ok(split_details(stored, bytes).0)
}

/// Splits the bytes after the checksum of a stored block into the details of its seal and the block.
fn split_details<'a>(stored: &[u8], bytes: &'a [u8]) -> (Option<SealDetails>, &'a [u8]) {
    match (stored.first(), bytes.split_first_chunk::<DETAILS_BYTES>()) {
        (Some(&VERSION_SEALED), Some((&[ref history_root @ .., zeros], block))) => {
            let history_root = *history_root;
            let details = SealDetails {
                history_root,
                zeros,
            };
            (Some(details), block)
        }
        _ => (None, bytes),
    }
}

fn with_checksum(version: u8, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut stored = Vec::with_capacity(512);
    stored.extend([version; HEADER_BYTES]);
    write(&mut stored);
    let checksum = crc32fast::hash(&stored[HEADER_BYTES..]);
    stored[1..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    stored
}

/// Returns the bytes after the checksum, if they match it.
fn checked<'a>(table: &str, key: &dyn Display, stored: &'a [u8]) -> Result<&'a [u8], StoreError> {
    let Some((&(VERSION | VERSION_SEALED), rest)) = stored.split_first() else {
        return Ok(stored);
    };
    match rest.split_first_chunk() {
        Some((checksum, bytes)) if crc32fast::hash(bytes).to_le_bytes() == *checksum => Ok(bytes),
        _ => Err(StoreError::corrupt(format!(
            "table {table}, key {key}: the value does not match its checksum"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_of_a_value_is_stable() {
        // The published check value of CRC-32 (ISO-HDLC).
        assert_eq!(crc32fast::hash(b"123456789"), 0xcbf4_3926);
        let stored = encode(&7_u8);
        let checksum = crc32fast::hash(&[1, 7]).to_le_bytes();
        assert_eq!(stored, [&[2][..], &checksum, &[1, 7]].concat());
        assert_eq!(decode::<u8>("t", "k", &stored).unwrap(), 7);
    }

    #[test]
    fn a_value_of_schema_2_is_read() {
        assert_eq!(decode::<u8>("t", "k", &[1, 7]).unwrap(), 7);
        let block = Block::default_genesis();
        let earlier = codec::encode_block(&block);
        assert_eq!(decode_block(0, &earlier).unwrap(), block);
    }

    #[test]
    fn a_sealed_block_is_stored_with_the_details_of_its_seal() {
        let block = Block::default_genesis();
        let expected = SealDetails {
            history_root: [7; 32],
            zeros: 9,
        };
        let stored = encode_connected(&block, Some(&expected));
        assert_eq!(stored[0], 4);
        assert_eq!(stored[5..38], [&[7; 32][..], &[9]].concat());
        assert_eq!(stored[38..], codec::encode_block(&block));
        assert_eq!(decode_block(0, &stored).unwrap(), block);
        assert_eq!(details(0, &stored).unwrap(), Some(expected));

        let open = encode_connected(&block, None);
        assert_eq!(open, encode_block(&block));
        assert_eq!(details(0, &open).unwrap(), None);
    }

    #[test]
    fn every_changed_bit_is_detected() {
        let seal = SealDetails {
            history_root: [7; 32],
            zeros: 9,
        };
        for seal in [None, Some(&seal)] {
            let stored = encode_connected(&Block::default_genesis(), seal);
            for bit in 0..8 * stored.len() {
                let mut damaged = stored.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let error = decode_block(0, &damaged).unwrap_err().to_string();
                assert!(error.contains("table blocks, key 0: "), "{error}");
            }
            for end in 0..stored.len() {
                assert!(decode_block(0, &stored[..end]).is_err(), "cut to {end}");
            }
        }
    }
}
