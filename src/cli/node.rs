//! `blockchain node` and `blockchain join`: run a node.

mod args;
mod bootstrap;
mod invitation;
mod join;

use std::fs;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;

use futures_util::future::OptionFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use args::{GenesisArg, MinerCommand, NodeOptions, ProofArg, Rules, SealedFrom};
pub(super) use args::{JoinArgs, MinerArgs, NodeArgs};
use join::Joined;
pub(super) use join::run as run_join;

use super::error::Error;
use super::files::{Files, RunningNode, expand};
use super::log;
use super::port::Port;
use super::signals::Signals;
use super::ui;
use crate::api;
use crate::api::admin::AdminToken;
use crate::api::admission::Access;
use crate::chain::{Block, BlockHash};
use crate::client::transport::Transport;
use crate::client::{HttpClient, HttpTransport, NodeAddress, PeerClient};
use crate::clock::SystemClock;
use crate::node::listening::Listening;
use crate::node::peers::ListenScope;
use crate::node::settings::{PeerSettings, Settings, SnapshotSettings};
use crate::node::sync::genesis;
use crate::node::{Executor, Node, network_rules, run};
use crate::store::Network;

pub(super) async fn run(args: NodeArgs, directives: Option<&str>) -> Result<(), Error> {
    let files = Files::in_new_folder(&expand(&args.db))?;
    start(&files, args.options, Rules::Ours, directives, None).await
}

pub(super) async fn run_miner(args: MinerArgs, directives: Option<&str>) -> Result<(), Error> {
    let MinerCommand::Start {
        chain_path,
        options,
    } = args.what;
    let files = Files::of_chain(&expand(&chain_path))?;
    start(&files, *options, Rules::Reference, directives, None).await
}

async fn start(
    files: &Files,
    args: NodeOptions,
    rules: Rules,
    directives: Option<&str>,
    joined: Option<Joined>,
) -> Result<(), Error> {
    // clap checks such pairs in arguments and variables, but not if one is in a configuration file.
    if args.accept_open && args.require_sealed.is_some() {
        return Err(Error::usage(
            "--accept-open and --require-sealed cannot be used together",
        ));
    }
    if args.new_genesis.is_some() && args.peers.genesis.is_some() {
        return Err(Error::usage(
            "--new-genesis and --genesis cannot be used together",
        ));
    }
    if args.port != 0 && args.ui == Some(args.port) {
        let port = args.port;
        return Err(Error::usage(format!(
            "the node and its explorer cannot both listen on port {port}"
        ))
        .hint("choose another port for the explorer with --ui=PORT"));
    }
    let is_new = args.force_new_chain || !files.database.exists();
    if args.proof == ProofArg::Open && !rules.accept_open(&args) && is_new {
        return Err(Error::usage("--proof open requires --accept-open"));
    }
    if args.ui.is_none() && !args.ui_base_path.is_empty() {
        return Err(Error::usage("--ui-base-path requires --ui"));
    }
    crate::http::raise_open_file_limit();
    let ports = Ports::bind(&args).await?;
    let signals = Signals::listen()?;
    fs::create_dir_all(&files.folder).map_err(|source| Error::file(&files.folder, source))?;
    files.check()?;
    if !args.force_new_chain {
        files.check_not_lost()?;
    }
    log::to_file(directives, args.log_format, &files.folder)?;

    let settings = Settings {
        threads: NonZeroUsize::new(args.threads),
        proof: args.proof.into(),
        snapshot: Some(SnapshotSettings {
            chain: files.chain.clone(),
            format: args.chain_serialization.into(),
            interval: args.backup_interval.0,
            max_backups: args.max_backups,
            at_stop: args.snapshot_at_stop.into(),
        }),
        peers: PeerSettings {
            profile: args.profile.change(),
            ..args.peers.settings()
        },
        add_rate: NonZeroU32::new(args.add_rate),
    };
    let transport = HttpTransport::new().map_err(Error::failed)?;
    let transport: Arc<dyn Transport> = Arc::new(transport);
    let (genesis, invited_by) = match joined {
        Some(joined) => (joined.genesis, joined.neighbours),
        None => (genesis_to_join(&args, files, &transport).await?, Vec::new()),
    };
    bootstrap::ensure_database(&args, rules, files, genesis, &signals)?;
    let node = Node::open(
        &files.database,
        args.min_free,
        settings,
        Arc::new(SystemClock),
        Executor::Pool,
    )?;
    let node = Arc::new(node);
    node.peers.keep(&invited_by);
    files.mark_as_used()?;
    files.remove_leftovers();
    let shutdown = CancellationToken::new();
    signals.stop_with(shutdown.clone());
    let token = AdminToken::random();
    let (listener, explorer) = match prepare(&args, files, &node, ports, &token).await {
        Ok(listeners) => listeners,
        Err(error) => {
            // Otherwise the next start would treat this as a crash.
            if let Ok(node) = Arc::try_unwrap(node) {
                node.close()?;
            }
            return Err(error);
        }
    };
    let id = node.id.clone();
    let client = introduce(&args, &listener, &node, transport)?;
    let policy = ui::origin_policy(&args.allow_host);
    let explorer = explorer.map(|explorer| explorer.serve(policy.clone(), shutdown.clone()));
    let access = Access {
        policy,
        origins: args.allow_origin.clone(),
        admin: Some(token.clone()),
    };
    let api = api::server::serve(listener, Arc::clone(&node), access, shutdown.clone());
    let serve = async {
        tokio::join!(api, OptionFuture::from(explorer));
    };
    let outcome = run::run(node, client, serve, shutdown).await;
    files.retract(&id, token.as_str());
    info!("stopped");
    Ok(outcome?)
}

