//! `receipt`, `checkpoint`, `consistency` and `verify --checkpoint` of the real binary.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use blockchain::proofs::MAX_FILE_BYTES;

use super::node_with;
use crate::support::command::Blockchain;
use crate::support::random::SeededRng;
use crate::support::test_node::TestNode;

pub(super) fn vector(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/receipts");
    folder.join(name)
}

pub(super) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(super) fn checkpoint(index: usize) -> String {
    let lines = fs::read_to_string(vector("checkpoints.txt")).unwrap();
    let mut lines = lines.lines().map(str::to_owned);
    lines
        .find(|line| line.split(' ').nth(2) == Some(&index.to_string()))
        .unwrap()
}

/// The verdict on a receipt, and the exit code that goes with it.
#[track_caller]
fn verdict(code: i32, file: &Path, more: &[&str]) -> Value {
    let command = Blockchain::new(["--json", "receipt", "verify", text(file)]);
    command.args(more).exits(code).json()
}

#[test]
fn every_vector_is_proven_by_a_kept_checkpoint() {
    for name in [
        "receipt_11_itself.json",
        "receipt_3_under_11.json",
        "receipt_3_under_6.json",
        "receipt_4_to_7_under_11.json",
        "receipt_genesis_8_10_under_11.json",
    ] {
        let trust = vector("checkpoints.txt");
        let verdict = verdict(0, &vector(name), &["--trust", text(&trust)]);
        assert_eq!(verdict["proven"], true, "{name}");
        assert_eq!(verdict["by"], "checkpoint");
    }
    let file = vector("receipt_3_under_11.json");
    let trust = vector("checkpoints.txt");
    let shown = Blockchain::new(["receipt", "verify", text(&file), "--trust", text(&trust)]);
    let shown = shown.succeeds().stdout;
    for line in [
        "PROVEN by the checkpoint of block 11 (",
        "checkpoints.txt, line 4)\n",
        "block 3, sealed, 2023-11-14T22:13:20.624456Z by its miner's clock\n",
        "id      7ce42c8218072e8c35bf992dc9e9c616\n",
        "message x\n",
        "Not proven: the author, the accuracy of the timestamp, and that this is still the best \
         chain.\n",
    ] {
        assert!(shown.contains(line), "{line}: {shown}");
    }
}

#[test]
fn what_is_trusted_is_a_hash_a_line_or_a_file_and_never_nothing() {
    let file = vector("receipt_3_under_11.json");
    let line = checkpoint(11);
    let hash = line.split(' ').nth(3).unwrap();
    assert_eq!(verdict(0, &file, &["--trust", hash])["by"], "hash");
    assert_eq!(
        verdict(0, &file, &["--trust", &line.to_uppercase()])["by"],
        "checkpoint"
    );
    let other = checkpoint(4);
    let rejected = verdict(1, &file, &["--trust", &other]);
    assert_eq!(rejected["reason"], "not_trusted");
    assert_eq!(rejected["entries"], Value::Array(Vec::new()));
    let nothing = Blockchain::new(["receipt", "verify", text(&file)]).exits(2);
    nothing.complains(&[
        "say what you trust",
        "hint:",
        "never from the sender of the receipt",
    ]);
}

#[test]
fn a_trust_file_with_anything_else_in_it_is_wrong_usage_and_names_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.txt");
    let file = vector("receipt_3_under_11.json");
    fs::write(
        &kept,
        format!("# mine\n{}\n> {}\n", checkpoint(4), checkpoint(11)),
    )
    .unwrap();
    let rejected = Blockchain::new(["receipt", "verify", text(&file), "--trust", text(&kept)]);
    rejected.exits(2).complains(&["kept.txt", "line 3"]);
    let other = checkpoint(4).replace("eb79", "eb7a");
    fs::write(&kept, format!("{}\n\n{other}\n", checkpoint(4))).unwrap();
    let rejected = Blockchain::new(["receipt", "verify", text(&file), "--trust", text(&kept)]);
    rejected.exits(2).complains(&["lines 1 and 3", "block"]);
}

