//! The one form in which proofs are written: the ASCII that Python's `json.dumps(value, indent=1)`
//! and a final line feed give, with the keys in a fixed order.
//!
//! A file is read only if writing its content again gives the same bytes. So it has no duplicate or
//! hidden keys and no second spelling of anything, parsers cannot disagree about it, and it contains
//! no terminal control characters.

use std::io::{self, Write};

use serde::de::{DeserializeOwned, Error as _, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::ser::{Formatter, PrettyFormatter};

use super::{MAX_FILE_BYTES, MAX_INDEX, NotProven};
use crate::chain::history::NodeHash;

/// Writes a value in canonical form. Returns `None` if the file would have more than
/// [`MAX_FILE_BYTES`], which no reader accepts.
pub(super) fn write(value: &impl Serialize) -> Option<String> {
    let mut out = Limited(Vec::new());
    let formatter = AsciiFormatter(PrettyFormatter::with_indent(b" "));
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    // Texts and numbers in memory can be written, so only the limit fails.
    value.serialize(&mut serializer).ok()?;
    out.write_all(b"\n").ok()?;
    String::from_utf8(out.0).ok()
}

/// A buffer of at most [`MAX_FILE_BYTES`].
struct Limited(Vec<u8>);

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_FILE_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a value from its canonical form. `build` checks the fields.
///
/// # Errors
/// [`NotProven::NotReadable`], [`NotProven::NotWellFormed`] or [`NotProven::NotCanonical`].
pub(super) fn read<R: DeserializeOwned, T>(
    bytes: &[u8],
    build: impl FnOnce(R) -> Result<T, String>,
    written: impl FnOnce(&T) -> Option<String>,
) -> Result<T, NotProven> {
    if bytes.len() > MAX_FILE_BYTES {
        let why = format!("it has more than {MAX_FILE_BYTES} bytes");
        return Err(NotProven::NotReadable(why));
    }
    let raw: R = serde_json::from_slice(bytes).map_err(|error| {
        // A fault of the content can stand before the end of what is JSON.
        match serde_json::from_slice::<IgnoredAny>(bytes) {
            Ok(_) if error.is_data() => NotProven::NotWellFormed(describe(&error)),
            Ok(_) => NotProven::NotReadable(describe(&error)),
            Err(error) => NotProven::NotReadable(format!("it is not JSON: {error}")),
        }
    })?;
    let value = build(raw).map_err(NotProven::NotWellFormed)?;
    let canonical = written(&value).unwrap_or_default();
    if canonical.as_bytes() != bytes {
        let same = canonical.bytes().zip(bytes).take_while(|(a, b)| a == *b);
        return Err(NotProven::NotCanonical { at: same.count() });
    }
    Ok(value)
}

/// Describes a fault of the content. The parser quotes what it found, which can be the whole file.
fn describe(error: &serde_json::Error) -> String {
    const MAX_CHARS: usize = 200;
    let text = error.to_string();
    let mut start = text.chars();
    let shown: String = start.by_ref().take(MAX_CHARS).collect();
    if start.as_str().is_empty() {
        return shown;
    }
    format!(
        "{shown}… at line {} column {}",
        error.line(),
        error.column()
    )
}

/// Checks an index.
pub(super) fn check_index(index: u64) -> Result<u64, String> {
    if index > MAX_INDEX {
        return Err(format!("index {index} is above 2^53-1"));
    }
    Ok(index)
}

/// A digest, written as 64 lower-case hex digits.
#[derive(Clone, Copy)]
pub(super) struct Hex(pub(super) NodeHash);

impl Serialize for Hex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&hex::encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_hex(&text)
            .map(Self)
            .ok_or_else(|| D::Error::custom("a hash is not 64 lower-case hex digits"))
    }
}

/// Reads 64 lower-case hex digits.
pub(super) fn parse_hex(text: &str) -> Option<NodeHash> {
    let mut hash = [0; 32];
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    (is_lower && hex::decode_to_slice(text, &mut hash).is_ok()).then_some(hash)
}

/// Indents by one blank and escapes everything outside printable ASCII.
struct AsciiFormatter(PrettyFormatter<'static>);

impl Formatter for AsciiFormatter {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|c: char| !(' '..='~').contains(&c)) {
            out.write_all(&rest.as_bytes()[..at])?;
            let character = rest[at..].chars().next().unwrap_or_default();
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}
