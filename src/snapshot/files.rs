//! The files of a snapshot: the chain file, its hash file, and dated backups of older chain files.
//!
//! A new chain file is written under a temporary name and synced to the disk. Then the old chain file
//! is linked as a backup, the new one is renamed over it, and the hash file is written last. So the
//! chain file is complete at any moment, and a hash that does not match is only out of date.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Local, TimeDelta};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use thiserror::Error;

use crate::fs::{folder_of, link_or_copy, persist, read_regular, sync_folder, temporary_prefix};

/// Maximum number of seconds that the name of a backup is ahead of the clock. Several backups within
/// one second have consecutive names.
const MAX_NAMES_AHEAD: i64 = 60;

/// Error of writing a file.
#[derive(Clone, Debug, Error)]
#[error("{} could not be written", path.display())]
pub struct SnapshotError {
    /// The file.
    pub path: PathBuf,
    /// Error of the operating system.
    #[source]
    pub source: Arc<io::Error>,
}

/// The files of a snapshot in one folder: `NAME.chain`, `NAME.hash` and `NAME_DATE.chain`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFiles {
    chain: PathBuf,
}

/// Outcome of writing a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// There is a chain file, and its hash file names the same content. The chain file itself was not
    /// read.
    Unchanged,
    /// There was no chain file.
    First,
    /// The old chain file was kept as a backup.
    Replaced {
        /// File name of the backup.
        backup: String,
    },
}

impl SnapshotFiles {
    /// Creates the names of the files from that of the chain file.
    pub fn new(chain: PathBuf) -> Self {
        Self { chain }
    }

    /// Returns the path of the chain file.
    pub fn chain(&self) -> &Path {
        &self.chain
    }

    /// Returns the path of the file with the SHA-256 of the chain file.
    pub fn hash(&self) -> PathBuf {
        self.chain.with_extension("hash")
    }

