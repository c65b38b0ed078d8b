//! Sealed proofs: proofs of work that commit to the content of their block.
//!
//! The puzzle of the reference miner hashes the previous proof and the new proof, and nothing else
//! ([`crate::pow`]). Such a proof is *open*: anyone can copy it onto a forged block for free. But a
//! proof may be an integer of any size, so a miner can choose what it starts with. A *sealed* proof
//! starts with a commitment to its block and to the whole history before it, followed by the digits
//! of the search. It solves the same puzzle, so reference miners accept it, and it is valid
//! for no other content. A proof that is too long to be open and does not match its block is a
//! *broken* seal, which is always rejected.
//!
//! # Commitment
//!
//! The commitment is the SHA-256 digest of the concatenation of:
//!
//! | field | encoding |
//! |---|---|
//! | domain | `blockchain/sealed/1` and LF |
//! | index | u64, big-endian |
//! | previous hash | 32 bytes |
//! | history root over all blocks before ([`super::history`]) | 32 bytes |
//! | message id | 16 bytes |
//! | time, which must be a float | bits of the f64, big-endian |
//! | length of the message in bytes | u64, big-endian |
//! | message | UTF-8 |
//!
//! The digest is read as one big-endian integer. A sealed proof is this integer in decimal without
//! leading zeros, then 1 to 96 digits of the nonce.
//!
//! # What it protects
//!
//! Cost of changing a message and making everything after it valid again, where *k* blocks follow
//! the changed one, at 74 million hashes per second (one core of a current server):
//!
//! | chain | hashes for *k* blocks | k = 100, difficulty 5 | k = 10,000, difficulty 5 | k = 10,000, difficulty 7 |
//! |---|---|---|---|---|
//! | sealed | (k + 1) · 16^difficulty | 1.4 s | 2.4 minutes | 10.1 hours |
//! | open, longer than before | about 16^difficulty at most | 0.01 s | 0.01 s | 3.6 s |
//! | open, same length | none | 0 s | 0 s | 0 s |
//!
//! * **An open chain protects nothing.** If open proofs are accepted, anyone who reaches the node
//!   can offer a rewritten history, at the same cost for any length. Reference miners follow any
//!   longer chain and do not notice.
//! * **A sealed chain is as safe as the work in it.** Blocks are mined only for messages, so an
//!   attacker has to repeat that work once; no majority of the current hash rate is needed. A higher
//!   difficulty raises the cost. The hash of a tip kept elsewhere detects any change of the history
//!   before it.
//! * **The newest blocks can still change.** A mined message is not final while nodes disagree: its
//!   block can be disconnected in a reorg. Confirmations tell how likely that is.

use std::fmt;

use sha2::{Digest, Sha256};

use super::block::{Block, Link};
use super::hash::BlockHash;
use super::history::NodeHash;
use super::message::Message;

/// Maximum number of digits after the commitment in a sealed proof.
pub const MAX_NONCE_DIGITS: usize = 96;

/// Maximum number of digits of an open proof. No search that counts up from 0 finds a longer one, so a
/// longer proof is either sealed or a broken seal.
pub const MAX_OPEN_DIGITS: usize = 40;

/// Class of a proof by what it commits to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seal {
    /// Starts with the commitment to its block, followed by 1 to 96 digits.
    Sealed,
    /// Has at most 40 digits: commits to the previous proof only.
    Open,
    /// Has more than 40 digits but is not sealed: the block is not the one that was sealed.
    Broken,
}

impl Seal {
    /// Classifies the proof of a block; `None` for a genesis block. `history_root` returns the root
    /// over all blocks before it and is called only if the proof is too long to be open.
    pub fn of(block: &Block, history_root: impl FnOnce() -> NodeHash) -> Option<Self> {
        let claim = match Claim::of(block)? {
            Ok(claim) => claim,
            Err(seal) => return Some(seal),
        };
        let mut text = Vec::with_capacity(128 + block.message.text().len());
        claim.write(&history_root(), &mut text);
        Some(claim.classify(Sha256::digest(text).into()))
    }
}

/// A block whose proof is too long to be open, so it claims to be sealed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    block: &'a Block,
    link: &'a Link,
    time: f64,
}

