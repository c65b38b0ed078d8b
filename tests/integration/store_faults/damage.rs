//! Files that are missing, in use, of another version, damaged or no database at all: each has a
//! named error, and a damaged one never passes for a whole one with less in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use blockchain::chain::{Block, BlockHash, Message};
use blockchain::store::integrity::{Report, check_file};
use blockchain::store::{Addition, Operation, StoppedStore, Store, StoreError};
use redb::{Database, TableDefinition};
use tempfile::TempDir;

use super::{EVERYTHING, all};
use crate::support_store::{Dice, Kind, Maker, OPEN_NETWORK, listener};

fn create(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("node.redb");
    Store::create(&path, &Block::documented_genesis(), OPEN_NETWORK).unwrap();
    path
}

fn open(path: &Path) -> Result<Store, StoreError> {
    Store::open(path, 0, listener().0)
}

fn add(store: &Store, message: Message) -> Result<(), StoreError> {
    let addition = Addition {
        message,
        key: None,
        arrived: 1,
    };
    store
        .write(|reply| Operation::Add(addition, reply))
        .map(drop)
}

/// What a database holds: blocks, and pending messages.
type Held = (Vec<Block>, Vec<Message>);

/// A closed database with some hundred pages in use.
fn filled(path: &Path) -> Held {
    let mut dice = Dice::new(4);
    let mut maker = Maker::new(&[Block::documented_genesis()]);
    let parent = maker.tip().hash;
    (0..150).for_each(|_| maker.mine(dice.message(), Kind::Sealed));
    let store = open(path).unwrap();
    store
        .write(|reply| Operation::Append(parent, maker.above(1), reply))
        .unwrap();
    let pending: Vec<_> = (0..40).map(|_| dice.message()).collect();
    for message in &pending {
        add(&store, message.clone()).unwrap();
    }
    store.close().unwrap();
    (maker.blocks, pending)
}

/// Reads everything a node would serve, and writes once.
fn use_all(path: &Path) -> Result<Held, StoreError> {
    let store = open(path)?;
    let view = store.view()?;
    let blocks = view.blocks(0, EVERYTHING)?;
    assert_eq!(view.last_block()?.index + 1, blocks.len() as u64);
    for block in &blocks {
        // Either may be wrong in a damaged file, but not make the store panic.
        let _ = view.index_of(&BlockHash::of(block));
        let _ = view.index_of_message(&block.message.id());
        let _ = view.history_root(block.index);
    }
    let pending = view.pending_from(0, EVERYTHING)?;
    let _ = view.reorgs(u64::MAX, 10)?;
    let held = (
        blocks,
        pending.into_iter().map(|pending| pending.message).collect(),
    );
    let _ = add(&store, Dice::new(5).message());
    let _ = store.close();
    Ok(held)
}

/// Runs on a thread of its own, so that a hang is noticed.
fn in_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, result) = channel();
    thread::spawn(move || sender.send(work()));
    let result = result.recv_timeout(Duration::from_secs(60));
    result.unwrap_or_else(|error| panic!("{what}: panics or hangs: {error}"))
}

