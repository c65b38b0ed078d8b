//! The vectors, every change of one character, and forgeries that a careless verifier would accept.

use super::*;
use crate::proofs::ConsistencyProof;
use crate::proofs::checkpoint::read_trust_file;

const CHECKPOINTS: &str = include_str!("../../../tests/fixtures/receipts/checkpoints.txt");

macro_rules! vector {
    ($name:literal) => {
        include_str!(concat!("../../../tests/fixtures/receipts/", $name, ".json"))
    };
}

const UNDER_11: &str = vector!("receipt_3_under_11");
const UNDER_6: &str = vector!("receipt_3_under_6");
const RECEIPTS: [&str; 5] = [
    UNDER_11,
    UNDER_6,
    vector!("receipt_11_itself"),
    vector!("receipt_4_to_7_under_11"),
    vector!("receipt_genesis_8_10_under_11"),
];
const PROOFS: [&str; 2] = [
    vector!("consistency_4_to_8"),
    vector!("consistency_6_to_11"),
];

fn kept(index: u64) -> Checkpoint {
    let mut lines = CHECKPOINTS.lines().map(|line| line.parse().unwrap());
    lines.find(|kept: &Checkpoint| kept.index == index).unwrap()
}

fn verify(text: &str, trusted: &[Trusted]) -> Result<usize, NotProven> {
    let receipt = Receipt::read(text.as_bytes())?;
    let (under, _) = receipt.check()?;
    receipt.verify_against(&under, trusted)
}

#[test]
fn every_receipt_of_the_vectors_is_proven_by_the_checkpoint_and_by_the_hash() {
    for text in RECEIPTS {
        let receipt = Receipt::read(text.as_bytes()).unwrap();
        assert_eq!(receipt.to_json().as_deref(), Some(text));
        let checkpoint = kept(receipt.under.index);
        let hash = Trusted::Hash(checkpoint.hash);
        let trusted = [hash, Trusted::Checkpoint(checkpoint)];
        assert_eq!(verify(text, &trusted), Ok(1));
        assert_eq!(verify(text, &trusted[..1]), Ok(0));
        let not_trusted = verify(text, &[]).unwrap_err();
        assert_eq!(not_trusted.reason(), "not_trusted");
    }
}

#[test]
fn consistency_proofs_lead_from_either_end_to_the_other() {
    for text in PROOFS {
        let proof = ConsistencyProof::read(text.as_bytes()).unwrap();
        assert_eq!(proof.to_json(), text);
        let (from, to) = (kept(proof.from.index), kept(proof.to.index));
        assert_eq!(proof.verify(&[from]), Ok(to));
        assert_eq!(proof.verify(&[to]), Ok(from));
        let error = proof.verify(&[]).unwrap_err();
        assert_eq!(error.reason(), "not_trusted");
    }
}

#[test]
fn an_old_receipt_is_proven_by_a_later_checkpoint_and_a_consistency_proof() {
    let later = Trusted::Checkpoint(kept(11));
    let error = verify(UNDER_6, &[later]).unwrap_err();
    assert_eq!(error.reason(), "not_trusted");
    let proof = ConsistencyProof::read(PROOFS[1].as_bytes()).unwrap();
    let earlier = Trusted::Checkpoint(proof.verify(&[kept(11)]).unwrap());
    assert_eq!(verify(UNDER_6, &[later, earlier]), Ok(1));
}

/// A consistency proof needs both of its halves: each of these passes one of them alone.
#[test]
fn a_consistency_proof_binds_the_earlier_root_and_the_earlier_block() {
    let honest = ConsistencyProof::read(PROOFS[1].as_bytes()).unwrap();
    let mut other_block = honest.clone();
    other_block.from.hash = BlockHash::from_bytes([1; 32]);
    assert_eq!(other_block.check().unwrap_err().reason(), "not_in_history");
    let mut other_past = honest;
    other_past.from.root = [1; 32];
    assert!(matches!(
        other_past.check(),
        Err(NotProven::NotConsistent(
            tree::InvalidPath::FirstRootMismatch
        ))
    ));
}

/// Each character is replaced, removed and doubled. The one change that leaves a true receipt is
/// that of a whole entry, which no single character makes.
#[test]
fn every_single_change_of_a_file_is_rejected() {
    for text in RECEIPTS.into_iter().filter(|text| text.len() < 3000) {
        let trusted = [Trusted::Checkpoint(kept(
            Receipt::read(text.as_bytes()).unwrap().under.index,
        ))];
        for at in 0..text.len() {
            for changed in changes(text, at) {
                let verdict = verify(&changed, &trusted);
                assert!(verdict.is_err(), "at byte {at}: {changed}");
            }
        }
    }
    for text in PROOFS {
        let trusted = ConsistencyProof::read(text.as_bytes()).unwrap().to.index;
        for at in 0..text.len() {
            for changed in changes(text, at) {
                let proof = ConsistencyProof::read(changed.as_bytes());
                let verdict = proof.and_then(|proof| proof.verify(&[kept(trusted)]));
                assert!(verdict.is_err(), "at byte {at}: {changed}");
            }
        }
    }
}

