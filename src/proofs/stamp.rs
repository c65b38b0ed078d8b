//! Stamps: one message for any number of files, and a small file beside each that proves it.
//!
//! The message of a stamp names the number of files and the root of an RFC 6962 tree whose leaves
//! are the SHA-256 of each file, after a random salt unless anyone who has the file is meant to find
//! it. The stamp of one file contains its salt, its path in that tree and the receipt of the message.
//! Neither names nor contents of the files leave the machine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::canonical::{self, Hex, parse_hex};
use super::receipt::RawReceipt;
use super::{NotProven, Receipt, tree};
use crate::chain::history::{NodeHash, leaf_hash, parent_hash};
use crate::chain::{Block, MessageId};

/// Format of a stamp file.
pub const FORMAT: &str = "blockchain/stamp/1";

/// Start of the message of every stamp.
const MESSAGE: &str = "blockchain-stamp/1 sha256 ";

/// Maximum number of files in one stamp.
pub const MAX_FILES: u64 = 1 << 20;

/// Maximum number of hashes in a path: the levels of a tree over [`MAX_FILES`] leaves.
const MAX_PATH: usize = 20;

/// Length of a salt in bytes.
pub const SALT_BYTES: usize = 16;

/// The content of a stamp's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StampMessage {
    /// Number of files that were stamped together.
    pub files: u64,
    /// Root of the tree over them.
    pub root: NodeHash,
}

impl fmt::Display for StampMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MESSAGE}{} {}", self.files, hex::encode(self.root))
    }
}

/// Error for a message that is not a stamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the message is not a stamp")]
pub struct NotAStamp;

impl FromStr for StampMessage {
    type Err = NotAStamp;

    /// Parses exactly the form in which stamps are written.
    fn from_str(text: &str) -> Result<Self, NotAStamp> {
        let rest = text.strip_prefix(MESSAGE).ok_or(NotAStamp)?;
        let (files, root) = rest.split_once(' ').ok_or(NotAStamp)?;
        let message = Self {
            files: files.parse().map_err(|_| NotAStamp)?,
            root: parse_hex(root).ok_or(NotAStamp)?,
        };
        let is_exact = (1..=MAX_FILES).contains(&message.files) && message.to_string() == text;
        is_exact.then_some(message).ok_or(NotAStamp)
    }
}

/// A random salt, which hides the digest of a file, or none.
pub type Salt = Option<[u8; SALT_BYTES]>;

/// The stamp of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Salt of the file.
    pub salt: Salt,
    /// Position of the file among those that were stamped together.
    pub leaf: u64,
    /// Siblings from the leaf of the file to the root.
    pub path: Vec<NodeHash>,
    /// The message with that root.
    pub carrier: Carrier,
}

/// The message of a stamp.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// It was pending when the stamp was written.
    Pending {
        /// Id of the message.
        id: MessageId,
        /// Text of the message.
        message: String,
    },
    /// It was mined: a receipt for its block, which has at most one entry.
    Mined(Box<Receipt>),
}

impl Carrier {
    /// Returns the block with the message, if it was mined.
    pub fn block(&self) -> Option<&Block> {
        match self {
            Self::Pending { .. } => None,
            Self::Mined(receipt) => Some(match receipt.entries.first() {
                Some(entry) => &entry.block,
                None => &receipt.under,
            }),
        }
    }

    fn text(&self) -> &str {
        match (self, self.block()) {
            (_, Some(block)) => block.message.text(),
            (Self::Pending { message, .. }, _) => message,
            (Self::Mined(_), None) => "",
        }
    }
}

/// The tree over the files that are stamped together.
#[derive(Debug)]
pub struct StampTree {
    /// The nodes of each level, from the leaves up. A node without a sibling moves up unchanged.
    levels: Vec<Vec<NodeHash>>,
}

impl StampTree {
    /// Builds the tree over the SHA-256 of files, each with its salt. There must be at least one.
    pub fn new(files: &[(Salt, [u8; 32])]) -> Self {
        let leaves: Vec<_> = files
            .iter()
            .map(|(salt, digest)| leaf_hash(&entry(salt, digest)))
            .collect();
        let mut levels = vec![leaves];
        while let Some(below) = levels.last().filter(|below| below.len() > 1) {
            let join = |pair: &[NodeHash]| match pair {
                [left, right] => parent_hash(left, right),
                [single, ..] => *single,
                [] => tree::empty_root(),
            };
            let level = below.chunks(2).map(join).collect();
            levels.push(level);
        }
        Self { levels }
    }

