//! Reads chain files of any format; the path `-` is standard input.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use rustix::fs::FileType;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::files::is_database;
use super::output::{bytes_bar, warn};
use super::read_ahead::read_ahead;
use crate::chain::{Block, Message};
use crate::fs::{folder_of, open_regular};
use crate::reference::ReadError;
use crate::snapshot::digest::DigestFile;
use crate::snapshot::format::{ChainReader, Format, Item};

/// Maximum number of items and approximate maximum size of texts per batch.
const BATCH_COUNT: usize = 2000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// An open chain file.
pub(super) struct ChainFile {
    /// Name in messages.
    pub(super) name: String,
    input: Input,
    /// Path and content of the file with its SHA-256.
    hash: Option<(PathBuf, String)>,
}

enum Input {
    Stdin,
    File(File),
}

/// Blocks and pending messages of a chain file. Pending messages follow all blocks.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) blocks: Vec<Block>,
    pub(super) pending: Vec<Message>,
}

/// Outcome of reading a chain file.
pub(super) struct Walk {
    /// The format; `None` if it was not recognised.
    pub(super) format: Option<Format>,
    /// `true` if the file matches the hash beside it; `None` if there is no hash.
    pub(super) hash_matches: Option<bool>,
    /// The error that ended the reading.
    pub(super) invalid: Option<ReadError>,
}

impl ChainFile {
    /// Returns an error that rejects this file.
    pub(super) fn rejected(&self, reason: impl Display) -> Error {
        Error::rejected(format!("{}: {reason}", self.name))
    }

    /// Opens a file.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        if path == Path::new("-") {
            let name = "standard input";
            let failed = |source| Error::io(name.to_owned(), source);
            let stdin = io::stdin();
            let kind = rustix::fs::fstat(&stdin).map_err(|error| failed(error.into()))?;
            let kind = FileType::from_raw_mode(kind.st_mode);
            if kind == FileType::CharacterDevice && !stdin.is_terminal() {
                let reason = "it is a device, not a file or a pipe";
                return Err(failed(io::Error::other(reason)));
            }
            return Ok(Self {
                name: name.to_owned(),
                input: Input::Stdin,
                hash: None,
            });
        }
        let file = open_regular(path).map_err(|source| Error::file(path, source))?;
        if is_database(path) {
            let (shown, folder) = (path.display(), folder_of(path).display());
            return Err(
                Error::failed(format!("{shown} is a database, not a chain file"))
                    .hint(format!("name its folder: --db {folder}")),
            );
        }
        Ok(Self {
            name: path.display().to_string(),
            input: Input::File(file),
            hash: hash_beside(path),
        })
    }

    /// Passes the content of the file to `each` until that returns `false`, with a progress bar.
    pub(super) fn walk(
        &mut self,
        each: impl FnMut(Batch) -> Result<bool, Error>,
    ) -> Result<Walk, Error> {
        let failed = |source| Error::io(self.name.clone(), source);
        let (source, length): (Box<dyn Read + Send>, _) = match &mut self.input {
            Input::Stdin => (Box::new(io::stdin()), None),
            Input::File(file) => {
                let length = file.metadata().map_err(failed)?.len();
                (Box::new(&*file), Some(length).filter(|length| *length > 0))
            }
        };
        let bar = bytes_bar(length);
        let expected = self.hash.as_ref().map(|(_, hash)| hash.as_str());
        let source = bar.wrap_read(source);
        let walk = read_ahead(|sender| read(source, expected, sender), each);
        bar.finish_and_clear();
        match walk? {
            Walk {
                invalid: Some(ReadError::Io { source, .. }),
                ..
            } => Err(failed(source)),
            walk => Ok(walk),
        }
    }

    /// Warns if the file does not match the hash beside it.
    pub(super) fn warn_of_hash(&self, walk: &Walk) {
        if let (Some((path, _)), Some(false)) = (&self.hash, walk.hash_matches) {
            warn(&format!(
                "{} does not match {}: one of them was changed or replaced",
                path.display(),
                self.name
            ));
        }
    }
}

/// Returns the path and content of the file with the SHA-256 of a chain file.
fn hash_beside(path: &Path) -> Option<(PathBuf, String)> {
    let file = DigestFile::of(path)?;
    match file.read() {
        Ok(digest) => Some((file.path().to_owned(), digest?)),
        Err(error) => {
            let path = file.path().display();
            warn(&format!("ignoring {path}: {error}"));
            None
        }
    }
}

/// Reason for an early end of reading.
enum Stop {
    InvalidBlock(ReadError),
    /// The receiver is gone.
    Closed,
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::InvalidBlock(error)
    }
}

fn read(source: impl Read, expected_hash: Option<&str>, sender: &SyncSender<Batch>) -> Walk {
    let mut source = Hashing {
        source,
        digest: expected_hash.map(|_| Sha256::new()),
    };
    let mut format = None;
    let (mut batch, mut bytes) = (Batch::default(), 0);
    let outcome = ChainReader::new(&mut source)
        .map_err(Stop::InvalidBlock)
        .and_then(|reader| {
            format = Some(reader.format());
            reader.for_each(|item| {
                match item {
                    Item::Block(block) => {
                        bytes += block.message.text().len();
                        batch.blocks.push(block);
                    }
                    Item::Pending(message) => {
                        bytes += message.text().len();
                        batch.pending.push(message);
                    }
                }
                let count = batch.blocks.len() + batch.pending.len();
                if count >= BATCH_COUNT || bytes >= BATCH_BYTES {
                    bytes = 0;
                    let full = std::mem::take(&mut batch);
                    sender.send(full).map_err(|_| Stop::Closed)?;
                }
                Ok(())
            })
        });
    // A receiver that is gone needs no more batches.
    let _ = sender.send(batch);
    let hash_matches = expected_hash.and_then(|expected| {
        io::copy(&mut source, &mut io::sink()).ok()?;
        Some(hex::encode(source.digest?.finalize()) == expected)
    });
    Walk {
        format,
        hash_matches,
        invalid: match outcome {
            Err(Stop::InvalidBlock(error)) => Some(error),
            Ok(()) | Err(Stop::Closed) => None,
        },
    }
}

/// A reader that hashes what is read, if there is a digest.
struct Hashing<R> {
    source: R,
    digest: Option<Sha256>,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(bytes)?;
        if let Some(digest) = &mut self.digest {
            digest.update(&bytes[..read]);
        }
        Ok(read)
    }
}