fn changes(text: &str, at: usize) -> [String; 3] {
    let (before, after) = (&text[..at], &text[at + 1..]);
    let byte = text.as_bytes()[at];
    let other = char::from(if byte == b'1' { b'2' } else { b'1' });
    let same = char::from(byte);
    [
        format!("{before}{other}{after}"),
        format!("{before}{after}"),
        format!("{before}{same}{same}{after}"),
    ]
}

#[test]
fn a_file_cut_off_anywhere_is_not_readable() {
    for at in 0..UNDER_11.len() - 1 {
        let error = Receipt::read(&UNDER_11.as_bytes()[..at]).unwrap_err();
        assert_eq!(error.reason(), "not_readable", "{at} bytes");
    }
    let error = Receipt::read(&UNDER_11.as_bytes()[..UNDER_11.len() - 1]).unwrap_err();
    assert_eq!(error.reason(), "not_canonical");
    let proof = PROOFS[0].as_bytes();
    for at in 0..proof.len() - 1 {
        let error = ConsistencyProof::read(&proof[..at]).unwrap_err();
        assert_eq!(error.reason(), "not_readable", "{at} bytes");
    }
    let line = CHECKPOINTS.lines().next().unwrap();
    for at in 0..line.len() {
        assert!(line[..at].parse::<Checkpoint>().is_err(), "{at} bytes");
        assert!(
            at == 0 || read_trust_file(&line[..at]).is_err(),
            "{at} bytes"
        );
    }
}

#[test]
fn a_file_that_is_not_json_is_not_readable_whatever_it_begins_with() {
    let cut = format!("{}]", UNDER_11.replace("\"under\"", "\"over\""));
    assert_eq!(
        Receipt::read(cut.as_bytes()).unwrap_err().reason(),
        "not_readable"
    );
}

#[test]
fn an_error_does_not_repeat_the_file() {
    let long = "a".repeat(10_000);
    let key = format!("\\u001b\\b{long}");
    for file in [
        format!("\"{long}\""),
        format!("{{\"{key}\":1}}"),
        // The parser meets the unknown key before the end that is missing.
        format!("{{\"{key}\":1"),
    ] {
        let error = Receipt::read(file.as_bytes()).unwrap_err().to_string();
        assert!(error.len() < 300, "{error}");
        assert!(error.contains("at line 1 column"), "{error}");
    }
}

#[test]
fn a_second_spelling_of_the_same_content_is_rejected() {
    let first_hash = "832d74a83766dbe6fa3cd0265586be6150cff7fec64674ede03be95b4a6fbc5b";
    for (from, to, reason) in [
        ("\n", "\r\n", "not_canonical"),
        (": ", ":", "not_canonical"),
        ("\"x\"", "\"\\u0078\"", "not_canonical"),
        ("\"x\"", "\"\\ud800\"", "not_readable"),
        ("\"index\": 11,", "\"index\": 11.0,", "not_well_formed"),
        (
            "\"index\": 11,",
            "\"index\": 11,\n  \"index\": 11,",
            "not_well_formed",
        ),
        (
            "\"index\": 11,",
            "\"index\": 9007199254740992,",
            "not_well_formed",
        ),
        ("\"root\"", "\"__proto__\"", "not_well_formed"),
        ("1700000017.244824", "1700000017.2448240", "not_well_formed"),
        (
            "1700000017.244824",
            "1.700000017244824e+09",
            "not_well_formed",
        ),
        (first_hash, "832D", "not_well_formed"),
        ("receipt/1", "receipt/2", "not_well_formed"),
    ] {
        let changed = UNDER_11.replacen(from, to, 1);
        assert_ne!(changed, UNDER_11, "{from}");
        let error = Receipt::read(changed.as_bytes()).unwrap_err();
        assert_eq!(error.reason(), reason, "{from}: {error}");
    }
    let error = Receipt::read(format!("\u{feff}{UNDER_11}").as_bytes()).unwrap_err();
    assert_eq!(error.reason(), "not_readable");
    let nested = "[".repeat(1 << 20);
    assert_eq!(
        Receipt::read(nested.as_bytes()).unwrap_err().reason(),
        "not_readable"
    );
}

#[test]
fn the_hash_of_an_open_block_binds_no_history_root() {
    let mut receipt = Receipt::read(UNDER_11.as_bytes()).unwrap();
    if let Some(link) = &mut receipt.under.link {
        link.proof = Proof::from(17);
    }
    let (under, _) = receipt.check().unwrap();
    assert_eq!(under.seal, Some(Seal::Open));
    let hash = Trusted::Hash(under.hash);
    let error = receipt.verify_against(&under, &[hash]).unwrap_err();
    assert_eq!(error.reason(), "unbound_root");
    let checkpoint = Trusted::Checkpoint(Checkpoint {
        hash: under.hash,
        ..kept(11)
    });
    assert_eq!(receipt.verify_against(&under, &[hash, checkpoint]), Ok(1));
    receipt.entries.clear();
    assert_eq!(receipt.verify_against(&under, &[hash]), Ok(0));
}

