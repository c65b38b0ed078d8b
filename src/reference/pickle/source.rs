//! Reads the arguments of instructions from the bytes of a pickle.

use std::io::Read;
use std::sync::Arc;

use crate::chain::message::MAX_TEXT_BYTES;
use crate::reference::ReadError;
use crate::reference::buffer::Buffer;

/// Maximum length of a line of protocol 0: the longest message with every character escaped.
const MAX_LINE_BYTES: usize = 12 * MAX_TEXT_BYTES;

/// The bytes of a pickle and the end of the current frame.
#[derive(Debug)]
pub(super) struct Source<R> {
    buffer: Buffer<R>,
    frame_end: Option<u64>,
}

/// A text; `None` if it contains a lone surrogate.
pub(super) type Text = Option<Arc<str>>;

impl<R: Read> Source<R> {
    pub(super) fn new(source: R) -> Self {
        Self {
            buffer: Buffer::new(source),
            frame_end: None,
        }
    }

    pub(super) fn offset(&self) -> u64 {
        self.buffer.offset()
    }

    pub(super) fn reject<T>(&self, reason: impl Into<String>) -> Result<T, ReadError> {
        Err(ReadError::not_readable(self.offset(), reason))
    }

    /// Returns `true` if another byte follows.
    pub(super) fn has_more(&mut self) -> Result<bool, ReadError> {
        self.fetch(1)
    }

    fn fetch(&mut self, count: usize) -> Result<bool, ReadError> {
        if self.buffer.bytes().len() >= count {
            return Ok(true);
        }
        let fetched = self.buffer.fetch(count);
        fetched.map_err(|error| ReadError::io(self.buffer.offset(), error))
    }

    /// Reads until the window has at least `count` bytes.
    fn need(&mut self, count: usize) -> Result<&[u8], ReadError> {
        if self.fetch(count)? {
            return Ok(self.buffer.bytes());
        }
        let end = self.offset() + self.buffer.bytes().len() as u64;
        Err(ReadError::not_readable(end, "the file is truncated"))
    }