#[test]
fn an_old_receipt_is_proven_by_way_of_a_consistency_proof() {
    let old = vector("receipt_3_under_6.json");
    let line = checkpoint(11);
    let rejected = verdict(1, &old, &["--trust", &line]);
    assert_eq!(rejected["reason"], "not_trusted");
    let advice = "you keep block 11: ask for the receipt under that block (--at 11)";
    assert!(
        rejected["message"].as_str().unwrap().contains(advice),
        "{rejected}"
    );
    let via = vector("consistency_6_to_11.json");
    let proven = verdict(0, &old, &["--trust", &line, "--via", text(&via)]);
    assert_eq!(proven["by"], "checkpoint");
    let useless = vector("consistency_4_to_8.json");
    let rejected = verdict(1, &old, &["--trust", &line, "--via", text(&useless)]);
    assert_eq!(rejected["reason"], "not_trusted");

    let other_end = Blockchain::new(["consistency", "verify", text(&via), "--trust", &line]);
    assert_eq!(other_end.succeeds().stdout.trim_end(), checkpoint(6));
    let other = checkpoint(4);
    let rejected = Blockchain::new(["consistency", "verify", text(&via), "--trust", &other]);
    rejected.exits(1).prints(&["NOT PROVEN"]);
}

#[test]
fn two_hundred_random_changes_of_receipts_are_not_proven() {
    let folder = tempfile::tempdir().unwrap();
    let changed = folder.path().join("changed.json");
    let trust = vector("checkpoints.txt");
    let mut random = SeededRng::new(162);
    for name in [
        "receipt_3_under_11.json",
        "receipt_genesis_8_10_under_11.json",
    ] {
        let original = fs::read(vector(name)).unwrap();
        for _ in 0..100 {
            let mut bytes = original.clone();
            let at = random.index(bytes.len());
            match random.below(3) {
                0 => bytes[at] ^= 1 << random.below(7),
                1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, bytes[at]),
            }
            fs::write(&changed, &bytes).unwrap();
            let rejected = verdict(1, &changed, &["--trust", text(&trust)]);
            assert_eq!(rejected["proven"], false, "{name}: byte {at}");
        }
    }
}

#[test]
fn a_receipt_is_got_shown_and_verified_with_and_without_a_node() {
    let mut node = node_with(7);
    let ids: Vec<String> = (1..=3)
        .map(|index| {
            let block: Value = node.json(&format!("/blocks/{index}"));
            block["data"]["id"].as_str().unwrap().to_owned()
        })
        .collect();
    let file = node.sibling("minutes.receipt.json");
    let kept = node.sibling("kept.txt");
    let young = node.command(["receipt", "get", &ids[0], "3", "--output", text(&file)]);
    young.exits(0).complains(&["has 5 of 7 confirmations"]);
    node.command(["checkpoint", "--output", text(&kept)])
        .succeeds();
    node.command(["checkpoint", "--at", "2", "--output", text(&kept)])
        .succeeds();
    let address = node.address().to_string();
    assert_eq!(verdict(0, &file, &["--node", &address])["by"], "node");
    let consistency = node.sibling("c.json");
    node.command([
        "consistency",
        "get",
        "--from",
        "2",
        "--output",
        text(&consistency),
    ])
    .succeeds();

    node.stop();
    let proven = verdict(0, &file, &["--trust", text(&kept)]);
    assert_eq!(proven["entries"][0]["id"], Value::String(ids[0].clone()));
    assert_eq!(proven["entries"][1]["index"], 3);
    let shown = Blockchain::new(["receipt", "show", text(&file)]).succeeds();
    assert!(
        shown
            .stdout
            .starts_with("CLAIMED, not checked against anything you trust\n")
    );
    let folder = node.folder();
    let offline = node.sibling("offline.json");
    let get = [
        "receipt",
        "get",
        &ids[0],
        "3",
        "--db",
        text(&folder),
        "--output",
        text(&offline),
    ];
    Blockchain::new(get).exits(0);
    assert_eq!(fs::read(&offline).unwrap(), fs::read(&file).unwrap());
    let line = Blockchain::new(["checkpoint", "--db", text(&folder)]).succeeds();
    let kept = fs::read_to_string(&kept).unwrap();
    assert!(kept.starts_with(&line.stdout) && kept.lines().count() == 2);
    let unreachable = ["receipt", "verify", text(&file), "--node", &address];
    Blockchain::new(unreachable).exits(3);
}

