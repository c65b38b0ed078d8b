//! The newest blocks seen, of all branches, in the order in which they were seen.

use std::collections::{HashMap, VecDeque};

use crate::wire::Block;

/// Maximum number of blocks kept.
pub const MAX_BLOCKS: usize = 1000;

/// Maximum size of the messages kept, in bytes.
const MAX_BYTES: usize = 32 << 20;

/// The newest blocks seen.
#[derive(Debug, Default)]
pub struct Recent {
    blocks: VecDeque<Block>,
    /// Number of the block in `blocks`, counted from the first block ever inserted.
    by_hash: HashMap<String, u64>,
    /// Number of the first block in `blocks`.
    first: u64,
    bytes: usize,
    is_changed: bool,
}

impl Recent {
    /// Adds a block that was checked. Drops the oldest ones if there are too many.
    pub fn insert(&mut self, block: Block) {
        if self.by_hash.contains_key(&block.hash) {
            return;
        }
        self.bytes += block.data.message.len();
        let number = self.first + self.blocks.len() as u64;
        self.by_hash.insert(block.hash.clone(), number);
        self.blocks.push_back(block);
        self.is_changed = true;
        while self.blocks.len() > MAX_BLOCKS || (self.bytes > MAX_BYTES && self.blocks.len() > 1) {
            if let Some(old) = self.blocks.pop_front() {
                self.bytes -= old.data.message.len();
                self.by_hash.remove(&old.hash);
                self.first += 1;
            }
        }
    }

    /// Returns a block.
    pub fn get(&self, hash: &str) -> Option<&Block> {
        let at = usize::try_from(self.by_hash.get(hash)? - self.first).ok()?;
        self.blocks.get(at)
    }

    /// Returns all blocks, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter()
    }

    /// Returns the blocks from a block downwards, as far as they are known.
    pub fn down(&self, hash: &str) -> impl Iterator<Item = &Block> {
        let previous = |block: &&Block| self.get(block.previous_hash.as_deref()?);
        std::iter::successors(self.get(hash), previous)
    }

    /// Returns the block at an index of the branch that ends with a block.
    pub fn ancestor(&self, hash: &str, index: u64) -> Option<&Block> {
        self.down(hash)
            .find(|block| block.index <= index)
            .filter(|block| block.index == index)
    }

    /// Returns the index of the last common block of two branches.
    pub fn fork(&self, one: &str, other: &str) -> Option<u64> {
        let mut ours = self.down(one).peekable();
        for block in self.down(other) {
            while ours.next_if(|ours| ours.index > block.index).is_some() {}
            match ours.peek() {
                Some(ours) if ours.hash == block.hash => return Some(block.index),
                Some(_) => {}
                None => return None,
            }
        }
        None
    }

    /// Returns `true` once after blocks were added.
    pub fn take_changed(&mut self) -> bool {
        std::mem::take(&mut self.is_changed)
    }

    /// Returns the content of `recent.ndjson`.
    pub fn to_ndjson(&self) -> String {
        ndjson(self.iter())
    }
}

/// Returns blocks as lines of JSON.
pub fn ndjson<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> String {
    let mut text = String::new();
    for block in blocks {
        text.push_str(&serde_json::to_string(block).unwrap_or_default());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::tests::simulated::Chain;

    #[test]
    fn forks_and_ancestors_are_found() {
        let old = Chain::new(6);
        let new = old.forked(3, 8);
        let mut recent = Recent::default();
        for block in old.rendered().into_iter().chain(new.rendered()) {
            recent.insert(block);
        }
        let (a, b) = (old.hash(5), new.hash(7));
        assert_eq!(recent.fork(&a, &b), Some(2));
        assert_eq!(recent.fork(&b, &a), Some(2));
        assert_eq!(recent.fork(&b, &new.hash(5)), Some(5));
        assert_eq!(recent.ancestor(&b, 4).unwrap().hash, new.hash(4));
        assert_eq!(recent.ancestor(&b, 8), None);
        assert_eq!(recent.fork(&a, "unknown"), None);
        assert_eq!(recent.down(&a).count(), 6);
    }

    #[test]
    fn only_the_newest_blocks_are_kept() {
        let mut recent = Recent::default();
        let block = Chain::new(1).rendered().remove(0);
        for number in 0..2 * MAX_BLOCKS {
            let mut block = block.clone();
            block.hash = number.to_string();
            recent.insert(block.clone());
            recent.insert(block);
        }
        assert_eq!(recent.iter().count(), MAX_BLOCKS);
        assert!(recent.get("999").is_none() && recent.get("1000").is_some());
        let mut large = block.clone();
        large.data.message = "x".repeat(MAX_BYTES / 2);
        for hash in ["a", "b", "c"] {
            large.hash = hash.to_owned();
            recent.insert(large.clone());
        }
        assert!(recent.iter().count() <= 2 && recent.get("c").is_some());
    }
}
