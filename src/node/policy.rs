//! Policy: which networks, genesis blocks and reorgs this node accepts from its peers.
//!
//! The rules of the chain are in [`crate::chain`]; these are the limits that each node sets itself.

use std::fmt;

use thiserror::Error;

use super::{Node, PROTOCOL};
use crate::chain::BlockHash;
use crate::chain::fork_choice::{ForkCandidate, prefers_offered};
use crate::store::StoreError;
use crate::text::counted;
use crate::wire::NetworkStatus;

/// Reason not to follow a peer although neither side breaks a rule. The text ends with the remedy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum Incompatibility {
    #[error(
        "different protocol version (theirs {theirs}, ours {PROTOCOL}): run the same version on both"
    )]
    Protocol { theirs: u32 },
    #[error(transparent)]
    Network(#[from] NetworkDifference),
    #[error("different genesis block, and the genesis block of this chain is fixed")]
    GenesisFixed,
    #[error(
        "its branch would disconnect {}, more than the {limit} allowed by --max-reorg: find out \
         which branch is right, and restart with a higher --max-reorg to follow the other",
        counted(*depth, "block")
    )]
    ReorgTooDeep { depth: u64, limit: u64 },
    #[error("branch of more than {limit} bytes")]
    BranchTooLarge { limit: u64 },
    #[error("chain of {bytes} bytes, more than --max-chain-bytes {limit} allows")]
    ChainTooLarge { bytes: u64, limit: u64 },
    #[error(
        "a reference miner mines open blocks, and this node requires sealed ones: to share a \
         network with it, start a node on a new folder with --accept-open"
    )]
    RequiresSealed,
}

/// The first difference between the networks of this node and a peer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum NetworkDifference {
    Genesis {
        ours: String,
        theirs: String,
        their_difficulty: u8,
    },
    Difficulty {
        ours: u8,
        theirs: u8,
    },
    SealRule {
        ours: Option<u64>,
        theirs: Option<u64>,
    },
}

/// Consequence of a network difference, appended to its remedy.
const CONSEQUENCE: &str = "until then, blocks are followed as far as they are valid here, and pending messages are not \
     shared";

impl fmt::Display for NetworkDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Genesis {
                ours,
                theirs,
                their_difficulty,
            } => write!(
                f,
                "different genesis block (theirs {theirs}, ours {ours}): to join that network, \
                 start a node on a new folder with --genesis {theirs} --difficulty \
                 {their_difficulty}"
            ),
            Self::Difficulty { ours, theirs } => {
                let (weaker, stronger) = if theirs > ours {
                    ("this node", "the other one")
                } else {
                    ("the other one", "this node")
                };
                write!(
                    f,
                    "different difficulty (theirs {theirs}, ours {ours}): restart {weaker} with \
                     --difficulty {}, on a new folder if its chain is rejected; or {stronger} with \
                     --difficulty {}, which weakens its chain for good; {CONSEQUENCE}",
                    ours.max(theirs),
                    ours.min(theirs)
                )
            }
            Self::SealRule { ours, theirs } => write!(
                f,
                "different seal rule (theirs: {}; ours: {}): start both with the same \
                 --require-sealed=FROM; {CONSEQUENCE}",
                seal_rule(*theirs),
                seal_rule(*ours)
            ),
        }
    }
}

fn seal_rule(sealed_from: Option<u64>) -> String {
    match sealed_from {
        Some(from) => format!("blocks sealed from index {from}"),
        None => "open blocks accepted".to_owned(),
    }
}

/// The chain that a peer claims to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClaimedChain {
    /// Hash of its tip.
    pub(super) tip: BlockHash,
    /// Number of its blocks.
    pub(super) length: u64,
    /// Number of its sealed blocks, if stated.
    pub(super) sealed: Option<u64>,
    /// Hash of its genesis block, if stated.
    pub(super) genesis: Option<BlockHash>,
}

impl Node {
    /// Returns `true` if this node would follow the chain, provided that the claim is true.
    pub(super) fn would_follow(&self, claim: &ClaimedChain) -> Result<bool, StoreError> {
        let state = self.state();
        if claim.length < state.length() || self.view()?.index_of(&claim.tip)?.is_some() {
            return Ok(false);
        }
        if claim.length > state.length() {
            return Ok(true);
        }
        let offered = ForkCandidate {
            length: claim.length,
            sealed: claim.sealed.unwrap_or(0),
            genesis: claim.genesis.unwrap_or(state.genesis),
            tip: claim.tip,
            // Needed to win the last tie-break; checked when the block arrives.
            tip_is_sealed: true,
        };
        Ok(prefers_offered(&state.fork_candidate(), &offered))
    }

    /// Returns the maximum length of a chain whose genesis block may be replaced; 0 where every
    /// block must be sealed.
    pub(super) fn max_replaceable_genesis_length(&self) -> u64 {
        match self.state().network.sealed_from {
            Some(_) => 0,
            None => self.settings.peers.max_replaceable_genesis_length,
        }
    }

    /// Returns `true` if another genesis block that is rejected now will be rejected later as well.
    pub(super) fn is_genesis_rejection_final(&self) -> bool {
        self.max_replaceable_genesis_length() == 0 || self.peers.first_round_ended()
    }

    /// Checks that this node may switch to a branch that shares its first `common` blocks.
    pub(super) fn check_reorg_allowed(&self, common: u64) -> Result<(), Incompatibility> {
        let length = self.state().length();
        let is_fixed =
            length > self.max_replaceable_genesis_length() || !self.peers.first_round_ended();
        if common == 0 && is_fixed {
            return Err(Incompatibility::GenesisFixed);
        }
        let (depth, limit) = (length.saturating_sub(common), self.settings.peers.max_reorg);
        if depth > limit {
            return Err(Incompatibility::ReorgTooDeep { depth, limit });
        }
        Ok(())
    }

    /// Returns how the network of a peer differs from ours, or `None` if it is the same.
    pub(super) fn network_difference(&self, theirs: &NetworkStatus) -> Option<NetworkDifference> {
        let state = self.state();
        let (genesis, ours) = (state.genesis.to_string(), state.network);
        if theirs.genesis != genesis {
            return Some(NetworkDifference::Genesis {
                ours: genesis,
                theirs: theirs.genesis.chars().take(64).collect(),
                their_difficulty: theirs.difficulty,
            });
        }
        if theirs.difficulty != ours.difficulty.get() {
            return Some(NetworkDifference::Difficulty {
                ours: ours.difficulty.get(),
                theirs: theirs.difficulty,
            });
        }
        (theirs.sealed_from != ours.sealed_from).then_some(NetworkDifference::SealRule {
            ours: ours.sealed_from,
            theirs: theirs.sealed_from,
        })
    }
}
