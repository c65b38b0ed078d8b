mod batch;

use super::super::seal;
use super::super::{Link, Message, MessageId};
use super::*;
use crate::pow;

const ONE: Difficulty = Difficulty::MIN;

fn difficulty(zeros: u8) -> Difficulty {
    Difficulty::new(zeros).unwrap()
}

fn message(text: &str) -> Message {
    Message::new(MessageId::from_bytes([1; 16]), text.to_owned()).unwrap()
}

/// Returns the smallest proof that starts with `start` and has at least `zeros` zeros.
fn proof_after(tip: &Tip, start: &str, zeros: u8) -> Proof {
    let fits = |proof: &String| pow::zeros(tip.proof_text(), proof.as_bytes()) >= zeros;
    let found = (0..u64::MAX)
        .map(|nonce| format!("{start}{nonce}"))
        .find(fits);
    found.unwrap().parse().unwrap()
}

/// Returns an open block one second after the tip, whose proof has at least `zeros` zeros.
fn after(tip: &Tip, zeros: u8) -> Block {
    let time = Timestamp::float(tip.timestamp.seconds() + 1.0).unwrap();
    tip.successor(message("x"), time, proof_after(tip, "", zeros))
}

/// Returns a sealed block one second after the tip.
fn sealed_after(checker: &Checker) -> Block {
    let tip = checker.tip().unwrap();
    let (message, seconds) = (message("x"), tip.timestamp.seconds() + 1.0);
    let root = checker.history().root();
    let start = seal::commitment(tip.index + 1, &tip.hash, &root, &message, seconds);
    let time = Timestamp::float(seconds).unwrap();
    tip.successor(message, time, proof_after(tip, &start, 1))
}

/// Checks rules 2 to 5 and returns the zeros of the proof.
fn check_successor(tip: &Tip, block: &Block, difficulty: Difficulty) -> Result<u8, RuleViolation> {
    let proof = block.proof().map_or(&b""[..], Proof::as_bytes);
    let zeros = pow::zeros(tip.proof_text(), proof);
    super::check_successor(tip, block, zeros, difficulty).map(|()| zeros)
}

fn genesis_tip() -> Tip {
    Tip::of(&Block::default_genesis())
}

/// Returns a checker whose tip is the genesis block.
fn checker(sealed_from: Option<u64>) -> Checker {
    let mut checker = Checker::new(ONE, sealed_from);
    assert_eq!(checker.push(&Block::default_genesis()), Ok(None));
    checker
}

#[test]
fn a_genesis_block_has_index_0() {
    let mut genesis = Block::default_genesis();
    assert_eq!(check_genesis(&genesis), Ok(()));
    genesis.index = 1;
    assert_eq!(
        check_genesis(&genesis),
        Err(RuleViolation::GenesisIndex { found: 1 })
    );
}

#[test]
fn a_genesis_block_has_neither_proof_nor_previous_hash() {
    let mut genesis = Block::default_genesis();
    let (previous_hash, proof) = (BlockHash::from_bytes([0; 32]), Proof::from(0));
    genesis.link = Some(Link {
        previous_hash,
        proof: proof.clone(),
    });
    let expected = RuleViolation::GenesisLink {
        proof,
        previous_hash,
    };
    assert_eq!(check_genesis(&genesis), Err(expected));
}

#[test]
fn the_index_is_one_more_than_that_of_the_previous_block() {
    let tip = genesis_tip();
    let good = after(&tip, 1);
    assert!(check_successor(&tip, &good, ONE).is_ok());
    for found in [0, 2, u64::MAX] {
        let block = Block {
            index: found,
            ..good.clone()
        };
        let expected = RuleViolation::Index { expected: 1, found };
        assert_eq!(check_successor(&tip, &block, ONE), Err(expected));
    }
}

#[test]
fn no_block_follows_the_maximum_index() {
    let tip = Tip {
        index: u64::MAX,
        ..genesis_tip()
    };
    let block = after(&genesis_tip(), 1);
    for found in [0, 1, u64::MAX] {
        let block = Block {
            index: found,
            ..block.clone()
        };
        let expected = RuleViolation::Index {
            expected: u64::MAX,
            found,
        };
        assert_eq!(check_successor(&tip, &block, ONE), Err(expected));
    }
}

