//! `blockchain invite`: prints the code with which others join a network.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;

use super::error::Error;
use super::files::{Files, expand};
use super::output::{Output, warn};
use super::source::ChainSource;
use super::target::TargetArgs;
use crate::chain::BlockHash;
use crate::client::HttpClient;
use crate::client::address::NodeAddress;
use crate::client::invite::{
    GenesisPrefix, InviteCode, MIN_GENESIS_DIGITS, SAFE_GENESIS_DIGITS, is_for_codes,
};
use crate::pow::Difficulty;
use crate::store::Network;
use crate::ui::qr::invite_code;

const AFTER_HELP: &str = "\
Other machines reach the node only if it listens on the network: start it with --host 0.0.0.0. On
another machine: blockchain join CODE";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct InviteArgs {
    /// Folder of a node, running or stopped; without it the node at --host and --port is asked
    #[arg(long, value_name = "DIR")]
    db: Option<PathBuf>,
    #[command(flatten)]
    node: TargetArgs,
    /// Address to put into the code (default: those of the node's network interfaces); repeatable
    #[arg(long, value_name = "HOST:PORT")]
    address: Vec<NodeAddress>,
    /// Print only 8 digits of the genesis hash, for a code that is typed by hand
    #[arg(long)]
    short: bool,
    /// Draw the code as a QR code
    #[arg(long)]
    qr: bool,
}

/// A network and the addresses of its node.
struct Invitation {
    genesis: BlockHash,
    network: Network,
    addresses: Vec<NodeAddress>,
}

pub(super) async fn run(args: InviteArgs, output: &Output) -> Result<(), Error> {
    let found = match &args.db {
        None => of_node(&args.node.client()?).await?,
        Some(folder) => of_folder(&Files::of_database(&expand(folder))?).await?,
    };
    let addresses = if args.address.is_empty() {
        found.addresses
    } else {
        args.address
    };
    if addresses.is_empty() {
        return Err(Error::rejected(
            "other machines do not reach this node: it listens on loopback only, or is stopped",
        )
        .hint("start it with --host 0.0.0.0, or name the address that others use with --address"));
    }
    let digits = if args.short {
        MIN_GENESIS_DIGITS
    } else {
        SAFE_GENESIS_DIGITS
    };
    let Network {
        difficulty,
        sealed_from,
    } = found.network;
    let code = InviteCode::new(addresses, &found.genesis, digits, difficulty, sealed_from)
        .map_err(|error| Error::usage(error).hint("name other addresses with --address"))?;
    if let Some(weakness) = code.genesis().and_then(GenesisPrefix::weakness) {
        warn(&weakness);
    }
    output.print(&CodeView {
        addresses: code.addresses().iter().map(ToString::to_string).collect(),
        genesis: found.genesis.to_string(),
        difficulty: difficulty.get(),
        sealed_from,
        is_drawn: args.qr,
        code: code.to_string(),
    })
}

async fn of_node(client: &HttpClient) -> Result<Invitation, Error> {
    let status = client.status().await?;
    let address = client.address();
    let invalid = || Error::failed(format!("{address} describes its network in an invalid way"));
    let mut addresses: Vec<NodeAddress> = status
        .addresses
        .iter()
        .filter_map(|address| address.parse().ok())
        .collect();
    addresses.retain(is_for_codes);
    Ok(Invitation {
        genesis: status.genesis.parse().map_err(|_| invalid())?,
        network: Network {
            difficulty: Difficulty::new(status.difficulty).map_err(|_| invalid())?,
            sealed_from: status.sealed_from,
        },
        addresses,
    })
}

async fn of_folder(files: &Files) -> Result<Invitation, Error> {
    match ChainSource::in_folder(files).await? {
        ChainSource::Running(client) => of_node(&client).await,
        ChainSource::Reference(_) => Err(Error::failed("a reference miner has no invite code")),
        ChainSource::Stopped { view, .. } => {
            let genesis = view.block(0)?;
            let genesis = genesis.ok_or_else(|| Error::failed("there is no genesis block"))?;
            Ok(Invitation {
                genesis: BlockHash::of(&genesis),
                network: view.network()?,
                addresses: Vec::new(),
            })
        }
    }
}

/// The code, drawn on request.
#[derive(Serialize)]
struct CodeView {
    code: String,
    addresses: Vec<String>,
    genesis: String,
    difficulty: u8,
    sealed_from: Option<u64>,
    #[serde(skip)]
    is_drawn: bool,
}

impl fmt::Display for CodeView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_drawn
            && let Some(drawn) = invite_code(&self.code)
        {
            let drawing = drawn.render::<Dense1x2>().quiet_zone(true).build();
            writeln!(f, "{drawing}")?;
        }
        f.write_str(&self.code)
    }
}
