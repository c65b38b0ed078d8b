//! The modules that a file imports.

use std::collections::BTreeSet;

use super::source::is_word;

/// Returns the paths that `use` declarations and expressions with `crate::` name, each as its
/// segments.
pub(super) fn paths(code: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (position, keyword) in code.match_indices("use ") {
        if code[..position].ends_with(is_word) {
            continue;
        }
        let tree = &code[position + keyword.len()..];
        flatten("", &tree[..tree.find(';').unwrap_or(0)], &mut paths);
    }
    for (position, _) in code.match_indices("crate::") {
        let path = &code[position..];
        let end = path.find(|c| !is_word(c) && c != ':');
        paths.push(path[..end.unwrap_or(path.len())].to_owned());
    }
    let segments = |path: &String| {
        path.split("::")
            .map(|name| name.trim().to_owned())
            .collect()
    };
    paths.iter().map(segments).collect()
}

/// Splits a tree of imports into its paths.
fn flatten(prefix: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, list)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        paths.push(format!("{prefix}{path}"));
        return;
    };
    let prefix = format!("{prefix}{head}");
    let (mut depth, mut start) = (0_u32, 0);
    for (position, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                let item = &list[start..position];
                if !item.trim().is_empty() {
                    flatten(&prefix, item, paths);
                }
                start = position + 1;
                if character == '}' {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// Returns the module, among `modules`, that defines what `path` names in the file of the module
/// `file`; none if it is outside of the crate.
pub(super) fn resolve(
    path: &[String],
    file: &[&str],
    modules: &BTreeSet<Vec<&str>>,
) -> Option<Vec<String>> {
    let mut module: Vec<String> = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => file.iter().map(ToString::to_string).collect(),
        _ => return None,
    };
    for name in path {
        match name.as_str() {
            "crate" | "self" => {}
            "super" => _ = module.pop(),
            _ => {
                module.push(name.clone());
                let is_module = modules.iter().any(|known| *known == module);
                if !is_module {
                    module.pop();
                    break;
                }
            }
        }
    }
    Some(module)
}

#[test]
fn imports_are_found_in_every_spelling() {
    let code = "use crate::{a, b::{x, y::{z}}, c as w}; crate::d::f(); pub use super::e::{G, h}; \
                reuse crate::I";
    let found: BTreeSet<_> = paths(code)
        .into_iter()
        .map(|path| path.join("::"))
        .collect();
    let expected = [
        "crate::a",
        "crate::b::x",
        "crate::b::y::z",
        "crate::c",
        "crate::",
        "crate::d::f",
        "super::e::G",
        "super::e::h",
        "crate::I",
    ];
    assert_eq!(found, expected.map(str::to_owned).into());
}

#[test]
fn imports_are_resolved_to_modules() {
    let modules = [vec!["a"], vec!["a", "b"], vec!["c"]].into();
    let resolved = |path: &str, file: &[&str]| {
        let path: Vec<_> = path.split("::").map(str::to_owned).collect();
        resolve(&path, file, &modules).map(|module| module.join("::"))
    };
    assert_eq!(resolved("crate::a::b::Item", &["c"]).unwrap(), "a::b");
    assert_eq!(resolved("super::Item", &["a", "b"]).unwrap(), "a");
    assert_eq!(resolved("self::b", &["a"]).unwrap(), "a::b");
    assert_eq!(resolved("std::fmt", &["a"]), None);
}
