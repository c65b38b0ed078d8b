//! Checking many blocks at once gives the same results as checking one after the other.

use std::slice;

use super::*;

/// Enough blocks for several chunks; every third is open.
fn blocks() -> Vec<Block> {
    let mut checker = checker(None);
    let mut blocks = vec![Block::default_genesis()];
    for number in 1..300 {
        let block = match number % 3 {
            0 => after(checker.tip().unwrap(), 1),
            _ => sealed_after(&checker),
        };
        checker.push(&block).unwrap();
        blocks.push(block);
    }
    blocks
}

/// Blocks that pass, the first invalid block, and the state of the checker after them.
type Outcome = (
    Vec<(BlockHash, Option<Seal>, bool, Vec<NodeHash>)>,
    Option<InvalidBlock>,
    String,
);

/// Checks the blocks in batches of `at_a_time`.
fn check(blocks: &[Block], at_a_time: usize) -> Outcome {
    let mut checker = Checker::new(ONE, Some(290));
    let mut passes = Vec::new();
    for batch in blocks.chunks(at_a_time) {
        let pushed = checker.push_all(batch, |passed| {
            let acceptable = passed.acceptable.is_ok();
            passes.push((passed.hash, passed.seal, acceptable, passed.nodes.to_vec()));
            Ok(())
        });
        if let Err(invalid) = pushed {
            return (passes, Some(invalid), format!("{checker:?}"));
        }
    }
    (passes, None, format!("{checker:?}"))
}

#[test]
fn batches_of_any_size_give_the_same_result() {
    let blocks = blocks();
    let singly = check(&blocks, 1);
    assert_eq!((singly.0.len(), &singly.1), (300, &None));
    let count = |seal| singly.0.iter().filter(|pass| pass.1 == Some(seal)).count();
    assert_eq!((count(Seal::Sealed), count(Seal::Open)), (200, 99));
    assert_eq!(singly.0.iter().filter(|pass| !pass.2).count(), 3);
    for (pass, block) in singly.0.iter().zip(&blocks) {
        assert_eq!(pass.0, BlockHash::of(block));
    }
    for at_a_time in [2, 127, 128, 129, 299, 300] {
        assert_eq!(check(&blocks, at_a_time), singly, "{at_a_time} at a time");
    }
}

#[test]
fn a_batch_stops_before_its_first_invalid_block() {
    let good = blocks();
    let changes: [fn(&mut Block); 5] = [
        |block| block.index += 1,
        |block| block.link = None,
        |block| block.link.as_mut().unwrap().previous_hash = BlockHash::from_bytes([7; 32]),
        |block| block.link.as_mut().unwrap().proof = Proof::from(5),
        |block| block.timestamp = Timestamp::float(1.0).unwrap(),
    ];
    for (change, at) in changes.iter().zip([1, 127, 128, 200, 299]) {
        let mut blocks = good.clone();
        change(&mut blocks[at]);
        let singly = check(&blocks, 1);
        assert_eq!(singly.0.len(), at);
        assert_eq!(singly.1.as_ref().unwrap().index, at as u64);
        for at_a_time in [129, 300] {
            assert_eq!(check(&blocks, at_a_time), singly, "{at_a_time} at a time");
        }
    }
}

#[test]
fn a_changed_message_breaks_the_seal_and_the_link_of_the_next_block() {
    let mut blocks = blocks();
    let block = &mut blocks[160];
    block.message = message("changed");
    let (passes, invalid, _) = check(&blocks, 300);
    // The hash of the block has changed, so the next block does not follow it.
    assert_eq!(passes.len(), 161);
    assert_eq!(passes[160].1, Some(Seal::Broken));
    assert!(matches!(
        invalid.unwrap().violation,
        RuleViolation::PreviousHash { .. }
    ));
    assert!(check(slice::from_ref(&blocks[1]), 1).0.is_empty());
}
