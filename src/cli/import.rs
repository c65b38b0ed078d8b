//! `blockchain import`: makes the chain of a file that of a stopped node.
//!
//! Everything is checked before anything changes. The new database is built under another name
//! in the folder of the old one and renamed into place when it is complete and on disk, so a kill
//! at any moment leaves the old state or the new. The old database stays locked until then, so no
//! node can start on it meanwhile.

mod build;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::Local;
use clap::Args;
use serde::Serialize;
use tempfile::TempPath;

use self::build::{Carried, build};
use super::chain_file::ChainFile;
use super::error::{Error, ErrorKind};
use super::examine::Examiner;
use super::files::{Files, expand};
use super::output::{Output, warn};
use super::signals::Signals;
use crate::fs::{link_or_copy, sync_folder};
use crate::pow::Difficulty;
use crate::snapshot::format::Format;
use crate::store::{Network, StoppedStore, StoreError};
use crate::text::counted;

/// Up to this many blocks all proofs may well have a zero too many by luck.
const FEW_BLOCKS: u64 = 8;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// A chain file of any format that export writes, or of the original program; `-` reads the
    /// standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder of a stopped node; made if it is missing
    #[arg(long, value_name = "DIR")]
    db: PathBuf,
    /// Zeros every proof must have, kept for the network; left out, as many as all proofs of the
    /// chain have
    #[arg(long, value_name = "N")]
    difficulty: Option<Difficulty>,
    /// Put a chain that is there aside under a dated name; its pending messages are carried over
    #[arg(long, alias = "force_new_chain")]
    force_new_chain: bool,
}

/// What to import.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    /// The chain file, or `-`.
    pub(super) path: &'a Path,
    /// The difficulty of the network; none for what the chain holds.
    pub(super) difficulty: Option<Difficulty>,
    /// Whether a chain that is there is put aside.
    pub(super) force_new_chain: bool,
    /// Whether blocks after the imported ones may be open, as where reference miners take part.
    pub(super) accept_open: bool,
}

/// What was imported.
#[derive(Debug, Serialize)]
pub(super) struct ImportReport {
    pub(super) blocks: u64,
    pub(super) genesis: String,
    pub(super) tip: String,
    /// Kept for the network.
    pub(super) difficulty: u8,
    /// Where the difficulty comes from.
    pub(super) difficulty_from: DifficultyFrom,
    /// First index that must be sealed.
    pub(super) sealed_from: Option<u64>,
    pub(super) sealed: u64,
    pub(super) open: u64,
    /// Message ids that stand in more than one block.
    pub(super) repeated_ids: u64,
    /// Pending messages: those of the file and those carried over.
    pub(super) pending: u64,
    /// Format of the file.
    pub(super) format: &'static str,
    /// Whether the hash beside the file matches it; null if there is none.
    pub(super) hash_matches: Option<bool>,
    /// The database made, as text can name it.
    pub(super) database: String,
    /// Where the old database was put.
    pub(super) old_database: Option<String>,
}

/// Where the difficulty of an imported chain comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DifficultyFrom {
    /// It was asked for.
    Option,
    /// All proofs of the chain have as many zeros.
    Chain,
    /// There are no proofs, or too few to tell.
    Default,
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "imported {} ({} sealed, {} open), read as {}",
            counted(self.blocks, "block"),
            self.sealed,
            self.open,
            self.format
        )?;
        let from = match self.difficulty_from {
            DifficultyFrom::Option => "as asked for",
            DifficultyFrom::Chain => {
                "the fewest zeros of any proof of the chain; --difficulty sets it lower"
            }
            DifficultyFrom::Default => "the default, since there are too few proofs to tell",
        };
        writeln!(f, "difficulty {} ({from})", self.difficulty)?;
        match self.sealed_from {
            Some(from) => writeln!(f, "every block from {from} on must be sealed")?,
            None => writeln!(f, "open proofs are accepted")?,
        }
        match self.repeated_ids {
            0 => {}
            1 => writeln!(f, "1 message id stands in more than one block")?,
            count => writeln!(f, "{count} message ids stand in more than one block")?,
        }
        match self.pending {
            0 => {}
            1 => writeln!(f, "1 message waits to be mined")?,
            count => writeln!(f, "{count} messages wait to be mined")?,
        }
        if let Some(old) = &self.old_database {
            writeln!(f, "the old database is now {old}")?;
        }
        writeln!(f, "genesis {}", self.genesis)?;
        write!(f, "tip     {}", self.tip)
    }
}

