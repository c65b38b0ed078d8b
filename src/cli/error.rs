//! The errors of commands: the text for the user, the remedy if there is one, and the exit code.

use std::error::Error as _;
use std::fmt::{self, Display};
use std::io;
use std::path::Path;
use std::process::ExitCode;

use thiserror::Error;

use crate::client::ClientError;
use crate::fs::folder_of;
use crate::monitor::MonitorError;
use crate::node::run::RunError;
use crate::store::{Rejection, StoreError};

/// Error of a command.
#[derive(Debug)]
pub(super) struct Error {
    pub(super) kind: Box<ErrorKind>,
    /// The remedy, if it is not that of the kind.
    hint: Option<Box<str>>,
}

#[derive(Debug, Error)]
pub(super) enum ErrorKind {
    /// Negative result, which is printed already. Exit code 1.
    #[error("negative result")]
    Negative,
    /// The request was understood and rejected. Exit code 1.
    #[error("{0}")]
    Rejected(String),
    /// The arguments are invalid. Exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The arguments do not fit the command. Exit code 2.
    #[error("{message}")]
    Arguments {
        message: String,
        hints: Vec<String>,
        /// The arguments that the command takes.
        usage: Option<String>,
    },
    /// Anything else. Exit code 3.
    #[error("{0}")]
    Failed(String),
    /// An operation of the system failed. Exit code 3.
    #[error("{subject}: {source}")]
    Io { subject: String, source: io::Error },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Run(#[from] RunError),
    /// The reader of the standard output has closed it, so nobody reads a message either.
    #[error("the standard output was closed")]
    ClosedOutput,
}

impl<E: Into<ErrorKind>> From<E> for Error {
    fn from(kind: E) -> Self {
        Self {
            kind: Box::new(kind.into()),
            hint: None,
        }
    }
}

impl From<MonitorError> for Error {
    fn from(error: MonitorError) -> Self {
        match error {
            MonitorError::State { path, source } => Self::file(&path, source),
            MonitorError::Client(error) => ErrorKind::from(error).into(),
            MonitorError::Rejected(text) => Self::rejected(text),
            MonitorError::Usage(text) => Self::usage(text),
            error @ MonitorError::Busy { .. } => Self::failed(error)
                .hint("stop the other monitor, or name another folder with --state"),
        }
    }
}

impl Error {
    pub(super) fn rejected(text: impl Display) -> Self {
        ErrorKind::Rejected(text.to_string()).into()
    }

    pub(super) fn usage(text: impl Display) -> Self {
        ErrorKind::Usage(text.to_string()).into()
    }

    pub(super) fn arguments(message: String, hints: Vec<String>, usage: Option<String>) -> Self {
        ErrorKind::Arguments {
            message,
            hints,
            usage,
        }
        .into()
    }

    pub(super) fn failed(text: impl Display) -> Self {
        ErrorKind::Failed(text.to_string()).into()
    }

    /// A failed operation on `subject`, which is a path or a noun phrase.
    pub(super) fn io(subject: impl Into<String>, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe {
            return ErrorKind::ClosedOutput.into();
        }
        let subject = subject.into();
        ErrorKind::Io { subject, source }.into()
    }

    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::io(path.display().to_string(), source)
    }

    /// Returns `true` if the error is about one of several files.
    pub(super) fn is_of_file(&self) -> bool {
        matches!(*self.kind, ErrorKind::Rejected(_) | ErrorKind::Io { .. })
    }

    pub(super) fn stdout(source: io::Error) -> Self {
        Self::io("standard output", source)
    }

    pub(super) fn stdin(source: io::Error) -> Self {
        Self::io("standard input", source)
    }