    /// Writes a snapshot with the bytes that `render` writes. The name of a backup contains `now`.
    pub fn write(
        &self,
        now: DateTime<Local>,
        render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<Written, SnapshotError> {
        let (file, digest) = self.write_beside(render)?;
        let hash = read_regular(&self.hash(), digest.len() as u64);
        if self.chain.exists() && hash.is_ok_and(|hash| hash == digest.as_bytes()) {
            return Ok(Written::Unchanged);
        }
        let written = if self.chain.exists() {
            Written::Replaced {
                backup: self.link_backup(now)?,
            }
        } else {
            Written::First
        };
        file.persist(&self.chain)
            .map_err(|error| self.failed(&self.chain, error.error))?;
        self.sync_folder()?;
        self.write_hash(&digest)?;
        Ok(written)
    }

    /// Renames the chain file, if there is one, to a dated name and deletes its hash file. Returns the
    /// new name.
    pub fn set_aside(&self, now: DateTime<Local>) -> Result<Option<String>, SnapshotError> {
        if !self.chain.exists() {
            return Ok(None);
        }
        let kept = self.link_backup(now)?;
        fs::remove_file(&self.chain).map_err(|source| self.failed(&self.chain, source))?;
        // A hash file without its chain file is unused, and it may not exist.
        let _ = fs::remove_file(self.hash());
        self.sync_folder()?;
        Ok(Some(kept))
    }

    /// Deletes all but the newest `keep` of the named backups, which are in order of age, and returns
    /// the names of those kept. A backup that cannot be deleted is not retried.
    pub fn prune(&self, backups: Vec<String>, keep: usize) -> Vec<String> {
        let surplus = backups.len().saturating_sub(keep);
        let mut kept = backups;
        for old in kept.drain(..surplus) {
            // It may have been moved or deleted already.
            let _ = fs::remove_file(self.folder().join(old));
        }
        kept
    }

    fn write_beside(
        &self,
        render: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(NamedTempFile, String), SnapshotError> {
        let temporary = self
            .temporary()
            .map_err(|source| self.failed(self.folder(), source))?;
        let mut hashed = Hashed {
            out: BufWriter::new(temporary),
            digest: Sha256::new(),
        };
        let failed = |source| self.failed(&self.chain, source);
        render(&mut hashed).map_err(failed)?;
        let file = hashed
            .out
            .into_inner()
            .map_err(|error| failed(error.into_error()))?;
        file.as_file().sync_all().map_err(failed)?;
        Ok((file, hex::encode(hashed.digest.finalize())))
    }

    /// Links the chain file to a dated name that no other backup has.
    fn link_backup(&self, now: DateTime<Local>) -> Result<String, SnapshotError> {
        let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
        for ahead in 0..MAX_NAMES_AHEAD {
            let time = now + TimeDelta::seconds(ahead);
            let name = self.backup_name(time);
            let path = self.folder().join(&name);
            match link_or_copy(&self.chain, &path) {
                Ok(()) => return Ok(name),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(self.failed(&path, error)),
            }
        }
        Err(self.failed(&self.chain, last))
    }

    fn backup_name(&self, time: DateTime<Local>) -> String {
        let part = |part: Option<&std::ffi::OsStr>| {
            part.map(|part| part.to_string_lossy().into_owned())
                .unwrap_or_default()
        };
        let date = time.format("%d-%m-%Y_%H:%M:%S");
        let extension = part(self.chain.extension());
        let dot = if extension.is_empty() { "" } else { "." };
        format!("{}_{date}{dot}{extension}", part(self.chain.file_stem()))
    }

    fn write_hash(&self, digest: &str) -> Result<(), SnapshotError> {
        let path = self.hash();
        let failed = |source| self.failed(&path, source);
        let mut file = self.temporary().map_err(failed)?;
        file.write_all(digest.as_bytes()).map_err(failed)?;
        persist(file, &path).map_err(failed)?;
        self.sync_folder()
    }

    fn temporary(&self) -> io::Result<NamedTempFile> {
        tempfile::Builder::new()
            .prefix(&temporary_prefix(&self.chain))
            .tempfile_in(self.folder())
    }

    fn folder(&self) -> &Path {
        folder_of(&self.chain)
    }

    fn sync_folder(&self) -> Result<(), SnapshotError> {
        let folder = self.folder();
        sync_folder(folder).map_err(|source| self.failed(folder, source))
    }

    #[expect(clippy::unused_self, reason = "called like the other steps")]
    fn failed(&self, path: &Path, source: io::Error) -> SnapshotError {
        SnapshotError {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }
}

/// A writer that hashes the bytes written through it.
pub struct Hashed<W> {
    /// The underlying writer.
    pub out: W,
    /// Digest of the bytes written so far.
    pub digest: Sha256,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.digest.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn at(second: u32) -> DateTime<Local> {
        Local.with_ymd_and_hms(2026, 11, 22, 9, 5, second).unwrap()
    }

    fn write(files: &SnapshotFiles, second: u32, text: &str) -> Written {
        files
            .write(at(second), |out| out.write_all(text.as_bytes()))
            .unwrap()
    }

    #[test]
    fn a_snapshot_keeps_the_previous_one_as_a_dated_backup() {
        let folder = tempfile::tempdir().unwrap();
        let files = SnapshotFiles::new(folder.path().join("node.chain"));
        assert_eq!(write(&files, 1, "one"), Written::First);
        assert_eq!(write(&files, 2, "one"), Written::Unchanged);
        let backup = "node_22-11-2026_09:05:03.chain".to_owned();
        assert_eq!(
            write(&files, 3, "two"),
            Written::Replaced {
                backup: backup.clone()
            }
        );
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("node.chain"), "two");
        assert_eq!(read(&backup), "one");
        assert_eq!(read("node.hash"), hex::encode(Sha256::digest("two")));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn backups_within_one_second_have_different_names() {
        let folder = tempfile::tempdir().unwrap();
        let files = SnapshotFiles::new(folder.path().join("node.chain"));
        let names = ["one", "two", "three"].map(|text| write(&files, 7, text));
        let backup = |name: &str| Written::Replaced {
            backup: name.to_owned(),
        };
        assert_eq!(names[1], backup("node_22-11-2026_09:05:07.chain"));
        assert_eq!(names[2], backup("node_22-11-2026_09:05:08.chain"));
    }

    #[test]
    fn a_failed_write_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let files = SnapshotFiles::new(folder.path().join("node.chain"));
        write(&files, 1, "one");
        let failed = files.write(at(2), |out| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        });
        assert_eq!(
            failed.unwrap_err().source.kind(),
            io::ErrorKind::StorageFull
        );
        assert_eq!(fs::read_to_string(files.chain()).unwrap(), "one");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_missing_hash_is_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let files = SnapshotFiles::new(folder.path().join("node.chain"));
        write(&files, 1, "one");
        fs::remove_file(files.hash()).unwrap();
        write(&files, 2, "one");
        assert!(files.hash().exists());
    }

    #[test]
    fn only_the_oldest_of_the_named_backups_are_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let files = SnapshotFiles::new(folder.path().join("node.chain"));
        let names = ["a", "b", "c"].map(str::to_owned);
        for name in names.iter().chain([&"foreign".to_owned()]) {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        assert_eq!(files.prune(names.to_vec(), 2), ["b", "c"]);
        assert_eq!(
            files.prune(vec!["gone".to_owned(), "c".to_owned()], 1),
            ["c"]
        );
        assert!(!folder.path().join("a").exists());
        assert!(folder.path().join("foreign").exists());
    }
}
