//! The files to stamp.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, BufRead, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rayon::iter::{IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator};
use sha2::{Digest, Sha256};

use crate::cli::error::Error;
use crate::cli::files::expand;
use crate::fs::open_regular;
use crate::proofs::stamp::{Carrier, MAX_FILES, SALT_BYTES, Salt, Stamp, StampTree};

/// Size of the pieces in which a file is hashed, in bytes.
const READ_BYTES: usize = 128 * 1024;

/// A file with what its stamp needs.
#[derive(Debug)]
pub(super) struct Stampable {
    /// Path of its stamp.
    pub(super) stamp_path: PathBuf,
    salt: Salt,
    digest: [u8; 32],
}

impl Stampable {
    /// Hashes the files. No file may have a stamp already.
    pub(super) fn find(
        files: &[PathBuf],
        folder: Option<&Path>,
        plain: bool,
    ) -> Result<Vec<Self>, Error> {
        let files = named(files)?;
        if files.is_empty() || files.len() as u64 > MAX_FILES {
            let found = files.len();
            let text = format!("a stamp is for 1 to {MAX_FILES} files, not {found}");
            return Err(Error::usage(text));
        }
        let mut stamps = Vec::with_capacity(files.len());
        let mut seen = HashSet::with_capacity(files.len());
        for file in &files {
            let stamp = stamp_path(file, folder)?;
            if !seen.insert(stamp.clone()) {
                let text = format!("two files would have the stamp {}", stamp.display());
                return Err(Error::usage(text));
            }
            if stamp.symlink_metadata().is_ok() {
                return Err(Error::rejected(format!("{} exists already", stamp.display()))
                    .hint("remove it to stamp the file again, or complete it with \"blockchain stamp upgrade\""));
            }
            stamps.push(stamp);
        }
        let file = |(file, stamp): (&PathBuf, &PathBuf)| {
            Ok(Self {
                stamp_path: stamp.clone(),
                salt: if plain { None } else { Some(random_salt()) },
                digest: digest(file)?,
            })
        };
        files.par_iter().zip(stamps.par_iter()).map(file).collect()
    }

    /// Returns what stands for the file in the tree.
    pub(super) fn leaf(&self) -> (Salt, [u8; 32]) {
        (self.salt, self.digest)
    }

    /// Returns the stamp of the file at a position in the tree.
    pub(super) fn stamp(&self, leaf: usize, tree: &StampTree, carrier: &Carrier) -> Stamp {
        Stamp {
            salt: self.salt,
            leaf: leaf as u64,
            path: tree.path(leaf),
            carrier: carrier.clone(),
        }
    }
}

/// Replaces `-` by the names on the standard input.
fn named(files: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    if files != [Path::new("-")] {
        return Ok(files.iter().map(|file| expand(file)).collect());
    }
    let mut named = Vec::new();
    for line in io::stdin().lock().split(b'\n') {
        let line = line.map_err(Error::stdin)?;
        let name = line.strip_suffix(b"\r").unwrap_or(&line);
        if !name.is_empty() {
            named.push(PathBuf::from(OsStr::from_bytes(name)));
        }
        if named.len() as u64 > MAX_FILES {
            break;
        }
    }
    Ok(named)
}

/// Returns the path of the stamp of a file.
pub(super) fn stamp_path(file: &Path, folder: Option<&Path>) -> Result<PathBuf, Error> {
    let Some(name) = file.file_name() else {
        return Err(Error::usage(format!("{} is not a file", file.display())));
    };
    let mut stamp = name.to_owned();
    stamp.push(".stamp.json");
    Ok(match folder {
        Some(folder) => expand(folder).join(stamp),
        None => file.with_file_name(stamp),
    })
}

/// Returns the SHA-256 of a file that does not change meanwhile.
pub(super) fn digest(path: &Path) -> Result<[u8; 32], Error> {
    let failed = |source| Error::file(path, source);
    let file = open_regular(path).map_err(failed)?;
    let version = || -> io::Result<_> {
        let metadata = file.metadata()?;
        Ok((metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
    };
    let before = version().map_err(failed)?;
    let (mut hasher, mut buffer, mut length) = (Sha256::new(), vec![0; READ_BYTES], 0);
    loop {
        match (&mut &file).read(&mut buffer).map_err(failed)? {
            0 => break,
            read => {
                hasher.update(&buffer[..read]);
                length += read as u64;
            }
        }
    }
    if version().map_err(failed)? != before || length != before.0 {
        let text = format!("{} changed while it was read", path.display());
        return Err(Error::failed(text).hint("stamp it when nothing writes to it any more"));
    }
    Ok(hasher.finalize().into())
}

fn random_salt() -> [u8; SALT_BYTES] {
    // Two random UUIDs have 244 random bits, which the digest joins.
    let random = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()].map(uuid::Uuid::into_bytes);
    let mut salt = [0; SALT_BYTES];
    salt.copy_from_slice(&Sha256::digest(random.as_flattened())[..SALT_BYTES]);
    salt
}
