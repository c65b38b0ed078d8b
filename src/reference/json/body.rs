//! The response of the reference miner to `GET /chain`: a chain file as a string inside an object.

use std::io::{self, Read};

use super::reader::MAX_BLOCK_BYTES;
use super::text::{Parsed, Stop, TextCursor};
use crate::reference::ReadError;
use crate::reference::buffer::Buffer;

/// Number of bytes decoded at once.
const STEP: usize = 32 * 1024;

/// Decodes the content of the string `chain` while the response arrives; a source for
/// [`JsonChainReader`](super::JsonChainReader).
///
/// If the response does not have that form, reading fails with [`io::ErrorKind::InvalidData`] and a
/// [`ReadError`] as its source. Unknown keys are skipped, as in the reference miner. The part of the
/// response after the string is checked, too.
#[derive(Debug)]
pub struct ChainBody<R> {
    buffer: Buffer<R>,
    decoded: Vec<u8>,
    returned: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Before,
    Inside,
    After,
    Ended,
}

impl<R: Read> ChainBody<R> {
    /// Creates a reader of the string in the response `source`.
    pub fn new(source: R) -> Self {
        Self {
            buffer: Buffer::new(source),
            decoded: Vec::with_capacity(STEP),
            returned: 0,
            state: State::Before,
        }
    }

    /// Decodes the next bytes; none at the end.
    fn decode(&mut self) -> io::Result<()> {
        self.decoded.clear();
        self.returned = 0;
        while self.decoded.is_empty() {
            match self.state {
                State::Before => {
                    self.step(|cursor, _| before(cursor))?;
                    self.state = State::Inside;
                }
                State::Inside => {
                    if self.step(inside)? {
                        self.state = State::After;
                    }
                }
                State::After => {
                    self.step(|cursor, _| after(cursor))?;
                    self.check_end()?;
                    self.state = State::Ended;
                }
                State::Ended => break,
            }
        }
        Ok(())
    }

    /// Checks that only whitespace follows.
    fn check_end(&mut self) -> io::Result<()> {
        self.buffer.fetch(STEP)?;
        match TextCursor::new(self.buffer.bytes(), self.buffer.offset()).next() {
            Err(_) => Ok(()),
            Ok(_) => Err(invalid(ReadError::not_readable(
                self.buffer.offset(),
                "unexpected data after the end of the response",
            ))),
        }
    }