    /// Returns the message of the stamp.
    pub fn message(&self) -> StampMessage {
        let root = self.levels.last().and_then(|top| top.first());
        StampMessage {
            files: self.levels[0].len() as u64,
            root: root.copied().unwrap_or_else(tree::empty_root),
        }
    }

    /// Returns the path of the file at a position.
    pub fn path(&self, leaf: usize) -> Vec<NodeHash> {
        let levels = self.levels.iter().enumerate();
        let sibling =
            |(level, nodes): (usize, &Vec<NodeHash>)| nodes.get((leaf >> level) ^ 1).copied();
        levels.filter_map(sibling).collect()
    }
}

/// Returns the content of the leaf of a file.
fn entry(salt: &Salt, digest: &[u8; 32]) -> Vec<u8> {
    let mut entry = Vec::with_capacity(SALT_BYTES + digest.len());
    entry.extend(salt.iter().flatten());
    entry.extend_from_slice(digest);
    entry
}

impl Stamp {
    /// Reads the bytes of a stamp file.
    ///
    /// # Errors
    /// [`NotProven::NotReadable`], [`NotProven::NotWellFormed`] or [`NotProven::NotCanonical`].
    pub fn read(bytes: &[u8]) -> Result<Self, NotProven> {
        canonical::read(bytes, RawStamp::build, Self::to_json)
    }

    /// Returns the bytes of the stamp file, or `None` if it would be larger than any reader accepts.
    pub fn to_json(&self) -> Option<String> {
        canonical::write(&RawStamp::of(self))
    }

