//! The blocks of a chain file in JSON, one at a time.

use std::io::Read;

use super::items::{self, Objects};
use super::text::{Parsed, Stop, TextCursor};
use crate::chain::Block;
use crate::reference::ReadError;
use crate::reference::buffer::Buffer;

/// Most bytes that one block may take in a file. The longest message takes 1.5 MiB with every
/// character escaped; the rest is room for blanks and further keys.
pub const MAX_BLOCK_BYTES: usize = 4 * 1024 * 1024;

/// Reads a chain in JSON.
///
/// Ends after the first error; only a reader that ended without one has read a whole chain.
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
    /// A reader on this source. It asks for 64 KiB and more at once, so the source needs no buffer.
    pub fn new(source: R) -> Self {
        Self {
            buffer: Buffer::new(source),
            objects: Objects::default(),
            position: 0,
            state: State::Start,
        }
    }

    /// Bytes read so far, up to the end of the last block.
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

    /// Passes the opening bracket.
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

    /// Makes sure that only blanks follow.
    fn finish(&mut self) -> Result<(), ReadError> {
        loop {
            let blanks = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
            let count = self.buffer.bytes().iter().take_while(blanks).count();
            self.buffer.consume(count);
            if !self.fetch(1)? {
                return Ok(());
            }
            if count == 0 {
                let reason = "the chain ends here, but the file goes on";
                return Err(ReadError::not_readable(self.offset(), reason));
            }
        }
    }

    fn fetch(&mut self, count: usize) -> Result<bool, ReadError> {
        let fetched = self.buffer.fetch(count);
        fetched.map_err(|error| ReadError::io(self.buffer.offset(), error))
    }

    /// Parses at the window's start, with a wider window as long as the text is incomplete. Each
    /// try at least doubles the window, so trying again costs no more than the text is long.
    fn step<T>(
        &mut self,
        mut parse: impl FnMut(&mut TextCursor<'_>, &Objects) -> Parsed<T>,
    ) -> Result<T, ReadError> {
        self.fetch(1)?;
        loop {
            let mut cursor = TextCursor::new(self.buffer.bytes(), self.buffer.offset());
            match parse(&mut cursor, &self.objects) {
                Ok(value) => {
                    let passed = cursor.passed();
                    self.buffer.consume(passed);
                    return Ok(value);
                }
                Err(Stop::Refused(error)) => return Err(*error),
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
                return Err(ReadError::not_readable(end, "the file ends too early"));
            }
        }
    }
}

/// Passes the next block of a list with the comma before it, or the end of the list.
fn item(
    cursor: &mut TextCursor<'_>,
    objects: &Objects,
    first: bool,
    position: u64,
) -> Parsed<Option<items::Item>> {
    if cursor.pass(b']')? {
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
