//! `verify FILE` gives the right verdict for the right reason.

use std::fs;
use std::path::Path;

use serde_json::Value;

use blockchain::pow::Difficulty;
use blockchain::store::{Network, Operation, Store};

use super::{Folder, fails, fixture, json, run, stderr, stdout, succeeds, table};

#[test]
fn every_chain_fixture_verifies_up_to_its_difficulty() {
    let expected = table("chains/expected.json");
    let mut seen = 0;
    for (name, chain) in &expected {
        let path = fixture(&format!("chains/{name}.chain"));
        if !path.exists() {
            continue;
        }
        seen += 1;
        let path = path.to_str().unwrap();
        let report = json(&succeeds(["verify", path, "--json"]));
        let twin = chain["blocks_as"].as_str().unwrap_or(name);
        let hashes = expected[twin]["block_hashes"].as_array().unwrap();
        assert_eq!(report["blocks"], chain["length"], "{name}");
        assert_eq!(Some(&report["tip"]), hashes.last(), "{name}");
        if report["blocks"] == 1 {
            assert!(report["difficulty"].is_null());
            continue;
        }
        assert_eq!(report["difficulty"], chain["holds_to_difficulty"], "{name}");
        let above = (report["difficulty"].as_u64().unwrap() + 1).to_string();
        let text = fails(1, ["verify", path, "--difficulty", &above]);
        assert!(text.contains("breaks rule 4"), "{name}: {text}");
    }
    assert_eq!(seen, 29);
}

/// The faults of the files in `invalid`, by the ends of their names.
const REASONS: [(&str, &str); 28] = [
    (
        "data_id_changed",
        "block 2: breaks rule 3: the previous hash is ad0f",
    ),
    (
        "difficulty_too_low",
        "ends with 2 zeros, expected 3 or more",
    ),
    ("empty_file", "byte 0: not readable: the file is empty"),
    (
        "genesis_index",
        "block 0: breaks rule 1: the genesis block has index 1, expected 0",
    ),
    (
        "genesis_missing",
        "block 0: breaks rule 1: the genesis block has index 1",
    ),
    (
        "genesis_prev",
        "breaks rule 1: the genesis block has previous hash \"",
    ),
    (
        "genesis_proof",
        "breaks rule 1: the genesis block has proof 0, expected none",
    ),
    (
        "index_gap",
        "block 2: breaks rule 2: the index is 3, expected 2",
    ),
    (
        "index_repeat",
        "block 2: breaks rule 2: the index is 1, expected 2",
    ),
    (
        "index_negative",
        "block 3, byte 777: breaks rule 2: the index is -3, expected 3",
    ),
    (
        "lone_surrogate",
        "not well-formed: the message is text with a lone surrogate",
    ),
    ("message_changed", "block 2: breaks rule 3"),
    (
        "missing_timestamp",
        "not well-formed: the attribute `_timestamp` is missing",
    ),
    ("no_type_tag", "not readable: there is no py/object"),
    (
        "null",
        "byte 0: not readable: expected a list of blocks, found `n`",
    ),
    (
        "none",
        "not readable: expected a list of blocks, found none",
    ),
    (
        "order_swapped",
        "block 2: breaks rule 2: the index is 3, expected 2",
    ),
    (
        "prev_hash_none",
        "block 3, byte 1209: breaks rule 3: there is no previous hash",
    ),
    (
        "prev_hash_upper",
        "breaks rule 3: the previous hash is \"2728CC7D",
    ),
    (
        "prev_hash_wrong",
        "block 2: breaks rule 3: the previous hash is 0d0f",
    ),
    ("proof_none", "breaks rule 4: there is no proof"),
    (
        "proof_wrong",
        "block 2: breaks rule 4: the digest of the proofs ends with 0 zeros",
    ),
    ("timestamp_changed", "block 2: breaks rule 3"),
    (
        "timestamp_equal",
        "block 2: breaks rule 5: the time is 1600000001.1, expected later",
    ),
    (
        "trailing_garbage",
        "not readable: unexpected data after the end of the chain",
    ),
    ("truncated", "not readable: the file is truncated"),
    ("unknown_class", "Blokk\", expected"),
    ("bad_opcode", "not readable: the text is not UTF-8"),
];

#[test]
fn every_invalid_chain_is_rejected_for_its_reason() {
    let folder = Folder::new();
    let mut seen = 0;
    for (name, chain) in table("chains/odd_expected.json") {
        let Some(short) = name.strip_prefix("invalid/") else {
            continue;
        };
        seen += 1;
        let path = fixture(&format!("chains/{name}.chain"));
        let path = path.to_str().unwrap();
        let short = short.split_once('_').unwrap().1;
        let longest = REASONS.iter().filter(|(key, _)| short.starts_with(key));
        let (_, reason) = longest.max_by_key(|(key, _)| key.len()).unwrap();
        let difficulty = chain["difficulty"].to_string();
        let text = fails(1, ["verify", path, "--difficulty", &difficulty]);
        assert!(
            text.starts_with("NOT VALID\n") && text.contains(reason),
            "{name}: {text}"
        );
        let text = fails(
            1,
            [
                "import",
                path,
                "--db",
                &folder.path("db"),
                "--difficulty",
                &difficulty,
            ],
        );
        assert!(
            text.starts_with("error: ") && text.contains(reason),
            "{name}: {text}"
        );
        assert!(folder.names("db").is_empty(), "{name}");
    }
    assert_eq!(seen, 42);
}

