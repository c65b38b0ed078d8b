//! What the tests of the commands share.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use blockchain::chain::{Message, MessageId};
use blockchain::store::{Addition, Operation, PageLimit, StoppedStore, Store};

pub(crate) const FORMATS: [&str; 6] = ["chain", "pickle", "bincode", "json", "ndjson", "csv"];

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

pub(crate) fn program() -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("blockchain"));
    command.env_remove("RUST_LOG");
    command
}

pub(crate) fn run<'a>(args: impl IntoIterator<Item = &'a str>) -> Output {
    program().args(args).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
pub(crate) fn succeeds<'a>(args: impl IntoIterator<Item = &'a str>) -> Output {
    let output = run(args);
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// Runs a command that must fail with this exit code, and returns what it says.
#[track_caller]
pub(crate) fn fails<'a>(code: i32, args: impl IntoIterator<Item = &'a str>) -> String {
    let output = run(args);
    let text = format!("{}{}", stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

pub(crate) fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn table(name: &str) -> BTreeMap<String, Value> {
    serde_json::from_slice(&fs::read(fixture(name)).unwrap()).unwrap()
}

/// A folder and the paths in it as arguments.
pub(crate) struct Folder(pub(crate) TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Names of the files in one of its folders, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.path().join(folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// A database with the blocks of a fixture.
    pub(crate) fn imported(&self, name: &str, chain: &str) -> String {
        let db = self.path(name);
        succeeds(["import", fixture(chain).to_str().unwrap(), "--db", &db]);
        db
    }
}

/// Adds a message to the database of a stopped node.
pub(crate) fn add(database: &Path, id: u8, text: &str) {
    let store = Store::open(database, 0, Box::new(|_| {})).unwrap();
    let message = Message::new(MessageId::from_bytes([id; 16]), text.to_owned()).unwrap();
    let addition = Addition {
        message,
        key: None,
        arrived: 7,
    };
    store
        .write(|reply| Operation::Add(addition, reply))
        .unwrap();
    store.close().unwrap();
}

pub(crate) fn pending(database: &Path) -> Vec<(String, u64)> {
    let store = StoppedStore::open(database).unwrap();
    let limit = PageLimit {
        count: 100,
        bytes: 1 << 20,
    };
    let pending = store.view().unwrap().pending_from(0, limit).unwrap();
    let parts = pending
        .iter()
        .map(|one| (one.message.text().to_owned(), one.arrived));
    parts.collect()
}

/// A node on a folder, stopped at the end of the test.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn on(db: &str) -> Self {
        let args = ["node", "--db", db, "--port", "0", "--threads", "0"];
        let node = program().args(args).stderr(Stdio::null()).spawn();
        let node = Self(node.unwrap());
        let address = Path::new(db).join("node.address");
        for _ in 0..600 {
            if address.exists() {
                return node;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("the node did not start");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
