//! Candidates of one length, laid out in padded SHA-256 blocks.
//!
//! Blocks before the first counting digit are hashed once, into the midstate. At most two blocks
//! remain, because there are at most 19 counting digits and their padding is contiguous with them.

use std::array;

use sha2::block_api::compress256;

use super::lanes::Batch;
use super::{Difficulty, trailing_zeros};

/// The initial hash value of SHA-256.
pub(super) const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Length of a SHA-256 block in bytes.
pub(super) const BLOCK: usize = 64;

/// Maximum number of counting digits of a candidate. All numbers of 19 digits fit a `u64`.
pub(super) const COUNTING_DIGITS: u32 = 19;

/// Maximum number of digits of a candidate, including the fixed zeros.
pub(super) const MAX_DIGITS: u32 = 96;

/// The bytes that all candidates of a search start with, with the complete blocks hashed.
pub(super) struct Prefix<'a> {
    midstate: [u32; 8],
    rest: &'a [u8],
    len: usize,
}

impl<'a> Prefix<'a> {
    pub(super) fn new(prefix: &'a [u8]) -> Self {
        let (blocks, rest) = prefix.as_chunks::<BLOCK>();
        let mut midstate = INITIAL;
        compress256(&mut midstate, blocks);
        Self {
            midstate,
            rest,
            len: prefix.len(),
        }
    }
}

/// A prefix followed by digits, the last of which are a counter.
#[derive(Clone)]
pub(super) struct Candidate {
    /// Hash state before `bytes`.
    midstate: [u32; 8],
    /// The block with the first counting digit, and the next one if `spills`.
    bytes: [u8; 2 * BLOCK],
    /// `true` if the padding ends in a second block.
    spills: bool,
    /// End of the counting digits in `bytes`.
    end: usize,
    /// Number of counting digits.
    digits: usize,
}

impl Candidate {
    /// Lays out `prefix` followed by `zeros` fixed zeros and `digits` counting digits, all zero.
    ///
    /// `digits` is between 1 and [`COUNTING_DIGITS`], and `zeros + digits` at most [`MAX_DIGITS`].
    pub(super) fn new(prefix: &Prefix<'_>, zeros: u32, digits: u32) -> Self {
        debug_assert!((1..=COUNTING_DIGITS).contains(&digits) && zeros + digits <= MAX_DIGITS);
        let (zeros, digits) = (zeros as usize, digits as usize);
        let mut buffer = [0; 3 * BLOCK];
        let start = prefix.rest.len();
        let end = start + zeros + digits;
        buffer[..start].copy_from_slice(prefix.rest);
        buffer[start..end].fill(b'0');
        buffer[end] = 0x80;
        let bits = 8 * (prefix.len + zeros + digits) as u64;
        let whole = (end + 1 + 8).next_multiple_of(BLOCK);
        buffer[whole - 8..whole].copy_from_slice(&bits.to_be_bytes());

        let first = (end - digits) / BLOCK * BLOCK;
        let mut midstate = prefix.midstate;
        compress256(&mut midstate, buffer[..first].as_chunks().0);
        let mut bytes = [0; 2 * BLOCK];
        bytes[..whole - first].copy_from_slice(&buffer[first..whole]);
        Self {
            midstate,
            bytes,
            spills: whole - first > BLOCK,
            end: end - first,
            digits,
        }
    }

    /// Writes `counter` over the counting digits, with leading zeros.
    pub(super) fn set(&mut self, mut counter: u64) {
        for digit in self.bytes[self.end - self.digits..self.end]
            .iter_mut()
            .rev()
        {
            *digit = b'0' + (counter % 10) as u8;
            counter /= 10;
        }
    }

    /// Adds one to the counter. Returns `true` if this changed [`Self::state_before_last`].
    pub(super) fn increment(&mut self) -> bool {
        let mut place = self.end;
        while place > self.end - self.digits {
            place -= 1;
            if self.bytes[place] != b'9' {
                self.bytes[place] += 1;
                break;
            }
            self.bytes[place] = b'0';
        }
        self.spills && place < BLOCK
    }

    /// Returns the hash state before the last block.
    pub(super) fn state_before_last(&self) -> [u32; 8] {
        let mut state = self.midstate;
        if self.spills {
            compress256(&mut state, &self.bytes.as_chunks().0[..1]);
        }
        state
    }

