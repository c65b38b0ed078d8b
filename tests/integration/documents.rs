//! The documents: short enough to read, without dead links, and true about messages.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Documents with relative links.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "docker/README.md",
    "tests/README.md",
    "benches/README.md",
    ".github/CONTRIBUTING.md",
    ".github/SECURITY.md",
    ".github/CHANGELOG.md",
];

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The text without fenced code blocks.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).collect()
}

/// The anchor of each heading, as GitHub forms it.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = prose(text);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    let anchor = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(anchor).collect()
}

#[test]
fn the_readme_is_at_most_200_lines_long() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 200, "README.md has {lines} lines");
}

#[test]
fn relative_links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut dead = String::new();
    for document in DOCUMENTS {
        let text = read(document);
        let prose = prose(&text);
        let links = prose.split("](").skip(1);
        let links = links.filter_map(|rest| rest.split_once(')').map(|(link, _)| link));
        for link in links.filter(|link| !link.starts_with("http")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => root.join(document),
                _ => root.join(document).parent().unwrap().join(file),
            };
            let found = target.exists()
                && (anchor.is_empty()
                    || anchors(&fs::read_to_string(&target).unwrap()).contains(anchor));
            if !found {
                writeln!(dead, "{document}: {link}").unwrap();
            }
        }
    }
    assert!(dead.is_empty(), "dead links:\n{dead}");
}

/// The source with line continuations inside strings joined.
fn source(folder: &Path, text: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source(&path, text);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let mut joined = fs::read_to_string(&path).unwrap();
            while let Some(at) = joined.find("\\\n") {
                let rest = joined[at + 2..].trim_start().to_owned();
                joined.replace_range(at.., &rest);
            }
            text.push_str(&joined);
        }
    }
}

#[test]
fn the_messages_under_troubleshooting_are_those_of_the_program() {
    let text = read("docker/README.md");
    let (_, table) = text.split_once("\n## Troubleshooting\n").unwrap();
    let mut program = String::new();
    source(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut program,
    );
    let mut unknown = String::new();
    let rows = table.lines().filter(|line| line.starts_with("| "));
    for cell in rows.skip(1).filter_map(|row| row.split('|').nth(1)) {
        // Code spans quote the program; an ellipsis stands for what varies.
        let quotes = cell.split('`').skip(1).step_by(2);
        for part in quotes.flat_map(|quote| quote.split('…')) {
            let part = part.trim();
            if !part.is_empty() && !program.contains(part) {
                writeln!(unknown, "{part}").unwrap();
            }
        }
    }
    assert!(unknown.is_empty(), "not in the source:\n{unknown}");
}
