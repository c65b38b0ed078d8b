//! `blockchain import`: imports a chain file into a stopped node.
//!
//! The file is read once. The new database is built under a temporary name in the same folder while
//! the chain is checked, and renamed into place only if the whole file is valid and the database
//! complete and on disk, so a kill at any moment leaves either the old state or the new one. The old database stays locked until then, so
//! no node can start on it meanwhile.

mod build;
mod require_sealed;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use chrono::Local;
use clap::Args;
use serde::Serialize;
use tempfile::TempPath;

use self::build::{Build, Carried};
use self::require_sealed::RequireSealed;
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

/// Maximum length of a chain whose proofs may all have an extra zero by chance.
const FEW_BLOCKS: u64 = 8;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Chain file in any format of export or of the reference miner; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Folder of a stopped node; created if missing
    #[arg(long, value_name = "DIR")]
    db: PathBuf,
    /// Number of zeros at the end of every proof's digest (default: the lowest number in the chain)
    #[arg(long, value_name = "N")]
    difficulty: Option<Difficulty>,
    /// Set an existing chain aside under a dated name and keep its pending messages
    #[arg(long, alias = "force_new_chain")]
    force_new_chain: bool,
    /// Require sealed blocks from block FROM on; without FROM, from the block after the last open one
    /// (default: from the first block after the imported ones)
    #[arg(
        long,
        alias = "require_sealed",
        value_name = "FROM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "all"
    )]
    require_sealed: Option<RequireSealed>,
}

/// Parameters of an import.
#[derive(Clone, Copy, Debug)]
pub(super) struct ImportRequest<'a> {
    /// The chain file, or `-`.
    pub(super) path: &'a Path,
    /// Difficulty of the network; `None` to infer it from the chain.
    pub(super) difficulty: Option<Difficulty>,
    /// Sets an existing chain aside instead of rejecting the import.
    pub(super) force_new_chain: bool,
    /// Accepts open proofs after the imported blocks, as a network with reference miners requires.
    pub(super) accept_open: bool,
    /// First index that must be sealed; `None` for the first one after the imported blocks.
    pub(super) require_sealed: Option<RequireSealed>,
}

/// The result of an import.
#[derive(Debug, Serialize)]
pub(super) struct ImportReport {
    pub(super) blocks: u64,
    pub(super) genesis: String,
    pub(super) tip: String,
    /// Difficulty of the network.
    pub(super) difficulty: u8,
    /// Source of the difficulty.
    pub(super) difficulty_from: DifficultyFrom,
    /// First index that must be sealed.
    pub(super) sealed_from: Option<u64>,
    pub(super) sealed: u64,
    pub(super) open: u64,
    /// Number of message ids that appear in more than one block.
    pub(super) repeated_ids: u64,
    /// Number of pending messages, from the file and carried over.
    pub(super) pending: u64,
    /// Format of the file.
    pub(super) format: &'static str,
    /// `true` if the file matches the hash beside it; null if there is no hash.
    pub(super) hash_matches: Option<bool>,
    /// Path of the new database.
    pub(super) database: String,
    /// Path of the old database, if it is kept.
    pub(super) old_database: Option<String>,
}

/// Source of the difficulty of an imported chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum DifficultyFrom {
    /// The option `--difficulty`.
    Option,
    /// The fewest zeros of any proof in the chain.
    Chain,
    /// The default, because the chain has too few proofs to infer it.
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
            DifficultyFrom::Option => "set by --difficulty",
            DifficultyFrom::Chain => "the fewest zeros of any proof; --difficulty sets a lower one",
            DifficultyFrom::Default => "the default; there are too few proofs to infer it",
        };
        writeln!(f, "difficulty {} ({from})", self.difficulty)?;
        match self.sealed_from {
            Some(from) => writeln!(f, "every block from {from} on must be sealed")?,
            None => writeln!(f, "open proofs are accepted")?,
        }
        match self.repeated_ids {
            0 => {}
            1 => writeln!(f, "1 message id appears in more than one block")?,
            count => writeln!(f, "{count} message ids appear in more than one block")?,
        }
        if self.pending > 0 {
            writeln!(f, "{}", counted(self.pending, "pending message"))?;
        }
        if let Some(old) = &self.old_database {
            writeln!(f, "old database kept as {old}")?;
        }
        writeln!(f, "genesis {}", self.genesis)?;
        write!(f, "tip     {}", self.tip)
    }
}

pub(super) fn run(args: &ImportArgs, output: Output, signals: &Signals) -> Result<(), Error> {
    let files = Files::of_database(&expand(&args.db))?;
    let report = import(
        &files,
        ImportRequest {
            path: &args.file,
            difficulty: args.difficulty,
            force_new_chain: args.force_new_chain,
            accept_open: false,
            require_sealed: args.require_sealed,
        },
        signals,
    )?;
    output.print(&report)
}

/// Checks a chain file and imports it. Blocks the thread.
///
/// # Errors
/// If the chain is invalid or the folder does not allow it; then nothing has changed.
pub(super) fn import(
    files: &Files,
    request: ImportRequest<'_>,
    signals: &Signals,
) -> Result<ImportReport, Error> {
    let folder = &files.folder;
    let is_new = !folder.exists();
    fs::create_dir_all(folder).map_err(|source| Error::file(folder, source))?;
    let imported = import_into(files, request, signals);
    if is_new && imported.is_err() {
        // Succeeds only if nothing else was put there meanwhile.
        let _ = fs::remove_dir(folder);
    }
    imported
}

