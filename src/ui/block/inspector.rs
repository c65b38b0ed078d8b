//! The workbench of a block: the exact bytes that are hashed, the puzzle, and every rule ticked.
//! It is worked out here with the program's own rules; the script does the same in the browser.

use sha2::{Digest, Sha256};

use super::format;
use crate::chain::{self, BlockHash, preimage, seal};
use crate::pow;
use crate::ui::parts::Text;
use crate::wire::{Block, Status};

/// Everything that can be checked of a block by hand.
#[derive(Debug)]
pub(super) struct Inspector {
    /// The text that is hashed; none if the node describes no block of a chain.
    pub(super) hashed: Option<Text>,
    pub(super) puzzle: Option<Puzzle>,
    /// The part of the proof that commits to the content; empty unless it is sealed.
    pub(super) commitment: String,
    /// The part of the proof that was searched for.
    pub(super) nonce: String,
    pub(super) rules: Vec<Rule>,
}

/// The puzzle that the proof solves.
#[derive(Debug)]
pub(super) struct Puzzle {
    /// The proof before: `None` stands for that of the genesis block.
    pub(super) last: String,
    pub(super) proof: String,
    /// The digest without its zeros.
    pub(super) digest: String,
    /// The zeros at its end.
    pub(super) zeros: String,
}

/// A rule, and whether the block keeps it.
#[derive(Debug)]
pub(super) struct Rule {
    /// By what the script finds it.
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    /// None if it could not be looked at.
    pub(super) holds: Option<bool>,
    pub(super) text: String,
}

