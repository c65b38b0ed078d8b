//! Detects the format of a chain file from its first bytes.
//!
//! The binary formats start with a signature; a table starts with the names of its columns. JSON is
//! classified by the keys of its first object: `py/object` and names that start with `_` belong to
//! the reference miner. Anything else is left to the reader for the JSON of the reference miner,
//! which reports what it expected.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;
use std::io::{self, Cursor, Read};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::Format;
use super::frames::MAGIC;
use super::plain::{BLOCKS, MEMPOOL};
use crate::reference::json::MAX_BLOCK_BYTES;

/// A source whose first bytes were read ahead.
pub(super) type Peeked<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// Number of bytes read ahead at first.
const INITIAL_PEEK: u64 = 64 * 1024;

/// Maximum length of the header of a table.
const MAX_HEADER_BYTES: usize = 4096;

/// Keys that only block objects of this program's API have.
const PLAIN_KEYS: [&str; 6] = [
    "index",
    "hash",
    "previous_hash",
    "timestamp_text",
    "proof",
    "data",
];

/// Detects the format of a source and returns the source, reset to its start.
pub(super) fn detect<R: Read>(mut source: R) -> io::Result<(Format, Peeked<R>)> {
    let (mut head, mut wanted) = (Vec::new(), INITIAL_PEEK);
    let format = loop {
        let asked = wanted - head.len() as u64;
        let ended = ((&mut source).take(asked).read_to_end(&mut head)? as u64) < asked;
        let is_last_peek = ended || head.len() >= MAX_BLOCK_BYTES;
        if let Some(format) = format_of(&head, is_last_peek) {
            break format;
        }
        if is_last_peek {
            break Format::Chain;
        }
        wanted *= 2;
    };
    Ok((format, Cursor::new(head).chain(source)))
}

/// Returns the format of bytes that start with `head`; `None` if more bytes are needed.
fn format_of(head: &[u8], is_last_peek: bool) -> Option<Format> {
    let mark = &MAGIC[..MAGIC.len() - 1];
    if head.starts_with(mark) {
        return Some(Format::Bincode);
    }
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head);
    let spaces = text.iter().take_while(|byte| byte.is_ascii_whitespace());
    let spaces = spaces.count();
    match text.get(spaces)? {
        b'[' | b'{' => json_format(&text[spaces..], is_last_peek),
        b'"' | b'a'..=b'z' => Some(if is_header(text) {
            Format::Csv
        } else {
            Format::Chain
        }),
        // Protocols from 2 on start with 0x80, protocol 0 with a mark, protocol 1 with an empty list.
        0x80 | b'(' | b']' if spaces == 0 => Some(Format::Pickle),
        _ => Some(Format::Chain),
    }
}

fn is_header(text: &[u8]) -> bool {
    let text = &text[..text.len().min(MAX_HEADER_BYTES)];
    let line = text.split(|byte| matches!(byte, b'\n' | b'\r')).next();
    let is_index = |name: &[u8]| matches!(name.trim_ascii(), b"index" | b"\"index\"");
    line.is_some_and(|line| line.split(|byte| *byte == b',').any(is_index))
}

fn json_format(text: &[u8], is_last_peek: bool) -> Option<Format> {
    let seen = SeenKeys::default();
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let visited = KeyVisitor {
        seen: &seen,
        in_list: false,
    }
    .deserialize(&mut deserializer);
    let is_short = visited.is_err_and(|error| error.is_eof());
    match (seen.reference.get(), seen.plain.get()) {
        (true, _) => Some(Format::Chain),
        // A key of the reference miner may still follow.
        _ if is_short && !is_last_peek => None,
        (false, plain) => Some(plain.unwrap_or(Format::Chain)),
    }
}

/// Formats that the keys of the first object indicate.
#[derive(Default)]
struct SeenKeys {
    reference: Cell<bool>,
    plain: Cell<Option<Format>>,
}

/// Visits the keys of the first object, or of the first object of a list, and stops there.
#[derive(Clone, Copy)]
struct KeyVisitor<'a> {
    seen: &'a SeenKeys,
    in_list: bool,
}

impl<'de> DeserializeSeed<'de> for KeyVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeyVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a block or a list of blocks")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.in_list {
            return Err(A::Error::custom("a list in the list"));
        }
        let first = KeyVisitor {
            in_list: true,
            ..self
        };
        list.next_element_seed(first)?;
        Err(A::Error::custom("the first block was seen"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        while let Some(key) = object.next_key::<Cow<'_, str>>()? {
            if key.starts_with('_') || key.starts_with("py/") {
                self.seen.reference.set(true);
                return Err(A::Error::custom("a key of the reference miner"));
            }
            if !self.in_list && (key == BLOCKS || key == MEMPOOL) {
                // The value may be the whole chain, so it is not parsed.
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

    fn detected(text: &[u8]) -> Format {
        let (format, mut source) = detect(text).unwrap();
        let mut same = Vec::new();
        source.read_to_end(&mut same).unwrap();
        assert_eq!(same, text, "detection changes nothing");
        format
    }

    #[test]
    fn json_is_classified_by_the_keys_of_its_first_object() {
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
            assert_eq!(detected(text.as_bytes()), Format::Chain, "{text:.60}");
        }
        let long = format!("[{{\"data\": \"{}\", \"index\": 0}}]", "x".repeat(200_000));
        for text in [
            r#"[{"index": 0}]"#,
            "  [\n\t{\"remark\": [1, {}], \"hash\" :",
            r#"{"blocks": ["#,
            "{ \"mempool\" : [], \"blocks\": []}",
            &long,
        ] {
            assert_eq!(detected(text.as_bytes()), Format::Json, "{text:.60}");
        }
        for text in [
            "{\"index\": 0}\n{\"index\": 1}\n",
            "\n{ \"data\": {\"id\": 1}, \"x\": 0 }",
            r#"{"index": 0"#,
        ] {
            assert_eq!(detected(text.as_bytes()), Format::Ndjson, "{text:.60}");
        }
    }

    #[test]
    fn other_formats_are_detected_by_their_first_bytes() {
        assert_eq!(detected(&MAGIC), Format::Bincode);
        for pickle in [&b"\x80\x04]"[..], b"(lp0\n", b"]q\x00"] {
            assert_eq!(detected(pickle), Format::Pickle);
        }
        for table in ["index,hash\n", "\u{feff}\"index\",\"hash\"\r\n", "id,index"] {
            assert_eq!(detected(table.as_bytes()), Format::Csv, "{table}");
        }
        for nothing in ["indexes,hash\n", "hello", "MZ", "\x1f\u{8b}"] {
            assert_eq!(detected(nothing.as_bytes()), Format::Chain, "{nothing}");
        }
    }
}