impl<'a> Claim<'a> {
    /// Returns the claim of a block, or its class if no commitment has to be computed; `None` for a
    /// genesis block.
    pub(super) fn of(block: &'a Block) -> Option<Result<Self, Seal>> {
        let link = block.link.as_ref()?;
        let digits = link.proof.as_str().trim_start_matches('-').len();
        if digits <= MAX_OPEN_DIGITS {
            // A commitment has about 77 digits. One with fewer than 40 has a probability of 2^-123.
            return Some(Err(Seal::Open));
        }
        let time = block.timestamp.as_float().ok_or(Seal::Broken);
        Some(time.map(|time| Self { block, link, time }))
    }

    /// Appends the text whose digest is the commitment to the block.
    pub(super) fn write(&self, history_root: &NodeHash, text: &mut Vec<u8>) {
        write_committed(
            self.block.index,
            &self.link.previous_hash,
            history_root,
            &self.block.message,
            self.time,
            text,
        );
    }

    /// Classifies the proof, given the commitment to its block.
    pub(super) fn classify(&self, commitment: [u8; 32]) -> Seal {
        let proof = self.link.proof.as_str();
        let nonce = proof.strip_prefix(Decimal::of(commitment).as_str());
        if nonce.is_some_and(|nonce| (1..=MAX_NONCE_DIGITS).contains(&nonce.len())) {
            Seal::Sealed
        } else {
            Seal::Broken
        }
    }
}

impl fmt::Display for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Sealed => "sealed",
            Self::Open => "open",
            Self::Broken => "broken",
        })
    }
}

/// Returns the commitment to a block in decimal, which its sealed proof starts with.
pub fn commitment(
    index: u64,
    previous_hash: &BlockHash,
    history_root: &NodeHash,
    message: &Message,
    time: f64,
) -> String {
    let mut text = Vec::with_capacity(128 + message.text().len());
    write_committed(index, previous_hash, history_root, message, time, &mut text);
    Decimal::of(Sha256::digest(text).into()).as_str().to_owned()
}

fn write_committed(
    index: u64,
    previous_hash: &BlockHash,
    history_root: &NodeHash,
    message: &Message,
    time: f64,
    text: &mut Vec<u8>,
) {
    text.extend_from_slice(b"blockchain/sealed/1\n");
    text.extend_from_slice(&index.to_be_bytes());
    text.extend_from_slice(previous_hash.as_bytes());
    text.extend_from_slice(history_root);
    text.extend_from_slice(message.id().as_bytes());
    text.extend_from_slice(&time.to_bits().to_be_bytes());
    text.extend_from_slice(&(message.text().len() as u64).to_be_bytes());
    text.extend_from_slice(message.text().as_bytes());
}

/// A big-endian integer of 32 bytes as decimal text without leading zeros.
struct Decimal {
    digits: [u8; 81],
    first: usize,
}

impl Decimal {
    fn of(bytes: [u8; 32]) -> Self {
        /// Largest power of ten that fits 32 bits, so that a remainder and a limb fit 64 bits.
        const BASE: u64 = 1_000_000_000;
        let mut limbs = [0_u64; 8];
        for (limb, bytes) in limbs.iter_mut().zip(bytes.as_chunks().0) {
            *limb = u32::from_be_bytes(*bytes).into();
        }
        // 9 groups of 9 digits hold 2^256, which has 78 digits.
        let mut groups = [0; 9];
        for group in groups.iter_mut().rev() {
            for limb in &mut limbs {
                let dividend = *group << 32 | *limb;
                *limb = dividend / BASE;
                *group = dividend % BASE;
            }
        }
        let mut digits = [0; 81];
        for (group, digits) in groups.iter_mut().zip(digits.chunks_exact_mut(9)) {
            for digit in digits.iter_mut().rev() {
                *digit = b'0' + u8::try_from(*group % 10).unwrap_or_default();
                *group /= 10;
            }
        }
        let first = digits.iter().position(|digit| *digit != b'0').unwrap_or(80);
        Self { digits, first }
    }