#[test]
fn a_young_block_and_an_open_tip_come_with_a_warning() {
    let node = node_with(2);
    let young = node.command(["receipt", "get", "1"]).exits(0);
    assert!(young.stderr.contains("2 of 7 confirmations"), "{young:?}");
    let named = node
        .command(["receipt", "get", "1", "--at", "2"])
        .succeeds();
    assert_eq!(named.stderr, "");
    let absent = node.command(["receipt", "get", &"0".repeat(32)]).exits(1);
    absent.complains(&["there is no message with this id"]);
    let open = TestNode::start(&["--difficulty", "1", "--accept-open", "--proof", "open"]);
    open.mine(&["a", "b"]);
    let receipt = open.command(["receipt", "get", "1"]).exits(0);
    let file = open.sibling("open.json");
    fs::write(&file, &receipt.stdout).unwrap();
    assert!(
        receipt.stderr.contains("keep a checkpoint of it"),
        "{receipt:?}"
    );
    let tip: Value = open.json("/blocks/tip");
    let rejected = verdict(1, &file, &["--trust", tip["hash"].as_str().unwrap()]);
    assert_eq!(rejected["reason"], "unbound_root");
    let line = open.command(["checkpoint"]).succeeds().stdout;
    verdict(0, &file, &["--trust", line.trim_end()]);
}

#[test]
fn an_append_to_a_trust_file_is_rejected_where_it_would_contradict() {
    let first = node_with(2);
    let second = node_with(2);
    let kept = first.sibling("kept.txt");
    first
        .command(["checkpoint", "--output", text(&kept)])
        .succeeds();
    let before = fs::read(&kept).unwrap();
    let rejected = second
        .command(["checkpoint", "--output", text(&kept)])
        .exits(1);
    rejected.complains(&["nothing was added", "block 2 that line 1 keeps"]);
    assert_eq!(fs::read(&kept).unwrap(), before);
}

#[test]
fn verify_holds_a_chain_against_kept_checkpoints() {
    let node = node_with(2);
    let short = node.sibling("short.json");
    node.command(["export", "--format", "json", "--output", text(&short)])
        .succeeds();
    node.mine(&["3", "4", "5"]);
    let kept = node.sibling("kept.txt");
    for at in ["1", "3", "tip"] {
        node.command(["checkpoint", "--at", at, "--output", text(&kept)])
            .succeeds();
    }
    let address = node.address().to_string();
    let verify = ["verify", "--checkpoint", text(&kept)];
    let verify = |more: &[&str]| Blockchain::new(verify).args(more);
    let whole = verify(&["--node", &address]).succeeds();
    whole.prints(&["valid", "3 kept checkpoints"]);
    verify(&["--node", &address, "--quick"]).succeeds();

    let other = node_with(5);
    let other = other.address().to_string();
    for target in [
        &["--node", &other][..],
        &["--node", &other, "--quick"],
        &[text(&short)],
    ] {
        let report: Value = verify(target).args(["--json"]).exits(1).json();
        assert_eq!(report["finding"]["class"], "not_kept", "{target:?}");
    }
    let cut = verify(&[text(&short)]).exits(1);
    cut.prints(&["the chain ends below this kept block", "kept.txt, line 2"]);
}

