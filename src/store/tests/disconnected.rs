use super::*;
use crate::chain::BlockHash;
use crate::store::disconnected::{Disconnected, MAX_BLOCKS};

fn kept(database: &TestDatabase, reorg: Option<u64>, from: u64) -> Vec<Disconnected> {
    let mut kept = Vec::new();
    let view = database.view();
    let each = |found| {
        kept.push(found);
        Ok(true)
    };
    view.each_disconnected(reorg, from, each).unwrap();
    kept
}

#[test]
fn the_content_of_disconnected_blocks_is_kept_as_it_was_in_the_chain() {
    let old = [message(1, "a"), message(2, "b")];
    let mut database = TestDatabase::new(&old);
    let root = database.view().history(2).unwrap().root();
    let (first, second) = (chain(&old), [3, 4, 5].map(|id| message(id, "new")));
    assert_eq!(kept(&database, None, 0), []);
    database.adopt(&second).unwrap();
    let found = kept(&database, None, 0);
    let blocks: Vec<_> = found.iter().map(|found| found.block.clone()).collect();
    assert_eq!(blocks, first[1..]);
    assert_eq!((found[1].reorg, found[1].history_root), (1, root));
    assert!(found[0].difficulty.is_some_and(|zeros| zeros > 0));
    database
        .adopt(&[6, 7, 8, 9].map(|id| message(id, "newer")))
        .unwrap();
    let reorgs = |found: &[Disconnected]| found.iter().map(|found| found.reorg).collect::<Vec<_>>();
    assert_eq!(reorgs(&kept(&database, None, 0)), [2, 2, 2, 1, 1]);
    assert_eq!(kept(&database, Some(1), 0), found);
    assert_eq!(kept(&database, Some(1), 2), found[1..]);
    assert_eq!(kept(&database, Some(3), 0), []);
    let hashes = kept(&database, Some(2), 0)
        .into_iter()
        .map(|found| BlockHash::of(&found.block));
    let listed = database
        .view()
        .reorgs(2, 1)
        .unwrap()
        .remove(0)
        .1
        .disconnected_blocks;
    assert!(
        hashes
            .map(|hash| *hash.as_bytes())
            .eq(listed.iter().map(|block| block.hash))
    );
}

#[test]
fn the_kept_content_is_bounded() {
    let many = |count: usize, text: &str| -> Vec<Message> {
        let message = |n: usize| {
            let id = MessageId::from_bytes((n as u128).to_be_bytes());
            Message::new(id, text.to_owned()).unwrap()
        };
        (0..count).map(message).collect()
    };
    let mut database = TestDatabase::new(&many(MAX_BLOCKS - 1, "x"));
    database.adopt(&many(MAX_BLOCKS + 1, "y")).unwrap();
    assert_eq!(kept(&database, None, 0).len(), MAX_BLOCKS - 1);
    database.adopt(&many(MAX_BLOCKS + 2, "z")).unwrap();
    let found = kept(&database, None, 0);
    assert_eq!(
        found.len(),
        MAX_BLOCKS,
        "the lowest of the longer branch alone"
    );
    assert!(found.iter().all(|found| found.reorg == 2));
    assert_eq!(found[0].block.index, 1);

    let large = "x".repeat(MAX_TEXT_BYTES);
    let mut database = TestDatabase::new(&many(70, &large));
    database.adopt(&many(71, "y")).unwrap();
    let count = kept(&database, None, 0).len();
    assert!((60..64).contains(&count), "{count} blocks of 256 KiB");
}

#[test]
fn an_acknowledgement_is_kept_and_never_above_the_last_reorg() {
    let mut database = TestDatabase::new(&[message(1, "a")]);
    assert_eq!(database.view().acknowledged().unwrap(), 0);
    database.adopt(&[message(2, "b"), message(3, "c")]).unwrap();
    database.change(|edit| edit.acknowledge(7).map(Ok)).unwrap();
    assert_eq!(database.view().acknowledged().unwrap(), 1);
}
