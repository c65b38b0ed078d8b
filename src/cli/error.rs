//! Why a command failed, as its user reads it, and the exit code that says so.

use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;

use thiserror::Error;

use super::output::{escape, print_error};
use crate::client::ClientError;
use crate::node::run::RunError;
use crate::store::StoreError;

#[derive(Debug, Error)]
pub(super) enum Error {
    /// Exit code 1: the answer is no, and it was printed already.
    #[error("the answer is no")]
    No,
    /// Exit code 1: the answer is no.
    #[error("{0}")]
    Refused(String),
    /// Exit code 2: the arguments make no sense together.
    #[error("{0}")]
    Usage(String),
    /// Exit code 3: could not.
    #[error("{0}")]
    Failed(String),
    #[error("{what} could not be used")]
    Io {
        what: String,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Run(#[from] RunError),
    /// The reader of our output has gone: nobody is left to tell.
    #[error("the output was closed")]
    ClosedOutput,
}

impl Error {
    pub(super) fn usage(error: impl Display) -> Self {
        Self::Usage(error.to_string())
    }

    pub(super) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        if source.kind() == std::io::ErrorKind::BrokenPipe {
            return Self::ClosedOutput;
        }
        Self::Io {
            what: what.into(),
            source,
        }
    }

    pub(super) fn file(path: &Path, source: std::io::Error) -> Self {
        Self::io(path.display().to_string(), source)
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::ClosedOutput => ExitCode::SUCCESS,
            Self::No | Self::Refused(_) => ExitCode::from(1),
            Self::Client(error) if error.is_judged() => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            _ => ExitCode::from(3),
        }
    }

    /// Prints the error and its causes, and says how the process ends.
    pub(super) fn report(&self) -> ExitCode {
        if !matches!(self, Self::No | Self::ClosedOutput) {
            print_error("error", &escape(&self.to_string()));
            let mut last = self.to_string();
            let mut cause = std::error::Error::source(self);
            while let Some(error) = cause {
                // Some libraries repeat a cause in its effect.
                let text = error.to_string();
                if !last.contains(&text) {
                    print_error("because", &escape(&text));
                }
                last = text;
                cause = error.source();
            }
        }
        self.exit_code()
    }
}
