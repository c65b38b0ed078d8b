//! `blockchain consistency`: proves that one checkpoint continues another.

use std::fmt;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::error::Error;
use super::files::expand;
use super::names;
use super::output::{Output, escape, write_to};
use super::proof_source::ProofSourceArgs;
use super::receipt::read_proof_file;
use super::trust;
use crate::proofs::ConsistencyProof;

#[derive(Debug, Args)]
pub(super) struct ConsistencyArgs {
    #[command(subcommand)]
    command: ConsistencyCommand,
}

#[derive(Debug, Subcommand)]
enum ConsistencyCommand {
    /// Get the proof that the chain at a later block continues the chain at an earlier one
    Get {
        /// Index of the earlier block
        #[arg(long, value_name = "INDEX")]
        from: u64,
        /// Later block, named like a block in `get block`
        #[arg(long, value_name = "BLOCK", default_value = "tip", value_parser = names::block)]
        to: String,
        #[command(flatten)]
        source: ProofSourceArgs,
        /// File to write (default: standard output)
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Verify a proof against a trusted checkpoint at one end, and print the checkpoint at the other
    Verify {
        /// Consistency proof file; `-` is standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Trusted checkpoint: a line, or a file of lines; repeatable
        #[arg(long, value_name = "LINE|FILE", required = true)]
        trust: Vec<String>,
    },
}

pub(super) async fn run(args: ConsistencyArgs, output: &Output) -> Result<(), Error> {
    match args.command {
        ConsistencyCommand::Get {
            from,
            to,
            source,
            output,
        } => {
            let file = source.open().await?.consistency(from, &to).await?;
            write_to(output.as_deref().map(expand).as_deref(), &file)
        }
        ConsistencyCommand::Verify { file, trust } => {
            let kept = trust::checkpoints(&trust::read_all(&trust)?);
            let file = read_proof_file(&file)?;
            let verdict = ConsistencyVerdict::from(
                ConsistencyProof::read(&file).and_then(|proof| proof.verify(&kept)),
            );
            output.print_verdict(&verdict, verdict.proven)
        }
    }
}

#[derive(Serialize)]
struct ConsistencyVerdict {
    proven: bool,
    reason: Option<&'static str>,
    message: Option<String>,
    /// The other end.
    checkpoint: Option<String>,
}

impl<E: fmt::Display> From<Result<E, crate::proofs::NotProven>> for ConsistencyVerdict {
    fn from(verified: Result<E, crate::proofs::NotProven>) -> Self {
        match verified {
            Ok(checkpoint) => Self {
                proven: true,
                reason: None,
                message: None,
                checkpoint: Some(checkpoint.to_string()),
            },
            Err(error) => Self {
                proven: false,
                reason: Some(error.reason()),
                message: Some(error.to_string()),
                checkpoint: None,
            },
        }
    }
}

impl fmt::Display for ConsistencyVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.checkpoint, &self.message) {
            (Some(line), _) => f.write_str(line),
            (None, message) => {
                let message = message.as_deref().unwrap_or_default();
                write!(f, "NOT PROVEN: {}", escape(message))
            }
        }
    }
}
