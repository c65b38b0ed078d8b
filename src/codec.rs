//! The binary encoding of records and blocks, in the database, in files and between nodes.
//!
//! A value is one version byte, then its fields in bincode 2 (standard configuration: little
//! endian, variable-length integers). Decoding enforces a size limit, rejects input with bytes left
//! over, and allocates no memory on the word of a length field.

use std::borrow::Cow;

use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::chain::message::MAX_TEXT_BYTES;
use crate::chain::{Block, BlockHash, Link, Message, MessageId, Proof, Timestamp};
use crate::text::counted;

/// First byte of every value this version writes.
const VERSION: u8 = 1;

/// Maximum number of bytes allocated for a decoded value: the longest message, the longest proof and
/// the other fields.
pub const MAX_VALUE_BYTES: usize = MAX_TEXT_BYTES + 16 * 1024;

const CONFIG: Configuration<LittleEndian, Varint, Limit<MAX_VALUE_BYTES>> =
    bincode::config::standard().with_limit::<MAX_VALUE_BYTES>();

/// Error for bytes that are not a valid value.
#[derive(Debug, Error)]
pub enum DecodeError {
    /// There are no bytes.
    #[error("the value is empty")]
    Empty,
    /// The value was written by a different version of this program.
    #[error("the value has format version {found}, this program reads version {VERSION}")]
    Version {
        /// Format version of the value.
        found: u8,
    },
    /// The bytes are not the encoding of the fields.
    #[error("the value is truncated or damaged")]
    Malformed(#[source] bincode::error::DecodeError),
    /// Bytes follow the last field.
    #[error("the value has {} too many", counted(*left as u64, "byte"))]
    TooLong {
        /// Number of bytes after the last field.
        left: usize,
    },
    /// The last frame is longer than the remaining bytes.
    #[error("the last frame is truncated")]
    Truncated,
    /// A field has a value that no block can have.
    #[error("the value is not well-formed")]
    NotWellFormed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Encodes a record.
///
/// # Panics
/// Never for the records of this program, which are plain data.
pub fn encode<T: Serialize>(record: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    write(record, &mut bytes);
    bytes
}

/// Appends a record.
///
/// # Panics
/// As [`encode`].
pub fn write<T: Serialize>(record: &T, mut out: &mut Vec<u8>) {
    out.push(VERSION);
    bincode::serde::encode_into_std_write(record, &mut out, bincode::config::standard())
        .expect("plain data encodes and a Vec takes all of it");
}

/// Decodes a record.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (version, fields) = bytes.split_first().ok_or(DecodeError::Empty)?;
    if *version != VERSION {
        return Err(DecodeError::Version { found: *version });
    }
    let (record, used) =
        bincode::serde::decode_from_slice(fields, CONFIG).map_err(DecodeError::Malformed)?;
    match fields.len() - used {
        0 => Ok(record),
        left => Err(DecodeError::TooLong { left }),
    }
}

/// Encodes a block.
pub fn encode_block(block: &Block) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    write_block(block, &mut bytes);
    bytes
}

/// Appends a block.
pub fn write_block(block: &Block, out: &mut Vec<u8>) {
    let record = BlockRecord {
        index: block.index,
        time: match block.timestamp.as_integer() {
            Some(seconds) => TimeRecord::Integer(seconds),
            None => TimeRecord::Float(block.timestamp.seconds()),
        },
        id: *block.message.id().as_bytes(),
        text: block.message.text().into(),
        link: block
            .link
            .as_ref()
            .map(|link| (*link.previous_hash.as_bytes(), link.proof.as_str().into())),
    };
    write(&record, out);
}

/// Decodes a block and checks that it is well-formed.
pub fn decode_block(bytes: &[u8]) -> Result<Block, DecodeError> {
    let record: BlockRecord<'_> = decode(bytes)?;
    record.try_into().map_err(DecodeError::NotWellFormed)
}

/// Media type of frames.
pub const FRAMES: &str = "application/octet-stream";

