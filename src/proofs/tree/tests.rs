//! Compares proofs with the definitions of RFC 9162, and rejects changed ones.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::chain::{BlockHash, History};

/// A tree of distinct leaves, and its nodes in the order of their positions.
fn tree(leaves: u64) -> (Vec<BlockHash>, Vec<NodeHash>) {
    let leaves: Vec<_> = (0..leaves)
        .map(|n| BlockHash::from_bytes(Sha256::digest(n.to_be_bytes()).into()))
        .collect();
    let (mut history, mut nodes) = (History::default(), Vec::new());
    for leaf in &leaves {
        history.append(leaf, |_, node| nodes.push(*node));
    }
    (leaves, nodes)
}

/// Section 2.1.1 of RFC 9162 as it is written.
fn tree_hash(leaves: &[BlockHash]) -> NodeHash {
    match leaves {
        [] => empty_root(),
        [only] => leaf_hash(only.as_bytes()),
        _ => {
            let (left, right) = leaves.split_at(half(leaves));
            parent_hash(&tree_hash(left), &tree_hash(right))
        }
    }
}

fn half(leaves: &[BlockHash]) -> usize {
    leaves.len().next_power_of_two() / 2
}

/// Section 2.1.3.1 of RFC 9162 as it is written.
fn path(index: usize, leaves: &[BlockHash]) -> Vec<NodeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(half(leaves));
    let (mut below, sibling) = if index < left.len() {
        (path(index, left), tree_hash(right))
    } else {
        (path(index - left.len(), right), tree_hash(left))
    };
    below.push(sibling);
    below
}

/// `SUBPROOF` of section 2.1.4.1 of RFC 9162 as it is written.
fn subproof(first: usize, leaves: &[BlockHash], is_whole: bool) -> Vec<NodeHash> {
    if first == leaves.len() {
        return if is_whole {
            Vec::new()
        } else {
            vec![tree_hash(leaves)]
        };
    }
    let (left, right) = leaves.split_at(half(leaves));
    let (mut below, sibling) = if first <= left.len() {
        (subproof(first, left, is_whole), tree_hash(right))
    } else {
        (subproof(first - left.len(), right, false), tree_hash(left))
    };
    below.push(sibling);
    below
}

fn at(n: u64) -> usize {
    usize::try_from(n).unwrap()
}

fn read(nodes: &[NodeHash]) -> impl FnMut(u64) -> Result<NodeHash, Infallible> {
    |position| Ok(nodes[at(position)])
}

#[test]
fn every_proof_of_small_trees_is_that_of_the_definition_and_holds() {
    let (leaves, nodes) = tree(70);
    for size in 1..=70 {
        let below = &leaves[..at(size)];
        let root = super::root(size, read(&nodes)).unwrap();
        assert_eq!(root, tree_hash(below));
        for index in 0..size {
            let made = inclusion_path(index, size, read(&nodes)).unwrap();
            assert_eq!(made, path(at(index), below), "{index} of {size}");
            let leaf = leaves[at(index)].as_bytes();
            assert_eq!(check_inclusion(leaf, index, size, &made, &root), Ok(()));
        }
        for first in 0..size {
            let made = consistency_path(first, size, read(&nodes)).unwrap();
            if first > 0 {
                assert_eq!(made, subproof(at(first), below, true), "{first} to {size}");
            }
            let earlier = tree_hash(&leaves[..at(first)]);
            let checked = check_consistency(first, size, &earlier, &root, &made);
            assert_eq!(checked, Ok(()), "{first} to {size}");
        }
    }
}

#[test]
fn a_proof_reads_at_most_twice_as_many_nodes_as_the_tree_has_levels() {
    let (_, nodes) = tree(5000);
    for (index, size) in [
        (0, 5000),
        (4999, 5000),
        (1234, 4095),
        (4095, 4096),
        (7, 4097),
    ] {
        let mut reads = 0;
        let counted = |position| {
            reads += 1;
            Ok::<_, Infallible>(nodes[at(position)])
        };
        inclusion_path(index, size, counted).unwrap();
        assert!(reads <= 2 * (size.ilog2() + 1), "{reads} for {size} leaves");
    }
}

proptest! {
    #[test]
    fn changed_paths_prove_nothing(
        size in 2_u64..300, index in 0_u64..300, first in 0_u64..300, change in 0_u8..4, place in 0_usize..20,
    ) {
        let (index, first) = (index % size, first % size);
        let (leaves, nodes) = tree(size);
        let root = tree_hash(&leaves);
        let change = |mut path: Vec<NodeHash>| {
            match change {
                0 => path.push([7; 32]),
                1 => drop(path.pop()),
                2 if !path.is_empty() => {
                    let place = place % path.len();
                    path[place][5] ^= 1;
                }
                _ => path.insert(0, [7; 32]),
            }
            path
        };
        let path = inclusion_path(index, size, read(&nodes)).unwrap();
        let leaf = leaves[at(index)].as_bytes();
        prop_assert!(check_inclusion(leaf, index, size, &change(path.clone()), &root).is_err());
        prop_assert!(check_inclusion(leaf, (index + 1) % size, size, &path, &root).is_err());
        let path = consistency_path(first, size, read(&nodes)).unwrap();
        let earlier = tree_hash(&leaves[..at(first)]);
        prop_assert_eq!(check_consistency(first, size, &earlier, &root, &path), Ok(()));
        let changed = change(path.clone());
        if changed != path {
            prop_assert!(check_consistency(first, size, &earlier, &root, &changed).is_err());
        }
        prop_assert!(check_consistency(first, size, &[9; 32], &root, &path).is_err());
        if first > 0 {
            prop_assert!(check_consistency(first, size, &earlier, &[9; 32], &path).is_err());
        }
    }

    #[test]
    fn no_proof_makes_the_checks_panic(
        index in any::<u64>(), size in any::<u64>(), path in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let _ = check_inclusion(&[1; 32], index, size, &path, &[0; 32]);
        let _ = check_consistency(index, size, &[0; 32], &[0; 32], &path);
    }
}