pub(super) fn run(args: &ImportArgs, output: Output, signals: &Signals) -> Result<(), Error> {
    let files = Files::of_database(&expand(&args.db))?;
    let report = import(
        &files,
        Request {
            path: &args.file,
            difficulty: args.difficulty,
            force_new_chain: args.force_new_chain,
            accept_open: false,
        },
        signals,
    )?;
    output.print(&report)
}

/// Checks a chain file and makes it the chain of a stopped node. Blocks the thread.
///
/// # Errors
/// If the chain or the folder does not allow it; then nothing has changed.
pub(super) fn import(
    files: &Files,
    request: Request<'_>,
    signals: &Signals,
) -> Result<ImportReport, Error> {
    let folder = &files.folder;
    fs::create_dir_all(folder).map_err(|source| Error::file(folder, source))?;
    files.check()?;
    let old = Old::lock(files, request.force_new_chain)?;
    let mut file = ChainFile::open_to_repeat(request.path, folder)?;
    let (mut examiner, format, hash_matches) = examine(&mut file, request.difficulty)?;
    let Some(genesis) = &examiner.genesis else {
        return Err(file.rejected("the chain has no block"));
    };
    let default = Difficulty::default();
    let lowest = examiner.checker.min_zeros();
    let lowest = lowest.and_then(|zeros| Difficulty::new(zeros).ok());
    let (difficulty, difficulty_from) = match (request.difficulty, lowest) {
        (Some(difficulty), _) => (difficulty, DifficultyFrom::Option),
        // A few proofs may have more zeros than anybody asked for.
        (None, Some(lowest)) if examiner.blocks() <= FEW_BLOCKS && lowest > default => {
            (default, DifficultyFrom::Default)
        }
        (None, Some(lowest)) => (lowest, DifficultyFrom::Chain),
        (None, None) => (default, DifficultyFrom::Default),
    };
    let network = Network {
        difficulty,
        sealed_from: (!request.accept_open).then(|| examiner.blocks()),
    };
    let new = temporary_name(files)?;
    signals.note(&new);
    let built = build(&mut file, &new, genesis, network, &old.carried)?;
    if Some(built.tip) != examiner.checker.tip().map(|tip| tip.hash) {
        return Err(file.rejected("the file changed while it was read"));
    }
    let old_database = signals.finish(|| old.replace_by(new, files))?;
    let seals = examiner.checker.seals();
    Ok(ImportReport {
        blocks: examiner.blocks(),
        genesis: built.genesis.to_string(),
        tip: built.tip.to_string(),
        difficulty: difficulty.get(),
        difficulty_from,
        sealed_from: network.sealed_from,
        sealed: seals.sealed,
        open: seals.open,
        repeated_ids: examiner.repeated_ids(),
        pending: built.pending,
        format: format.name(),
        hash_matches,
        database: files.database.display().to_string(),
        old_database: old_database.map(|old| old.display().to_string()),
    })
}

/// Checks the whole file.
fn examine(
    file: &mut ChainFile,
    difficulty: Option<Difficulty>,
) -> Result<(Examiner, Format, Option<bool>), Error> {
    let mut examiner = Examiner::new(difficulty, None);
    let walk = file.walk(|batch| {
        examiner.push_all(&batch.blocks, |_| {});
        Ok(examiner.finding.is_none())
    })?;
    file.warn_of_hash(&walk);
    if let Some(invalid) = &walk.invalid {
        examiner.refuse(invalid);
    }
    if let Some(finding) = &examiner.finding {
        return Err(file.rejected(finding));
    }
    Ok((
        examiner,
        walk.format.unwrap_or(Format::Chain),
        walk.hash_matches,
    ))
}

