use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::chain::{BlockHash, Checker};
use crate::store::tests::{chain, message};
use crate::store::{Operation, PageLimit, Store, View};

const NETWORK: Network = Network {
    difficulty: Difficulty::MIN,
    sealed_from: Some(6),
};

/// Returns the pages of a chain of six blocks, in which an id appears twice.
fn pages() -> (Vec<Block>, Vec<BulkPage>) {
    let ids = [3, 1, 2, 1, 4];
    let messages: Vec<_> = ids.map(|id| message(id, &format!("text {id}"))).into();
    let blocks = chain(&messages);
    let mut checker = Checker::new(Difficulty::MIN, None);
    let pages = blocks.chunks(4).map(|blocks| {
        let mut page = BulkPage::default();
        let pushed = checker.push_all(blocks, |passed| {
            page.push(&passed);
            passed.acceptable
        });
        pushed.unwrap();
        page.encode(blocks);
        page
    });
    let pages = pages.collect();
    (blocks, pages)
}

/// Returns everything that a view of the chain shows.
fn content(view: &View) -> (Vec<Block>, State, Vec<Option<u64>>) {
    let limit = PageLimit {
        count: 100,
        bytes: usize::MAX,
    };
    let blocks = view.blocks(0, limit).unwrap();
    let by_hash = blocks
        .iter()
        .map(|block| view.index_of(&BlockHash::of(block)));
    let by_message = blocks
        .iter()
        .map(|block| view.index_of_message(&block.message.id()));
    let indexes = by_hash.chain(by_message).map(Result::unwrap).collect();
    (blocks, State::load(view).unwrap(), indexes)
}

#[test]
fn a_bulk_load_and_single_blocks_make_the_same_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bulk.redb");
    let (blocks, pages) = pages();
    let mut load = BulkLoad::start(&path, &blocks[0], 0).unwrap();
    for page in pages {
        load.push(page).unwrap();
    }
    assert_eq!(load.finish(NETWORK).unwrap().repeated_ids, 1);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "only its owner may read it");
    let loaded = Store::open(&path, 0, Box::new(|_| {})).unwrap();

    let single = Store::in_memory(&blocks[0], NETWORK).unwrap();
    for pair in blocks.windows(2) {
        let (parent, block) = (BlockHash::of(&pair[0]), pair[1].clone());
        single
            .write(|reply| Operation::Append(parent, vec![block], reply))
            .unwrap();
    }
    let (loaded, single) = (loaded.view().unwrap(), single.view().unwrap());
    assert_eq!(
        format!("{:?}", content(&loaded)),
        format!("{:?}", content(&single))
    );
    assert_eq!(loaded.network().unwrap(), NETWORK);
}

#[test]
fn an_abandoned_load_has_ended_when_it_is_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bulk.redb");
    let (blocks, mut pages) = pages();
    let mut load = BulkLoad::start(&path, &blocks[0], 0).unwrap();
    load.push(pages.remove(0)).unwrap();
    drop(load);
    // Its lock is released.
    let opened = Engine::open_writable(&path).unwrap();
    assert!(
        opened
            .begin_write()
            .unwrap()
            .list_tables()
            .unwrap()
            .next()
            .is_none()
    );
    drop(opened);
    fs::remove_file(path).unwrap();
}

#[test]
fn a_full_disk_ends_the_load_with_a_named_error() {
    let folder = tempfile::tempdir().unwrap();
    let (blocks, pages) = pages();
    let path = folder.path().join("bulk.redb");
    let mut load = BulkLoad::start(&path, &blocks[0], u64::MAX).unwrap();
    let pushed = pages.into_iter().try_for_each(|page| load.push(page));
    let error = pushed
        .and_then(|()| load.finish(NETWORK).map(drop))
        .unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::Rejected(Rejection::NoSpace {
                needed: u64::MAX,
                ..
            })
        ),
        "{error}"
    );
}
