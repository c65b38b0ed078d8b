//! The inspector of a block: the exact bytes that are hashed, the puzzle, and the result of every
//! rule. The server computes it with the rules of the node; the script repeats it in the browser.

use sha2::{Digest, Sha256};

use super::format;
use crate::chain::{self, BlockHash, preimage, seal};
use crate::pow;
use crate::ui::parts::Text;
use crate::wire::{Block, Status};

/// All intermediate values of a block's verification.
#[derive(Debug)]
pub(super) struct Inspector {
    /// The preimage of the hash. `None` if the node returned an invalid block.
    pub(super) preimage: Option<Preimage>,
    pub(super) puzzle: Option<Puzzle>,
    /// The part of the proof that commits to the content; empty for an open proof.
    pub(super) commitment: String,
    /// The part of the proof that the miner searched for.
    pub(super) nonce: String,
    pub(super) checks: Vec<RuleCheck>,
}

/// The text of a block, which is hashed.
#[derive(Debug)]
pub(super) struct Preimage {
    /// The text as a terminal shows it, up to the message.
    pub(super) head: String,
    pub(super) message: Text,
    /// The text after the message.
    pub(super) tail: String,
    /// The whole text, with all control characters.
    pub(super) bytes: Text,
}

impl Preimage {
    fn of(block: &chain::Block) -> Self {
        let mut text = Vec::new();
        preimage::write_preimage(block, &mut text);
        let text = String::from_utf8_lossy(&text);
        let message = block.message.text();
        // No field before the message contains this text.
        let start = text.find(MESSAGE).map_or(0, |at| at + MESSAGE.len());
        let (head, rest) = text.split_at(start);
        let tail = rest.get(message.len()..).unwrap_or_default();
        Self {
            head: BOLD
                .iter()
                .fold(head.trim_start().to_owned(), |head, switch| {
                    head.replace(switch, "")
                }),
            message: Text::new(message),
            tail: tail.trim_end().to_owned(),
            bytes: Text::exact(&text, 4000),
        }
    }
}

/// The text in front of the message.
const MESSAGE: &str = "| message: ";

/// Switch bold type on and off on a terminal.
const BOLD: [&str; 2] = ["\u{1b}[1m", "\u{1b}[0m"];

/// The puzzle that the proof solves.
#[derive(Debug)]
pub(super) struct Puzzle {
    /// Proof of the previous block; `None` for the genesis block, as the puzzle hashes it.
    pub(super) previous_proof: String,
    pub(super) proof: String,
    /// The digest without its trailing zeros.
    pub(super) digest: String,
    /// The trailing zeros of the digest.
    pub(super) zeros: String,
}

/// The result of checking one rule.
#[derive(Debug)]
pub(super) struct RuleCheck {
    /// Identifies the rule to the script.
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    /// `None` if the rule could not be checked.
    pub(super) passed: Option<bool>,
    pub(super) detail: String,
}

impl Inspector {
    pub(super) fn new(block: &Block, previous: Option<&Block>, status: &Status) -> Self {
        let parsed = chain::Block::try_from(block.clone()).ok();
        let parsed_previous = previous.and_then(|block| chain::Block::try_from(block.clone()).ok());
        let puzzle = Puzzle::of(block, previous);
        let commitment = parsed
            .as_ref()
            .filter(|_| block.seal.as_deref() == Some("sealed"))
            .and_then(|parsed| commitment(parsed, &block.history_root))
            .unwrap_or_default();
        let proof = block.proof.as_deref().unwrap_or_default();
        let nonce = proof.strip_prefix(&*commitment).unwrap_or(proof).to_owned();
        Self {
            preimage: parsed.as_ref().map(Preimage::of),
            checks: check_rules(
                block,
                parsed.as_ref(),
                parsed_previous.as_ref(),
                puzzle.as_ref(),
                status,
            ),
            puzzle,
            commitment,
            nonce,
        }
    }
}

