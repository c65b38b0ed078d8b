//! Fork choice: the rule that decides which of two acceptable chains a node follows. Pure.

use super::hash::BlockHash;

/// The properties of a chain that fork choice compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ForkCandidate {
    /// Number of blocks, the genesis block included.
    pub length: u64,
    /// Number of sealed blocks.
    pub sealed: u64,
    /// Hash of the genesis block.
    pub genesis: BlockHash,
    /// Hash of the tip.
    pub tip: BlockHash,
    /// `true` if the tip is sealed.
    pub tip_is_sealed: bool,
}

/// Returns `true` if a node that holds `held` should switch to `offered`.
///
/// The longer chain wins. Between chains of equal length with the same genesis block, the one with
/// more sealed blocks wins; then, if both tips are sealed, the one with the lower tip hash, so that
/// the halves of a network converge without waiting for another block. Otherwise the held chain
/// stays. Zeros beyond the difficulty do not count as work.
pub fn prefers_offered(held: &ForkCandidate, offered: &ForkCandidate) -> bool {
    if held.length != offered.length {
        return offered.length > held.length;
    }
    if held.genesis != offered.genesis {
        return false;
    }
    if held.sealed != offered.sealed {
        return offered.sealed > held.sealed;
    }
    held.tip_is_sealed && offered.tip_is_sealed && offered.tip < held.tip
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: ForkCandidate = ForkCandidate {
        length: 10,
        sealed: 5,
        genesis: BlockHash::from_bytes([0; 32]),
        tip: BlockHash::from_bytes([5; 32]),
        tip_is_sealed: true,
    };

    fn follows(change: impl FnOnce(&mut ForkCandidate)) -> bool {
        let mut offered = HELD;
        change(&mut offered);
        prefers_offered(&HELD, &offered)
    }

    #[test]
    fn the_longest_chain_wins_regardless_of_seals_and_genesis() {
        let other_genesis = BlockHash::from_bytes([9; 32]);
        assert!(follows(|offered| offered.length = 11));
        assert!(!follows(|offered| offered.length = 9));
        assert!(follows(|offered| (offered.length, offered.sealed) = (11, 0)));
        assert!(follows(
            |offered| (offered.length, offered.genesis) = (11, other_genesis)
        ));
        assert!(!follows(|offered| (offered.length, offered.sealed) = (9, 8)));
    }

    #[test]
    fn equal_length_goes_to_more_sealed_blocks() {
        assert!(follows(|offered| offered.sealed = 6));
        assert!(!follows(
            |offered| (offered.sealed, offered.tip) = (4, BlockHash::from_bytes([1; 32]))
        ));
    }

    #[test]
    fn equal_length_and_seals_go_to_the_lower_sealed_tip() {
        let lower = BlockHash::from_bytes([1; 32]);
        let higher = BlockHash::from_bytes([6; 32]);
        assert!(follows(|offered| offered.tip = lower));
        assert!(!follows(|offered| offered.tip = higher));
        assert!(!follows(
            |offered| (offered.tip, offered.tip_is_sealed) = (lower, false)
        ));
        let open = ForkCandidate {
            tip_is_sealed: false,
            ..HELD
        };
        assert!(!prefers_offered(
            &open,
            &ForkCandidate { tip: lower, ..HELD }
        ));
        assert!(!follows(|_| {}));
    }

    #[test]
    fn a_tie_never_changes_the_genesis() {
        let genesis = BlockHash::from_bytes([9; 32]);
        assert!(!follows(
            |offered| (offered.genesis, offered.sealed) = (genesis, 9)
        ));
    }
}
