//! `blockchain receipt get`.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;

use crate::chain::Seal;
use crate::chain::reorg::SETTLED_CONFIRMATIONS;
use crate::cli::error::Error;
use crate::cli::files::expand;
use crate::cli::names::{self, Name};
use crate::cli::output::{warn, write_to};
use crate::cli::proof_source::{ProofSource, ProofSourceArgs};
use crate::cli::trust;
use crate::wire::proofs::MAX_RECEIPT_BLOCKS;

#[derive(Debug, Args)]
pub(super) struct ReceiptGetArgs {
    /// IDs of messages, or indexes or hashes of blocks, at most 100; up to 11 decimal digits are
    /// always an index
    #[arg(value_name = "ID|BLOCK", required = true, num_args = 1..)]
    what: Vec<Name>,
    /// Later block that proves them: its index, hash or `tip`; or a file of checkpoints, for the block
    /// of the newest one of this network
    #[arg(long, value_name = "BLOCK|FILE", default_value = "tip")]
    at: At,
    #[command(flatten)]
    source: ProofSourceArgs,
    /// File to write (default: standard output)
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// The block that proves the others.
#[derive(Clone, Debug)]
enum At {
    /// The name of a block.
    Block(String),
    /// A trust file, whose newest checkpoint names the block.
    TrustFile(PathBuf),
}

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = match names::block(text) {
            Ok(name) => return Ok(Self::Block(name)),
            Err(expected) => expected,
        };
        let path = expand(Path::new(text));
        if path.is_file() {
            Ok(Self::TrustFile(path))
        } else {
            Err(format!("{expected}, or a trust file"))
        }
    }
}

impl At {
    /// Returns the name of the block.
    ///
    /// # Errors
    /// If the trust file has no checkpoint of the network of `source`.
    async fn block_name(&self, source: &ProofSource) -> Result<String, Error> {
        let path = match self {
            Self::Block(name) => return Ok(name.clone()),
            Self::TrustFile(path) => path,
        };
        let checkpoints = trust::checkpoints(&trust::read_file(path)?);
        let genesis = source.checkpoint("0").await?.genesis;
        let ours = checkpoints
            .iter()
            .filter(|checkpoint| checkpoint.genesis.to_string() == genesis);
        // Named by its hash, so that a node with another history cannot use another block.
        match ours.max_by_key(|checkpoint| checkpoint.index) {
            Some(newest) => Ok(newest.hash.to_string()),
            None => Err(Error::rejected(format!(
                "{} has no checkpoint of this network (genesis {genesis})",
                path.display()
            ))),
        }
    }
}

pub(super) async fn run(args: ReceiptGetArgs) -> Result<(), Error> {
    if args.what.len() > MAX_RECEIPT_BLOCKS {
        let text = format!("a receipt is for at most {MAX_RECEIPT_BLOCKS} blocks");
        return Err(Error::usage(text));
    }
    let source = args.source.open().await?;
    let at = args.at.block_name(&source).await?;
    let (receipt, file) = source.receipt(&args.what, &at).await?;
    write_to(args.output.as_deref().map(expand).as_deref(), &file)?;
    let size = receipt.under.index;
    let newest = receipt
        .entries
        .last()
        .map_or(size, |entry| entry.block.index);
    if at == "tip" && size - newest + 1 < SETTLED_CONFIRMATIONS {
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