/// Returns the genesis block with the hash of `--genesis`, fetched from a neighbour for a new
/// database.
async fn genesis_to_join(
    args: &NodeOptions,
    files: &Files,
    transport: &Arc<dyn Transport>,
) -> Result<Option<Block>, Error> {
    let Some(GenesisArg::Hash(wanted)) = args.peers.genesis else {
        return Ok(None);
    };
    let is_new = args.force_new_chain || !files.database.exists();
    let default = Block::default_genesis();
    if !is_new {
        return Ok(None);
    }
    if BlockHash::of(&default) == wanted {
        return Ok(Some(default));
    }
    let neighbours = args.peers.neighbours();
    if neighbours.is_empty() {
        return Err(
            Error::usage("--genesis needs a neighbour to fetch the block from")
                .hint("name one with --neighbours HOST:PORT"),
        );
    }
    // This node does not listen yet, so it advertises no address.
    let client = PeerClient::new(Arc::clone(transport), String::new());
    Ok(Some(genesis::fetch(&client, &neighbours, wanted).await))
}

/// Returns a client that advertises the address of this node to others.
fn introduce(
    args: &NodeOptions,
    listener: &TcpListener,
    node: &Node,
    transport: Arc<dyn Transport>,
) -> Result<PeerClient, Error> {
    let address = listener
        .local_addr()
        .map_err(|source| Error::io("listener", source))?;
    let advertised = node.settings.peers.advertise.clone();
    let sent = match &advertised {
        Some(address) => address.to_string(),
        None => format!(":{}", address.port()),
    };
    let own = advertised.or_else(|| NodeAddress::new(args.host(), address.port()).ok());
    node.peers.set_listen_scope(ListenScope {
        is_loopback: address.ip().is_loopback(),
        own,
    });
    Ok(PeerClient::new(transport, sent))
}

/// The ports of a node and of the explorer beside it.
struct Ports {
    node: Port,
    explorer: Option<Port>,
}

impl Ports {
    async fn bind(args: &NodeOptions) -> Result<Self, Error> {
        Ok(Self {
            node: Port::bind(args.host(), args.port, "--port").await?,
            explorer: match args.ui {
                Some(port) => Some(Port::bind(args.host(), port, "--ui").await?),
                None => None,
            },
        })
    }
}

