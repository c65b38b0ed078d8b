//! `blockchain receipt get`.

use std::path::PathBuf;

use clap::Args;

use crate::chain::Seal;
use crate::chain::reorg::SETTLED_CONFIRMATIONS;
use crate::cli::error::Error;
use crate::cli::files::expand;
use crate::cli::names::{self, Name};
use crate::cli::output::{warn, write_to};
use crate::cli::proof_source::ProofSourceArgs;
use crate::wire::proofs::MAX_RECEIPT_BLOCKS;

#[derive(Debug, Args)]
pub(super) struct ReceiptGetArgs {
    /// IDs of messages, or indexes or hashes of blocks, at most 100; up to 11 decimal digits are
    /// always an index
    #[arg(value_name = "ID|BLOCK", required = true, num_args = 1..)]
    what: Vec<Name>,
    /// Later block that proves them, named like a block in `get block`
    #[arg(long, value_name = "BLOCK", default_value = "tip", value_parser = names::block)]
    at: String,
    #[command(flatten)]
    source: ProofSourceArgs,
    /// File to write (default: standard output)
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(args: ReceiptGetArgs) -> Result<(), Error> {
    if args.what.len() > MAX_RECEIPT_BLOCKS {
        let text = format!("a receipt is for at most {MAX_RECEIPT_BLOCKS} blocks");
        return Err(Error::usage(text));
    }
    let source = args.source.open().await?;
    let (receipt, file) = source.receipt(&args.what, &args.at).await?;
    write_to(args.output.as_deref().map(expand).as_deref(), &file)?;
    let size = receipt.under.index;
    let newest = receipt
        .entries
        .last()
        .map_or(size, |entry| entry.block.index);
    if args.at == "tip" && size - newest + 1 < SETTLED_CONFIRMATIONS {
        warn(&format!(
            "block {newest} has {} of {SETTLED_CONFIRMATIONS} confirmations and can still be \
             disconnected: get the receipt again when it has more",
            size - newest + 1
        ));
    }
    if Seal::of(&receipt.under, || receipt.root) != Some(Seal::Sealed) {
        warn(&format!(
            "block {size} is not sealed, so its hash alone does not prove this receipt: keep a \
             checkpoint of it, or name a sealed block with --at"
        ));
    }
    Ok(())
}
