//! The source tree keeps its own rules: small files, `unsafe` in one file, each library in one
//! module, no async code in the core, and the dependencies that the map in `src/lib.rs` names.
//!
//! The files are read as text without comments and string literals. That is coarse, but it finds a
//! rule that is broken by accident.

mod imports;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use source::{sources, words};

/// Maximum number of lines of a file.
const LINES: usize = 400;

/// Words, and the only files that may contain them.
const PLACES: &[(&str, &[&str])] = &[
    ("unsafe", &["src/pow/lanes"]),
    ("redb", &["src/store"]),
    ("reqwest", &["src/client/http"]),
    ("warp", &["src/api", "src/ui"]),
    (
        "prometheus_client",
        &[
            "src/api/metrics.rs",
            "src/api/request_metrics.rs",
            "src/node.rs",
        ],
    ),
    ("clap", &["src/cli"]),
    ("toml", &["src/cli/config.rs"]),
    ("utoipa", &["src/wire", "src/api/openapi"]),
    ("bincode", &["src/codec.rs"]),
    ("flate2", &["src/http/compression"]),
];

/// Returns the rows of the map in the documentation of the crate: each module and those it imports.
fn map_of_modules() -> Vec<(String, BTreeSet<String>)> {
    let mut map = Vec::new();
    for line in include_str!("../../src/lib.rs").lines() {
        let Some(row) = line.strip_prefix("//! | [`") else {
            continue;
        };
        let (name, rest) = row.split_once('`').unwrap();
        let imports = rest.split('|').nth(2).unwrap();
        let names = words(imports).into_iter().filter(|name| !name.is_empty());
        map.push((name.to_owned(), names.map(str::to_owned).collect()));
    }
    assert!(map.len() > 10, "the map was not found");
    map
}

/// Returns each module of the crate with each module that its production code imports.
fn dependencies() -> Vec<(Vec<String>, Vec<String>)> {
    let sources = sources(&["src"]);
    let modules = sources
        .iter()
        .filter_map(source::Source::module_path)
        .collect();
    let mut dependencies = Vec::new();
    for source in &sources {
        let Some(file) = source.module_path() else {
            continue;
        };
        for path in imports::paths(source.production()) {
            if let Some(module) = imports::resolve(&path, &file, &modules) {
                let file = file.iter().map(ToString::to_string).collect();
                dependencies.push((file, module));
            }
        }
    }
    dependencies
}

#[track_caller]
fn assert_none(problems: &str) {
    assert!(problems.is_empty(), "\n{problems}");
}

#[test]
fn files_are_short() {
    let mut problems = String::new();
    for source in sources(&["src", "tests", "benches"]) {
        let lines = source.text.lines().count();
        if lines > LINES {
            writeln!(problems, "{}: {lines} lines", source.path).unwrap();
        }
    }
    assert_none(&problems);
}

#[test]
fn nothing_unfinished_is_left() {
    let mut problems = String::new();
    for source in sources(&["src", "tests", "benches"]) {
        // This file has to name them.
        if source.path.ends_with("integration/layout.rs") {
            continue;
        }
        let words = words(&source.text);
        let marks = ["FIXME", "XXX"].into_iter();
        let marks = marks.filter(|mark| words.contains(mark));
        let macros = ["todo!", "dbg!"].into_iter();
        for mark in marks.chain(macros.filter(|name| source.text.contains(name))) {
            writeln!(problems, "{}: {mark}", source.path).unwrap();
        }
    }
    assert_none(&problems);
}

