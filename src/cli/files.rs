//! The files of a node, and how commands find the node that runs on them.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracing::info;

use super::error::Error;
use crate::client::{HttpClient, NodeAddress};
use crate::fs::{check_own, folder_of, read_regular};
use crate::snapshot::files::SnapshotFiles;
use crate::store::{StoppedStore, StoreError};
use crate::wire::object::objects;

/// Bytes that an import leaves free on the disk.
pub(super) const MIN_FREE: u64 = 64 << 20;

/// Maximum size of the files through which a running node is found, in bytes.
const MAX_NOTE_BYTES: u64 = 4096;

/// Replaces a leading `~` with the home folder, as a shell does; the environment and the
/// configuration file pass through no shell.
pub(super) fn expand(path: &Path) -> PathBuf {
    match (path.strip_prefix("~"), std::env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        _ => path.to_owned(),
    }
}

/// The files of a node.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) folder: PathBuf,
    pub(super) database: PathBuf,
    /// Holds a [`RunningNode`] while a node runs.
    pub(super) address: PathBuf,
    /// Holds the administrator's token while a node runs.
    pub(super) token: PathBuf,
    /// The latest snapshot.
    pub(super) chain: PathBuf,
    /// Says that a node has run on the database, so that a missing one is not taken for a new one.
    pub(super) marker: PathBuf,
}

/// Content of the marker, for a person who finds it.
const MARKER_TEXT: &str = "A node has run in this folder. While its database is missing, no node starts here.\n\
     Delete this file only to start a new chain in this folder.\n";

/// The content of `NAME.address`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub(super) struct RunningNode {
    pub(super) address: String,
    pub(super) node_id: String,
}

objects!(RunningNode);

