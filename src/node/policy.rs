//! Policy: which reorgs, which genesis blocks and which networks this node accepts from its peers.
//! The rules of the chain are in [`crate::chain`]; these are the limits that each node sets itself.

use super::Node;
use super::sync::SyncError;
use crate::text::counted;
use crate::wire::NetworkStatus;

impl Node {
    /// Longest chain whose genesis block may be replaced; 0 where every block must be sealed.
    pub(super) fn max_replaceable_genesis_length(&self) -> u64 {
        match self.state().network.sealed_from {
            Some(_) => 0,
            None => self.settings.peers.max_replaceable_genesis_length,
        }
    }

    /// Whether another genesis that is refused now will be refused later, too.
    pub(in crate::node) fn is_past_first_round(&self) -> bool {
        self.max_replaceable_genesis_length() == 0 || self.peers.first_round_ended()
    }

    /// Whether our chain may be left for one that shares its first `common` blocks.
    pub(in crate::node) fn check_reorg_allowed(&self, common: u64) -> Result<(), SyncError> {
        let (length, settings) = (self.state().length(), &self.settings.peers);
        let is_fixed =
            length > self.max_replaceable_genesis_length() || !self.peers.first_round_ended();
        let depth = length.saturating_sub(common);
        if common == 0 && is_fixed {
            return Err(SyncError::Incompatible(
                "has another genesis, and that of this chain is fixed".to_owned(),
            ));
        }
        if depth > settings.max_reorg {
            return Err(SyncError::Incompatible(format!(
                "has a branch that takes off {}, more than --max-reorg {} allows: \
                 find out which branch is right, and restart with a higher --max-reorg to follow \
                 the other",
                counted(depth, "block"),
                settings.max_reorg
            )));
        }
        Ok(())
    }

    /// How a peer's network is another than ours, with the remedy; none if it is the same.
    pub(in crate::node) fn difference(&self, theirs: &NetworkStatus) -> Option<String> {
        let state = self.state();
        let ours = state.genesis.to_string();
        if theirs.genesis != ours {
            let genesis: String = theirs.genesis.chars().take(64).collect();
            return Some(format!(
                "has another genesis ({genesis}, here {ours}): they are two networks; to join its, \
                 start a node on a new folder with --genesis {genesis} --difficulty {}",
                theirs.difficulty
            ));
        }
        let own = state.network.difficulty.get();
        if theirs.difficulty != own {
            return Some(format!(
                "has difficulty {}, this node {own}: restart the one with the higher difficulty \
                 with --difficulty {}; until then blocks are followed as far as they hold here, \
                 and waiting messages are not shared",
                theirs.difficulty,
                own.min(theirs.difficulty)
            ));
        }
        let rule = |from: Option<u64>| match from {
            Some(from) => format!("sealed blocks from {from} on"),
            None => "open blocks accepted".to_owned(),
        };
        (theirs.sealed_from != state.network.sealed_from).then(|| {
            format!(
                "has another seal rule ({}, here {}): make them the same with \
                 --require-sealed=FROM; until then blocks are followed as far as they hold here, \
                 and waiting messages are not shared",
                rule(theirs.sealed_from),
                rule(state.network.sealed_from)
            )
        })
    }
}
