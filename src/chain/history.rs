//! The Merkle tree over all block hashes of a chain (the tree hash of RFC 6962, section 2.1).
//!
//! A leaf is SHA-256 of the byte 00 and the block hash; an inner node is SHA-256 of the byte 01 and
//! its two children. A seal commits to the root over all blocks before its own ([`super::seal`]), so
//! the hash of one sealed block authenticates any earlier block with about log2(n) hashes.
//!
//! Only complete subtrees have nodes. Nodes are numbered in the order in which appended leaves
//! complete them (children before parents), so a longer chain only adds nodes at the end:
//! [`position`] and [`node_count`].

use std::ops::Range;

use sha2::{Digest, Sha256};

use super::hash::BlockHash;
use crate::pow::{Kernel, Texts};

/// Hash of a node or a root.
pub type NodeHash = [u8; 32];

/// The tree of a chain, reduced to its peaks: the roots of its largest complete subtrees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    len: u64,
    /// One peak for each set bit of `len`, largest subtree first.
    peaks: Vec<NodeHash>,
}

impl History {
    /// Rebuilds a tree of `len` leaves. `node` returns the node at a position; it is called for each
    /// peak, largest first.
    ///
    /// # Errors
    /// Returns the first error of `node`.
    pub fn load<E>(len: u64, node: impl FnMut(u64) -> Result<NodeHash, E>) -> Result<Self, E> {
        Ok(Self {
            len,
            peaks: peak_positions(len).map(node).collect::<Result<_, _>>()?,
        })
    }

    /// Returns the number of leaves.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Returns `true` if the tree has no leaf.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a leaf. Calls `node` with the position and hash of each node that this completes, in
    /// order of position.
    pub fn append(&mut self, hash: &BlockHash, mut node: impl FnMut(u64, &NodeHash)) {
        let mut at = node_count(self.len);
        let mut complete = leaf_hash(hash.as_bytes());
        node(at, &complete);
        for _ in 0..self.len.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            complete = parent_hash(&left, &complete);
            at += 1;
            node(at, &complete);
        }
        self.peaks.push(complete);
        self.len += 1;
    }

    /// Returns the tree hash over all leaves; SHA-256 of the empty text for an empty tree.
    pub fn root(&self) -> NodeHash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Sha256::digest([]).into(),
            Some(last) => peaks.fold(*last, |right, left| parent_hash(left, &right)),
        }
    }
}

/// The nodes that a batch of leaves adds to a tree, computed level by level.
#[derive(Debug)]
pub(super) struct Extension {
    start: u64,
    /// Peaks of the tree before the batch, with their positions.
    peaks: Vec<(u64, NodeHash)>,
    /// Nodes that the leaves complete, in order of position.
    nodes: Vec<NodeHash>,
}

impl Extension {
    pub(super) fn new(before: &History, leaves: &[BlockHash]) -> Self {
        let (start, end) = (before.len, before.len + leaves.len() as u64);
        let peaks = peak_positions(start).zip(before.peaks.iter().copied());
        let added = in_batch(node_count(end) - node_count(start));
        let mut this = Self {
            start,
            peaks: peaks.collect(),
            nodes: vec![[0; 32]; added],
        };
        let mut texts = Texts::default();
        for leaf in leaves {
            texts.push(|text| {
                text.push(0);
                text.extend_from_slice(leaf.as_bytes());
            });
        }
        this.set_level(0, start..end, &texts);
        for level in 1.. {
            let nths = start >> level..end >> level;
            if nths.is_empty() {
                break;
            }
            texts.clear();
            for nth in nths.clone() {
                let left = this.node(position(level - 1, 2 * nth));
                let right = this.node(position(level - 1, 2 * nth + 1));
                texts.push(|text| write_parent(left, right, text));
            }
            this.set_level(level, nths, &texts);
        }
        this
    }

    fn set_level(&mut self, level: u32, nths: Range<u64>, texts: &Texts) {
        for (nth, node) in nths.zip(texts.digests(Kernel::best_for_texts())) {
            let at = position(level, nth) - node_count(self.start);
            self.nodes[in_batch(at)] = node;
        }
    }

    /// Returns a node that the leaves complete, or a peak of the tree before the batch.
    fn node(&self, position: u64) -> &NodeHash {
        if let Some(at) = position.checked_sub(node_count(self.start)) {
            return &self.nodes[in_batch(at)];
        }
        let peak = self.peaks.iter().find(|(at, _)| *at == position);
        &peak
            .expect("of the tree before the batch, only peaks are needed")
            .1
    }

    /// Returns the nodes that the leaf with this index completes, in order of position.
    pub(super) fn nodes_of(&self, leaf: u64) -> &[NodeHash] {
        let at = |leaves| in_batch(node_count(leaves) - node_count(self.start));
        &self.nodes[at(leaf)..at(leaf + 1)]
    }

    /// Returns the tree over the first `len` leaves, at least as many as before the batch.
    pub(super) fn history(&self, len: u64) -> History {
        let peaks = peak_positions(len).map(|position| *self.node(position));
        History {
            len,
            peaks: peaks.collect(),
        }
    }

