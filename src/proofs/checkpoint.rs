//! Checkpoints: one line that identifies a block and its history root, and files of such lines
//! (trust files).

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::MAX_INDEX;
use super::canonical::parse_hex;
use crate::chain::BlockHash;
use crate::chain::history::NodeHash;

/// First word of the line.
const FORMAT: &str = "blockchain-checkpoint/1";

/// Maximum number of lines of a trust file.
pub const MAX_TRUST_LINES: usize = 10_000;

/// A block of a chain, with the root over all blocks before it. It authenticates every earlier block
/// of that chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Hash of the genesis block.
    pub genesis: BlockHash,
    /// Index of the block.
    pub index: u64,
    /// Hash of the block.
    pub hash: BlockHash,
    /// History root of the block.
    pub root: NodeHash,
}

/// The line, in lower case with single blanks and without a line end.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = hex::encode(self.root);
        write!(
            f,
            "{FORMAT} {} {} {} {root}",
            self.genesis, self.index, self.hash
        )
    }
}

/// Reads the five words in any case and with any white space between them: QR codes are upper
/// case, and mail programs wrap lines.
impl FromStr for Checkpoint {
    type Err = InvalidCheckpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.to_ascii_lowercase();
        let mut words = text.split_ascii_whitespace();
        let mut word = || words.next().ok_or(InvalidCheckpoint::WordCount);
        if word()? != FORMAT {
            return Err(InvalidCheckpoint::Format);
        }
        let hash = |word: &str| parse_hex(word).ok_or(InvalidCheckpoint::Hash);
        let checkpoint = Self {
            genesis: BlockHash::from_bytes(hash(word()?)?),
            index: index(word()?).ok_or(InvalidCheckpoint::Index)?,
            hash: BlockHash::from_bytes(hash(word()?)?),
            root: hash(word()?)?,
        };
        match words.next() {
            None => Ok(checkpoint),
            Some(_) => Err(InvalidCheckpoint::WordCount),
        }
    }
}

fn index(word: &str) -> Option<u64> {
    let is_plain = word.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_zero = word.len() > 1 && word.starts_with('0');
    let index = word.parse().ok()?;
    (is_plain && !has_leading_zero && index <= MAX_INDEX).then_some(index)
}

/// Error for a text that is not a checkpoint line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidCheckpoint {
    /// The format word is missing or unknown.
    #[error("a checkpoint line begins with {FORMAT:?}")]
    Format,
    /// There are fewer or more than five words.
    #[error("a checkpoint line has five words: {FORMAT} GENESIS INDEX HASH ROOT")]
    WordCount,
    /// The third word is not an index.
    #[error(
        "the index of a checkpoint line is a whole number without leading zeros, at most 2^53-1"
    )]
    Index,
    /// A hash is not 64 hex digits.
    #[error("the genesis, hash and root of a checkpoint line are 64 hex digits each")]
    Hash,
}

/// Reads a trust file: checkpoint lines, blank lines and lines that begin with `#`. Returns each
/// checkpoint with the number of its line, from 1 on.
///
/// # Errors
/// A line that is anything else, more than [`MAX_TRUST_LINES`] lines, and two checkpoints of one
/// network and index that differ. Other text is rejected, so that a quoted line is not trusted by
/// mistake.
pub fn read_trust_file(text: &str) -> Result<Vec<(usize, Checkpoint)>, InvalidTrustFile> {
    let mut kept: Vec<(usize, Checkpoint)> = Vec::new();
    let mut first_of = std::collections::HashMap::new();
    for (line, number) in text.lines().zip(1..) {
        if number > MAX_TRUST_LINES {
            return Err(InvalidTrustFile::TooLong);
        }
        if line.trim_ascii().is_empty() || line.starts_with('#') {
            continue;
        }
        let checkpoint: Checkpoint = line.parse().map_err(|source| InvalidTrustFile::Line {
            line: number,
            source,
        })?;
        let (first, same) = *first_of
            .entry((*checkpoint.genesis.as_bytes(), checkpoint.index))
            .or_insert((number, checkpoint));
        if same != checkpoint {
            return Err(InvalidTrustFile::Contradiction {
                first,
                second: number,
                index: checkpoint.index,
            });
        }
        kept.push((number, checkpoint));
    }
    Ok(kept)
}

