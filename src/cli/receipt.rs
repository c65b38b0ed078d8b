//! `blockchain receipt`: proves messages to readers without a node.

mod get;
mod page;
mod show;
pub(super) mod verify;

use std::fmt;
use std::io::Read;
use std::path::Path;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde::de::IgnoredAny;

use super::error::Error;
use super::files::expand;
use super::output::{Output, escape};
use crate::chain::Block;
use crate::fs::open_regular;
use crate::proofs::checkpoint::read_trust_file;
use crate::proofs::{MAX_FILE_BYTES, Receipt, Verified};
use crate::wire::calendar_time;

const AFTER_HELP: &str = "\
Give the receipt to a reader and, by another way, a checkpoint of the block that proves it
(\"blockchain checkpoint\"). A checkpoint that comes with the receipt proves nothing.

  blockchain receipt get ID --output proof.json
  blockchain receipt verify proof.json --trust kept.txt
  blockchain receipt page --output verify.html";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct ReceiptArgs {
    #[command(subcommand)]
    command: ReceiptCommand,
}

#[derive(Debug, Subcommand)]
enum ReceiptCommand {
    /// Get a receipt for messages or blocks from a node
    Get(get::ReceiptGetArgs),
    /// Show the claims of a receipt without verifying them
    Show(show::ShowArgs),
    /// Verify a receipt against a checkpoint, a hash or a node that you trust
    Verify(verify::ReceiptVerifyArgs),
    /// Write a web page that verifies receipts offline, in any browser
    Page(page::PageArgs),
}

pub(super) async fn run(args: ReceiptArgs, output: &Output) -> Result<(), Error> {
    match args.command {
        ReceiptCommand::Get(args) => get::run(args).await,
        ReceiptCommand::Show(args) => show::run(&args, *output),
        ReceiptCommand::Verify(args) => verify::run(args, output).await,
        ReceiptCommand::Page(args) => page::run(&args),
    }
}

/// Reads a file; `-` is the standard input. Reads at most one byte more than [`MAX_FILE_BYTES`]; every
/// reader of proofs rejects a longer file.
pub(super) fn read_proof_file(path: &Path) -> Result<Vec<u8>, Error> {
    let limit = MAX_FILE_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        let read = std::io::stdin().lock().take(limit).read_to_end(&mut bytes);
        return read.map(|_| bytes).map_err(Error::stdin);
    }
    let path = expand(path);
    let read = open_regular(&path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.map(|_| bytes)
        .map_err(|source| Error::file(&path, source))
}

/// Returns the kind of a file that is easily mistaken for a receipt.
fn other_kind(file: &[u8]) -> Option<&'static str> {
    let is_trust_file = str::from_utf8(file)
        .is_ok_and(|text| read_trust_file(text).is_ok_and(|kept| !kept.is_empty()));
    let is_list = || serde_json::from_slice::<Vec<IgnoredAny>>(file).is_ok();
    if is_trust_file {
        Some("checkpoint lines")
    } else if is_list() {
        Some("a list, such as an export")
    } else {
        None
    }
}

/// A block of a receipt, as JSON.
#[derive(Clone, Debug, Serialize)]
struct BlockOutput {
    index: u64,
    hash: String,
    seal: Option<String>,
    time: Option<String>,
}

/// An entry of a receipt, as JSON.
#[derive(Clone, Debug, Serialize)]
struct EntryOutput {
    #[serde(flatten)]
    block: BlockOutput,
    id: String,
    message: String,
}

impl BlockOutput {
    fn new(block: &Block, verified: &Verified) -> Self {
        Self {
            index: verified.index,
            hash: verified.hash.to_string(),
            seal: verified.seal.map(|seal| seal.to_string()),
            time: calendar_time(block.timestamp.seconds()),
        }
    }
}

impl EntryOutput {
    fn new(block: &Block, verified: &Verified) -> Self {
        Self {
            block: BlockOutput::new(block, verified),
            id: block.message.id().to_string(),
            message: block.message.text().to_owned(),
        }
    }

    /// All that a receipt proves: its entries, or `under` itself if there are none.
    fn all(receipt: &Receipt, under: &Verified, entries: &[Verified]) -> Vec<Self> {
        if entries.is_empty() {
            return vec![Self::new(&receipt.under, under)];
        }
        let blocks = receipt.entries.iter().map(|entry| &entry.block);
        let both = blocks.zip(entries);
        both.map(|(block, found)| Self::new(block, found)).collect()
    }
}

impl fmt::Display for EntryOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BlockOutput {
            index, seal, time, ..
        } = &self.block;
        let seal = seal.as_deref().unwrap_or("genesis");
        write!(f, "block {index}, {seal}, ")?;
        match time {
            Some(time) => writeln!(f, "{time} by its miner's clock")?,
            None => writeln!(f, "its time is outside the calendar")?,
        }
        writeln!(f, "id      {}", self.id)?;
        write!(f, "message {}", escape(&self.message))
    }
}