/// Appends a block as a frame: its length (u32, big-endian), then its bytes.
///
/// # Panics
/// Never, because no block is as long as 4 GiB.
pub fn write_frame(block: &Block, out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write_block(block, out);
    let length = u32::try_from(out.len() - start - 4).expect("a block is far shorter than 4 GiB");
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// Decodes a sequence of frames.
pub fn read_frames(mut bytes: &[u8]) -> Result<Vec<Block>, DecodeError> {
    let mut blocks = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk() {
        let length = u32::from_be_bytes(*length) as usize;
        let (frame, rest) = rest
            .split_at_checked(length)
            .ok_or(DecodeError::Truncated)?;
        blocks.push(decode_block(frame)?);
        bytes = rest;
    }
    if bytes.is_empty() {
        Ok(blocks)
    } else {
        Err(DecodeError::Truncated)
    }
}

/// The encoding of a block. The order of the fields is part of the format.
#[derive(Serialize, Deserialize)]
struct BlockRecord<'a> {
    index: u64,
    time: TimeRecord,
    id: [u8; 16],
    text: Cow<'a, str>,
    link: Option<([u8; 32], Cow<'a, str>)>,
}

#[derive(Serialize, Deserialize)]
enum TimeRecord {
    Float(f64),
    Integer(i64),
}

impl TryFrom<BlockRecord<'_>> for Block {
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn try_from(record: BlockRecord<'_>) -> Result<Self, Self::Error> {
        let link = |(hash, proof): ([u8; 32], Cow<'_, str>)| -> Result<Link, Self::Error> {
            let proof = Proof::try_from(proof.into_owned())?;
            Ok(Link {
                previous_hash: BlockHash::from_bytes(hash),
                proof,
            })
        };
        Ok(Self {
            index: record.index,
            timestamp: match record.time {
                TimeRecord::Float(seconds) => Timestamp::float(seconds)?,
                TimeRecord::Integer(seconds) => Timestamp::integer(seconds)?,
            },
            message: Message::new(MessageId::from_bytes(record.id), record.text.into_owned())?,
            link: record.link.map(link).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn block(text: &str, time: Timestamp, link: Option<Link>) -> Block {
        let id = MessageId::from_bytes([0xab; 16]);
        let message = Message::new(id, text.to_owned()).unwrap();
        Block {
            index: 300,
            timestamp: time,
            message,
            link,
        }
    }

    #[test]
    fn the_encoding_of_a_block_is_stable() {
        let link = Link {
            previous_hash: BlockHash::from_bytes([0xcd; 32]),
            proof: 350.into(),
        };
        let float = block("é", Timestamp::float(1.5).unwrap(), Some(link));
        let golden = [
            "01",                                                                 // version
            "fb2c01",                                                             // index 300
            "00000000000000f83f",                                                 // float 1.5
            "abababababababababababababababab",                                   // id
            "02c3a9",                                                             // text
            "01cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd", // link: hash
            "03333530",                                                           // proof "350"
        ];
        assert_eq!(hex::encode(encode_block(&float)), golden.concat());
        assert_eq!(
            decode_block(&hex::decode(golden.concat()).unwrap()).unwrap(),
            float
        );

        let integer = block("", Timestamp::integer(-3).unwrap(), None);
        let golden = [
            "01",
            "fb2c01",
            "0105",
            "abababababababababababababababab",
            "00",
            "00",
        ];
        assert_eq!(hex::encode(encode_block(&integer)), golden.concat());
        assert_eq!(
            decode_block(&hex::decode(golden.concat()).unwrap()).unwrap(),
            integer
        );
    }

    #[test]
    fn a_false_length_allocates_no_memory() {
        // An index, a float and an id, then a text that claims 2^62 bytes.
        let mut bytes = hex::decode("01000000000000000000f83f").unwrap();
        bytes.extend([0; 16]);
        bytes.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0x40]);
        assert!(matches!(
            decode_block(&bytes),
            Err(DecodeError::Malformed(_))
        ));
    }

    #[test]
    fn values_that_no_block_can_have_are_rejected() {
        let record = |time, text: String, proof: &str| {
            let link = Some(([0; 32], proof.to_owned().into()));
            encode(&BlockRecord {
                index: 1,
                time,
                id: [0; 16],
                text: text.into(),
                link,
            })
        };
        let fine = record(TimeRecord::Float(1.0), "x".into(), "1");
        assert!(decode_block(&fine).is_ok());
        for wrong in [
            record(TimeRecord::Float(f64::NAN), "x".into(), "1"),
            record(TimeRecord::Integer(i64::MAX), "x".into(), "1"),
            record(TimeRecord::Float(1.0), "x".repeat(MAX_TEXT_BYTES + 1), "1"),
            record(TimeRecord::Float(1.0), "x".into(), "01"),
        ] {
            assert!(matches!(
                decode_block(&wrong),
                Err(DecodeError::NotWellFormed(_))
            ));
        }
        assert!(matches!(decode_block(&[]), Err(DecodeError::Empty)));
        assert!(matches!(
            decode_block(&[2, 0]),
            Err(DecodeError::Version { found: 2 })
        ));
        let longer = [&fine[..], &[0]].concat();
        assert!(matches!(
            decode_block(&longer),
            Err(DecodeError::TooLong { left: 1 })
        ));
        for end in 0..fine.len() {
            assert!(decode_block(&fine[..end]).is_err(), "cut to {end} bytes");
        }
    }

    #[test]
    fn truncated_frames_are_rejected() {
        let one = block("é", Timestamp::float(1.5).unwrap(), None);
        let other = block("", Timestamp::integer(-3).unwrap(), None);
        let mut frames = Vec::new();
        write_frame(&one, &mut frames);
        let first = frames.len();
        write_frame(&other, &mut frames);
        assert_eq!(read_frames(&frames).unwrap(), [one.clone(), other]);
        assert_eq!(read_frames(&frames[..first]).unwrap(), [one]);
        assert_eq!(read_frames(&[]).unwrap(), []);
        for end in (1..frames.len()).filter(|end| *end != first) {
            assert!(read_frames(&frames[..end]).is_err(), "cut to {end} bytes");
        }
        assert!(read_frames(&[0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }

    proptest! {
        #[test]
        fn blocks_survive_the_round_trip(
            index: u64, seconds: f64, id: [u8; 16], text: String,
            hash: [u8; 32], proof in "-?[1-9][0-9]{0,120}", linked: bool,
        ) {
            prop_assume!(seconds.is_finite());
            let previous_hash = BlockHash::from_bytes(hash);
            let block = Block {
                index,
                timestamp: Timestamp::float(seconds).unwrap(),
                message: Message::new(MessageId::from_bytes(id), text).unwrap(),
                link: linked.then(|| Link { previous_hash, proof: proof.parse().unwrap() }),
            };
            prop_assert_eq!(decode_block(&encode_block(&block)).unwrap(), block);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = decode_block(&bytes);
        }
    }
}
