//! Reads the values of a JSON text of any size, one at a time.

use std::io::{self, BufRead, BufReader, Read};

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::reference::ReadError;
use crate::reference::error::{byte, short};
use crate::reference::json::MAX_BLOCK_BYTES;

/// Reads JSON value by value.
pub(super) struct Scanner<R> {
    source: BufReader<R>,
    offset: u64,
    line: u64,
    /// Offset of the last value.
    pub(super) start: u64,
    /// Line of the last value.
    pub(super) start_line: u64,
    value: Vec<u8>,
}

impl<R: Read> Scanner<R> {
    /// Creates a scanner at the start of `source`.
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

    /// Returns an error at the current position.
    pub(super) fn reject(&self, reason: impl Into<String>) -> ReadError {
        ReadError::not_readable(self.offset, reason).on_line(self.line)
    }

    /// Returns the error for a chain without a block.
    pub(super) fn no_block(&self) -> ReadError {
        ReadError::not_well_formed(self.offset, "the chain has no block")
    }

    /// Consumes bytes while `wanted` returns `true`. Returns `false` if the source ends before.
    fn take_while(&mut self, mut wanted: impl FnMut(u8) -> bool) -> Result<bool, ReadError> {
        loop {
            let bytes = match self.source.fill_buf() {
                Ok([]) => return Ok(false),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReadError::io(self.offset, error)),
            };
            let stop = bytes.iter().position(|byte| !wanted(*byte));
            let taken = stop.unwrap_or(bytes.len());
            let lines = bytes[..taken].iter().filter(|byte| **byte == b'\n');
            self.line += lines.count() as u64;
            self.offset += taken as u64;
            self.source.consume(taken);
            if stop.is_some() {
                return Ok(true);
            }
        }
    }

    /// Skips whitespace and returns the next byte without consuming it; `None` at the end.
    pub(super) fn peek(&mut self) -> Result<Option<u8>, ReadError> {
        let is_space = |byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        Ok(if self.take_while(is_space)? {
            self.source.buffer().first().copied()
        } else {
            None
        })
    }

    /// Skips whitespace and consumes `wanted`.
    pub(super) fn expect(&mut self, wanted: u8, what: &str) -> Result<(), ReadError> {
        match self.peek()? {
            Some(found) if found == wanted => {
                self.source.consume(1);
                self.offset += 1;
                Ok(())
            }
            Some(found) => Err(self.reject(format!("expected {what}, found {}", byte(found)))),
            None => Err(self.reject("the file is truncated")),
        }
    }

    /// Consumes the comma before the next item and returns `true`, or consumes the end of the list and
    /// returns `false`.
    pub(super) fn next_item(&mut self, end: u8, first: &mut bool) -> Result<bool, ReadError> {
        if self.peek()? == Some(end) {
            self.expect(end, "the end of the list")?;
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',', "a comma or the end of the list")?;
        }
        Ok(true)
    }

    /// Parses the next value, an object or a text that starts with `opening`.
    pub(super) fn parse<T: DeserializeOwned>(
        &mut self,
        opening: u8,
        what: &str,
    ) -> Result<T, ReadError> {
        match self.peek()? {
            Some(found) if found == opening => {}
            Some(found) => {
                return Err(self.reject(format!("expected {what}, found {}", byte(found))));
            }
            None => return Err(self.reject("the file is truncated")),
        }
        (self.start, self.start_line) = (self.offset, self.line);
        self.take_value()?;
        serde_json::from_slice(&self.value).map_err(|error| self.describe(&error))
    }

    /// Copies the next object or text to `value`.
    fn take_value(&mut self) -> Result<(), ReadError> {
        let mut value = std::mem::take(&mut self.value);
        value.clear();
        let (mut depth, mut in_text, mut escaped, mut ended) = (0_usize, false, false, false);
        let complete = self.take_while(|byte| {
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
        // The source may end right after the value.
        if ended {
            complete.map(drop)
        } else if complete? {
            let reason = format!("one block takes more than {MAX_BLOCK_BYTES} bytes");
            Err(self.reject(reason))
        } else {
            Err(self.reject("the file is truncated"))
        }
    }

    /// Converts an error of the parser, without its line and column, which count from the value.
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