/// Prepares everything between opening the database and the first request.
async fn prepare(
    args: &NodeOptions,
    files: &Files,
    node: &Arc<Node>,
    ports: Ports,
    token: &AdminToken,
) -> Result<(TcpListener, Option<ui::Explorer>), Error> {
    settle_network(args, node).await?;
    let listener = ports.node.listen()?;
    let address = listener
        .local_addr()
        .map_err(|source| Error::io("listener", source))?;
    let mut listening = Listening {
        address,
        advertised: node.settings.peers.advertise.clone(),
        explorer: None,
    };
    let explorer = match ports.explorer {
        Some(port) => {
            let node = NodeAddress::new(&address.ip().to_string(), address.port());
            let client = HttpClient::new(node.map_err(Error::usage)?)?;
            let base_path = args.ui_base_path.clone();
            let explorer = ui::Explorer::listen(
                args.host(),
                port,
                client,
                base_path,
                Some(token.as_str().to_owned()),
            )?;
            listening.explorer = Some(explorer.port()?);
            Some(explorer)
        }
        None => None,
    };
    node.set_listening(listening);
    let running = RunningNode {
        address: address.to_string(),
        node_id: node.id.clone(),
    };
    files.publish(&running, token.as_str())?;
    announce(args, node, address);
    Ok((listener, explorer))
}

/// Applies the options about the network to the database, or rejects them.
async fn settle_network(args: &NodeOptions, node: &Arc<Node>) -> Result<(), Error> {
    let kept = node.state().network;
    if let Some(GenesisArg::Hash(wanted)) = args.peers.genesis
        && wanted != node.state().genesis
    {
        return Err(Error::rejected(format!(
            "the genesis block of this database is {}, not {wanted} as --genesis requires",
            node.state().genesis
        ))
        .hint("join that network with a new folder (--db)"));
    }
    if args.peers.genesis == Some(GenesisArg::Any) && kept.sealed_from.is_some() {
        return Err(Error::usage(
            "--genesis any requires a database that accepts open proofs (--accept-open)",
        ));
    }
    if args.accept_open && kept.sealed_from.is_some() {
        return Err(Error::rejected(
            "this database requires sealed blocks, so --accept-open is rejected",
        )
        .hint("use --accept-open with a new folder (--db)"));
    }
    if args.proof == ProofArg::Open && kept.sealed_from.is_some() {
        return Err(Error::rejected(
            "this database requires sealed blocks, so --proof open is rejected",
        ));
    }
    if args.profile.change().allow_add.is_some() && !node.profile.is_closed() {
        return Err(Error::usage("--allow-add requires --closed"));
    }
    let wanted = Network {
        difficulty: args.difficulty.unwrap_or(kept.difficulty),
        sealed_from: match args.require_sealed {
            None => kept.sealed_from,
            Some(SealedFrom::Tip) => Some(kept.sealed_from.unwrap_or(node.state().length())),
            Some(SealedFrom::Index(from)) => Some(from),
        },
    };
    network_rules::change(node, wanted)
        .await
        .map_err(|error| match error {
            network_rules::ChangeError::Store(error) => error.into(),
            error => Error::rejected(error),
        })?;
    Ok(node.keep_profile().await?)
}

fn announce(args: &NodeOptions, node: &Node, address: SocketAddr) {
    let state = node.state();
    info!(
        %address,
        blocks = state.length(),
        difficulty = %state.network.difficulty,
        genesis = %state.genesis,
        "listening"
    );
    for warning in node.warnings() {
        warn!(reason = %warning, "configuration warning");
    }
    if !node.stopped_cleanly() {
        warn!("the previous run did not stop cleanly; older blocks are checked in the background");
    }
    let message = if node.profile.is_closed() {
        "listening on a non-loopback address; anyone who can connect can read the chain; the node is \
         closed to additions except from the addresses of --allow-add"
    } else {
        "listening on a non-loopback address; anyone who can connect can read the chain and add \
         messages"
    };
    ui::warn_if_public(args.host(), address, message);
    invitation::announce(node, args.log_format);
}
