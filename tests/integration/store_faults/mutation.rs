//! Damage to the bytes of a file, repeatable by seed.

use crate::support::random::SeededRng;

/// Bytes at the start of a database that describe the rest.
const HEADER: usize = 320;

/// Damages a file in a random way and describes it. Pieces of `page` bytes are cleared, copied or
/// swapped.
pub(super) fn damage(file: &mut Vec<u8>, page: usize, rng: &mut SeededRng) -> String {
    // Most of a new database is unused, so bytes in use are chosen more often, most often its
    // start.
    let mut somewhere = |file: &[u8]| loop {
        let at = match rng.below(8) {
            0 => rng.index(file.len().min(HEADER)),
            _ => rng.index(file.len()),
        };
        if file[at] != 0 || rng.below(500) == 0 {
            return at;
        }
    };
    let (at, other) = (somewhere(file), somewhere(file));
    let bounds = |at: usize| (at / page * page, file.len().min(at / page * page + page));
    let ((start, end), (from, to)) = (bounds(at), bounds(other));
    let both = (end - start).min(to - from);
    match rng.below(12) {
        0..3 => {
            let bits = 1 + rng.below(8);
            for _ in 0..bits {
                file[start + rng.index(end - start)] ^= 1 << rng.below(8);
            }
            format!("{bits} bits from {start} on flipped")
        }
        3 => {
            let bit = rng.below(8);
            file[at] ^= 1 << bit;
            format!("bit {bit} of byte {at} flipped")
        }
        4 | 5 => {
            let length = 1 + rng.index(64.min(file.len() - at));
            (at..at + length).for_each(|at| file[at] = rng.next().to_be_bytes()[0]);
            format!("{length} bytes at {at} are others")
        }
        6 => {
            file[start..end].fill([0, 0xff][rng.index(2)]);
            format!("page at {start} is blank")
        }
        7 => {
            file.copy_within(from..from + both, start);
            format!("page at {from} written over that at {start}")
        }
        8 => {
            (0..both).for_each(|nth| file.swap(start + nth, from + nth));
            format!("pages at {start} and {from} swapped")
        }
        9 => {
            file.truncate(at);
            format!("cut to {at} bytes")
        }
        10 => {
            file.drain(start..end);
            format!("page at {start} left out")
        }
        _ => {
            let more = 1 + rng.index(2 * page);
            let blank = rng.below(2) == 0;
            file.extend((0..more).map(|_| {
                if blank {
                    0
                } else {
                    rng.next().to_be_bytes()[0]
                }
            }));
            format!("{more} bytes too many")
        }
    }
}
