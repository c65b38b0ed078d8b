//! Operations on a full disk.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[test]
fn messages_and_blocks_are_rejected_on_a_full_disk() {
    let database = TestDatabase::new(&[]);
    let (parent, blocks) = (database.state.tip.hash, chain(&[message(1, "x")]));
    let full: writer::FreeSpace = Arc::new(|| Some((5, 10)));
    let store = Store::start(database.engine, Box::new(|_| {}), full).unwrap();
    let addition = Addition {
        message: message(7, "x"),
        key: None,
        arrived: 0,
    };
    let adoption = Adoption {
        branch: 1,
        source: String::new(),
        at: 0,
        max_reorg: u64::MAX,
        max_replaceable_genesis_length: 0,
    };
    let answers = [
        store
            .write(|reply| Operation::Add(addition, reply))
            .map(drop),
        store.write(|reply| Operation::Append(parent, blocks.clone(), reply)),
        store.write(|reply| Operation::Stage(1, blocks, reply)),
        store
            .write(|reply| Operation::Adopt(adoption, reply))
            .map(drop),
    ];
    for answer in answers {
        let rejection = Rejection::NoSpace {
            free: 5,
            needed: 10,
        };
        assert!(matches!(answer, Err(StoreError::Rejected(found)) if found == rejection));
    }
    assert_eq!(store.free_space(), Some((5, 10)));
    store
        .write(|reply| Operation::DropBranch(1, reply))
        .unwrap();
    store.close().unwrap();
}

#[test]
fn a_batch_that_is_rejected_for_lack_of_space_makes_no_commit() {
    let database = TestDatabase::new(&[]);
    let commits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&commits);
    let listener: Listener = Box::new(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
    });
    let full: writer::FreeSpace = Arc::new(|| Some((5, 10)));
    let store = Store::start(database.engine, listener, full).unwrap();
    let addition = Addition {
        message: message(7, "x"),
        key: None,
        arrived: 0,
    };
    let rejected = store.write(|reply| Operation::Add(addition, reply));
    assert!(matches!(
        rejected,
        Err(StoreError::Rejected(Rejection::NoSpace { .. }))
    ));
    // The batch has ended when the next operation is answered.
    store
        .write(|reply| Operation::DropBranch(1, reply))
        .unwrap();
    assert_eq!(commits.load(Ordering::SeqCst), 1);
    store.close().unwrap();
}
