//! A chain file named on the command line: any format, `-` for the standard input.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use rustix::fs::FileType;
use sha2::{Digest, Sha256};

use super::error::Error;
use super::files::MIN_FREE;
use super::output::{bytes_bar, warn};
use super::read_ahead::read_ahead;
use crate::chain::{Block, Message};
use crate::fs::open_regular;
use crate::reference::ReadError;
use crate::snapshot::digest::DigestFile;
use crate::snapshot::format::{ChainReader, Format, Item};

/// Most items, and about the most bytes of text, that are handed over at once.
const BATCH_COUNT: usize = 2000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of the standard input that are copied before the free space is looked at again.
const SPOOLED_AT_ONCE: u64 = 4 * 1024 * 1024;

/// A chain file, open.
pub(super) struct ChainFile {
    /// As messages name it.
    pub(super) name: String,
    input: Input,
    /// The file beside it, and the SHA-256 that it says the chain file has.
    hash: Option<(PathBuf, String)>,
}

enum Input {
    Stdin,
    File(File),
}

/// Blocks and pending messages of a chain file; the latter come after all blocks.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) blocks: Vec<Block>,
    pub(super) pending: Vec<Message>,
}

/// What a walk through a chain file came to.
pub(super) struct Walk {
    /// The format; none if the first bytes could not be read.
    pub(super) format: Option<Format>,
    /// Whether the hash beside the file matches it; none if there is none.
    pub(super) hash_matches: Option<bool>,
    /// The first thing that could not be taken.
    pub(super) invalid: Option<ReadError>,
}

impl ChainFile {
    /// A refusal of this file.
    pub(super) fn rejected(&self, reason: impl Display) -> Error {
        Error::rejected(format!("{}: {reason}", self.name))
    }

    /// Opens a file to read it once.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        if path == Path::new("-") {
            return Ok(Self {
                name: "standard input".to_owned(),
                input: Input::Stdin,
                hash: None,
            });
        }
        let file = open_regular(path).map_err(|source| Error::file(path, source))?;
        Ok(Self {
            name: path.display().to_string(),
            input: Input::File(file),
            hash: hash_beside(path),
        })
    }

    /// Opens a file to read it more than once: the standard input is copied to a nameless one in
    /// `folder` first.
    pub(super) fn open_to_repeat(path: &Path, folder: &Path) -> Result<Self, Error> {
        let mut opened = Self::open(path)?;
        if let Input::Stdin = opened.input {
            let failed = |source| Error::io(opened.name.clone(), source);
            let stdin = io::stdin().lock();
            let kind = rustix::fs::fstat(&stdin).map_err(|error| failed(error.into()))?;
            let kind = FileType::from_raw_mode(kind.st_mode);
            if kind == FileType::CharacterDevice && !stdin.is_terminal() {
                return Err(failed(io::Error::other(
                    "it is a device, not a file or a pipe",
                )));
            }
            let mut copy = tempfile::tempfile_in(folder).map_err(|e| Error::file(folder, e))?;
            let free = || {
                let disk = rustix::fs::fstatvfs(&copy).ok()?;
                Some(disk.f_bavail.saturating_mul(disk.f_frsize))
            };
            spool(stdin, &mut &copy, free).map_err(failed)?;
            copy.rewind().map_err(failed)?;
            opened.input = Input::File(copy);
        }
        Ok(opened)
    }

    /// Hands everything in the file to `each` until that says no, with a bar on a terminal.
    pub(super) fn walk(
        &mut self,
        each: impl FnMut(Batch) -> Result<bool, Error>,
    ) -> Result<Walk, Error> {
        let failed = |source| Error::io(self.name.clone(), source);
        let (source, length): (Box<dyn Read + Send>, _) = match &mut self.input {
            Input::Stdin => (Box::new(io::stdin()), None),
            Input::File(file) => {
                // What cannot be rewound is read once, from where it is.
                let _ = file.rewind();
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

    /// Warns if the file is not the one that the hash beside it was made for.
    pub(super) fn warn_of_hash(&self, walk: &Walk) {
        if let (Some((path, _)), Some(false)) = (&self.hash, walk.hash_matches) {
            warn(&format!(
                "{} does not match {}: the one was written without the other, or changed since",
                path.display(),
                self.name
            ));
        }
    }
}

/// The file with the SHA-256 of a chain file, and what it says.
fn hash_beside(path: &Path) -> Option<(PathBuf, String)> {
    let file = DigestFile::of(path)?;
    match file.read() {
        Ok(digest) => Some((file.path().to_owned(), digest?)),
        Err(error) => {
            let path = file.path().display();
            warn(&format!("{path} is not looked at: {error}"));
            None
        }
    }
}

/// Copies a stream of unknown length, as long as enough space stays `free` on the disk.
fn spool(
    mut source: impl Read,
    copy: &mut impl Write,
    free: impl Fn() -> Option<u64>,
) -> io::Result<()> {
    let mut copied: u64 = 0;
    loop {
        // Where the system does not say, a failed write will.
        if free().is_some_and(|free| free < MIN_FREE + SPOOLED_AT_ONCE) {
            return Err(io::Error::other(format!(
                "after {copied} bytes, less than {} MiB would stay free on the disk",
                MIN_FREE >> 20
            )));
        }
        let next = io::copy(&mut source.by_ref().take(SPOOLED_AT_ONCE), copy)?;
        copied += next;
        if next < SPOOLED_AT_ONCE {
            return Ok(());
        }
    }
}

/// Why reading stopped early.
enum Stop {
    InvalidBlock(ReadError),
    /// Nobody wants the rest.
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
    // Whoever has gone needs no more.
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

/// Hashes what passes through, if that is wanted.
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn an_endless_stream_is_copied_until_little_space_is_left() {
        let left = Cell::new(MIN_FREE + 3 * SPOOLED_AT_ONCE);
        let free = || Some(left.replace(left.get() - SPOOLED_AT_ONCE));
        let error = spool(io::repeat(b'['), &mut io::sink(), free).unwrap_err();
        let expected = "after 12582912 bytes, less than 64 MiB would stay free on the disk";
        assert_eq!(error.to_string(), expected);
        let mut copy = Vec::new();
        spool(&b"short"[..], &mut copy, || None).unwrap();
        assert_eq!(copy, b"short");
    }
}
