//! `blockchain acknowledge`: ends the warning about reorgs in the explorer of a local node.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::error::Error;
use super::files::{Files, expand};
use super::output::Output;
use crate::text::counted;

#[derive(Debug, Args)]
pub(super) struct AcknowledgeArgs {
    /// Number of the last reorg that you have looked at (default: the last one)
    #[arg(value_name = "NUMBER")]
    number: Option<u64>,
    /// Folder of the running node
    #[arg(
        long,
        value_name = "DIR",
        default_value = "~/.blockchain/node",
        env = "BLOCKCHAIN_NODE_DB"
    )]
    db: PathBuf,
}

/// Result of the command.
#[derive(Debug, Serialize)]
struct Acknowledged {
    acknowledged_reorg: u64,
}

impl fmt::Display for Acknowledged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.acknowledged_reorg;
        write!(f, "{} acknowledged", counted(count, "reorg"))
    }
}

pub(super) async fn run(args: AcknowledgeArgs, output: &Output) -> Result<(), Error> {
    let files = Files::of_database(&expand(&args.db))?;
    let client = files.running_node().await?;
    let number = match args.number {
        Some(number) => number,
        None => client.status().await?.reorgs,
    };
    client
        .acknowledge_reorgs(number, &files.read_token()?)
        .await?;
    output.print(&Acknowledged {
        acknowledged_reorg: number,
    })
}
