//! Files that the reference miner rejects, and unusual files that it accepts.

use super::*;
use crate::chain::{BlockHash, Checker};
use crate::pow::Difficulty;

/// Returns the error of the reader, or else that of the checker.
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
fn invalid_chains_are_rejected_with_the_reason() {
    let mut messages = Vec::new();
    for (name, odd) in table::<Odd>("odd_expected.json") {
        if let Some(file) = name.strip_prefix("invalid/") {
            let message = finding(&name, odd.difficulty).unwrap_err();
            messages.push(format!("{file}: {message}\n"));
        }
    }
    assert_eq!(messages.len(), 42);
    assert_eq!(messages.concat(), include_str!("rejected.txt"));
}

#[test]
fn unusual_chains_are_accepted_only_if_the_blocks_stay_the_same() {
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
