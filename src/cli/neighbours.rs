//! `blockchain neighbours`: adds and removes neighbours of a node on this machine.

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
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Make a node a neighbour, also after a restart
    Add(Which),
    /// Remove a neighbour; it stays out until it is added again
    Remove(Which),
}

#[derive(Debug, Args)]
struct Which {
    /// The neighbour
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

/// What was done.
#[derive(Debug, Serialize)]
struct Change {
    address: String,
    known: bool,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.known {
            "is a neighbour"
        } else {
            "was removed"
        };
        write!(f, "{} {what}", self.address)
    }
}

pub(super) async fn run(args: NeighboursArgs, output: &Output) -> Result<(), Error> {
    let (which, known) = match args.what {
        What::Add(which) => (which, true),
        What::Remove(which) => (which, false),
    };
    let files = Files::of_database(&expand(&which.db))?;
    let client = files.running_node().await?;
    let token = files.read_token()?;
    let address = which.address.to_string();
    if known {
        client.add_neighbour(&address, &token).await?;
    } else {
        client.remove_neighbour(&address, &token).await?;
    }
    output.print(&Change { address, known })
}
