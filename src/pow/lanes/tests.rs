use super::*;
use crate::pow::Difficulty;
use crate::pow::candidate::{Candidate, Prefix};

fn all_lanes() -> impl Iterator<Item = Lanes> {
    [Lanes::avx512(), Lanes::avx2(), Some(Lanes::portable())]
        .into_iter()
        .flatten()
}

fn hits(lanes: Lanes, batch: &Batch, mut rows: Range<u16>) -> Vec<u16> {
    let mut hits = Vec::new();
    while let Some(row) = lanes.find(batch, rows.clone()) {
        hits.push(row);
        rows.start = row + 1;
    }
    hits
}

/// Returns the rows that hit, found by hashing one candidate after the other.
fn scalar_hits(candidate: &mut Candidate, counter: u64, step: u64) -> Vec<u16> {
    (0..ROWS)
        .filter(|row| candidate.zeros(counter + u64::from(*row) * step) >= 1)
        .collect()
}

#[test]
fn lanes_hit_in_the_rows_of_the_scalar_kernel_for_every_position_of_the_digits() {
    for len in 0..64 {
        let mut candidate = Candidate::new(&Prefix::new(&vec![b'8'; len]), 0, 7);
        let step = candidate.row_step().unwrap();
        let counter = 4_300_000 + 7 % step;
        let expected = scalar_hits(&mut candidate, counter, step);
        assert!(expected.len() > 30, "about 62 are likely");
        candidate.set(counter);
        let batch = candidate.batch(Difficulty::MIN);
        for lanes in all_lanes() {
            assert_eq!(
                hits(lanes, &batch, 0..ROWS),
                expected,
                "{} after {len}",
                lanes.name()
            );
        }
    }
}

#[test]
fn no_row_outside_the_range_is_found() {
    let mut candidate = Candidate::new(&Prefix::new(b"None"), 0, 7);
    assert_eq!(candidate.row_step(), Some(1));
    let expected = scalar_hits(&mut candidate, 1_234_000, 1);
    candidate.set(1_234_000);
    let batch = candidate.batch(Difficulty::MIN);
    let edges = [0, 1, 7, 8, 9, 15, 16, 17, 500, 983, 984, 985, 999, 1000];
    for lanes in all_lanes() {
        for (start, end) in edges
            .iter()
            .flat_map(|start| edges.map(|end| (*start, end)))
        {
            let within: Vec<u16> = expected
                .iter()
                .copied()
                .filter(|row| (start..end).contains(row))
                .collect();
            assert_eq!(
                hits(lanes, &batch, start..end),
                within,
                "{} {start}..{end}",
                lanes.name()
            );
        }
    }
}

#[test]
fn the_mask_covers_the_zeros_of_the_last_word() {
    let candidate = Candidate::new(&Prefix::new(b"None"), 0, 7);
    let mask = |zeros| candidate.batch(Difficulty::new(zeros).unwrap()).mask;
    assert_eq!([1, 2, 7].map(mask), [0xf, 0xff, 0x0fff_ffff]);
    assert_eq!([8, 9, 64].map(mask), [u32::MAX; 3]);
}
