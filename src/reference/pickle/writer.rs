//! Writes a chain as Python 3.8 to 3.13 pickle it (protocol 4), byte for byte.
//!
//! Python splits a pickle into frames of at least 64 KiB, writes longer texts outside of frames, and
//! writes a reference for an object that it has written before: the classes, the attribute names,
//! the empty text and texts of one character up to U+00FF, for which it has one object each. Other
//! equal texts are different objects.

use std::io::{self, Write};

use super::opcode as op;
use super::{BLOCK, DATA, integer};
use crate::chain::{Block, Message, Timestamp};

/// A frame of this size is closed before the next object; a text of this size is outside of frames.
const FRAME_TARGET: usize = 64 * 1024;
/// A smaller frame is written without its header.
const MIN_FRAME_BYTES: usize = 4;
/// Number of blocks appended at once.
const BATCH: u64 = 1000;

/// Index of the empty text among the shared texts; the index of the others is their character.
const EMPTY: usize = 256;

/// Writes a chain file block by block, with memory for one frame.
#[derive(Debug)]
pub struct PickleChainWriter<W> {
    out: W,
    frame: Vec<u8>,
    objects: u32,
    block_class: Option<u32>,
    data_class: Option<u32>,
    names: [Option<u32>; 7],
    /// Memo numbers of the texts of one character and of the empty text.
    shared: [Option<u32>; EMPTY + 1],
    /// The first block. Python writes a single block differently, so it is written with the second.
    first: Option<Box<Block>>,
    count: u64,
}

/// An attribute by its index in [`NAMES`].
#[derive(Clone, Copy)]
enum Name {
    Index,
    Timestamp,
    Data,
    Proof,
    PreviousHash,
    Id,
    Message,
}

const NAMES: [&str; 7] = [
    "_index",
    "_timestamp",
    "_data",
    "_proof",
    "_previous_hash",
    "_id",
    "_message",
];

impl<W: Write> PickleChainWriter<W> {
    /// Creates a writer to `out`. It writes whole frames, so `out` needs no buffer.
    pub fn new(out: W) -> Self {
        let mut writer = Self {
            out,
            frame: Vec::with_capacity(FRAME_TARGET + 1024),
            objects: 0,
            block_class: None,
            data_class: None,
            names: [None; 7],
            shared: [None; EMPTY + 1],
            first: None,
            count: 0,
        };
        writer.frame.push(op::EMPTY_LIST);
        writer.memoize();
        writer
    }

