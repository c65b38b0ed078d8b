//! The source tree keeps its own rules: small files, `unsafe` in one place, one module for each
//! library, nothing async in the core, and dependencies in one direction.
//!
//! The files are read as text, without their comments and string literals. That is coarse, but a
//! rule broken by accident does not get past it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Maximum number of lines of a file.
const LINES: usize = 400;

/// What each module may import, directly; whatever that may import is allowed with it.
const DIRECTION: &[(&str, &[&str])] = &[
    ("pow", &[]),
    ("clock", &[]),
    ("fs", &[]),
    ("temporary", &[]),
    ("text", &[]),
    ("http", &["wire"]),
    ("chain", &["pow", "text"]),
    ("codec", &["chain"]),
    ("reference", &["chain"]),
    ("wire", &["chain"]),
    (
        "snapshot",
        &[
            "reference",
            "codec",
            "wire",
            "chain",
            "fs",
            "temporary",
            "text",
        ],
    ),
    // The lengths of the documented bodies are counted in the same transaction.
    (
        "store",
        &["codec", "chain", "pow", "reference", "fs", "temporary"],
    ),
    ("client", &["wire", "reference", "codec"]),
    ("node", &["store", "snapshot", "client", "pow", "clock"]),
    ("api", &["node", "wire", "reference", "http"]),
    ("ui", &["client", "wire", "http", "text"]),
    (
        "cli",
        &[
            "node",
            "api",
            "ui",
            "snapshot",
            "client",
            "store",
            "wire",
            "pow",
            "http",
            "fs",
            "temporary",
            "text",
        ],
    ),
];

/// Words, and where alone they may stand.
const PLACES: &[(&str, &[&str])] = &[
    ("unsafe", &["src/pow/lanes"]),
    ("redb", &["src/store"]),
    ("reqwest", &["src/client/http"]),
    ("warp", &["src/api", "src/ui"]),
    ("prometheus_client", &["src/api/metrics.rs", "src/node.rs"]),
    ("clap", &["src/cli"]),
    ("toml", &["src/cli/config.rs"]),
    ("utoipa", &["src/wire", "src/api/openapi"]),
    ("bincode", &["src/codec.rs"]),
];

/// Modules that know nothing of async.
const SYNC: &[&str] = &[
    "chain",
    "pow",
    "reference",
    "codec",
    "wire",
    "store",
    "snapshot",
];

struct Source {
    /// Below the root of the repository.
    path: String,
    text: String,
    /// The text without comments and string literals.
    code: String,
}

impl Source {
    /// The module at the top of the crate that the file belongs to.
    fn module(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        let name = rest.split(['/', '.']).next()?;
        (!matches!(name, "lib" | "main")).then_some(name)
    }
}

fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in folders {
        collect(&root.join(folder), &mut files);
    }
    assert!(files.len() > 10, "the tree was not found");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).unwrap();
        Source {
            path: file.strip_prefix(root).unwrap().display().to_string(),
            code: code_of(&text),
            text,
        }
    };
    files.into_iter().map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
}

/// Blanks out comments, strings and characters.
fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = raw_string(rest);
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(end) = raw.filter(|_| !code.ends_with(is_word)) {
            end
        } else if first == '"' {
            string(rest).unwrap_or(rest.len())
        } else {
            character(rest).unwrap_or(0)
        };
        if skipped == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

/// The end of a raw string at the start of the text.
fn raw_string(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('b').unwrap_or(text).strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let content = rest[hashes..].strip_prefix('"')?;
    let closing = format!("\"{}", "#".repeat(hashes));
    let end = content.find(&closing)? + closing.len();
    Some(text.len() - content.len() + end)
}

/// The end of a string at the start of the text.
fn string(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    for (position, character) in text.strip_prefix('"')?.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return Some(position + 2),
            _ => {}
        }
    }
    None
}

/// The end of a character at the start of the text; none for a lifetime.
fn character(text: &str) -> Option<usize> {
    let content = text.strip_prefix('\'')?;
    let length = match content.strip_prefix('\\') {
        Some(escape) => 2 + escape.get(1..)?.find('\'')?,
        None => content.chars().next()?.len_utf8(),
    };
    content[length..].starts_with('\'').then_some(length + 2)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

fn words(code: &str) -> BTreeSet<&str> {
    code.split(|c| !is_word(c)).collect()
}

/// Names after `crate::`, also in a list of imports.
fn imports(code: &str) -> BTreeSet<&str> {
    let name = |text: &str| text.find(|c| !is_word(c)).unwrap_or(text.len());
    let mut found = BTreeSet::new();
    for (position, before) in code.match_indices("crate::") {
        let rest = code[position + before.len()..].trim_start();
        let Some(list) = rest.strip_prefix('{') else {
            found.insert(&rest[..name(rest)]);
            continue;
        };
        let mut depth = 0_u32;
        for item in list.split_inclusive([',', '{', '}']) {
            if depth == 0 {
                let item = item.trim_start();
                found.insert(&item[..name(item)]);
            }
            match item.chars().last() {
                Some('{') => depth += 1,
                Some('}') if depth == 0 => break,
                Some('}') => depth -= 1,
                _ => {}
            }
        }
    }
    // What begins with a capital is an item of the root, not a module.
    found.retain(|name| name.starts_with(|c: char| c.is_lowercase()));
    found
}

fn allowed(module: &str) -> BTreeSet<&'static str> {
    let table: BTreeMap<_, _> = DIRECTION.iter().copied().collect();
    let mut allowed = BTreeSet::new();
    let mut next: Vec<_> = table.get(module).copied().unwrap_or_default().to_vec();
    while let Some(name) = next.pop() {
        if allowed.insert(name) {
            next.extend(table.get(name).copied().unwrap_or_default());
        }
    }
    allowed
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
    let mut problems = String::new();
    for source in sources(&["src"]) {
        let is_sync = source.module().is_some_and(|name| SYNC.contains(&name));
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
fn dependencies_have_one_direction() {
    let mut problems = String::new();
    for source in sources(&["src"]) {
        let Some(module) = source.module() else {
            continue;
        };
        if !DIRECTION.iter().any(|(name, _)| *name == module) {
            writeln!(problems, "{}: {module} is in no rule", source.path).unwrap();
        }
        let allowed = allowed(module);
        for import in imports(&source.code) {
            if import != module && !allowed.contains(import) {
                writeln!(problems, "{}: may not import {import}", source.path).unwrap();
            }
        }
    }
    assert_none(&problems);
}

/// A derived reader alone would take a list of the values for an object, too.
#[test]
fn structs_of_json_documents_are_read_from_objects_alone() {
    let mut problems = String::new();
    let mut seen = 0;
    for source in sources(&["src"]) {
        // Others derive readers for queries, which are pairs, and for stored bytes.
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
fn comments_and_literals_are_removed() {
    let code = code_of(
        "a // b\n/* c */ \"d \\\" d\" r#\"e \" e\"# b\"f\" 'g' '\\'' '\"' h<'i>(&'j str) br\"k\" l",
    );
    let expected = ["a", "b", "h", "i", "j", "l", "str", ""];
    assert_eq!(words(&code), expected.into());
}

#[test]
fn imports_are_found_in_every_spelling() {
    let code =
        "use crate::{a, b::{x, y::{z}}, c as w}; crate::d::f(); use crate::e::{G, h}; crate::I";
    assert_eq!(imports(code), ["a", "b", "c", "d", "e"].into());
}
