//! Trust of the reader of a proof: hashes, checkpoint lines and files of such lines.

use std::fmt;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::files::expand;
use crate::chain::BlockHash;
use crate::fs::read_regular;
use crate::proofs::checkpoint::{MAX_TRUST_LINES, read_trust_file};
use crate::proofs::{Checkpoint, Trusted};

/// Maximum size of a trust file, in bytes: each line with room for a comment.
pub(super) const MAX_TRUST_BYTES: u64 = MAX_TRUST_LINES as u64 * 512;

/// Something that is trusted, and where it was given.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    pub(super) trusted: Trusted,
    pub(super) origin: Origin,
}

#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// On the command line.
    Argument,
    /// In a trust file.
    Line { path: PathBuf, line: usize },
    /// In a consistency proof, which leads from something else that is trusted.
    Via(PathBuf),
    /// By a node that was asked.
    Node(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument => f.write_str("given on the command line"),
            Self::Line { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Via(path) => write!(f, "through consistency proof {}", path.display()),
            Self::Node(address) => write!(f, "from the node at {address}"),
        }
    }
}

/// Reads the values of `--trust`: each a hash of 64 digits, a checkpoint line or the path of a
/// trust file.
pub(super) fn read_all(values: &[String]) -> Result<Vec<Trust>, Error> {
    let mut all = Vec::new();
    for value in values {
        let argument = |trusted| Trust {
            trusted,
            origin: Origin::Argument,
        };
        if let Ok(hash) = value.to_ascii_lowercase().parse::<BlockHash>() {
            all.push(argument(Trusted::Hash(hash)));
        } else if value
            .to_ascii_lowercase()
            .starts_with("blockchain-checkpoint/")
        {
            let checkpoint: Checkpoint = value.parse().map_err(Error::usage)?;
            all.push(argument(Trusted::Checkpoint(checkpoint)));
        } else {
            all.extend(read_file(&expand(Path::new(value)))?);
        }
    }
    Ok(all)
}

/// Reads a trust file, which must contain a checkpoint.
pub(super) fn read_file(path: &Path) -> Result<Vec<Trust>, Error> {
    let bytes = read_regular(path, MAX_TRUST_BYTES).map_err(|source| {
        let is_missing = source.kind() == std::io::ErrorKind::NotFound;
        let error = Error::file(path, source);
        if is_missing {
            error.hint(
                "--trust takes a block hash (64 hex digits), a checkpoint line or the path of a trust file",
            )
        } else {
            error
        }
    })?;
    let rejected = |why: &dyn fmt::Display| {
        Error::usage(format!("trust file {} is rejected: {why}", path.display()))
    };
    let text = String::from_utf8(bytes).map_err(|error| rejected(&error))?;
    let kept = read_trust_file(&text).map_err(|error| rejected(&error))?;
    if kept.is_empty() {
        return Err(rejected(&"it holds no checkpoint"));
    }
    let trust = |(line, checkpoint)| Trust {
        trusted: Trusted::Checkpoint(checkpoint),
        origin: Origin::Line {
            path: path.to_owned(),
            line,
        },
    };
    Ok(kept.into_iter().map(trust).collect())
}

/// The checkpoints among what is trusted.
pub(super) fn checkpoints(trust: &[Trust]) -> Vec<Checkpoint> {
    let checkpoint = |trust: &Trust| match trust.trusted {
        Trusted::Checkpoint(checkpoint) => Some(checkpoint),
        Trusted::Hash(_) => None,
    };
    trust.iter().filter_map(checkpoint).collect()
}