impl Puzzle {
    /// Returns the number of trailing zeros of the digest.
    pub(super) fn zero_count(&self) -> u64 {
        self.zeros.len() as u64
    }

    /// Returns `true` if the previous block is the genesis block, which has no proof.
    pub(super) fn follows_genesis(&self) -> bool {
        self.previous_proof == pow::NO_PROOF
    }

    fn of(block: &Block, previous: Option<&Block>) -> Option<Self> {
        let proof = block.proof.clone()?;
        let previous_proof = previous?
            .proof
            .clone()
            .unwrap_or_else(|| pow::NO_PROOF.to_owned());
        let digest = Sha256::new_with_prefix(&previous_proof)
            .chain_update(&proof)
            .finalize();
        let zeros = usize::from(pow::trailing_zeros(&digest.into()));
        let digest = hex::encode(digest);
        let (digest, zeros) = digest.split_at(digest.len() - zeros);
        Some(Self {
            previous_proof,
            proof,
            digest: digest.to_owned(),
            zeros: zeros.to_owned(),
        })
    }
}

fn commitment(block: &chain::Block, history_root: &str) -> Option<String> {
    let mut root = [0; 32];
    hex::decode_to_slice(history_root, &mut root).ok()?;
    let previous_hash = &block.link.as_ref()?.previous_hash;
    let time = block.timestamp.as_float()?;
    Some(seal::commitment(
        block.index,
        previous_hash,
        &root,
        &block.message,
        time,
    ))
}

