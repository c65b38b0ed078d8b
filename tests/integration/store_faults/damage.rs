//! Files that are missing, in use, of another version, damaged or no database: each has a named
//! error, and a damaged file never passes as a complete one with less content.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use blockchain::chain::{Block, BlockHash, Message};
use blockchain::store::integrity::IntegrityReport;
use blockchain::store::{Addition, Operation, StoppedStore, Store, StoreError, panics};
use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};
use tempfile::TempDir;

use super::mutation::damage;
use super::script::{Held, Script};
use super::{TIMEOUT, all, seed, tell};
use crate::support::chain::{OPEN_NETWORK, listener};
use crate::support::check::check_file;
use crate::support::random::SeededRng;

/// Maximum growth of a small file after opening, adding and closing, in bytes.
const MOST_GROWTH: u64 = 8 * 1024 * 1024;

fn create(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("node.redb");
    Store::create(&path, &Block::default_genesis(), OPEN_NETWORK).unwrap();
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

/// Returns two files with the same content: one that was closed, and one whose process was killed.
pub(super) fn filled(path: &Path, script: &Script) -> [Vec<u8>; 2] {
    let store = open(path).unwrap();
    for number in 0..script.len() {
        script.take(&store, number).unwrap();
    }
    let killed = fs::read(path).unwrap();
    store.close().unwrap();
    [fs::read(path).unwrap(), killed]
}

/// Reads everything that a node would serve, and writes once.
fn use_all(path: &Path) -> Result<Held, StoreError> {
    let (listener, heard) = listener();
    let store = Store::open(path, 0, listener)?;
    let view = store.view()?;
    let held = Held::of(&view);
    if let Err(error) = &held {
        // This failure would end a running node.
        let told = heard.try_iter().last().and_then(Result::err);
        assert_eq!(told.map(|told| told.to_string()), Some(error.to_string()));
    }
    let held = held?;
    assert_eq!(view.tip_block()?.index + 1, held.blocks.len() as u64);
    for block in &held.blocks {
        // Either may be wrong in a damaged file, but not make the store panic.
        let _ = view.index_of(&BlockHash::of(block));
        let _ = view.index_of_message(&block.message.id());
        let _ = view.history_root(block.index);
        let _ = view.renamed(&block.message.id());
    }
    let _ = add(&store, SeededRng::new(5).message());
    let _ = store.close();
    Ok(held)
}

/// Set when the engine panicked in a way that would abort the process. One case runs at a time.
static ABORTED: AtomicBool = AtomicBool::new(false);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
static WATCH: Once = Once::new();

/// Runs a case on its own thread, so that a hang is noticed. Returns `None` if it would abort the
/// process; the program then ends and names the damage.
pub(super) fn in_time<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    WATCH.call_once(|| {
        panics::install_hook(|error| {
            check_named(&error, "aborted");
            ABORTED.store(true, Ordering::SeqCst);
            loop {
                thread::park();
            }
        });
    });
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    ABORTED.store(false, Ordering::SeqCst);
    let (sender, result) = channel();
    thread::spawn(move || sender.send(work()));
    let begin = Instant::now();
    while begin.elapsed() < TIMEOUT {
        match result.recv_timeout(Duration::from_millis(50)) {
            Ok(result) => return Some(result),
            Err(RecvTimeoutError::Disconnected) => panic!("{what}: panics"),
            Err(RecvTimeoutError::Timeout) if ABORTED.load(Ordering::SeqCst) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
    panic!("{what}: hangs");
}

/// Number of damaged files by outcome.
#[derive(Debug, Default)]
struct Count {
    rejected: u32,
    /// Would abort the process; the program then ends and names the damage.
    aborted: u32,
    whole: u32,
    /// Read with the right chain but other content, as with an old page in the place of a newer
    /// one; the complete check names it.
    named_by_check: u32,
}

impl Count {
    /// Opens, reads and checks a damaged file. `whole` is its content before the damage.
    fn try_one(&mut self, file: &[u8], whole: &Held, what: &str) {
        // Opening may repair a file, so the check gets its own copy. A file that an aborted case
        // has open stays locked.
        let folder = TempDir::new().unwrap();
        let [used, checked] = ["used", "checked"].map(|name| folder.path().join(name));
        fs::write(&used, file).unwrap();
        fs::write(&checked, file).unwrap();
        let path = used.clone();
        let held = in_time(what, move || use_all(&path));
        let length = fs::metadata(&used).unwrap().len();
        assert!(
            length <= file.len() as u64 + MOST_GROWTH,
            "{what}: {length} bytes"
        );
        let checked = in_time(what, move || check_file(&checked));
        let report = IntegrityReport {
            blocks: whole.blocks.len() as u64,
            pending: whole.pending.len() as u64,
        };
        match &checked {
            Some(Ok(found)) => assert_eq!(*found, report, "{what}"),
            Some(Err(error)) => check_named(error, what),
            None => tell(&format!("{what}: the check would abort")),
        }
        let is_whole = matches!(checked, Some(Ok(_)));
        match held {
            None => {
                tell(&format!("{what}: would abort"));
                self.aborted += 1;
            }
            Some(Err(error)) => {
                check_named(&error, what);
                self.rejected += 1;
            }
            Some(Ok(held)) if held == *whole => self.whole += 1,
            Some(Ok(held)) => {
                assert!(held.blocks == whole.blocks, "{what}: another chain");
                assert!(!is_whole, "{what}: other content passes the check");
                self.named_by_check += 1;
            }
        }
    }
}

#[test]
fn a_damaged_database_is_named_or_holds_everything() {
    let folder = TempDir::new().unwrap();
    let path = create(&folder);
    let script = Script::of(seed(), 120);
    let files = filled(&path, &script);
    let whole = script.held.last().unwrap();
    let mut count = Count::default();
    for file in &files {
        count.try_one(file, whole, "nothing damaged");
    }
    assert_eq!(count.whole, 2, "{count:?}");

    let first = seed() * 1_000_000;
    let cases = if all() { 5000 } else { 150 };
    for case in first..first + cases {
        let mut rng = SeededRng::new(case);
        let mut file = files[rng.index(2)].clone();
        let how = damage(&mut file, 4096, &mut rng);
        count.try_one(&file, whole, &format!("case {case}, {how}"));
    }
    tell(&format!(
        "damaged databases: {cases} cases from {first} on: {count:?}"
    ));
    assert!(count.rejected > 30 && count.whole > 30, "{count:?}");
}

#[test]
fn a_header_with_huge_sizes_is_rejected_without_allocating() {
    let folder = TempDir::new().unwrap();
    let path = create(&folder);
    let script = Script::of(2, 60);
    let whole = script.held.last().unwrap();
    let mut count = Count::default();
    for file in filled(&path, &script) {
        // Page size, pages of a region's header, of a region, whole regions, pages of the last.
        for field in (12..32).step_by(4) {
            for value in [0, 1, 1 << 20, 1 << 24, u32::MAX / 2, u32::MAX] {
                let mut file = file.clone();
                file[field..field + 4].copy_from_slice(&u32::to_le_bytes(value));
                let what = format!("{value} at {field}");
                count.try_one(&file, whole, &what);
            }
        }
    }
    // These fields are read by a repair after a kill only, so no other check reports them.
    assert!(
        count.rejected > 30 && count.named_by_check == 0,
        "{count:?}"
    );
}

fn check_named(error: &StoreError, what: &str) {
    let named = matches!(
        error,
        StoreError::Corrupt { .. } | StoreError::Schema { .. } | StoreError::NotADatabase { .. }
    );
    assert!(named, "{what}: {error:?}");
}

#[test]
fn a_missing_database_is_reported_as_missing() {
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
fn a_database_in_use_is_reported_as_busy() {
    let folder = TempDir::new().unwrap();
    let path = create(&folder);
    let store = open(&path).unwrap();
    assert!(matches!(open(&path), Err(StoreError::Busy { .. })));
    assert!(matches!(
        StoppedStore::open(&path),
        Err(StoreError::Busy { .. })
    ));
    store.close().unwrap();
    // Readers exclude a node, but not each other.
    let readers = [(); 2].map(|()| StoppedStore::open(&path).unwrap());
    assert!(matches!(open(&path), Err(StoreError::Busy { .. })));
    assert!(matches!(
        StoppedStore::open_exclusive(&path),
        Err(StoreError::Busy { .. })
    ));
    drop(readers);
    let replaced = StoppedStore::open_exclusive(&path).unwrap();
    assert!(matches!(
        StoppedStore::open(&path),
        Err(StoreError::Busy { .. })
    ));
    drop(replaced);
    assert!(open(&path).is_ok());
}

#[test]
fn a_database_is_never_created_over_another_file() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("node.redb");
    fs::write(&path, "mine").unwrap();
    let again = Store::create(&path, &Block::default_genesis(), OPEN_NETWORK);
    assert!(matches!(again, Err(StoreError::Exists { .. })), "{again:?}");
    assert_eq!(fs::read(&path).unwrap(), b"mine");
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        1,
        "something was left behind"
    );
}

/// Merges the tables of an index into one, as before schema 5.
fn merge_recent_rows<const N: usize>(txn: &WriteTransaction, main: &str, recent: &str) {
    let main: TableDefinition<'_, &[u8; N], u64> = TableDefinition::new(main);
    let recent: TableDefinition<'_, &[u8; N], u64> = TableDefinition::new(recent);
    let mut table = txn.open_table(main).unwrap();
    for row in txn.open_table(recent).unwrap().iter().unwrap() {
        let (key, index) = row.unwrap();
        table.insert(key.value(), index.value()).unwrap();
    }
    txn.delete_table(recent).unwrap();
}

#[test]
fn a_newer_schema_is_rejected_with_both_versions() {
    let folder = TempDir::new().unwrap();
    let path = create(&folder);
    let meta: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
    let set_schema = |version: u32| {
        let database = Database::open(&path).unwrap();
        let txn = database.begin_write().unwrap();
        let mut table = txn.open_table(meta).unwrap();
        let old = table.insert("schema", &version.to_le_bytes()[..]).unwrap();
        let old = old.map(|old| old.value().to_vec());
        drop(table);
        txn.commit().unwrap();
        old
    };
    // Earlier schemas are read and upgraded.
    for older in [2, 3, 4] {
        set_schema(older);
        let database = Database::open(&path).unwrap();
        let txn = database.begin_write().unwrap();
        if older < 4 {
            let disconnected: TableDefinition<'_, (u64, u64), &[u8]> =
                TableDefinition::new("disconnected");
            txn.delete_table(disconnected).unwrap();
        }
        merge_recent_rows::<32>(&txn, "index_by_hash", "recent_by_hash");
        merge_recent_rows::<16>(&txn, "index_by_message", "recent_by_message");
        txn.commit().unwrap();
        drop(database);
        let stopped = StoppedStore::open(&path).unwrap();
        let view = stopped.view().unwrap();
        view.each_disconnected(None, 0, |found| panic!("{found:?}"))
            .unwrap();
        let tip = view.tip_block().unwrap();
        assert_eq!(view.block_of_message(&tip.message.id()).unwrap(), Some(tip));
        drop((view, stopped));
        open(&path).unwrap().close().unwrap();
    }
    assert_eq!(set_schema(6), Some(5_u32.to_le_bytes().to_vec()));
    let error = open(&path).err().unwrap();
    assert!(
        matches!(
            error,
            StoreError::Schema {
                found: 6,
                supported: 5
            }
        ),
        "{error:?}"
    );
    assert!(matches!(check_file(&path), Err(StoreError::Schema { .. })));
    assert!(error.to_string().ends_with("or a newer version"), "{error}");
    let older = StoreError::Schema {
        found: 1,
        supported: 5,
    };
    let remedy = "and import the file";
    assert!(older.to_string().ends_with(remedy), "{older}");
}

#[test]
fn a_file_that_is_not_a_database_is_a_named_error() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("node.redb");
    let foreign = Database::create(&path).unwrap();
    drop(foreign);
    let foreign = fs::read(&path).unwrap();
    let text = "a text file, ".repeat(1000).into_bytes();
    for (content, is_foreign) in [
        (Vec::new(), true),
        (b"[]".to_vec(), true),
        (text, true),
        (vec![0; 8192], true),
        (foreign, false),
    ] {
        fs::write(&path, &content).unwrap();
        for error in [
            open(&path).err().unwrap(),
            StoppedStore::open(&path).err().unwrap(),
            check_file(&path).unwrap_err(),
        ] {
            let named = if is_foreign {
                matches!(error, StoreError::NotADatabase { .. })
            } else {
                matches!(error, StoreError::Corrupt { .. })
            };
            assert!(named, "{error:?}");
            let path = path.display().to_string();
            assert!(error.to_string().contains(&path), "{error}");
        }
        assert!(!is_foreign || fs::read(&path).unwrap() == content);
    }
    let error = open(folder.path()).err().unwrap();
    assert!(matches!(error, StoreError::Unopened { .. }), "{error:?}");
}
