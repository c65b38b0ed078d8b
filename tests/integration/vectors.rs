//! Chains, proofs and seals that the reference miner produced or judged, through the public API of
//! the core.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64};

use blockchain::chain::check::SealCounts;
use blockchain::chain::{Block, BlockHash, Checker, Link, Message, RuleViolation, Seal};
use blockchain::client::NodeAddress;
use blockchain::pow::{Difficulty, Digits, Outcome, Search};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct ValidChain {
    name: String,
    /// First block that is rejected at difficulty 1, 2, 3, 4 and 5.
    first_rejected: [Option<u64>; 5],
    blocks: Vec<Row>,
}

#[derive(Deserialize)]
struct RejectedChain {
    name: String,
    difficulty: u8,
    block: u64,
    rule: u8,
    blocks: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    index: u64,
    timestamp: String,
    proof: Option<String>,
    previous_hash: Option<String>,
    id: String,
    message: String,
    hash: Option<String>,
}

impl Row {
    fn block(&self) -> Block {
        let link = self.proof.as_ref().zip(self.previous_hash.as_ref());
        Block {
            index: self.index,
            timestamp: self.timestamp.parse().unwrap(),
            message: Message::new(self.id.parse().unwrap(), self.message.clone()).unwrap(),
            link: link.map(|(proof, hash)| Link {
                previous_hash: hash.parse().unwrap(),
                proof: proof.parse().unwrap(),
            }),
        }
    }
}

/// Returns the index of the first rejected block, and the reason.
fn verdict(rows: &[Row], zeros: u8) -> Option<(u64, RuleViolation)> {
    let mut checker = Checker::new(Difficulty::new(zeros).unwrap(), None);
    rows.iter().find_map(|row| {
        let place = checker.next_index();
        let violation = checker.push(&row.block()).err()?;
        Some((place, violation))
    })
}

#[test]
fn every_block_has_the_hash_of_the_reference_miner() {
    let json = include_str!("../fixtures/chains/valid.json");
    let chains: Vec<ValidChain> = serde_json::from_str(json).unwrap();
    let mut blocks = 0;
    for chain in &chains {
        for row in &chain.blocks {
            let hash = BlockHash::of(&row.block()).to_string();
            assert_eq!(
                Some(&hash),
                row.hash.as_ref(),
                "{}, block {}",
                chain.name,
                row.index
            );
            assert_eq!(row.block().timestamp.to_string(), row.timestamp);
            blocks += 1;
        }
    }
    assert_eq!((chains.len(), blocks), (11, 164));
}

#[test]
fn chains_are_valid_up_to_the_difficulty_of_the_reference_miner() {
    let json = include_str!("../fixtures/chains/valid.json");
    let chains: Vec<ValidChain> = serde_json::from_str(json).unwrap();
    for chain in &chains {
        for (zeros, expected) in (1..).zip(chain.first_rejected) {
            let found = verdict(&chain.blocks, zeros);
            let place = found.as_ref().map(|(place, _)| *place);
            assert_eq!(place, expected, "{} at difficulty {zeros}", chain.name);
            if let Some((_, violation)) = found {
                let too_easy = matches!(
                    violation,
                    RuleViolation::ProofOfWork { expected, found } if expected.get() == zeros && found < zeros
                );
                assert!(too_easy, "{}: {violation}", chain.name);
            }
        }
    }
}

#[test]
fn changed_chains_are_rejected_at_the_right_block_by_the_right_rule() {
    let json = include_str!("../fixtures/chains/rejected.json");
    let chains: Vec<RejectedChain> = serde_json::from_str(json).unwrap();
    assert_eq!(chains.len(), 12);
    for chain in &chains {
        let (place, violation) = verdict(&chain.blocks, chain.difficulty).unwrap();
        let rule = match violation {
            RuleViolation::GenesisIndex { .. } | RuleViolation::GenesisLink { .. } => 1,
            RuleViolation::Index { .. } => 2,
            RuleViolation::NoLink { .. } | RuleViolation::PreviousHash { .. } => 3,
            RuleViolation::ProofOfWork { .. } => 4,
            RuleViolation::Time { .. } => 5,
            other => panic!("{}: {other}", chain.name),
        };
        assert_eq!((place, rule), (chain.block, chain.rule), "{}", chain.name);
        assert!(
            violation
                .to_string()
                .starts_with(&format!("breaks rule {rule}"))
        );
    }
}

#[test]
fn open_searches_find_the_documented_proofs_one_after_the_other() {
    let json = include_str!("../fixtures/proofs.json");
    let vectors: Value = serde_json::from_str(json).unwrap();
    for zeros in 1..=5 {
        let proofs = vectors["proofs"][zeros.to_string()].as_array().unwrap();
        // At difficulty 5 one search takes as long as all the others together.
        let count = if zeros == 5 { 1 } else { proofs.len() };
        let mut last = "None".to_owned();
        for proof in &proofs[..count] {
            let search = Search {
                prefix: last.as_bytes(),
                digits: Digits::Natural,
                difficulty: Difficulty::new(zeros).unwrap(),
                threads: NonZeroUsize::MIN,
                stop: &AtomicBool::new(false),
                tries: &AtomicU64::new(0),
            };
            let expected = Outcome::Found(proof.as_u64().unwrap());
            assert_eq!(search.run(), expected, "difficulty {zeros} after {last}");
            last = proof.to_string();
        }
    }
}

