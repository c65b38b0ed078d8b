//! Damaged chain files: rejected with a reason, or read with the same content; where no rule can
//! tell, the SHA-256 in the hash file does.

use std::fmt::Write;

use blockchain::chain::{Block, Checker};
use blockchain::pow::Difficulty;
use blockchain::reference::ReadError;
use blockchain::snapshot::format::{ChainWriter, Format, Item, read};

use super::damage::in_time;
use super::mutation::damage;
use super::{all, seed, tell};
use crate::support::chain::{ChainBuilder, ProofKind};
use crate::support::random::SeededRng;

/// A chain of blocks of one kind.
pub(super) fn chain(kind: ProofKind, length: usize) -> Vec<Block> {
    let (mut rng, mut builder) = (
        SeededRng::new(6),
        ChainBuilder::new(&[Block::default_genesis()]),
    );
    (1..length).for_each(|_| builder.mine(rng.message(), kind));
    builder.blocks
}

pub(super) fn written(format: Format, blocks: &[Block]) -> Vec<u8> {
    let mut writer = ChainWriter::new(format, Vec::new(), false).unwrap();
    writer.push_all(blocks).unwrap();
    writer.finish().unwrap()
}

/// Reads a file as `import` does: everything is checked.
fn taken(file: &[u8], kind: ProofKind) -> Result<Vec<Block>, String> {
    let sealed_from = Some(1).filter(|_| kind == ProofKind::Sealed);
    let mut checker = Checker::new(Difficulty::MIN, sealed_from);
    let (mut blocks, mut rejected) = (Vec::new(), None);
    let outcome: Result<(), ReadError> = read(file, |item| {
        if let Item::Block(block) = item {
            if let Err(violation) = checker.push(&block) {
                rejected.get_or_insert(violation.to_string());
            }
            blocks.push(block);
        }
        Ok(())
    });
    match (outcome, rejected) {
        (_, Some(rejected)) => Err(rejected),
        (Err(error), None) => Err(error.to_string()),
        (Ok(()), None) => Ok(blocks),
    }
}

/// Returns `true` if a chain may be valid with other content: a line format may end early, and no
/// rule protects an open last block.
fn may_pass(taken: &[Block], whole: &[Block], format: Format, kind: ProofKind) -> bool {
    let common = taken
        .iter()
        .zip(whole)
        .take_while(|(one, other)| one == other)
        .count();
    // These formats have one block per line.
    let may_end_early = matches!(format, Format::Ndjson | Format::Csv);
    let ends_early = may_end_early && common == taken.len();
    let last_alone = kind == ProofKind::Open && taken.len() == common + 1;
    ends_early || (last_alone && (taken.len() == whole.len() || may_end_early))
}

#[test]
fn a_damaged_chain_file_is_rejected_or_unchanged_in_content() {
    let bases: Vec<_> = [ProofKind::Sealed, ProofKind::Open]
        .into_iter()
        .map(|kind| (kind, chain(kind, 40)))
        .flat_map(|(kind, blocks)| {
            Format::ALL.map(|format| (kind, format, written(format, &blocks), blocks.clone()))
        })
        .collect();
    for (kind, format, file, blocks) in &bases {
        assert_eq!(taken(file, *kind).as_ref(), Ok(blocks), "{format:?}");
    }

    let first = seed() * 1_000_000;
    let cases = if all() { 5000 } else { 200 };
    let mut report = String::new();
    let mut rejected_in_all = 0;
    for (kind, format, whole, blocks) in bases {
        let (mut rejected, mut same, mut other) = (0, 0, 0);
        for case in first..=first + cases / 12 {
            let mut rng = SeededRng::new(case);
            let mut file = whole.clone();
            let how = damage(&mut file, 256, &mut rng);
            let what = format!("case {case} of {kind:?} {format:?}, {how}");
            let intact = file == whole;
            match in_time(&what, move || taken(&file, kind)).unwrap() {
                Err(reason) => {
                    assert!(!reason.is_empty(), "{what}");
                    rejected += 1;
                }
                Ok(taken) if taken == blocks => same += 1,
                Ok(taken) => {
                    assert!(!intact && may_pass(&taken, &blocks, format, kind), "{what}");
                    other += 1;
                }
            }
        }
        rejected_in_all += rejected;
        writeln!(
            report,
            "  {kind:?} {}: {rejected} rejected, {same} the same, {other} left to the .hash",
            format.name()
        )
        .unwrap();
    }
    tell(&format!(
        "damaged chain files: cases from {first} on\n{report}"
    ));
    assert!(rejected_in_all > cases / 2, "{report}");
}
