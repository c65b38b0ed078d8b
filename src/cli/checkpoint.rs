//! `blockchain checkpoint`: prints the checkpoint line of a block, to be stored outside the node.

mod keep;

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;

use super::error::Error;
use super::files::expand;
use super::names;
use super::output::{Output, escape};
use super::proof_source::ProofSourceArgs;
use crate::ui::qr::checkpoint_code;
use crate::wire::CheckpointView;

#[derive(Debug, Args)]
pub(super) struct CheckpointArgs {
    /// Block: index, hash, start of a hash (at least 6 digits) or `tip`; up to 11 decimal digits are
    /// always an index
    #[arg(long, value_name = "BLOCK", default_value = "tip", value_parser = names::block)]
    at: String,
    #[command(flatten)]
    source: ProofSourceArgs,
    /// Draw the line as a QR code
    #[arg(long)]
    qr: bool,
    /// Also append the line to FILE, unless FILE contains it already. FILE may contain only
    /// checkpoints, and the chain must contain the newest of them
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(args: CheckpointArgs, output: &Output) -> Result<(), Error> {
    let source = args.source.open().await?;
    let checkpoint = match &args.output {
        None => source.checkpoint(&args.at).await?,
        Some(path) => keep::keep(&source, &args.at, &expand(path)).await?,
    };
    output.print(&View {
        checkpoint,
        is_drawn: args.qr,
    })
}

/// The line, drawn on request.
#[derive(Serialize)]
struct View {
    #[serde(flatten)]
    checkpoint: CheckpointView,
    #[serde(skip)]
    is_drawn: bool,
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = &self.checkpoint.checkpoint;
        if self.is_drawn
            && let Some(code) = checkpoint_code(line)
        {
            let drawing = code.render::<Dense1x2>().quiet_zone(true).build();
            writeln!(f, "{drawing}")?;
        }
        f.write_str(&escape(line))
    }
}
