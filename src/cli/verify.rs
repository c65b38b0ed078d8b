//! `blockchain verify`: checks a chain rule by rule.

use std::fmt;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::error::Error;
use super::output::{Output, bar};
use super::source::{Files, Source};
use crate::chain::check::SealCounts;
use crate::chain::{BlockHash, Checker};
use crate::client::{HttpClient, NodeAddress};
use crate::pow::Difficulty;
use crate::store::{StoreError, integrity};

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    what: What,
    /// Zeros every proof must have; left out, the report says how many all of them have
    #[arg(long, value_name = "N")]
    difficulty: Option<Difficulty>,
    /// Every block from FROM on must be sealed
    #[arg(
        long,
        value_name = "FROM",
        num_args = 0..=1,
        default_missing_value = "1",
        require_equals = true,
        alias = "require_sealed"
    )]
    require_sealed: Option<u64>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Folder of a node; of a stopped node, the whole database file is checked, too
    #[arg(long, value_name = "DIR")]
    db: Option<PathBuf>,
    /// A running node
    #[arg(long, value_name = "HOST:PORT")]
    node: Option<NodeAddress>,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    valid: bool,
    /// Blocks that passed.
    blocks: u64,
    genesis: Option<String>,
    tip: Option<String>,
    /// The difficulty up to which the proofs that passed hold; null for a lone genesis block.
    difficulty: Option<u8>,
    sealed: u64,
    open: u64,
    broken: u64,
    /// Whether the database file was checked, too.
    database_checked: bool,
    /// The first offence.
    finding: Option<Finding>,
}

#[derive(Debug, Serialize)]
struct Finding {
    /// Index of the block, or null if it is not about one.
    block: Option<u64>,
    /// Which rule, what was expected and what was found.
    problem: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.valid { "valid" } else { "NOT VALID" })?;
        if let Some(finding) = &self.finding {
            match finding.block {
                Some(index) => writeln!(f, "block {index} {}", finding.problem)?,
                None => writeln!(f, "{}", finding.problem)?,
            }
        }
        writeln!(
            f,
            "{} blocks checked: {} sealed, {} open, {} broken",
            self.blocks, self.sealed, self.open, self.broken
        )?;
        if let Some(difficulty) = self.difficulty {
            writeln!(f, "proofs hold up to difficulty {difficulty}")?;
        }
        if self.database_checked {
            writeln!(f, "the database file and its indexes were checked")?;
        }
        let none = || "none".to_owned();
        writeln!(f, "genesis {}", self.genesis.clone().unwrap_or_else(none))?;
        write!(f, "tip     {}", self.tip.clone().unwrap_or_else(none))
    }
}

pub(super) async fn run(args: VerifyArgs, output: &Output) -> Result<(), Error> {
    let lowest = Difficulty::MIN;
    let checker = Checker::new(args.difficulty.unwrap_or(lowest), args.require_sealed);
    let report = match (args.what.db, args.what.node) {
        (Some(folder), _) => {
            verify_folder(&Files::in_folder(&super::node::expand(&folder)), checker).await?
        }
        (None, Some(address)) => {
            verify(&Source::Running(HttpClient::new(address)?), checker).await?
        }
        (None, None) => return Err(Error::usage("say what to verify: --db or --node")),
    };
    let valid = report.valid;
    output.print(&report)?;
    if valid { Ok(()) } else { Err(Error::No) }
}

async fn verify_folder(files: &Files, checker: Checker) -> Result<Report, Error> {
    let progress = bar(Some(0), "blocks");
    let checked = integrity::check_file(&files.database, |done, length| {
        progress.set_length(length);
        progress.set_position(done);
    });
    progress.finish_and_clear();
    let damage = match checked {
        Ok(_) => None,
        Err(StoreError::Busy { .. }) => {
            return verify(&Source::in_folder(files).await?, checker).await;
        }
        Err(error @ StoreError::Corrupt { .. }) => Some(error.to_string()),
        Err(error) => return Err(error.into()),
    };
    if let Some(problem) = damage {
        let report = report(
            &checker,
            None,
            Some(Finding {
                block: None,
                problem,
            }),
        );
        return Ok(Report {
            database_checked: true,
            ..report
        });
    }
    let report = verify(&Source::in_folder(files).await?, checker).await?;
    Ok(Report {
        database_checked: true,
        ..report
    })
}

async fn verify(source: &Source, mut checker: Checker) -> Result<Report, Error> {
    let progress = bar(Some(0), "blocks");
    let (mut genesis, mut finding) = (None, None);
    let walked = source
        .for_each(|block, length| {
            progress.set_length(length);
            progress.set_position(block.index + 1);
            let before = checker.tip().map(|tip| tip.index);
            if let Err(violation) = checker.push(&block) {
                let problem = violation.to_string();
                finding.get_or_insert(Finding {
                    block: Some(block.index),
                    problem,
                });
                if checker.tip().map(|tip| tip.index) == before {
                    // Nothing above a block that breaks a rule can be judged.
                    return Err(Error::No);
                }
            }
            if block.index == 0 {
                genesis = Some(BlockHash::of(&block));
            }
            Ok(())
        })
        .await;
    progress.finish_and_clear();
    match walked {
        Ok(()) | Err(Error::No) => Ok(report(&checker, genesis, finding)),
        Err(error) => Err(error),
    }
}

fn report(checker: &Checker, genesis: Option<BlockHash>, finding: Option<Finding>) -> Report {
    let SealCounts {
        sealed,
        open,
        broken,
    } = checker.seals();
    Report {
        valid: finding.is_none(),
        blocks: checker.tip().map_or(0, |tip| tip.index + 1),
        genesis: genesis.map(|hash| hash.to_string()),
        tip: checker.tip().map(|tip| tip.hash.to_string()),
        difficulty: checker.fewest_zeros(),
        sealed,
        open,
        broken,
        database_checked: false,
        finding,
    }
}
