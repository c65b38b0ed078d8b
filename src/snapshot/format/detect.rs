//! Which format bytes have, told by their start alone.
//!
//! The binary formats have a mark of their own; a table starts with the names of its columns. JSON
//! is looked at up to the keys of its first object: `py/object` and names that start with `_` are
//! the original's, whatever else stands beside them. What is nothing of all that is left to the
//! reader of the documented JSON, which says what it expected.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::io::{self, Cursor, Read};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Format;
use super::frames::MAGIC;
use super::plain::{BLOCKS, MEMPOOL};
use crate::reference::json::MAX_BLOCK_BYTES;

/// A source whose first bytes were looked at.
pub type Peeked<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// Bytes looked at before more are asked for.
const FIRST_LOOK: u64 = 64 * 1024;

/// Longest first line of a table.
const MAX_HEADER_BYTES: usize = 4096;

/// Keys that only plain block objects have.
const PLAIN_KEYS: [&str; 6] = [
    "index",
    "hash",
    "previous_hash",
    "timestamp_text",
    "proof",
    "data",
];

/// Tells the format of a source, and returns it as it was.
pub(super) fn detect<R: Read>(mut source: R) -> io::Result<(Format, Peeked<R>)> {
    let (mut head, mut wanted) = (Vec::new(), FIRST_LOOK);
    let format = loop {
        let asked = wanted - head.len() as u64;
        let ended = ((&mut source).take(asked).read_to_end(&mut head)? as u64) < asked;
        let last_look = ended || head.len() >= MAX_BLOCK_BYTES;
        if let Some(format) = format_of(&head, last_look) {
            break format;
        }
        if last_look {
            break Format::Chain;
        }
        wanted *= 2;
    };
    Ok((format, Cursor::new(head).chain(source)))
}

/// The format of bytes that start like this; none if more of them must be seen.
fn format_of(head: &[u8], last_look: bool) -> Option<Format> {
    let mark = &MAGIC[..MAGIC.len() - 1];
    if head.starts_with(mark) {
        return Some(Format::Bincode);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace());
    let blanks = blanks.count();
    match text.get(blanks)? {
        b'[' | b'{' => json_format(&text[blanks..], last_look),
        b'"' | b'a'..=b'z' => Some(if is_header(text) {
            Format::Csv
        } else {
            Format::Chain
        }),
        // Protocols 2 and up start with this byte, 0 with a mark and 1 with an empty list.
        0x80 | b'(' | b']' if blanks == 0 => Some(Format::Pickle),
        _ => Some(Format::Chain),
    }
}

fn is_header(text: &[u8]) -> bool {
    let text = &text[..text.len().min(MAX_HEADER_BYTES)];
    let line = text.split(|byte| matches!(byte, b'\n' | b'\r')).next();
    let is_index = |name: &[u8]| matches!(name.trim_ascii(), b"index" | b"\"index\"");
    line.is_some_and(|line| line.split(|byte| *byte == b',').any(is_index))
}

fn json_format(text: &[u8], last_look: bool) -> Option<Format> {
    let seen = Seen::default();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let looked = Look {
        seen: &seen,
        in_list: false,
    }
    .deserialize(&mut deserializer);
    let is_short = looked.is_err_and(|error| error.is_eof());
    match (seen.documented.get(), seen.plain.get()) {
        (true, _) => Some(Format::Chain),
        // A key that decides might still follow.
        _ if is_short && !last_look => None,
        (false, plain) => Some(plain.unwrap_or(Format::Chain)),
    }
}

/// What the keys of the first object say.
#[derive(Default)]
struct Seen {
    documented: Cell<bool>,
    plain: Cell<Option<Format>>,
}

/// Looks at the first object, or the first one in a list, and no further.
#[derive(Clone, Copy)]
struct Look<'a> {
    seen: &'a Seen,
    in_list: bool,
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a block or a list of blocks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.in_list {
            return Err(A::Error::custom("a list in the list"));
        }
        let first = Look {
            in_list: true,
            ..self
        };
        list.next_element_seed(first)?;
        Err(A::Error::custom("the first block was seen"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(key) = object.next_key::<Cow<'_, str>>()? {
            if key.starts_with('_') || key.starts_with("py/") {
                self.seen.documented.set(true);
                return Err(A::Error::custom("the original's key"));
            }
            if !self.in_list && (key == BLOCKS || key == MEMPOOL) {
                // The value may be the whole chain.
                self.seen.plain.set(Some(Format::Json));
                return Err(A::Error::custom("an object around the blocks"));
            }
            if PLAIN_KEYS.contains(&&*key) {
                let format = if self.in_list {
                    Format::Json
                } else {
                    Format::Ndjson
                };
                self.seen.plain.set(Some(format));
            }
            object.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &[u8]) -> Format {
        let (format, mut source) = detect(text).unwrap();
        let mut same = Vec::new();
        source.read_to_end(&mut same).unwrap();
        assert_eq!(same, text, "looking changes nothing");
        format
    }

    #[test]
    fn the_first_keys_tell_json_apart_however_they_stand() {
        let long = format!(
            "[{{\"remark\": \"{}\", \"_index\": 0}}]",
            "x".repeat(200_000)
        );
        for text in [
            r#"[{"py/object": "x"}]"#,
            "\n \t[ \r\n{ \"_index\" : 0",
            r#"[{"_proof": null, "py/object": "x"}]"#,
            r#"[{"index": 1, "note": {"data": []}, "py/object": "x"}]"#,
            r#"{"py/tuple": []}"#,
            "[]",
            "[[{\"index\": 0}]]",
            "[5]",
            "{}",
            "null",
            "",
            "  ",
            "[",
            &long,
        ] {
            assert_eq!(told(text.as_bytes()), Format::Chain, "{text:.60}");
        }
        let long = format!("[{{\"data\": \"{}\", \"index\": 0}}]", "x".repeat(200_000));
        for text in [
            r#"[{"index": 0}]"#,
            "  [\n\t{\"remark\": [1, {}], \"hash\" :",
            r#"{"blocks": ["#,
            "{ \"mempool\" : [], \"blocks\": []}",
            &long,
        ] {
            assert_eq!(told(text.as_bytes()), Format::Json, "{text:.60}");
        }
        for text in [
            "{\"index\": 0}\n{\"index\": 1}\n",
            "\n{ \"data\": {\"id\": 1}, \"x\": 0 }",
            r#"{"index": 0"#,
        ] {
            assert_eq!(told(text.as_bytes()), Format::Ndjson, "{text:.60}");
        }
    }

    #[test]
    fn other_formats_are_told_by_their_first_bytes() {
        assert_eq!(told(&MAGIC), Format::Bincode);
        for pickle in [&b"\x80\x04]"[..], b"(lp0\n", b"]q\x00"] {
            assert_eq!(told(pickle), Format::Pickle);
        }
        for table in ["index,hash\n", "\u{feff}\"index\",\"hash\"\r\n", "id,index"] {
            assert_eq!(told(table.as_bytes()), Format::Csv, "{table}");
        }
        for nothing in ["indexes,hash\n", "hello", "MZ", "\x1f\u{8b}"] {
            assert_eq!(told(nothing.as_bytes()), Format::Chain, "{nothing}");
        }
    }
}