#[test]
fn a_checkpoint_of_another_block_contradicts_unless_one_of_another_network_proves() {
    let other = Checkpoint {
        genesis: BlockHash::from_bytes([1; 32]),
        hash: BlockHash::from_bytes([2; 32]),
        ..kept(11)
    };
    let other = Trusted::Checkpoint(other);
    let error = verify(UNDER_11, &[other]).unwrap_err();
    assert_eq!(error.reason(), "other_block");
    let same = Trusted::Checkpoint(kept(11));
    assert_eq!(verify(UNDER_11, &[other, same]), Ok(1));
}

#[test]
fn a_forged_later_block_breaks_its_seal_and_a_forged_entry_leaves_the_tree() {
    let forged = UNDER_11.replace("\"last\"", "\"lost\"");
    let error = verify(&forged, &[]).unwrap_err();
    assert_eq!(error, NotProven::BrokenSeal { index: 11 });
    let forged = UNDER_11.replace("22c4", "22c5");
    let error = verify(&forged, &[]).unwrap_err();
    assert_eq!(error.reason(), "not_in_history");
    let mut receipt = Receipt::read(UNDER_11.as_bytes()).unwrap();
    if let Some(link) = &mut receipt.entries[0].block.link {
        link.proof = Proof::from(17);
    }
    receipt.entries[0].history_root = None;
    let error = verify(&receipt.to_json().unwrap(), &[]).unwrap_err();
    assert_eq!(error.reason(), "not_in_history");
}

#[test]
fn a_receipt_is_made_from_the_nodes_of_the_tree() {
    let mut nodes = Vec::new();
    let mut history = crate::chain::History::default();
    let mut blocks = vec![Block::default_genesis()];
    for index in 1..12_u64 {
        let below = blocks.last().unwrap();
        let hash = BlockHash::of(below);
        history.append(&hash, |_, node| nodes.push(*node));
        let mut block = below.clone();
        block.index = index;
        block.link = Some(Link {
            previous_hash: hash,
            proof: Proof::from(index),
        });
        blocks.push(block);
    }
    let node = |position: u64| Ok::<_, String>(nodes[usize::try_from(position).unwrap()]);
    let entries = [0, 3, 10].map(|index: usize| blocks[index].clone());
    let receipt = Receipt::create(blocks[11].clone(), entries.to_vec(), node).unwrap();
    assert_eq!(receipt.root, history.root());
    receipt.check().unwrap();
    assert_eq!(
        Receipt::read(receipt.to_json().unwrap().as_bytes()),
        Ok(receipt)
    );
    let end = |index: usize| (index as u64, BlockHash::of(&blocks[index]));
    let proof = ConsistencyProof::create(end(0), end(11), node).unwrap();
    assert_eq!(proof.check(), Ok(()));
    let proof = ConsistencyProof::create(end(6), end(11), node).unwrap();
    assert_eq!(proof.check(), Ok(()));
}

#[test]
fn a_receipt_takes_at_most_two_reads_per_level_of_the_tree() {
    let sealed = Receipt::read(UNDER_11.as_bytes()).unwrap();
    let at = |index: u64| Block {
        index,
        ..sealed.entries[0].block.clone()
    };
    let mut most = 0;
    for size in [
        1_000_000,
        (1 << 20) - 1,
        1 << 20,
        0b1010_1010_1010_1010_1010,
    ] {
        let reads = |blocks: Vec<Block>| {
            let mut count = 0;
            let node = |_| {
                count += 1;
                Ok::<_, String>([0; 32])
            };
            Receipt::create(at(size), blocks, node).unwrap();
            count
        };
        let indexes = (0..1000).map(|n| n * 7919 % size);
        for index in indexes.chain([0, size / 2, size - 2, size - 1]) {
            most = most.max(reads(vec![at(index)]));
        }
        let batch = (0..100).map(|n| at(n * (size / 100)));
        assert!(reads(batch.collect()) <= 4000);
    }
    assert!(most <= 40, "{most} reads");
}

#[test]
fn a_receipt_that_no_reader_accepts_is_not_written() {
    let mut receipt = Receipt::read(UNDER_11.as_bytes()).unwrap();
    // Each character takes six bytes.
    let text = "\u{1}".repeat(crate::chain::message::MAX_TEXT_BYTES);
    let id = receipt.under.message.id();
    receipt.entries[0].block.message = Message::new(id, text).unwrap();
    assert!(receipt.to_json().is_some());
    receipt.entries = vec![receipt.entries[0].clone(); 11];
    assert_eq!(receipt.to_json(), None);
}
