use redb::ReadableTableMetadata;

use super::*;
use crate::chain::{Block, BlockHash, Message, MessageId};
use crate::store::integrity::{Audit, check_range};
use crate::store::tables;
use crate::store::tests::{TestDatabase, chain};

/// Messages with these numbers, whose ids are spread over the keys.
fn messages(numbers: std::ops::Range<u32>) -> Vec<Message> {
    let spread = |number: u32| {
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
        Message::new(MessageId::from_bytes(id), number.to_string()).unwrap()
    };
    numbers.map(spread).collect()
}

/// A database whose blocks were connected one commit each.
fn grown(messages: &[Message]) -> (TestDatabase, Vec<Block>) {
    let (mut database, blocks) = (TestDatabase::new(&[]), chain(messages));
    for block in &blocks[1..] {
        let parent = database.state.tip.hash;
        let block = std::slice::from_ref(block);
        database.change(|edit| edit.append(&parent, block)).unwrap();
    }
    (database, blocks)
}

/// Numbers of rows in the main and the recent table of the index by hash.
fn sizes(database: &mut TestDatabase) -> (u64, u64) {
    let sizes = database.change(|edit| {
        let index = &edit.index_by_hash;
        Ok(Ok((index.main.len()?, index.recent.len()?)))
    });
    sizes.unwrap()
}

#[test]
fn rows_move_to_the_main_table_and_are_found_in_both() {
    let (mut database, blocks) = grown(&messages(0..200));
    assert_eq!(
        sizes(&mut database),
        (201 - MIN_RECENT_ROWS, MIN_RECENT_ROWS)
    );
    let view = database.view();
    for block in &blocks {
        let found = view.block_with_hash(&BlockHash::of(block)).unwrap();
        assert_eq!(found.as_ref(), Some(block));
        let found = view.block_of_message(&block.message.id()).unwrap();
        assert_eq!(found.as_ref(), Some(block));
    }
    let mut hashes: Vec<_> = blocks.iter().map(BlockHash::of).collect();
    hashes.sort_unstable_by_key(|hash| *hash.as_bytes());
    let index = |hash: &BlockHash| view.index_of(hash).unwrap().unwrap();
    let expected: Vec<_> = hashes[20..70].iter().map(index).collect();
    assert_eq!(
        view.indexes_of(&hashes[20], &hashes[180], 50).unwrap(),
        expected
    );
    assert_eq!(
        tables::INDEX_BY_HASH
            .read(view.transaction())
            .unwrap()
            .len()
            .unwrap(),
        201
    );
    Audit::new(&view).unwrap();
    check_range(&view, 0, database.state.length()).unwrap();
}

#[test]
fn an_aborted_commit_moves_nothing() {
    let (mut database, blocks) = grown(&messages(0..100));
    let before = sizes(&mut database);
    let parent = database.state.tip.hash;
    let more = chain(&messages(0..110));
    let txn = database.engine.begin_write().unwrap();
    let mut edit = crate::store::edit::Edit::open(&txn, database.state.clone()).unwrap();
    edit.append(&parent, &more[101..]).unwrap().unwrap();
    edit.finish().unwrap();
    txn.abort().unwrap();
    assert_eq!(sizes(&mut database), before);
    assert_eq!(
        database.view().tip_block().unwrap().index + 1,
        blocks.len() as u64
    );
}

#[test]
fn a_reorg_removes_rows_of_both_tables() {
    let (mut database, blocks) = grown(&messages(0..120));
    let offered = messages(200..330);
    database.adopt(&offered).unwrap();
    let view = database.view();
    for block in &blocks[1..] {
        assert_eq!(view.index_of(&BlockHash::of(block)).unwrap(), None);
        assert_eq!(view.index_of_message(&block.message.id()).unwrap(), None);
    }
    for (index, message) in (1..).zip(&offered) {
        assert_eq!(view.index_of_message(&message.id()).unwrap(), Some(index));
    }
    Audit::new(&view).unwrap();
    check_range(&view, 0, database.state.length()).unwrap();
}

#[test]
fn the_lowest_of_two_blocks_with_one_id_is_found() {
    // The second is in the same table at first, then in the other one.
    for distance in [1, 150] {
        let mut all = messages(0..5);
        all.extend(messages(1000..1000 + distance));
        let again = all[2].clone();
        all.push(again.clone());
        all.extend(messages(2000..2100));
        let (database, _) = grown(&all);
        let found = database.view().index_of_message(&again.id()).unwrap();
        assert_eq!(found, Some(3), "{distance}");
    }
}

#[test]
fn a_reorg_returns_two_messages_with_one_id_and_the_first_keeps_it() {
    let mut all = messages(0..5);
    let (id, first) = (all[2].id(), all[2].clone());
    all.extend(messages(1000..1150));
    all.push(Message::new(id, "another text".to_owned()).unwrap());
    let (mut database, _) = grown(&all);
    database.adopt(&messages(2000..2160)).unwrap();
    let view = database.view();
    assert_eq!(view.pending(&id).unwrap().unwrap().message, first);
    assert_eq!(view.current_id(id).unwrap(), id);
}

#[test]
fn many_rows_are_written_and_moved_in_parts() {
    let mut database = TestDatabase::new(&[]);
    let count = ROWS_AT_ONCE as u64 + 5000;
    let key = |number: u64| {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        key
    };
    let added = database.change(|edit| {
        for number in 1..=count {
            edit.index_by_hash.insert(&key(number), number)?;
        }
        assert!(edit.index_by_hash.added.len() < ROWS_AT_ONCE);
        Ok(Ok(()))
    });
    added.unwrap();
    let (main, recent) = sizes(&mut database);
    assert_eq!(
        (main + recent, recent),
        (count + 1, (count + 1) / RECENT_DIVISOR)
    );
    let view = database.view();
    let index = tables::INDEX_BY_HASH.read(view.transaction()).unwrap();
    for number in [1, 2, count / 2, count] {
        assert_eq!(index.get(&key(number)).unwrap(), Some(number));
    }
}
