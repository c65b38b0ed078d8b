//! `blockchain node`: runs a node.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::error::Error;
use super::log;
use super::source::{Files, RunningNode};
use crate::api;
use crate::chain::block::GENESIS_TEXT;
use crate::chain::{Block, BlockHash, MessageId};
use crate::clock::{Clock, SystemClock};
use crate::node::settings::{ProofMode, Settings};
use crate::node::{Node, network, run};
use crate::pow::Difficulty;
use crate::store::{Network, Store, StoreError};

#[derive(Debug, Args)]
pub(super) struct NodeArgs {
    /// Folder of the database and its files; made if it is missing
    #[arg(
        long,
        value_name = "DIR",
        default_value = "~/.blockchain/node",
        env = "BLOCKCHAIN_NODE_DB"
    )]
    db: PathBuf,
    /// Address to listen on; 0.0.0.0 for all interfaces
    #[arg(long, default_value = "127.0.0.1", env = "BLOCKCHAIN_NODE_HOST")]
    host: String,
    /// Port to listen on; 0 for any that is free
    #[arg(long, default_value_t = crate::client::address::DEFAULT_PORT, env = "BLOCKCHAIN_NODE_PORT")]
    port: u16,
    /// Zeros every proof must have, 1 to 64; kept in the database, 5 for a new one
    #[arg(long, value_name = "N", env = "BLOCKCHAIN_NODE_DIFFICULTY")]
    difficulty: Option<Difficulty>,
    /// Threads for mining; 0: do not mine
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        env = "BLOCKCHAIN_NODE_THREADS"
    )]
    threads: usize,
    /// Which proofs to mine; open only where open proofs are accepted
    #[arg(long, value_enum, default_value_t, env = "BLOCKCHAIN_NODE_PROOF")]
    proof: ProofArg,
    /// New database: accept open proofs, as needed to share a network with reference miners
    #[arg(long, alias = "accept_open", env = "BLOCKCHAIN_NODE_ACCEPT_OPEN")]
    accept_open: bool,
    /// Every block from FROM on must be sealed; without FROM, every block after the present tip
    #[arg(long, alias = "require_sealed", value_name = "FROM", num_args = 0..=1, require_equals = true, conflicts_with = "accept_open", env = "BLOCKCHAIN_NODE_REQUIRE_SEALED")]
    require_sealed: Option<Option<u64>>,
    /// New database: start a chain of its own, with TEXT in its first block
    #[arg(long, alias = "new_genesis", value_name = "TEXT", num_args = 0..=1, require_equals = true, default_missing_value = GENESIS_TEXT, env = "BLOCKCHAIN_NODE_NEW_GENESIS")]
    new_genesis: Option<String>,
    /// Stop taking messages and mining when less than this is free on the disk
    #[arg(long, alias = "min_free", value_name = "SIZE", default_value = "64MiB", value_parser = parse_size, env = "BLOCKCHAIN_NODE_MIN_FREE")]
    min_free: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ProofArg {
    /// Proofs that bind the content of their block
    #[default]
    Sealed,
    /// The documented search: the smallest number that fits
    Open,
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

/// Expands `~`, for where no shell has done so.
pub(super) fn expand(path: &Path) -> PathBuf {
    path.to_str().map_or_else(
        || path.to_owned(),
        |text| shellexpand::tilde(text).as_ref().into(),
    )
}

pub(super) async fn run(args: NodeArgs, directives: Option<&str>) -> Result<(), Error> {
    let files = Files::in_folder(&expand(&args.db));
    if args.proof == ProofArg::Open && !args.accept_open && !files.database.exists() {
        return Err(Error::usage("--proof open needs --accept-open"));
    }
    fs::create_dir_all(&files.folder).map_err(|source| Error::file(&files.folder, source))?;
    let _log = log::to_file(directives, &files.folder)?;

    let settings = Settings {
        threads: NonZeroUsize::new(args.threads),
        proof: match args.proof {
            ProofArg::Sealed => ProofMode::Sealed,
            ProofArg::Open => ProofMode::Open,
        },
    };
    create_if_missing(&args, &files)?;
    let node = Node::open(
        &files.database,
        args.min_free,
        settings,
        Arc::new(SystemClock),
    )?;
    let node = Arc::new(node);
    let shutdown = CancellationToken::new();
    let listener = match prepare(&args, &files, &node, &shutdown).await {
        Ok(listener) => listener,
        Err(error) => {
            // The next start must not take this for a crash.
            if let Ok(node) = Arc::try_unwrap(node) {
                node.close()?;
            }
            return Err(error);
        }
    };
    let serve = api::server::serve(listener, Arc::clone(&node), shutdown.clone());
    let outcome = run::run(node, serve, shutdown).await;
    // A stale file would lead to whoever has the address next.
    let _ = fs::remove_file(&files.address);
    info!("stopped");
    Ok(outcome?)
}

/// Everything between the open database and the first request.
async fn prepare(
    args: &NodeArgs,
    files: &Files,
    node: &Arc<Node>,
    shutdown: &CancellationToken,
) -> Result<TcpListener, Error> {
    settle_network(args, node).await?;
    let listener = TcpListener::bind((args.host.as_str(), args.port))
        .await
        .map_err(|source| Error::io(format!("the address {}:{}", args.host, args.port), source))?;
    let address = listener
        .local_addr()
        .map_err(|source| Error::io("the listener", source))?;
    stop_on_signals(shutdown.clone())?;
    write_address(files, address, node)?;
    announce(args, node, address);
    Ok(listener)
}

/// Makes the database of a new node. Options that fix its network are refused on an old one.
fn create_if_missing(args: &NodeArgs, files: &Files) -> Result<(), Error> {
    if files.database.exists() {
        if args.new_genesis.is_some() {
            return Err(Error::Refused(format!(
                "{} has a chain already; --new-genesis needs a new folder",
                files.folder.display()
            )));
        }
        return Ok(());
    }
    let genesis = match &args.new_genesis {
        None => Block::documented_genesis(),
        Some(text) => Block::genesis(SystemClock.seconds(), MessageId::random(), text.clone())
            .map_err(Error::usage)?,
    };
    let network = Network {
        difficulty: args.difficulty.unwrap_or_default(),
        sealed_from: (!args.accept_open).then_some(1),
    };
    match Store::create(&files.database, &genesis, network) {
        // Another process may have made it meanwhile; opening will tell.
        Ok(()) | Err(StoreError::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    info!(path = %files.database.display(), genesis = %BlockHash::of(&genesis), "new database");
    Ok(())
}

/// Brings what the options say and what the database holds together.
async fn settle_network(args: &NodeArgs, node: &Arc<Node>) -> Result<(), Error> {
    let kept = node.state().network;
    if args.accept_open && kept.sealed_from.is_some() {
        return Err(Error::Refused(
            "this database requires sealed blocks, which was fixed when it was made; \
             --accept-open needs a new folder"
                .to_owned(),
        ));
    }
    if args.proof == ProofArg::Open && kept.sealed_from.is_some() {
        return Err(Error::Refused(
            "this database requires sealed blocks; --proof open cannot be mined on it".to_owned(),
        ));
    }
    let wanted = Network {
        difficulty: args.difficulty.unwrap_or(kept.difficulty),
        sealed_from: match args.require_sealed {
            None => kept.sealed_from,
            Some(None) => Some(kept.sealed_from.unwrap_or(node.state().length())),
            Some(Some(from)) => Some(from),
        },
    };
    network::change(node, wanted)
        .await
        .map_err(|error| match error {
            network::ChangeError::Store(error) => error.into(),
            error => Error::Refused(error.to_string()),
        })
}

fn announce(args: &NodeArgs, node: &Node, address: SocketAddr) {
    let state = node.state();
    info!(
        %address,
        blocks = state.length(),
        difficulty = %state.network.difficulty,
        genesis = %state.genesis,
        "listening"
    );
    for warning in node.warnings() {
        warn!("{warning}");
    }
    if !node.stopped_cleanly() {
        warn!("the last run did not end cleanly; the newest blocks are checked, the rest will be");
    }
    if !address.ip().is_loopback() {
        warn!(
            "{} is open to others: whoever reaches port {} can read the chain and add messages",
            args.host,
            address.port()
        );
    }
}

/// Tells other commands where the node on this folder is.
fn write_address(files: &Files, address: SocketAddr, node: &Node) -> Result<(), Error> {
    let running = RunningNode {
        address: address.to_string(),
        node_id: node.id.clone(),
    };
    let failed = |source| Error::file(&files.address, source);
    let mut file = tempfile::NamedTempFile::new_in(&files.folder).map_err(failed)?;
    let json = serde_json::to_vec(&running).map_err(|error| failed(error.into()))?;
    file.write_all(&json).map_err(failed)?;
    file.persist(&files.address)
        .map_err(|error| failed(error.error))?;
    Ok(())
}

fn stop_on_signals(shutdown: CancellationToken) -> Result<(), Error> {
    let failed = |source| Error::io("the signal handler", source);
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        info!("stopping");
        shutdown.cancel();
    });
    Ok(())
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
