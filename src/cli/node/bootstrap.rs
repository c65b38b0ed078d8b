//! The database of a starting node: an existing one, one imported from a chain file, or a new one.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::Local;
use tracing::info;

use super::args::{NodeOptions, Rules, SealedFrom};
use crate::chain::{Block, BlockHash, MessageId};
use crate::cli::error::Error;
use crate::cli::files::Files;
use crate::cli::import::{ImportRequest, import};
use crate::cli::signals::Signals;
use crate::clock::{Clock, SystemClock};
use crate::snapshot::files::SnapshotFiles;
use crate::snapshot::format::{ChainWriter, Format};
use crate::store::{Network, StoppedStore, Store, StoreError};

/// Creates the database if it is missing or if a new chain is forced. `joined` is the genesis block
/// of the network to join.
///
/// # Errors
/// If an option for a new database is given and there is another one already.
pub(super) fn ensure_database(
    args: &NodeOptions,
    rules: Rules,
    files: &Files,
    joined: Option<Block>,
    signals: &Signals,
) -> Result<(), Error> {
    if args.force_new_chain {
        return force_new_chain(args, rules, files, joined, signals);
    }
    if files.database.exists() {
        if let Some(text) = &args.new_genesis {
            check_own_genesis(files, text)?;
        }
        return Ok(());
    }
    if args.new_genesis.is_none()
        && joined.is_none()
        && let Some(chain) = chain_to_import(rules, files)?
    {
        return import_chain(args, rules, files, &chain, signals);
    }
    let genesis = genesis(args, rules, joined)?;
    let network = Network {
        difficulty: args.difficulty.unwrap_or_default(),
        sealed_from: match args.require_sealed {
            Some(SealedFrom::Index(from)) => Some(from.max(1)),
            _ => (!rules.accept_open(args)).then_some(1),
        },
    };
    match Store::create(&files.database, &genesis, network) {
        // Another process may have created it meanwhile; opening it reports that.
        Ok(()) | Err(StoreError::Exists { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    info!(path = %files.database.display(), genesis = %BlockHash::of(&genesis), "database created");
    Ok(())
}

/// Checks that the database has a genesis block as `--new-genesis` makes one, so that the option may
/// stay on a later start.
fn check_own_genesis(files: &Files, text: &str) -> Result<(), Error> {
    let stopped = StoppedStore::open(&files.database)?;
    let genesis = stopped.view()?.block(0)?;
    let default = Block::default_genesis();
    let is_own = |block: &Block| block.message.text() == text && *block != default;
    if genesis.as_ref().is_some_and(is_own) {
        return Ok(());
    }
    let error = format!("{} already has a chain", files.folder.display());
    Err(Error::rejected(error)
        .hint("use --new-genesis with a new folder or with --force-new-chain"))
}

/// Returns the genesis block of a new chain. `miner start --force-new-chain` creates a new one, as
/// the reference miner does.
fn genesis(args: &NodeOptions, rules: Rules, joined: Option<Block>) -> Result<Block, Error> {
    if let Some(joined) = joined {
        return Ok(joined);
    }
    let text = match &args.new_genesis {
        Some(text) => text,
        None if args.force_new_chain && rules == Rules::Reference => {
            crate::chain::block::GENESIS_TEXT
        }
        None => return Ok(Block::default_genesis()),
    };
    Block::genesis(SystemClock.seconds(), MessageId::random(), text.to_owned())
        .map_err(Error::usage)
}

/// Returns the chain file to import into a new database: the one that `miner start` names, or the
/// only one in the folder.
fn chain_to_import(rules: Rules, files: &Files) -> Result<Option<PathBuf>, Error> {
    if rules == Rules::Reference {
        return Ok(Some(files.chain.clone()).filter(|chain| chain.exists()));
    }
    let folder =
        fs::read_dir(&files.folder).map_err(|source| Error::file(&files.folder, source))?;
    let mut chains: Vec<_> = folder
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "chain")
        })
        .filter(|path| !is_backup(path))
        .collect();
    chains.sort();
    match &chains[..] {
        [] => Ok(None),
        [chain] => Ok(Some(chain.clone())),
        _ => {
            let names: Vec<_> = chains
                .iter()
                .map(|chain| chain.display().to_string())
                .collect();
            Err(Error::rejected(format!(
                "there is no database in {} and more than one chain file to import: {}",
                files.folder.display(),
                names.join(", ")
            ))
            .hint(format!(
                "choose one with \"blockchain import FILE --db {}\"",
                files.folder.display()
            )))
        }
    }
}

/// Returns `true` if a file is named `NAME_DD-MM-YYYY_HH:MM:SS.chain`.
fn is_backup(path: &Path) -> bool {
    const DATE: &str = "_dd-dd-dddd_dd:dd:dd";
    let stem = path.file_stem().unwrap_or_default().as_encoded_bytes();
    let Some(date) = stem
        .len()
        .checked_sub(DATE.len())
        .map(|start| &stem[start..])
    else {
        return false;
    };
    date.iter()
        .zip(DATE.bytes())
        .all(|(found, expected)| match expected {
            b'd' => found.is_ascii_digit(),
            separator => *found == separator,
        })
}

fn import_chain(
    args: &NodeOptions,
    rules: Rules,
    files: &Files,
    path: &Path,
    signals: &Signals,
) -> Result<(), Error> {
    let age = fs::metadata(path).and_then(|file| file.modified()).ok();
    let age = age
        .and_then(|written| written.elapsed().ok())
        .unwrap_or_default();
    info!(path = %path.display(), seconds_old = age.as_secs(), "importing a chain file");
    let request = ImportRequest {
        path,
        difficulty: args.difficulty,
        force_new_chain: args.force_new_chain,
        accept_open: rules.accept_open(args),
        require_sealed: None,
    };
    let report = import(files, request, signals)?;
    info!(
        blocks = report.blocks,
        difficulty = report.difficulty,
        genesis = report.genesis,
        pending = report.pending,
        "chain file imported"
    );
    Ok(())
}

/// Sets an existing database and chain file aside and starts with a genesis block alone, by
/// importing a chain of that block.
fn force_new_chain(
    args: &NodeOptions,
    rules: Rules,
    files: &Files,
    joined: Option<Block>,
    signals: &Signals,
) -> Result<(), Error> {
    let failed = |source| Error::file(&files.folder, source);
    let prefix = files.temporary_prefix();
    let make = || {
        tempfile::Builder::new()
            .prefix(&prefix)
            .tempfile_in(&files.folder)
    };
    let file = signals.create(make).map_err(failed)?;
    let mut writer =
        ChainWriter::new(Format::Chain, BufWriter::new(&file), false).map_err(failed)?;
    writer
        .push_all(&[genesis(args, rules, joined)?])
        .map_err(failed)?;
    writer
        .finish()
        .and_then(|mut out| out.flush())
        .map_err(failed)?;
    import_chain(args, rules, files, file.path(), signals)?;
    let kept = SnapshotFiles::new(files.chain.clone())
        .set_aside(Local::now())
        .map_err(|error| Error::file(&error.path, std::io::Error::other(error.source)))?;
    if let Some(kept) = kept {
        info!(file = kept, "previous chain file renamed");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_name_is_a_backup() {
        assert!(is_backup(Path::new("/x/node_22-11-2026_09:05:03.chain")));
        for name in [
            "node.chain",
            "node_22-11-2026.chain",
            "22-11-2026_09:05:03.chain",
            "é.chain",
        ] {
            assert!(!is_backup(Path::new(name)), "{name}");
        }
    }
}