impl Inspector {
    pub(super) fn new(block: &Block, previous: Option<&Block>, status: &Status) -> Self {
        let own = chain::Block::try_from(block.clone()).ok();
        let before = previous.and_then(|block| chain::Block::try_from(block.clone()).ok());
        let puzzle = Puzzle::of(block, previous);
        let commitment = own
            .as_ref()
            .filter(|_| block.seal.as_deref() == Some("sealed"))
            .and_then(|own| commitment(own, &block.history_root))
            .unwrap_or_default();
        let proof = block.proof.as_deref().unwrap_or_default();
        let nonce = proof.strip_prefix(&*commitment).unwrap_or(proof).to_owned();
        Self {
            hashed: own.as_ref().map(hashed),
            rules: rules(
                block,
                own.as_ref(),
                before.as_ref(),
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
    /// How many zeros the digest ends with.
    pub(super) fn count(&self) -> u64 {
        self.zeros.len() as u64
    }

    /// Returns `true` if the previous block is the genesis block, which has no proof.
    pub(super) fn is_first(&self) -> bool {
        self.last == pow::NO_PROOF
    }

    fn of(block: &Block, previous: Option<&Block>) -> Option<Self> {
        let proof = block.proof.clone()?;
        let last = previous?
            .proof
            .clone()
            .unwrap_or_else(|| pow::NO_PROOF.to_owned());
        let digest = Sha256::new_with_prefix(&last)
            .chain_update(&proof)
            .finalize();
        let zeros = usize::from(pow::trailing_zeros(&digest.into()));
        let digest = hex::encode(digest);
        let (digest, zeros) = digest.split_at(digest.len() - zeros);
        Some(Self {
            last,
            proof,
            digest: digest.to_owned(),
            zeros: zeros.to_owned(),
        })
    }
}

fn hashed(block: &chain::Block) -> Text {
    let mut text = Vec::new();
    preimage::write_preimage(block, &mut text);
    Text::folded_at(&String::from_utf8_lossy(&text), 4000)
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

fn rules(
    block: &Block,
    own: Option<&chain::Block>,
    before: Option<&chain::Block>,
    puzzle: Option<&Puzzle>,
    status: &Status,
) -> Vec<Rule> {
    let mut rules = vec![Rule {
        key: "hash",
        name: "The hash is that of the text",
        holds: own.map(|own| BlockHash::of(own).to_string() == block.hash),
        text: "SHA-256 over the bytes below gives the hash of the block".to_owned(),
    }];
    if block.index == 0 {
        rules.push(Rule {
            key: "genesis",
            name: "It is a first block",
            holds: Some(block.previous_hash.is_none() && block.proof.is_none()),
            text: "index 0, no previous hash and no proof".to_owned(),
        });
        return rules;
    }
    let previous_hash = before.map(BlockHash::of);
    rules.push(Rule {
        key: "previous",
        name: "It joins the block before",
        holds: previous_hash.map(|hash| block.previous_hash.as_deref() == Some(&*hash.to_string())),
        text: format!("its previous hash is the hash of block {}", block.index - 1),
    });
    rules.push(Rule {
        key: "time",
        name: "It is later than the block before",
        holds: own
            .zip(before)
            .map(|(own, before)| own.timestamp.cmp_instant(before.timestamp).is_gt()),
        text: own.zip(before).map_or_else(String::new, |(own, before)| {
            let later = own.timestamp.seconds() - before.timestamp.seconds();
            format!("by {}", format::duration(later))
        }),
    });
    rules.push(Rule {
        key: "puzzle",
        name: "The proof solves the puzzle",
        holds: puzzle.map(|puzzle| puzzle.zeros.len() >= usize::from(status.difficulty)),
        text: puzzle.map_or_else(String::new, |puzzle| {
            let zeros = puzzle.count();
            let (ending, wanted) = (format::plural(zeros), status.difficulty);
            format!("the digest ends with {zeros} zero{ending}, {wanted} are asked for")
        }),
    });
    let must_be_sealed = status.sealed_from.is_some_and(|from| block.index >= from);
    let kind = block.seal.as_deref().unwrap_or_default();
    rules.push(Rule {
        key: "seal",
        name: "The seal is whole",
        holds: Some(kind == "sealed" || kind == "open" && !must_be_sealed),
        text: match (kind, must_be_sealed) {
            ("sealed", _) => "the proof starts with the commitment to this content",
            ("open", true) => "the proof is open, and on this chain it must be sealed",
            ("open", false) => "the proof is open: it binds nothing, which this chain allows here",
            _ => "the proof was made for another content",
        }
        .to_owned(),
    });
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::samples;
    use crate::wire::BlockRenderer;

    fn genesis() -> Block {
        let genesis = chain::Block::documented_genesis();
        BlockRenderer::above(chain::History::default(), None).describe(&genesis)
    }

    fn failing(bench: &Inspector) -> Vec<&'static str> {
        let failing = bench.rules.iter().filter(|rule| rule.holds != Some(true));
        failing.map(|rule| rule.key).collect()
    }

    #[test]
    fn every_rule_of_a_good_block_is_ticked() {
        let mut status = samples::status();
        let bench = Inspector::new(&genesis(), None, &status);
        assert_eq!(failing(&bench), [""; 0]);
        assert!(bench.puzzle.is_none());

        status.sealed_from = None;
        let bench = Inspector::new(&samples::block(1, "text"), Some(&genesis()), &status);
        assert_eq!(failing(&bench), [""; 0], "{bench:?}");
        let puzzle = bench.puzzle.unwrap();
        // Two more than difficulty 5 asks for.
        assert_eq!((puzzle.last.as_str(), puzzle.count()), ("None", 7));
        assert_eq!(
            (bench.commitment.as_str(), bench.nonce.as_str()),
            ("", "1406000")
        );
    }

    #[test]
    fn each_broken_rule_is_named() {
        let status = samples::status();
        let mut block = samples::block(1, "text");
        block.data.message.push('!');
        block.proof = Some("1406001".to_owned());
        let bench = Inspector::new(&block, Some(&genesis()), &status);
        assert_eq!(failing(&bench), ["hash", "puzzle", "seal"]);
    }

    #[test]
    fn a_sealed_proof_is_shown_in_its_two_parts() {
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
        let bench = Inspector::new(&block, None, &samples::status());
        assert_eq!(bench.commitment, text("commitment_decimal"));
        assert_eq!(bench.commitment + &bench.nonce, text("proof"));
    }
}
