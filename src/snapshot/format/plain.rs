//! A chain as block objects of this program's API ([`crate::wire::Block`]).
//!
//! There are three layouts: an array of blocks; with pending messages, an object
//! `{"blocks": […], "mempool": [{"id", "message"}, …]}`; or one block per line. Each block and
//! each message is written on its own line.
//!
//! A block is read from `index`, `previous_hash`, `timestamp_text`, `proof` and `data`. The time is
//! read from its text, because the type of the number is part of the chain and many programs do not
//! preserve it. If there is a `hash`, it must be the hash of the block. Other keys are ignored.

use std::borrow::Cow;
use std::io::{self, Read, Write};

use serde::Deserialize;

use super::Item;
use super::scanner::Scanner;
use crate::chain::{Block, BlockHash, History, Link, Message};
use crate::reference::ReadError;
use crate::reference::error::{FormatViolation, quoted};
use crate::text::escape_json;
use crate::wire::object::read_objects;
use crate::wire::{self, BlockRenderer};

/// Key of the blocks in the object with pending messages.
pub(super) const BLOCKS: &str = "blocks";
/// Key of the pending messages in that object.
pub(super) const MEMPOOL: &str = "mempool";

/// Arrangement of block objects in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// An array.
    Array,
    /// An object with an array of blocks and an array of pending messages.
    Object,
    /// One block per line.
    Lines,
}

/// Writes block objects.
#[derive(Debug)]
pub(super) struct PlainWriter<W> {
    out: W,
    layout: Layout,
    renderer: BlockRenderer,
    in_blocks: bool,
    first: bool,
}

impl<W: Write> PlainWriter<W> {
    pub(super) fn new(layout: Layout, mut out: W) -> io::Result<Self> {
        if layout == Layout::Object {
            write!(out, "{{\"{BLOCKS}\": ")?;
        }
        Ok(Self {
            out,
            layout,
            renderer: BlockRenderer::above(History::default(), None),
            in_blocks: true,
            first: true,
        })
    }

