//! `blockchain neighbours`: adds or removes neighbours of a local node, running or stopped.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::Error;
use super::files::{Files, MIN_FREE, expand};
use super::output::Output;
use crate::client::NodeAddress;
use crate::node::neighbours::{Change, change_kept};
use crate::store::{Operation, StoppedStore, Store, StoreError};

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
    /// Folder of the node, which may be running or stopped
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
struct Outcome {
    address: String,
    known: bool,
    #[serde(skip)]
    is_closed: bool,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = &self.address;
        if self.known {
            return write!(f, "{address} is a neighbour");
        }
        writeln!(f, "{address} was removed")?;
        if !self.is_closed {
            writeln!(
                f,
                "It can announce itself again from a new address, because this node is open; to \
                 follow named neighbours only, start the node with --closed."
            )?;
        }
        write!(
            f,
            "To connect the two again, add the neighbour on each side that removed it."
        )
    }
}

pub(super) async fn run(args: NeighboursArgs, output: &Output) -> Result<(), Error> {
    let (args, change) = match args.command {
        NeighboursCommand::Add(args) => (args, Change::Add),
        NeighboursCommand::Remove(args) => (args, Change::Remove),
    };
    let files = Files::of_database(&expand(&args.db))?;
    let address = args.address.to_string();
    let is_closed = match StoppedStore::open(&files.database) {
        Ok(stopped) => {
            let is_closed = stopped.view()?.profile()?.closed;
            drop(stopped);
            change_stopped(&files, change, &args.address).await?;
            is_closed
        }
        Err(StoreError::Busy { path }) => {
            let client = files.client_of_running(&path).await?;
            let token = files.read_token()?;
            match change {
                Change::Add => client.add_neighbour(&address, &token).await?,
                Change::Remove => client.remove_neighbour(&address, &token).await?,
            }
            client.status().await?.closed
        }
        Err(error) => return Err(error.into()),
    };
    output.print(&Outcome {
        address,
        known: change == Change::Add,
        is_closed,
    })
}

/// Changes the neighbours in the database of a stopped node.
async fn change_stopped(files: &Files, change: Change, address: &NodeAddress) -> Result<(), Error> {
    let store = Store::open(&files.database, MIN_FREE, Box::new(|_| {}))?;
    let kept = store.view()?.neighbours()?;
    let changed = change_kept(&kept, change, address).await;
    if let Some(records) = changed {
        store.write(|reply| Operation::SetNeighbours(records, reply))?;
        return Ok(store.close()?);
    }
    store.close()?;
    Err(Error::rejected(format!("{address} is removed already")))
}
