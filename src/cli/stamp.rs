//! `blockchain stamp`: proves later that files existed. One message stands for all of them, and each
//! gets a small file beside it that proves it. Names and contents stay on this machine.

mod files;
mod upgrade;
mod verify;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::Serialize;

use self::files::{Stampable, write_stamps};
use super::error::Error;
use super::output::{Output, warn};
use super::target::NodeArgs;
use crate::chain::MessageId;
use crate::client::HttpClient;
use crate::proofs::Receipt;
use crate::proofs::stamp::{Carrier, StampTree};
use crate::text::counted;
use crate::wire::MessageState;

/// Interval between requests for the state of the message.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// Maximum time to wait for a block above the one with the message.
const MAX_SETTLE_TIME: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct StampArgs {
    #[command(subcommand)]
    command: Option<StampCommand>,
    #[command(flatten)]
    files: FilesArgs,
}

#[derive(Debug, Subcommand)]
enum StampCommand {
    /// Verify that a file was stamped, against a checkpoint, a hash or a node that you trust
    Verify(verify::VerifyArgs),
    /// Complete a pending stamp, or take its receipt again under a later block
    Upgrade(upgrade::UpgradeArgs),
}

#[derive(Debug, Args)]
struct FilesArgs {
    /// Files to stamp, at most 2^20; `-` reads their names from the standard input, one per line
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Omit the random salt: anyone who has a file can then find that it was stamped
    #[arg(long)]
    plain: bool,
    /// Write the stamps without waiting until the message is mined; complete them with `stamp
    /// upgrade`
    #[arg(long)]
    no_wait: bool,
    /// Folder for the stamps (default: beside each file)
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    #[command(flatten)]
    node: NodeArgs,
}

/// The result of stamping files.
#[derive(Debug, Serialize)]
struct Stamped {
    id: String,
    files: usize,
    /// Index of the block with the message; null while it is pending.
    block: Option<u64>,
    stamps: Vec<PathBuf>,
}

impl fmt::Display for Stamped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = counted(self.files as u64, "file");
        match self.block {
            Some(block) => write!(f, "{}\nstamped {files} in block {block}", self.id),
            None => write!(f, "{}\nstamped {files}; the message is pending", self.id),
        }
    }
}

pub(super) async fn run(args: StampArgs, output: &Output) -> Result<(), Error> {
    match args.command {
        Some(StampCommand::Verify(args)) => verify::run(args, output).await,
        Some(StampCommand::Upgrade(args)) => upgrade::run(args, output).await,
        None => stamp(args.files, output).await,
    }
}

async fn stamp(args: FilesArgs, output: &Output) -> Result<(), Error> {
    let client = args.node.client()?;
    let files = Stampable::find(&args.files, args.dir.as_deref(), args.plain)?;
    let tree = StampTree::new(&files.iter().map(Stampable::leaf).collect::<Vec<_>>());
    let message = tree.message().to_string();
    let Some(id) = client.add(&message).await? else {
        return Err(Error::failed(
            "the message was added, but a reference miner returns no ID to stamp with",
        )
        .hint("stamp the files at a node of this program"));
    };
    let pending = Carrier::Pending {
        id: id
            .parse::<MessageId>()
            .map_err(|error| Error::failed(error.to_string()))?,
        message,
    };
    // Written first, so that no salt is lost if this process is killed while it waits.
    write_stamps(&files, &tree, &pending, false)?;
    let mut stamped = Stamped {
        id,
        files: files.len(),
        block: None,
        stamps: files.iter().map(|file| file.stamp.clone()).collect(),
    };
    if !args.no_wait {
        let receipt = wait(&client, &stamped.id).await?;
        let carrier = Carrier::Mined(Box::new(receipt));
        stamped.block = carrier.block().map(|block| block.index);
        write_stamps(&files, &tree, &carrier, true)?;
    }
    output.print(&stamped)
}

/// Waits until a message is mined, and for a block above its own. Returns its receipt.
async fn wait(client: &HttpClient, id: &str) -> Result<Receipt, Error> {
    let mut mined_at = None;
    loop {
        let status = client.message(id).await?;
        if status.state == MessageState::Mined {
            let mined_at = *mined_at.get_or_insert_with(Instant::now);
            let is_over = mined_at.elapsed() >= MAX_SETTLE_TIME;
            if status.confirmations > 1 || is_over {
                let receipt = receipt_of(client, &status.id, "tip").await?;
                if receipt.entries.is_empty() {
                    warn(&format!(
                        "no block is above block {} yet, so it can still be disconnected: run \
                         \"blockchain stamp upgrade\" later",
                        receipt.under.index
                    ));
                }
                return Ok(receipt);
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Returns the receipt of a mined message under the block `at`.
async fn receipt_of(client: &HttpClient, id: &str, at: &str) -> Result<Receipt, Error> {
    let file = client.message_receipt(id, at).await?;
    let receipt = Receipt::read(&file).and_then(|receipt| {
        receipt.check()?;
        Ok(receipt)
    });
    receipt.map_err(|error| {
        Error::failed(format!(
            "{} sent an invalid receipt: {error}",
            client.address()
        ))
    })
}