impl Files {
    /// Returns the files in the folder of `node --db`.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self::named(
            folder.to_owned(),
            "node".as_ref(),
            folder.join("node.chain"),
        )
    }

    /// Returns the files in the folder of `node --db`, which may not exist yet.
    ///
    /// # Errors
    /// If it is a file.
    pub(super) fn in_new_folder(folder: &Path) -> Result<Self, Error> {
        if !folder.is_file() {
            return Ok(Self::in_folder(folder));
        }
        let parent = folder_of(folder).display();
        Err(
            Error::failed(format!("{}: not a folder but a file", folder.display()))
                .hint(format!("name a folder: --db {parent}")),
        )
    }

    /// Returns the files that `--db` names: those in the folder of `node --db` or of `miner start`.
    /// If a folder has several databases, the path of one of them selects it.
    pub(super) fn of_database(path: &Path) -> Result<Self, Error> {
        if path.extension().is_some_and(|ending| ending == "redb") {
            return Self::of_chain(&path.with_extension("chain"));
        }
        let default = Self::in_folder(path);
        let databases = databases_in(path);
        match &databases[..] {
            [] => Ok(default),
            _ if default.database.exists() => Ok(default),
            [one] => Self::of_chain(&one.with_extension("chain")),
            _ => {
                let names = databases.iter().map(|path| path.display().to_string());
                let names: Vec<_> = names.collect();
                Err(Error::usage(format!(
                    "there are several databases in {}: {}",
                    path.display(),
                    names.join(", ")
                ))
                .hint("name one of them with --db"))
            }
        }
    }

    /// Returns the files named after a chain file, in its folder.
    pub(super) fn of_chain(chain: &Path) -> Result<Self, Error> {
        let name = chain
            .file_stem()
            .ok_or_else(|| Error::usage(format!("{} is not a file name", chain.display())))?;
        let ending = chain
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default();
        if matches!(
            ending,
            "redb" | "hash" | "address" | "token" | "log" | "used"
        ) {
            return Err(Error::usage(format!(
                "{} cannot be a chain file: .{ending} names another file of a node",
                chain.display()
            )));
        }
        Ok(Self::named(
            folder_of(chain).to_owned(),
            name,
            chain.to_owned(),
        ))
    }

    fn named(folder: PathBuf, name: &OsStr, chain: PathBuf) -> Self {
        let path = |ending: &str| {
            let mut name = name.to_owned();
            name.push(ending);
            folder.join(name)
        };
        Self {
            database: path(".redb"),
            address: path(".address"),
            token: path(".token"),
            marker: path(".used"),
            chain,
            folder,
        }
    }

    /// Checks that the database is there if a node has run on it.
    ///
    /// # Errors
    /// If it is missing. A new chain, or the older one of a snapshot, must not take its place unnoticed.
    pub(super) fn check_not_lost(&self) -> Result<(), Error> {
        let is_lost = !self.database.exists() && self.marker.exists();
        if !is_lost {
            return Ok(());
        }
        let (database, folder) = (self.database.display(), self.folder.display());
        let written = fs::metadata(&self.chain).and_then(|chain| chain.modified());
        let snapshot = written.map_or(String::new(), |written| {
            let time = DateTime::<Utc>::from(written).format("%Y-%m-%d %H:%M:%S");
            format!(
                "; or import the snapshot of {time} UTC, which has no later messages, with \
                 \"blockchain import {} --db {folder}\"",
                self.chain.display()
            )
        });
        Err(Error::failed(format!(
            "{database} is missing, although a node has run on it"
        ))
        .hint(format!(
            "put the file back{snapshot}; or start a new chain with --force-new-chain or in \
                     another folder"
        )))
    }

    /// Notes that a node runs on the database.
    pub(super) fn mark_as_used(&self) -> Result<(), Error> {
        if self.marker.exists() {
            return Ok(());
        }
        self.write_private(&self.marker, MARKER_TEXT.as_bytes())
    }

    /// Returns a client of the node that runs on these files.
    pub(super) async fn running_node(&self) -> Result<HttpClient, Error> {
        match StoppedStore::open(&self.database) {
            Ok(_) => Err(
                Error::failed(format!("no node runs on {}", self.database.display())).hint(
                    format!(
                        "start one with \"blockchain node --db {}\"",
                        self.folder.display()
                    ),
                ),
            ),
            Err(StoreError::Busy { path }) => self.client_of_running(&path).await,
            Err(error) => Err(error.into()),
        }
    }

    /// Returns a client of the node that has `database` open.
    pub(super) async fn client_of_running(&self, database: &Path) -> Result<HttpClient, Error> {
        let unknown = || {
            Error::failed(format!(
                "database {} is in use by another process, but no node was found on it",
                database.display()
            ))
        };
        let text = read_regular(&self.address, MAX_NOTE_BYTES).map_err(|_| unknown())?;
        let running: RunningNode = serde_json::from_slice(&text).map_err(|_| unknown())?;
        let address: NodeAddress = running.address.parse().map_err(|_| unknown())?;
        let client = HttpClient::new(address)?;
        // Another node may listen on the address of one that was killed.
        if client.status().await?.node_id != running.node_id {
            return Err(unknown());
        }
        Ok(client)
    }

    /// Returns the administrator's token of the running node.
    pub(super) fn read_token(&self) -> Result<String, Error> {
        let token = read_regular(&self.token, MAX_NOTE_BYTES)
            .and_then(|token| String::from_utf8(token).map_err(std::io::Error::other))
            .map_err(|source| Error::file(&self.token, source))?;
        Ok(token.trim().to_owned())
    }

    /// Writes the address and the token of a running node, readable by its user only.
    pub(super) fn publish(&self, running: &RunningNode, token: &str) -> Result<(), Error> {
        let running = serde_json::to_vec(running)
            .map_err(|error| Error::file(&self.address, error.into()))?;
        self.write_private(&self.token, format!("{token}\n").as_bytes())?;
        self.write_private(&self.address, &running)
    }

    /// Removes what [`Self::publish`] wrote, unless another node has replaced it. A stale file
    /// would lead to whichever process uses the address next.
    pub(super) fn retract(&self, node_id: &str, token: &str) {
        let note = |path: &Path| read_regular(path, MAX_NOTE_BYTES);
        let is_own_address = |text: Vec<u8>| {
            serde_json::from_slice::<RunningNode>(&text)
                .is_ok_and(|running| running.node_id == node_id)
        };
        if note(&self.address).is_ok_and(is_own_address) {
            let _ = fs::remove_file(&self.address);
        }
        if note(&self.token).is_ok_and(|text| text.trim_ascii_end() == token.as_bytes()) {
            let _ = fs::remove_file(&self.token);
        }
    }

    fn write_private(&self, path: &Path, content: &[u8]) -> Result<(), Error> {
        let failed = |source| Error::file(path, source);
        // Temporary files are created with mode 0600.
        let mut file = tempfile::Builder::new()
            .prefix(&self.temporary_prefix())
            .tempfile_in(&self.folder)
            .map_err(failed)?;
        file.write_all(content).map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Returns the prefix of the names of unfinished files.
    pub(super) fn temporary_prefix(&self) -> OsString {
        crate::fs::temporary_prefix(&self.database)
    }

    /// Removes unfinished files of a process that was killed. Only the process that has the
    /// database open may call this.
    pub(super) fn remove_leftovers(&self) {
        let prefix = self.temporary_prefix();
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        for entry in entries.flatten() {
            let is_leftover = entry
                .file_name()
                .as_encoded_bytes()
                .starts_with(prefix.as_encoded_bytes());
            // A leftover that cannot be removed does no harm.
            if is_leftover && fs::remove_file(entry.path()).is_ok() {
                info!(path = %entry.path().display(), "removed a temporary file of an earlier run");
            }
        }
    }

    /// Checks that each of these files is a regular file or missing.
    pub(super) fn check(&self) -> Result<(), Error> {
        let hash = SnapshotFiles::new(self.chain.clone()).hash();
        for path in [
            &self.database,
            &self.address,
            &self.token,
            &self.chain,
            &self.marker,
            &hash,
        ] {
            check_own(path).map_err(|source| Error::file(path, source))?;
        }
        Ok(())
    }

    /// Returns `true` if a node with a database in the folder of `file` keeps a file of this name.
    pub(super) fn belongs_to_node(file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default();
        let is_log = name.as_encoded_bytes().starts_with(b"miner.log");
        let ending = file.extension().unwrap_or_default();
        let is_kept = ["redb", "chain", "hash", "address", "token", "used"].map(OsStr::new);
        // The folder, which can be large, is read for such names alone.
        (is_log || is_kept.contains(&ending))
            && databases_in(folder_of(file))
                .iter()
                .any(|database| is_log || database.file_stem() == file.file_stem())
    }
}

