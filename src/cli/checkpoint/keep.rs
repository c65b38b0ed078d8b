//! Files of kept checkpoints. A checkpoint is added only if it lies in one chain with the newest
//! checkpoint of the file: a file with checkpoints of two histories would vouch for both.

use std::io::Write;
use std::path::Path;

use crate::chain::BlockHash;
use crate::cli::error::{Error, ErrorKind};
use crate::cli::files::check_folder_of;
use crate::cli::proof_source::ProofSource;
use crate::cli::trust::MAX_TRUST_BYTES;
use crate::fs::{append_to_own, read_regular};
use crate::proofs::checkpoint::read_trust_file;
use crate::proofs::consistency::TreeHead;
use crate::proofs::{Checkpoint, ConsistencyProof};
use crate::wire::CheckpointView;

/// Maximum number of attempts to read a checkpoint and its proof from one state of a chain.
const MAX_ATTEMPTS: usize = 5;

/// Relation of a chain to a kept checkpoint.
enum Comparison {
    /// The kept checkpoint and the new one lie in the chain.
    Continues,
    /// The chain does not contain the kept checkpoint.
    Differs,
    /// The chain changed since the new checkpoint was read.
    Stale,
}

/// Appends the checkpoint of the block named `at` to the file at `path`, unless it is there already.
///
/// # Errors
/// If the chain does not contain the newest checkpoint of its network in the file. Then nothing is
/// added.
pub(super) async fn keep(
    source: &ProofSource,
    at: &str,
    path: &Path,
) -> Result<CheckpointView, Error> {
    let file = KeptFile::read(path)?;
    for _ in 0..MAX_ATTEMPTS {
        let view = source.checkpoint(at).await?;
        let wrong = |error| Error::failed(format!("{} sent no checkpoint: {error}", source.name()));
        let new: Checkpoint = view.checkpoint.parse().map_err(wrong)?;
        let Some((line, kept)) = file.to_compare(&new) else {
            file.append(&new)?;
            return Ok(view);
        };
        let tip = (view.index + view.confirmations).saturating_sub(1);
        if tip < kept.index {
            let ends = format!("ends at block {tip}, below block {}", kept.index);
            return Err(file.rejected(source, &ends, line));
        }
        match compare(source, &kept, &new).await? {
            Comparison::Continues => {
                file.append(&new)?;
                return Ok(view);
            }
            Comparison::Differs => {
                let lacks = format!("does not contain block {}", kept.index);
                return Err(file.rejected(source, &lacks, line));
            }
            Comparison::Stale => {}
        }
    }
    Err(
        Error::failed(format!("the chain of {} keeps changing", source.name()))
            .hint("try again, or name an older block with --at"),
    )
}

/// Compares a new checkpoint of a chain with a kept one, by the consistency proof between them.
async fn compare(
    source: &ProofSource,
    kept: &Checkpoint,
    new: &Checkpoint,
) -> Result<Comparison, Error> {
    if kept.index == new.index {
        return Ok(if kept == new {
            Comparison::Continues
        } else {
            Comparison::Differs
        });
    }
    let is_above = new.index > kept.index;
    let (lower, upper) = if is_above { (kept, new) } else { (new, kept) };
    let (if_new_is_gone, if_kept_is_gone) = (Comparison::Stale, Comparison::Differs);
    let file = match source
        .consistency(lower.index, &upper.hash.to_string())
        .await
    {
        Ok(file) => file,
        // The upper block is not in the chain.
        Err(error) if is_absent(&error) && is_above => return Ok(if_new_is_gone),
        Err(error) if is_absent(&error) => return Ok(if_kept_is_gone),
        Err(error) => return Err(error),
    };
    let proof = ConsistencyProof::read(&file);
    Ok(match proof {
        Ok(proof) if proof.from == TreeHead::from(lower) && proof.to == TreeHead::from(upper) => {
            Comparison::Continues
        }
        Ok(proof) if !is_above && proof.from != TreeHead::from(lower) => if_new_is_gone,
        _ => if_kept_is_gone,
    })
}

