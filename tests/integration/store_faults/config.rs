//! Damaged configuration files: rejected with the position, or read with no option that the
//! undamaged file does not have. The real binary reads them.

use std::collections::BTreeSet;
use std::fs;

use toml::de::{DeTable, DeValue};

use super::commands::run;
use super::mutation::damage;
use super::{all, seed, tell};
use crate::support::random::SeededRng;

/// A key of one table must mean something in this file wherever a lost head of a table leaves it.
const WHOLE: &str = r#"# What a node of a small group says.
log = "info,blockchain=debug"

[node]
host = "127.0.0.1"
port = 12345
difficulty = 6
threads = 2
neighbours = ["one.example.org:12345", "[fe80::1]:7", "two.example.org"]
max-neighbours = 5
chain-interval = "1500ms"
min-free = "64MiB"
chain-serialization = "pickle" # for the reference miner
accept-open = true
allow-host = "chain.example.org"

[client]
host = "one.example.org"
port = 12346

[ui]
host = "0.0.0.0"
port = 8080
allow-host = ["chain.example.org", "localhost"]
"#;

/// Returns the options of a file, each with its table.
fn named(text: &str) -> BTreeSet<(String, String)> {
    let mut names = BTreeSet::new();
    for (first, value) in DeTable::parse(text).unwrap().get_ref() {
        if let DeValue::Table(keys) = value.get_ref() {
            let (table, keys) = (first.get_ref(), keys.keys());
            names.extend(keys.map(|key| (table.to_string(), key.get_ref().to_string())));
        } else {
            names.insert((String::new(), first.get_ref().to_string()));
        }
    }
    names
}

#[test]
fn a_damaged_configuration_file_is_rejected_or_sets_no_other_option() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("blockchain.toml");
    let path = path.to_str().unwrap();
    // Both end as soon as the options are read: here no folder can be made, and 1 is no proof. A
    // changed host may be one on which no node can listen.
    let node = ["node", "--db", "/dev/null/db", "--config", path];
    let check = ["pow", "check", "--proof", "1", "--config", path];
    let commands: [(&[&str], i32, &str); 2] =
        [(&node, 3, "/dev/null/db: "), (&check, 1, "NOT VALID")];

    let known = named(WHOLE);
    let first = seed() * 1_000_000;
    let cases = if all() { 1000 } else { 100 };
    let (mut rejected, mut taken) = (0, 0);
    for case in first..first + cases {
        let mut rng = SeededRng::new(case);
        let mut file = WHOLE.as_bytes().to_vec();
        // The first two are whole.
        let how = if case < first + 2 {
            "whole".to_owned()
        } else {
            damage(&mut file, 16, &mut rng)
        };
        fs::write(path, &file).unwrap();
        let (arguments, code, end) = commands[usize::from(case % 2 == 1)];
        let output = run(arguments, None);
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        let text = String::from_utf8(text).unwrap();
        let what = format!("case {case}, {how}: {:?}\n{text}", output.status);
        if output.status.code() == Some(2) && how != "whole" {
            let reason = text.strip_prefix("error: ").expect(&what);
            assert!(
                reason.contains("blockchain.toml") || reason.starts_with("--log "),
                "{what}"
            );
            rejected += 1;
        } else {
            assert_eq!(output.status.code(), Some(code), "{what}");
            let ends = text.contains(end) || text.starts_with("error: cannot listen on ");
            assert!(ends, "{what}");
            let names = named(str::from_utf8(&file).expect(&what));
            assert!(names.is_subset(&known), "{what}: {names:?}");
            taken += 1;
        }
    }
    tell(&format!(
        "damaged configuration files: cases from {first} on, {rejected} rejected, {taken} read"
    ));
    assert!(
        rejected * 3 > cases && taken * 50 > cases,
        "{rejected}, {taken}"
    );
}