/// Returns the databases in a folder, sorted. Unfinished ones have hidden names and are left out.
fn databases_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut databases: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "redb"))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default();
            !name.as_encoded_bytes().starts_with(b".")
        })
        .collect();
    databases.sort();
    databases
}

/// Checks that the folder of a new file exists.
pub(super) fn check_folder_of(file: &Path) -> Result<(), Error> {
    let folder = folder_of(file);
    if folder.exists() {
        return Ok(());
    }
    let (file, folder) = (file.display(), folder.display());
    Err(Error::failed(format!(
        "cannot write {file}: the folder {folder} does not exist"
    )))
}

/// Returns the target of a path after links, if a command may replace the file there: a regular file
/// that does not belong to a node.
pub(super) fn replaceable(path: &Path) -> Result<PathBuf, Error> {
    let file = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let shown = path.display();
    let belongs_to_a_node =
        || Error::usage(format!("{shown} belongs to a node")).hint("choose another name");
    if Files::belongs_to_node(&file) {
        return Err(belongs_to_a_node());
    }
    let Ok(metadata) = fs::symlink_metadata(&file) else {
        check_folder_of(&file)?;
        return Ok(file);
    };
    if !metadata.is_file() {
        return Err(Error::usage(format!("{shown} is not a regular file"))
            .hint("omit --output to write to standard output"));
    }
    let of_a_node = ["redb", "token", "address"];
    let ending = file.extension().and_then(|ending| ending.to_str());
    if ending.is_some_and(|ending| of_a_node.contains(&ending)) || is_database(&file) {
        return Err(belongs_to_a_node());
    }
    Ok(file)
}

/// Returns `true` if a file begins as a database does.
pub(super) fn is_database(path: &Path) -> bool {
    let mut begin = [0; 4];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut begin));
    read.is_ok() && begin == *b"redb"
}
