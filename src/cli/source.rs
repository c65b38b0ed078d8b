//! Where a command reads a chain from: the database of a stopped node, a running node, or a
//! reference miner.

mod reference;
pub(super) mod running;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use serde::{Deserialize, Serialize};

use self::reference::ReferenceMiner;
use super::error::Error;
use super::read_ahead::read_ahead;
use crate::chain::{Block, BlockHash, Message};
use crate::client::{HttpClient, NodeAddress};
use crate::fs::{check_own, folder_of, read_regular};
use crate::snapshot::files::SnapshotFiles;
use crate::store::{PageLimit, StoppedStore, StoreError, View};
use crate::wire::PendingMessage;
use crate::wire::object::objects;

/// How many blocks are read at a time.
pub(super) const PAGE: PageLimit = PageLimit {
    count: 1000,
    bytes: 4 * 1024 * 1024,
};

/// Maximum size of what a running node notes for other commands, in bytes.
pub(super) const MAX_NOTE_BYTES: u64 = 4096;

/// The files of a node.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) folder: PathBuf,
    pub(super) database: PathBuf,
    pub(super) address: PathBuf,
    /// What an administrator of the running node has to know.
    pub(super) token: PathBuf,
    pub(super) chain: PathBuf,
}

impl Files {
    /// The files in the folder of `node --db`.
    pub(super) fn in_folder(folder: &Path) -> Self {
        Self::named(
            folder.to_owned(),
            "node".as_ref(),
            folder.join("node.chain"),
        )
    }

