//! Checks chains for `verify` and `import`: finds the first error and counts blocks and messages.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;

use serde::Serialize;

use super::trusted_checkpoints::{MissingCheckpoint, TrustedCheckpoints};
use crate::chain::{Block, BlockHash, Checker, InvalidBlock, MessageId, Passed, Seal};
use crate::pow::Difficulty;
use crate::reference::ReadError;

/// The first error in a chain.
#[derive(Clone, Debug, Serialize)]
pub(super) struct VerifyError {
    /// Index of the block; null if the error is not in a block.
    block: Option<u64>,
    /// Line in the file, in formats with lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    /// Offset in the file, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    byte: Option<u64>,
    /// Kind of the error.
    class: Class,
    /// Number of the broken rule.
    rule: Option<u8>,
    /// Description, with the expected and the actual value.
    #[serde(rename = "problem")]
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Class {
    /// The bytes do not have the format.
    NotReadable,
    /// A value is not allowed in a block.
    NotWellFormed,
    /// The content of a block does not match its hash.
    Changed,
    /// A rule of the chain is broken.
    Rule,
    /// The block follows the rules of the chain, but this program does not accept it.
    NotAcceptable,
    /// The database contradicts itself.
    Damaged,
    /// A kept checkpoint names another block.
    NotKept,
}

impl VerifyError {
    /// A damaged database.
    pub(super) fn damaged(message: String) -> Self {
        Self {
            block: None,
            line: None,
            byte: None,
            class: Class::Damaged,
            rule: None,
            message,
        }
    }

    /// A trusted checkpoint that is not in the chain.
    pub(super) fn not_kept(MissingCheckpoint { index, message }: MissingCheckpoint) -> Self {
        Self {
            block: Some(index),
            line: None,
            byte: None,
            class: Class::NotKept,
            rule: None,
            message,
        }
    }

    /// An invalid block.
    fn of(invalid: &InvalidBlock) -> Self {
        let rule = invalid.violation.rule();
        Self {
            block: Some(invalid.index),
            line: None,
            byte: None,
            class: rule.map_or(Class::NotAcceptable, |_| Class::Rule),
            rule,
            message: invalid.violation.to_string(),
        }
    }

    /// A file that cannot be read further.
    fn in_file(error: &ReadError) -> Self {
        let (class, rule) = match error {
            ReadError::NotWellFormed { .. } => (Class::NotWellFormed, None),
            ReadError::Changed { .. } => (Class::Changed, None),
            ReadError::Rule { violation, .. } => (Class::Rule, Some(violation.rule())),
            _ => (Class::NotReadable, None),
        };
        let location = error.location();
        let text = error.to_string();
        let message = text.strip_prefix(&format!("{location}: ")).unwrap_or(&text);
        Self {
            block: location.block,
            line: location.line,
            byte: Some(location.offset),
            class,
            rule,
            message: message.to_owned(),
        }
    }
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let block = self.block.map(|block| format!("block {block}"));
        let line = self.line.map(|line| format!("line {line}"));
        let byte = self.byte.map(|byte| format!("byte {byte}"));
        let location: Vec<_> = [block, line, byte].into_iter().flatten().collect();
        if !location.is_empty() {
            write!(f, "{}: ", location.join(", "))?;
        }
        f.write_str(&self.message)
    }
}

/// Checks a chain block by block, up to the first block that breaks a rule.
pub(super) struct Examiner {
    pub(super) checker: Checker,
    pub(super) genesis: Option<Block>,
    pub(super) error: Option<VerifyError>,
    /// Index of the last block that is not sealed.
    pub(super) last_open: u64,
    pub(super) pending: u64,
    /// The checkpoints that the chain must hold, if any were named.
    pub(super) kept: Option<TrustedCheckpoints>,
    /// The ids of the messages, to count those in more than one block; `None` if this is counted
    /// elsewhere.
    pub(super) ids: Option<SeenIds>,
}

/// Keyed hash of each message id: eight bytes per block, the only memory that grows.
#[derive(Default)]
pub(super) struct SeenIds {
    hashes: Vec<u64>,
    key: RandomState,
}

