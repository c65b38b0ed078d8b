//! Files that are not valid proofs or trust files, or that do not exist, under every command that
//! reads one.

use std::fs;
use std::path::Path;

use rustix::fs::{CWD, Mode, mkfifoat};

use super::command::{checkpoint, text, vector};
use crate::support::command::Blockchain;

/// The commands that read a proof from `file`.
fn readers_of_proofs(file: &Path) -> Vec<Vec<String>> {
    let (file, line) = (text(file), checkpoint(11));
    let old = vector("receipt_3_under_6.json");
    let commands: [&[&str]; 4] = [
        &["receipt", "show", file],
        &["receipt", "verify", file, "--trust", &line],
        &[
            "receipt",
            "verify",
            text(&old),
            "--trust",
            &line,
            "--via",
            file,
        ],
        &["consistency", "verify", file, "--trust", &line],
    ];
    let owned = |command: &&[&str]| command.iter().map(|word| (*word).to_owned()).collect();
    commands.iter().map(owned).collect()
}

/// The commands that read what is trusted from `file`.
fn readers_of_trust(file: &Path) -> Vec<Vec<String>> {
    let file = text(file);
    let receipt = vector("receipt_3_under_11.json");
    let proof = vector("consistency_6_to_11.json");
    let chain = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sealed/sealed.chain");
    let commands: [&[&str]; 3] = [
        &["receipt", "verify", text(&receipt), "--trust", file],
        &["consistency", "verify", text(&proof), "--trust", file],
        &["verify", text(&chain), "--checkpoint", file],
    ];
    let owned = |command: &&[&str]| command.iter().map(|word| (*word).to_owned()).collect();
    commands.iter().map(owned).collect()
}

/// Asserts that each command exits with this code and gives a reason that is safe to print.
#[track_caller]
fn rejected(commands: Vec<Vec<String>>, code: i32) {
    for command in commands {
        let finished = Blockchain::new(&command).exits(code);
        let printed = finished.stdout + &finished.stderr;
        let is_raw = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(
            (1..2000).contains(&printed.len()) && !printed.contains(is_raw),
            "{command:?}: {printed:?}"
        );
    }
}

#[test]
fn files_of_other_kinds_are_rejected_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let nested = format!("{{\"format\":{}", "[".repeat(1 << 20));
    let closed = "[".repeat(500) + &"]".repeat(500);
    let long_text = format!("\"{}\"", "a".repeat((16 << 20) - 2));
    let too_long = " ".repeat((16 << 20) + 1);
    for content in [
        &b""[..],
        b"\0",
        b"{}",
        b"[]",
        b"PK\x03\x04",
        b"\x1b[31m{\"\x1b[0m\":1}",
        b"{\"\\u001b[31m\\u202e\":1}",
        b"{\"format\":\"\xff\xfe\"}",
        nested.as_bytes(),
        closed.as_bytes(),
        long_text.as_bytes(),
        too_long.as_bytes(),
        include_bytes!("../../fixtures/sealed/sealed.json"),
    ] {
        fs::write(&path, content).unwrap();
        rejected(readers_of_proofs(&path), 1);
        let code = if content.len() > 5_000_000 { 3 } else { 2 };
        rejected(readers_of_trust(&path), code);
    }
}

#[test]
fn a_receipt_is_no_consistency_proof_and_neither_is_a_trust_file() {
    let receipt = vector("receipt_3_under_11.json");
    let proof = vector("consistency_6_to_11.json");
    let kept = vector("checkpoints.txt");
    let mut commands = readers_of_proofs(&proof);
    commands.remove(2);
    commands.pop();
    rejected(commands, 1);
    rejected(readers_of_proofs(&receipt).split_off(2), 1);
    rejected(readers_of_proofs(&kept), 1);
    for file in [&receipt, &proof] {
        rejected(readers_of_trust(file), 2);
    }
}

#[test]
fn what_is_not_a_file_is_an_error_and_is_never_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    mkfifoat(CWD, &pipe, Mode::RUSR | Mode::WUSR).unwrap();
    for path in [
        folder.path(),
        &pipe,
        Path::new("/dev/zero"),
        &folder.path().join("missing\x1b[31m"),
    ] {
        rejected(readers_of_proofs(path), 3);
        rejected(readers_of_trust(path), 3);
    }
}