#[test]
fn every_later_block_has_a_previous_hash_and_a_proof() {
    let tip = genesis_tip();
    let block = Block {
        link: None,
        ..after(&tip, 1)
    };
    let expected = RuleViolation::NoLink { expected: tip.hash };
    assert_eq!(check_successor(&tip, &block, ONE), Err(expected));
}

#[test]
fn the_previous_hash_is_that_of_the_previous_block() {
    let tip = genesis_tip();
    let mut block = after(&tip, 1);
    let found = BlockHash::from_bytes([7; 32]);
    block.link.as_mut().unwrap().previous_hash = found;
    let expected = RuleViolation::PreviousHash {
        expected: tip.hash,
        found,
    };
    assert_eq!(check_successor(&tip, &block, ONE), Err(expected));
}

#[test]
fn a_proof_needs_the_difficulty_of_the_checking_node() {
    let tip = genesis_tip();
    // The first proofs of the reference miner at difficulty 1 to 4.
    for (zeros, proof) in [(1, 1), (2, 350), (3, 3969), (4, 15558)] {
        let mut block = after(&tip, 1);
        block.link.as_mut().unwrap().proof = Proof::from(proof);
        assert_eq!(check_successor(&tip, &block, difficulty(zeros)), Ok(zeros));
        let expected = difficulty(zeros + 1);
        let violation = RuleViolation::ProofOfWork {
            expected,
            found: zeros,
        };
        assert_eq!(check_successor(&tip, &block, expected), Err(violation));
    }
}

#[test]
fn the_time_is_later_than_that_of_the_previous_block() {
    let tip = genesis_tip();
    let previous = tip.timestamp;
    let earlier = Timestamp::float(previous.seconds().next_down()).unwrap();
    for found in [previous, earlier, Timestamp::integer(0).unwrap()] {
        let block = Block {
            timestamp: found,
            ..after(&tip, 1)
        };
        let expected = RuleViolation::Time { previous, found };
        assert_eq!(check_successor(&tip, &block, ONE), Err(expected));
    }
    let next = previous.next(0.0);
    let block = Block {
        timestamp: next,
        ..after(&tip, 1)
    };
    assert!(
        check_successor(&tip, &block, ONE).is_ok(),
        "the next double is later"
    );
}

#[test]
fn an_integer_time_is_not_later_than_the_equal_float() {
    let whole = Timestamp::float(1.6e9).unwrap();
    let tip = Tip {
        timestamp: whole,
        ..genesis_tip()
    };
    let found = Timestamp::integer(1_600_000_000).unwrap();
    let block = Block {
        timestamp: found,
        ..after(&tip, 1)
    };
    let expected = RuleViolation::Time {
        previous: whole,
        found,
    };
    assert_eq!(check_successor(&tip, &block, ONE), Err(expected));
}

#[test]
fn rules_are_checked_in_their_order() {
    let tip = genesis_tip();
    let mut block = Block {
        index: 9,
        timestamp: tip.timestamp,
        message: message("x"),
        link: Some(Link {
            previous_hash: BlockHash::from_bytes([7; 32]),
            proof: Proof::from(2),
        }),
    };
    let check = |block: &Block| check_successor(&tip, block, ONE).unwrap_err();
    assert!(matches!(check(&block), RuleViolation::Index { .. }));
    block.index = 1;
    assert!(matches!(check(&block), RuleViolation::PreviousHash { .. }));
    block.link.as_mut().unwrap().previous_hash = tip.hash;
    assert!(matches!(check(&block), RuleViolation::ProofOfWork { .. }));
    block.link.as_mut().unwrap().proof = Proof::from(1);
    assert!(matches!(check(&block), RuleViolation::Time { .. }));
}

#[test]
fn a_broken_seal_is_rejected_with_and_without_sealed_from() {
    for sealed_from in [None, Some(1), Some(100)] {
        let mut checker = checker(sealed_from);
        let mut block = sealed_after(&checker);
        block.message = message("other");
        assert_eq!(checker.push(&block), Err(RuleViolation::BrokenSeal));
        assert_eq!(
            check_seal(1, Some(Seal::Broken), sealed_from),
            Err(RuleViolation::BrokenSeal)
        );
    }
}

#[test]
fn open_blocks_are_rejected_from_sealed_from_on() {
    let mut checker = checker(Some(2));
    let open = after(checker.tip().unwrap(), 1);
    assert_eq!(checker.push(&open), Ok(Some(Seal::Open)), "below the index");
    let mut at = checker.clone();
    let open = after(at.tip().unwrap(), 1);
    assert_eq!(
        at.push(&open),
        Err(RuleViolation::NotSealed { sealed_from: 2 })
    );
    let sealed = sealed_after(&checker);
    assert_eq!(checker.push(&sealed), Ok(Some(Seal::Sealed)));
    assert_eq!(
        check_seal(0, None, Some(0)),
        Ok(()),
        "a genesis block has no proof to seal"
    );
}

