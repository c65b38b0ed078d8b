//! The arguments of instructions, from the bytes of a pickle.

use std::io::Read;
use std::sync::Arc;

use crate::chain::message::MAX_TEXT_BYTES;
use crate::reference::ReadError;
use crate::reference::buffer::Buffer;

/// Longest line of the text protocol: the longest message with every character escaped.
const MAX_LINE_BYTES: usize = 12 * MAX_TEXT_BYTES;

/// The bytes of a pickle and the frame that was announced for them.
#[derive(Debug)]
pub(super) struct Source<R> {
    buffer: Buffer<R>,
    frame_end: Option<u64>,
}

/// A text, or none if it holds half a surrogate pair.
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

    pub(super) fn refuse<T>(&self, reason: impl Into<String>) -> Result<T, ReadError> {
        Err(ReadError::not_readable(self.offset(), reason))
    }

    /// Whether another byte is there.
    pub(super) fn goes_on(&mut self) -> Result<bool, ReadError> {
        self.fetch(1)
    }

    fn fetch(&mut self, count: usize) -> Result<bool, ReadError> {
        if self.buffer.bytes().len() >= count {
            return Ok(true);
        }
        let fetched = self.buffer.fetch(count);
        fetched.map_err(|error| ReadError::io(self.buffer.offset(), error))
    }

    /// Fetches `count` bytes; at least that many stand in the window then.
    fn need(&mut self, count: usize) -> Result<&[u8], ReadError> {
        if self.fetch(count)? {
            return Ok(self.buffer.bytes());
        }
        let end = self.offset() + self.buffer.bytes().len() as u64;
        Err(ReadError::not_readable(end, "the file ends too early"))
    }

    pub(super) fn byte(&mut self) -> Result<u8, ReadError> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadError> {
        let array = self.need(N)?.first_chunk().copied().unwrap_or([0; N]);
        self.buffer.consume(N);
        Ok(array)
    }

    /// The next bytes, handed to `read`.
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

    /// A text of so many bytes.
    pub(super) fn text(&mut self, count: usize) -> Result<Text, ReadError> {
        if count > MAX_TEXT_BYTES {
            let reason = format!(
                "a text of {count} bytes, more than the {MAX_TEXT_BYTES} a block may carry"
            );
            return Err(ReadError::not_well_formed(self.offset(), reason));
        }
        let at = self.offset();
        self.bytes(count, |bytes| match str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.into())),
            // Python writes half a surrogate pair as if it were a character.
            Err(error) => match bytes.get(error.valid_up_to()..) {
                Some([0xed, 0xa0..=0xbf, ..]) => Ok(None),
                _ => Err(ReadError::not_readable(at, "the text is not UTF-8")),
            },
        })?
    }

    /// A line without its end.
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
                return self.refuse(format!("a line of more than {MAX_LINE_BYTES} bytes"));
            }
            self.need(searched + 1)?;
        }
    }

    /// A line of ASCII.
    pub(super) fn ascii_line(&mut self) -> Result<String, ReadError> {
        let at = self.offset();
        match String::from_utf8(self.line()?) {
            Ok(line) if line.is_ascii() => Ok(line),
            _ => Err(ReadError::not_readable(at, "a line that is not ASCII")),
        }
    }

    /// A line with the escapes `\uXXXX` and `\UXXXXXXXX`; all other bytes are Latin-1.
    pub(super) fn escaped_line(&mut self) -> Result<Text, ReadError> {
        let at = self.offset();
        let line = self.line()?;
        let refused = || ReadError::not_readable(at, "a damaged escape in a text");
        let mut text = String::with_capacity(line.len());
        let mut whole = true;
        let mut rest = &line[..];
        while let [first, after @ ..] = rest {
            rest = after;
            let digits = match (first, after) {
                (b'\\', [b'u', ..]) => 4,
                (b'\\', [b'U', ..]) => 8,
                (b'\\', [next, after @ ..]) => {
                    // A pair: its second byte starts no escape.
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
            for digit in after.get(1..=digits).ok_or_else(refused)? {
                let value = char::from(*digit).to_digit(16).ok_or_else(refused)?;
                code = code << 4 | value;
            }
            rest = after.get(1 + digits..).unwrap_or_default();
            match char::from_u32(code) {
                Some(character) => text.push(character),
                None if code <= 0xffff => whole = false,
                None => return Err(refused()),
            }
        }
        Ok(whole.then(|| text.into()))
    }

    /// Begins a frame of so many bytes.
    pub(super) fn begin_frame(&mut self, length: u64) -> Result<(), ReadError> {
        if self.frame_end.is_some() {
            return self.refuse("a frame inside a frame");
        }
        match self.offset().checked_add(length) {
            Some(end) if length > 0 => self.frame_end = Some(end),
            _ => return self.refuse(format!("a frame of {length} bytes")),
        }
        Ok(())
    }

    /// Comes after each instruction: none reaches beyond the end of its frame.
    pub(super) fn check_frame(&mut self) -> Result<(), ReadError> {
        match self.frame_end {
            Some(end) if end < self.offset() => self.refuse(format!(
                "the frame ends inside an instruction, at byte {end}"
            )),
            Some(end) if end == self.offset() => {
                self.frame_end = None;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Comes after the last instruction.
    pub(super) fn check_end(&mut self) -> Result<(), ReadError> {
        if let Some(end) = self.frame_end {
            return self.refuse(format!("the chain ends here, but its frame at byte {end}"));
        }
        if self.goes_on()? {
            return self.refuse("the chain ends here, but the file goes on");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_lines_are_read_as_python_does() {
        let read = |line: &[u8]| Source::new(line).escaped_line();
        let cases: [(&[u8], &str); 6] = [
            (b"plain\n", "plain"),
            (b"\xe9\xff\n", "éÿ"),
            (b"\\u005c\\u000a\\U0001f600\n", "\\\n😀"),
            // Two backslashes are two characters and hide the letter after them.
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
