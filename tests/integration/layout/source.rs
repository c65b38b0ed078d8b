//! The source files and their text without comments and literals.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Source {
    /// Below the root of the repository.
    pub(super) path: String,
    pub(super) text: String,
    /// The text without comments and string literals.
    pub(super) code: String,
}

impl Source {
    /// The module at the top of the crate that the file belongs to.
    pub(super) fn module(&self) -> Option<&str> {
        let rest = self.path.strip_prefix("src/")?;
        let name = rest.split(['/', '.']).next()?;
        (!matches!(name, "lib" | "main")).then_some(name)
    }

    /// The path of the module that the file defines, below the crate; none for tests.
    pub(super) fn module_path(&self) -> Option<Vec<&str>> {
        self.module()?;
        let rest = self.path.strip_prefix("src/")?.strip_suffix(".rs")?;
        let path: Vec<_> = rest.split('/').collect();
        (!path.contains(&"tests")).then_some(path)
    }

    /// The code before the tests of the file.
    pub(super) fn production(&self) -> &str {
        let tests = self.code.find("#[cfg(test)]\nmod tests");
        &self.code[..tests.unwrap_or(self.code.len())]
    }
}

pub(super) fn sources(folders: &[&str]) -> Vec<Source> {
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
pub(super) fn code_of(text: &str) -> String {
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

pub(super) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

pub(super) fn words(code: &str) -> BTreeSet<&str> {
    code.split(|c| !is_word(c)).collect()
}

#[test]
fn comments_and_literals_are_removed() {
    let code = code_of(
        "a // b\n/* c */ \"d \\\" d\" r#\"e \" e\"# b\"f\" 'g' '\\'' '\"' h<'i>(&'j str) br\"k\" l",
    );
    let expected = ["a", "b", "h", "i", "j", "l", "str", ""];
    assert_eq!(words(&code), expected.into());
}
