//! `blockchain --version`: the build of this program.

use std::fmt;

use serde::Serialize;

use crate::pow::Kernel;

/// Version of the program. A release build may set `BLOCKCHAIN_VERSION` to include the commit.
pub(super) const VERSION: &str = match option_env!("BLOCKCHAIN_VERSION") {
    Some(version) if !version.is_empty() => version,
    _ => env!("CARGO_PKG_VERSION"),
};

/// The build and the processor, as `--version --json` prints them.
#[derive(Debug, Serialize)]
pub(super) struct Build {
    version: &'static str,
    /// Commit of the sources; null unless a release build was made in a Git repository.
    commit: Option<&'static str>,
    target: &'static str,
    /// Kernel of the proof search.
    kernel: &'static str,
    /// All kernels that the processor supports, the fastest first.
    features: Vec<&'static str>,
}

impl Build {
    pub(super) fn new() -> Self {
        Self {
            version: VERSION,
            commit: option_env!("BLOCKCHAIN_COMMIT").filter(|commit| !commit.is_empty()),
            target: env!("BLOCKCHAIN_TARGET"),
            kernel: Kernel::best().name(),
            features: Kernel::available().map(Kernel::name).collect(),
        }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blockchain {}", self.version)
    }
}
