//! `blockchain receipt show`.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{BlockOutput, EntryOutput, read_proof_file};
use crate::cli::error::Error;
use crate::cli::output::Output;
use crate::proofs::{NotProven, Receipt};

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Receipt file; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Serialize)]
struct Claim {
    claimed: bool,
    under: BlockOutput,
    entries: Vec<EntryOutput>,
}

pub(super) fn run(args: &ShowArgs, output: Output) -> Result<(), Error> {
    let file = read_proof_file(&args.file)?;
    let not_a_receipt = |error: NotProven| Error::rejected(error);
    let receipt = Receipt::read(&file).map_err(not_a_receipt)?;
    let (under, entries) = receipt.check().map_err(not_a_receipt)?;
    output.print(&Claim {
        claimed: true,
        under: BlockOutput::new(&receipt.under, &under),
        entries: EntryOutput::all(&receipt, &under, &entries),
    })
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "CLAIMED, not checked against anything you trust")?;
        writeln!(f, "under block {} {}", self.under.index, self.under.hash)?;
        for (position, entry) in self.entries.iter().enumerate() {
            if position > 0 {
                writeln!(f)?;
            }
            write!(f, "{entry}")?;
        }
        Ok(())
    }
}