    /// Adds a remedy.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into().into()),
            ..self
        }
    }

    /// Returns the lines to print: the error, its causes and the remedy. None if there is nothing
    /// to say.
    pub(super) fn lines(&self) -> Vec<(&'static str, String)> {
        if matches!(*self.kind, ErrorKind::Negative | ErrorKind::ClosedOutput) {
            return Vec::new();
        }
        let mut lines = vec![("error", self.to_string())];
        let mut cause = self.kind.source();
        if let ErrorKind::Client(error) = &*self.kind
            && error.is_not_listening()
        {
            // The error says it already.
            cause = None;
        }
        while let Some(error) = cause {
            let text = error.to_string();
            cause = error.source();
            // Only the last cause of a failed request tells something new.
            if cause.is_some()
                && matches!(
                    *self.kind,
                    ErrorKind::Client(ClientError::Unreachable { .. })
                )
            {
                continue;
            }
            // Some errors contain the text of their cause.
            if !lines.iter().any(|(_, line)| line.contains(&text)) {
                lines.push(("caused by", text));
            }
        }
        let hint = self
            .hint
            .as_deref()
            .map(str::to_owned)
            .or_else(|| self.kind.hint());
        lines.extend(hint.map(|hint| ("hint", hint)));
        if let ErrorKind::Arguments { hints, usage, .. } = &*self.kind {
            lines.extend(hints.iter().map(|hint| ("hint", hint.clone())));
            lines.extend(usage.iter().map(|usage| ("usage", usage.clone())));
        }
        lines
    }

    /// Returns the code that stands for this error in JSON.
    pub(super) fn code(&self) -> &'static str {
        match &*self.kind {
            ErrorKind::Negative => "negative",
            ErrorKind::Rejected(_) => "rejected",
            ErrorKind::Usage(_) | ErrorKind::Arguments { .. } => "usage",
            ErrorKind::Failed(_) => "failed",
            ErrorKind::Io { .. } => "io",
            ErrorKind::Client(error) => client_code(error),
            ErrorKind::Store(error) => store_code(error),
            ErrorKind::Run(_) => "node_failed",
            ErrorKind::ClosedOutput => "closed_output",
        }
    }

    pub(super) fn exit_code(&self) -> ExitCode {
        match &*self.kind {
            ErrorKind::ClosedOutput => ExitCode::SUCCESS,
            ErrorKind::Negative | ErrorKind::Rejected(_) => ExitCode::from(1),
            ErrorKind::Client(error) if error.is_rejected() => ExitCode::from(1),
            ErrorKind::Usage(_) | ErrorKind::Arguments { .. } => ExitCode::from(2),
            _ => ExitCode::from(3),
        }
    }
}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl ErrorKind {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Client(error) if error.is_not_listening() => {
                Some("start one with \"blockchain node\"".to_owned())
            }
            Self::Client(ClientError::Unreachable { .. } | ClientError::NotANode { .. }) => {
                Some("check the address of the node".to_owned())
            }
            Self::Store(error) => store_hint(error),
            _ => None,
        }
    }
}

fn client_code(error: &ClientError) -> &'static str {
    match error {
        ClientError::Unreachable { .. } => "unreachable",
        ClientError::TimedOut { .. } => "timed_out",
        ClientError::Rejected { status: 404, .. } => "not_found",
        ClientError::Rejected { status: 429, .. } => "rate_limited",
        ClientError::Rejected {
            status: 400..500, ..
        } => "rejected",
        ClientError::Rejected { .. } => "node_failed",
        ClientError::OutcomeUnknown { .. } => "outcome_unknown",
        ClientError::Reference { .. } => "reference_miner",
        ClientError::NotANode { .. } => "not_a_node",
        ClientError::Malformed { .. } => "invalid_response",
    }
}

fn store_code(error: &StoreError) -> &'static str {
    match error {
        StoreError::Missing { .. } => "database_missing",
        StoreError::Busy { .. } => "database_in_use",
        StoreError::NotADatabase { .. } | StoreError::Corrupt { .. } => "database_damaged",
        StoreError::Rejected(Rejection::NoSpace { .. }) => "disk_full",
        _ => "database",
    }
}

fn store_hint(error: &StoreError) -> Option<String> {
    match error {
        StoreError::Missing { .. } => {
            Some("name the folder of an existing node with --db".to_owned())
        }
        StoreError::Busy { .. } => {
            Some("stop the node that runs on it, or name another folder with --db".to_owned())
        }
        StoreError::NotADatabase { path } => {
            let is_default = path.file_name().is_some_and(|name| name == "node.redb");
            let db = if is_default { folder_of(path) } else { path };
            Some(format!(
                "restore a chain with \"blockchain import FILE --db {} --force-new-chain\"",
                db.display()
            ))
        }
        StoreError::Corrupt { .. } => Some(
            "restore the chain from a snapshot with \"blockchain import FILE --db DIR \
             --force-new-chain\""
                .to_owned(),
        ),
        StoreError::Rejected(Rejection::NoSpace { .. }) => {
            Some("free space on the disk, or lower --min-free".to_owned())
        }
        _ => None,
    }
}
