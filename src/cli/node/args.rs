//! The options of `blockchain node`.

mod peers;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use crate::chain::block::GENESIS_TEXT;
use crate::cli::log::LogFormat;
use crate::cli::port::listen_host;
use crate::client::address::DEFAULT_PORT;
use crate::node::settings::{AtStop, ProofMode};
use crate::pow::Difficulty;
use crate::snapshot::format::Format;

pub(super) use peers::{GenesisArg, PeerOptions};

#[derive(Debug, Args)]
pub(in crate::cli) struct NodeArgs {
    /// Folder of the database and its files; made if it is missing
    #[arg(
        long,
        value_name = "DIR",
        default_value = "~/.blockchain/node",
        env = "BLOCKCHAIN_NODE_DB"
    )]
    pub(super) db: PathBuf,
    #[command(flatten)]
    pub(super) options: NodeOptions,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct MinerArgs {
    #[command(subcommand)]
    pub(super) what: MinerCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum MinerCommand {
    /// Run a node by the documented rules, on the files named after a chain file
    Start {
        /// The chain file; it is imported if there is no database beside it yet
        chain_path: PathBuf,
        #[command(flatten)]
        options: Box<NodeOptions>,
    },
}

/// What `node` and `miner start` have in common.
#[derive(Debug, Args)]
pub(in crate::cli) struct NodeOptions {
    /// Address to listen on; 0.0.0.0 for all interfaces
    #[arg(
        long,
        default_value = "127.0.0.1",
        value_parser = listen_host,
        env = "BLOCKCHAIN_NODE_HOST"
    )]
    pub(super) host: String,
    /// Port to listen on; 0 for any that is free
    #[arg(long, default_value_t = DEFAULT_PORT, env = "BLOCKCHAIN_NODE_PORT")]
    pub(super) port: u16,
    /// Zeros every proof must have, 1 to 64; kept in the database, 5 for a new one
    #[arg(long, value_name = "N", env = "BLOCKCHAIN_NODE_DIFFICULTY")]
    pub(super) difficulty: Option<Difficulty>,
    /// Threads for mining; 0: do not mine
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        env = "BLOCKCHAIN_NODE_THREADS"
    )]
    pub(super) threads: usize,
    /// Which proofs to mine; open only where open proofs are accepted
    #[arg(long, value_enum, default_value_t, env = "BLOCKCHAIN_NODE_PROOF")]
    pub(super) proof: ProofArg,
    /// New database: accept open proofs, as needed to share a network with reference miners
    #[arg(long, alias = "accept_open", env = "BLOCKCHAIN_NODE_ACCEPT_OPEN")]
    pub(super) accept_open: bool,
    /// Every block from FROM on must be sealed; without FROM, every block after the present tip
    #[arg(
        long,
        alias = "require_sealed",
        value_name = "FROM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "tip",
        conflicts_with = "accept_open",
        env = "BLOCKCHAIN_NODE_REQUIRE_SEALED"
    )]
    pub(super) require_sealed: Option<SealedFrom>,
    /// New database: start a chain of its own, with TEXT in its first block
    #[arg(
        long,
        conflicts_with = "genesis",
        alias = "new_genesis",
        value_name = "TEXT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = GENESIS_TEXT,
        env = "BLOCKCHAIN_NODE_NEW_GENESIS"
    )]
    pub(super) new_genesis: Option<String>,
    /// How the chain is written to NAME.chain
    #[arg(
        long,
        alias = "chain_serialization",
        value_enum,
        default_value_t,
        env = "BLOCKCHAIN_NODE_CHAIN_SERIALIZATION"
    )]
    pub(super) chain_serialization: Serialization,
    /// Pause between two looks whether NAME.chain must be written again
    #[arg(
        long,
        alias = "backup_interval",
        value_name = "DURATION",
        default_value = "30s",
        env = "BLOCKCHAIN_NODE_BACKUP_INTERVAL"
    )]
    pub(super) backup_interval: Interval,
    /// Older NAME.chain files kept, under dated names
    #[arg(
        long,
        alias = "max_backups",
        value_name = "N",
        default_value_t = 10,
        env = "BLOCKCHAIN_NODE_MAX_BACKUPS"
    )]
    pub(super) max_backups: usize,
    /// Write NAME.chain when the node is stopped; auto: if that takes under a second
    #[arg(
        long,
        alias = "snapshot_at_stop",
        value_enum,
        default_value_t,
        env = "BLOCKCHAIN_NODE_SNAPSHOT_AT_STOP"
    )]
    pub(super) snapshot_at_stop: SnapshotAtStop,
    /// How log lines are written, on the standard error and in miner.log
    #[arg(
        long,
        alias = "log_format",
        value_enum,
        default_value_t,
        env = "BLOCKCHAIN_NODE_LOG_FORMAT"
    )]
    pub(super) log_format: LogFormat,
    /// A name by which browsers may ask this node, besides its addresses; repeatable
    #[arg(
        long,
        alias = "allow_host",
        value_name = "NAME",
        value_delimiter = ',',
        env = "BLOCKCHAIN_NODE_ALLOW_HOST"
    )]
    pub(super) allow_host: Vec<String>,
    /// Messages a second taken from one address, of which this machine is none; 0: any number
    #[arg(
        long,
        alias = "add_rate",
        value_name = "N",
        default_value_t = 500,
        env = "BLOCKCHAIN_NODE_ADD_RATE"
    )]
    pub(super) add_rate: u32,
    /// Serve the explorer beside the node, on the same host
    #[arg(
        long,
        value_name = "PORT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "8080",
        env = "BLOCKCHAIN_NODE_UI"
    )]
    pub(super) ui: Option<u16>,
    /// Set the chain there is aside, under a dated name, and start a new one
    #[arg(long, alias = "force_new_chain")]
    pub(super) force_new_chain: bool,
    /// Stop taking messages and mining when less than this is free on the disk
    #[arg(
        long,
        alias = "min_free",
        value_name = "SIZE",
        default_value = "64MiB",
        value_parser = parse_size,
        env = "BLOCKCHAIN_NODE_MIN_FREE"
    )]
    pub(super) min_free: u64,
    #[command(flatten)]
    pub(super) peers: PeerOptions,
}

