//! The options of `blockchain node` about other nodes.

use clap::Args;

use crate::chain::BlockHash;
use crate::cli::units::{Interval, parse_size};
use crate::client::NodeAddress;
use crate::node::settings::{MAX_REPLACEABLE_GENESIS_LENGTH, PeerSettings};

/// Options about other nodes.
#[derive(Debug, Args)]
#[command(next_help_heading = "Other nodes")]
pub(in crate::cli::node) struct PeerOptions {
    /// Addresses of other nodes of the network, separated by commas; repeatable
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        value_parser = neighbour,
        env = "BLOCKCHAIN_NODE_NEIGHBOURS"
    )]
    neighbours: Vec<Option<NodeAddress>>,
    /// Maximum number of neighbours, including learned ones; those of --neighbours are always kept
    #[arg(
        long,
        alias = "max_neighbours",
        value_name = "N",
        default_value_t = 3,
        env = "BLOCKCHAIN_NODE_MAX_NEIGHBOURS"
    )]
    max_neighbours: usize,
    /// Address at which other nodes reach this one (default: its source address and port)
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_parser = NodeAddress::with_port,
        env = "BLOCKCHAIN_NODE_ADVERTISE"
    )]
    advertise: Option<NodeAddress>,
    /// Hash of the genesis block of a new database, fetched from a neighbour; `any` follows the
    /// longest chain even if it has another genesis block (requires --accept-open)
    #[arg(long, value_name = "HASH|any", env = "BLOCKCHAIN_NODE_GENESIS")]
    pub(in crate::cli::node) genesis: Option<GenesisArg>,
    /// Longest reorg allowed, in blocks (default: unlimited)
    #[arg(
        long,
        alias = "max_reorg",
        value_name = "N",
        env = "BLOCKCHAIN_NODE_MAX_REORG"
    )]
    max_reorg: Option<u64>,
    /// Interval at which each neighbour is asked for its chain
    #[arg(
        long,
        alias = "chain_interval",
        value_name = "DURATION",
        default_value = "10s",
        env = "BLOCKCHAIN_NODE_CHAIN_INTERVAL"
    )]
    chain_interval: Interval,
    /// Interval at which each neighbour is asked for its pending messages
    #[arg(
        long,
        alias = "data_interval",
        value_name = "DURATION",
        default_value = "5s",
        env = "BLOCKCHAIN_NODE_DATA_INTERVAL"
    )]
    data_interval: Interval,
    /// Interval at which each neighbour is asked for its neighbours
    #[arg(
        long,
        alias = "gossip_interval",
        value_name = "DURATION",
        default_value = "20s",
        env = "BLOCKCHAIN_NODE_GOSSIP_INTERVAL"
    )]
    gossip_interval: Interval,
    /// Maximum size of a chain fetched from a reference miner
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

/// The value of `--genesis`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cli::node) enum GenesisArg {
    /// The block with this hash.
    Hash(BlockHash),
    /// The genesis block of any longer chain, at any time.
    Any,
}

impl std::str::FromStr for GenesisArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "any" {
            return Ok(Self::Any);
        }
        // Users may paste hashes in upper case from other programs.
        let hash = text.to_ascii_lowercase().parse().map(Self::Hash);
        hash.map_err(|_| "expected `any` or the hash of a block, 64 hex digits".to_owned())
    }
}

/// Parses a neighbour; an empty text, as in `--neighbours ""`, is none.
fn neighbour(text: &str) -> Result<Option<NodeAddress>, String> {
    if text.trim().is_empty() {
        return Ok(None);
    }
    let address = text.parse().map(Some);
    address.map_err(|error: crate::client::address::InvalidAddress| error.to_string())
}

impl PeerOptions {
    /// Returns the neighbours that were given.
    pub(in crate::cli::node) fn neighbours(&self) -> Vec<NodeAddress> {
        self.neighbours.iter().flatten().cloned().collect()
    }

    /// Adds neighbours to those that were given.
    pub(in crate::cli::node) fn add_neighbours(&mut self, addresses: &[NodeAddress]) {
        self.neighbours.extend(addresses.iter().cloned().map(Some));
    }

    /// Returns the settings of the node for these options.
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
            ..PeerSettings::default()
        }
    }
}
