//! Many candidates at once, one in each lane of a vector register.
//!
//! The body of the lane loop is a whole hash in plain `u32` code without branches; the compiler
//! turns the loop into vector instructions. (Inner loops over the lanes for each operation are about
//! thirty times slower.) Two properties make the body short:
//!
//! * Only one word of the block differs between the lanes. Its position is a const generic, so the
//!   rounds before it and the parts of the message schedule that do not depend on it are computed
//!   once per batch.
//! * Only the last word of the digest is computed. It is `e` of round 60, so the compiler removes the
//!   later rounds and the last values of `a`.
//!
//! This is the only file with `unsafe` code: calls of functions compiled for instruction sets that
//! not every processor has. A [`Lanes`] value exists only if its instruction set was detected.

mod compress;
mod rounds;

use std::array;
use std::ops::Range;

use self::rounds::{K, round, rounds, sigma0, sigma1};

pub(super) use self::compress::{Blocks, States};

/// Number of rows of a batch: the values of three decimal digits.
pub(super) const ROWS: u16 = 1000;

/// Maximum number of lanes of a vector.
pub(super) const MAX_LANES: usize = 16;

/// The rows as three ASCII digits in the low bytes of a word, padded for lanes past the last row.
const DIGITS: [u32; ROWS as usize + MAX_LANES] = {
    let mut digits = [0; ROWS as usize + MAX_LANES];
    let mut row = 0;
    while row < ROWS as u32 {
        let (hundreds, tens, ones) = (row / 100, row / 10 % 10, row % 10);
        digits[row as usize] = 0x0030_3030 | (hundreds << 16) | (tens << 8) | ones;
        row += 1;
    }
    digits
};

/// Candidates that differ in three digits within one word of their last block or the one before.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// Hash state before `block`.
    pub(super) state: [u32; 8],
    /// The block with the three digits, these being zeros.
    pub(super) block: [u32; 16],
    /// Index of the word of `block` with the digits.
    pub(super) word: usize,
    /// Left shift of the digits in that word, 0 or 8 bits.
    pub(super) shift: u32,
    /// The block after `block`, if any.
    pub(super) padding: Option<[u32; 16]>,
    /// The bits of the last digest word that must be zero.
    pub(super) mask: u32,
}

/// A vector instruction set that the processor supports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lanes(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

impl Lanes {
    /// Returns sixteen lanes with AVX-512, if the processor supports it.
    pub(super) fn avx512() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") {
            return Some(Self(Set::Avx512));
        }
        None
    }

    /// Returns eight lanes with AVX2, if the processor supports it.
    pub(super) fn avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return Some(Self(Set::Avx2));
        }
        None
    }

    /// Returns four lanes with the instructions of every processor of this architecture.
    pub(super) const fn portable() -> Self {
        Self(Set::Portable)
    }

    /// Returns the name of the instruction set.
    pub(super) const fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            Set::Portable => "portable",
        }
    }

    /// Returns the first of `rows` whose last digest word is zero under the mask of `batch`.
    #[cfg_attr(
        target_arch = "x86_64",
        expect(
            unsafe_code,
            reason = "functions compiled for instruction sets detected at run time"
        )
    )]
    pub(super) fn find(self, batch: &Batch, rows: Range<u16>) -> Option<u16> {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Lanes(Set::Avx512)` is only created by `Lanes::avx512`, which detected avx512f.
            Set::Avx512 => unsafe { avx512::find(batch, rows) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Lanes(Set::Avx2)` is only created by `Lanes::avx2`, which detected avx2.
            Set::Avx2 => unsafe { avx2::find(batch, rows) },
            Set::Portable => portable::find(batch, rows),
        }
    }

    /// Hashes one block of each of [`MAX_LANES`] texts into the state of the text.
    #[cfg_attr(
        target_arch = "x86_64",
        expect(
            unsafe_code,
            reason = "functions compiled for instruction sets detected at run time"
        )
    )]
    pub(super) fn compress(self, states: &mut States, blocks: &Blocks) {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Lanes(Set::Avx512)` is only created by `Lanes::avx512`, which detected avx512f.
            Set::Avx512 => unsafe { avx512::compress(states, blocks) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Lanes(Set::Avx2)` is only created by `Lanes::avx2`, which detected avx2.
            Set::Avx2 => unsafe { avx2::compress(states, blocks) },
            Set::Portable => portable::compress(states, blocks),
        }
    }
}

