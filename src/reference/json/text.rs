//! A parser for JSON tokens as Python's `json` accepts them.
//!
//! Differences from RFC 8259: `NaN`, `Infinity` and `-Infinity` are values, and a string may contain
//! a lone surrogate. The input is a window on a longer text and may end anywhere: a token that could
//! continue after the end of the window gives [`Stop::Incomplete`], never an error.

use std::borrow::Cow;
use std::fmt::Display;

use super::run::run_length;
use crate::reference::ReadError;
use crate::reference::attributes::Value;
use crate::reference::error::{byte, quoted};

/// Maximum nesting of lists and objects in the value of an unknown key.
const MAX_DEPTH: usize = 64;

/// Reason why parsing stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The window ends inside a token or value.
    Incomplete,
    /// The text is invalid.
    Invalid(Box<ReadError>),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Invalid(Box::new(error))
    }
}

pub(super) type Parsed<T> = Result<T, Stop>;

/// A position in the window.
#[derive(Debug)]
pub(super) struct TextCursor<'a> {
    bytes: &'a [u8],
    at: usize,
    base: u64,
    nested: bool,
}

impl<'a> TextCursor<'a> {
    /// Creates a cursor on `bytes`, which start at offset `base` of the whole text.
    pub(super) fn new(bytes: &'a [u8], base: u64) -> Self {
        Self {
            bytes,
            at: 0,
            base,
            nested: false,
        }
    }

    /// Returns the offset in the whole text.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Returns the number of bytes consumed.
    pub(super) fn consumed(&self) -> usize {
        self.at
    }

    /// Returns `true` if a list or an object was skipped.
    pub(super) fn nested(&self) -> bool {
        self.nested
    }

    pub(super) fn reject<T>(&self, reason: impl Into<String>) -> Parsed<T> {
        Err(ReadError::not_readable(self.offset(), reason).into())
    }

    fn peek(&self) -> Parsed<u8> {
        self.bytes.get(self.at).copied().ok_or(Stop::Incomplete)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Skips whitespace and returns the next byte without consuming it.
    pub(super) fn next(&mut self) -> Parsed<u8> {
        loop {
            match self.peek()? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                found => return Ok(found),
            }
        }
    }

    /// Skips whitespace and consumes `wanted` if it is next. Returns `true` if it was.
    pub(super) fn consume_if(&mut self, wanted: u8) -> Parsed<bool> {
        let found = self.next()? == wanted;
        self.at += usize::from(found);
        Ok(found)
    }

    /// Skips whitespace and consumes `wanted`.
    pub(super) fn expect(&mut self, wanted: u8, name: impl Display) -> Parsed<()> {
        if self.consume_if(wanted)? {
            return Ok(());
        }
        self.unexpected(name)
    }

    #[cold]
    fn unexpected<T>(&self, expected: impl Display) -> Parsed<T> {
        let found = byte(self.peek()?);
        self.reject(format!("expected {expected}, found {found}"))
    }

