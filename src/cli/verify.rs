//! `blockchain verify`: checks a chain by all rules.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::chain_file::ChainFile;
use super::error::{Error, ErrorKind};
use super::examine::{Examiner, SeenIds, VerifyError};
use super::files::{Files, expand};
use super::output::{Output, bar, escape};
use super::source::{ChainSource, from_view};
use super::trusted_checkpoints::TrustedCheckpoints;
use crate::client::{HttpClient, NodeAddress};
use crate::pow::Difficulty;
use crate::snapshot::format::Format;
use crate::store::integrity::Audit;
use crate::store::{StoppedStore, StoreError};
use crate::text::counted;

#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    target: Target,
    /// Number of zeros required at the end of every proof's digest (default with --db: the number
    /// that the database requires)
    #[arg(long, value_name = "N")]
    difficulty: Option<Difficulty>,
    /// Require sealed proofs from block FROM on (default: 1)
    #[arg(
        long,
        value_name = "FROM",
        num_args = 0..=1,
        default_missing_value = "1",
        require_equals = true,
        alias = "require_sealed"
    )]
    require_sealed: Option<u64>,
    /// Checkpoint that the chain must contain: a line, or a file of lines; repeatable
    #[arg(long, value_name = "LINE|FILE")]
    checkpoint: Vec<String>,
    /// With --node and --checkpoint: ask for consistency proofs instead of reading the chain
    #[arg(long, requires = "node", requires = "checkpoint")]
    quick: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Target {
    /// Chain file in any format of export or of the reference miner; `-` is standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Folder of a node; if the node is stopped, its whole database is checked too
    #[arg(long, value_name = "DIR")]
    db: Option<PathBuf>,
    /// Address of a running node
    #[arg(long, value_name = "HOST:PORT")]
    node: Option<NodeAddress>,
}

/// The report of a check.
#[derive(Debug, Serialize)]
struct VerifyOutput {
    valid: bool,
    /// Format of the file, if the chain is in a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'static str>,
    /// Number of blocks that passed.
    blocks: u64,
    genesis: Option<String>,
    tip: Option<String>,
    /// Highest difficulty that all proofs that passed meet; null for a genesis block alone.
    difficulty: Option<u8>,
    sealed: u64,
    open: u64,
    broken: u64,
    /// Number of message ids that appear in more than one block, which is allowed.
    repeated_ids: u64,
    /// Number of pending messages in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<u64>,
    /// `true` if the file matches the hash beside it; absent if there is no hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    hash_matches: Option<bool>,
    /// `true` if the database file was checked too.
    database_checked: bool,
    /// Number of kept checkpoints that were found in the chain.
    #[serde(skip_serializing_if = "Option::is_none")]
    checkpoints: Option<u64>,
    /// The first error.
    #[serde(rename = "finding")]
    error: Option<VerifyError>,
}

impl VerifyOutput {
    fn of(mut examiner: Examiner) -> Self {
        let checkpoints = match examiner.kept.take().map(TrustedCheckpoints::finish) {
            // Of a chain that breaks a rule only a part was read.
            _ if examiner.error.is_some() => None,
            None => None,
            Some(Ok(found)) => Some(found),
            Some(Err(missing)) => {
                examiner.error = Some(VerifyError::not_kept(missing));
                None
            }
        };
        let seals = examiner.checker.seals();
        Self {
            valid: examiner.error.is_none(),
            format: None,
            blocks: examiner.blocks(),
            genesis: examiner.genesis_hash(),
            tip: examiner.checker.tip().map(|tip| tip.hash.to_string()),
            difficulty: examiner.checker.min_zeros(),
            sealed: seals.sealed,
            open: seals.open,
            broken: seals.broken,
            repeated_ids: examiner.ids.map_or(0, SeenIds::repeated),
            pending: None,
            hash_matches: None,
            database_checked: false,
            checkpoints,
            error: examiner.error,
        }
    }
}

impl fmt::Display for VerifyOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.valid { "valid" } else { "NOT VALID" })?;
        if let Some(error) = &self.error {
            writeln!(f, "{}", escape(&error.to_string()))?;
        }
        writeln!(
            f,
            "{} checked: {} sealed, {} open, {} broken",
            counted(self.blocks, "block"),
            self.sealed,
            self.open,
            self.broken
        )?;
        if let Some(difficulty) = self.difficulty {
            writeln!(f, "all proofs meet difficulty {difficulty}")?;
        }
        match self.repeated_ids {
            0 => {}
            1 => writeln!(f, "1 message id appears in more than one block")?,
            count => writeln!(f, "{count} message ids appear in more than one block")?,
        }
        if let Some(format) = self.format {
            write!(f, "read as {format}")?;
            match self.pending {
                Some(count) if count > 0 => {
                    writeln!(f, ", with {}", counted(count, "pending message"))?;
                }
                _ => writeln!(f)?,
            }
        }
        if self.hash_matches == Some(true) {
            writeln!(f, "the file matches its hash")?;
        }
        if self.database_checked {
            writeln!(f, "the database file and its indexes were checked")?;
        }
        if let Some(count) = self.checkpoints {
            let count = counted(count, "kept checkpoint");
            writeln!(f, "{count} found in the chain")?;
        }
        let none = || "none".to_owned();
        writeln!(f, "genesis {}", self.genesis.clone().unwrap_or_else(none))?;
        write!(f, "tip     {}", self.tip.clone().unwrap_or_else(none))
    }
}

