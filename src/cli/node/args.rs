//! The options of `blockchain node`.

mod peers;
mod profile;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::api::cors::Origin;
use crate::chain::block::GENESIS_TEXT;
use crate::cli::log::LogFormat;
use crate::cli::port::listen_host;
use crate::cli::ui::base_path;
use crate::client::address::DEFAULT_PORT;
use crate::node::settings::{self, ProofMode};
use crate::pow::Difficulty;
use crate::snapshot::format::Format;

use crate::cli::units::{Interval, parse_size};
pub(super) use peers::{GenesisArg, PeerOptions};
pub(super) use profile::ProfileOptions;

/// Headings of groups of options. Options of other nodes are in [`peers`].
const MINING: &str = "Mining";
const RULES: &str = "Rules of the chain";
const SNAPSHOTS: &str = "Snapshots";
const LIMITS: &str = "Limits";

#[derive(Debug, Args)]
pub(in crate::cli) struct NodeArgs {
    /// Folder of the database and its files; created if missing
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
pub(in crate::cli) struct JoinArgs {
    /// Invite code, as `blockchain invite` prints it, or the address of a node
    pub(super) code: String,
    /// Folder of the database and its files; created if missing
    #[arg(
        long,
        value_name = "DIR",
        default_value = "~/.blockchain/node",
        env = "BLOCKCHAIN_NODE_DB"
    )]
    pub(super) db: PathBuf,
    /// Trust the node that answers without asking; it decides what the code leaves open, such as the
    /// genesis hash
    #[arg(long, short)]
    pub(super) yes: bool,
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
    /// Run a node with the rules of the reference miner
    Start {
        /// Chain file; imported if there is no database beside it
        chain_path: PathBuf,
        #[command(flatten)]
        options: Box<NodeOptions>,
    },
}

