//! The formats of chain files, with one writer and one reader for all of them.
//!
//! | format | content | pending messages |
//! |---|---|---|
//! | [`Chain`](Format::Chain) | JSON of the reference miner, byte for byte | no |
//! | [`Pickle`](Format::Pickle) | pickle of the reference miner, byte for byte | no |
//! | [`Bincode`](Format::Bincode) | frames in the binary encoding of this program (`frames`) | yes |
//! | [`Json`](Format::Json) | an array of the block objects of this program's API (`plain`) | yes |
//! | [`Ndjson`](Format::Ndjson) | one such object per line | no |
//! | [`Csv`](Format::Csv) | one row per block, for spreadsheets (`table`) | no |
//!
//! The reader detects the format from the content, never from the file name (`detect`), and
//! reads one block at a time, so that the longest block bounds its memory even for hostile input.
//! [`crate::chain::Checker`] checks the chain. A file that is truncated between two blocks is
//! detected, except in the formats with one block per line or row.

mod detect;
mod frames;
mod plain;
mod scanner;
mod table;

use std::io::{self, Read, Write};

use crate::chain::{Block, Message};
use crate::reference::{ReadError, json, pickle};

use self::detect::{Peeked, detect};

/// A format of chain files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON of the reference miner.
    Chain,
    /// Pickle of the reference miner.
    Pickle,
    /// Frames in the binary encoding of this program.
    Bincode,
    /// A JSON array of block objects of this program's API.
    Json,
    /// One such block object per line.
    Ndjson,
    /// One row per block.
    Csv,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 6] = [
        Self::Chain,
        Self::Pickle,
        Self::Bincode,
        Self::Json,
        Self::Ndjson,
        Self::Csv,
    ];

    /// Returns the name of the format in command-line options.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Pickle => "pickle",
            Self::Bincode => "bincode",
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// Returns `true` if the format is not text.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Pickle | Self::Bincode)
    }

    /// Returns `true` if the format can contain pending messages.
    pub fn holds_pending(self) -> bool {
        matches!(self, Self::Bincode | Self::Json)
    }
}

/// An item of a chain file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The next block.
    Block(Block),
    /// A pending message.
    Pending(Message),
}

/// Writes a chain in one of the formats, one block at a time.
#[derive(Debug)]
pub struct ChainWriter<W: Write>(Writer<W>);

#[derive(Debug)]
enum Writer<W: Write> {
    Chain(json::JsonChainWriter<W>),
    Pickle(Box<pickle::PickleChainWriter<W>>),
    Frames(frames::FrameWriter<W>),
    Plain(plain::PlainWriter<W>),
    Table(Box<table::TableWriter<W>>),
}

impl<W: Write> ChainWriter<W> {
    /// Creates a writer to `out`, which should be buffered. Pending messages can follow the blocks only
    /// if `with_pending` is `true` and the format [can contain them](Format::holds_pending).
    ///
    /// # Errors
    /// Those of `out`.
    pub fn new(format: Format, out: W, with_pending: bool) -> io::Result<Self> {
        use plain::Layout;
        Ok(Self(match format {
            Format::Chain => Writer::Chain(json::JsonChainWriter::new(out)),
            Format::Pickle => Writer::Pickle(Box::new(pickle::PickleChainWriter::new(out))),
            Format::Bincode => Writer::Frames(frames::FrameWriter::new(out)?),
            Format::Json if with_pending => {
                Writer::Plain(plain::PlainWriter::new(Layout::Object, out)?)
            }
            Format::Json => Writer::Plain(plain::PlainWriter::new(Layout::Array, out)?),
            Format::Ndjson => Writer::Plain(plain::PlainWriter::new(Layout::Lines, out)?),
            Format::Csv => Writer::Table(Box::new(table::TableWriter::new(out)?)),
        }))
    }

    /// Writes the next blocks.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn push_all(&mut self, blocks: &[Block]) -> io::Result<()> {
        match &mut self.0 {
            Writer::Chain(writer) => blocks.iter().try_for_each(|block| writer.push(block)),
            Writer::Pickle(writer) => blocks.iter().try_for_each(|block| writer.push(block)),
            Writer::Frames(writer) => blocks.iter().try_for_each(|block| writer.push(block)),
            Writer::Plain(writer) => writer.push_all(blocks),
            Writer::Table(writer) => writer.push_all(blocks),
        }
    }

    /// Writes a pending message. No block may follow it.
    ///
    /// # Errors
    /// If `out` does not take it, or the format holds none.
    pub fn push_pending(&mut self, message: &Message) -> io::Result<()> {
        match &mut self.0 {
            Writer::Frames(writer) => writer.push_pending(message),
            Writer::Plain(writer) => writer.push_pending(message),
            Writer::Chain(_) | Writer::Pickle(_) | Writer::Table(_) => {
                Err(io::ErrorKind::Unsupported.into())
            }
        }
    }

    /// Finishes the file and returns the flushed `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(self) -> io::Result<W> {
        match self.0 {
            Writer::Chain(writer) => writer.finish(),
            Writer::Pickle(writer) => writer.finish(),
            Writer::Frames(writer) => writer.finish(),
            Writer::Plain(writer) => writer.finish(),
            Writer::Table(writer) => writer.finish(),
        }
    }
}

/// A chain file with a known format.
#[derive(Debug)]
pub struct ChainReader<R> {
    format: Format,
    source: Peeked<R>,
}

impl<R: Read> ChainReader<R> {
    /// Detects the format from the start of `source`. It reads much at once, so `source` needs no
    /// buffer.
    ///
    /// # Errors
    /// Those of `source`. Bytes of an unknown format are rejected by [`Self::for_each`].
    pub fn new(source: R) -> Result<Self, ReadError> {
        let (format, source) = detect(source).map_err(|error| ReadError::io(0, error))?;
        Ok(Self { format, source })
    }

    /// Returns the format; [`Format::Chain`] if it is unknown.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Calls `each` with every block, then with every pending message. If it returns `Ok`, the whole
    /// file was read and contained at least one block.
    ///
    /// # Errors
    /// The first error in the file, or the first error of `each`.
    pub fn for_each<E: From<ReadError>>(
        self,
        mut each: impl FnMut(Item) -> Result<(), E>,
    ) -> Result<(), E> {
        let source = self.source;
        match self.format {
            Format::Chain => {
                json::JsonChainReader::new(source).try_for_each(|block| each(Item::Block(block?)))
            }
            Format::Pickle => pickle::PickleChainReader::new(source)
                .try_for_each(|block| each(Item::Block(block?))),
            Format::Bincode => frames::read(source, &mut each),
            Format::Json => plain::read_array(source, &mut each),
            Format::Ndjson => plain::read_lines(source, &mut each),
            Format::Csv => table::read(source, &mut each),
        }
    }
}

/// Reads a chain file: [`ChainReader::for_each`] on its content.
///
/// # Errors
/// The first error in the file, or the first error of `each`.
pub fn read<E: From<ReadError>>(
    source: impl Read,
    each: impl FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    ChainReader::new(source)?.for_each(each)
}

#[cfg(test)]
mod tests;
