//! The formats of chain files: one writer and one reader for all of them.
//!
//! | format | what it is | pending messages |
//! |---|---|---|
//! | [`Chain`](Format::Chain) | the original's JSON, byte for byte | no |
//! | [`Pickle`](Format::Pickle) | the original's pickle, byte for byte | no |
//! | [`Bincode`](Format::Bincode) | frames of this program's own encoding ([`frames`]) | yes |
//! | [`Json`](Format::Json) | an array of the block objects of this program's API ([`plain`]) | yes |
//! | [`Ndjson`](Format::Ndjson) | one such object a line | no |
//! | [`Csv`](Format::Csv) | one row a block, for spreadsheets ([`table`]) | no |
//!
//! The reader tells the format by content, never by name ([`mod@detect`]), and hands out one block at
//! a time: memory is bounded by the longest block, whoever wrote the bytes. Whether the blocks
//! make a valid chain is checked by [`crate::chain::Checker`]. The formats of lines cannot tell a
//! file that was cut between two blocks from a shorter chain; the others can.

pub mod detect;
pub mod frames;
pub mod plain;
mod scanner;
pub mod table;

use std::io::{self, Read, Write};

use crate::chain::{Block, Message};
use crate::reference::{ReadError, json, pickle};

use self::detect::{Peeked, detect};

/// A format of chain files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The documented JSON.
    Chain,
    /// The documented pickle.
    Pickle,
    /// Frames of this program's own encoding.
    Bincode,
    /// A JSON array of plain block objects.
    Json,
    /// One plain block object a line.
    Ndjson,
    /// One row a block.
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

    /// The name as commands spell it.
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

    /// Whether the bytes are no text.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Pickle | Self::Bincode)
    }

    /// Whether pending messages can stand beside the chain.
    pub fn holds_pending(self) -> bool {
        matches!(self, Self::Bincode | Self::Json)
    }
}

/// What a chain file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The next block.
    Block(Block),
    /// A message that waits to be mined.
    Pending(Message),
}

/// Writes a chain in one of the formats, block by block.
#[derive(Debug)]
pub struct ChainWriter<W: Write>(Writer<W>);

#[derive(Debug)]
enum Writer<W: Write> {
    Chain(json::ChainWriter<W>),
    Pickle(Box<pickle::ChainWriter<W>>),
    Frames(frames::FrameWriter<W>),
    Plain(plain::PlainWriter<W>),
    Table(Box<table::TableWriter<W>>),
}

impl<W: Write> ChainWriter<W> {
    /// A writer to `out`, which should have a buffer. Pending messages can be pushed after the
    /// blocks only if that is said now and the format [holds them](Format::holds_pending).
    ///
    /// # Errors
    /// If `out` does not take the start.
    pub fn new(format: Format, out: W, with_pending: bool) -> io::Result<Self> {
        use plain::Layout;
        Ok(Self(match format {
            Format::Chain => Writer::Chain(json::ChainWriter::new(out)),
            Format::Pickle => Writer::Pickle(Box::new(pickle::ChainWriter::new(out))),
            Format::Bincode => Writer::Frames(frames::FrameWriter::new(out)?),
            Format::Json if with_pending => {
                Writer::Plain(plain::PlainWriter::new(Layout::Object, out)?)
            }
            Format::Json => Writer::Plain(plain::PlainWriter::new(Layout::Array, out)?),
            Format::Ndjson => Writer::Plain(plain::PlainWriter::new(Layout::Lines, out)?),
            Format::Csv => Writer::Table(Box::new(table::TableWriter::new(out)?)),
        }))
    }

    /// Writes the next block.
    ///
    /// # Errors
    /// If `out` does not take it.
    pub fn push(&mut self, block: &Block) -> io::Result<()> {
        match &mut self.0 {
            Writer::Chain(writer) => writer.push(block),
            Writer::Pickle(writer) => writer.push(block),
            Writer::Frames(writer) => writer.push(block),
            Writer::Plain(writer) => writer.push(block),
            Writer::Table(writer) => writer.push(block),
        }
    }

    /// Writes a pending message; no block can follow.
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

    /// Ends the file and returns the flushed `out`.
    ///
    /// # Errors
    /// If `out` does not take the end.
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

/// A chain file whose format is known, about to be read.
#[derive(Debug)]
pub struct ChainReader<R> {
    format: Format,
    source: Peeked<R>,
}

impl<R: Read> ChainReader<R> {
    /// Looks at the start of `source`. It asks for much at once, so the source needs no buffer.
    ///
    /// # Errors
    /// If the source cannot be read. Bytes that are no format at all are found later.
    pub fn new(source: R) -> Result<Self, ReadError> {
        let (format, source) = detect(source).map_err(|error| ReadError::io(0, error))?;
        Ok(Self { format, source })
    }

    /// The format the content has, or the documented JSON if it has none.
    pub fn format(&self) -> Format {
        self.format
    }

    /// Hands every block to `each`, then every pending message. Without an error the whole file
    /// was read, and it had a block.
    ///
    /// # Errors
    /// The first thing in the file that cannot be taken, or what `each` returned.
    pub fn for_each<E: From<ReadError>>(
        self,
        mut each: impl FnMut(Item) -> Result<(), E>,
    ) -> Result<(), E> {
        let source = self.source;
        match self.format {
            Format::Chain => {
                json::JsonChainReader::new(source).try_for_each(|block| each(Item::Block(block?)))
            }
            Format::Pickle => {
                pickle::ChainReader::new(source).try_for_each(|block| each(Item::Block(block?)))
            }
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
/// The first thing in the file that cannot be taken, or what `each` returned.
pub fn read<E: From<ReadError>>(
    source: impl Read,
    each: impl FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    ChainReader::new(source)?.for_each(each)
}

#[cfg(test)]
mod tests;
