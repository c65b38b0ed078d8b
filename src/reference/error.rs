//! Errors of reading a chain file: the location, the class of the error, the expected and the found value.
//!
//! Errors contain text of the file only shortened and escaped, because the text is untrusted and may
//! reach a terminal.

use std::{fmt, io};

use thiserror::Error;

use crate::chain::Proof;

/// Error of reading a chain file or a part of it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The source returned an error.
    #[error("{location}: the bytes cannot be read: {source}")]
    Io {
        /// Location at which reading stopped.
        location: Location,
        /// Error of the source.
        source: io::Error,
    },
    /// The bytes do not have the format.
    #[error("{location}: not readable: {reason}")]
    NotReadable {
        /// Location in the file.
        location: Location,
        /// Expected and found value.
        reason: String,
    },
    /// The bytes have the format, but no block can have this value.
    #[error("{location}: not well-formed: {reason}")]
    NotWellFormed {
        /// Location in the file.
        location: Location,
        /// Expected and found value.
        reason: String,
    },
    /// The content of the block does not match the hash given with it.
    #[error("{location}: the block was changed: {reason}")]
    Changed {
        /// Location in the file.
        location: Location,
        /// Expected and found hash.
        reason: String,
    },
    /// The values break a rule of the chain, and no block can have them.
    #[error("{location}: {violation}")]
    Rule {
        /// Location in the file.
        location: Location,
        /// The broken rule.
        violation: FormatViolation,
    },
}

impl ReadError {
    pub(crate) fn not_readable(offset: u64, reason: impl Into<String>) -> Self {
        Self::NotReadable {
            location: Location::at(offset),
            reason: reason.into(),
        }
    }

    pub(crate) fn not_well_formed(offset: u64, reason: impl Into<String>) -> Self {
        Self::NotWellFormed {
            location: Location::at(offset),
            reason: reason.into(),
        }
    }

    pub(crate) fn changed(offset: u64, reason: impl Into<String>) -> Self {
        Self::Changed {
            location: Location::at(offset),
            reason: reason.into(),
        }
    }

    pub(crate) fn rule(offset: u64, violation: FormatViolation) -> Self {
        Self::Rule {
            location: Location::at(offset),
            violation,
        }
    }

    /// Returns the error of a source; one that parses what it reads has a [`ReadError`] of its own.
    pub(crate) fn io(offset: u64, source: io::Error) -> Self {
        source.downcast().unwrap_or_else(|source| Self::Io {
            location: Location::at(offset),
            source,
        })
    }

    /// Adds the position of the block that was being read.
    pub(crate) fn in_block(mut self, position: u64) -> Self {
        self.location_mut().block = Some(position);
        self
    }

    /// Adds the line number.
    pub(crate) fn on_line(mut self, line: u64) -> Self {
        self.location_mut().line = Some(line);
        self
    }

    fn location_mut(&mut self) -> &mut Location {
        let (Self::Io { location, .. }
        | Self::NotReadable { location, .. }
        | Self::NotWellFormed { location, .. }
        | Self::Changed { location, .. }
        | Self::Rule { location, .. }) = self;
        location
    }

    /// Returns the location where reading stopped.
    pub fn location(&self) -> Location {
        let (Self::Io { location, .. }
        | Self::NotReadable { location, .. }
        | Self::NotWellFormed { location, .. }
        | Self::Changed { location, .. }
        | Self::Rule { location, .. }) = self;
        *location
    }
}

/// A location in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Location {
    /// Offset in bytes, from 0.
    pub offset: u64,
    /// Position in the chain of the block that was being read, if any.
    pub block: Option<u64>,
    /// Line number, from 1, if the format consists of lines.
    pub line: Option<u64>,
}

impl Location {
    fn at(offset: u64) -> Self {
        Self {
            offset,
            block: None,
            line: None,
        }
    }
}

impl fmt::Display for Location {
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

/// A broken rule that [`Checker`](crate::chain::Checker) cannot find, because no
/// [`Block`](crate::chain::Block) can have the values. Worded like
/// [`RuleViolation`](crate::chain::RuleViolation).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FormatViolation {
    /// Rule 1: the index of the first block is negative or does not fit 64 bits.
    #[error("breaks rule 1: the genesis block has index {}, expected 0", short(.found.as_str()))]
    GenesisIndex {
        /// Index found.
        found: Proof,
    },
    /// Rule 1: the first block has a proof and no valid previous hash.
    #[error("breaks rule 1: the genesis block has proof {}, expected none", short(.found.as_str()))]
    GenesisProof {
        /// Proof found.
        found: Proof,
    },
    /// Rule 1: the first block has a previous hash and no proof.
    #[error("breaks rule 1: the genesis block has previous hash {found}, expected none")]
    GenesisPreviousHash {
        /// Value found.
        found: String,
    },
    /// Rule 2: the index is not the position in the chain.
    #[error("breaks rule 2: the index is {}, expected {expected}", short(.found.as_str()))]
    Index {
        /// Position of the block.
        expected: u64,
        /// Index found.
        found: Proof,
    },
    /// Rule 2: the block is a reference to an earlier block.
    #[error("breaks rule 2: an earlier block is repeated here, expected index {expected}")]
    Repeated {
        /// Position of the block.
        expected: u64,
    },
    /// Rule 3: the block has a proof and no previous hash.
    #[error("breaks rule 3: there is no previous hash")]
    NoPreviousHash,
    /// Rule 3: the previous hash is not a block hash.
    #[error("breaks rule 3: the previous hash is {found}, expected 64 lower-case hex digits")]
    PreviousHash {
        /// Value found.
        found: String,
    },
    /// Rule 4: the block has a previous hash and no proof.
    #[error("breaks rule 4: there is no proof")]
    NoProof,
}

impl FormatViolation {
    /// Returns the number of the broken rule.
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

/// Maximum number of characters of the file's text in an error.
const MAX_SHOWN: usize = 72;

/// Shortens a text for an error.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// Shortens and quotes a text for an error, which is escaped where it is shown.
pub(crate) fn quoted(text: &str) -> String {
    format!("\"{}\"", short(text))
}

/// Formats a byte for an error.
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
    fn text_of_the_file_is_shortened_and_quoted() {
        assert_eq!(quoted("a\u{1b}[2J\n"), "\"a\u{1b}[2J\n\"");
        assert_eq!(quoted(&"é".repeat(100)).chars().count(), MAX_SHOWN + 3);
        assert_eq!((byte(b'x'), byte(7)), ("`x`".into(), "byte 0x07".into()));
    }

    #[test]
    fn an_error_of_the_source_contains_its_cause() {
        let reset = || io::Error::from(io::ErrorKind::ConnectionReset);
        let text = ReadError::io(7, reset()).to_string();
        assert_eq!(text, "byte 7: the bytes cannot be read: connection reset");
        let inner = ReadError::not_readable(3, "expected `[`");
        let text = ReadError::io(7, io::Error::other(inner)).to_string();
        assert_eq!(text, "byte 3: not readable: expected `[`");
    }

    #[test]
    fn errors_contain_place_and_reason() {
        let error = ReadError::rule(12, FormatViolation::NoProof).in_block(3);
        assert_eq!(
            error.to_string(),
            "block 3, byte 12: breaks rule 4: there is no proof"
        );
        assert_eq!(error.location().block, Some(3));
        let error = ReadError::not_readable(0, "the file is empty");
        assert_eq!(error.to_string(), "byte 0: not readable: the file is empty");
    }
}
