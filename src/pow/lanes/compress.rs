//! One block of as many texts as a vector has lanes, hashed side by side.

use std::array;

use super::MOST_LANES;
use super::rounds::{K, round, rounds, sigma0, sigma1};

/// States of hashes, word by word: the first index is that of the word, the second the lane.
pub(in crate::pow) type States = [[u32; MOST_LANES]; 8];

/// Blocks of texts in the same order.
pub(in crate::pow) type Blocks = [[u32; MOST_LANES]; 16];

/// Hashes each lane's block into its state.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled for the instruction set of its caller"
)]
pub(super) fn compress(states: &mut States, blocks: &Blocks) {
    let before = *states;
    // The loop over the lanes is what becomes vector instructions.
    for lane in 0..MOST_LANES {
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
