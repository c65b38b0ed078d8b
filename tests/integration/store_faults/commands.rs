//! The real binary on damaged files and with little memory: every command ends in time, with a
//! documented exit code and the reason, or with the undamaged content.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use blockchain::snapshot::format::Format;
use blockchain::store::Store;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::damage::filled;
use super::files::{chain, written};
use super::mutation::damage;
use super::script::Script;
use super::{all, seed, tell};
use crate::support::chain::{OPEN_NETWORK, ProofKind};
use crate::support::command::{BINARY, foreign_variables, signal};
use crate::support::random::SeededRng;

/// Maximum address space of a command in KiB: a few times that of undamaged files.
const MOST_MEMORY: u64 = 3 * 1024 * 1024;

const TIMEOUT: Duration = Duration::from_secs(60);

/// Runs the binary. If `stop` is given, asks it to stop as soon as this file exists.
pub(super) fn run(arguments: &[&str], stop: Option<&Path>) -> Output {
    let mut command = Command::new("sh");
    for name in foreign_variables() {
        command.env_remove(name);
    }
    let child = command
        .args([
            "-c",
            &format!("ulimit -v {MOST_MEMORY}; exec \"$0\" \"$@\""),
            BINARY,
        ])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let process = child.id();
    let (sender, ended) = channel();
    thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
    let mut asked = false;
    for _ in 0..TIMEOUT.as_millis() / 10 {
        if let Ok(output) = ended.recv_timeout(Duration::from_millis(10)) {
            return output;
        }
        if !asked && stop.is_some_and(Path::exists) {
            asked = true;
            signal("TERM", process);
        }
    }
    signal("KILL", process);
    panic!("{arguments:?} hangs");
}

/// Returns the output of a command that ended with a documented exit code, not by a signal.
#[track_caller]
fn told(output: &Output, what: &str) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8(text).unwrap();
    let code = output.status.code();
    let code = code.unwrap_or_else(|| panic!("{what}: {:?}\n{text}", output.status));
    assert!([0, 1, 3].contains(&code), "{what}: {code}\n{text}");
    assert!(!text.contains("panicked"), "{what}: {text}");
    let is_named = text.contains("error: ") || text.contains("{\"error\":");
    assert!(code != 3 || is_named, "{what}: {text}");
    (code, text)
}

fn cases() -> std::ops::Range<u64> {
    let first = seed() * 1_000_000;
    first..first + if all() { 300 } else { 8 }
}

#[test]
fn commands_name_damage_in_a_database() {
    let folder = TempDir::new().unwrap();
    let db = folder.path().to_str().unwrap();
    let path = folder.path().join("node.redb");
    Store::create(
        &path,
        &blockchain::chain::Block::default_genesis(),
        OPEN_NETWORK,
    )
    .unwrap();
    let files = filled(&path, &Script::of(seed(), 120));
    let address = folder.path().join("node.address");
    let node = ["node", "--db", db, "--port", "0", "--threads", "0"];
    let (mut rejected, mut ran) = (0, 0);
    for case in cases() {
        let mut rng = SeededRng::new(case);
        let mut file = files[rng.index(2)].clone();
        let what = format!("case {case}, {}", damage(&mut file, 4096, &mut rng));
        fs::write(&path, &file).unwrap();
        let (verified, finding) = told(&run(&["verify", "--db", db], None), &what);
        assert!(
            verified == 0 || finding.contains("damaged") || finding.contains("is not a database"),
            "{what}: {finding}"
        );
        fs::write(&path, &file).unwrap();
        let (exported, _) = told(&run(&["export", "--json", "--db", db], None), &what);
        assert!(verified > 0 || exported == 0, "{what}");
        let (code, text) = told(&run(&node, Some(&address)), &what);
        assert!(
            code == 0 || text.contains("damaged") || text.contains("is not a database"),
            "{what}: {text}"
        );
        assert!(verified > 0 || code == 0, "{what}: verified, but {text}");
        *if code == 0 { &mut ran } else { &mut rejected } += 1;
        let _ = fs::remove_file(&address);
    }
    tell(&format!(
        "nodes on damaged databases: {ran} ran, {rejected} named the damage"
    ));
    assert!(rejected > 2, "{rejected}");
}

#[test]
fn commands_name_damage_in_a_chain_file() {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (file_name, hash_name, db) = (place("a.chain"), place("a.hash"), place("db"));
    let blocks = chain(ProofKind::Open, 12);
    let export = ["export", "--format", "chain", "--db", &db];
    let documented = written(Format::Chain, &blocks);
    let (mut rejected, mut warned, mut same) = (0, 0, 0);
    for case in cases() {
        let mut rng = SeededRng::new(case);
        let format = Format::ALL[rng.index(6)];
        let mut file = written(format, &blocks);
        let mut hash = hex::encode(Sha256::digest(&file)).into_bytes();
        // Sometimes the hash file is damaged instead.
        let (damaged, page) = match rng.below(5) {
            0 => (&mut hash, 16),
            _ => (&mut file, 256),
        };
        let how = damage(damaged, page, &mut rng);
        let what = format!("case {case}, {}, {how}", format.name());
        fs::write(&file_name, &file).unwrap();
        fs::write(&hash_name, &hash).unwrap();
        let (verified, _) = told(&run(&["verify", &file_name], None), &what);
        let (imported, text) = told(&run(&["import", &file_name, "--db", &db], None), &what);
        assert_eq!(verified, imported, "{what}: {text}");
        if imported > 0 {
            assert!(!Path::new(&db).join("node.redb").exists(), "{what}");
            rejected += 1;
        } else {
            let exported = run(&export, None);
            told(&exported, &what);
            let is_same = exported.stdout == documented;
            let warning = text.contains("does not match");
            assert!(is_same || warning, "{what}: {text}");
            *if warning { &mut warned } else { &mut same } += 1;
        }
        let _ = fs::remove_dir_all(&db);
    }
    tell(&format!(
        "imports of damaged files: {rejected} rejected, {warned} with a warning of the hash, \
         {same} the same"
    ));
    assert!(rejected > 2, "{rejected}");
}