pub(super) async fn run(args: VerifyArgs, output: &Output) -> Result<(), Error> {
    let (difficulty, require_sealed) = (args.difficulty, args.require_sealed);
    let kept = match &args.checkpoint[..] {
        [] => None,
        values => Some(TrustedCheckpoints::read(values)?),
    };
    let kept = match (kept, &args.target.node) {
        (Some(kept), Some(address)) if args.quick => {
            return verify_quickly(kept, address, output).await;
        }
        (kept, _) => kept,
    };
    let mut examiner = Examiner::new(difficulty, require_sealed);
    examiner.kept = kept;
    let report = match (args.target.file, args.target.db, args.target.node) {
        (Some(path), _, _) => verify_file(&path, examiner)?,
        (_, Some(folder), _) => {
            let files = Files::of_database(&expand(&folder))?;
            match StoppedStore::open(&files.database) {
                Err(StoreError::Busy { .. }) => {
                    verify(&ChainSource::in_folder(&files).await?, examiner).await?
                }
                stopped => verify_stopped(stopped, examiner, difficulty, require_sealed)?,
            }
        }
        (_, _, Some(address)) => {
            verify(
                &ChainSource::of_node(HttpClient::new(address)?).await?,
                examiner,
            )
            .await?
        }
        (None, None, None) => {
            return Err(Error::usage("name a file, --db or --node to verify"));
        }
    };
    output.print_verdict(&report, report.valid)
}

fn verify_file(path: &Path, mut examiner: Examiner) -> Result<VerifyOutput, Error> {
    let mut file = ChainFile::open(path).map_err(|error| {
        if path.is_dir() {
            error.hint(format!(
                "verify the database in it with --db {}",
                path.display()
            ))
        } else {
            error
        }
    })?;
    let walk = file.walk(|batch| {
        examiner.pending += batch.pending.len() as u64;
        Ok(examiner.push_all(&batch.blocks, |_| {}))
    })?;
    file.warn_of_hash(&walk);
    if let Some(invalid) = &walk.invalid {
        examiner.record_read_error(invalid);
    }
    Ok(VerifyOutput {
        format: walk.format.map(Format::name),
        pending: Some(examiner.pending),
        hash_matches: walk.hash_matches,
        ..VerifyOutput::of(examiner)
    })
}

/// Checks the database file of a stopped node and its chain, by the rules stored in it unless the
/// options say otherwise.
fn verify_stopped(
    stopped: Result<StoppedStore, StoreError>,
    mut examiner: Examiner,
    difficulty: Option<Difficulty>,
    require_sealed: Option<u64>,
) -> Result<VerifyOutput, Error> {
    let audited = stopped.and_then(|mut store| {
        store.check_checksums()?;
        let view = store.view()?;
        let kept = view.network()?;
        let sealed_from = require_sealed.or(kept.sealed_from);
        let checkpoints = examiner.kept.take();
        examiner = Examiner::new(difficulty.or(Some(kept.difficulty)), sealed_from);
        examiner.kept = checkpoints;
        let mut audit = Audit::new(&view)?;
        let progress = bar(Some(audit.length()), "blocks");
        let walked = from_view(&view, |page, _| {
            progress.inc(page.len() as u64);
            audit.measure(&page);
            Ok(examiner.push_all(&page, |passed| audit.push(passed)))
        });
        progress.finish_and_clear();
        Ok(walked.and_then(|()| Ok(audit.finish()?)))
    });
    match audited.map_err(Error::from).flatten() {
        Ok(_) => {}
        Err(error) => match &*error.kind {
            ErrorKind::Store(
                damage @ (StoreError::Corrupt { .. } | StoreError::NotADatabase { .. }),
            ) => examiner.error = Some(VerifyError::damaged(damage.to_string())),
            _ => return Err(error),
        },
    }
    Ok(VerifyOutput {
        database_checked: true,
        ..VerifyOutput::of(examiner)
    })
}

async fn verify(source: &ChainSource, mut examiner: Examiner) -> Result<VerifyOutput, Error> {
    let progress = bar(Some(0), "blocks");
    source
        .for_each_page(|page, length| {
            progress.set_length(length);
            progress.inc(page.len() as u64);
            Ok(examiner.push_all(&page, |_| {}))
        })
        .await?;
    progress.finish_and_clear();
    Ok(VerifyOutput::of(examiner))
}

/// The verdict of a node's consistency proofs.
#[derive(Debug, Serialize)]
struct QuickOutput {
    valid: bool,
    /// Number of kept checkpoints that the chain of the node continues.
    checkpoints: u64,
    #[serde(rename = "finding")]
    error: Option<VerifyError>,
}

impl fmt::Display for QuickOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.error {
            None => {
                let count = counted(self.checkpoints, "kept checkpoint");
                write!(
                    f,
                    "valid\n{count} found in the chain; its blocks were not read"
                )
            }
            Some(error) => write!(f, "NOT VALID\n{}", escape(&error.to_string())),
        }
    }
}

async fn verify_quickly(
    kept: TrustedCheckpoints,
    address: &NodeAddress,
    output: &Output,
) -> Result<(), Error> {
    let found = kept.ask(&HttpClient::new(address.clone())?).await?;
    let is_valid = found.is_ok();
    let verdict = QuickOutput {
        valid: is_valid,
        checkpoints: *found.as_ref().unwrap_or(&0),
        error: found.err().map(VerifyError::not_kept),
    };
    output.print_verdict(&verdict, is_valid)
}