    /// Consumes an object. `entry` is called at the value of each key and consumes it.
    pub(super) fn object(
        &mut self,
        name: impl Display,
        mut entry: impl FnMut(&mut Self, &str) -> Parsed<()>,
    ) -> Parsed<()> {
        self.expect(b'{', name)?;
        if self.consume_if(b'}')? {
            return Ok(());
        }
        loop {
            if self.next()? != b'"' {
                return self.unexpected("a key in quotes");
            }
            let (key, _) = self.string()?;
            self.expect(b':', "a colon")?;
            self.next()?;
            entry(self, &key)?;
            if self.consume_if(b'}')? {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of the object")?;
        }
    }

    /// Consumes a list. `item` is called at each item and consumes it.
    pub(super) fn list(
        &mut self,
        name: impl Display,
        mut item: impl FnMut(&mut Self) -> Parsed<()>,
    ) -> Parsed<()> {
        self.expect(b'[', name)?;
        if self.consume_if(b']')? {
            return Ok(());
        }
        loop {
            self.next()?;
            item(self)?;
            if self.consume_if(b']')? {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of the list")?;
        }
    }

    /// Consumes a value of any type.
    pub(super) fn value(&mut self) -> Parsed<Value<'a>> {
        self.nested_value(0)
    }

    fn nested_value(&mut self, depth: usize) -> Parsed<Value<'a>> {
        if depth > MAX_DEPTH {
            return self.reject(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        match self.next()? {
            b'"' => Ok(match self.string()? {
                (text, false) => Value::Text(text),
                (_, true) => Value::LoneSurrogate,
            }),
            b'[' => {
                self.nested = true;
                self.list("a list", |cursor| {
                    cursor.nested_value(depth + 1).map(|_| ())
                })?;
                Ok(Value::Other("a list"))
            }
            b'{' => {
                self.nested = true;
                self.object("an object", |cursor, key| {
                    if key.starts_with("py/") {
                        return cursor.reject(format!("the tag {} is not allowed", quoted(key)));
                    }
                    cursor.nested_value(depth + 1).map(|_| ())
                })?;
                Ok(Value::Other("an object"))
            }
            b'n' => self.word("null", Value::None),
            b't' => self.word("true", Value::Boolean(true)),
            b'f' => self.word("false", Value::Boolean(false)),
            b'N' => self.word("NaN", Value::Float(f64::NAN)),
            b'I' => self.word("Infinity", Value::Float(f64::INFINITY)),
            b'-' if self.bytes.get(self.at + 1) == Some(&b'I') => {
                self.word("-Infinity", Value::Float(f64::NEG_INFINITY))
            }
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.unexpected("a value"),
        }
    }

    fn word(&mut self, word: &str, value: Value<'a>) -> Parsed<Value<'a>> {
        for wanted in word.bytes() {
            if self.peek()? != wanted {
                return self.unexpected(format_args!("the word {word}"));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn digits(&mut self) -> Parsed<()> {
        if !self.peek()?.is_ascii_digit() {
            return self.unexpected("a digit");
        }
        while self.peek()?.is_ascii_digit() {
            self.at += 1;
        }
        Ok(())
    }

    /// Consumes a number. It is complete only if another byte follows.
    fn number(&mut self) -> Parsed<Value<'a>> {
        let start = self.at;
        self.at += usize::from(self.peek()? == b'-');
        if self.peek()? == b'0' {
            self.at += 1;
        } else {
            self.digits()?;
        }
        let mut integer = true;
        if self.peek()? == b'.' {
            integer = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek()?, b'e' | b'E') {
            integer = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek()?, b'+' | b'-'));
            self.digits()?;
        }
        let text = str::from_utf8(&self.bytes[start..self.at]).unwrap_or_default();
        match (integer, text) {
            (true, "-0") => Ok(Value::Integer("0".into())),
            (true, _) => Ok(Value::Integer(text.into())),
            // Rust and Python both round correctly, and to infinity if the value is too large.
            (false, _) => match text.parse() {
                Ok(value) => Ok(Value::Float(value)),
                Err(_) => self.reject("expected a number"),
            },
        }
    }

    /// Consumes a string in quotes. The flag is `true` if it contains a lone surrogate, which is
    /// replaced.
    pub(super) fn string(&mut self) -> Parsed<(Cow<'a, str>, bool)> {
        self.expect(b'"', "text in quotes")?;
        let plain = self.run()?;
        if self.peek()? == b'"' {
            self.at += 1;
            return Ok((Cow::Borrowed(plain), false));
        }
        let mut text = plain.to_owned();
        let mut lone = false;
        loop {
            match self.peek()? {
                b'"' => {
                    self.at += 1;
                    return Ok((Cow::Owned(text), lone));
                }
                b'\\' => {
                    let character = self.escape()?;
                    lone |= character.is_none();
                    text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
                }
                _ => text.push_str(self.run()?),
            }
        }
    }

    /// Consumes a part of a string after its opening quote; `None` for the closing quote.
    pub(super) fn piece(&mut self) -> Parsed<Option<Cow<'a, str>>> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                Ok(None)
            }
            b'\\' => match self.escape()? {
                Some(character) => Ok(Some(character.to_string().into())),
                None => self.reject("lone surrogate"),
            },
            _ => self.run().map(|run| Some(run.into())),
        }
    }

    /// Consumes unescaped characters up to a quote or a backslash.
    fn run(&mut self) -> Parsed<&'a str> {
        let rest = self.rest();
        let end = run_length(rest).ok_or(Stop::Incomplete)?;
        let run = &rest[..end];
        match str::from_utf8(run) {
            Ok(text) => {
                self.at += end;
                if rest[end] < 0x20 {
                    return self.reject(format!("raw control character {}", byte(rest[end])));
                }
                Ok(text)
            }
            Err(error) => {
                self.at += error.valid_up_to();
                self.reject("the text is not UTF-8")
            }
        }
    }

    /// Consumes an escape; `None` for a lone surrogate.
    fn escape(&mut self) -> Parsed<Option<char>> {
        let letter = *self.rest().get(1).ok_or(Stop::Incomplete)?;
        let character = match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => return self.unicode_escape(),
            _ => return self.reject(format!("unknown escape \\ and {}", byte(letter))),
        };
        self.at += 2;
        Ok(Some(character))
    }

    fn unicode_escape(&mut self) -> Parsed<Option<char>> {
        let first = self.unit(0)?;
        // The low surrogate may follow, possibly after the end of the window.
        let byte = |at: usize| self.rest().get(at).copied().ok_or(Stop::Incomplete);
        let high = (0xd800..=0xdbff).contains(&first);
        if high && byte(6)? == b'\\' && byte(7)? == b'u' {
            let second = self.unit(6)?;
            if (0xdc00..=0xdfff).contains(&second) {
                self.at += 12;
                let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code));
            }
        }
        self.at += 6;
        Ok(char::from_u32(first))
    }

    /// Parses the four hex digits of the `\u` escape at `start` bytes after the cursor.
    fn unit(&self, start: usize) -> Parsed<u32> {
        let digits = self
            .rest()
            .get(start + 2..start + 6)
            .ok_or(Stop::Incomplete)?;
        let mut unit = 0;
        for digit in digits {
            let Some(value) = char::from(*digit).to_digit(16) else {
                return self.reject("expected four hex digits after \\u");
            };
            unit = unit << 4 | value;
        }
        Ok(unit)
    }
}