    /// Returns the root over the first `len` leaves for each `len` of the range.
    pub(super) fn roots(&self, lens: Range<u64>) -> Vec<NodeHash> {
        let peak = |len: u64| {
            self.node(position(
                len.trailing_zeros(),
                (len >> len.trailing_zeros()) - 1,
            ))
        };
        let mut roots: Vec<NodeHash> = lens
            .clone()
            .map(|len| match len {
                0 => Sha256::digest([]).into(),
                len => *peak(len),
            })
            .collect();
        // The bits of each length whose peaks are not yet combined into its root.
        let without_lowest = |len: u64| len & len.wrapping_sub(1);
        let mut rests: Vec<u64> = lens.map(without_lowest).collect();
        let mut texts = Texts::default();
        loop {
            texts.clear();
            for (root, rest) in roots.iter().zip(&rests).filter(|(_, rest)| **rest != 0) {
                texts.push(|text| write_parent(peak(*rest), root, text));
            }
            let mut joined = texts.digests(Kernel::best_for_texts()).into_iter();
            if joined.len() == 0 {
                return roots;
            }
            for (root, rest) in roots
                .iter_mut()
                .zip(&mut rests)
                .filter(|(_, rest)| **rest != 0)
            {
                *root = joined.next().unwrap_or(*root);
                *rest = without_lowest(*rest);
            }
        }
    }
}

/// Converts an offset among the nodes of a batch to an index.
fn in_batch(at: u64) -> usize {
    usize::try_from(at)
        .expect("a batch has fewer than twice as many nodes as leaves, which are in memory")
}

/// Returns the hash of a leaf with this content.
pub fn leaf_hash(content: &[u8]) -> NodeHash {
    Sha256::new()
        .chain_update([0])
        .chain_update(content)
        .finalize()
        .into()
}

/// Returns the hash of the parent of two nodes.
pub(crate) fn parent_hash(left: &NodeHash, right: &NodeHash) -> NodeHash {
    let mut text = Vec::with_capacity(65);
    write_parent(left, right, &mut text);
    Sha256::digest(text).into()
}

fn write_parent(left: &NodeHash, right: &NodeHash, text: &mut Vec<u8>) {
    text.push(1);
    text.extend_from_slice(left);
    text.extend_from_slice(right);
}

/// Returns the number of nodes of a tree with `leaves` leaves, which is also the position of the next
/// leaf.
pub fn node_count(leaves: u64) -> u64 {
    2 * leaves - u64::from(leaves.count_ones())
}

/// Returns the position of the root of the `nth` complete subtree with 2^`level` leaves.
pub fn position(level: u32, nth: u64) -> u64 {
    let last_leaf = ((nth + 1) << level) - 1;
    node_count(last_leaf) + u64::from(level)
}

/// Returns the positions of the peaks of a tree with `leaves` leaves, largest subtree first.
fn peak_positions(leaves: u64) -> impl Iterator<Item = u64> {
    (0..u64::BITS)
        .rev()
        .filter(move |level| leaves >> level & 1 == 1)
        .map(move |level| {
            // The leaves left of this peak are the higher bits of `leaves`.
            position(level, (leaves >> level) - 1)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition in RFC 6962, section 2.1.
    fn tree_hash(leaves: &[BlockHash]) -> NodeHash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => Sha256::digest([&[0], &leaf.as_bytes()[..]].concat()).into(),
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                parent_hash(&tree_hash(&leaves[..split]), &tree_hash(&leaves[split..]))
            }
        }
    }

    fn leaves(count: u8) -> Vec<BlockHash> {
        (0..count).map(|n| BlockHash::from_bytes([n; 32])).collect()
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let leaves = leaves(70);
        let mut history = History::default();
        for n in 0..leaves.len() {
            assert_eq!(history.root(), tree_hash(&leaves[..n]), "{n} leaves");
            history.append(&leaves[n], |_, _| {});
        }
    }

    #[test]
    fn a_batch_of_leaves_gives_the_same_tree_as_single_leaves() {
        let leaves = leaves(150);
        let mut before = History::default();
        for start in 0..70_u64 {
            for more in [0, 1, 2, 3, 7, 64, 80] {
                let end = start + more;
                let new = &leaves[usize::try_from(start).unwrap()..usize::try_from(end).unwrap()];
                let extension = Extension::new(&before, new);
                let mut after = before.clone();
                for (leaf, root) in (start..end).zip(extension.roots(start..end)) {
                    assert_eq!(root, after.root(), "{leaf} leaves of {start} and {more}");
                    let mut nodes = Vec::new();
                    let hash = &leaves[usize::try_from(leaf).unwrap()];
                    after.append(hash, |_, node| nodes.push(*node));
                    assert_eq!(extension.nodes_of(leaf), nodes);
                    assert_eq!(extension.history(leaf + 1), after);
                }
            }
            before.append(&leaves[usize::try_from(start).unwrap()], |_, _| {});
        }
    }

    #[test]
    fn any_shorter_tree_loads_from_the_nodes_of_a_longer_one() {
        let leaves = leaves(70);
        let (mut history, mut nodes) = (History::default(), Vec::new());
        for leaf in &leaves {
            history.append(leaf, |position, node| {
                assert_eq!(
                    position,
                    nodes.len() as u64,
                    "nodes come in order of position"
                );
                nodes.push(*node);
            });
        }
        assert_eq!(nodes.len() as u64, node_count(70));
        for n in 0..leaves.len() {
            let at = |position| {
                nodes
                    .get(usize::try_from(position).unwrap())
                    .copied()
                    .ok_or(())
            };
            let shorter = History::load(n as u64, at).unwrap();
            assert_eq!(shorter.root(), tree_hash(&leaves[..n]), "{n} leaves");
        }
    }
}