    pub(super) fn push_all(&mut self, blocks: &[Block]) -> io::Result<()> {
        for object in self.renderer.render_all(blocks, |block| to_json(&block)) {
            let object = object?;
            self.separate()?;
            self.out.write_all(object.as_bytes())?;
            if self.layout == Layout::Lines {
                self.out.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    pub(super) fn push_pending(&mut self, message: &Message) -> io::Result<()> {
        if self.layout != Layout::Object {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.end_blocks()?;
        self.separate()?;
        let object = to_json(&wire::Message::from(message))?;
        self.out.write_all(object.as_bytes())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        match self.layout {
            Layout::Lines => {}
            Layout::Array => {
                self.end_array()?;
                self.out.write_all(b"\n")?;
            }
            Layout::Object => {
                self.end_blocks()?;
                self.end_array()?;
                self.out.write_all(b"}\n")?;
            }
        }
        self.out.flush()?;
        Ok(self.out)
    }

    fn separate(&mut self) -> io::Result<()> {
        let first = std::mem::take(&mut self.first);
        match self.layout {
            Layout::Lines => Ok(()),
            _ if first => self.out.write_all(b"[\n"),
            _ => self.out.write_all(b",\n"),
        }
    }

    fn end_array(&mut self) -> io::Result<()> {
        self.out.write_all(if self.first { b"[]" } else { b"\n]" })
    }

    fn end_blocks(&mut self) -> io::Result<()> {
        if self.in_blocks {
            self.end_array()?;
            (self.in_blocks, self.first) = (false, true);
            write!(self.out, ",\n\"{MEMPOOL}\": ")?;
        }
        Ok(())
    }
}

/// Returns an object with unsafe characters escaped, because an export may go to a terminal.
fn to_json(object: &impl serde::Serialize) -> io::Result<String> {
    let json = serde_json::to_string(object)?;
    Ok(match escape_json(&json) {
        Cow::Borrowed(_) => json,
        Cow::Owned(escaped) => escaped,
    })
}

/// The values that are read of a block.
#[derive(Debug, Deserialize)]
#[serde(remote = "Self")]
pub(super) struct Record {
    pub(super) index: u64,
    pub(super) hash: Option<String>,
    pub(super) previous_hash: Option<String>,
    pub(super) timestamp_text: String,
    pub(super) proof: Option<String>,
    pub(super) data: wire::Message,
}

read_objects!(Record);

/// Error for a record that is not a block.
#[derive(Debug)]
pub(super) enum InvalidRecord {
    NotWellFormed(String),
    Changed(String),
    Rule(FormatViolation),
}

impl InvalidRecord {
    pub(super) fn at(self, offset: u64) -> ReadError {
        match self {
            Self::NotWellFormed(reason) => ReadError::not_well_formed(offset, reason),
            Self::Changed(reason) => ReadError::changed(offset, reason),
            Self::Rule(violation) => ReadError::rule(offset, violation),
        }
    }

    fn from(error: impl std::fmt::Display) -> Self {
        Self::NotWellFormed(error.to_string())
    }
}

impl Record {
    /// Converts the record to the block at `position` of the chain.
    pub(super) fn into_block(self, position: u64) -> Result<Block, InvalidRecord> {
        let first = position == 0;
        let proof = match self.proof {
            Some(proof) => Some(proof.try_into().map_err(InvalidRecord::from)?),
            None => None,
        };
        let link = match (self.previous_hash, proof) {
            (None, None) => None,
            (None, Some(found)) if first => {
                return Err(InvalidRecord::Rule(FormatViolation::GenesisProof { found }));
            }
            (Some(found), None) if first => {
                let found = quoted(&found);
                return Err(InvalidRecord::Rule(FormatViolation::GenesisPreviousHash {
                    found,
                }));
            }
            (None, Some(_)) => return Err(InvalidRecord::Rule(FormatViolation::NoPreviousHash)),
            (Some(_), None) => return Err(InvalidRecord::Rule(FormatViolation::NoProof)),
            (Some(hash), Some(proof)) => {
                let previous_hash = hash.parse().map_err(|_| {
                    let found = quoted(&hash);
                    InvalidRecord::Rule(FormatViolation::PreviousHash { found })
                })?;
                Some(Link {
                    previous_hash,
                    proof,
                })
            }
        };
        let block = Block {
            index: self.index,
            timestamp: self.timestamp_text.parse().map_err(InvalidRecord::from)?,
            message: message(self.data)?,
            link,
        };
        if let Some(given) = self.hash {
            let hash = BlockHash::of(&block);
            if given != hash.to_string() {
                let given = quoted(&given);
                return Err(InvalidRecord::Changed(format!(
                    "its content no longer matches its hash, which is {given} here and {hash} by the \
                     content"
                )));
            }
        }
        Ok(block)
    }
}

fn message(data: wire::Message) -> Result<Message, InvalidRecord> {
    let id = data.id.parse().map_err(InvalidRecord::from)?;
    Message::new(id, data.message).map_err(InvalidRecord::from)
}

/// Reads an array of blocks, or an object with one.
pub(super) fn read_array<E: From<ReadError>>(
    source: impl Read,
    each: &mut impl FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    let mut scanner = Scanner::new(source);
    if scanner.peek()? == Some(b'[') {
        blocks(&mut scanner, each)?;
    } else {
        scanner.expect(b'{', "a list of blocks")?;
        let (mut first, mut seen) = (true, [false; 2]);
        while scanner.next_item(b'}', &mut first)? {
            let key: String = scanner.parse(b'"', "a key")?;
            scanner.expect(b':', "a colon")?;
            let nth = match &*key {
                BLOCKS => 0,
                MEMPOOL => 1,
                _ => {
                    let reason =
                        format!("expected `{BLOCKS}` or `{MEMPOOL}`, found {}", quoted(&key));
                    return Err(scanner.reject(reason).into());
                }
            };
            if std::mem::replace(&mut seen[nth], true) {
                return Err(scanner.reject(format!("duplicate key `{key}`")).into());
            }
            if nth == 0 {
                blocks(&mut scanner, each)?;
            } else {
                pending(&mut scanner, each)?;
            }
        }
        if !seen[0] {
            return Err(scanner.no_block().into());
        }
    }
    match scanner.peek()? {
        None => Ok(()),
        Some(_) => Err(scanner
            .reject("unexpected data after the end of the chain")
            .into()),
    }
}

/// Reads blocks that are separated by whitespace.
pub(super) fn read_lines<E: From<ReadError>>(
    source: impl Read,
    each: &mut impl FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    let mut scanner = Scanner::new(source);
    let mut position = 0;
    while scanner.peek()?.is_some() {
        each(Item::Block(block(&mut scanner, position)?))?;
        position += 1;
    }
    if position == 0 {
        return Err(scanner.no_block().into());
    }
    Ok(())
}

fn blocks<R: Read, E: From<ReadError>>(
    scanner: &mut Scanner<R>,
    each: &mut impl FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    scanner.expect(b'[', "a list of blocks")?;
    let (mut first, mut position) = (true, 0);
    while scanner
        .next_item(b']', &mut first)
        .map_err(|error| error.in_block(position))?
    {
        each(Item::Block(block(scanner, position)?))?;
        position += 1;
    }
    if position == 0 {
        return Err(scanner.no_block().into());
    }
    Ok(())
}

/// Reads the block at `position` of the chain.
fn block<R: Read>(scanner: &mut Scanner<R>, position: u64) -> Result<Block, ReadError> {
    scanner
        .parse(b'{', "a block")
        .and_then(|record: Record| {
            let block = record.into_block(position);
            block.map_err(|invalid| invalid.at(scanner.start).on_line(scanner.start_line))
        })
        .map_err(|error| error.in_block(position))
}

fn pending<R: Read, E: From<ReadError>>(
    scanner: &mut Scanner<R>,
    each: &mut impl FnMut(Item) -> Result<(), E>,
) -> Result<(), E> {
    scanner.expect(b'[', "a list of messages")?;
    let mut first = true;
    while scanner.next_item(b']', &mut first)? {
        let data = scanner.parse(b'{', "a message")?;
        let message = message(data).map_err(|invalid| invalid.at(scanner.start))?;
        each(Item::Pending(message))?;
    }
    Ok(())
}