impl SeenIds {
    fn push(&mut self, id: &MessageId) {
        self.hashes.push(self.key.hash_one(id));
    }

    /// Returns the number of ids that appear in more than one block.
    pub(super) fn repeated(mut self) -> u64 {
        self.hashes.sort_unstable();
        let runs = self.hashes.chunk_by(|a, b| a == b);
        runs.filter(|run| run.len() > 1).count() as u64
    }
}

impl Examiner {
    pub(super) fn new(difficulty: Option<Difficulty>, sealed_from: Option<u64>) -> Self {
        Self {
            checker: Checker::new(difficulty.unwrap_or(Difficulty::MIN), sealed_from),
            genesis: None,
            error: None,
            last_open: 0,
            pending: 0,
            kept: None,
            ids: Some(SeenIds::default()),
        }
    }

    /// Checks the next blocks and passes those that break no rule to `each`. Returns `false` after a
    /// block that breaks one, since the blocks above it cannot be checked.
    pub(super) fn push_all(
        &mut self,
        blocks: &[Block],
        mut each: impl FnMut(&Passed<'_, '_>),
    ) -> bool {
        let mut unacceptable = None;
        let pushed = self.checker.push_all(blocks, |passed| {
            each(&passed);
            if let Some(kept) = &mut self.kept {
                kept.push(&passed);
            }
            let Passed {
                block,
                acceptable,
                seal,
                ..
            } = passed;
            if seal != Some(Seal::Sealed) {
                self.last_open = block.index;
            }
            if let Err(violation) = acceptable {
                let index = block.index;
                unacceptable.get_or_insert(InvalidBlock { index, violation });
            }
            if block.index == 0 {
                self.genesis = Some(block.clone());
            }
            if let Some(ids) = &mut self.ids {
                ids.push(&block.message.id());
            }
            Ok(())
        });
        if let Some(invalid) = unacceptable.or(pushed.as_ref().err().cloned()) {
            self.error.get_or_insert_with(|| VerifyError::of(&invalid));
        }
        pushed.is_ok()
    }

    /// Records that the file cannot be read further.
    pub(super) fn record_read_error(&mut self, error: &ReadError) {
        self.error
            .get_or_insert_with(|| VerifyError::in_file(error));
    }

    /// Returns the number of blocks that broke no rule.
    pub(super) fn blocks(&self) -> u64 {
        self.checker.tip().map_or(0, |tip| tip.index + 1)
    }

    pub(super) fn genesis_hash(&self) -> Option<String> {
        let genesis = self.genesis.as_ref()?;
        Some(BlockHash::of(genesis).to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::slice;

    use super::*;
    use crate::chain::{Message, Timestamp, Tip};
    use crate::pow;

    #[test]
    fn repeated_ids_are_counted_once_each() {
        let mut examiner = Examiner::new(None, None);
        let mut block = Block::default_genesis();
        for id in [1, 2, 1, 3, 1, 2] {
            assert!(examiner.push_all(slice::from_ref(&block), |_| {}));
            let tip = Tip::of(&block);
            let fits = |proof: &u64| {
                let proof = proof.to_string();
                pow::proof_is_valid(tip.proof_text(), proof.as_bytes(), Difficulty::MIN)
            };
            let proof = (0..10_000_u64).find(fits).unwrap();
            let message = Message::new(MessageId::from_bytes([id; 16]), String::new()).unwrap();
            let time = Timestamp::float(tip.timestamp.seconds() + 1.0).unwrap();
            block = tip.successor(message, time, proof.into());
        }
        assert!(examiner.push_all(slice::from_ref(&block), |_| {}));
        assert_eq!(examiner.blocks(), 7);

        let broken = Block::default_genesis();
        assert!(!examiner.push_all(slice::from_ref(&broken), |_| {}));
        let error = examiner.error.take().unwrap();
        assert_eq!((error.class, error.rule), (Class::Rule, Some(2)));
        assert_eq!(
            error.to_string(),
            "block 7: breaks rule 2: the index is 0, expected 7"
        );
        assert_eq!(examiner.ids.unwrap().repeated(), 2);
    }
}
