//! Stamps on the disk. They are written and synced together, because each sync takes milliseconds.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rayon::iter::{
    IndexedParallelIterator, IntoParallelIterator, IntoParallelRefIterator, ParallelIterator,
};
use tempfile::TempPath;

use crate::cli::error::Error;
use crate::cli::files::replaceable;
use crate::cli::output::write_temporary;
use crate::fs::{folder_of, sync_all};
use crate::proofs::stamp::Stamp;

/// Writes new stamps, none over an existing file. They are on the disk when this returns. After an
/// error, none is left.
pub(super) fn create(
    paths: &[PathBuf],
    stamp: impl Fn(usize) -> Stamp + Sync,
) -> Result<(), Error> {
    let written = write_temporaries(paths, stamp)?;
    let results: Vec<_> = written
        .into_par_iter()
        .zip(paths)
        .map(|(file, path)| match file.persist_noclobber(path) {
            Ok(()) => Ok(path),
            Err(error) => Err(Error::file(path, error.error)),
        })
        .collect();
    let mut created = Vec::with_capacity(paths.len());
    let mut outcome = Ok(());
    for result in results {
        match result {
            Ok(path) => created.push(path),
            Err(error) => outcome = Err(error),
        }
    }
    let outcome = outcome.and_then(|()| sync_folders(paths));
    if outcome.is_err() {
        remove(created);
    }
    outcome
}

/// Removes stamps that prove nothing, because their message was not added.
pub(super) fn remove<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) {
    for path in paths {
        // One that stays is reported by the next run.
        let _ = fs::remove_file(path);
    }
}

/// Replaces stamps. A power cut leaves the old or the new one of each; the new ones are on the disk
/// when this returns.
pub(super) fn replace(
    paths: &[PathBuf],
    stamp: impl Fn(usize) -> Stamp + Sync,
) -> Result<(), Error> {
    let paths: Vec<_> = paths
        .par_iter()
        .map(|path| replaceable(path))
        .collect::<Result<_, _>>()?;
    let written = write_temporaries(&paths, stamp)?;
    written
        .into_par_iter()
        .zip(&paths)
        .try_for_each(|(file, path)| {
            let persisted = file.persist(path);
            persisted.map_err(|error| Error::file(path, error.error))
        })?;
    sync_folders(&paths)
}

/// Writes each stamp to a temporary file beside its path, and syncs the files.
fn write_temporaries(
    paths: &[PathBuf],
    stamp: impl Fn(usize) -> Stamp + Sync,
) -> Result<Vec<TempPath>, Error> {
    let write = |(nth, path): (usize, &PathBuf)| {
        let json = stamp(nth)
            .to_json()
            .ok_or_else(|| Error::rejected("the stamp would be larger than any reader accepts"))?;
        // Closed at once: a process may open fewer files than it may stamp.
        Ok(write_temporary(path, json.as_bytes())?.into_temp_path())
    };
    let written = paths.par_iter().enumerate().map(write);
    let written = written.collect::<Result<Vec<_>, Error>>()?;
    let files: Vec<&Path> = written.iter().map(|file| &**file).collect();
    sync_all(&files).map_err(failed)?;
    Ok(written)
}

fn sync_folders(paths: &[PathBuf]) -> Result<(), Error> {
    let folders: HashSet<_> = paths.iter().map(|path| folder_of(path)).collect();
    let folders: Vec<_> = folders.into_iter().collect();
    sync_all(&folders).map_err(failed)
}

fn failed(source: io::Error) -> Error {
    Error::io("the stamps", source)
}