/// Defines a module compiled for an instruction set, with one `find` per position of the digits.
macro_rules! instruction_set {
    ($name:ident, $lanes:literal $(, $feature:literal)?) => {
        mod $name {
            use super::{Batch, Blocks, Fixed, Range, States};

            $(#[target_feature(enable = $feature)])?
            pub(super) fn compress(states: &mut States, blocks: &Blocks) {
                super::compress::compress(states, blocks);
            }

            $(#[target_feature(enable = $feature)])?
            pub(super) fn find(batch: &Batch, rows: Range<u16>) -> Option<u16> {
                match (batch.word, batch.padding.is_some()) {
                    (0, false) => at::<0, false>(batch, rows),
                    (1, false) => at::<1, false>(batch, rows),
                    (2, false) => at::<2, false>(batch, rows),
                    (3, false) => at::<3, false>(batch, rows),
                    (4, false) => at::<4, false>(batch, rows),
                    (5, false) => at::<5, false>(batch, rows),
                    (6, false) => at::<6, false>(batch, rows),
                    (7, false) => at::<7, false>(batch, rows),
                    (8, false) => at::<8, false>(batch, rows),
                    (9, false) => at::<9, false>(batch, rows),
                    (10, false) => at::<10, false>(batch, rows),
                    (11, false) => at::<11, false>(batch, rows),
                    (12, false) => at::<12, false>(batch, rows),
                    (13, false) => at::<13, false>(batch, rows),
                    (13, true) => at::<13, true>(batch, rows),
                    (14, true) => at::<14, true>(batch, rows),
                    (15, true) => at::<15, true>(batch, rows),
                    (word, _) => unreachable!("padding starts at word 13 at the latest, not {word}"),
                }
            }

            $(#[target_feature(enable = $feature)])?
            fn at<const WORD: usize, const PADDING: bool>(
                batch: &Batch,
                rows: Range<u16>,
            ) -> Option<u16> {
                Fixed::new(batch).find::<WORD, PADDING, $lanes>(batch, rows)
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
instruction_set!(avx512, 16, "avx512f");
#[cfg(target_arch = "x86_64")]
instruction_set!(avx2, 8, "avx2");
instruction_set!(portable, 4);

/// For each position of the varying word, the words of the message schedule that depend on it.
const VARIES: [[bool; 64]; 16] = {
    let mut varies = [[false; 64]; 16];
    let mut word = 0;
    while word < 16 {
        varies[word][word] = true;
        let mut t = 16;
        while t < 64 {
            let v = &mut varies[word];
            v[t] = v[t - 2] || v[t - 7] || v[t - 15] || v[t - 16];
            t += 1;
        }
        word += 1;
    }
    varies
};

/// Values that all rows of a batch share.
struct Fixed {
    /// Hash state before the round of the varying word.
    state: [u32; 8],
    /// The constant part of each word of the schedule, including the round constant if the whole word
    /// is constant.
    words: [u32; 64],
    /// The schedule of the padding block with the round constants, if there is one.
    padding: [u32; 64],
}

/// Returns the schedule of a constant block, with the round constants added.
fn schedule(block: &[u32; 16]) -> [u32; 64] {
    let mut words = [0; 64];
    words[..16].copy_from_slice(block);
    for t in 16..64 {
        words[t] = sigma1(words[t - 2])
            .wrapping_add(words[t - 7])
            .wrapping_add(sigma0(words[t - 15]))
            .wrapping_add(words[t - 16]);
    }
    array::from_fn(|t| words[t].wrapping_add(K[t]))
}

impl Fixed {
    fn new(batch: &Batch) -> Self {
        let varies = &VARIES[batch.word];
        let fixed = |words: &[u32; 64], t: usize| if varies[t] { 0 } else { words[t] };
        let mut words = [0; 64];
        words[..16].copy_from_slice(&batch.block);
        for t in 16..64 {
            words[t] = sigma1(fixed(&words, t - 2))
                .wrapping_add(fixed(&words, t - 7))
                .wrapping_add(sigma0(fixed(&words, t - 15)))
                .wrapping_add(fixed(&words, t - 16));
        }
        for t in 0..64 {
            if !varies[t] {
                words[t] = words[t].wrapping_add(K[t]);
            }
        }
        let state = words[..batch.word]
            .iter()
            .fold(batch.state, |state, word| round(state, *word));
        let padding = batch.padding.as_ref().map_or([0; 64], schedule);
        Self {
            state,
            words,
            padding,
        }
    }

    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "compiled for the instruction set of its caller"
    )]
    fn find<const WORD: usize, const PADDING: bool, const LANES: usize>(
        &self,
        batch: &Batch,
        rows: Range<u16>,
    ) -> Option<u16> {
        for row in rows.clone().step_by(LANES) {
            let digits = &DIGITS[row.into()..][..LANES];
            let mut misses = [0; LANES];
            for (miss, digits) in misses.iter_mut().zip(digits) {
                let word = self.words[WORD] | digits << batch.shift;
                *miss = self.last_word::<WORD, PADDING>(&batch.state, word) & batch.mask;
            }
            let mut hit = false;
            for miss in misses {
                hit |= miss == 0;
            }
            if hit {
                let mut lanes = (row..rows.end).zip(misses);
                return lanes.find(|(_, miss)| *miss == 0).map(|(row, _)| row);
            }
        }
        None
    }

    /// Computes the last word of the digest.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "compiled for the instruction set of its caller"
    )]
    fn last_word<const WORD: usize, const PADDING: bool>(
        &self,
        before: &[u32; 8],
        word: u32,
    ) -> u32 {
        let mut words = [0; 64];
        let mut state = self.state;
        macro_rules! first_round {
            ($t:literal) => {
                if const { WORD == $t } {
                    state = round(state, word.wrapping_add(K[$t]));
                    words[$t] = word;
                } else if const { $t >= WORD } {
                    state = round(state, self.words[$t]);
                }
            };
        }
        macro_rules! later_round {
            ($t:literal) => {
                if const { VARIES[WORD][$t] } {
                    words[$t] = self.words[$t];
                    if const { VARIES[WORD][$t - 16] } {
                        words[$t] = words[$t].wrapping_add(words[$t - 16]);
                    }
                    if const { VARIES[WORD][$t - 15] } {
                        words[$t] = words[$t].wrapping_add(sigma0(words[$t - 15]));
                    }
                    if const { VARIES[WORD][$t - 7] } {
                        words[$t] = words[$t].wrapping_add(words[$t - 7]);
                    }
                    if const { VARIES[WORD][$t - 2] } {
                        words[$t] = words[$t].wrapping_add(sigma1(words[$t - 2]));
                    }
                    state = round(state, words[$t].wrapping_add(K[$t]));
                } else {
                    state = round(state, self.words[$t]);
                }
            };
        }
        rounds!(first_round, later_round);
        if !PADDING {
            return state[7].wrapping_add(before[7]);
        }
        let between: [u32; 8] = array::from_fn(|i| state[i].wrapping_add(before[i]));
        let mut state = between;
        macro_rules! padding_round {
            ($t:literal) => {
                state = round(state, self.padding[$t]);
            };
        }
        rounds!(padding_round, padding_round);
        state[7].wrapping_add(between[7])
    }
}

#[cfg(test)]
mod tests;