#[test]
fn the_json_report_names_class_rule_and_position() {
    let finding = |name: &str| {
        let path = fixture(&format!("chains/invalid/{name}.chain"));
        let output = run(["verify", path.to_str().unwrap(), "--json"]);
        assert_eq!(output.status.code(), Some(1));
        let report = json(&output);
        assert_eq!(report["valid"], false);
        report["finding"].clone()
    };
    let broken = finding("pickle_index_negative");
    assert_eq!(
        broken,
        serde_json::json!({
            "block": 3, "byte": 777, "class": "rule", "rule": 2,
            "problem": "breaks rule 2: the index is -3, expected 3",
        })
    );
    assert_eq!(finding("json_lone_surrogate")["class"], "not_well_formed");
    assert_eq!(finding("json_truncated")["class"], "not_readable");
    assert_eq!(finding("json_truncated")["rule"], Value::Null);
    assert_eq!(finding("json_message_changed")["rule"], 3);
}

#[test]
fn an_object_written_as_a_list_is_rejected() {
    let folder = Folder::new();
    let db = folder.imported("db", "chains/json_3.chain");
    for format in ["json", "ndjson"] {
        let file = folder.path(format);
        succeeds(["export", "--db", &db, "--format", format, "--output", &file]);
        succeeds(["verify", &file]);
        let text = fs::read_to_string(&file).unwrap();
        let start = text.find("\"data\":{\"id\":").unwrap();
        let (before, after) = text.split_at(start);
        let after = after.replacen("{\"id\":", "[", 1);
        let after = after.replacen("\"message\":", "", 1).replacen('}', "]", 1);
        fs::write(&file, format!("{before}{after}")).unwrap();
        let text = fails(1, ["verify", &file]);
        assert!(text.contains("expected an object"), "{format}: {text}");
    }
}

#[test]
fn a_hash_mismatch_is_a_warning() {
    let folder = Folder::new();
    let file = folder.path("x.chain");
    fs::copy(fixture("chains/json_3.chain"), &file).unwrap();
    fs::write(folder.path("x.hash"), "0".repeat(64)).unwrap();
    for args in [
        vec!["verify", &file],
        vec!["import", &file, "--db", &folder.path("db")],
    ] {
        let output = succeeds(args);
        let text = stderr(&output);
        assert!(
            text.starts_with("warning: ") && text.contains("x.hash does not match"),
            "{text}"
        );
    }
}

#[test]
fn text_from_a_file_is_escaped_on_the_terminal() {
    let folder = Folder::new();
    let file = folder.path("x\u{1b}[31m.json");
    fs::write(
        &file,
        "[{\"index\":0,\"\\u001b[31m\":1,\"data\":\"\u{1b}[2J\u{202e}\"}]",
    )
    .unwrap();
    for args in [
        vec!["verify", &file],
        vec!["import", &file, "--db", &folder.path("db")],
    ] {
        let output = run(args);
        let text = format!("{}{}", stdout(&output), stderr(&output));
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
}

#[test]
fn text_from_a_file_is_whole_in_json() {
    let folder = Folder::new();
    let file = folder.path("x.json");
    fs::write(&file, "[{\"py/\\u001b[31m\": 1}]").unwrap();
    let output = run(["verify", "--json", &file]);
    let verdict: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let problem = verdict["finding"]["problem"].as_str().unwrap();
    assert!(problem.contains("\"py/\u{1b}[31m\""), "{problem:?}");
}

#[test]
fn a_database_is_checked_against_its_stored_rules() {
    let folder = Folder::new();
    let db = folder.imported("db", "chains/json_d2.chain");
    succeeds(["verify", "--db", &db]);
    // The blocks are stored without the check that a node would make first.
    let keep = |difficulty, sealed_from| {
        let path = Path::new(&db).join("node.redb");
        let store = Store::open(&path, 0, Box::new(|_| {})).unwrap();
        let network = Network {
            difficulty: Difficulty::new(difficulty).unwrap(),
            sealed_from,
        };
        store
            .write(|reply| Operation::SetNetwork(network, reply))
            .unwrap();
        store.close().unwrap();
    };
    keep(9, None);
    assert!(fails(1, ["verify", "--db", &db]).contains("expected 9 or more"));
    succeeds(["verify", "--db", &db, "--difficulty", "1"]);
    keep(1, Some(1));
    assert!(fails(1, ["verify", "--db", &db]).contains("the proof is open"));
}