    fn as_str(&self) -> &str {
        str::from_utf8(&self.digits[self.first..]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{History, MessageId, Timestamp};
    use super::*;

    #[derive(serde::Deserialize)]
    struct Vectors {
        blocks: Vec<Vector>,
    }

    #[derive(serde::Deserialize)]
    struct Vector {
        index: u64,
        previous_hash: String,
        id: String,
        timestamp: String,
        message: String,
        history_root: String,
        commitment_decimal: String,
        proof: String,
        hash: String,
    }

    fn vectors() -> Vec<(Vector, Block)> {
        let json = include_str!("../../tests/fixtures/sealed/sealed.json");
        let vectors: Vectors = serde_json::from_str(json).unwrap();
        let block = |vector: Vector| {
            let id = vector.id.parse::<MessageId>().unwrap();
            let block = Block {
                index: vector.index,
                timestamp: vector.timestamp.parse::<Timestamp>().unwrap(),
                message: Message::new(id, vector.message.clone()).unwrap(),
                link: Some(Link {
                    previous_hash: vector.previous_hash.parse().unwrap(),
                    proof: vector.proof.parse().unwrap(),
                }),
            };
            (vector, block)
        };
        vectors.blocks.into_iter().map(block).collect()
    }

    #[test]
    fn vectors_have_their_history_root_commitment_and_hash() {
        let mut history = History::default();
        history.append(&BlockHash::of(&Block::default_genesis()), |_, _| {});
        for (vector, block) in vectors() {
            let root = history.root();
            assert_eq!(hex::encode(root), vector.history_root);
            let time = block.timestamp.as_float().unwrap();
            let previous_hash = vector.previous_hash.parse().unwrap();
            let start = commitment(block.index, &previous_hash, &root, &block.message, time);
            assert_eq!(start, vector.commitment_decimal);
            assert_eq!(Seal::of(&block, || root), Some(Seal::Sealed));
            let hash = BlockHash::of(&block);
            assert_eq!(hash.to_string(), vector.hash);
            history.append(&hash, |_, _| {});
        }
    }

    #[test]
    fn any_change_breaks_the_seal() {
        let (vector, block) = vectors().swap_remove(4);
        let mut root: NodeHash = [0; 32];
        hex::decode_to_slice(&vector.history_root, &mut root).unwrap();
        assert_eq!(Seal::of(&block, || root), Some(Seal::Sealed));

        let changes: [fn(&mut Block); 5] = [
            |block| block.index += 1,
            |block| block.timestamp = block.timestamp.next(0.0),
            |block| block.timestamp = Timestamp::integer(1_700_000_000).unwrap(),
            |block| block.message = Message::new(block.message.id(), "?".into()).unwrap(),
            |block| block.message = block.message.renamed(),
        ];
        for (nth, change) in changes.iter().enumerate() {
            let mut other = block.clone();
            change(&mut other);
            assert_eq!(
                Seal::of(&other, || root),
                Some(Seal::Broken),
                "change {nth}"
            );
        }
        assert_eq!(Seal::of(&block, || [0; 32]), Some(Seal::Broken));
    }

    #[test]
    fn a_nonce_has_1_to_96_digits_and_short_proofs_are_open() {
        let (vector, block) = vectors().swap_remove(0);
        let mut root: NodeHash = [0; 32];
        hex::decode_to_slice(&vector.history_root, &mut root).unwrap();
        let start = vector.commitment_decimal;
        let seal = |proof: String| {
            let mut block = block.clone();
            block.link.as_mut().unwrap().proof = proof.parse().unwrap();
            Seal::of(&block, || root)
        };
        assert_eq!(seal(start.clone()), Some(Seal::Broken));
        assert_eq!(seal(format!("{start}0")), Some(Seal::Sealed));
        assert_eq!(
            seal(format!("{start}{}", "0".repeat(96))),
            Some(Seal::Sealed)
        );
        assert_eq!(
            seal(format!("{start}{}", "0".repeat(97))),
            Some(Seal::Broken)
        );
        assert_eq!(seal(format!("-{start}0")), Some(Seal::Broken));
        assert_eq!(seal("9".repeat(40)), Some(Seal::Open));
        assert_eq!(seal(format!("-{}", "9".repeat(40))), Some(Seal::Open));
        assert_eq!(seal("9".repeat(41)), Some(Seal::Broken));
        assert_eq!(seal("0".to_owned()), Some(Seal::Open));
    }

    #[test]
    fn decimals_reach_from_zero_to_the_largest_digest() {
        let decimal = |bytes| Decimal::of(bytes).as_str().to_owned();
        assert_eq!(decimal([0; 32]), "0");
        let mut one_group = [0; 32];
        one_group[28..].copy_from_slice(&1_000_000_000_u32.to_be_bytes());
        assert_eq!(decimal(one_group), "1000000000");
        assert_eq!(
            decimal([255; 32]),
            "115792089237316195423570985008687907853269984665640564039457584007913129639935"
        );
    }
}
