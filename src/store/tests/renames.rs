//! Messages whose ids other messages took.

use super::*;

#[test]
fn a_message_that_was_renamed_twice_is_found_by_each_of_its_ids() {
    let mine = message(1, "mine");
    let (once, twice) = (mine.renamed(), mine.renamed().renamed());
    let with_id = |id, text: &str| Message::new(id, text.to_owned()).unwrap();
    let taken = [with_id(mine.id(), "first"), with_id(once.id(), "second")];
    let mut database = TestDatabase::new(&[]);
    database.add(mine.clone(), None, 0).unwrap();
    for length in 1..=2 {
        let parent = database.state.tip.hash;
        let blocks = chain(&taken[..length]);
        database
            .change(|edit| edit.append(&parent, &blocks[length..]))
            .unwrap();
    }
    assert_eq!(database.pending(), std::slice::from_ref(&twice));
    let view = database.view();
    for id in [mine.id(), once.id(), twice.id()] {
        assert_eq!(view.current_id(id).unwrap(), twice.id());
    }
}

#[test]
fn a_circle_of_renamings_is_damage() {
    let database = TestDatabase::new(&[]);
    let (a, b) = (message(1, "a").id(), message(2, "b").id());
    let txn = database.engine.begin_write().unwrap();
    {
        let mut renamed = txn.open_table(tables::RENAMED).unwrap();
        renamed.insert(a.as_bytes(), b.as_bytes()).unwrap();
        renamed.insert(b.as_bytes(), a.as_bytes()).unwrap();
    }
    txn.commit().unwrap();
    let found = database.view().current_id(a);
    assert!(
        matches!(found, Err(StoreError::Corrupt { .. })),
        "{found:?}"
    );
}
