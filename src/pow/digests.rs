//! SHA-256 of many texts at once, with one text in each lane of a vector.
//!
//! On a processor with SHA-256 instructions and without wide vectors, hashing one text after the
//! other is faster: [`Kernel::best_for_texts`].

use std::array;
use std::ops::Range;

use sha2::block_api::compress256;

use super::Kernel;
use super::candidate::{BLOCK, INITIAL};
use super::lanes::{Blocks, Lanes, MAX_LANES, States};

/// Minimum number of busy lanes. With fewer, hashing one text after the other is faster.
const MIN_BUSY_LANES: usize = 6;

/// A SHA-256 digest.
type Digest = [u8; 32];

/// Texts to be hashed together, stored one after the other, each padded to whole blocks.
#[derive(Debug, Default)]
pub struct Texts {
    bytes: Vec<u8>,
    /// End of each text, in blocks.
    ends: Vec<usize>,
}

impl Texts {
    /// Removes all texts and keeps the allocated memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds the text that `write` appends.
    pub fn push(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let bits = 8 * (self.bytes.len() - start) as u64;
        self.bytes.push(0x80);
        let unpadded = self.bytes.len() + 8;
        self.bytes.resize(unpadded.next_multiple_of(BLOCK) - 8, 0);
        self.bytes.extend_from_slice(&bits.to_be_bytes());
        self.ends.push(self.bytes.len() / BLOCK);
    }

    /// Returns the digests in the order of the texts.
    pub fn digests(&self, kernel: Kernel) -> Vec<Digest> {
        let mut digests = vec![[0; 32]; self.ends.len()];
        match kernel.lanes() {
            Some(lanes) => self.side_by_side(lanes, &mut digests),
            None => {
                for (text, digest) in digests.iter_mut().enumerate() {
                    *digest = self.finish(INITIAL, self.blocks_of(text));
                }
            }
        }
        digests
    }

    fn blocks_of(&self, text: usize) -> Range<usize> {
        let start = text.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[text]
    }

    fn blocks(&self) -> &[[u8; BLOCK]] {
        self.bytes.as_chunks().0
    }

    /// Hashes the remaining blocks of a text.
    fn finish(&self, mut state: [u32; 8], remaining: Range<usize>) -> Digest {
        compress256(&mut state, &self.blocks()[remaining]);
        digest(state)
    }

    /// Hashes texts in lanes. A lane takes the next text when it has finished one.
    fn side_by_side(&self, lanes: Lanes, digests: &mut [Digest]) {
        let all = self.blocks();
        let mut queued = 0..self.ends.len();
        let mut at: [Option<(usize, Range<usize>)>; MAX_LANES] = [const { None }; MAX_LANES];
        let mut states: States = [[0; MAX_LANES]; 8];
        let mut blocks: Blocks = [[0; MAX_LANES]; 16];
        loop {
            let mut busy = 0;
            for lane in 0..MAX_LANES {
                if at[lane].is_none() {
                    let Some(text) = queued.next() else { continue };
                    at[lane] = Some((text, self.blocks_of(text)));
                    for (word, initial) in states.iter_mut().zip(INITIAL) {
                        word[lane] = initial;
                    }
                }
                busy += 1;
            }
            if busy < MIN_BUSY_LANES {
                break;
            }
            for (lane, at) in at.iter_mut().enumerate() {
                if let Some(block) = at.as_mut().and_then(|(_, left)| left.next()) {
                    let (words, _) = all[block].as_chunks();
                    for (lanes, word) in blocks.iter_mut().zip(words) {
                        lanes[lane] = u32::from_be_bytes(*word);
                    }
                }
            }
            lanes.compress(&mut states, &blocks);
            for (lane, at) in at.iter_mut().enumerate() {
                if let Some((text, _)) = at.as_ref().filter(|(_, left)| left.is_empty()) {
                    digests[*text] = digest(array::from_fn(|word| states[word][lane]));
                    *at = None;
                }
            }
        }
        for (lane, at) in at.into_iter().enumerate() {
            if let Some((text, left)) = at {
                digests[text] = self.finish(array::from_fn(|word| states[word][lane]), left);
            }
        }
    }
}

fn digest(state: [u32; 8]) -> Digest {
    let mut digest = [0; 32];
    let (words, _) = digest.as_chunks_mut();
    for (bytes, word) in words.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    digest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sha2::{Digest as _, Sha256};

    use super::*;

    fn check(texts: &[Vec<u8>]) {
        let mut together = Texts::default();
        together.push(|bytes| bytes.extend(b"cleared"));
        together.clear();
        for text in texts {
            together.push(|bytes| bytes.extend(text));
        }
        let expected: Vec<Digest> = texts.iter().map(|t| Sha256::digest(t).into()).collect();
        for kernel in Kernel::available() {
            assert_eq!(together.digests(kernel), expected, "{}", kernel.name());
        }
    }

    #[test]
    fn texts_of_every_length_up_to_three_blocks_have_the_digests_of_sha2() {
        let texts: Vec<_> = (0..=200_u8).map(|len| vec![len; len.into()]).collect();
        check(&texts);
    }

    #[test]
    fn any_number_of_texts_is_hashed() {
        for count in 0..40 {
            let texts: Vec<_> = (0..count).map(|n| vec![n; 60]).collect();
            check(&texts);
        }
    }

    #[test]
    fn a_long_text_among_short_ones_is_hashed_completely() {
        let mut texts = vec![b"short".to_vec(); 50];
        texts[3] = vec![7; 100_000];
        check(&texts);
    }

    proptest! {
        #[test]
        fn any_texts_have_the_digests_of_sha2(
            texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..60),
        ) {
            check(&texts);
        }
    }
}