fn is_absent(error: &Error) -> bool {
    match &*error.kind {
        ErrorKind::Client(error) => error.is_not_found(),
        ErrorKind::Rejected(_) => true,
        _ => false,
    }
}

/// A trust file, as it was read.
struct KeptFile<'a> {
    path: &'a Path,
    text: String,
    /// The checkpoints with their line numbers.
    kept: Vec<(usize, Checkpoint)>,
}

impl<'a> KeptFile<'a> {
    fn read(path: &'a Path) -> Result<Self, Error> {
        let text = match read_regular(path, MAX_TRUST_BYTES) {
            Ok(bytes) => String::from_utf8(bytes)
                .map_err(|_| Error::usage(format!("{} is not a trust file", path.display())))?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                check_folder_of(path)?;
                String::new()
            }
            Err(error) => return Err(Error::file(path, error)),
        };
        let kept = read_trust_file(&text).map_err(|error| {
            Error::usage(format!("nothing was added to {}: {error}", path.display()))
        })?;
        Ok(Self { path, text, kept })
    }

    /// Returns the checkpoint that the chain of a new one must contain, with its line number: another
    /// one of the same block, or else the newest of the same network.
    fn to_compare(&self, new: &Checkpoint) -> Option<(usize, Checkpoint)> {
        let of_network = |genesis: BlockHash| {
            let kept = self.kept.iter().copied();
            kept.filter(move |(_, kept)| kept.genesis == genesis)
        };
        of_network(new.genesis)
            .find(|(_, kept)| kept.index == new.index && kept != new)
            .or_else(|| of_network(new.genesis).max_by_key(|(_, kept)| kept.index))
    }

    fn append(&self, new: &Checkpoint) -> Result<(), Error> {
        if self.kept.iter().any(|(_, kept)| kept == new) {
            return Ok(());
        }
        let end = if self.text.is_empty() || self.text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        let added = format!("{end}{new}\n");
        let text = format!("{}{added}", self.text);
        let rejected = |why: &dyn std::fmt::Display| {
            let path = self.path.display();
            Error::usage(format!("nothing was added to {path}: {why}"))
        };
        if text.len() as u64 > MAX_TRUST_BYTES {
            let why = format!("it would have more than {MAX_TRUST_BYTES} bytes");
            return Err(rejected(&why));
        }
        read_trust_file(&text).map_err(|error| rejected(&error))?;
        let failed = |source| Error::file(self.path, source);
        let mut file = append_to_own(self.path).map_err(failed)?;
        file.write_all(added.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)
    }

    /// Returns the error about a chain without the checkpoint in `line`.
    fn rejected(&self, source: &ProofSource, problem: &str, line: usize) -> Error {
        let (path, name) = (self.path.display(), source.name());
        Error::rejected(format!(
            "nothing was added to {path}: the chain of {name} {problem} that line {line} keeps"
        ))
        .hint(format!(
            "the chain was rewritten or is incomplete, or this is another node; compare with \
             \"blockchain verify {} --checkpoint {path}\"",
            source.verify_option()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::trust;

    #[test]
    fn a_line_is_appended_only_to_a_file_that_stays_readable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept.txt");
        let mut text = format!("# {}\n", "x".repeat(997)).repeat(5120);
        text.truncate(5_119_900);
        text.push('\n');
        std::fs::write(&path, &text).unwrap();
        let hash = "0f".repeat(32);
        let line = format!("blockchain-checkpoint/1 {hash} 3 {hash} {hash}");
        let append = || KeptFile::read(&path)?.append(&line.parse().unwrap());
        let rejected = append().unwrap_err().to_string();
        assert!(rejected.contains("nothing was added"), "{rejected}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        text.truncate(1000);
        std::fs::write(&path, &text).unwrap();
        append().unwrap();
        let kept = trust::read_all(&[path.to_str().unwrap().to_owned()]).unwrap();
        assert_eq!(kept.len(), 1);
    }
}
