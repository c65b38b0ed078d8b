//! The options that say how a node deals with others.

use clap::Args;

use super::{Interval, parse_size};
use crate::chain::BlockHash;
use crate::client::NodeAddress;
use crate::node::settings::{MAX_REPLACEABLE_GENESIS_LENGTH, PeerSettings};

/// How to deal with other nodes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Other nodes")]
pub(in crate::cli::node) struct PeerOptions {
    /// Nodes to share the chain with, as HOST:PORT, separated by commas; repeatable
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        value_parser = neighbour,
        env = "BLOCKCHAIN_NODE_NEIGHBOURS"
    )]
    neighbours: Vec<Option<NodeAddress>>,
    /// Most neighbours, those learned from others included; those that are named always count
    #[arg(
        long,
        alias = "max_neighbours",
        value_name = "N",
        default_value_t = 3,
        env = "BLOCKCHAIN_NODE_MAX_NEIGHBOURS"
    )]
    max_neighbours: usize,
    /// Where others can ask this node, if that is not its port at the address it asks from
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_parser = NodeAddress::with_port,
        env = "BLOCKCHAIN_NODE_ADVERTISE"
    )]
    advertise: Option<NodeAddress>,
    /// New database: the hash of a genesis block, fetched from a neighbour. With open proofs: any,
    /// to follow a longer chain with another genesis at any time
    #[arg(long, value_name = "HASH|any", env = "BLOCKCHAIN_NODE_GENESIS")]
    pub(in crate::cli::node) genesis: Option<GenesisArg>,
    /// Most blocks that a switch to another branch may take off; left out: any number
    #[arg(
        long,
        alias = "max_reorg",
        value_name = "N",
        env = "BLOCKCHAIN_NODE_MAX_REORG"
    )]
    max_reorg: Option<u64>,
    /// Pause between two rounds of asking for chains
    #[arg(
        long,
        alias = "chain_interval",
        value_name = "DURATION",
        default_value = "10s",
        env = "BLOCKCHAIN_NODE_CHAIN_INTERVAL"
    )]
    chain_interval: Interval,
    /// Pause between two rounds of asking for waiting messages
    #[arg(
        long,
        alias = "data_interval",
        value_name = "DURATION",
        default_value = "5s",
        env = "BLOCKCHAIN_NODE_DATA_INTERVAL"
    )]
    data_interval: Interval,
    /// Pause between two rounds of asking for neighbours
    #[arg(
        long,
        alias = "gossip_interval",
        value_name = "DURATION",
        default_value = "20s",
        env = "BLOCKCHAIN_NODE_GOSSIP_INTERVAL"
    )]
    gossip_interval: Interval,
    /// Longest chain of a reference miner that is fetched
    #[arg(
        long,
        alias = "max_chain_bytes",
        value_name = "SIZE",
        default_value = "4GiB",
        value_parser = parse_size,
        env = "BLOCKCHAIN_NODE_MAX_CHAIN_BYTES"
    )]
    max_chain_bytes: u64,
}

/// What `--genesis` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::node) enum GenesisArg {
    /// The block with this hash.
    Hash(BlockHash),
    /// That of any longer chain, at any time.
    Any,
}

impl std::str::FromStr for GenesisArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "any" {
            return Ok(Self::Any);
        }
        // Other programs write hashes in upper case, and this is a person's word.
        let hash = text.to_ascii_lowercase().parse().map(Self::Hash);
        hash.map_err(|_| "neither the hash of a block, 64 hex digits, nor any".to_owned())
    }
}

/// Reads a neighbour; an empty text names none, as in `--neighbours ""`.
fn neighbour(text: &str) -> Result<Option<NodeAddress>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let address = text.parse().map(Some);
    address.map_err(|error: crate::client::address::InvalidAddress| error.to_string())
}

impl PeerOptions {
    /// The neighbours that were named.
    pub(in crate::cli::node) fn neighbours(&self) -> Vec<NodeAddress> {
        self.neighbours.iter().flatten().cloned().collect()
    }

    /// What these options come to.
    pub(in crate::cli::node) fn settings(&self) -> PeerSettings {
        PeerSettings {
            configured: self.neighbours(),
            max_neighbours: self.max_neighbours,
            advertise: self.advertise.clone(),
            chain_interval: self.chain_interval.0,
            data_interval: self.data_interval.0,
            gossip_interval: self.gossip_interval.0,
            max_reorg: self.max_reorg.unwrap_or(u64::MAX),
            max_replaceable_genesis_length: match self.genesis {
                Some(GenesisArg::Hash(_)) => 0,
                Some(GenesisArg::Any) => u64::MAX,
                None => MAX_REPLACEABLE_GENESIS_LENGTH,
            },
            max_chain_bytes: self.max_chain_bytes,
        }
    }
}
