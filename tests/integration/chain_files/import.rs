//! `import` changes everything or nothing, and loses no acknowledged message.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use blockchain::store::StoppedStore;

use crate::support::check::check_file;
use crate::support::command::Blockchain;
use crate::support::test_node::TestNode;

use super::{Folder, add, fails, fixture, json, pending, program, run, stderr, succeeds};

#[test]
fn an_import_takes_the_network_rules_from_the_chain() {
    let folder = Folder::new();
    let file = fixture("chains/json_d2.chain");
    let file = file.to_str().unwrap();
    let report = json(&succeeds([
        "import",
        file,
        "--db",
        &folder.path("a"),
        "--json",
    ]));
    for (key, value) in [
        ("blocks", Value::from(6)),
        ("difficulty", 2.into()),
        ("difficulty_from", "chain".into()),
        ("sealed_from", 6.into()),
        ("open", 5.into()),
        ("old_database", Value::Null),
    ] {
        assert_eq!(report[key], value, "{key}");
    }
    let database = folder.0.path().join("a/node.redb");
    assert_eq!(check_file(&database).unwrap().blocks, 6);
    let store = StoppedStore::open(&database).unwrap();
    let network = store.view().unwrap().network().unwrap();
    assert_eq!(
        (network.difficulty.get(), network.sealed_from),
        (2, Some(6))
    );

    let lower = [
        "import",
        file,
        "--db",
        &folder.path("b"),
        "--difficulty",
        "1",
        "--json",
    ];
    let report = json(&succeeds(lower));
    assert_eq!(
        (&report["difficulty"], &report["difficulty_from"]),
        (&1.into(), &"option".into())
    );
    let text = fails(
        1,
        [
            "import",
            file,
            "--db",
            &folder.path("c"),
            "--difficulty",
            "3",
        ],
    );
    assert!(text.contains("block 1: breaks rule 4"), "{text}");
    let lone = fixture("chains/json_genesis.chain");
    let report = [
        "import",
        lone.to_str().unwrap(),
        "--db",
        &folder.path("d"),
        "--json",
    ];
    let report = json(&succeeds(report));
    assert_eq!(
        (&report["difficulty"], &report["difficulty_from"]),
        (&5.into(), &"default".into())
    );
}

#[test]
fn broken_seals_are_rejected() {
    let folder = Folder::new();
    let forged = fixture("sealed/sealed_forged.chain");
    let forged = forged.to_str().unwrap();
    let text = fails(1, ["import", forged, "--db", &folder.path("db")]);
    assert!(
        text.contains("block 1: not acceptable because the seal is broken"),
        "{text}"
    );
    assert!(folder.names("db").is_empty());
    let output = run(["verify", forged, "--json"]);
    let report = json(&output);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["finding"]["class"], "not_acceptable");
    assert_eq!(
        (&report["blocks"], &report["broken"]),
        (&12.into(), &11.into())
    );
    let open = fixture("chains/json_3.chain");
    let text = fails(1, ["verify", open.to_str().unwrap(), "--require-sealed=2"]);
    assert!(
        text.contains("block 2: not acceptable because the proof is open"),
        "{text}"
    );
}

