use std::sync::Arc;

use super::super::Store;
use super::super::edit::Edit;
use super::super::tests::{TestDatabase, chain, message};
use super::super::value;
use super::*;
use crate::chain::{BlockHash, Checker};

/// The full check, as `verify --db` runs it.
fn check_all(view: &View) -> Result<IntegrityReport, StoreError> {
    let mut audit = Audit::new(view)?;
    let network = view.network()?;
    let mut checker = Checker::new(network.difficulty, network.sealed_from);
    let blocks = view.blocks(0, PageLimit::SCAN)?;
    audit.measure(&blocks);
    let pushed = checker.push_all(&blocks, |passed| {
        audit.push(&passed);
        passed.acceptable
    });
    let report = audit.finish()?;
    match pushed {
        Ok(()) => Ok(report),
        Err(invalid) => Err(StoreError::corrupt(invalid.to_string())),
    }
}

/// Returns a database with five blocks above the genesis block and a pending message.
fn database() -> TestDatabase {
    let messages: Vec<_> = (1..=5).map(|id| message(id, "mined")).collect();
    let mut database = TestDatabase::new(&messages);
    database.add(message(9, "pending"), None, 0).unwrap();
    let report = check_all(&database.view()).unwrap();
    assert_eq!((report.blocks, report.pending), (6, 1));
    database
}

/// Returns what the full check reports after a direct change of the tables.
fn damage(change: impl FnOnce(&mut Edit<'_>) -> Result<(), StoreError>) -> String {
    let mut database = database();
    database.change(|edit| change(edit).map(Ok)).unwrap();
    match check_all(&database.view()) {
        Err(StoreError::Corrupt { what }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn blocks_hidden_by_a_damaged_page_are_reported_as_missing() {
    let page = PageLimit {
        count: 2,
        bytes: usize::MAX,
    };
    let hide = |index: u64| {
        let mut database = database();
        database
            .change(|edit| {
                // A stray row in its place keeps the number of rows right.
                let block = edit.blocks.remove(index)?.map(|row| row.value().to_owned());
                edit.blocks.insert(100, &*block.unwrap_or_default())?;
                Ok(Ok(()))
            })
            .unwrap();
        database
    };
    let missing = |error: StoreError, index: u64| {
        let expected = format!("table blocks, key {index}: missing");
        assert!(matches!(error, StoreError::Corrupt { what } if what == expected));
    };
    let hidden = hide(3);
    let view = hidden.view();
    missing(view.block(3).unwrap_err(), 3);
    missing(view.blocks(2, page).unwrap_err(), 3);
    missing(view.blocks(3, page).unwrap_err(), 3);
    missing(view.blocks_down(4, page).unwrap_err(), 3);
    assert_eq!(view.blocks(1, page).unwrap().len(), 2);
    assert!(view.block(6).unwrap().is_none() && view.blocks(200, page).unwrap().is_empty());

    // The number of rows shows that the last ones are missing.
    let mut database = database();
    database
        .change(|edit| {
            edit.blocks.remove(5)?;
            Ok(Ok(()))
        })
        .unwrap();
    assert_eq!(database.view().tip_block().unwrap().index, 4);
    let opened = Store::start(database.engine, Box::new(|_| {}), Arc::new(|| None));
    let what = opened.map(drop).unwrap_err().to_string();
    assert!(
        what.contains("tables index_by_hash and recent_by_hash have 6 rows"),
        "{what}"
    );
}

#[test]
fn an_index_that_points_to_another_block_is_damage() {
    let mut database = database();
    let (tip, id) = (database.view().tip_block().unwrap(), message(3, "").id());
    let hash = BlockHash::of(&tip);
    let view = database.view();
    assert_eq!(view.block_with_hash(&hash).unwrap(), Some(tip));
    assert_eq!(view.block_of_message(&id).unwrap().unwrap().index, 3);
    assert!(
        view.block_of_message(&message(77, "").id())
            .unwrap()
            .is_none()
    );
    database
        .change(|edit| {
            edit.index_by_hash.recent.insert(hash.as_bytes(), 2)?;
            edit.index_by_message.recent.insert(id.as_bytes(), 4)?;
            Ok(Ok(()))
        })
        .unwrap();
    let view = database.view();
    let named = |error: StoreError, table: &str| {
        let what = error.to_string();
        assert!(what.contains(table), "{what}");
    };
    named(
        view.block_with_hash(&hash).unwrap_err(),
        "index_by_hash points to block 2",
    );
    named(
        view.block_of_message(&id).unwrap_err(),
        "index_by_message points to block 4",
    );
}

#[test]
fn a_range_beyond_the_tip_is_an_error() {
    let database = database();
    let view = database.view();
    assert!(check_range(&view, 2, 6).is_ok());
    assert!(check_range(&view, 2, 7).is_err());
    assert!(check_range(&view, 50, 60).is_err());
}

#[test]
fn a_full_check_finds_every_wrong_row() {
    let hash = |edit: &Edit<'_>| edit.state.tip.hash;
    let named = |what: &str, part: &str| assert!(what.contains(part), "{what}");
    named(
        &damage(|edit| {
            let other = value::encode_block(&chain(&[message(1, "forged")])[1]);
            edit.blocks.insert(1, &*other)?;
            Ok(())
        }),
        "block 1: the index by hash",
    );
    named(
        &damage(|edit| {
            let hash = hash(edit);
            edit.index_by_hash.recent.insert(hash.as_bytes(), 2)?;
            Ok(())
        }),
        "block 5: the index by hash",
    );
    named(
        &damage(|edit| {
            edit.index_by_hash
                .recent
                .insert(BlockHash::from_bytes([0; 32]).as_bytes(), 2)?;
            Ok(())
        }),
        "tables index_by_hash and recent_by_hash have 7 rows",
    );
    named(
        &damage(|edit| {
            edit.index_by_message.recent.insert(&[3; 16], 4)?;
            Ok(())
        }),
        "block 3: the index by message",
    );
    named(
        &damage(|edit| {
            edit.index_by_message.recent.insert(&[77; 16], 4)?;
            Ok(())
        }),
        "tables index_by_message and recent_by_message, key 4d4d",
    );
    named(
        &damage(|edit| {
            edit.history.insert(3, &[0; 32])?;
            Ok(())
        }),
        "the history tree",
    );
    named(
        // A right child is not needed to load any tree.
        &damage(|edit| {
            edit.history.insert(1, &[0; 32])?;
            Ok(())
        }),
        "table history",
    );
    named(
        &damage(|edit| {
            edit.mempool_by_id.insert(&[9; 16], 5)?;
            Ok(())
        }),
        "mempool",
    );
    named(
        &damage(|edit| {
            edit.mempool.remove(0)?;
            Ok(())
        }),
        "table mempool has 0 rows",
    );
}

#[test]
fn a_full_check_finds_every_wrong_count() {
    type Change = fn(&mut tables::Totals);
    let changes: [(&str, Change); 6] = [
        ("sealed", |totals| totals.sealed += 1),
        ("chain_json_bytes", |totals| totals.chain_json_bytes -= 1),
        ("mempool_bytes", |totals| totals.mempool_bytes += 1),
        ("mempool_json_bytes", |totals| {
            totals.mempool_json_bytes += 1;
        }),
        ("next_sequence", |totals| totals.next_sequence = 0),
        ("mempool", |totals| totals.mempool_count += 1),
    ];
    for (field, change) in changes {
        let what = damage(|edit| {
            change(&mut edit.state.totals);
            Ok(())
        });
        assert!(what.contains(field), "{field}: {what}");
    }
}
