//! JSON tokens on a piece of text, as Python's reader takes them.
//!
//! Differences from strict JSON: `NaN`, `Infinity` and `-Infinity` are values, half a surrogate
//! pair may stand in a string. A piece may be cut anywhere: what could go on behind its end is
//! [`Stop::Incomplete`], never a finding.

use std::borrow::Cow;
use std::fmt::Display;

use super::run::run_length;
use crate::reference::ReadError;
use crate::reference::attributes::Value;
use crate::reference::error::{byte, quoted};

/// Deepest nesting of lists and objects inside a further key.
const MAX_DEPTH: usize = 64;

/// Why parsing stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The piece ends too early.
    Incomplete,
    /// The text is refused.
    Refused(Box<ReadError>),
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Self {
        Self::Refused(Box::new(error))
    }
}

pub(super) type Parsed<T> = Result<T, Stop>;

/// A place in a piece of text.
#[derive(Debug)]
pub(super) struct TextCursor<'a> {
    bytes: &'a [u8],
    at: usize,
    base: u64,
    nested: bool,
}

impl<'a> TextCursor<'a> {
    /// A cursor on `bytes`, which stand at `base` in the whole.
    pub(super) fn new(bytes: &'a [u8], base: u64) -> Self {
        Self {
            bytes,
            at: 0,
            base,
            nested: false,
        }
    }

    /// Place in the whole.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.at as u64
    }

    /// Bytes passed since the start of the piece.
    pub(super) fn passed(&self) -> usize {
        self.at
    }

    /// Whether a list or an object was skipped.
    pub(super) fn nested(&self) -> bool {
        self.nested
    }

    pub(super) fn refuse<T>(&self, reason: impl Into<String>) -> Parsed<T> {
        Err(ReadError::not_readable(self.offset(), reason).into())
    }

    fn peek(&self) -> Parsed<u8> {
        self.bytes.get(self.at).copied().ok_or(Stop::Incomplete)
    }

    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// Passes blanks and returns the byte after them, which stays.
    pub(super) fn next(&mut self) -> Parsed<u8> {
        loop {
            match self.peek()? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                found => return Ok(found),
            }
        }
    }

    /// Passes blanks, then `wanted` if it stands there.
    pub(super) fn pass(&mut self, wanted: u8) -> Parsed<bool> {
        let found = self.next()? == wanted;
        self.at += usize::from(found);
        Ok(found)
    }

    /// Passes blanks and `wanted`.
    pub(super) fn expect(&mut self, wanted: u8, name: impl Display) -> Parsed<()> {
        if self.pass(wanted)? {
            return Ok(());
        }
        self.unexpected(name)
    }

    #[cold]
    fn unexpected<T>(&self, expected: impl Display) -> Parsed<T> {
        let found = byte(self.peek()?);
        self.refuse(format!("expected {expected}, found {found}"))
    }

    /// Passes an object and hands each key, and the place of its value, to `entry`.
    pub(super) fn object(
        &mut self,
        name: impl Display,
        mut entry: impl FnMut(&mut Self, &str) -> Parsed<()>,
    ) -> Parsed<()> {
        self.expect(b'{', name)?;
        if self.pass(b'}')? {
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
            if self.pass(b'}')? {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of the object")?;
        }
    }

    /// Passes a list and hands each item to `item`.
    pub(super) fn list(
        &mut self,
        name: impl Display,
        mut item: impl FnMut(&mut Self) -> Parsed<()>,
    ) -> Parsed<()> {
        self.expect(b'[', name)?;
        if self.pass(b']')? {
            return Ok(());
        }
        loop {
            self.next()?;
            item(self)?;
            if self.pass(b']')? {
                return Ok(());
            }
            self.expect(b',', "a comma or the end of the list")?;
        }
    }

    /// Passes a value of any kind.
    pub(super) fn value(&mut self) -> Parsed<Value<'a>> {
        self.nested_value(0)
    }

    fn nested_value(&mut self, depth: usize) -> Parsed<Value<'a>> {
        if depth > MAX_DEPTH {
            return self.refuse(format!("nested deeper than {MAX_DEPTH} levels"));
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
                        return cursor.refuse(format!("the tag {} is not allowed", quoted(key)));
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

    /// A number ends with another byte: at the end of the piece it could go on.
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
            // Rust rounds correctly, and to infinity what is too large, as Python does.
            (false, _) => match text.parse() {
                Ok(value) => Ok(Value::Float(value)),
                Err(_) => self.refuse("expected a number"),
            },
        }
    }

    /// Passes a string in quotes. The flag tells of half a surrogate pair, which is replaced.
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

    /// Passes a piece of a string whose opening quote was passed; none for its closing quote.
    pub(super) fn piece(&mut self) -> Parsed<Option<Cow<'a, str>>> {
        match self.peek()? {
            b'"' => {
                self.at += 1;
                Ok(None)
            }
            b'\\' => match self.escape()? {
                Some(character) => Ok(Some(character.to_string().into())),
                None => self.refuse("half a surrogate pair"),
            },
            _ => self.run().map(|run| Some(run.into())),
        }
    }

    /// Passes characters that stand for themselves, up to a quote or a backslash.
    fn run(&mut self) -> Parsed<&'a str> {
        let rest = self.rest();
        let end = run_length(rest).ok_or(Stop::Incomplete)?;
        let run = &rest[..end];
        match str::from_utf8(run) {
            Ok(text) => {
                self.at += end;
                if rest[end] < 0x20 {
                    return self.refuse(format!("raw control character {}", byte(rest[end])));
                }
                Ok(text)
            }
            Err(error) => {
                self.at += error.valid_up_to();
                self.refuse("the text is not UTF-8")
            }
        }
    }

    /// Passes an escape; none for half a surrogate pair.
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
            _ => return self.refuse(format!("unknown escape \\ and {}", byte(letter))),
        };
        self.at += 2;
        Ok(Some(character))
    }

    fn unicode_escape(&mut self) -> Parsed<Option<char>> {
        let first = self.unit(0)?;
        // The other half may follow; a piece cut here could go on with it.
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

    /// The four hex digits of the escape that stands so many bytes on.
    fn unit(&self, on: usize) -> Parsed<u32> {
        let digits = self.rest().get(on + 2..on + 6).ok_or(Stop::Incomplete)?;
        let mut unit = 0;
        for digit in digits {
            let Some(value) = char::from(*digit).to_digit(16) else {
                return self.refuse("expected four hex digits after \\u");
            };
            unit = unit << 4 | value;
        }
        Ok(unit)
    }
}
