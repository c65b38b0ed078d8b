//! What can go wrong in the store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::chain::InvalidBlock;
use crate::codec::DecodeError;
use crate::text::counted;

/// Why the store could not do what it was asked.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such file.
    #[error("there is no database at {}", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// There is one already.
    #[error("there is a database at {} already", path.display())]
    Exists {
        /// Where it is.
        path: PathBuf,
    },
    /// Another process has the file open.
    #[error("the database {} is in use by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened or read: the permission is missing, the disk can only be read, the
    /// path names a folder.
    #[error("the database {} cannot be opened", path.display())]
    Unopened {
        /// The file.
        path: PathBuf,
        /// The answer of the system.
        #[source]
        source: Arc<io::Error>,
    },
    /// The file is something else.
    #[error("{} is not a database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// Written by another version of the program.
    #[error(
        "the database has schema version {found}, this program has version {supported}; {}",
        if found < supported {
            "export its chain with the program that wrote it, and import that"
        } else {
            "use the program that wrote it, or a newer one"
        }
    )]
    Schema {
        /// Version of the file.
        found: u32,
        /// Version of this program.
        supported: u32,
    },
    /// The content of the file contradicts itself.
    #[error("the database is damaged: {what}")]
    Corrupt {
        /// Which table and key, and what is wrong.
        what: String,
    },
    /// The database engine failed; most often the disk did.
    #[error("the database failed")]
    Engine(#[source] Arc<redb::Error>),
    /// The file system failed.
    #[error("{} failed", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// The file of the open database was taken away by somebody else.
    #[error("the database {} was {fate} while it was in use", path.display())]
    Lost {
        /// The path of the file.
        path: PathBuf,
        /// What became of the file, as a participle.
        fate: &'static str,
    },
    /// The operation was refused; nothing changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too many operations wait; nothing changed.
    #[error("too many operations are waiting")]
    Overloaded,
    /// A task panicked or was cancelled before it had a result; the database itself is unharmed.
    #[error("{task} ended without a result: {reason}")]
    Interrupted {
        /// The task.
        task: &'static str,
        /// How it ended.
        reason: String,
    },
    /// The writer has ended, so nothing can be written any more.
    #[error("the database is closed")]
    Closed,
}

/// Why an operation was refused; the database is fine and unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The chain has another tip than the blocks were made for.
    #[error("the tip of the chain has moved")]
    StaleTip,
    /// A block breaks a rule.
    #[error(transparent)]
    Invalid(#[from] InvalidBlock),
    /// The branch is not better than the chain held.
    #[error("the branch is not preferred to the chain held")]
    NotPreferred,
    /// The branch does not join the chain held.
    #[error("the branch does not join the chain held")]
    NotConnected,
    /// The branch forks too far below the tip.
    #[error(
        "{} would be taken off, more than the {limit} allowed by --max-reorg",
        counted(*depth, "block")
    )]
    TooDeep {
        /// Blocks that would be taken off.
        depth: u64,
        /// Most that may be.
        limit: u64,
    },
    /// The branch has another genesis block, and ours is fixed.
    #[error("the genesis block of this chain is fixed")]
    GenesisFixed,
    /// No room for more pending messages.
    #[error("the mempool is full ({count} messages, {bytes} bytes)")]
    MempoolFull {
        /// Messages pending.
        count: u64,
        /// Bytes of their texts.
        bytes: u64,
    },
    /// The same idempotency key came with another text.
    #[error("the idempotency key was used for another message")]
    KeyReused,
    /// The disk is nearly full.
    #[error("{free} bytes are free on the disk, less than the {needed} that must stay free")]
    NoSpace {
        /// Bytes free.
        free: u64,
        /// Bytes that must stay free.
        needed: u64,
    },
}

impl StoreError {
    /// Damage found in a table.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }

    /// A task that ended without a result.
    pub(crate) fn interrupted(task: &'static str, reason: &impl std::fmt::Display) -> Self {
        let reason = reason.to_string();
        Self::Interrupted { task, reason }
    }

    /// A file that the system does not open.
    pub(crate) fn opening_file(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            return Self::Missing { path };
        }
        let source = Arc::new(source);
        Self::Unopened { path, source }
    }

    /// The same error, met while the database at `path` was opened: it says which one it was.
    pub(crate) fn opening(self, path: &Path) -> Self {
        let Self::Engine(error) = &self else {
            return match self {
                Self::Corrupt { what } => Self::Corrupt {
                    what: format!("{}: {what}", path.display()),
                },
                error => error,
            };
        };
        match &**error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::Busy {
                path: path.to_owned(),
            },
            redb::Error::Io(error) => {
                let source = match error.raw_os_error() {
                    Some(code) => io::Error::from_raw_os_error(code),
                    None => io::Error::new(error.kind(), error.to_string()),
                };
                Self::opening_file(path, source)
            }
            _ => self,
        }
    }

    /// A row that must be there.
    pub(crate) fn missing(table: &str, key: impl std::fmt::Display) -> Self {
        Self::corrupt(format!("table {table}, key {key}: missing"))
    }

    /// A row of an index that leads to another block than it should.
    pub(crate) fn index_mismatch(table: &str, index: u64) -> Self {
        Self::corrupt(format!(
            "table {table} leads to block {index}, which is another one"
        ))
    }

    /// A stored value that does not decode.
    pub(crate) fn undecodable(
        table: &str,
        key: impl std::fmt::Display,
        source: &DecodeError,
    ) -> Self {
        Self::corrupt(format!("table {table}, key {key}: {source}"))
    }
}

/// Damage that the engine notices itself is named as such, an error of the storage under it is
/// handed through; everything else is its failure.
impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        if let redb::Error::Io(error) = &error
            && let Some(own) = error.get_ref().and_then(|own| own.downcast_ref::<Self>())
        {
            return own.clone();
        }
        match error {
            redb::Error::Corrupted(what) => Self::Corrupt { what },
            // The engine reads only what its own pages say is there.
            redb::Error::Io(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Self::corrupt(error.to_string())
            }
            redb::Error::TableDoesNotExist(name) => {
                Self::corrupt(format!("table {name} is missing"))
            }
            error @ (redb::Error::TableTypeMismatch { .. }
            | redb::Error::TableIsMultimap(_)
            | redb::Error::TypeDefinitionChanged { .. }) => Self::corrupt(error.to_string()),
            error => Self::Engine(Arc::new(error)),
        }
    }
}

/// Each operation of the engine has an error type of its own; all of them are one kind here.
macro_rules! from_engine {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                redb::Error::from(error).into()
            }
        })*
    };
}

from_engine!(
    CommitError,
    DatabaseError,
    StorageError,
    TableError,
    TransactionError
);
