//! `blockchain checkpoint`: prints the line about a block that is worth keeping elsewhere.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;

use super::error::Error;
use super::files::expand;
use super::names;
use super::output::{Output, escape};
use super::proof_source::ProofSourceArgs;
use crate::fs::{append_to_own, read_regular};
use crate::proofs::checkpoint::read_trust_file;
use crate::ui::qr::checkpoint_code;
use crate::wire::CheckpointView;

/// Maximum size of a trust file that is appended to, in bytes.
const MAX_FILE_BYTES: u64 = 8 << 20;

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
    /// Also append the line to FILE, which may contain only checkpoints
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn run(args: CheckpointArgs, output: &Output) -> Result<(), Error> {
    let checkpoint = args.source.open().await?.checkpoint(&args.at).await?;
    if let Some(path) = &args.output {
        append(&expand(path), &checkpoint.checkpoint)?;
    }
    output.print(&View {
        checkpoint,
        is_drawn: args.qr,
    })
}

/// Appends a line to a trust file that is well-formed with it.
fn append(path: &Path, line: &str) -> Result<(), Error> {
    let failed = |source| Error::file(path, source);
    let mut text = match read_regular(path, MAX_FILE_BYTES) {
        Ok(bytes) => String::from_utf8(bytes)
            .map_err(|_| Error::usage(format!("{} is not a trust file", path.display())))?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(failed(error)),
    };
    let mut added = String::new();
    if !text.is_empty() && !text.ends_with('\n') {
        added.push('\n');
    }
    added.push_str(line);
    added.push('\n');
    text.push_str(&added);
    read_trust_file(&text).map_err(|error| {
        Error::usage(format!("nothing was added to {}: {error}", path.display()))
    })?;
    let mut file = append_to_own(path).map_err(failed)?;
    file.write_all(added.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(failed)
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
