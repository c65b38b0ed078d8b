//! The state folder: one sub-folder per network, a lock, and files that are replaced as a whole.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::MonitorError;
use crate::fs::{append_to_own, check_own, open_regular, persist, read_regular, sync_folder};

/// Maximum size of a file of the state, in bytes.
const MAX_FILE_BYTES: u64 = 256 << 20;

/// Number of digits of the genesis hash in the name of a sub-folder.
const NAME_DIGITS: usize = 16;

/// The folder of the state of one network, locked against other monitors.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
    #[cfg(test)]
    writes_left: std::sync::atomic::AtomicUsize,
}

impl Folder {
    /// Creates the folder of a network below `root` if it is missing, and locks it.
    ///
    /// # Errors
    /// [`MonitorError::Busy`] or [`MonitorError::State`].
    pub fn open(root: &Path, genesis: &str) -> Result<Self, MonitorError> {
        let path = root.join(&genesis[..NAME_DIGITS.min(genesis.len())]);
        let failed = |path: &Path, source| MonitorError::State {
            path: path.to_owned(),
            source,
        };
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true).mode(0o700);
        builder
            .create(path.join("evidence"))
            .map_err(|source| failed(&path, source))?;
        let lock_path = path.join("lock");
        let lock = append_to_own(&lock_path).map_err(|source| failed(&lock_path, source))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(MonitorError::Busy { path }),
            Err(TryLockError::Error(source)) => return Err(failed(&lock_path, source)),
        }
        // A killed process may have left its temporary files behind.
        for entry in fs::read_dir(&path).map_err(|source| failed(&path, source))? {
            let name = entry.map_err(|source| failed(&path, source))?.file_name();
            if name.to_string_lossy().starts_with(TEMPORARY) {
                let temporary = path.join(name);
                fs::remove_file(&temporary).map_err(|source| failed(&temporary, source))?;
            }
        }
        Ok(Self {
            path,
            _lock: lock,
            #[cfg(test)]
            writes_left: std::sync::atomic::AtomicUsize::new(usize::MAX),
        })
    }

    /// Returns the names of the sub-folders of `root` that hold a state, and the content of a file
    /// of each.
    pub(super) fn list(root: &Path, file: &str) -> Vec<(PathBuf, String)> {
        let entries = fs::read_dir(root).into_iter().flatten().flatten();
        let mut found: Vec<_> = entries
            .map(|entry| entry.path())
            .filter(|path| path.join(SETTLED).is_file())
            .map(|path| {
                let bytes = read_regular(&path.join(file), MAX_FILE_BYTES).unwrap_or_default();
                (path, String::from_utf8_lossy(&bytes).into_owned())
            })
            .collect();
        found.sort();
        found
    }

    /// Returns the path of a file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Reads a file; `None` if there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<String>, MonitorError> {
        let path = self.path(name);
        match read_regular(&path, MAX_FILE_BYTES) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Some(text)),
                Err(_) => Err(self.failed(name, io::Error::other("the file is not text"))),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.failed(name, source)),
        }
    }

    /// Returns the time of the last write to a file, in seconds since the epoch.
    pub(super) fn modified(&self, name: &str) -> Result<u64, MonitorError> {
        let modified = fs::metadata(self.path(name)).and_then(|metadata| metadata.modified());
        let modified = modified.map_err(|source| self.failed(name, source))?;
        let since = modified.duration_since(UNIX_EPOCH);
        Ok(since.map_or(0, |since| since.as_secs()))
    }

    /// Replaces a file, whole or not at all, and durably.
    pub(super) fn replace(&self, name: &str, content: &str) -> Result<(), MonitorError> {
        #[cfg(test)]
        self.fault();
        let path = self.path(name);
        let replaced = || {
            check_own(&path)?;
            let mut file = tempfile::Builder::new()
                .prefix(TEMPORARY)
                .tempfile_in(&self.path)?;
            file.write_all(content.as_bytes())?;
            persist(file, &path)?;
            sync_folder(&self.path)
        };
        replaced().map_err(|source| self.failed(name, source))
    }

    /// Appends lines to a file, durably. A line that a killed process left incomplete is ended
    /// first. A file of more than `max_bytes` is set aside under the name `old`.
    pub(super) fn append(
        &self,
        name: &str,
        lines: &str,
        (old, max_bytes): (&str, u64),
    ) -> Result<(), MonitorError> {
        #[cfg(test)]
        self.fault();
        let path = self.path(name);
        let appended = || {
            let mut text = String::new();
            match open_regular(&path) {
                Ok(mut file) => {
                    let length = file.metadata()?.len();
                    if length > max_bytes {
                        fs::rename(&path, self.path.join(old))?;
                    } else if length > 0 {
                        let mut last = [0];
                        file.seek(SeekFrom::End(-1))?;
                        file.read_exact(&mut last)?;
                        if last != *b"\n" {
                            text.push('\n');
                        }
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            text.push_str(lines);
            let mut file = append_to_own(&path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            sync_folder(&self.path)
        };
        appended().map_err(|source| self.failed(name, source))
    }

    /// Writes a new folder with these files, whole or not at all. `replaced` is removed first.
    pub(super) fn create_folder(
        &self,
        name: &str,
        files: &[(&str, String)],
        replaced: Option<&Path>,
    ) -> Result<(), MonitorError> {
        #[cfg(test)]
        self.fault();
        let parent = self.path(EVIDENCE);
        let created = || {
            if let Some(old) = replaced {
                fs::remove_dir_all(old)?;
            }
            let folder = tempfile::Builder::new()
                .prefix(TEMPORARY)
                .tempdir_in(&parent)?;
            for (name, content) in files {
                let mut file = File::create_new(folder.path().join(name))?;
                file.write_all(content.as_bytes())?;
                file.sync_all()?;
            }
            sync_folder(folder.path())?;
            fs::rename(folder.path(), parent.join(name))?;
            // The folder has another name now, so there is nothing left to delete.
            let _ = folder.keep();
            sync_folder(&parent)
        };
        created().map_err(|source| self.failed(EVIDENCE, source))
    }

    pub(super) fn failed(&self, name: &str, source: io::Error) -> MonitorError {
        MonitorError::State {
            path: self.path(name),
            source,
        }
    }

    /// Panics before this write, if a test asked for that.
    #[cfg(test)]
    fn fault(&self) {
        use std::sync::atomic::Ordering::Relaxed;
        let left = self.writes_left.load(Relaxed);
        assert!(left > 0, "killed before this write");
        self.writes_left.store(left - 1, Relaxed);
    }

    /// Makes a panic of the write after the next `count` ones, as if the process were killed.
    #[cfg(test)]
    pub(super) fn kill_after(&self, count: usize) {
        self.writes_left
            .store(count, std::sync::atomic::Ordering::Relaxed);
    }
}

/// Prefix of temporary files and folders.
pub(super) const TEMPORARY: &str = ".tmp-";

/// Name of the file with the settled checkpoint.
pub(super) const SETTLED: &str = "settled";

/// Name of the folder of the evidence folders.
pub(super) const EVIDENCE: &str = "evidence";

#[cfg(test)]
mod tests {
    use super::*;

    const KEEP_ALL: (&str, u64) = ("old", u64::MAX);

    #[test]
    fn only_one_monitor_has_a_state() {
        let root = tempfile::tempdir().unwrap();
        let genesis = "0123456789abcdef0000";
        let folder = Folder::open(root.path(), genesis).unwrap();
        let second = Folder::open(root.path(), genesis).unwrap_err();
        assert!(
            second.to_string().contains("0123456789abcdef is in use"),
            "{second}"
        );
        Folder::open(root.path(), "fedcba98765432100000").unwrap();
        drop(folder);
        Folder::open(root.path(), genesis).unwrap();
    }

    #[test]
    fn an_incomplete_line_is_ended_before_the_next_one() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::open(root.path(), "0").unwrap();
        fs::write(folder.path("events"), "whole\ntorn").unwrap();
        folder.append("events", "next\n", KEEP_ALL).unwrap();
        let text = folder.read("events").unwrap().unwrap();
        assert_eq!(text, "whole\ntorn\nnext\n");
        folder.append("events", "new\n", ("old", 3)).unwrap();
        assert_eq!(folder.read("events").unwrap().unwrap(), "new\n");
        assert_eq!(folder.read("old").unwrap().unwrap(), text);
    }

    #[test]
    fn leftovers_of_a_killed_process_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let path = Folder::open(root.path(), "0").unwrap().path("");
        fs::write(path.join(".tmp-x"), "half").unwrap();
        Folder::open(root.path(), "0").unwrap();
        assert!(!path.join(".tmp-x").exists());
    }
}
