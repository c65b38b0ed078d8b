//! Files of the reference miner: reading, checking and writing them gives the results of the
//! reference miner.

use sha2::{Digest, Sha256};

use super::*;
use crate::chain::{BlockHash, Checker, Link, Message, Timestamp};
use crate::pow::{self, Difficulty};

/// Files with the same blocks in an encoding that is read but not written.
const OTHER_FORMS: [&str; 8] = [
    "json_3_py311_jsonpickle1.2",
    "json_3_py311_jsonpickle1.4.1",
    "json_3_py37_jsonpickle1.2",
    "pickle_3_py37",
    "pickle_proto0",
    "pickle_proto1",
    "pickle_proto2",
    "pickle_proto3",
];

fn is_valid(blocks: &[Block], difficulty: u8) -> bool {
    let mut checker = Checker::new(Difficulty::new(difficulty).unwrap(), None);
    blocks.iter().all(|block| checker.push(block).is_ok())
}

fn hashes(blocks: &[Block]) -> Vec<String> {
    let hash = |block| BlockHash::of(block).to_string();
    blocks.iter().map(hash).collect()
}

#[test]
fn chains_are_read_checked_and_written_as_by_the_reference_miner() {
    let expected: BTreeMap<String, Expected> = table("expected.json");
    let mut seen = 0;
    for (name, chain) in &expected {
        if name.ends_with("_1200") || name.ends_with("_big") {
            continue;
        }
        seen += 1;
        let bytes = chain_file(name);
        assert_eq!(hex::encode(Sha256::digest(&bytes)), chain.sha256, "{name}");
        let blocks = Format::of(name).read(&bytes).unwrap();
        let twin = chain.blocks_as.as_deref().unwrap_or(name);
        assert_eq!(blocks.len(), chain.length, "{name}");
        assert_eq!(hashes(&blocks), expected[twin].block_hashes, "{name}");
        for difficulty in 1..=5 {
            let holds = difficulty <= chain.holds_to_difficulty;
            assert_eq!(
                is_valid(&blocks, difficulty),
                holds,
                "{name} at {difficulty}"
            );
        }
        for format in Format::BOTH {
            let written = format.write(&blocks);
            let same = format == Format::of(name) && !OTHER_FORMS.contains(&name.as_str());
            if same && name != "pickle_proto5" {
                assert_eq!(written, bytes, "{name}");
            }
            let file = twin.replace("json", &format!("{format:?}").to_lowercase());
            let digest = hex::encode(Sha256::digest(&written));
            assert_eq!(digest, expected[&file].sha256, "{name} as {format:?}");
        }
    }
    assert_eq!(seen, 29);
}

/// The chain of these messages and times, with the smallest proofs at difficulty 1.
fn mined(ids: &str, content: impl Fn(u32) -> (f64, String)) -> Vec<Block> {
    let ids = std::fs::read_to_string(path(ids)).unwrap();
    let mut blocks: Vec<Block> = Vec::new();
    for (index, id) in (0..).zip(ids.lines()) {
        let (seconds, text) = content(index);
        let link = blocks.last().map(|last| {
            let before = last.proof().map_or("None", |proof| proof.as_str());
            let fits = |proof: &u64| {
                pow::proof_is_valid(
                    before.as_bytes(),
                    proof.to_string().as_bytes(),
                    Difficulty::MIN,
                )
            };
            Link {
                previous_hash: BlockHash::of(last),
                proof: (0..1000).find(fits).unwrap().into(),
            }
        });
        blocks.push(Block {
            index: index.into(),
            timestamp: Timestamp::float(seconds).unwrap(),
            message: Message::new(id.parse().unwrap(), text).unwrap(),
            link,
        });
    }
    blocks
}

#[track_caller]
fn assert_large(name: &str, blocks: &[Block]) {
    let expected: BTreeMap<String, Expected> = table("expected.json");
    let chain = &expected[&format!("json_{name}")];
    let found = hashes(blocks);
    assert_eq!(found.len(), chain.length);
    assert_eq!(found.first(), chain.block_hashes.first());
    assert_eq!(found.last(), chain.block_hashes.last());
    assert!(is_valid(blocks, 1) && !is_valid(blocks, 2));
    for format in Format::BOTH {
        let bytes = format.write(blocks);
        let file = format!("{format:?}_{name}").to_lowercase();
        assert_eq!(
            hex::encode(Sha256::digest(&bytes)),
            expected[&file].sha256,
            "{file}"
        );
        assert!(format.read(&bytes).unwrap() == blocks, "{file}");
    }
}

#[test]
fn several_batches_and_frames_have_the_bytes_of_the_reference_miner() {
    let blocks = mined("ids_1200.txt", |index| {
        let text = match index {
            0 => crate::chain::block::GENESIS_TEXT.to_owned(),
            _ => format!("m{index} {}", "pad".repeat(index as usize % 40)),
        };
        (1_700_000_000.0 + f64::from(index) * 0.0371, text)
    });
    assert_large("1200", &blocks);
}

#[test]
fn texts_around_the_size_of_a_frame_have_the_bytes_of_the_reference_miner() {
    let blocks = mined("ids_big.txt", |index| match index {
        0 => (
            1_600_000_000.0,
            crate::chain::block::GENESIS_TEXT.to_owned(),
        ),
        1 => (1_600_000_001.1, "x".repeat(65_000)),
        2 => (1_600_000_002.5, "y".repeat(65_535)),
        3 => (1_600_000_003.123_456, "z".repeat(65_536)),
        4 => (1_600_000_004.123_456_7, "é".repeat(40_000)),
        _ => (1_600_000_005.000_000_2, "after".to_owned()),
    });
    assert_large("big", &blocks);
}
