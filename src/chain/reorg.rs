//! The numbers of a reorg, and which reorgs are notable.

/// Maximum number of disconnected blocks of a shallow reorg. Two nodes that mine at the same time
/// cause reorgs of a few blocks; a deeper one has another cause.
pub const MAX_SHALLOW_REORG: u64 = 6;

/// Confirmations from which on a block counts as settled: a shallow reorg does not disconnect it.
pub const SETTLED_CONFIRMATIONS: u64 = MAX_SHALLOW_REORG + 1;

/// Number of blocks that a reorg disconnects and connects.
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
    /// Returns `true` if the reorg disconnected more than [`MAX_SHALLOW_REORG`] blocks.
    pub fn is_deep(&self) -> bool {
        self.disconnected > MAX_SHALLOW_REORG
    }

    /// Returns `true` if sealed blocks were replaced by open ones, so that the chain has fewer sealed
    /// blocks than before.
    pub fn trades_sealed(&self) -> bool {
        self.connected_sealed < self.disconnected_sealed
    }

    /// Returns `true` if an operator should look at the reorg.
    pub fn is_notable(&self) -> bool {
        self.is_deep() || self.trades_sealed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reorgs_are_notable_if_deep_or_if_they_trade_sealed_blocks() {
        let counts = |disconnected, disconnected_sealed, connected, connected_sealed| ReorgCounts {
            disconnected,
            disconnected_sealed,
            connected,
            connected_sealed,
        };
        // An additional open block replaces no sealed one.
        assert!(!counts(3, 3, 4, 3).trades_sealed());
        assert!(!counts(1, 0, 2, 0).trades_sealed());
        assert!(counts(3, 3, 4, 2).trades_sealed());
        assert!(counts(3, 3, 4, 2).is_notable());
        assert!(!counts(6, 6, 7, 7).is_notable());
        assert!(counts(7, 7, 8, 8).is_deep() && counts(7, 7, 8, 8).is_notable());
    }
}
