//! `blockchain stamp verify`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::files::{digest, stamp_path};
use crate::cli::error::Error;
use crate::cli::files::expand;
use crate::cli::output::Output;
use crate::cli::receipt::read_proof_file;
use crate::cli::receipt::verify::{ReceiptVerdict, TrustArgs, judge};
use crate::proofs::NotProven;
use crate::proofs::stamp::{Carrier, Stamp};
use crate::text::counted;

#[derive(Debug, Args)]
pub(super) struct StampVerifyArgs {
    /// File that was stamped
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Stamp of the file (default: FILE.stamp.json)
    #[arg(long, value_name = "FILE")]
    stamp: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
}

#[derive(Serialize)]
struct StampVerdict {
    #[serde(flatten)]
    receipt: ReceiptVerdict,
    /// Number of files that were stamped together; null if the file is not proven.
    files: Option<u64>,
    #[serde(skip)]
    block: Option<u64>,
}

impl fmt::Display for StampVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.receipt.fmt(f)?;
        let (Some(files), Some(block)) = (self.files, self.block) else {
            return Ok(());
        };
        let were = if files == 1 { "was" } else { "were" };
        write!(
            f,
            "\n{} {were} stamped by this message, and this is one of them: it existed before block \
             {block} was mined.",
            counted(files, "file")
        )
    }
}

pub(super) async fn run(args: StampVerifyArgs, output: &Output) -> Result<(), Error> {
    let trust = args.trust.read()?;
    let path = expand(&args.file);
    let stamp = match &args.stamp {
        Some(stamp) => stamp.clone(),
        None => stamp_path(&path, None)?,
    };
    let digest = digest(&path)?;
    let stamp = Stamp::read(&read_proof_file(&stamp)?);
    let checked = stamp.and_then(|stamp| {
        let message = stamp.check(&digest)?;
        let block = stamp.carrier.block().map(|block| block.index);
        match stamp.carrier {
            Carrier::Mined(receipt) => Ok((*receipt, message.files, block)),
            Carrier::Pending { id, .. } => Err(NotProven::Pending { id }),
        }
    });
    let (receipt, found) = match checked {
        Ok((receipt, files, block)) => (Ok(receipt), Some((files, block))),
        Err(error) => (Err(error), None),
    };
    let receipt = judge(receipt, &args.trust, trust).await?;
    let found = found.filter(|_| receipt.proven);
    let proven = receipt.proven;
    let verdict = StampVerdict {
        receipt,
        files: found.map(|(files, _)| files),
        block: found.and_then(|(_, block)| block),
    };
    output.print_verdict(&verdict, proven)
}