    /// The files that `--db` names: those in the folder of `node --db`, or in that of a `miner
    /// start`; where a folder has several databases, the path of one of them says which.
    pub(super) fn of_database(path: &Path) -> Result<Self, Error> {
        if path.extension().is_some_and(|ending| ending == "redb") {
            let chain = path.with_extension("chain");
            return Self::of_chain(&chain).map_err(Error::usage);
        }
        let usual = Self::in_folder(path);
        let databases = databases_in(path);
        match &databases[..] {
            [] => Ok(usual),
            _ if usual.database.exists() => Ok(usual),
            [one] => Self::of_chain(&one.with_extension("chain")).map_err(Error::usage),
            _ => {
                let names = databases.iter().map(|path| path.display().to_string());
                let names: Vec<_> = names.collect();
                Err(Error::usage(format!(
                    "there are several databases, name one of them: {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// The node that runs on these files.
    pub(super) async fn running_node(&self) -> Result<HttpClient, Error> {
        match StoppedStore::open(&self.database) {
            Ok(_) => Err(Error::Failed(format!(
                "no node runs on {}; start one with: blockchain node --db {}",
                self.database.display(),
                self.folder.display()
            ))),
            Err(StoreError::Busy { path }) => self.client_of_running(&path).await,
            Err(error) => Err(error.into()),
        }
    }

    /// The files named after a chain file, in its folder.
    pub(super) fn of_chain(chain: &Path) -> Result<Self, String> {
        let name = chain
            .file_stem()
            .ok_or_else(|| format!("{} names no file", chain.display()))?;
        let ending = chain
            .extension()
            .and_then(|ending| ending.to_str())
            .unwrap_or_default();
        if matches!(ending, "redb" | "hash" | "address" | "token" | "log") {
            return Err(format!(
                "{} cannot be a chain file: .{ending} is the name of another file beside it",
                chain.display()
            ));
        }
        let folder = chain
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        Ok(Self::named(folder.to_owned(), name, chain.to_owned()))
    }

    async fn client_of_running(&self, database: &Path) -> Result<HttpClient, Error> {
        let unknown = || {
            Error::Failed(format!(
                "the database {} is in use, but no node on it can be found",
                database.display()
            ))
        };
        let text = read_regular(&self.address, MAX_NOTE_BYTES).map_err(|_| unknown())?;
        let running: RunningNode = serde_json::from_slice(&text).map_err(|_| unknown())?;
        let address: NodeAddress = running.address.parse().map_err(|_| unknown())?;
        let client = HttpClient::new(address)?;
        // Another node may have the address of one that was killed.
        if client.status().await?.node_id != running.node_id {
            return Err(unknown());
        }
        Ok(client)
    }

    /// How the names of files that are still being written begin.
    pub(super) fn temporary_prefix(&self) -> OsString {
        crate::temporary::prefix(&self.database)
    }

    /// Checks that nothing but regular files stands under the names of these files.
    pub(super) fn check(&self) -> Result<(), Error> {
        let hash = SnapshotFiles::new(self.chain.clone()).hash();
        for path in [
            &self.database,
            &self.address,
            &self.token,
            &self.chain,
            &hash,
        ] {
            check_own(path).map_err(|source| Error::file(path, source))?;
        }
        Ok(())
    }

    /// Whether a name is that of a file which a node keeps beside its database.
    pub(super) fn are_joined_by(file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default();
        let is_log = name.as_encoded_bytes().starts_with(b"miner.log");
        let ending = file.extension().unwrap_or_default();
        let is_kept = ["redb", "chain", "hash", "address", "token"].map(OsStr::new);
        databases_in(folder_of(file)).iter().any(|database| {
            is_log || is_kept.contains(&ending) && database.file_stem() == file.file_stem()
        })
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
            chain,
            folder,
        }
    }
}

/// The databases in a folder, sorted.
fn databases_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut databases: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "redb"))
        // What is still being written has a hidden name.
        .filter(|path| {
            let name = path.file_name().unwrap_or_default();
            !name.as_encoded_bytes().starts_with(b".")
        })
        .collect();
    databases.sort();
    databases
}

/// What `NAME.address` holds while a node runs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub(super) struct RunningNode {
    pub(super) address: String,
    pub(super) node_id: String,
}

objects!(RunningNode);

/// A chain, read as one consistent view.
pub(super) enum ChainSource {
    Stopped { _store: StoppedStore, view: View },
    Running(HttpClient),
    Reference(ReferenceMiner),
}

impl ChainSource {
    /// The chain in the folder of a node. If a node runs there it is asked.
    pub(super) async fn in_folder(files: &Files) -> Result<Self, Error> {
        match StoppedStore::open(&files.database) {
            Ok(store) => Ok(Self::Stopped {
                view: store.view()?,
                _store: store,
            }),
            Err(StoreError::Busy { path }) => {
                Ok(Self::Running(files.client_of_running(&path).await?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The chain of what answers there: a node of this program or a reference miner.
    pub(super) async fn of_node(client: HttpClient) -> Result<Self, Error> {
        match client.status().await {
            Ok(_) => Ok(Self::Running(client)),
            Err(error) if error.is_reference() => {
                let address = client.address().clone();
                Ok(Self::Reference(ReferenceMiner::new(address)?))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// All pending messages in order of arrival. Asked for before the blocks, so that one that is
    /// mined meanwhile is not missed.
    pub(super) async fn pending(&self) -> Result<Vec<Message>, Error> {
        match self {
            Self::Stopped { view, .. } => {
                let (mut pending, mut next) = (Vec::new(), 0);
                loop {
                    let page = view.pending_from(next, PAGE)?;
                    let Some(last) = page.last() else { break };
                    next = last.sequence + 1;
                    pending.extend(page.into_iter().map(|pending| pending.message));
                }
                Ok(pending)
            }
            Self::Running(client) => {
                let page = running::mempool(client).await?;
                let messages = page.messages.into_iter().map(message_from);
                messages.collect::<Result<_, _>>().map_err(|error| {
                    Error::Refused(format!("a pending message is not well-formed: {error}"))
                })
            }
            Self::Reference(miner) => miner.pending().await,
        }
    }

    /// Hands all blocks to `each` in pages, oldest first, until that says no; it is told how many
    /// there are, or have come so far from a reference miner, which tells at the end.
    pub(super) async fn for_each_page(
        &self,
        each: impl FnMut(Vec<Block>, u64) -> Result<bool, Error>,
    ) -> Result<(), Error> {
        match self {
            Self::Stopped { view, .. } => from_view(view, each),
            Self::Running(client) => from_node(client, each).await,
            Self::Reference(miner) => miner.for_each_page(each).await,
        }
    }
}

/// Reads the chain of a view.
pub(super) fn from_view(
    view: &View,
    mut each: impl FnMut(Vec<Block>, u64) -> Result<bool, Error>,
) -> Result<(), Error> {
    let length = view.last_block()?.index + 1;
    let read = |sender: &SyncSender<Vec<Block>>| -> Result<(), StoreError> {
        let mut next = 0;
        while next < length {
            let page = view.blocks(next, PAGE)?;
            next += page.len() as u64;
            if sender.send(page).is_err() {
                break;
            }
        }
        Ok(())
    };
    Ok(read_ahead(read, |page| each(page, length))??)
}

/// Reads a node's chain up to the tip it has now. Should the node switch to another branch
/// meanwhile, the blocks would not join, which is noticed.
async fn from_node(
    client: &HttpClient,
    mut each: impl FnMut(Vec<Block>, u64) -> Result<bool, Error>,
) -> Result<(), Error> {
    let tip = client.block("tip").await?.block;
    let length = tip.index.saturating_add(1);
    let mut last = None;
    let mut is_stopped = false;
    running::for_each_page(client, 0..length, |page| {
        let mut blocks = Vec::with_capacity(page.len());
        for block in page {
            let index = block.index;
            let block = Block::try_from(block).map_err(|error| {
                Error::Refused(format!("block {index} is not well-formed: {error}"))
            })?;
            blocks.push(block);
        }
        last = blocks.last().map(BlockHash::of);
        is_stopped = !each(blocks, length)?;
        Ok(!is_stopped)
    })
    .await?;
    if !is_stopped && last.map(|hash| hash.to_string()) != Some(tip.hash) {
        return Err(running::moved());
    }
    Ok(())
}

fn message_from(
    pending: PendingMessage,
) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Message::new(pending.id.parse()?, pending.message)?)
}
