//! `export` writes the same chain in every format, from a stopped and from a running node.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use blockchain::chain::Block;
use blockchain::store::{Network, Store};

use super::{FORMATS, Folder, RunningNode, add, fails, fixture, json, pending, stderr, succeeds};

#[test]
fn an_export_survives_import_and_export_byte_for_byte() {
    let folder = Folder::new();
    for (name, chain) in [
        ("odd", "chains/json_odd.chain"),
        ("late", "chains/pickle_late.chain"),
        ("times", "chains/json_times.chain"),
        ("sealed", "sealed/sealed.chain"),
    ] {
        let db = folder.imported(name, chain);
        let tip = json(&succeeds(["verify", "--db", &db, "--json"]))["tip"].clone();
        for format in FORMATS {
            let file = folder.path(&format!("{name}.{format}"));
            succeeds(["export", "--db", &db, "--format", format, "--output", &file]);
            let bytes = fs::read(&file).unwrap();
            let digest = hex::encode(Sha256::digest(&bytes));
            let (hash, expected) = match format {
                "chain" => (format!("{name}.hash"), digest),
                _ => (
                    format!("{name}.{format}.sha256"),
                    format!("{digest}  {name}.{format}\n"),
                ),
            };
            let hash = fs::read_to_string(folder.path(&hash)).unwrap();
            assert_eq!(hash, expected, "{name} as {format}");
            let report = json(&succeeds(["verify", &file, "--json"]));
            assert_eq!(report["format"], format, "{name}");
            assert_eq!(report["tip"], tip, "{name} as {format}");
            assert_eq!(report["hash_matches"], true);

            let copy = folder.path(&format!("{name}-{format}"));
            let output = succeeds(["import", &file, "--db", &copy]);
            assert!(stderr(&output).is_empty(), "{}", stderr(&output));
            let again = succeeds(["export", "--db", &copy, "--format", format]);
            assert!(again.stdout == bytes, "{name} as {format}");
        }
        // The documented formats have the bytes of the reference miner.
        let same = if chain.contains("pickle") {
            "pickle"
        } else {
            "chain"
        };
        let file = folder.path(&format!("{name}.{same}"));
        assert!(
            fs::read(file).unwrap() == fs::read(fixture(chain)).unwrap(),
            "{name}"
        );
    }
}

#[test]
fn invalid_options_are_usage_errors() {
    let folder = Folder::new();
    let db = folder.imported("db", "chains/json_3.chain");
    fails(2, ["export", "--db", &db, "--output", "x.csv"]);
    fails(2, ["export", "--db", &db, "--format", "yaml"]);
    fails(2, ["export", "--db", &db, "--format", "csv", "--json"]);
    fails(
        2,
        ["export", "--db", &db, "--format", "csv", "--with-mempool"],
    );
    fails(
        2,
        [
            "export",
            "--db",
            &db,
            "--json",
            "--output",
            &folder.path("x.hash"),
        ],
    );
    fails(2, ["verify", "x", "--db", &db]);
    fails(2, ["verify"]);
    fails(2, ["import", "x"]);
    fails(3, ["verify", &folder.path("missing")]);
    fails(
        3,
        [
            "import",
            &folder.path("missing"),
            "--db",
            &folder.path("new"),
        ],
    );
}

#[test]
fn a_running_node_can_be_exported_but_not_imported_into() {
    let folder = Folder::new();
    let db = folder.imported("db", "chains/json_times.chain");
    let database = folder.0.path().join("db/node.redb");
    add(&database, 1, "first");
    add(&database, 2, "=second");
    let stopped: Vec<_> = FORMATS
        .iter()
        .map(|format| succeeds(["export", "--db", &db, "--format", format]).stdout)
        .collect();
    let pending_too = |format: &str| {
        let args = ["export", "--db", &db, "--with-mempool", "--format", format];
        succeeds(args).stdout
    };
    let both = ["bincode", "json"].map(pending_too);
    let node = RunningNode::on(&db);
    for (format, stopped) in FORMATS.iter().zip(&stopped) {
        let output = succeeds(["export", "--db", &db, "--format", format]);
        assert!(output.stdout == *stopped, "{format}");
    }
    assert!(["bincode", "json"].map(pending_too) == both);
    let file = fixture("chains/json_d2.chain");
    let args = [
        "import",
        file.to_str().unwrap(),
        "--db",
        &db,
        "--force-new-chain",
    ];
    let text = fails(3, args);
    assert!(
        text.contains("hint: stop the node that runs on it first"),
        "{text}"
    );
    drop(node);

    for (format, bytes) in ["bincode", "json"].iter().zip(&both) {
        let file = folder.path(format);
        fs::write(&file, bytes).unwrap();
        let copy = folder.path(&format!("copy-{format}"));
        let report = json(&succeeds(["import", &file, "--db", &copy, "--json"]));
        assert_eq!(report["pending"], 2);
        let copied = pending(&Path::new(&copy).join("node.redb"));
        let texts: Vec<_> = copied.iter().map(|(text, _)| &**text).collect();
        assert_eq!(texts, ["first", "=second"]);
        assert!(copied[0].1 > 7, "they arrive with the import");
    }
}

#[test]
fn a_failed_export_leaves_no_files() {
    let folder = Folder::new();
    fs::create_dir(folder.path("db")).unwrap();
    let database = folder.0.path().join("db/node.redb");
    let network = Network {
        difficulty: blockchain::pow::Difficulty::MIN,
        sealed_from: None,
    };
    Store::create(&database, &Block::default_genesis(), network).unwrap();
    let (db, out) = (folder.path("db"), folder.path("out"));
    fs::create_dir(&out).unwrap();
    // A folder has the name of the file or of its hash.
    for taken in ["out/x.json", "out/x.json.sha256"] {
        fs::create_dir(folder.path(taken)).unwrap();
        let target = folder.path("out/x.json");
        fails(2, ["export", "--db", &db, "--json", "--output", &target]);
        assert_eq!(folder.names("out").len(), 1);
        fs::remove_dir(folder.path(taken)).unwrap();
    }
}