#[test]
fn each_library_is_used_in_one_place() {
    let mut problems = String::new();
    for source in sources(&["src"]) {
        let words = words(&source.code);
        for (word, places) in PLACES {
            let is_here = places.iter().any(|place| source.path.starts_with(place));
            if words.contains(word) && !is_here {
                writeln!(problems, "{}: {word} belongs into {places:?}", source.path).unwrap();
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn the_core_is_synchronous() {
    let map = map_of_modules();
    let last = map.iter().position(|(name, _)| name == "store");
    let sync: BTreeSet<_> = map[..=last.unwrap()]
        .iter()
        .map(|(name, _)| &**name)
        .collect();
    let mut problems = String::new();
    for source in sources(&["src"]) {
        let is_sync = source.module().is_some_and(|name| sync.contains(name));
        let words = words(&source.code);
        for word in ["async", "await", "tokio"] {
            if is_sync && words.contains(word) {
                writeln!(problems, "{}: {word}", source.path).unwrap();
            }
        }
    }
    assert_none(&problems);
}

#[test]
fn the_map_of_modules_is_true() {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in dependencies() {
        let imports = found.entry(from[0].clone()).or_default();
        if let Some(to) = to.first().filter(|to| **to != from[0]) {
            imports.insert(to.clone());
        }
    }
    let map = map_of_modules();
    let mut problems = String::new();
    for (position, (name, imports)) in map.iter().enumerate() {
        let found = found.remove(name).unwrap_or_default();
        if *imports != found {
            writeln!(
                problems,
                "{name}: the map has {imports:?}, the code {found:?}"
            )
            .unwrap();
        }
        let above: BTreeSet<_> = map[..position]
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        if !imports.is_subset(&above) {
            writeln!(problems, "{name}: imports a module that is not above it").unwrap();
        }
    }
    for name in found.keys() {
        writeln!(problems, "{name}: not in the map of lib.rs").unwrap();
    }
    assert_none(&problems);
}

/// A module and its own submodules may import each other.
#[test]
fn sibling_modules_import_each_other_without_circles() {
    let mut siblings: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (from, to) in dependencies() {
        let common = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
        if common < from.len().min(to.len()) {
            let importer = from[..=common].to_vec();
            let imports = siblings.entry(importer).or_default();
            imports.insert(to[..=common].to_vec());
        }
    }
    let mut problems = String::new();
    for (module, imports) in &siblings {
        let mut reached = BTreeSet::new();
        let mut next: Vec<_> = imports.iter().collect();
        while let Some(name) = next.pop() {
            if reached.insert(name) {
                next.extend(siblings.get(name).into_iter().flatten());
            }
        }
        if reached.contains(module) {
            writeln!(problems, "{}: in a circle", module.join("::")).unwrap();
        }
    }
    assert_none(&problems);
}

/// A derived reader would also accept a list of the values for an object.
#[test]
fn structs_of_json_documents_are_read_from_objects_alone() {
    let mut problems = String::new();
    let mut seen = 0;
    for source in sources(&["src"]) {
        // Other types derive readers for queries, which are pairs, and for stored bytes.
        let modules = ["wire", "snapshot", "reference", "client", "cli"];
        let is_json = source.module().is_some_and(|name| modules.contains(&name));
        let is_test = source.path.contains("tests");
        let derives = source.text.split("#[derive(").skip(1);
        for derive in derives.filter(|_| is_json && !is_test) {
            let Some((traits, rest)) = derive.split_once(")]") else {
                continue;
            };
            let (attributes, item) = rest.split_once("struct ").unwrap_or((rest, ""));
            let is_struct = !item.is_empty() && !attributes.contains(['{', ';']);
            if is_struct && words(traits).contains("Deserialize") {
                seen += 1;
                if !attributes.contains("remote = \"Self\"") {
                    let name = item.split_whitespace().next().unwrap_or_default();
                    writeln!(problems, "{}: {name}", source.path).unwrap();
                }
            }
        }
    }
    assert!(seen > 25, "the structs were not found");
    assert_none(&problems);
}

#[test]
fn a_list_of_modules_names_all_of_them() {
    let mut problems = String::new();
    // The map of the crate is a table, which another test checks.
    for source in sources(&["src"]).iter().filter(|s| s.module().is_some()) {
        let is_item = |line: &&str| line.starts_with("//! * ") || line.starts_with("//!   ");
        let list: String = source.text.lines().filter(is_item).collect();
        let code = source.production();
        let (named, missing): (Vec<_>, Vec<_>) = code
            .lines()
            .filter_map(|line| line.strip_suffix(';')?.rsplit_once("mod "))
            .filter(|(before, _)| before.is_empty() || before.starts_with("pub"))
            .filter(|(_, name)| !code.contains(&format!("#[cfg(test)]\nmod {name};")))
            .map(|(_, name)| name)
            .partition(|name| list.contains(&format!("`{name}`")));
        if !named.is_empty() {
            for name in missing {
                writeln!(problems, "{}: {name}", source.path).unwrap();
            }
        }
    }
    assert_none(&problems);
}