fn check_rules(
    block: &Block,
    parsed: Option<&chain::Block>,
    previous: Option<&chain::Block>,
    puzzle: Option<&Puzzle>,
    status: &Status,
) -> Vec<RuleCheck> {
    let mut checks = vec![RuleCheck {
        key: "hash",
        name: "Hash matches the content",
        passed: parsed.map(|parsed| BlockHash::of(parsed).to_string() == block.hash),
        detail: "SHA-256 of the bytes below is the hash of the block".to_owned(),
    }];
    if block.index == 0 {
        checks.push(RuleCheck {
            key: "genesis",
            name: "Genesis block is valid",
            passed: Some(block.previous_hash.is_none() && block.proof.is_none()),
            detail: "index 0, no previous hash and no proof".to_owned(),
        });
        return checks;
    }
    let previous_hash = previous.map(BlockHash::of);
    checks.push(RuleCheck {
        key: "previous",
        name: "Previous hash matches",
        passed: previous_hash
            .map(|hash| block.previous_hash.as_deref() == Some(&*hash.to_string())),
        detail: format!("the previous hash is the hash of block {}", block.index - 1),
    });
    checks.push(RuleCheck {
        key: "time",
        name: "Timestamp is later",
        passed: parsed
            .zip(previous)
            .map(|(parsed, previous)| parsed.timestamp.cmp_instant(previous.timestamp).is_gt()),
        detail: parsed
            .zip(previous)
            .map_or_else(String::new, |(parsed, previous)| {
                let seconds = parsed.timestamp.seconds() - previous.timestamp.seconds();
                format!("{} after the previous block", format::duration(seconds))
            }),
    });
    checks.push(RuleCheck {
        key: "puzzle",
        name: "Proof solves the puzzle",
        passed: puzzle.map(|puzzle| puzzle.zeros.len() >= usize::from(status.difficulty)),
        detail: puzzle.map_or_else(String::new, |puzzle| {
            let zeros = puzzle.zero_count();
            let (ending, required) = (format::plural(zeros), status.difficulty);
            format!("the digest ends with {zeros} zero{ending}; the difficulty requires {required}")
        }),
    });
    let must_be_sealed = status.sealed_from.is_some_and(|from| block.index >= from);
    let kind = block.seal.as_deref().unwrap_or_default();
    checks.push(RuleCheck {
        key: "seal",
        name: "Seal is valid",
        passed: Some(kind == "sealed" || kind == "open" && !must_be_sealed),
        detail: match (kind, must_be_sealed) {
            ("sealed", _) => "the proof starts with the commitment to this content",
            ("open", true) => "the proof is open, but this chain requires sealed proofs",
            ("open", false) => {
                "the proof is open: it does not commit to the content, and this chain allows that"
            }
            _ => "the proof commits to different content",
        }
        .to_owned(),
    });
    checks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;
    use crate::wire::BlockRenderer;

    fn genesis() -> Block {
        let genesis = chain::Block::default_genesis();
        BlockRenderer::above(chain::History::default(), None).render(&genesis)
    }

    fn failed(inspector: &Inspector) -> Vec<&'static str> {
        let failed = inspector
            .checks
            .iter()
            .filter(|check| check.passed != Some(true));
        failed.map(|check| check.key).collect()
    }

    #[test]
    fn a_valid_block_passes_every_rule() {
        let mut status = samples::status();
        let inspector = Inspector::new(&genesis(), None, &status);
        assert_eq!(failed(&inspector), [""; 0]);
        assert!(inspector.puzzle.is_none());

        status.sealed_from = None;
        let inspector = Inspector::new(&samples::block(1, "text"), Some(&genesis()), &status);
        assert_eq!(failed(&inspector), [""; 0], "{inspector:?}");
        let puzzle = inspector.puzzle.unwrap();
        // Two more than difficulty 5 requires.
        assert_eq!(
            (puzzle.previous_proof.as_str(), puzzle.zero_count()),
            ("None", 7)
        );
        assert_eq!(
            (inspector.commitment.as_str(), inspector.nonce.as_str()),
            ("", "1406000")
        );
    }

    #[test]
    fn the_plain_text_has_no_control_characters_of_the_template() {
        let block = samples::block(1, "| message: \u{1b}[1m");
        let preimage = Preimage::of(&chain::Block::try_from(block).unwrap());
        assert!(preimage.head.starts_with("| ====") && preimage.head.ends_with(MESSAGE));
        assert!(!preimage.head.contains('\u{1b}'), "{preimage:?}");
        assert!(preimage.tail.starts_with("\n| \t\t____"), "{preimage:?}");
        let html = preimage.message.to_string();
        assert!(
            html.contains("| message: <span") && html.contains(">ESC<"),
            "{html}"
        );
        assert_eq!(preimage.bytes.to_string().matches(">ESC<").count(), 11);
    }

    #[test]
    fn each_failed_rule_is_named() {
        let status = samples::status();
        let mut block = samples::block(1, "text");
        block.data.message.push('!');
        block.proof = Some("1406001".to_owned());
        let inspector = Inspector::new(&block, Some(&genesis()), &status);
        assert_eq!(failed(&inspector), ["hash", "puzzle", "seal"]);
    }

    #[test]
    fn a_sealed_proof_is_split_into_commitment_and_nonce() {
        let json = include_str!("../../../tests/fixtures/sealed/sealed.json");
        let vectors: serde_json::Value = serde_json::from_str(json).unwrap();
        let vector = &vectors["blocks"][0];
        let text = |key: &str| vector[key].as_str().unwrap().to_owned();
        let block = Block {
            index: vector["index"].as_u64().unwrap(),
            hash: text("hash"),
            previous_hash: Some(text("previous_hash")),
            timestamp: serde_json::from_str(&text("timestamp")).unwrap(),
            timestamp_text: text("timestamp"),
            time: None,
            proof: Some(text("proof")),
            seal: Some("sealed".to_owned()),
            history_root: text("history_root"),
            difficulty: None,
            data: crate::wire::Message {
                id: text("id"),
                message: text("message"),
            },
        };
        let inspector = Inspector::new(&block, None, &samples::status());
        assert_eq!(inspector.commitment, text("commitment_decimal"));
        assert_eq!(inspector.commitment + &inspector.nonce, text("proof"));
    }
}
