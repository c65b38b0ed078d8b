//! Why a chain file cannot be read: where, which class of finding, what was expected and found.
//!
//! Text from the file is shown shortened and escaped, so that no message of a stranger reaches a
//! terminal raw.

use std::{fmt, io};

use thiserror::Error;

use crate::chain::Proof;

/// Why a chain file, or a part of it, cannot be taken.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes could not be fetched.
    #[error("{place}: the bytes cannot be read")]
    Io {
        /// How far reading came.
        place: Place,
        /// What the operating system says.
        source: io::Error,
    },
    /// The bytes are not the format.
    #[error("{place}: not readable: {reason}")]
    NotReadable {
        /// Where.
        place: Place,
        /// What was expected and found.
        reason: String,
    },
    /// The format is right, but a value is none that a block may hold.
    #[error("{place}: not well-formed: {reason}")]
    NotWellFormed {
        /// Where.
        place: Place,
        /// What was expected and found.
        reason: String,
    },
    /// The values break a rule of the chain in a way that no block can hold.
    #[error("{place}: {violation}")]
    Rule {
        /// Where.
        place: Place,
        /// Which rule and how.
        violation: FormatViolation,
    },
}

impl ReadError {
    pub(crate) fn not_readable(offset: u64, reason: impl Into<String>) -> Self {
        Self::NotReadable {
            place: Place::at(offset),
            reason: reason.into(),
        }
    }

    pub(crate) fn not_well_formed(offset: u64, reason: impl Into<String>) -> Self {
        Self::NotWellFormed {
            place: Place::at(offset),
            reason: reason.into(),
        }
    }

    pub(crate) fn rule(offset: u64, violation: FormatViolation) -> Self {
        Self::Rule {
            place: Place::at(offset),
            violation,
        }
    }

    pub(crate) fn io(offset: u64, source: io::Error) -> Self {
        Self::Io {
            place: Place::at(offset),
            source,
        }
    }

    /// The same finding, in this block.
    pub(crate) fn in_block(mut self, position: u64) -> Self {
        self.place_mut().block = Some(position);
        self
    }

    /// The same finding, on this line.
    pub(crate) fn on_line(mut self, line: u64) -> Self {
        self.place_mut().line = Some(line);
        self
    }

    fn place_mut(&mut self) -> &mut Place {
        let (Self::Io { place, .. }
        | Self::NotReadable { place, .. }
        | Self::NotWellFormed { place, .. }
        | Self::Rule { place, .. }) = self;
        place
    }

    /// Where reading stopped.
    pub fn place(&self) -> Place {
        let (Self::Io { place, .. }
        | Self::NotReadable { place, .. }
        | Self::NotWellFormed { place, .. }
        | Self::Rule { place, .. }) = self;
        *place
    }
}

/// A place in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The byte, counted from 0.
    pub offset: u64,
    /// Position in the chain of the block that was being read, if it was one.
    pub block: Option<u64>,
    /// The line, counted from 1, in a format of lines.
    pub line: Option<u64>,
}

impl Place {
    fn at(offset: u64) -> Self {
        Self {
            offset,
            block: None,
            line: None,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(block) = self.block {
            write!(f, "block {block}, ")?;
        }
        if let Some(line) = self.line {
            write!(f, "line {line}, ")?;
        }
        write!(f, "byte {}", self.offset)
    }
}

/// A broken rule that no [`Block`](crate::chain::Block) can show to
/// [`Checker`](crate::chain::Checker); worded like [`RuleViolation`](crate::chain::RuleViolation).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FormatViolation {
    /// Rule 1: the first block has an index that is negative or huge.
    #[error("breaks rule 1: the genesis block has index {}, expected 0", short(.found.as_str()))]
    GenesisIndex {
        /// Index found.
        found: Proof,
    },
    /// Rule 1: the first block has a proof, and no previous hash that could go with it.
    #[error("breaks rule 1: the genesis block has proof {}, expected none", short(.found.as_str()))]
    GenesisProof {
        /// Proof found.
        found: Proof,
    },
    /// Rule 1: the first block has a previous hash, and no proof that could go with it.
    #[error("breaks rule 1: the genesis block has previous hash {found}, expected none")]
    GenesisPreviousHash {
        /// What was found.
        found: String,
    },
    /// Rule 2: the index is not the position.
    #[error("breaks rule 2: the index is {}, expected {expected}", short(.found.as_str()))]
    Index {
        /// Position of the block.
        expected: u64,
        /// Index found.
        found: Proof,
    },
    /// Rule 2: an earlier block stands here again, by reference.
    #[error("breaks rule 2: an earlier block stands here once more, expected index {expected}")]
    Repeated {
        /// Position of the block.
        expected: u64,
    },
    /// Rule 3: there is a proof, but no previous hash.
    #[error("breaks rule 3: there is no previous hash")]
    NoPreviousHash,
    /// Rule 3: the previous hash is no hash of a block.
    #[error("breaks rule 3: the previous hash is {found}, expected 64 lower-case hex digits")]
    PreviousHash {
        /// What was found.
        found: String,
    },
    /// Rule 4: there is a previous hash, but no proof.
    #[error("breaks rule 4: there is no proof")]
    NoProof,
}

impl FormatViolation {
    /// The number of the broken rule.
    pub fn rule(&self) -> u8 {
        match self {
            Self::GenesisIndex { .. }
            | Self::GenesisProof { .. }
            | Self::GenesisPreviousHash { .. } => 1,
            Self::Index { .. } | Self::Repeated { .. } => 2,
            Self::NoPreviousHash | Self::PreviousHash { .. } => 3,
            Self::NoProof => 4,
        }
    }
}

/// Most characters of the file's text that an error shows.
const SHOWN: usize = 72;

/// The text, cut to what an error shows.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// The text in quotes, shortened and escaped.
pub(crate) fn quoted(text: &str) -> String {
    format!("{:?}", short(text))
}

/// A byte as an error shows it.
pub(crate) fn byte(found: u8) -> String {
    if found.is_ascii_graphic() {
        format!("`{}`", char::from(found))
    } else {
        format!("byte {found:#04x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_the_file_is_shown_short_and_escaped() {
        assert_eq!(quoted("a\u{1b}[2J\u{202e}\n"), r#""a\u{1b}[2J\u{202e}\n""#);
        assert_eq!(quoted(&"é".repeat(100)).chars().count(), SHOWN + 3);
        assert_eq!((byte(b'x'), byte(7)), ("`x`".into(), "byte 0x07".into()));
    }

    #[test]
    fn an_error_says_where_and_why() {
        let error = ReadError::rule(12, FormatViolation::NoProof).in_block(3);
        assert_eq!(
            error.to_string(),
            "block 3, byte 12: breaks rule 4: there is no proof"
        );
        assert_eq!(error.place().block, Some(3));
        let error = ReadError::not_readable(0, "the file is empty");
        assert_eq!(error.to_string(), "byte 0: not readable: the file is empty");
    }
}