/// The rules of a new database that the options do not fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// Every block must be sealed, unless the options say otherwise.
    Ours,
    /// The documented rules alone, as for `--accept-open`.
    Documented,
}

impl Rules {
    pub(super) fn accept_open(self, args: &NodeOptions) -> bool {
        args.accept_open || self == Self::Documented
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ProofArg {
    /// Proofs that bind the content of their block
    #[default]
    Sealed,
    /// The documented search: the smallest number that fits
    Open,
}

impl From<ProofArg> for ProofMode {
    fn from(proof: ProofArg) -> Self {
        match proof {
            ProofArg::Sealed => Self::Sealed,
            ProofArg::Open => Self::Open,
        }
    }
}

/// From where on blocks must be sealed.
#[derive(Clone, Copy, Debug)]
pub(super) enum SealedFrom {
    /// After the tip there is at the start.
    Tip,
    /// From this index on.
    Index(u64),
}

impl std::str::FromStr for SealedFrom {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "tip" {
            Ok(Self::Tip)
        } else {
            text.parse().map(Self::Index)
        }
    }
}

/// How the chain is written to files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Serialization {
    /// As the original program writes it
    #[default]
    Json,
    /// As the original program writes it with pickle
    Pickle,
    /// This program's own
    Bincode,
}

impl From<Serialization> for Format {
    fn from(serialization: Serialization) -> Self {
        match serialization {
            Serialization::Json => Self::Chain,
            Serialization::Pickle => Self::Pickle,
            Serialization::Bincode => Self::Bincode,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum SnapshotAtStop {
    Always,
    #[default]
    Auto,
    Never,
}

impl From<SnapshotAtStop> for AtStop {
    fn from(at_stop: SnapshotAtStop) -> Self {
        match at_stop {
            SnapshotAtStop::Always => Self::Always,
            SnapshotAtStop::Auto => Self::Auto,
            SnapshotAtStop::Never => Self::Never,
        }
    }
}

/// A pause, written `500ms`, `2s` or `5m`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval(pub(super) Duration);

impl std::str::FromStr for Interval {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let millis = match unit {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err("a duration is written 500ms, 2s, 5m or 1h"),
        };
        let number: u64 = number
            .parse()
            .map_err(|_| "a duration starts with a number")?;
        match number.checked_mul(millis) {
            Some(millis) if millis > 0 => Ok(Self(Duration::from_millis(millis))),
            _ => Err("a duration is more than nothing and less than for ever"),
        }
    }
}

/// Reads `64MiB`, `1GiB`, `500kB` or a plain number of bytes.
fn parse_size(text: &str) -> Result<u64, String> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim() {
        "" | "B" => 1,
        "kB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => {
            return Err(format!(
                "{unit:?} is no unit; write bytes, kB, MB, GB, KiB, MiB or GiB"
            ));
        }
    };
    let number: u64 = number
        .parse()
        .map_err(|_| "a size starts with a number".to_owned())?;
    number
        .checked_mul(factor)
        .ok_or_else(|| "that is more than any disk has".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("1 GB"), Ok(1_000_000_000));
        assert_eq!(parse_size("0"), Ok(0));
        for wrong in ["", "MiB", "1XB", "99999999999GiB", "-1"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
