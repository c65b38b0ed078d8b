//! Reads the blocks of a chain file in JSON, one at a time.

use std::io::Read;

use super::items::{self, Objects};
use super::text::{Parsed, Stop, TextCursor};
use crate::chain::Block;
use crate::reference::ReadError;
use crate::reference::buffer::Buffer;

/// Maximum number of bytes of a block in a file. The longest message takes 1.5 MiB with every
/// character escaped; the rest leaves room for spacing and unknown keys.
pub const MAX_BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// Reads a chain in JSON.
///
/// Stops after the first error. A chain is complete only if the reader ends without one.
#[derive(Debug)]
pub struct JsonChainReader<R> {
    buffer: Buffer<R>,
    objects: Objects,
    position: u64,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Blocks,
    Ended,
}

impl<R: Read> JsonChainReader<R> {
    /// Creates a reader of `source`. It reads at least 64 KiB at once, so the source needs no buffer.
    pub fn new(source: R) -> Self {
        Self {
            buffer: Buffer::new(source),
            objects: Objects::default(),
            position: 0,
            state: State::Start,
        }
    }

    /// Returns the number of bytes read, up to the end of the last block.
    pub fn offset(&self) -> u64 {
        self.buffer.offset()
    }

    fn advance(&mut self) -> Result<Option<Block>, ReadError> {
        if self.state == State::Start {
            self.start()?;
        }
        let (first, position) = (self.position == 0, self.position);
        let item = self
            .step(|cursor, objects| item(cursor, objects, first, position))
            .map_err(|error| error.in_block(position))?;
        if let Some(item) = item {
            self.objects.add(&item);
            self.position += 1;
            return Ok(Some(item.block));
        }
        if first {
            let reason = "the chain has no block";
            return Err(ReadError::not_well_formed(self.offset(), reason));
        }
        self.finish()?;
        Ok(None)
    }

    /// Consumes the opening bracket.
    fn start(&mut self) -> Result<(), ReadError> {
        if !self.fetch(1)? {
            return Err(ReadError::not_readable(0, "the file is empty"));
        }
        self.fetch(3)?;
        if self.buffer.bytes().starts_with(b"\xef\xbb\xbf") {
            return Err(ReadError::not_readable(
                0,
                "the file starts with a byte order mark",
            ));
        }
        self.state = State::Blocks;
        self.step(|cursor, _| cursor.expect(b'[', "a list of blocks"))
    }

    /// Checks that only whitespace follows.
    fn finish(&mut self) -> Result<(), ReadError> {
        loop {
            let is_space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            let count = self.buffer.bytes().iter().take_while(is_space).count();
            self.buffer.consume(count);
            if !self.fetch(1)? {
                return Ok(());
            }
            if count == 0 {
                let reason = "unexpected data after the end of the chain";
                return Err(ReadError::not_readable(self.offset(), reason));
            }
        }
    }

    fn fetch(&mut self, count: usize) -> Result<bool, ReadError> {
        let fetched = self.buffer.fetch(count);
        fetched.map_err(|error| ReadError::io(self.buffer.offset(), error))
    }

    /// Parses at the start of the window and widens the window while the text is incomplete. Each
    /// attempt at least doubles the window, so the total cost is linear in the length of the text.
    fn step<T>(
        &mut self,
        mut parse: impl FnMut(&mut TextCursor<'_>, &Objects) -> Parsed<T>,
    ) -> Result<T, ReadError> {
        self.fetch(1)?;
        loop {
            let mut cursor = TextCursor::new(self.buffer.bytes(), self.buffer.offset());
            match parse(&mut cursor, &self.objects) {
                Ok(value) => {
                    let consumed = cursor.consumed();
                    self.buffer.consume(consumed);
                    return Ok(value);
                }
                Err(Stop::Invalid(error)) => return Err(*error),
                Err(Stop::Incomplete) => {}
            }
            let held = self.buffer.bytes().len();
            if held >= MAX_BLOCK_BYTES {
                let reason = format!("one block takes more than {MAX_BLOCK_BYTES} bytes");
                return Err(ReadError::not_readable(self.offset(), reason));
            }
            self.fetch(2 * held + 1)?;
            let now = self.buffer.bytes().len();
            if now == held {
                let end = self.offset() + now as u64;
                return Err(ReadError::not_readable(end, "the file is truncated"));
            }
        }
    }
}

/// Consumes the comma and the next block of a list, or the end of the list.
fn item(
    cursor: &mut TextCursor<'_>,
    objects: &Objects,
    first: bool,
    position: u64,
) -> Parsed<Option<items::Item>> {
    if cursor.consume_if(b']')? {
        return Ok(None);
    }
    if !first {
        cursor.expect(b',', "a comma or the end of the list")?;
    }
    items::block(cursor, objects, position).map(Some)
}

impl<R: Read> Iterator for JsonChainReader<R> {
    type Item = Result<Block, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.state == State::Ended {
            return None;
        }
        let next = self.advance().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.state = State::Ended;
        }
        next
    }
}