#[test]
fn an_existing_chain_is_set_aside_and_its_pending_messages_are_kept() {
    let folder = Folder::new();
    let db = folder.imported("db", "chains/json_3.chain");
    let database = folder.0.path().join("db/node.redb");
    add(&database, 1, "acknowledged");
    let before = check_file(&database).unwrap();
    assert_eq!((before.blocks, before.pending), (4, 1));
    let file = fixture("chains/json_d2.chain");
    let file = file.to_str().unwrap();

    let text = fails(1, ["import", file, "--db", &db]);
    for expected in [
        "already has a chain of 4 blocks",
        "hint: ",
        "--force-new-chain",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(check_file(&database).unwrap(), before);
    // An invalid chain changes nothing, even with that option.
    let broken = fixture("chains/invalid/json_proof_wrong.chain");
    fails(
        1,
        [
            "import",
            broken.to_str().unwrap(),
            "--db",
            &db,
            "--force-new-chain",
        ],
    );
    assert_eq!(folder.names("db"), ["node.redb"]);
    assert_eq!(check_file(&database).unwrap(), before);

    let report = ["import", file, "--db", &db, "--force-new-chain", "--json"];
    let report = json(&succeeds(report));
    let old = PathBuf::from(report["old_database"].as_str().unwrap());
    assert_eq!(check_file(&old).unwrap(), before);
    assert_eq!(folder.names("db").len(), 2);
    assert_eq!(
        (&report["blocks"], &report["pending"]),
        (&6.into(), &1.into())
    );
    assert_eq!(pending(&database), [("acknowledged".to_owned(), 7)]);
    assert_eq!(pending(&old), pending(&database));
    let store = StoppedStore::open(&old).unwrap();
    assert_eq!(store.view().unwrap().tip_block().unwrap().index, 3);

    // Two imports within a second keep both older databases.
    for _ in 0..2 {
        succeeds(["import", file, "--db", &db, "--force-new-chain"]);
    }
    assert_eq!(folder.names("db").len(), 4);
}

#[test]
fn a_genesis_only_chain_is_replaced_and_its_pending_messages_are_kept() {
    let folder = Folder::new();
    let db = folder.imported("db", "chains/json_genesis.chain");
    let database = folder.0.path().join("db/node.redb");
    add(&database, 1, "acknowledged");
    let file = fixture("chains/pickle_3.chain");
    succeeds(["import", file.to_str().unwrap(), "--db", &db]);
    assert_eq!(folder.names("db"), ["node.redb"]);
    assert_eq!(pending(&database), [("acknowledged".to_owned(), 7)]);
}

#[test]
fn a_damaged_database_is_replaced_only_with_force_new_chain() {
    let folder = Folder::new();
    let db = folder.imported("db", "chains/json_3.chain");
    let database = folder.0.path().join("db/node.redb");
    fs::write(&database, b"no database at all").unwrap();
    let file = fixture("chains/json_3.chain");
    let file = file.to_str().unwrap();
    fails(3, ["import", file, "--db", &db]);
    assert_eq!(fs::read(&database).unwrap(), b"no database at all");
    let output = succeeds(["import", file, "--db", &db, "--force-new-chain"]);
    assert!(stderr(&output).contains("warning: "), "{}", stderr(&output));
    assert_eq!(check_file(&database).unwrap().blocks, 4);
}

#[test]
fn leftovers_of_a_killed_import_are_removed_by_the_next() {
    let folder = Folder::new();
    fs::create_dir(folder.path("db")).unwrap();
    fs::write(folder.path("db/.node.tmp-import"), b"half a database").unwrap();
    folder.imported("db", "chains/json_3.chain");
    assert_eq!(folder.names("db"), ["node.redb"]);
}

#[test]
fn a_chain_file_can_be_read_from_standard_input() {
    let folder = Folder::new();
    let with_input = |args: &[&str]| {
        let file = fs::File::open(fixture("chains/pickle_3.chain")).unwrap();
        let output = program().args(args).stdin(file).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        json(&output)
    };
    assert_eq!(with_input(&["verify", "-", "--json"])["format"], "pickle");
    // A pipe cannot be read twice.
    let mut cat = Command::new("cat")
        .arg(fixture("chains/pickle_3.chain"))
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let output = program()
        .args(["import", "-", "--db", &folder.path("db"), "--json"])
        .stdin(cat.stdout.take().unwrap())
        .output()
        .unwrap();
    cat.wait().unwrap();
    assert_eq!(json(&output)["blocks"], 4);
    assert_eq!(folder.names("db"), ["node.redb"]);
}

#[test]
fn a_killed_import_leaves_the_old_database_or_the_new() {
    let folder = Folder::new();
    let file = fixture("chains/json_late.chain");
    let args = [
        "import",
        file.to_str().unwrap(),
        "--force-new-chain",
        "--db",
    ];
    for delay in 0..12 {
        let name = format!("db{delay}");
        let db = folder.imported(&name, "chains/json_3.chain");
        let database = PathBuf::from(&db).join("node.redb");
        add(&database, 1, "acknowledged");
        let mut import = program().args(args).arg(&db).spawn().unwrap();
        // Each round kills the import at a later moment.
        std::thread::sleep(Duration::from_millis(delay * 4));
        import.kill().unwrap();
        import.wait().unwrap();
        let found = check_file(&database).unwrap();
        assert!([4, 66].contains(&found.blocks), "{found:?} after {delay}");
        assert_eq!(found.pending, 1);
        succeeds(args.into_iter().chain([&*db]));
        let found = check_file(&database).unwrap();
        assert_eq!((found.blocks, found.pending), (66, 1));
        let left = folder.names(&name).into_iter();
        let left: Vec<_> = left.filter(|name| name.ends_with(".import")).collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[test]
fn an_imported_chain_has_its_old_seal_rule_again() {
    let mut node = TestNode::start(&["--difficulty", "1"]);
    node.mine(&["one", "two"]);
    node.stop();
    let file = node.folder().join("node.chain");
    for (option, expected) in [
        (None, "every block from 3 on must be sealed"),
        (
            Some("--require-sealed"),
            "every block from 1 on must be sealed",
        ),
        (
            Some("--require-sealed=2"),
            "every block from 2 on must be sealed",
        ),
    ] {
        let target = tempfile::tempdir().unwrap();
        Blockchain::new(["import", file.to_str().unwrap(), "--db"])
            .args([target.path()])
            .args(option)
            .exits(0)
            .prints(&[expected]);
    }
}

#[test]
fn an_import_keeps_a_closed_node_closed() {
    let mut node = TestNode::start(&["--difficulty", "1", "--closed", "--title", "Class 8b"]);
    node.mine(&["one"]);
    node.stop();
    let file = node.folder().join("node.chain");
    let copy = node.sibling("copy.chain");
    std::fs::copy(file, &copy).unwrap();
    Blockchain::new([
        "import",
        copy.to_str().unwrap(),
        "--force-new-chain",
        "--db",
    ])
    .args([node.folder()])
    .exits(0);
    node.start_again(&[]);
    let status = node.status();
    assert!(status.closed && status.title.as_deref() == Some("Class 8b"));
}