#[test]
fn a_quick_verification_judges_as_a_full_one() {
    let (long, short) = (node_with(3), node_with(1));
    let other = TestNode::start(&["--difficulty", "1", "--new-genesis=other"]);
    other.mine(&["1"]);
    let (both, foreign) = (long.sibling("both.txt"), long.sibling("foreign.txt"));
    for (node, file) in [(&long, &both), (&other, &both), (&other, &foreign)] {
        node.command(["checkpoint", "--output", text(file)])
            .succeeds();
    }
    for (node, kept, code, text_of) in [
        (&long, &both, 0, "1 kept checkpoint found"),
        (&other, &both, 0, "1 kept checkpoint found"),
        (&long, &foreign, 1, "no kept checkpoint is of this network"),
        (&short, &both, 1, "the chain ends below this kept block"),
    ] {
        let address = node.address().to_string();
        let verify = ["verify", "--node", &address, "--checkpoint", text(kept)];
        for quick in [&[][..], &["--quick"]] {
            let shown = Blockchain::new(verify).args(quick).exits(code);
            shown.prints(&[text_of]);
        }
    }
}

#[test]
fn a_file_that_is_too_large_for_a_receipt_is_not_proven() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.json");
    let file = fs::File::create(&path).unwrap();
    file.set_len(MAX_FILE_BYTES as u64 + 100).unwrap();
    let verdict = verdict(1, &path, &["--trust", &"0".repeat(64)]);
    assert_eq!(verdict["reason"], "not_readable");
}

#[test]
fn a_receipt_for_a_block_that_can_still_be_disconnected_comes_with_a_warning() {
    let node = node_with(6);
    let early = node.command(["receipt", "get", "1"]).exits(0);
    assert!(
        early.stderr.contains("block 1 has 6 of 7 confirmations"),
        "{early:?}"
    );
    node.mine(&["7"]);
    let settled = node.command(["receipt", "get", "1"]).exits(0);
    assert_eq!(settled.stderr, "");
}

#[test]
fn a_block_named_twice_is_rejected_by_a_node_and_by_its_database() {
    let mut node = node_with(2);
    let (folder, block) = (node.folder(), node.json::<Value>("/blocks/1"));
    let get = ["receipt", "get", "1", block["hash"].as_str().unwrap()];
    let rejected = node.command(get).exits(1);
    rejected.complains(&["block 1 is named twice"]);
    node.stop();
    let rejected = Blockchain::new(get).args(["--db", text(&folder)]).exits(1);
    rejected.complains(&["block 1 is named twice"]);
}

#[test]
fn a_checkpoint_is_drawn_as_a_code_of_one_size() {
    let node = node_with(1);
    let shown = node.command(["checkpoint", "--qr"]).succeeds().stdout;
    let lines: Vec<_> = shown.lines().collect();
    // 49 modules and a margin of 4 on each side, two to a line.
    assert_eq!(lines.len(), 29 + 1);
    assert_eq!(lines[0].chars().count(), 57);
}

#[test]
fn a_hostile_message_is_never_printed_raw() {
    let node = node_with(0);
    let id = &node.mine(&["\u{1b}[2J\u{202e}\u{9b}31m\r\u{7f}"])[0];
    let file = node.sibling("hostile.json");
    node.command(["receipt", "get", id, "--output", text(&file)])
        .exits(0);
    let address = node.address().to_string();
    let show = ["receipt", "show", text(&file)];
    let verify = ["receipt", "verify", text(&file), "--node", &address];
    let get = ["receipt", "get", id, "--host", &address];
    for command in [&show[..], &verify, &get] {
        for more in [&[][..], &["--json"]] {
            let finished = Blockchain::new(command).args(more).exits(0);
            let is_raw = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
            assert!(!finished.stdout.contains(is_raw), "{finished:?}");
        }
    }
}
