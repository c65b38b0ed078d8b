//! `blockchain neighbours`: adds or removes neighbours of a local node.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::Error;
use super::files::{Files, expand};
use super::output::Output;
use crate::client::NodeAddress;

#[derive(Debug, Args)]
pub(super) struct NeighboursArgs {
    #[command(subcommand)]
    command: NeighboursCommand,
}

#[derive(Debug, Subcommand)]
enum NeighboursCommand {
    /// Add a neighbour and keep it across restarts
    Add(ChangeArgs),
    /// Remove a neighbour and keep it out until it is added again
    Remove(ChangeArgs),
}

#[derive(Debug, Args)]
struct ChangeArgs {
    /// Address of the neighbour
    #[arg(value_name = "HOST:PORT")]
    address: NodeAddress,
    /// Folder of the running node whose neighbours change
    #[arg(
        long,
        value_name = "DIR",
        default_value = "~/.blockchain/node",
        env = "BLOCKCHAIN_NODE_DB"
    )]
    db: PathBuf,
}

/// A change that was made.
#[derive(Debug, Serialize)]
struct Change {
    address: String,
    known: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = if self.known {
            "is a neighbour"
        } else {
            "was removed"
        };
        write!(f, "{} {outcome}", self.address)
    }
}

pub(super) async fn run(args: NeighboursArgs, output: &Output) -> Result<(), Error> {
    let (change, known) = match args.command {
        NeighboursCommand::Add(change) => (change, true),
        NeighboursCommand::Remove(change) => (change, false),
    };
    let files = Files::of_database(&expand(&change.db))?;
    let client = files.running_node().await?;
    let token = files.read_token()?;
    let address = change.address.to_string();
    if known {
        client.add_neighbour(&address, &token).await?;
    } else {
        client.remove_neighbour(&address, &token).await?;
    }
    output.print(&Change { address, known })
}