#[test]
fn a_broken_rule_does_not_change_the_checker() {
    let mut checker = checker(None);
    let good = after(checker.tip().unwrap(), 1);
    let before = format!("{checker:?}");
    let bad = Block {
        index: 5,
        ..good.clone()
    };
    assert!(checker.push(&bad).is_err());
    assert_eq!(format!("{checker:?}"), before);
    assert_eq!(checker.next_index(), 1);
    assert_eq!(checker.push(&good), Ok(Some(Seal::Open)));
    assert_eq!(checker.next_index(), 2);
}

#[test]
fn checking_continues_after_an_unacceptable_seal() {
    let mut checker = checker(Some(1));
    let open = after(checker.tip().unwrap(), 1);
    assert!(checker.push(&open).is_err());
    let sealed = sealed_after(&checker);
    assert_eq!(checker.push(&sealed), Ok(Some(Seal::Sealed)));
    let mut broken = sealed_after(&checker);
    broken.message = message("other");
    assert!(checker.push(&broken).is_err());
    let counts = SealCounts {
        sealed: 1,
        open: 1,
        broken: 1,
    };
    assert_eq!((checker.seals(), checker.next_index()), (counts, 4));
}

#[test]
fn a_chain_is_valid_up_to_the_difficulty_of_its_easiest_proof() {
    let mut chain = vec![Block::default_genesis()];
    for zeros in [3, 2, 1, 2] {
        // The smallest proof with exactly this number of zeros, not with at least as many.
        let tip = Tip::of(chain.last().unwrap());
        let exact = (0..u64::MAX)
            .map(Proof::from)
            .find(|proof| pow::zeros(tip.proof_text(), proof.as_bytes()) == zeros);
        let time = tip.timestamp.next(0.0);
        chain.push(tip.successor(message("x"), time, exact.unwrap()));
    }
    for (zeros, rejected) in [
        (1, None),
        (2, Some((3, 1))),
        (3, Some((2, 2))),
        (4, Some((1, 3))),
    ] {
        let mut checker = Checker::new(difficulty(zeros), None);
        let found = chain.iter().find_map(|block| {
            let violation = checker.push(block).err()?;
            Some((block.index, violation))
        });
        let expected = rejected.map(|(index, found)| {
            let expected = difficulty(zeros);
            (index, RuleViolation::ProofOfWork { expected, found })
        });
        assert_eq!(found, expected, "difficulty {zeros}");
        if found.is_none() {
            assert_eq!(checker.min_zeros(), Some(1));
        }
    }
    assert_eq!(checker(None).min_zeros(), None);
}

#[test]
fn a_checker_resumed_above_a_tip_agrees_with_one_from_the_genesis() {
    let mut whole = checker(Some(1));
    (0..5).for_each(|_| {
        let block = sealed_after(&whole);
        whole.push(&block).unwrap();
    });
    let above =
        Checker::new(ONE, Some(1)).above(whole.tip().unwrap().clone(), whole.history().clone());
    let block = sealed_after(&whole);
    for mut checker in [whole, above] {
        assert_eq!(checker.push(&block), Ok(Some(Seal::Sealed)));
        assert_eq!(checker.tip(), Some(&Tip::of(&block)));
    }
}

#[test]
fn violations_name_the_rule_the_expected_and_the_found_value() {
    let tip = genesis_tip();
    let text = |block: &Block, zeros| {
        check_successor(&tip, block, difficulty(zeros))
            .unwrap_err()
            .to_string()
    };
    let good = after(&tip, 1);
    let other = Block {
        index: 4,
        ..good.clone()
    };
    assert_eq!(text(&other, 1), "breaks rule 2: the index is 4, expected 1");
    assert_eq!(
        text(&good, 3),
        "breaks rule 4: the digest of the proofs ends with 1 zero, expected 3 or more"
    );
    let early = Block {
        timestamp: Timestamp::integer(5).unwrap(),
        ..good
    };
    assert_eq!(
        text(&early, 1),
        "breaks rule 5: the time is 5, expected later than 1581268484.244806"
    );
}