fn import_into(
    files: &Files,
    request: ImportRequest<'_>,
    signals: &Signals,
) -> Result<ImportReport, Error> {
    files.check()?;
    let mut old = Old::lock(files, request.force_new_chain)?;
    let mut file = ChainFile::open(request.path)?;
    let new = temporary_name(files)?;
    signals.note(&new);
    let network = |examiner: &Examiner| Network {
        difficulty: difficulty_of(examiner, request.difficulty).0,
        sealed_from: match request.require_sealed {
            _ if request.accept_open => None,
            None => Some(examiner.blocks()),
            Some(RequireSealed::All) => Some(examiner.last_open + 1),
            Some(RequireSealed::From(index)) => Some(index),
        },
    };
    let sealed_from = request.require_sealed.and_then(RequireSealed::index);
    let mut examiner = Examiner::new(request.difficulty, sealed_from);
    // The database counts repeated ids when it sorts them.
    examiner.ids = None;
    let mut build = Build::new(&new, examiner, &network, std::mem::take(&mut old.carried));
    let walk = build.read(&mut file)?;
    file.warn_of_hash(&walk);
    let examiner = &build.examiner;
    if let Some(error) = &examiner.error {
        return Err(file.rejected(error));
    }
    let (Some(genesis), Some(tip)) = (examiner.genesis_hash(), examiner.checker.tip()) else {
        return Err(file.rejected("the chain has no block"));
    };
    let tip = tip.hash.to_string();
    let (blocks, seals) = (examiner.blocks(), examiner.checker.seals());
    let (difficulty, difficulty_from) = difficulty_of(examiner, request.difficulty);
    let sealed_from = network(examiner).sealed_from;
    let built = build.finish()?;
    let old_database = signals.finish(|| old.replace_by(new, files))?;
    Ok(ImportReport {
        blocks,
        genesis,
        tip,
        difficulty: difficulty.get(),
        difficulty_from,
        sealed_from,
        sealed: seals.sealed,
        open: seals.open,
        repeated_ids: built.repeated_ids,
        pending: built.pending,
        format: walk.format.unwrap_or(Format::Chain).name(),
        hash_matches: walk.hash_matches,
        database: files.database.display().to_string(),
        old_database: old_database.map(|old| old.display().to_string()),
    })
}

/// Returns the difficulty of the network of a chain, with its source.
fn difficulty_of(examiner: &Examiner, option: Option<Difficulty>) -> (Difficulty, DifficultyFrom) {
    let default = Difficulty::default();
    let lowest = examiner.checker.min_zeros();
    let lowest = lowest.and_then(|zeros| Difficulty::new(zeros).ok());
    match (option, lowest) {
        (Some(difficulty), _) => (difficulty, DifficultyFrom::Option),
        // A few proofs may have more zeros than required.
        (None, Some(lowest)) if examiner.blocks() <= FEW_BLOCKS && lowest > default => {
            (default, DifficultyFrom::Default)
        }
        (None, Some(lowest)) => (lowest, DifficultyFrom::Chain),
        (None, None) => (default, DifficultyFrom::Default),
    }
}

/// Returns the temporary path of the new database, removed on drop. A leftover of a killed import
/// is removed first.
fn temporary_name(files: &Files) -> Result<TempPath, Error> {
    let mut name = files.temporary_prefix();
    name.push("import");
    let path = files.folder.join(name);
    match StoppedStore::open_exclusive(&path) {
        Err(StoreError::Missing { .. }) => {}
        Err(StoreError::Busy { .. }) => {
            return Err(Error::failed(format!(
                "another import into {} is in progress",
                files.folder.display()
            )));
        }
        _ => fs::remove_file(&path).map_err(|source| Error::file(&path, source))?,
    }
    TempPath::try_from_path(&path).map_err(|source| Error::file(&path, source))
}

/// Returns the name that the files of a node share.
fn name_of(files: &Files) -> String {
    let name = files.database.file_stem().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// The database before the import.
struct Old {
    /// Keeps other processes out until the new database is in place.
    lock: Option<StoppedStore>,
    exists: bool,
    /// The database is kept under a dated name.
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
        match &*error.kind {
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
        let blocks = view.tip_block()?.index + 1;
        if blocks > 1 && !force_new_chain {
            return Err(Error::rejected(format!(
                "{} already has a chain of {blocks} blocks",
                path.display()
            ))
            .hint("set it aside under a dated name with --force-new-chain"));
        }
        Ok(Self {
            carried: Carried::from(&view)?,
            lock: Some(store),
            exists: true,
            is_kept: blocks > 1,
        })
    }

    /// Moves the new database into place. Returns the path of the old one if it is kept.
    fn replace_by(self, new: TempPath, files: &Files) -> Result<Option<PathBuf>, Error> {
        let path = &files.database;
        let failed = |source| Error::file(&files.folder, source);
        let sync = || sync_folder(&files.folder).map_err(failed);
        if !self.exists {
            // A node that was started here meanwhile keeps its database.
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

/// Links the database to a dated name, so that the new one can replace it.
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