/// The reason why a trust file is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidTrustFile {
    /// A line is neither blank, nor a comment, nor a checkpoint.
    #[error("line {line} is not a checkpoint: {source}")]
    Line {
        /// Number of the line, from 1 on.
        line: usize,
        /// The fault.
        #[source]
        source: InvalidCheckpoint,
    },
    /// Two lines contradict each other.
    #[error("lines {first} and {second} name two different blocks {index} of one network")]
    Contradiction {
        /// Number of the earlier line.
        first: usize,
        /// Number of the later line.
        second: usize,
        /// Index of the block.
        index: u64,
    },
    /// The file has too many lines.
    #[error("the file has more than {MAX_TRUST_LINES} lines")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = include_str!("../../tests/fixtures/receipts/checkpoints.txt");

    #[test]
    fn a_line_is_read_as_it_was_written_in_any_case_and_wrapped() {
        for line in LINES.lines() {
            let checkpoint: Checkpoint = line.parse().unwrap();
            assert_eq!(checkpoint.to_string(), line);
            let wrapped = line.to_uppercase().replace(' ', "\r\n\t ");
            assert_eq!(wrapped.parse(), Ok(checkpoint));
        }
    }

    #[test]
    fn other_lines_are_rejected_with_the_reason() {
        let line = LINES.lines().next().unwrap();
        let changed = |from: &str, to: &str| line.replacen(from, to, 1).parse::<Checkpoint>();
        assert_eq!(changed("/1", "/2"), Err(InvalidCheckpoint::Format));
        assert_eq!(changed(" 4 ", " 04 "), Err(InvalidCheckpoint::Index));
        assert_eq!(changed(" 4 ", " +4 "), Err(InvalidCheckpoint::Index));
        assert_eq!(
            changed(" 4 ", " 9007199254740992 "),
            Err(InvalidCheckpoint::Index)
        );
        assert_eq!(changed("c0f0", "c0f"), Err(InvalidCheckpoint::Hash));
        assert_eq!(changed(" 4 ", " "), Err(InvalidCheckpoint::Index));
        let longer = format!("{line} 1");
        assert_eq!(
            longer.parse::<Checkpoint>(),
            Err(InvalidCheckpoint::WordCount)
        );
        assert_eq!("".parse::<Checkpoint>(), Err(InvalidCheckpoint::WordCount));
    }

    #[test]
    fn a_trust_file_holds_checkpoints_comments_and_nothing_else() {
        let file = format!("# kept since March\n\n{LINES}");
        let kept = read_trust_file(&file).unwrap();
        assert_eq!(kept.len(), 4);
        assert_eq!(kept[0].0, 3);
        for quoted in [format!("> {LINES}"), "a".repeat(64), " # no".to_owned()] {
            let file = format!("\n{quoted}\n");
            let error = read_trust_file(&file).unwrap_err();
            assert!(
                matches!(error, InvalidTrustFile::Line { line: 2, .. }),
                "{error}"
            );
        }
        let many = "\n".repeat(MAX_TRUST_LINES + 1);
        assert_eq!(read_trust_file(&many), Err(InvalidTrustFile::TooLong));
    }

    #[test]
    fn two_lines_that_contradict_each_other_are_both_named() {
        let line = LINES.lines().next().unwrap();
        let other = line.replace("eb79", "eb7a");
        assert_eq!(
            read_trust_file(&format!("{line}\n{line}\n{other}\n")),
            Err(InvalidTrustFile::Contradiction {
                first: 1,
                second: 3,
                index: 4
            })
        );
        let elsewhere = other.replace("c0f0", "c0f1");
        assert!(read_trust_file(&format!("{line}\n{elsewhere}\n")).is_ok());
    }
}
