//! Inclusion and consistency proofs over the history tree (RFC 6962 section 2.1, RFC 9162
//! sections 2.1.3 and 2.1.4).
//!
//! Proofs are made from the nodes that the store keeps: the roots of complete subtrees by their
//! position ([`crate::chain::history`]). Making one reads at most 2·log2(n) nodes.

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::chain::history::{NodeHash, leaf_hash, parent_hash, position};

/// Error of [`check_inclusion`] and [`check_consistency`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidPath {
    /// The index is not below the size of the tree.
    #[error("the index is not below the size of the tree")]
    IndexOutOfRange,
    /// Hashes are left over.
    #[error("the proof has too many hashes")]
    TooLong,
    /// Hashes are missing.
    #[error("the proof has too few hashes")]
    TooShort,
    /// The hashes lead to another root than that of the smaller tree.
    #[error("the hashes do not lead to the root of the earlier block")]
    FirstRootMismatch,
    /// The hashes lead to another root.
    #[error("the hashes do not lead to the history root")]
    RootMismatch,
}

/// Returns the tree hash over no leaves.
pub fn empty_root() -> NodeHash {
    Sha256::digest([]).into()
}

/// Returns the root over the first `size` leaves.
///
/// # Errors
/// Those of `node`, which reads the node at a position.
pub fn root<E>(size: u64, mut node: impl FnMut(u64) -> Result<NodeHash, E>) -> Result<NodeHash, E> {
    subtree(0, size, &mut node)
}

/// Returns the siblings between the leaf at `index` and the root of the tree over the first `size`
/// leaves, that of the leaf first (RFC 9162 section 2.1.3.1). `index` must be below `size`.
///
/// # Errors
/// Those of `node`, which reads the node at a position.
pub fn inclusion_path<E>(
    index: u64,
    size: u64,
    mut node: impl FnMut(u64) -> Result<NodeHash, E>,
) -> Result<Vec<NodeHash>, E> {
    let (mut start, mut len) = (0, size);
    let mut path = Vec::new();
    while len > 1 {
        let left = split(len);
        if index - start < left {
            path.push(subtree(start + left, len - left, &mut node)?);
            len = left;
        } else {
            path.push(subtree(start, left, &mut node)?);
            (start, len) = (start + left, len - left);
        }
    }
    path.reverse();
    Ok(path)
}

/// Returns the hashes that lead from the root over the first `first` leaves to that over the first
/// `second` (RFC 9162 section 2.1.4.1). `first` must not be above `second`.
///
/// # Errors
/// Those of `node`, which reads the node at a position.
pub fn consistency_path<E>(
    first: u64,
    second: u64,
    mut node: impl FnMut(u64) -> Result<NodeHash, E>,
) -> Result<Vec<NodeHash>, E> {
    if first == 0 {
        return Ok(Vec::new());
    }
    let (mut start, mut len, mut known) = (0, second, first);
    let mut path = Vec::new();
    while known < len {
        let left = split(len);
        if known <= left {
            path.push(subtree(start + left, len - left, &mut node)?);
            len = left;
        } else {
            path.push(subtree(start, left, &mut node)?);
            (start, len, known) = (start + left, len - left, known - left);
        }
    }
    // The verifier has the root of the smaller tree, but not that of a part of it.
    if start > 0 {
        path.push(subtree(start, len, &mut node)?);
    }
    path.reverse();
    Ok(path)
}

/// Checks that a path leads from a leaf to a root (RFC 9162 section 2.1.3.2). `leaf` is the content
/// of the leaf: of the history tree, the hash of a block.
///
/// # Errors
/// [`InvalidPath`] if the path does not lead to the root or has the wrong length.
pub fn check_inclusion(
    leaf: &[u8],
    index: u64,
    size: u64,
    path: &[NodeHash],
    root: &NodeHash,
) -> Result<(), InvalidPath> {
    if index >= size {
        return Err(InvalidPath::IndexOutOfRange);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf_hash(leaf);
    for sibling in path {
        if last == 0 {
            return Err(InvalidPath::TooLong);
        }
        if node & 1 == 1 || node == last {
            hash = parent_hash(sibling, &hash);
            skip_missing_levels(&mut node, &mut last);
        } else {
            hash = parent_hash(&hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    match last {
        0 if hash == *root => Ok(()),
        0 => Err(InvalidPath::RootMismatch),
        _ => Err(InvalidPath::TooShort),
    }
}

/// Checks that the tree with root `second_root` begins with that of `first_root` (RFC 9162 section
/// 2.1.4.2). `first` must be below `second`.
///
/// # Errors
/// [`InvalidPath`] if the hashes do not lead to both roots or have the wrong number.
pub fn check_consistency(
    first: u64,
    second: u64,
    first_root: &NodeHash,
    second_root: &NodeHash,
    path: &[NodeHash],
) -> Result<(), InvalidPath> {
    if first >= second {
        return Err(InvalidPath::IndexOutOfRange);
    }
    if first == 0 {
        return match path {
            [] if *first_root == empty_root() => Ok(()),
            [] => Err(InvalidPath::FirstRootMismatch),
            _ => Err(InvalidPath::TooLong),
        };
    }
    let (mut node, mut last) = (first - 1, second - 1);
    let complete = node.trailing_ones();
    (node, last) = (node >> complete, last >> complete);
    // The root of a complete tree stands in for the first hash, which is left out then.
    let (mut first_hash, rest) = match path.split_first() {
        None => return Err(InvalidPath::TooShort),
        Some(_) if first.is_power_of_two() => (*first_root, path),
        Some((start, rest)) => (*start, rest),
    };
    let mut second_hash = first_hash;
    for sibling in rest {
        if last == 0 {
            return Err(InvalidPath::TooLong);
        }
        if node & 1 == 1 || node == last {
            first_hash = parent_hash(sibling, &first_hash);
            second_hash = parent_hash(sibling, &second_hash);
            skip_missing_levels(&mut node, &mut last);
        } else {
            second_hash = parent_hash(&second_hash, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(InvalidPath::TooShort);
    }
    if first_hash != *first_root {
        return Err(InvalidPath::FirstRootMismatch);
    }
    if second_hash != *second_root {
        return Err(InvalidPath::RootMismatch);
    }
    Ok(())
}

/// At the right edge of a tree that is not complete, a node without a sibling moves up until it is
/// a right child.
fn skip_missing_levels(node: &mut u64, last: &mut u64) {
    if *node & 1 == 0 {
        let levels = node.trailing_zeros().min(u64::BITS - 1);
        (*node, *last) = (*node >> levels, *last >> levels);
    }
}

/// Returns the largest power of two below `len`, which must be above 1.
fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

/// Returns the root over `len` leaves from `start` on, where `start` is a multiple of the largest
/// power of two that is not above `len`: the complete subtrees, joined from the right.
fn subtree<E>(
    start: u64,
    len: u64,
    node: &mut impl FnMut(u64) -> Result<NodeHash, E>,
) -> Result<NodeHash, E> {
    let mut joined: Option<NodeHash> = None;
    let mut rest = len;
    while rest > 0 {
        let level = rest.trailing_zeros();
        rest &= rest - 1;
        let left = node(position(level, (start + rest) >> level))?;
        joined = Some(joined.map_or(left, |right| parent_hash(&left, &right)));
    }
    Ok(joined.unwrap_or_else(empty_root))
}

#[cfg(test)]
mod tests;