/// The options that `node` and `miner start` share.
#[derive(Debug, Args)]
pub(in crate::cli) struct NodeOptions {
    /// Address to listen on, 0.0.0.0 for all interfaces (default: 127.0.0.1; with `join` on a network
    /// of several machines: 0.0.0.0)
    #[arg(long, value_parser = listen_host, env = "BLOCKCHAIN_NODE_HOST")]
    pub(super) host: Option<String>,
    /// Port to listen on; 0 for any free port
    #[arg(long, default_value_t = DEFAULT_PORT, env = "BLOCKCHAIN_NODE_PORT")]
    pub(super) port: u16,
    /// Also serve the web explorer on the same host, on PORT (default: 8080)
    #[arg(
        long,
        value_name = "PORT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "8080",
        env = "BLOCKCHAIN_NODE_UI"
    )]
    pub(super) ui: Option<u16>,
    /// Additional host name under which browsers may reach the node and the explorer; repeatable. It
    /// guards against forged host names and is not access control
    #[arg(
        long,
        alias = "allow_host",
        value_name = "NAME",
        value_delimiter = ',',
        env = "BLOCKCHAIN_NODE_ALLOW_HOST"
    )]
    pub(super) allow_host: Vec<String>,
    /// Origin of a web application, such as `https://app.example`, whose pages may read and add
    /// messages from any browser, but not administer the node; repeatable
    #[arg(
        long,
        alias = "allow_origin",
        value_name = "URL",
        value_delimiter = ',',
        env = "BLOCKCHAIN_NODE_ALLOW_ORIGIN"
    )]
    pub(super) allow_origin: Vec<Origin>,
    /// Format of the log on standard error and in miner.log
    #[arg(
        long,
        alias = "log_format",
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        env = "BLOCKCHAIN_NODE_LOG_FORMAT"
    )]
    pub(super) log_format: LogFormat,
    /// Path prefix of the explorer's pages behind a reverse proxy, such as /chain
    #[arg(
        long,
        alias = "ui_base_path",
        value_name = "PATH",
        default_value = "",
        value_parser = base_path,
        env = "BLOCKCHAIN_NODE_UI_BASE_PATH"
    )]
    pub(super) ui_base_path: String,
    /// Set an existing chain aside under a dated name and start a new one
    #[arg(long, alias = "force_new_chain")]
    pub(super) force_new_chain: bool,
    /// Number of mining threads; 0 disables mining
    #[arg(
        long,
        help_heading = MINING,
        value_name = "N",
        default_value_t = 1,
        env = "BLOCKCHAIN_NODE_THREADS"
    )]
    pub(super) threads: usize,
    /// Kind of proofs to mine
    #[arg(
        long,
        help_heading = MINING,
        value_enum,
        value_name = "KIND",
        default_value_t,
        env = "BLOCKCHAIN_NODE_PROOF"
    )]
    pub(super) proof: ProofArg,
    /// Number of zeros at the end of every proof's digest, 1 to 64; stored in the database (default
    /// for a new one: 5)
    #[arg(
        long,
        help_heading = RULES,
        value_name = "N",
        env = "BLOCKCHAIN_NODE_DIFFICULTY"
    )]
    pub(super) difficulty: Option<Difficulty>,
    /// Accept open proofs in a new database, to share a network with reference miners
    #[arg(
        long,
        help_heading = RULES,
        alias = "accept_open",
        env = "BLOCKCHAIN_NODE_ACCEPT_OPEN"
    )]
    pub(super) accept_open: bool,
    /// Require sealed proofs from block FROM on (default: the next block)
    #[arg(
        long,
        help_heading = RULES,
        alias = "require_sealed",
        value_name = "FROM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "tip",
        conflicts_with = "accept_open",
        env = "BLOCKCHAIN_NODE_REQUIRE_SEALED"
    )]
    pub(super) require_sealed: Option<SealedFrom>,
    /// Give a new database its own genesis block, with the message TEXT (default: that of the reference miner)
    #[arg(
        long,
        help_heading = RULES,
        conflicts_with = "genesis",
        alias = "new_genesis",
        value_name = "TEXT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = GENESIS_TEXT,
        env = "BLOCKCHAIN_NODE_NEW_GENESIS"
    )]
    pub(super) new_genesis: Option<String>,
    /// Format of snapshots (the file NAME.chain beside the database)
    #[arg(
        long,
        help_heading = SNAPSHOTS,
        alias = "chain_serialization",
        value_enum,
        value_name = "FORMAT",
        default_value_t,
        env = "BLOCKCHAIN_NODE_CHAIN_SERIALIZATION"
    )]
    pub(super) chain_serialization: Serialization,
    /// Interval between snapshots, which are written only if the chain has changed
    #[arg(
        long,
        help_heading = SNAPSHOTS,
        alias = "backup_interval",
        value_name = "DURATION",
        default_value = "30s",
        env = "BLOCKCHAIN_NODE_BACKUP_INTERVAL"
    )]
    pub(super) backup_interval: Interval,
    /// Maximum number of older snapshots kept under dated names
    #[arg(
        long,
        help_heading = SNAPSHOTS,
        alias = "max_backups",
        value_name = "N",
        default_value_t = 10,
        env = "BLOCKCHAIN_NODE_MAX_BACKUPS"
    )]
    pub(super) max_backups: usize,
    /// Condition for writing a snapshot when the node stops
    #[arg(
        long,
        help_heading = SNAPSHOTS,
        alias = "snapshot_at_stop",
        value_enum,
        value_name = "WHEN",
        default_value_t,
        env = "BLOCKCHAIN_NODE_SNAPSHOT_AT_STOP"
    )]
    pub(super) snapshot_at_stop: SnapshotAtStop,
    /// Maximum messages per second per remote address, 0 for no limit (local clients are exempt)
    #[arg(
        long,
        help_heading = LIMITS,
        alias = "add_rate",
        value_name = "N",
        default_value_t = 500,
        env = "BLOCKCHAIN_NODE_ADD_RATE"
    )]
    pub(super) add_rate: u32,
    /// Minimum free disk space; below it, the node accepts no messages and mines no blocks
    #[arg(
        long,
        help_heading = LIMITS,
        alias = "min_free",
        value_name = "SIZE",
        default_value = "64MiB",
        value_parser = parse_size,
        env = "BLOCKCHAIN_NODE_MIN_FREE"
    )]
    pub(super) min_free: u64,
    #[command(flatten)]
    pub(super) profile: ProfileOptions,
    #[command(flatten)]
    pub(super) peers: PeerOptions,
}

impl NodeOptions {
    /// Returns the address to listen on.
    pub(super) fn host(&self) -> &str {
        self.host.as_deref().unwrap_or("127.0.0.1")
    }
}

/// The rules of a new database that the options do not fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// Every block must be sealed, unless the options say otherwise.
    Ours,
    /// The rules of the reference miner alone, as for `--accept-open`.
    Reference,
}

impl Rules {
    pub(super) fn accept_open(self, args: &NodeOptions) -> bool {
        args.accept_open || self == Self::Reference
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum ProofArg {
    /// Proofs that bind the content of their block and its history
    #[default]
    Sealed,
    /// The smallest proof, as a reference miner finds it; requires --accept-open
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

/// First block that must be sealed.
#[derive(Clone, Copy, Debug)]
pub(super) enum SealedFrom {
    /// The block after the tip at the start.
    Tip,
    /// The block with this index.
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

/// Format of snapshots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Serialization {
    /// JSON of the reference miner
    #[default]
    Json,
    /// Pickle of the reference miner
    Pickle,
    /// Compact binary format of this program
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
    /// Always
    Always,
    /// If writing it takes less than a second
    #[default]
    Auto,
    /// Never
    Never,
}

impl From<SnapshotAtStop> for settings::SnapshotAtStop {
    fn from(at_stop: SnapshotAtStop) -> Self {
        match at_stop {
            SnapshotAtStop::Always => Self::Always,
            SnapshotAtStop::Auto => Self::Auto,
            SnapshotAtStop::Never => Self::Never,
        }
    }
}