    pub(super) fn byte(&mut self) -> Result<u8, ReadError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let array = self.need(N)?.first_chunk().copied().unwrap_or([0; N]);
        self.buffer.consume(N);
        Ok(array)
    }

    /// Calls `read` with the next `count` bytes.
    pub(super) fn bytes<T>(
        &mut self,
        count: usize,
        read: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, ReadError> {
        let bytes = self.need(count)?;
        let value = read(bytes.get(..count).unwrap_or_default());
        self.buffer.consume(count);
        Ok(value)
    }

    /// Reads a text of `count` bytes.
    pub(super) fn text(&mut self, count: usize) -> Result<Text, ReadError> {
        if count > MAX_TEXT_BYTES {
            let reason = format!(
                "a text of {count} bytes, more than the {MAX_TEXT_BYTES} a block may contain"
            );
            return Err(ReadError::not_well_formed(self.offset(), reason));
        }
        let at = self.offset();
        self.bytes(count, |bytes| match str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.into())),
            // Python encodes a lone surrogate as if it were a character.
            Err(error) => match bytes.get(error.valid_up_to()..) {
                Some([0xed, 0xa0..=0xbf, ..]) => Ok(None),
                _ => Err(ReadError::not_readable(at, "the text is not UTF-8")),
            },
        })?
    }

    /// Reads a line and removes its end.
    pub(super) fn line(&mut self) -> Result<Vec<u8>, ReadError> {
        let mut searched = 0;
        loop {
            let bytes = self.buffer.bytes();
            let found = bytes[searched..].iter().position(|byte| *byte == b'\n');
            if let Some(more) = found {
                let line = bytes[..searched + more].to_vec();
                self.buffer.consume(line.len() + 1);
                return Ok(line);
            }
            searched = bytes.len();
            if searched > MAX_LINE_BYTES {
                return self.reject(format!("a line of more than {MAX_LINE_BYTES} bytes"));
            }
            self.need(searched + 1)?;
        }
    }

    /// Reads a line of ASCII.
    pub(super) fn ascii_line(&mut self) -> Result<String, ReadError> {
        let at = self.offset();
        match String::from_utf8(self.line()?) {
            Ok(line) if line.is_ascii() => Ok(line),
            _ => Err(ReadError::not_readable(at, "a line that is not ASCII")),
        }
    }

    /// Reads a line with the escapes `\uXXXX` and `\UXXXXXXXX`; all other bytes are Latin-1.
    pub(super) fn escaped_line(&mut self) -> Result<Text, ReadError> {
        let at = self.offset();
        let line = self.line()?;
        let invalid = || ReadError::not_readable(at, "a damaged escape in a text");
        let mut text = String::with_capacity(line.len());
        let mut is_unicode = true;
        let mut rest = &line[..];
        while let [first, after @ ..] = rest {
            rest = after;
            let digits = match (first, after) {
                (b'\\', [b'u', ..]) => 4,
                (b'\\', [b'U', ..]) => 8,
                (b'\\', [next, after @ ..]) => {
                    // The second byte of this pair does not start an escape.
                    text.push('\\');
                    text.push(char::from(*next));
                    rest = after;
                    continue;
                }
                _ => {
                    text.push(char::from(*first));
                    continue;
                }
            };
            let mut code = 0;
            for digit in after.get(1..=digits).ok_or_else(invalid)? {
                let value = char::from(*digit).to_digit(16).ok_or_else(invalid)?;
                code = code << 4 | value;
            }
            rest = after.get(1 + digits..).unwrap_or_default();
            match char::from_u32(code) {
                Some(character) => text.push(character),
                None if code <= 0xffff => is_unicode = false,
                None => return Err(invalid()),
            }
        }
        Ok(is_unicode.then(|| text.into()))
    }

    /// Begins a frame of `length` bytes.
    pub(super) fn begin_frame(&mut self, length: u64) -> Result<(), ReadError> {
        if self.frame_end.is_some() {
            return self.reject("a frame inside a frame");
        }
        match self.offset().checked_add(length) {
            Some(end) if length > 0 => self.frame_end = Some(end),
            _ => return self.reject(format!("a frame of {length} bytes")),
        }
        Ok(())
    }

    /// Checks, after an instruction, that it did not cross the end of its frame.
    pub(super) fn check_frame(&mut self) -> Result<(), ReadError> {
        match self.frame_end {
            Some(end) if end < self.offset() => self.reject(format!(
                "the frame ends inside an instruction, at byte {end}"
            )),
            Some(end) if end == self.offset() => {
                self.frame_end = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Checks, after the last instruction, that the frame and the file end.
    pub(super) fn check_end(&mut self) -> Result<(), ReadError> {
        if let Some(end) = self.frame_end {
            return self.reject(format!(
                "the chain ends before its frame, which ends at byte {end}"
            ));
        }
        if self.has_more()? {
            return self.reject("unexpected data after the end of the chain");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_lines_are_decoded_as_in_python() {
        let read = |line: &[u8]| Source::new(line).escaped_line();
        let cases: [(&[u8], &str); 6] = [
            (b"plain\n", "plain"),
            (b"\xe9\xff\n", "éÿ"),
            (b"\\u005c\\u000a\\U0001f600\n", "\\\n😀"),
            // Two backslashes are two characters; the letter after them is not an escape.
            (b"\\\\u0041\n", "\\\\u0041"),
            (b"\\x41\\\n", "\\x41\\"),
            (b"\n", ""),
        ];
        for (line, text) in cases {
            assert_eq!(read(line).unwrap().as_deref(), Some(text));
        }
        assert_eq!(read(b"\\ud800x\n").unwrap(), None);
        for wrong in [&b"\\u12\n"[..], b"\\uzzzz\n", b"\\U00110000\n", b"no end"] {
            assert!(read(wrong).is_err());
        }
    }
}
