use super::*;
use crate::chain::{BlockHash, Checker, Derived, History, SealDetails, derive_all, seal};
use crate::store::integrity::{Audit, check_range};
use crate::store::value;

/// Returns a chain with these messages, of which block 3 is open and all others are sealed.
fn sealed_chain(messages: &[Message]) -> Vec<Block> {
    let mut checker = Checker::new(Difficulty::MIN, None);
    let mut blocks = vec![Block::default_genesis()];
    checker.push(&blocks[0]).unwrap();
    for message in messages {
        let tip = checker.tip().unwrap();
        let time = tip.timestamp.next(0.0);
        let (index, root) = (tip.index + 1, checker.history().root());
        let start = match index {
            3 => String::new(),
            _ => seal::commitment(index, &tip.hash, &root, message, time.seconds()),
        };
        let mut proofs = (0..u64::MAX).map(|nonce| format!("{start}{nonce}"));
        let proof = proofs.find(|proof| pow::zeros(tip.proof_text(), proof.as_bytes()) > 0);
        let proof = proof.unwrap().parse().unwrap();
        let block = tip.successor(message.clone(), time, proof);
        checker.push(&block).unwrap();
        blocks.push(block);
    }
    blocks
}

/// Returns what the chain itself says about each block, as comparable text.
fn expected(blocks: &[Block]) -> Vec<String> {
    let derived = derive_all(&mut History::default(), None, blocks);
    derived.iter().map(text).collect()
}

fn text(derived: &Derived) -> String {
    format!("{derived:?}")
}

/// Returns the values that the database gives for each block, and how many are stored.
fn found(database: &TestDatabase) -> (Vec<String>, usize) {
    let view = database.view();
    let blocks = view.blocks(0, PageLimit::SCAN).unwrap();
    let values = blocks.iter().map(|block| view.derived(block).unwrap());
    let values = values.map(|derived| text(&derived)).collect();
    let stored = blocks
        .iter()
        .filter_map(|block| stored(database, block.index));
    (values, stored.count())
}

fn stored(database: &TestDatabase, index: u64) -> Option<SealDetails> {
    let view = database.view();
    let table = view.transaction().open_table(tables::BLOCKS).unwrap();
    let row = table.get(index).unwrap().unwrap();
    value::details(index, row.value()).unwrap()
}

fn database(blocks: &[Block]) -> TestDatabase {
    let mut database = TestDatabase::new(&[]);
    let parent = BlockHash::of(&blocks[0]);
    let appended = database.change(|edit| edit.append(&parent, &blocks[1..]));
    appended.unwrap();
    database
}

/// Runs the full check of `verify --db`.
fn audit(database: &TestDatabase) -> Result<(), StoreError> {
    let view = database.view();
    let mut audit = Audit::new(&view)?;
    let blocks = view.blocks(0, PageLimit::SCAN)?;
    audit.measure(&blocks);
    let mut checker = Checker::new(Difficulty::MIN, None);
    let pushed = checker.push_all(&blocks, |passed| {
        audit.push(&passed);
        passed.acceptable
    });
    pushed.unwrap();
    audit.finish().map(drop)
}

#[test]
fn the_values_of_sealed_blocks_are_stored_and_right_also_after_a_reorg() {
    let blocks = sealed_chain(&[1, 2, 3, 4, 5].map(|id| message(id, "old")));
    let mut database = database(&blocks);
    assert_eq!(found(&database), (expected(&blocks), 4));
    audit(&database).unwrap();

    let branch = sealed_chain(&[1, 6, 7, 8, 9, 10].map(|id| message(id, "old")));
    database.adopt_branch(&branch[2..]).unwrap();
    assert_eq!(found(&database), (expected(&branch), 5));
    audit(&database).unwrap();
    check_range(&database.view(), 1, 7).unwrap();
}

#[test]
fn blocks_of_earlier_layouts_have_the_same_values() {
    let blocks = sealed_chain(&[1, 2, 3, 4, 5].map(|id| message(id, "text")));
    let mut database = database(&blocks);
    let earlier = database.change(|edit| {
        for block in &blocks[..4] {
            edit.blocks
                .insert(block.index, &*value::encode_block(block))?;
        }
        Ok(Ok(()))
    });
    earlier.unwrap();
    assert_eq!(found(&database), (expected(&blocks), 2));
    audit(&database).unwrap();
}

#[test]
fn stored_values_that_are_not_those_of_the_chain_are_damage() {
    let blocks = sealed_chain(&[1, 2, 3, 4].map(|id| message(id, "text")));
    let right = stored(&database(&blocks), 2).unwrap();
    let (mut root, mut zeros) = (right, right);
    root.history_root[31] ^= 1;
    zeros.zeros += 1;
    for (index, wrong) in [(2, root), (2, zeros), (3, right)] {
        let mut database = database(&blocks);
        let block = &blocks[usize::try_from(index).unwrap()];
        let forged = database.change(|edit| {
            let value = value::encode_connected(block, Some(&wrong));
            edit.blocks.insert(index, &*value)?;
            Ok(Ok(()))
        });
        forged.unwrap();
        let named = format!("block {index}: the details of its seal are not those of the chain");
        let errors = [
            audit(&database).unwrap_err(),
            check_range(&database.view(), 1, 5).unwrap_err(),
        ];
        for error in errors {
            assert!(error.to_string().contains(&named), "{error}");
        }
    }
}