/// Damages a file in some way and says how.
fn damage(file: &mut Vec<u8>, dice: &mut Dice) -> String {
    const PAGE: usize = 4096;
    // Most of a young file is empty; what is in use is worth more.
    let mut somewhere = |file: &[u8]| loop {
        let at = dice.position(file.len());
        if file[at] != 0 || dice.below(500) == 0 {
            return at;
        }
    };
    let (at, other) = (somewhere(file), somewhere(file) / PAGE * PAGE);
    let page = at / PAGE * PAGE;
    match dice.below(8) {
        0..3 => {
            let bit = dice.below(8);
            file[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        }
        3 => {
            let bytes = dice.roll().to_be_bytes();
            file.splice(at..(at + 8).min(file.len()), bytes);
            format!("eight bytes at {at} are {bytes:?}")
        }
        4 => {
            file[page..page + PAGE].fill(0);
            format!("page at {page} is empty")
        }
        5 => {
            file.copy_within(other..other + PAGE, page);
            format!("page at {other} written over that at {page}")
        }
        6 => {
            file.truncate(at);
            format!("cut to {at} bytes")
        }
        _ => {
            file.extend(dice.roll().to_be_bytes());
            "eight bytes too many".to_owned()
        }
    }
}

#[test]
fn a_damaged_file_is_named_or_holds_everything() {
    let folder = TempDir::new().unwrap();
    let path = create(&folder);
    let (blocks, pending) = filled(&path);
    let whole = fs::read(&path).unwrap();
    let report = Report {
        blocks: blocks.len() as u64,
        pending: pending.len() as u64,
    };
    assert_eq!(check_file(&path, |_, _| {}).unwrap(), report);
    assert_eq!(use_all(&path).unwrap(), (blocks.clone(), pending.clone()));

    let (mut refused, mut read) = (0, 0);
    // At 1333 the engine panics a second time when it is dropped.
    let seeds = (0..if all() { 5000 } else { 150 }).chain([1333]);
    for seed in seeds {
        let mut file = whole.clone();
        let how = damage(&mut file, &mut Dice::new(seed));
        let what = format!("seed {seed}, {how}");
        fs::write(&path, &file).unwrap();
        let used = path.clone();
        let held = in_time(&what, move || use_all(&used));
        // Opening may have repaired the first file, so the check gets one of its own.
        fs::write(&path, &file).unwrap();
        let checked = path.clone();
        let checked = in_time(&what, move || check_file(&checked, |_, _| {}));
        match &checked {
            Ok(found) => assert_eq!(*found, report, "{what}"),
            Err(error) => check_named(error, &what),
        }
        match held {
            Err(error) => {
                refused += 1;
                check_named(&error, &what);
            }
            Ok(held) => {
                read += 1;
                assert_eq!(held.0.len(), blocks.len(), "{what}: fewer blocks");
                let same = held.0 == blocks && held.1 == pending;
                assert!(
                    same || checked.is_err(),
                    "{what}: other content passes the check"
                );
            }
        }
    }
    assert!(refused > 30 && read > 30, "{refused} refused, {read} read");
}

fn check_named(error: &StoreError, what: &str) {
    let named = matches!(
        error,
        StoreError::Corrupt { .. } | StoreError::Schema { .. }
    );
    assert!(named, "{what}: {error:?}");
}

#[test]
fn a_missing_file_is_missing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("node.redb");
    assert!(matches!(open(&path), Err(StoreError::Missing { .. })));
    assert!(matches!(
        StoppedStore::open(&path),
        Err(StoreError::Missing { .. })
    ));
    assert!(!path.exists(), "looking for it made it");
}

#[test]
fn a_file_in_use_is_busy() {
    let folder = TempDir::new().unwrap();
    let path = create(&folder);
    let store = open(&path).unwrap();
    assert!(matches!(open(&path), Err(StoreError::Busy { .. })));
    assert!(matches!(
        StoppedStore::open(&path),
        Err(StoreError::Busy { .. })
    ));
    store.close().unwrap();
    assert!(open(&path).is_ok());
}

#[test]
fn a_database_is_never_made_over_another_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("node.redb");
    fs::write(&path, "mine").unwrap();
    let again = Store::create(&path, &Block::documented_genesis(), OPEN_NETWORK);
    assert!(matches!(again, Err(StoreError::Exists { .. })), "{again:?}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "something was left behind"
    );
}

#[test]
fn a_newer_schema_is_refused_with_both_versions() {
    let folder = TempDir::new().unwrap();
    let path = create(&folder);
    let meta: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
    let database = Database::open(&path).unwrap();
    let txn = database.begin_write().unwrap();
    txn.open_table(meta)
        .unwrap()
        .insert("schema", &3_u32.to_le_bytes()[..])
        .unwrap();
    txn.commit().unwrap();
    drop(database);
    let error = open(&path).err().unwrap();
    assert!(
        matches!(
            error,
            StoreError::Schema {
                found: 3,
                supported: 2
            }
        ),
        "{error:?}"
    );
    assert!(matches!(
        check_file(&path, |_, _| {}),
        Err(StoreError::Schema { .. })
    ));
    assert!(error.to_string().ends_with("or a newer one"), "{error}");
    let older = StoreError::Schema {
        found: 1,
        supported: 2,
    };
    let remedy = "export its chain with the program that wrote it, and import that";
    assert!(older.to_string().ends_with(remedy), "{older}");
}

#[test]
fn what_is_no_database_has_a_named_error() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("node.redb");
    let foreign = Database::create(&path).unwrap();
    drop(foreign);
    let foreign = fs::read(&path).unwrap();
    let text = "a text file, ".repeat(1000).into_bytes();
    for content in [Vec::new(), b"[]".to_vec(), text, vec![0; 8192], foreign] {
        fs::write(&path, &content).unwrap();
        for error in [
            open(&path).err().unwrap(),
            StoppedStore::open(&path).err().unwrap(),
            check_file(&path, |_, _| {}).unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
        }
    }
    assert!(open(folder.path()).is_err(), "a folder");
}