    /// Writes the next block.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn push(&mut self, block: &Block) -> io::Result<()> {
        if self.count == 0 {
            self.out.write_all(&[op::PROTO, 4])?;
            self.first = Some(Box::new(block.clone()));
        } else {
            if let Some(first) = self.first.take() {
                self.frame.push(op::MARK);
                self.block(&first)?;
            }
            if self.count.is_multiple_of(BATCH) {
                self.frame.push(op::APPENDS);
                self.frame.push(op::MARK);
            }
            self.block(block)?;
        }
        self.count += 1;
        Ok(())
    }

    /// Finishes the chain and returns the flushed `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self) -> io::Result<W> {
        match self.first.take() {
            Some(only) => {
                self.block(&only)?;
                self.frame.push(op::APPEND);
            }
            None if self.count == 0 => self.out.write_all(&[op::PROTO, 4])?,
            None => self.frame.push(op::APPENDS),
        }
        self.frame.push(op::STOP);
        self.close_frame()?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn block(&mut self, block: &Block) -> io::Result<()> {
        self.block_class = Some(self.object(self.block_class, BLOCK)?);
        self.name(Name::Index)?;
        self.integer(&block.index.to_string())?;
        self.name(Name::Timestamp)?;
        self.time(block.timestamp)?;
        self.name(Name::Data)?;
        self.message(&block.message)?;
        self.name(Name::Proof)?;
        if let Some(link) = &block.link {
            self.integer(link.proof.as_str())?;
            self.name(Name::PreviousHash)?;
            self.text(&link.previous_hash.to_string())?;
        } else {
            self.none()?;
            self.name(Name::PreviousHash)?;
            self.none()?;
        }
        self.frame.extend_from_slice(&[op::SETITEMS, op::BUILD]);
        Ok(())
    }

    fn message(&mut self, message: &Message) -> io::Result<()> {
        self.data_class = Some(self.object(self.data_class, DATA)?);
        self.name(Name::Id)?;
        self.text(&message.id().to_string())?;
        self.name(Name::Message)?;
        self.shared_text(message.text())?;
        self.frame.extend_from_slice(&[op::SETITEMS, op::BUILD]);
        Ok(())
    }

    /// Begins an object up to its attributes and returns the memo number of its class.
    fn object(&mut self, class: Option<u32>, name: (&str, &str)) -> io::Result<u32> {
        self.boundary()?;
        let number = if let Some(number) = class {
            self.get(number);
            number
        } else {
            self.text(name.0)?;
            self.text(name.1)?;
            self.frame.push(op::STACK_GLOBAL);
            self.memoize()
        };
        self.boundary()?;
        self.frame.extend_from_slice(&[op::EMPTY_TUPLE, op::NEWOBJ]);
        self.memoize();
        self.boundary()?;
        self.frame.push(op::EMPTY_DICT);
        self.memoize();
        self.frame.push(op::MARK);
        Ok(number)
    }

    fn name(&mut self, name: Name) -> io::Result<()> {
        let name = name as usize;
        match self.names[name] {
            Some(number) => {
                self.boundary()?;
                self.get(number);
            }
            None => self.names[name] = Some(self.text(NAMES[name])?),
        }
        Ok(())
    }

    /// Writes a text that may be a shared one.
    fn shared_text(&mut self, text: &str) -> io::Result<()> {
        let mut characters = text.chars();
        let place = match (characters.next(), characters.next()) {
            (None, _) => EMPTY,
            (Some(only), None) if only <= '\u{ff}' => only as usize,
            _ => return self.text(text).map(|_| ()),
        };
        if let Some(number) = self.shared[place] {
            self.boundary()?;
            self.get(number);
        } else {
            self.shared[place] = Some(self.text(text)?);
        }
        Ok(())
    }

    /// Writes a text and returns its memo number.
    fn text(&mut self, text: &str) -> io::Result<u32> {
        self.boundary()?;
        if let Ok(length) = u8::try_from(text.len()) {
            self.frame
                .extend_from_slice(&[op::SHORT_BINUNICODE, length]);
        } else {
            let length = u32::try_from(text.len())
                .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
            if text.len() >= FRAME_TARGET {
                self.close_frame()?;
                self.out.write_all(&[op::BINUNICODE])?;
                self.out.write_all(&length.to_le_bytes())?;
                self.out.write_all(text.as_bytes())?;
                return Ok(self.memoize());
            }
            self.frame.push(op::BINUNICODE);
            self.frame.extend_from_slice(&length.to_le_bytes());
        }
        self.frame.extend_from_slice(text.as_bytes());
        Ok(self.memoize())
    }

    fn integer(&mut self, text: &str) -> io::Result<()> {
        self.boundary()?;
        let Ok(value) = text.parse::<i32>() else {
            let bytes = integer::to_bytes(text);
            if let Ok(length) = u8::try_from(bytes.len()) {
                self.frame.extend_from_slice(&[op::LONG1, length]);
            } else {
                let length = u32::try_from(bytes.len())
                    .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
                self.frame.push(op::LONG4);
                self.frame.extend_from_slice(&length.to_le_bytes());
            }
            self.frame.extend_from_slice(&bytes);
            return Ok(());
        };
        if let Ok(value) = u8::try_from(value) {
            self.frame.extend_from_slice(&[op::BININT1, value]);
        } else if let Ok(value) = u16::try_from(value) {
            self.frame.push(op::BININT2);
            self.frame.extend_from_slice(&value.to_le_bytes());
        } else {
            self.frame.push(op::BININT);
            self.frame.extend_from_slice(&value.to_le_bytes());
        }
        Ok(())
    }

    fn time(&mut self, time: Timestamp) -> io::Result<()> {
        if let Some(seconds) = time.as_integer() {
            return self.integer(&seconds.to_string());
        }
        self.boundary()?;
        self.frame.push(op::BINFLOAT);
        self.frame.extend_from_slice(&time.seconds().to_be_bytes());
        Ok(())
    }

    fn none(&mut self) -> io::Result<()> {
        self.boundary()?;
        self.frame.push(op::NONE);
        Ok(())
    }

    fn get(&mut self, number: u32) {
        if let Ok(number) = u8::try_from(number) {
            self.frame.extend_from_slice(&[op::BINGET, number]);
        } else {
            self.frame.push(op::LONG_BINGET);
            self.frame.extend_from_slice(&number.to_le_bytes());
        }
    }

    /// Gives the last object the next memo number.
    fn memoize(&mut self) -> u32 {
        self.frame.push(op::MEMOIZE);
        let number = self.objects;
        // A block takes seven numbers, so they suffice for 600 million blocks.
        self.objects = number.saturating_add(1);
        number
    }

    /// Closes a full frame before an object.
    fn boundary(&mut self) -> io::Result<()> {
        if self.frame.len() >= FRAME_TARGET {
            self.close_frame()?;
        }
        Ok(())
    }

    fn close_frame(&mut self) -> io::Result<()> {
        if self.frame.len() >= MIN_FRAME_BYTES {
            let length = self.frame.len() as u64;
            self.out.write_all(&[op::FRAME])?;
            self.out.write_all(&length.to_le_bytes())?;
        }
        self.out.write_all(&self.frame)?;
        self.frame.clear();
        Ok(())
    }
}