/// A name for the new database that goes away unless it is used. What an import that was killed
/// has left under it is removed.
fn temporary_name(files: &Files) -> Result<TempPath, Error> {
    let mut name = files.temporary_prefix();
    name.push("import");
    let path = files.folder.join(name);
    match StoppedStore::open_exclusive(&path) {
        Err(StoreError::Missing { .. }) => {}
        Err(StoreError::Busy { .. }) => {
            return Err(Error::failed(format!(
                "another import into {} is under way",
                files.folder.display()
            )));
        }
        _ => fs::remove_file(&path).map_err(|source| Error::file(&path, source))?,
    }
    TempPath::try_from_path(&path).map_err(|source| Error::file(&path, source))
}

/// The name that the files of a node have in common.
fn name_of(files: &Files) -> String {
    let name = files.database.file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// What is in the folder before the import.
struct Old {
    /// Keeps other processes off until the new database is in place.
    lock: Option<StoppedStore>,
    exists: bool,
    /// Whether it must not simply be replaced.
    is_kept: bool,
    carried: Carried,
}

impl Old {
    fn lock(files: &Files, force_new_chain: bool) -> Result<Self, Error> {
        let path = &files.database;
        let unlocked = |exists| Self {
            lock: None,
            exists,
            is_kept: exists,
            carried: Carried::default(),
        };
        let error = match Self::open(path, force_new_chain) {
            Ok(old) => return Ok(old),
            Err(error) => error,
        };
        match &error.kind {
            ErrorKind::Store(StoreError::Missing { .. }) => Ok(unlocked(false)),
            ErrorKind::Store(StoreError::Busy { .. }) => {
                Err(error.hint("stop the node that runs on it first"))
            }
            // A chain file is what a damaged database is restored from.
            ErrorKind::Store(error) if force_new_chain => {
                warn(&format!(
                    "{}: {error}; it is kept under a dated name without carrying over its \
                     pending messages",
                    path.display()
                ));
                Ok(unlocked(true))
            }
            _ => Err(error),
        }
    }

    fn open(path: &Path, force_new_chain: bool) -> Result<Self, Error> {
        let store = StoppedStore::open_exclusive(path)?;
        let view = store.view()?;
        let blocks = view.last_block()?.index + 1;
        if blocks > 1 && !force_new_chain {
            return Err(Error::rejected(format!(
                "{} holds a chain of {blocks} blocks; --force-new-chain puts it aside under a \
                 dated name",
                path.display()
            )));
        }
        Ok(Self {
            carried: Carried::from(&view)?,
            lock: Some(store),
            exists: true,
            is_kept: blocks > 1,
        })
    }

    /// Puts the new database into place. Says where the old one is now, if it is kept.
    fn replace_by(self, new: TempPath, files: &Files) -> Result<Option<PathBuf>, Error> {
        let path = &files.database;
        let failed = |source| Error::file(&files.folder, source);
        let sync = || sync_folder(&files.folder).map_err(failed);
        if !self.exists {
            // Should a node have started here meanwhile, it keeps its database.
            new.persist_noclobber(path)
                .map_err(|error| Error::file(path, error.error))?;
            return sync().map(|()| None);
        }
        let kept = if self.is_kept {
            let kept = keep(files)?;
            sync()?;
            Some(kept)
        } else {
            None
        };
        new.persist(path)
            .map_err(|error| Error::file(path, error.error))?;
        sync()?;
        drop(self.lock);
        Ok(kept)
    }
}

/// Gives the database a dated name beside its own, which the new one takes then.
fn keep(files: &Files) -> Result<PathBuf, Error> {
    let now = Local::now().format("%d-%m-%Y_%H:%M:%S");
    for nth in 1.. {
        let suffix = if nth == 1 {
            String::new()
        } else {
            format!("_{nth}")
        };
        let kept = format!("{}_{now}{suffix}.redb", name_of(files));
        let kept = files.folder.join(kept);
        match link_or_copy(&files.database, &kept) {
            Ok(()) => return Ok(kept),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::file(&kept, error)),
        }
    }
    unreachable!("some number is free")
}
