//! The original's refused and odd files: refused with a reason, or taken where nothing changes.

use super::*;
use crate::chain::{BlockHash, Checker};
use crate::pow::Difficulty;

/// What is wrong with the chain, by the reader or else by the checker.
fn finding(name: &str, difficulty: u8) -> Result<Vec<String>, String> {
    let blocks = Format::of(name)
        .read(&chain_file(name))
        .map_err(|error| error.to_string())?;
    let mut checker = Checker::new(Difficulty::new(difficulty).unwrap(), None);
    for (position, block) in blocks.iter().enumerate() {
        checker
            .push(block)
            .map_err(|violation| format!("block {position}: {violation}"))?;
    }
    let hash = |block| BlockHash::of(block).to_string();
    Ok(blocks.iter().map(hash).collect())
}

#[test]
fn every_refused_chain_is_refused_with_its_reason() {
    let mut messages = Vec::new();
    for (name, odd) in table::<Odd>("odd_expected.json") {
        if let Some(file) = name.strip_prefix("invalid/") {
            let message = finding(&name, odd.difficulty).unwrap_err();
            messages.push(format!("{file}: {message}\n"));
        }
    }
    assert_eq!(messages.len(), 42);
    assert_eq!(messages.concat(), include_str!("refused.txt"));
}

#[test]
fn an_odd_chain_is_taken_only_where_nothing_changes() {
    let mut messages = Vec::new();
    for (name, odd) in table::<Odd>("odd_expected.json") {
        let Some(file) = name.strip_prefix("tolerated/") else {
            continue;
        };
        match finding(&name, odd.difficulty) {
            Ok(hashes) => assert_eq!(Some(hashes), odd.block_hashes, "{name}"),
            Err(message) => messages.push(format!("{file}: {message}\n")),
        }
    }
    assert_eq!(messages.concat(), include_str!("not_taken.txt"));
}
