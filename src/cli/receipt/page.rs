//! `blockchain receipt page`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::error::Error;
use crate::cli::files::expand;
use crate::cli::output::write_file;
use crate::ui::verifier;

#[derive(Debug, Args)]
pub(super) struct PageArgs {
    /// File to write
    #[arg(long, short, value_name = "FILE", default_value = "verify.html")]
    output: PathBuf,
}

pub(super) fn run(args: &PageArgs) -> Result<(), Error> {
    write_file(&expand(&args.output), verifier::page().as_bytes())
}
