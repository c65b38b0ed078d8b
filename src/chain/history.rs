//! The Merkle tree over all block hashes of a chain (the tree hash of RFC 6962, section 2.1).
//!
//! A leaf is SHA-256 of `00` and the block hash, a node SHA-256 of `01` and its two children. The
//! root over the blocks before a block enters that block's seal, so whoever holds the hash of one
//! sealed block can check any earlier block with about log2(n) hashes.
//!
//! Only complete subtrees have nodes of their own. They are numbered in the order in which
//! appending leaves completes them (children before parents), so a longer chain only ever adds
//! nodes at the end: [`position`] and [`node_count`].

use sha2::{Digest, Sha256};

use super::hash::BlockHash;

/// Hash of a node or a root.
pub type NodeHash = [u8; 32];

/// The tree of a chain reduced to what appending needs: the roots of its complete subtrees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    len: u64,
    /// One for each set bit of `len`, largest subtree first.
    peaks: Vec<NodeHash>,
}

impl History {
    /// Rebuilds a tree of `len` leaves from its peaks, asked for by position, largest first.
    ///
    /// # Errors
    /// Those of `node`.
    pub fn load<E>(len: u64, node: impl FnMut(u64) -> Result<NodeHash, E>) -> Result<Self, E> {
        Ok(Self {
            len,
            peaks: peak_positions(len).map(node).collect::<Result<_, _>>()?,
        })
    }

    /// Number of leaves.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether the tree has no leaf.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds a leaf, and tells `node` each node this completes, with its position, in order.
    pub fn append(&mut self, hash: &BlockHash, mut node: impl FnMut(u64, &NodeHash)) {
        let mut at = node_count(self.len);
        let mut complete: NodeHash = Sha256::new()
            .chain_update([0])
            .chain_update(hash.as_bytes())
            .finalize()
            .into();
        node(at, &complete);
        for _ in 0..self.len.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            complete = parent(&left, &complete);
            at += 1;
            node(at, &complete);
        }
        self.peaks.push(complete);
        self.len += 1;
    }

    /// The tree hash over all leaves; for none, that of the empty text.
    pub fn root(&self) -> NodeHash {
        let mut peaks = self.peaks.iter().rev();
        match peaks.next() {
            None => Sha256::digest([]).into(),
            Some(last) => peaks.fold(*last, |right, left| parent(left, &right)),
        }
    }
}

fn parent(left: &NodeHash, right: &NodeHash) -> NodeHash {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

/// Number of nodes of a tree with `leaves` leaves, which is also the position of the next leaf.
pub fn node_count(leaves: u64) -> u64 {
    2 * leaves - u64::from(leaves.count_ones())
}

/// Position of the root of the complete subtree with 2^`level` leaves that is the `nth` such.
pub fn position(level: u32, nth: u64) -> u64 {
    let last_leaf = ((nth + 1) << level) - 1;
    node_count(last_leaf) + u64::from(level)
}

/// Positions of the peaks of a tree with `leaves` leaves, largest subtree first.
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

    /// The definition of RFC 6962, word for word.
    fn tree_hash(leaves: &[BlockHash]) -> NodeHash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => Sha256::digest([&[0], &leaf.as_bytes()[..]].concat()).into(),
            _ => {
                let split = leaves.len().next_power_of_two() / 2;
                parent(&tree_hash(&leaves[..split]), &tree_hash(&leaves[split..]))
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