/// A block in the reference miner's JSON, as far as these fixtures need it.
#[derive(Deserialize)]
struct Tagged<'a> {
    #[serde(rename = "_index")]
    index: u64,
    /// Numbers are kept as their text: no number type holds a sealed proof.
    #[serde(borrow, rename = "_timestamp")]
    timestamp: &'a RawValue,
    #[serde(borrow, rename = "_proof")]
    proof: &'a RawValue,
    #[serde(rename = "_previous_hash")]
    previous_hash: Option<String>,
    #[serde(rename = "_data")]
    data: TaggedData,
}

#[derive(Deserialize)]
struct TaggedData {
    #[serde(rename = "_id")]
    id: String,
    #[serde(rename = "_message")]
    message: String,
}

fn tagged_blocks(json: &str) -> Vec<Block> {
    let blocks: Vec<Tagged<'_>> = serde_json::from_str(json).unwrap();
    let row = |block: &Tagged<'_>| Row {
        index: block.index,
        timestamp: block.timestamp.get().to_owned(),
        proof: Some(block.proof.get().to_owned()).filter(|proof| proof != "null"),
        previous_hash: block.previous_hash.clone(),
        id: block.data.id.clone(),
        message: block.data.message.clone(),
        hash: None,
    };
    blocks.iter().map(|block| row(block).block()).collect()
}

#[test]
fn a_sealed_chain_is_accepted_where_every_block_must_be_sealed() {
    let blocks = tagged_blocks(include_str!("../fixtures/sealed/sealed.chain"));
    let mut checker = Checker::new(Difficulty::new(2).unwrap(), Some(1));
    assert_eq!(checker.push(&blocks[0]), Ok(None));
    for block in &blocks[1..] {
        assert_eq!(checker.push(block), Ok(Some(Seal::Sealed)));
    }
    assert!(blocks.len() > 10 && checker.min_zeros() == Some(2));
}

#[test]
fn proofs_copied_onto_other_messages_are_broken_seals_block_by_block() {
    let blocks = tagged_blocks(include_str!("../fixtures/sealed/sealed_forged.chain"));
    // Every documented rule holds: the reference miner accepts this chain.
    for sealed_from in [None, Some(1)] {
        let mut checker = Checker::new(Difficulty::new(2).unwrap(), sealed_from);
        assert_eq!(checker.push(&blocks[0]), Ok(None));
        for block in &blocks[1..] {
            assert_eq!(checker.push(block), Err(RuleViolation::BrokenSeal));
        }
        let broken = blocks.len() as u64 - 1;
        assert_eq!(
            checker.seals(),
            SealCounts {
                broken,
                ..SealCounts::default()
            }
        );
    }
}

/// Neighbour texts that are deliberately read differently from the reference miner, with the reason.
const MENDED: &[(&str, Option<&str>)] = &[
    // Names are compared without case, and what "this machine" means is left to the system.
    ("localhost", Some("localhost:12345")),
    ("localhost:1", Some("localhost:1")),
    ("LOCALHOST:5", Some("localhost:5")),
    // The reference miner takes the scheme for a host, or a letter of it.
    ("https://host:8", None),
    ("https://h", None),
    ("HTTP://host:8", Some("host:8")),
    ("[::1]:8", Some("[::1]:8")),
    ("::1", Some("[::1]:12345")),
    // No host, or one that is not valid in a URL.
    ("user@host:8", None),
    ("a:8:9", None),
    ("", None),
    (" ", None),
    ("//host:8", None),
    ("höst:8", None),
    ("  host:8", Some("host:8")),
    // Numbers as Python writes them.
    ("host:+8", None),
    ("host:1_0", None),
    ("host:٣", None),
];

#[test]
fn neighbours_are_written_like_the_reference_miner() {
    let text = include_str!("../fixtures/neighbour_texts.json");
    let vectors: serde_json::Value = serde_json::from_str(text).unwrap();
    let rows = vectors["rows"].as_array().unwrap();
    assert!(rows.len() > 30);
    for row in rows {
        let text = row[0].as_str().unwrap();
        let original = row[1].as_array();
        let original = original.map(|pair| format!("{}:{}", pair[0].as_str().unwrap(), pair[1]));
        let mended = MENDED.iter().find(|(mended, _)| *mended == text);
        let expected = mended.map_or(original, |(_, address)| address.map(str::to_owned));
        let found = text
            .parse::<NodeAddress>()
            .ok()
            .map(|address| address.to_string());
        assert_eq!(found, expected, "{text:?}");
    }
}
