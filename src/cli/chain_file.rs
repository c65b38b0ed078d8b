//! A chain file named on the command line: any format, `-` for the standard input.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;

use sha2::{Digest, Sha256};

use super::error::Error;
use super::output::{bytes_bar, warn};
use super::read_ahead::read_ahead;
use crate::chain::{Block, Message};
use crate::legacy::ReadError;
use crate::snapshot::format::{ChainReader, Format, Item};

/// Most items, and about the most bytes of text, that are handed over at once.
const BATCH_COUNT: usize = 2000;
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Longest `.hash` file that is looked at.
const MAX_HASH_FILE: u64 = 1024;

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
    /// Whether the `.hash` beside the file matches it; none if there is none.
    pub(super) hash_matches: Option<bool>,
    /// The first thing that could not be taken.
    pub(super) offence: Option<ReadError>,
}

impl ChainFile {
    /// Opens a file to read it once.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        if path == Path::new("-") {
            return Ok(Self {
                name: "the standard input".to_owned(),
                input: Input::Stdin,
                hash: None,
            });
        }
        let file = File::open(path).map_err(|source| Error::file(path, source))?;
        Ok(Self {
            name: path.display().to_string(),
            input: Input::File(file),
            hash: hash_beside(path),
        })
    }

    /// Opens a file to read it more than once: what is no file is copied to a nameless one in
    /// `folder` first.
    pub(super) fn open_to_repeat(path: &Path, folder: &Path) -> Result<Self, Error> {
        let mut opened = Self::open(path)?;
        let failed = |source| Error::io(opened.name.clone(), source);
        let mut source: Box<dyn Read> = match opened.input {
            Input::File(file) if file.metadata().map_err(failed)?.is_file() => {
                opened.input = Input::File(file);
                return Ok(opened);
            }
            Input::File(file) => Box::new(file),
            Input::Stdin => Box::new(io::stdin().lock()),
        };
        let mut copy = tempfile::tempfile_in(folder).map_err(|e| Error::file(folder, e))?;
        io::copy(&mut source, &mut copy).map_err(failed)?;
        opened.input = Input::File(copy);
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
                offence: Some(ReadError::Io { source, .. }),
                ..
            } => Err(failed(source)),
            walk => Ok(walk),
        }
    }

    /// Warns if the file is not the one that the `.hash` beside it was made for.
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

/// The `.hash` of a chain file, as the original and this program write it.
fn hash_beside(path: &Path) -> Option<(PathBuf, String)> {
    let hash_path = path.with_extension("hash");
    if hash_path == path {
        return None;
    }
    let mut text = String::new();
    let file = File::open(&hash_path).ok()?;
    file.take(MAX_HASH_FILE).read_to_string(&mut text).ok()?;
    Some((hash_path, text.trim().to_ascii_lowercase()))
}

/// Why reading stopped early.
enum Stop {
    Offence(ReadError),
    /// Nobody wants the rest.
    Closed,
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Offence(error)
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
        .map_err(Stop::Offence)
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
        offence: match outcome {
            Err(Stop::Offence(error)) => Some(error),
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