    /// Checks that the message stands for the file with this SHA-256, and returns the message. The
    /// receipt of the message is not checked.
    ///
    /// # Errors
    /// [`NotProven::NotAStamp`] or [`NotProven::OtherFile`].
    pub fn check(&self, digest: &[u8; 32]) -> Result<StampMessage, NotProven> {
        let message: StampMessage = self
            .carrier
            .text()
            .parse()
            .map_err(|_| NotProven::NotAStamp)?;
        let entry = entry(&self.salt, digest);
        tree::check_inclusion(&entry, self.leaf, message.files, &self.path, &message.root)
            .map_err(NotProven::OtherFile)?;
        Ok(message)
    }
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawStamp {
    format: String,
    salt: String,
    leaf: u64,
    path: Vec<Hex>,
    receipt: Option<RawReceipt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<RawPending>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct RawPending {
    id: String,
    message: String,
}

impl RawStamp {
    fn of(stamp: &Stamp) -> Self {
        let (receipt, pending) = match &stamp.carrier {
            Carrier::Mined(receipt) => (Some(RawReceipt::of(receipt)), None),
            Carrier::Pending { id, message } => {
                let (id, message) = (id.to_string(), message.clone());
                (None, Some(RawPending { id, message }))
            }
        };
        Self {
            format: FORMAT.to_owned(),
            salt: stamp.salt.map(hex::encode).unwrap_or_default(),
            leaf: stamp.leaf,
            path: stamp.path.iter().copied().map(Hex).collect(),
            receipt,
            pending,
        }
    }

    fn build(self) -> Result<Stamp, String> {
        if self.format != FORMAT {
            return Err(format!("its format is not {FORMAT:?}"));
        }
        if self.path.len() > MAX_PATH {
            return Err(format!("the path has more than {MAX_PATH} hashes"));
        }
        let mut salt = [0; SALT_BYTES];
        let salt = match &*self.salt {
            "" => None,
            text => {
                hex::decode_to_slice(text, &mut salt)
                    .map_err(|_| "the salt is not 32 lower-case hex digits".to_owned())?;
                Some(salt)
            }
        };
        let carrier = match (self.receipt, self.pending) {
            (Some(receipt), None) => Carrier::Mined(Box::new(receipt.build()?)),
            (None, Some(RawPending { id, message })) => Carrier::Pending {
                id: id.parse().map_err(|error| format!("{error}"))?,
                message,
            },
            _ => return Err("it has both a receipt and a pending message, or neither".to_owned()),
        };
        if let Carrier::Mined(receipt) = &carrier
            && receipt.entries.len() > 1
        {
            return Err("the receipt of a stamp has more than one entry".to_owned());
        }
        Ok(Stamp {
            salt,
            leaf: self.leaf,
            path: self.path.into_iter().map(|hash| hash.0).collect(),
            carrier,
        })
    }
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::proofs::Trusted;

    const STAMP: &[u8] = include_bytes!("../../tests/fixtures/receipts/stamp_file2_of_5.json");
    const FILE: &[u8] = include_bytes!("../../tests/fixtures/receipts/file2");

    fn files(count: usize) -> Vec<(Salt, [u8; 32])> {
        let file = |nth: usize| {
            let digest: [u8; 32] = Sha256::digest(nth.to_le_bytes()).into();
            let salt = [u8::try_from(nth % 251).unwrap(); SALT_BYTES];
            ((!nth.is_multiple_of(3)).then_some(salt), digest)
        };
        (0..count).map(file).collect()
    }

    fn pending(tree: &StampTree, leaf: usize, salt: Salt) -> Stamp {
        Stamp {
            salt,
            leaf: leaf as u64,
            path: tree.path(leaf),
            carrier: Carrier::Pending {
                id: MessageId::from_bytes([7; 16]),
                message: tree.message().to_string(),
            },
        }
    }

    #[test]
    fn the_vector_is_read_and_checked() {
        let stamp = Stamp::read(STAMP).unwrap();
        assert_eq!(stamp.to_json().unwrap().as_bytes(), STAMP);
        let message = stamp.check(&Sha256::digest(FILE).into()).unwrap();
        assert_eq!(message.files, 5);
        let Carrier::Mined(receipt) = &stamp.carrier else {
            panic!("it is mined");
        };
        let (under, _) = receipt.check().unwrap();
        receipt
            .verify_against(&under, &[Trusted::Hash(under.hash)])
            .unwrap();
        let other = stamp.check(&Sha256::digest(b"file 3\n").into());
        assert!(matches!(other, Err(NotProven::OtherFile(_))), "{other:?}");
    }

    #[test]
    fn every_file_of_a_stamp_is_proven_and_no_other() {
        for count in [1, 2, 3, 5, 8, 1000] {
            let files = files(count);
            let tree = StampTree::new(&files);
            for (leaf, (salt, digest)) in files.iter().enumerate() {
                let stamp = pending(&tree, leaf, *salt);
                assert_eq!(stamp.check(digest).unwrap().files, count as u64);
                let json = stamp.to_json().unwrap();
                assert_eq!(Stamp::read(json.as_bytes()).unwrap(), stamp);
                for changed in [
                    Stamp {
                        salt: Some([1; 16]),
                        ..stamp.clone()
                    },
                    Stamp {
                        leaf: stamp.leaf + 1,
                        ..stamp.clone()
                    },
                    Stamp {
                        path: [&stamp.path[..], &[[0; 32]]].concat(),
                        ..stamp.clone()
                    },
                ] {
                    assert!(changed == stamp || changed.check(digest).is_err());
                }
            }
        }
    }

    #[test]
    fn the_message_of_a_stamp_has_one_form() {
        let message = StampTree::new(&files(3)).message();
        let text = message.to_string();
        assert_eq!(text.parse(), Ok(message));
        for wrong in [
            "",
            "blockchain-stamp/1 sha256 3",
            &text.replace(" 3 ", " 03 "),
            &text.replace(" 3 ", " 0 "),
            &text.replace(" 3 ", " 1048577 "),
            &text.replace(" 3 ", "  3 "),
            &format!("{text} "),
            &text.to_uppercase(),
        ] {
            assert_eq!(wrong.parse::<StampMessage>(), Err(NotAStamp), "{wrong}");
        }
    }

    #[test]
    fn a_stamp_with_a_changed_field_is_rejected() {
        let text = str::from_utf8(STAMP).unwrap();
        for (from, to) in [
            ("stamp/1", "stamp/2"),
            ("\"leaf\": 2", "\"leaf\": -2"),
            ("\"leaf\": 2", "\"leaf\": 02"),
            ("c3a6a853", "C3a6a853"),
            ("c3a6a853", "c3a6a8"),
            ("\"entries\": []", "\"entries\": [],\n  \"more\": 1"),
            (" \"leaf\"", "\"leaf\""),
        ] {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from}");
            assert!(Stamp::read(changed.as_bytes()).is_err(), "{from}");
        }
        for end in 0..STAMP.len() {
            assert!(Stamp::read(&STAMP[..end]).is_err(), "cut at {end}");
        }
    }
}