    /// Counts the zeros at the end of the digest, given [`Self::state_before_last`].
    pub(super) fn zeros_after(&self, mut state: [u32; 8]) -> u8 {
        let last = usize::from(self.spills);
        compress256(&mut state, &self.bytes.as_chunks().0[last..=last]);
        if state[7] & 0xf != 0 {
            return 0;
        }
        let mut digest = [0; 32];
        for (bytes, word) in digest.as_chunks_mut().0.iter_mut().zip(state) {
            *bytes = word.to_be_bytes();
        }
        trailing_zeros(&digest)
    }

    /// Returns the difference between the counters of adjacent rows; `None` if there are too few
    /// digits.
    ///
    /// A row is a value of three digits that share a word, as late as possible: in the word with the
    /// last digit, or in the word before if the last word has fewer than three digits.
    pub(super) fn row_step(&self) -> Option<u64> {
        let after = self.digits_after_row();
        (self.digits >= 3 + after as usize).then(|| 10_u64.pow(after))
    }

    fn digits_after_row(&self) -> u32 {
        match self.end % 4 {
            1 => 1,
            2 => 2,
            _ => 0,
        }
    }

    /// Returns all rows of the counter, in which the three digits of the row are zeros.
    pub(super) fn batch(&self, difficulty: Difficulty) -> Batch {
        let mut words = [0; 32];
        for (word, bytes) in words.iter_mut().zip(self.bytes.as_chunks().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        let row_end = self.end - self.digits_after_row() as usize;
        let word = (row_end - 1) / 4;
        let [first, second] = [0, 1].map(|block| array::from_fn(|i| words[16 * block + i]));
        let in_second = word >= 16;
        Batch {
            state: if in_second {
                self.state_before_last()
            } else {
                self.midstate
            },
            block: if in_second { second } else { first },
            word: word % 16,
            shift: if row_end % 4 == 3 { 8 } else { 0 },
            padding: (self.spills && !in_second).then_some(second),
            mask: u32::MAX >> (32 - 4 * u32::from(difficulty.get().min(8))),
        }
    }

    /// Counts the zeros at the end of the digest with `counter` as the counting digits.
    pub(super) fn zeros(&mut self, counter: u64) -> u8 {
        self.set(counter);
        self.zeros_after(self.state_before_last())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pow;

    fn check(prefix: &[u8], zeros: u32, digits: u32, counter: u64) {
        let counter = counter % 10_u64.pow(digits);
        let text = format!("{counter:0width$}", width = (zeros + digits) as usize);
        let expected = pow::zeros(prefix, text.as_bytes());
        let mut candidate = Candidate::new(&Prefix::new(prefix), zeros, digits);
        assert_eq!(
            candidate.zeros(counter),
            expected,
            "{} bytes, {text}",
            prefix.len()
        );
    }

    #[test]
    fn every_padding_border_hashes_as_the_plain_text() {
        for len in 0..=130 {
            let prefix = vec![b'7'; len];
            for (zeros, digits) in [(0, 1), (0, 2), (0, 9), (0, 18), (0, 19), (5, 19), (77, 19)] {
                for counter in 0..64 {
                    check(&prefix, zeros, digits, counter * 0x0123_4567_89ab);
                }
            }
        }
    }

    #[test]
    fn increment_counts_as_numbers_do() {
        // One block; two blocks with only padding in the second; digits in both blocks.
        for len in [4, 52, 61] {
            let mut candidate = Candidate::new(&Prefix::new(&vec![b'2'; len]), 0, 5);
            let mut expected = candidate.clone();
            for counter in 1..20_000 {
                let changed = candidate.increment();
                let before = expected.state_before_last();
                expected.set(counter);
                assert_eq!(candidate.bytes, expected.bytes);
                assert_eq!(
                    changed,
                    before != expected.state_before_last(),
                    "{counter} {len}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn any_candidate_hashes_as_the_plain_text(
            prefix in prop::collection::vec(any::<u8>(), 0..300),
            zeros in 0_u32..=77,
            digits in 1_u32..=19,
            counter: u64,
        ) {
            check(&prefix, zeros, digits, counter);
        }
    }
}
