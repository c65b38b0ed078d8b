//! What is known of the chain and the mempool without asking the disk.

use super::error::StoreError;
use super::network::Network;
use super::tables::Totals;
use super::view::View;
use crate::chain::fork_choice::ForkCandidate;
use crate::chain::{Block, BlockHash, History, Seal, Tip};
use crate::reference::json;

/// One committed state. Cheap to clone; a new one is published after each commit.
#[derive(Clone, Debug)]
pub struct State {
    /// Hash of the genesis block.
    pub genesis: BlockHash,
    /// The last block.
    pub tip: Tip,
    /// Whether the proof of the last block is sealed.
    pub tip_is_sealed: bool,
    /// The tree over all blocks.
    pub history: History,
    /// Difficulty and seal rule.
    pub network: Network,
    pub(crate) totals: Totals,
}

impl State {
    /// The state of a chain that is only a genesis block.
    pub(crate) fn of_genesis(genesis: &Block, network: Network) -> Self {
        let mut state = Self {
            genesis: BlockHash::of(genesis),
            tip: Tip::of(genesis),
            tip_is_sealed: false,
            history: History::default(),
            network,
            totals: Totals::default(),
        };
        state.history.append(&state.tip.hash, |_, _| {});
        state.totals.chain_json_bytes = block_json_bytes(genesis);
        state
    }

    /// Reads the state from one transaction.
    pub(crate) fn load(view: &View) -> Result<Self, StoreError> {
        let tip = view.last_block()?;
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
        })
    }

    /// Number of blocks, the genesis block included.
    pub fn length(&self) -> u64 {
        self.tip.index + 1
    }

    /// Number of sealed blocks.
    pub fn sealed(&self) -> u64 {
        self.totals.sealed
    }

    /// Bytes of all blocks in the body of the documented `/chain`.
    pub(crate) fn chain_json_bytes(&self) -> u64 {
        self.totals.chain_json_bytes
    }

    /// Bytes of all pending messages in the body of the documented `/data`.
    pub(crate) fn mempool_json_bytes(&self) -> u64 {
        self.totals.mempool_json_bytes
    }

    /// Number of pending messages.
    pub fn mempool_count(&self) -> u64 {
        self.totals.mempool_count
    }

    /// Bytes of the pending texts.
    pub fn mempool_bytes(&self) -> u64 {
        self.totals.mempool_bytes
    }

    /// Sequence number of the next message to arrive.
    pub fn next_sequence(&self) -> u64 {
        self.totals.next_sequence
    }

    /// Number of reorgs since the database was made.
    pub fn reorgs(&self) -> u64 {
        self.totals.reorgs
    }

    /// What fork choice looks at.
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

/// Bytes of a block in the body of the documented `/chain`.
pub(crate) fn block_json_bytes(block: &Block) -> u64 {
    let mut text = Vec::with_capacity(640 + block.message.text().len());
    json::write_block(block, &mut text);
    json::escaped_len(&text)
}
