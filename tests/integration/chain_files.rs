//! `import`, `export` and `verify` on chain files in every format, with the real binary.
//!
//! * [`import`]: all or nothing; acknowledged messages survive it
//! * [`export`]: every format, from a stopped and from a running node
//! * [`verify`]: the right verdict for the right reason

mod export;
mod import;
mod verify;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use blockchain::chain::{Message, MessageId};
use blockchain::store::{Addition, Operation, PageLimit, StoppedStore, Store};

use crate::support::command::{BINARY, foreign_variables};
use crate::support::wait_for;

const FORMATS: [&str; 6] = ["chain", "pickle", "bincode", "json", "ndjson", "csv"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn program() -> Command {
    let mut command = Command::new(BINARY);
    for name in foreign_variables() {
        command.env_remove(name);
    }
    command
}

fn run<'a>(args: impl IntoIterator<Item = &'a str>) -> Output {
    program().args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn succeeds<'a>(args: impl IntoIterator<Item = &'a str>) -> Output {
    let output = run(args);
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// Runs a command that must fail with this exit code; returns its output and errors.
#[track_caller]
fn fails<'a>(code: i32, args: impl IntoIterator<Item = &'a str>) -> String {
    let output = run(args);
    let text = format!("{}{}", stdout(&output), stderr(&output));
    assert_eq!(output.status.code(), Some(code), "{text}");
    text
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

fn table(name: &str) -> BTreeMap<String, Value> {
    serde_json::from_slice(&fs::read(fixture(name)).unwrap()).unwrap()
}

/// A temporary folder whose paths are given as command arguments.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Returns the sorted file names of one of its folders; none if it does not exist.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.path().join(folder));
        let mut names: Vec<_> = entries
            .into_iter()
            .flatten()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Imports a fixture into the database folder `name` and returns its path.
    fn imported(&self, name: &str, chain: &str) -> String {
        let db = self.path(name);
        succeeds(["import", fixture(chain).to_str().unwrap(), "--db", &db]);
        db
    }
}

/// Adds a message to the database of a stopped node.
fn add(database: &Path, id: u8, text: &str) {
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

fn pending(database: &Path) -> Vec<(String, u64)> {
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

/// A node on an existing folder, killed when it is dropped.
struct RunningNode(Child);

impl RunningNode {
    fn on(db: &str) -> Self {
        let args = ["node", "--db", db, "--port", "0", "--threads", "0"];
        let node = program().args(args).stderr(Stdio::null()).spawn();
        let node = Self(node.unwrap());
        let address = Path::new(db).join("node.address");
        wait_for("the node", || address.exists().then_some(()));
        node
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