    /// Parses at the start of the window and widens the window while the text is incomplete.
    fn step<T>(
        &mut self,
        mut parse: impl FnMut(&mut TextCursor<'_>, &mut Vec<u8>) -> Parsed<T>,
    ) -> io::Result<T> {
        self.buffer.fetch(1)?;
        loop {
            let mut cursor = TextCursor::new(self.buffer.bytes(), self.buffer.offset());
            match parse(&mut cursor, &mut self.decoded) {
                Ok(value) => {
                    let consumed = cursor.consumed();
                    self.buffer.consume(consumed);
                    return Ok(value);
                }
                Err(Stop::Invalid(error)) => return Err(invalid(*error)),
                Err(Stop::Incomplete) => {}
            }
            let held = self.buffer.bytes().len();
            if held < MAX_BLOCK_BYTES {
                self.buffer.fetch(2 * held + 1)?;
            }
            if self.buffer.bytes().len() == held {
                let end = self.buffer.offset() + held as u64;
                let error = ReadError::not_readable(end, "the response is truncated");
                return Err(invalid(error));
            }
        }
    }
}

/// Consumes the response up to and including the opening quote of the string.
fn before(cursor: &mut TextCursor<'_>) -> Parsed<()> {
    cursor.expect(b'{', "an object")?;
    loop {
        let (key, _) = cursor.string()?;
        cursor.expect(b':', "a colon")?;
        if key == "chain" {
            return cursor.expect(b'"', "the chain as text in quotes");
        }
        cursor.value()?;
        cursor.expect(b',', "a comma and the key \"chain\"")?;
    }
}

/// Decodes a part of the string. Returns `true` after the closing quote.
fn inside(cursor: &mut TextCursor<'_>, decoded: &mut Vec<u8>) -> Parsed<bool> {
    loop {
        // Decoded bytes are kept, so the window must not be parsed from its start again.
        match cursor.piece() {
            Ok(Some(piece)) => decoded.extend_from_slice(piece.as_bytes()),
            Ok(None) => return Ok(true),
            Err(Stop::Incomplete) if cursor.consumed() > 0 => return Ok(false),
            Err(stop) => return Err(stop),
        }
        if decoded.len() >= STEP {
            return Ok(false);
        }
    }
}

/// Consumes the response after the string.
fn after(cursor: &mut TextCursor<'_>) -> Parsed<()> {
    while !cursor.consume_if(b'}')? {
        cursor.expect(b',', "a comma or the end of the object")?;
        cursor.next()?;
        let (key, _) = cursor.string()?;
        if key == "chain" {
            return cursor.reject("a second chain");
        }
        cursor.expect(b':', "a colon")?;
        cursor.value()?;
    }
    Ok(())
}

fn invalid(error: ReadError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl<R: Read> Read for ChainBody<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.returned == self.decoded.len() {
            self.decode()?;
        }
        let count = buffer.len().min(self.decoded.len() - self.returned);
        buffer[..count].copy_from_slice(&self.decoded[self.returned..self.returned + count]);
        self.returned += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(body: &str) -> io::Result<String> {
        io::read_to_string(ChainBody::new(body.as_bytes()))
    }

    #[test]
    fn the_string_is_found_and_unescaped() {
        for body in [
            "{\"chain\":\"[a\\\\u00e9\\\"\\u00e9\\ud83d\\ude00]\",\"length\":1}\n",
            " { \"length\" : [1, {}], \"chain\" : \"[a\\\\u00e9\\\"é😀]\" } ",
        ] {
            assert_eq!(content(body).unwrap(), "[a\\u00e9\"é😀]");
        }
        let long = "x".repeat(3 * STEP) + &"é".repeat(STEP);
        for text in [&long, ""] {
            let body = format!("{{\"chain\": \"{}\"}}", text.replace('é', "\\u00e9"));
            assert_eq!(content(&body).unwrap(), *text);
        }
    }

    #[test]
    fn an_answer_may_come_byte_by_byte() {
        struct Bytes<'a>(&'a [u8]);
        impl Read for Bytes<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let length = buffer.len().min(1);
                Read::read(&mut self.0, &mut buffer[..length])
            }
        }
        let body = r#"{"chain": "\\\\u\\\\ude00\ud83d\ude00\"é😀\u0041", "length": 1}"#;
        let read = io::read_to_string(ChainBody::new(Bytes(body.as_bytes()))).unwrap();
        assert_eq!(read, r#"\\u\\ude00😀"é😀A"#);
    }

    #[test]
    fn a_malformed_response_is_rejected() {
        for (body, expected) in [
            ("", "byte 0: not readable: the response is truncated"),
            (
                "\"[]\"",
                "byte 0: not readable: expected an object, found `\"`",
            ),
            (
                "{\"chain\": []}",
                "byte 10: not readable: expected the chain as text in quotes, found `[`",
            ),
            (
                "{\"length\": 1}",
                "byte 12: not readable: expected a comma and the key \"chain\", found `}`",
            ),
            (
                "{\"chain\": \"[\\ud800]\"}",
                "byte 18: not readable: lone surrogate",
            ),
            (
                "{\"chain\": \"[",
                "byte 12: not readable: the response is truncated",
            ),
            (
                "{\"chain\": \"[]\"",
                "byte 14: not readable: the response is truncated",
            ),
            (
                "{\"chain\": \"[]\"} x",
                "byte 15: not readable: unexpected data after the end of the response",
            ),
            (
                "{\"chain\": \"\", \"chain\": \"\"}",
                "byte 21: not readable: a second chain",
            ),
        ] {
            let error = content(body).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert_eq!(error.to_string(), expected);
        }
    }
}
