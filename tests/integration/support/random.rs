//! The one source of randomness of the tests. A seed repeats a run.

use blockchain::chain::{Message, MessageId};

/// A random generator whose values depend on its seed only (`SplitMix64`).
#[derive(Clone, Debug)]
pub(crate) struct SeededRng(u64);

impl SeededRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number below `limit`, which must not be 0.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Returns `true` with a probability of one in `count`.
    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    /// Returns an index into a sequence of this length, which must not be 0.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap()
    }

    pub(crate) fn id(&mut self) -> MessageId {
        let (high, low) = (u128::from(self.next()), u128::from(self.next()));
        MessageId::from_bytes((high << 64 | low).to_be_bytes())
    }

    /// Returns a message with a fresh id, sometimes with an unusual text.
    pub(crate) fn message(&mut self) -> Message {
        const TEXTS: [&str; 6] = ["", "é€😀", "\"\\\n\t\0", "plain", "plain ", "\u{202e}x"];
        let text = match self.below(16) {
            few @ 0..6 => TEXTS[usize::try_from(few).unwrap()].to_owned(),
            6 => "long ".repeat(3000),
            _ => format!("message {:x}", self.next()),
        };
        Message::new(self.id(), text).unwrap()
    }
}
