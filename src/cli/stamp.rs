//! `blockchain stamp`: proves later that files existed. One message stands for all of them, and each
//! gets a small file beside it that proves it. Names and contents stay on this machine.
//!
//! All stamps are on the disk before the message is sent, as pending ones: the id of the message
//! follows from its text. `stamp upgrade` completes what an interruption left, and adds the message if
//! the node does not have it. Adding it twice is harmless for the same reason.

mod files;
mod message;
mod upgrade;
mod verify;
mod write;

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use self::files::Stampable;
use self::message::{add, is_unknown_outcome, receipt_of, wait};
use super::error::Error;
use super::output::{Output, warn};
use super::target::TargetArgs;
use crate::chain::Message;
use crate::proofs::stamp::{Carrier, StampTree};
use crate::text::counted;

/// Remedy after an interruption.
const COMPLETE: &str = "complete the stamps with \"blockchain stamp upgrade\"";

const AFTER_HELP: &str = "\
Each file gets a stamp beside it, FILE.stamp.json. Keep it with the file, and a checkpoint of the same
block or a later one elsewhere:

  blockchain stamp contract.pdf
  blockchain checkpoint --output kept.txt
  blockchain stamp verify contract.pdf --trust kept.txt

A checkpoint of a later block needs the proof that joins both: \"blockchain consistency get\" writes it,
and --via names it.";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub(super) struct StampArgs {
    #[command(subcommand)]
    command: Option<StampCommand>,
    #[command(flatten)]
    files: FilesArgs,
}

#[derive(Debug, Subcommand)]
enum StampCommand {
    /// Verify that a file was stamped, against a checkpoint, a hash or a node that you trust
    Verify(verify::StampVerifyArgs),
    /// Complete a pending stamp, or get its receipt again under a later block
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
    node: TargetArgs,
}

/// The result of stamping files.
#[derive(Debug, Serialize)]
struct Stamped {
    id: String,
    files: usize,
    /// Index of the block with the message; null while it is pending.
    block: Option<u64>,
    /// Paths of the stamps. JSON cannot hold bytes that are not UTF-8; they are replaced.
    stamps: Vec<String>,
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
    let id = Message::once(message.clone())
        .map_err(Error::rejected)?
        .id();
    let pending = Carrier::Pending {
        id,
        message: message.clone(),
    };
    let paths: Vec<_> = files.iter().map(|file| file.stamp_path.clone()).collect();
    let stamp = |leaf: usize, carrier: &Carrier| files[leaf].stamp(leaf, &tree, carrier);
    write::create(&paths, |leaf| stamp(leaf, &pending))?;
    let id = match add(&client, &id.to_string(), &message).await {
        Ok(id) => id,
        Err(error) if is_unknown_outcome(&error) => return Err(error.hint(COMPLETE)),
        Err(error) => {
            write::remove(&paths);
            return Err(error);
        }
    };
    let mut block = None;
    if !args.no_wait {
        let completed = async {
            wait(&client, &id, &message).await?;
            let receipt = receipt_of(&client, &id, &message, "tip").await?;
            if receipt.entries.is_empty() {
                warn_of_tip(receipt.under.index);
            }
            let carrier = Carrier::Mined(Box::new(receipt));
            block = carrier.block().map(|block| block.index);
            write::replace(&paths, |leaf| stamp(leaf, &carrier))
        };
        completed.await.map_err(|error| error.hint(COMPLETE))?;
    }
    output.print(&Stamped {
        id,
        files: files.len(),
        block,
        stamps: paths
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
    })
}

fn warn_of_tip(index: u64) {
    warn(&format!(
        "block {index} is the tip and could still be replaced: run \"blockchain stamp upgrade\" after \
         the next block"
    ));
}
