//! Many candidates side by side, one in each lane of a vector register.
//!
//! The body of the lane loop is a whole hash, in plain `u32` code without a branch; the compiler
//! turns the loop into vector instructions. (Arrays of lanes per operation, the other way round,
//! are some thirty times slower.) What makes the body short:
//!
//! * Only one word of the block varies from lane to lane. Its place is a const generic, so rounds
//!   before it are done once per batch, and so is every part of the message schedule it does not
//!   reach.
//! * Only the last word of the digest is computed. It is `e` of round 60, so the rounds after that
//!   fall away, and so do the last values of `a`.
//!
//! This file alone has `unsafe` code: the calls into functions compiled for instruction sets that
//! not every machine has. A [`Lanes`] is made only where its set was detected.

use std::array;
use std::ops::Range;

/// The round constants of SHA-256.
#[rustfmt::skip]
const K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

/// How many rows a batch has: the values of three decimal digits.
pub(super) const ROWS: u16 = 1000;

/// The most lanes of a vector.
const MOST_LANES: usize = 16;

/// The rows as three ASCII digits in the low bytes of a word; more of them for lanes past the end.
const DIGITS: [u32; ROWS as usize + MOST_LANES] = {
    let mut digits = [0; ROWS as usize + MOST_LANES];
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
    /// The state before `block`.
    pub(super) state: [u32; 8],
    /// The block with the three digits, these being zeros.
    pub(super) block: [u32; 16],
    /// The word of `block` that has the digits.
    pub(super) word: usize,
    /// How far left the digits are in that word: 0 or 8 bits.
    pub(super) shift: u32,
    /// The block after `block`, if there is one.
    pub(super) padding: Option<[u32; 16]>,
    /// The bits of the last digest word that must be zero.
    pub(super) mask: u32,
}

/// A vector instruction set this machine has.
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
    /// Sixteen lanes with AVX-512, if this machine has it.
    pub(super) fn avx512() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx512f") {
            return Some(Self(Set::Avx512));
        }
        None
    }

    /// Eight lanes with AVX2, if this machine has it.
    pub(super) fn avx2() -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            return Some(Self(Set::Avx2));
        }
        None
    }

    /// Four lanes with what every machine of this architecture has.
    pub(super) const fn portable() -> Self {
        Self(Set::Portable)
    }

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            Set::Portable => "portable",
        }
    }

    /// Finds the first of `rows` whose digest ends as the mask of `batch` wants.
    #[cfg_attr(
        target_arch = "x86_64",
        expect(
            unsafe_code,
            reason = "functions compiled for instruction sets found at run time"
        )
    )]
    pub(super) fn find(self, batch: &Batch, rows: Range<u16>) -> Option<u16> {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Lanes(Set::Avx512)` is made by `Lanes::avx512` only, which found avx512f.
            Set::Avx512 => unsafe { avx512::find(batch, rows) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: `Lanes(Set::Avx2)` is made by `Lanes::avx2` only, which found avx2.
            Set::Avx2 => unsafe { avx2::find(batch, rows) },
            Set::Portable => portable::find(batch, rows),
        }
    }
}

/// Makes a module whose `find` is compiled for an instruction set, once per place of the digits.
macro_rules! instruction_set {
    ($name:ident, $lanes:literal $(, $feature:literal)?) => {
        mod $name {
            use super::{Batch, Fixed, Range};

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

/// For each place of the varying word, the words of the message schedule it reaches.
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

/// What all rows of a batch have in common.
struct Fixed {
    /// The state before the round of the varying word.
    state: [u32; 8],
    /// Of each word of the schedule the part that does not vary; with the round constant if
    /// nothing of it does.
    words: [u32; 64],
    /// The words of the last block with the round constants, if that is another block.
    padding: [u32; 64],
}

const fn sigma0(x: u32) -> u32 {
    x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3)
}

const fn sigma1(x: u32) -> u32 {
    x.rotate_right(17) ^ x.rotate_right(19) ^ (x >> 10)
}

/// One round on the state, a to h; `word` is the word of the schedule plus the round constant.
///
/// The two choices among words are in a form that AVX-512 has short code for: written as FIPS 180-4
/// has them, the compiler turns their parts into additions and the search is 7 % slower.
#[inline(always)]
#[expect(
    clippy::inline_always,
    reason = "compiled for the instruction set of its caller"
)]
#[expect(clippy::many_single_char_names, reason = "the names of FIPS 180-4")]
const fn round([a, b, c, d, e, f, g, h]: [u32; 8], word: u32) -> [u32; 8] {
    let t1 = h
        .wrapping_add(word)
        .wrapping_add(e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25))
        .wrapping_add(g ^ (e & (f ^ g)));
    let t2 = (a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22))
        .wrapping_add(b ^ ((a ^ b) & (b ^ c)));
    [t1.wrapping_add(t2), a, b, c, d.wrapping_add(t1), e, f, g]
}

/// The whole schedule of a block that does not vary, with the round constants.
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

/// Does `$first!(t)` for rounds 0 to 15 and `$later!(t)` for rounds 16 to 63.
macro_rules! rounds {
    ($first:ident, $later:ident) => {
        rounds!($first: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
        rounds!($later: 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39);
        rounds!($later: 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63);
    };
    ($round:ident: $($t:literal)*) => { $($round!($t);)* };
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

    /// The last word of the digest.
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
