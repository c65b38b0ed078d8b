//! The compression function of SHA-256 for one block in each lane.

use std::array;

use super::MAX_LANES;
use super::rounds::{K, round, rounds, sigma0, sigma1};

/// Hash states: the first index is the word, the second the lane.
pub(in crate::pow) type States = [[u32; MAX_LANES]; 8];

/// Blocks of texts: the first index is the word, the second the lane.
pub(in crate::pow) type Blocks = [[u32; MAX_LANES]; 16];

/// Hashes the block of each lane into the state of the lane.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled for the instruction set of its caller"
)]
pub(super) fn compress(states: &mut States, blocks: &Blocks) {
    let before = *states;
    // The compiler turns this loop into vector instructions.
    for lane in 0..MAX_LANES {
        let mut words = [0; 64];
        let first: [u32; 8] = array::from_fn(|i| before[i][lane]);
        let mut state = first;
        macro_rules! first_round {
            ($t:literal) => {
                words[$t] = blocks[$t][lane];
                state = round(state, words[$t].wrapping_add(K[$t]));
            };
        }
        macro_rules! later_round {
            ($t:literal) => {
                words[$t] = sigma1(words[$t - 2])
                    .wrapping_add(words[$t - 7])
                    .wrapping_add(sigma0(words[$t - 15]))
                    .wrapping_add(words[$t - 16]);
                state = round(state, words[$t].wrapping_add(K[$t]));
            };
        }
        rounds!(first_round, later_round);
        for i in 0..8 {
            states[i][lane] = first[i].wrapping_add(state[i]);
        }
    }
}
