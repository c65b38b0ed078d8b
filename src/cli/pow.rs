//! `blockchain pow`: solves or checks a proof of work.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::{Args, Subcommand};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::output::{Output, bar};
use crate::chain::Proof;
use crate::chain::proof::puzzle_text;
use crate::pow::{self, Difficulty, Digits, Outcome, Search};

#[derive(Debug, Args)]
pub(super) struct PowArgs {
    #[command(subcommand)]
    command: PowCommand,
}

#[derive(Debug, Subcommand)]
enum PowCommand {
    /// Find the smallest proof that solves the puzzle
    Solve {
        #[command(flatten)]
        puzzle: Puzzle,
        /// Number of search threads
        #[arg(long, value_name = "N", default_value = "1")]
        threads: NonZeroUsize,
    },
    /// Check whether a proof solves the puzzle
    Check {
        #[command(flatten)]
        puzzle: Puzzle,
        /// Proof to check
        #[arg(long, allow_negative_numbers = true)]
        proof: Proof,
    },
}

#[derive(Debug, Args)]
struct Puzzle {
    /// Proof of the previous block; `None` if that is the genesis block
    #[arg(
        long,
        value_name = "PROOF",
        alias = "last_proof",
        default_value = pow::NO_PROOF,
        allow_negative_numbers = true,
        value_parser = last_proof
    )]
    last_proof: LastProof,
    /// Number of zeros required at the end of the digest
    #[arg(long, value_name = "N", default_value_t)]
    difficulty: Difficulty,
}

#[derive(Clone, Debug)]
struct LastProof(Option<Proof>);

fn last_proof(text: &str) -> Result<LastProof, crate::chain::proof::InvalidProof> {
    if text == pow::NO_PROOF {
        Ok(LastProof(None))
    } else {
        text.parse().map(Some).map(LastProof)
    }
}

impl LastProof {
    fn as_bytes(&self) -> &[u8] {
        puzzle_text(self.0.as_ref())
    }
}

/// The result of a search.
#[derive(Debug, Serialize)]
struct Solved {
    proof: String,
    difficulty: u8,
    hash: String,
    tries: u64,
    seconds: f64,
    hash_rate: f64,
}

impl fmt::Display for Solved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "proof  {}", self.proof)?;
        writeln!(f, "hash   {}", self.hash)?;
        writeln!(f, "tries  {}", self.tries)?;
        write!(
            f,
            "time   {:.3} s ({:.1} MH/s)",
            self.seconds,
            self.hash_rate / 1e6
        )
    }
}

/// The result of a check.
#[derive(Debug, Serialize)]
struct Checked {
    valid: bool,
    proof: String,
    difficulty: u8,
    zeros: u8,
    hash: String,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.valid { "valid" } else { "NOT VALID" })?;
        writeln!(f, "hash   {}", self.hash)?;
        write!(f, "zeros  {} of {}", self.zeros, self.difficulty)
    }
}

pub(super) async fn run(args: PowArgs, output: &Output) -> Result<(), Error> {
    match args.command {
        PowCommand::Solve { puzzle, threads } => output.print(&solve(puzzle, threads).await?),
        PowCommand::Check { puzzle, proof } => {
            let last = puzzle.last_proof.as_bytes();
            let zeros = pow::zeros(last, proof.as_bytes());
            let valid = zeros >= puzzle.difficulty.get();
            let verdict = Checked {
                valid,
                hash: digest(last, &proof),
                proof: proof.to_string(),
                difficulty: puzzle.difficulty.get(),
                zeros,
            };
            output.print_verdict(&verdict, valid)
        }
    }
}

async fn solve(puzzle: Puzzle, threads: NonZeroUsize) -> Result<Solved, Error> {
    let Puzzle {
        last_proof,
        difficulty,
    } = puzzle;
    let stop = Arc::new(AtomicBool::new(false));
    let tries = Arc::new(AtomicU64::new(0));
    let progress = bar(None, "tries");
    let started = Instant::now();
    let mut search = {
        let (stop, tries) = (Arc::clone(&stop), Arc::clone(&tries));
        let prefix = last_proof.as_bytes().to_vec();
        tokio::task::spawn_blocking(move || {
            let (stop, tries) = (&*stop, &*tries);
            let digits = Digits::Natural;
            Search {
                prefix: &prefix,
                digits,
                difficulty,
                threads,
                stop,
                tries,
            }
            .run()
        })
    };
    let outcome = loop {
        tokio::select! {
            outcome = &mut search => break outcome,
            () = tokio::time::sleep(Duration::from_millis(200)) => {
                progress.set_position(tries.load(Ordering::Relaxed));
            }
            _ = tokio::signal::ctrl_c() => stop.store(true, Ordering::Relaxed),
        }
    };
    progress.finish_and_clear();
    let seconds = started.elapsed().as_secs_f64();
    let tries = tries.load(Ordering::Relaxed);
    match outcome.map_err(|error| Error::failed(format!("the search failed: {error}")))? {
        Outcome::Found(counter) => {
            let proof = Proof::from(counter);
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let hash_rate = tries as f64 / seconds.max(1e-9);
            let (difficulty, hash) = (difficulty.get(), digest(last_proof.as_bytes(), &proof));
            Ok(Solved {
                proof: proof.to_string(),
                difficulty,
                hash,
                tries,
                seconds,
                hash_rate,
            })
        }
        Outcome::Stopped => Err(Error::failed(format!("stopped after {tries} tries"))),
        Outcome::Exhausted => Err(Error::failed("no proof below 2^64 has that difficulty")),
    }
}

fn digest(last: &[u8], proof: &Proof) -> String {
    hex::encode(
        Sha256::new()
            .chain_update(last)
            .chain_update(proof.as_bytes())
            .finalize(),
    )
}
