//! The state of the last commit, kept in memory: tip, history tree, network and counts.

use super::error::StoreError;
use super::network::Network;
use super::tables::Totals;
use super::view::View;
use crate::chain::fork_choice::ForkCandidate;
use crate::chain::{Block, BlockHash, History, Seal, Tip};
use crate::reference::json;

/// State of one commit. Cheap to clone; a new one is published after each commit.
#[derive(Clone, Debug)]
pub struct State {
    /// Hash of the genesis block.
    pub genesis: BlockHash,
    /// Tip of the chain.
    pub tip: Tip,
    /// `true` if the tip has a sealed proof.
    pub tip_is_sealed: bool,
    /// History tree over all blocks.
    pub history: History,
    /// Difficulty and seal rule.
    pub network: Network,
    pub(crate) totals: Totals,
    pub(crate) index_positions: IndexPositions,
}

/// Keys at which each index continues to move its recent rows ([`super::index`]). A new run starts
/// with the lowest key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IndexPositions {
    pub(crate) by_hash: [u8; 32],
    pub(crate) by_message: [u8; 16],
}

impl State {
    /// Returns the state of a chain that consists of a genesis block.
    pub(crate) fn of_genesis(genesis: &Block, network: Network) -> Self {
        let mut state = Self {
            genesis: BlockHash::of(genesis),
            tip: Tip::of(genesis),
            tip_is_sealed: false,
            history: History::default(),
            network,
            totals: Totals::default(),
            index_positions: IndexPositions::default(),
        };
        state.history.append(&state.tip.hash, |_, _| {});
        state.totals.chain_json_bytes = block_json_bytes(genesis);
        state
    }

    /// Returns the state before the genesis block is inserted like any other.
    pub(crate) fn below_genesis(genesis: &Block, network: Network) -> Self {
        Self {
            history: History::default(),
            totals: Totals::default(),
            ..Self::of_genesis(genesis, network)
        }
    }

    /// Reads the state from one transaction.
    pub(crate) fn load(view: &View) -> Result<Self, StoreError> {
        let tip = view.tip_block()?;
        let genesis = view
            .block(0)?
            .ok_or_else(|| StoreError::corrupt("block 0 is missing"))?;
        let before = view.history(tip.index)?;
        let tip_is_sealed = Seal::of(&tip, || before.root()) == Some(Seal::Sealed);
        Ok(Self {
            genesis: BlockHash::of(&genesis),
            history: view.history(tip.index + 1)?,
            tip: Tip::of(&tip),
            tip_is_sealed,
            network: view.network()?,
            totals: view.totals()?,
            index_positions: IndexPositions::default(),
        })
    }

    /// Returns the number of blocks, including the genesis block.
    pub fn length(&self) -> u64 {
        self.tip.index + 1
    }

    /// Returns the number of sealed blocks.
    pub fn sealed(&self) -> u64 {
        self.totals.sealed
    }

    /// Returns the size of all blocks in the body of `/chain`, in bytes.
    pub(crate) fn chain_json_bytes(&self) -> u64 {
        self.totals.chain_json_bytes
    }

    /// Returns the size of all pending messages in the body of `/data`, in bytes.
    pub(crate) fn mempool_json_bytes(&self) -> u64 {
        self.totals.mempool_json_bytes
    }

    /// Returns the number of pending messages.
    pub fn mempool_count(&self) -> u64 {
        self.totals.mempool_count
    }

    /// Returns the size of the pending texts in bytes.
    pub fn mempool_bytes(&self) -> u64 {
        self.totals.mempool_bytes
    }

    /// Returns the sequence number of the next message to arrive.
    pub fn next_sequence(&self) -> u64 {
        self.totals.next_sequence
    }

    /// Returns the number of reorgs since the database was created.
    pub fn reorgs(&self) -> u64 {
        self.totals.reorgs
    }

    /// Returns the input of fork choice.
    pub fn fork_candidate(&self) -> ForkCandidate {
        ForkCandidate {
            length: self.length(),
            sealed: self.totals.sealed,
            genesis: self.genesis,
            tip: self.tip.hash,
            tip_is_sealed: self.tip_is_sealed,
        }
    }
}

/// Returns the size of a block in the body of `/chain`, in bytes.
pub(crate) fn block_json_bytes(block: &Block) -> u64 {
    let mut text = Vec::with_capacity(640 + block.message.text().len());
    json::write_block(block, &mut text);
    json::escaped_len(&text)
}
