//! The answer of the original to `GET /chain`: a chain file as a string inside an object.

use std::io::{self, Read};

use super::reader::MAX_BLOCK_BYTES;
use super::text::{Parsed, Stop, TextCursor};
use crate::reference::ReadError;
use crate::reference::buffer::Buffer;

/// Bytes made ready at once.
const STEP: usize = 32 * 1024;

/// The content of the string `chain` in an answer, as it arrives: a source for
/// [`JsonChainReader`](super::JsonChainReader).
///
/// Where the answer is not of that form, reading fails with [`io::ErrorKind::InvalidData`] and a
/// [`ReadError`] inside. Further keys are passed, as the original passes them; after the string
/// the rest of the answer is checked, too.
#[derive(Debug)]
pub struct ChainBody<R> {
    buffer: Buffer<R>,
    ready: Vec<u8>,
    given: usize,
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
    /// The string in the answer that `source` gives.
    pub fn new(source: R) -> Self {
        Self {
            buffer: Buffer::new(source),
            ready: Vec::with_capacity(STEP),
            given: 0,
            state: State::Before,
        }
    }

    /// Makes the next bytes ready; none at the end.
    fn prepare(&mut self) -> io::Result<()> {
        self.ready.clear();
        self.given = 0;
        while self.ready.is_empty() {
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

    /// Makes sure that only blanks follow.
    fn check_end(&mut self) -> io::Result<()> {
        self.buffer.fetch(STEP)?;
        match TextCursor::new(self.buffer.bytes(), self.buffer.offset()).next() {
            Err(_) => Ok(()),
            Ok(_) => Err(invalid(ReadError::not_readable(
                self.buffer.offset(),
                "the answer ends here, but the text goes on",
            ))),
        }
    }

    /// Parses at the window's start, with a wider window as long as the text is incomplete.
    fn step<T>(
        &mut self,
        mut parse: impl FnMut(&mut TextCursor<'_>, &mut Vec<u8>) -> Parsed<T>,
    ) -> io::Result<T> {
        self.buffer.fetch(1)?;
        loop {
            let mut cursor = TextCursor::new(self.buffer.bytes(), self.buffer.offset());
            match parse(&mut cursor, &mut self.ready) {
                Ok(value) => {
                    let passed = cursor.passed();
                    self.buffer.consume(passed);
                    return Ok(value);
                }
                Err(Stop::Refused(error)) => return Err(invalid(*error)),
                Err(Stop::Incomplete) => {}
            }
            let held = self.buffer.bytes().len();
            if held < MAX_BLOCK_BYTES {
                self.buffer.fetch(2 * held + 1)?;
            }
            if self.buffer.bytes().len() == held {
                let end = self.buffer.offset() + held as u64;
                let error = ReadError::not_readable(end, "the answer ends too early");
                return Err(invalid(error));
            }
        }
    }
}

/// Passes the answer up to and with the quote that opens the string.
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

/// Makes a part of the string ready; true after the quote that closes it.
fn inside(cursor: &mut TextCursor<'_>, ready: &mut Vec<u8>) -> Parsed<bool> {
    loop {
        // What is ready stays ready, so the window must not be parsed from its start again.
        match cursor.piece() {
            Ok(Some(piece)) => ready.extend_from_slice(piece.as_bytes()),
            Ok(None) => return Ok(true),
            Err(Stop::Incomplete) if cursor.passed() > 0 => return Ok(false),
            Err(stop) => return Err(stop),
        }
        if ready.len() >= STEP {
            return Ok(false);
        }
    }
}

/// Passes the answer behind the string.
fn after(cursor: &mut TextCursor<'_>) -> Parsed<()> {
    while !cursor.pass(b'}')? {
        cursor.expect(b',', "a comma or the end of the object")?;
        cursor.next()?;
        let (key, _) = cursor.string()?;
        if key == "chain" {
            return cursor.refuse("a second chain");
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
        if self.given == self.ready.len() {
            self.prepare()?;
        }
        let count = buffer.len().min(self.ready.len() - self.given);
        buffer[..count].copy_from_slice(&self.ready[self.given..self.given + count]);
        self.given += count;
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
    fn what_is_no_answer_is_refused() {
        for (body, expected) in [
            ("", "byte 0: not readable: the answer ends too early"),
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
                "byte 18: not readable: half a surrogate pair",
            ),
            (
                "{\"chain\": \"[",
                "byte 12: not readable: the answer ends too early",
            ),
            (
                "{\"chain\": \"[]\"",
                "byte 14: not readable: the answer ends too early",
            ),
            (
                "{\"chain\": \"[]\"} x",
                "byte 15: not readable: the answer ends here, but the text goes on",
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
