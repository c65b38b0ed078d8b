//! A switch to another branch in numbers, and which switches people should look at.

/// A reorg that disconnects more blocks than this is deep: two nodes that mine at the same time
/// explain a few blocks, not as many.
pub const MAX_SHALLOW_REORG: u64 = 6;

/// Numbers of blocks that a reorg disconnects and connects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReorgCounts {
    /// Blocks disconnected.
    pub disconnected: u64,
    /// Sealed blocks among them.
    pub disconnected_sealed: u64,
    /// Blocks connected.
    pub connected: u64,
    /// Sealed blocks among them.
    pub connected_sealed: u64,
}

impl ReorgCounts {
    /// Returns `true` if more blocks were disconnected than honest nodes explain.
    pub fn is_deep(&self) -> bool {
        self.disconnected > MAX_SHALLOW_REORG
    }

    /// Returns `true` if sealed blocks were traded for open ones: the chain holds fewer sealed
    /// blocks than before.
    pub fn trades_sealed(&self) -> bool {
        self.connected_sealed < self.disconnected_sealed
    }

    /// Returns `true` if people should look at it.
    pub fn is_notable(&self) -> bool {
        self.is_deep() || self.trades_sealed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_sealed_blocks_than_before_are_a_trade_and_more_than_six_blocks_are_deep() {
        let counts = |disconnected, disconnected_sealed, connected, connected_sealed| ReorgCounts {
            disconnected,
            disconnected_sealed,
            connected,
            connected_sealed,
        };
        // An open block beside as many sealed ones as before costs no seal.
        assert!(!counts(3, 3, 4, 3).trades_sealed());
        assert!(!counts(1, 0, 2, 0).trades_sealed());
        assert!(counts(3, 3, 4, 2).trades_sealed());
        assert!(counts(3, 3, 4, 2).is_notable());
        assert!(!counts(6, 6, 7, 7).is_notable());
        assert!(counts(7, 7, 8, 8).is_deep() && counts(7, 7, 8, 8).is_notable());
    }
}
