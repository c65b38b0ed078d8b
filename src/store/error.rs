//! The errors of the store.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use crate::chain::InvalidBlock;
use crate::codec::DecodeError;
use crate::text::{Size, counted};

/// Error of the store.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file does not exist.
    #[error("there is no database at {}", path.display())]
    Missing {
        /// Path of the missing file.
        path: PathBuf,
    },
    /// The file exists already.
    #[error("there is already a database at {}", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another process has the file open.
    #[error("the database {} is in use by another process", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be opened or read, for example because of missing permissions, a read-only
    /// file system, or a path that names a folder.
    #[error("the database {} cannot be opened", path.display())]
    Unopened {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: Arc<io::Error>,
    },
    /// The file is not a database.
    #[error("{} is not a database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// The file has an unsupported schema version.
    #[error(
        "the database has schema version {found}, this program has version {supported}; {}",
        if found < supported {
            "export the chain with the program that wrote it, and import the file"
        } else {
            "use the program that wrote it, or a newer version"
        }
    )]
    Schema {
        /// Schema version of the file.
        found: u32,
        /// Schema version of this program.
        supported: u32,
    },
    /// The content of the file contradicts itself.
    #[error("the database is damaged: {what}")]
    Corrupt {
        /// Table and key, and the contradiction.
        what: String,
    },
    /// The database engine failed, usually because the disk did.
    #[error("database engine error")]
    Engine(#[source] Arc<redb::Error>),
    /// A file operation failed.
    #[error("cannot read or write {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The error of the system.
        #[source]
        source: Arc<io::Error>,
    },
    /// Another program removed, replaced or truncated the file of the open database.
    #[error("the database {} was {change} while it was in use", path.display())]
    Lost {
        /// The path of the file.
        path: PathBuf,
        /// The change: `removed`, `replaced by another file` or `truncated`.
        change: &'static str,
    },
    /// The operation was rejected; nothing changed.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The queue of the writer is full; nothing changed.
    #[error("the node is overloaded: too many writes are queued")]
    Overloaded,
    /// A task panicked or was cancelled before it had a result; the database is intact.
    #[error("{task} ended without a result: {reason}")]
    Interrupted {
        /// The task.
        task: &'static str,
        /// The panic or cancellation.
        reason: String,
    },
    /// The writer has ended, so nothing can be written.
    #[error("the database is closed")]
    Closed,
}

/// Reason for rejecting an operation; the database is intact and unchanged.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Rejection {
    /// The tip is not the expected parent of the blocks.
    #[error("the tip of the chain has changed")]
    StaleTip,
    /// A block breaks a rule.
    #[error(transparent)]
    Invalid(#[from] InvalidBlock),
    /// Fork choice does not prefer the branch.
    #[error("the branch is not better than the current chain")]
    NotPreferred,
    /// The branch does not connect to the chain.
    #[error("the branch does not connect to the current chain")]
    NotConnected,
    /// The branch forks too far below the tip.
    #[error(
        "the branch disconnects {}, more than the {limit} allowed by --max-reorg",
        counted(*depth, "block")
    )]
    TooDeep {
        /// Number of blocks to disconnect.
        depth: u64,
        /// Maximum number allowed.
        limit: u64,
    },
    /// The branch has another genesis block, and that of the chain is fixed.
    #[error("the genesis block of this chain is fixed")]
    GenesisFixed,
    /// The mempool has no room for another message.
    #[error("the mempool is full ({count} messages, {bytes} bytes)")]
    MempoolFull {
        /// Number of pending messages.
        count: u64,
        /// Size of their texts in bytes.
        bytes: u64,
    },
    /// The idempotency key was used with another text.
    #[error("the idempotency key was used for another message")]
    KeyReused,
    /// The disk is nearly full.
    #[error(
        "{} are free on the disk, less than the {} that must stay free (--min-free)",
        Size(*free),
        Size(*needed)
    )]
    NoSpace {
        /// Free bytes.
        free: u64,
        /// Bytes that must stay free.
        needed: u64,
    },
}

impl StoreError {
    /// Returns the error for a contradiction in the database.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }

    /// Returns the error for a task that ended without a result.
    pub(crate) fn interrupted(task: &'static str, reason: &impl std::fmt::Display) -> Self {
        let reason = reason.to_string();
        Self::Interrupted { task, reason }
    }

    /// Returns the error for a file that cannot be opened.
    pub(crate) fn opening_file(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if source.kind() == io::ErrorKind::NotFound {
            return Self::Missing { path };
        }
        let source = Arc::new(source);
        Self::Unopened { path, source }
    }

    /// Adds the path of the database that was being opened to an error.
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

    /// Returns the error for a missing row.
    pub(crate) fn missing(table: &str, key: impl std::fmt::Display) -> Self {
        Self::corrupt(format!("table {table}, key {key}: missing"))
    }

    /// Returns the error for an index row that points to the wrong block.
    pub(crate) fn index_mismatch(table: &str, index: u64) -> Self {
        Self::corrupt(format!(
            "table {table} points to block {index}, whose key differs"
        ))
    }

    /// Returns the error for a value that cannot be decoded.
    pub(crate) fn undecodable(
        table: &str,
        key: impl std::fmt::Display,
        source: &DecodeError,
    ) -> Self {
        Self::corrupt(format!("table {table}, key {key}: {source}"))
    }
}

/// Damage found by the engine becomes [`StoreError::Corrupt`], an error of our storage backend is
/// unwrapped, and everything else is a failure of the engine.
impl From<redb::Error> for StoreError {
    fn from(error: redb::Error) -> Self {
        if let redb::Error::Io(error) = &error
            && let Some(own) = error.get_ref().and_then(|own| own.downcast_ref::<Self>())
        {
            return own.clone();
        }
        match error {
            redb::Error::Corrupted(what) => Self::Corrupt { what },
            // The engine only reads ranges that its own pages refer to.
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

/// Converts the error type of each engine operation.
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
    CursorError,
    DatabaseError,
    StorageError,
    TableError,
    TransactionError
);
