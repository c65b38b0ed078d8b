//! Finds the values in JSON of any size without holding more than one of them.

use std::io::{self, BufRead, BufReader, Read};

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::reference::ReadError;
use crate::reference::error::{byte, short};
use crate::reference::json::MAX_BLOCK_BYTES;

/// Moves over JSON, value by value.
pub(super) struct Scanner<R> {
    source: BufReader<R>,
    offset: u64,
    line: u64,
    /// Where the last value started, and on which line.
    pub(super) start: u64,
    pub(super) start_line: u64,
    value: Vec<u8>,
}

impl<R: Read> Scanner<R> {
    /// At the start of `source`.
    pub(super) fn new(source: R) -> Self {
        Self {
            source: BufReader::with_capacity(64 * 1024, source),
            offset: 0,
            line: 1,
            start: 0,
            start_line: 1,
            value: Vec::new(),
        }
    }

    /// A finding at the place reached.
    pub(super) fn refuse(&self, reason: impl Into<String>) -> ReadError {
        ReadError::not_readable(self.offset, reason).on_line(self.line)
    }

    /// The finding that a chain has not even a first block.
    pub(super) fn no_block(&self) -> ReadError {
        ReadError::not_well_formed(self.offset, "the chain has no block")
    }

    /// Passes bytes as long as `passes` says so; false if the source ended before.
    fn pass(&mut self, mut passes: impl FnMut(u8) -> bool) -> Result<bool, ReadError> {
        loop {
            let bytes = match self.source.fill_buf() {
                Ok([]) => return Ok(false),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReadError::io(self.offset, error)),
            };
            let stop = bytes.iter().position(|byte| !passes(*byte));
            let passed = stop.unwrap_or(bytes.len());
            let lines = bytes[..passed].iter().filter(|byte| **byte == b'\n');
            self.line += lines.count() as u64;
            self.offset += passed as u64;
            self.source.consume(passed);
            if stop.is_some() {
                return Ok(true);
            }
        }
    }

    /// The next byte that is no blank; none at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        let is_blank = |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        Ok(if self.pass(is_blank)? {
            self.source.buffer().first().copied()
        } else {
            None
        })
    }

    /// Passes this byte, after any blanks.
    pub(super) fn expect(&mut self, wanted: u8, what: &str) -> Result<(), ReadError> {
        match self.peek()? {
            Some(found) if found == wanted => {
                self.source.consume(1);
                self.offset += 1;
                Ok(())
            }
            Some(found) => Err(self.refuse(format!("expected {what}, found {}", byte(found)))),
            None => Err(self.refuse("the file ends too early")),
        }
    }

    /// Whether another item follows, passing the comma before it, or else the end of the list.
    pub(super) fn goes_on(&mut self, end: u8, first: &mut bool) -> Result<bool, ReadError> {
        if self.peek()? == Some(end) {
            self.expect(end, "the end of the list")?;
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',', "a comma or the end of the list")?;
        }
        Ok(true)
    }

    /// Reads one value, which starts with `opening`: an object or a text.
    pub(super) fn parse<T: DeserializeOwned>(
        &mut self,
        opening: u8,
        what: &str,
    ) -> Result<T, ReadError> {
        match self.peek()? {
            Some(found) if found == opening => {}
            Some(found) => {
                return Err(self.refuse(format!("expected {what}, found {}", byte(found))));
            }
            None => return Err(self.refuse("the file ends too early")),
        }
        (self.start, self.start_line) = (self.offset, self.line);
        self.take_value()?;
        serde_json::from_slice(&self.value).map_err(|error| self.describe(&error))
    }

    /// Moves one object or text into `value`.
    fn take_value(&mut self) -> Result<(), ReadError> {
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        let (mut depth, mut in_text, mut escaped, mut ended) = (0_usize, false, false, false);
        let complete = self.pass(|byte| {
            if ended || value.len() >= MAX_BLOCK_BYTES {
                return false;
            }
            value.push(byte);
            if in_text {
                match byte {
                    _ if escaped => escaped = false,
                    b'\\' => escaped = true,
                    b'"' => in_text = false,
                    _ => {}
                }
            } else {
                match byte {
                    b'"' => in_text = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
            }
            ended = depth == 0 && !in_text;
            true
        });
        self.value = value;
        // The source may end with the value.
        if ended {
            complete.map(drop)
        } else if complete? {
            let reason = format!("one block takes more than {MAX_BLOCK_BYTES} bytes");
            Err(self.refuse(reason))
        } else {
            Err(self.refuse("the file ends too early"))
        }
    }

    /// What the parser says, without its own count of lines and columns.
    fn describe(&self, error: &serde_json::Error) -> ReadError {
        let text = error.to_string();
        let reason = text.split(" at line ").next().unwrap_or(&text);
        let error = match error.classify() {
            Category::Data => ReadError::not_well_formed(self.start, short(reason)),
            _ => ReadError::not_readable(self.start, short(reason)),
        };
        error.on_line(self.start_line)
    }
}
