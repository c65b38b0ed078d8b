//! The JSON in which the reference miner writes blocks and messages, byte for byte.
//!
//! One line of ASCII, with `, ` between items and `: ` after keys; each object is tagged with its
//! Python class. Responses of the reference miner contain this JSON as a JSON string.

mod body;
mod items;
mod reader;
mod responses;
mod run;
mod text;

use std::io::{self, Write};

use crate::chain::{Block, Message};
use crate::text::sum_of_bytes;

pub use body::ChainBody;
pub use reader::{JsonChainReader, MAX_BLOCK_BYTES};
pub use responses::{Messages, Neighbours, read_messages, read_neighbours};

const BLOCK: &str = "blockchain.blockchain.block.Block";
const DATA: &str = "blockchain.blockchain.data.Data";

/// Writes a chain file, block by block.
#[derive(Debug)]
pub struct JsonChainWriter<W> {
    out: W,
    line: Vec<u8>,
    first: bool,
}

impl<W: Write> JsonChainWriter<W> {
    /// Creates a writer to `out`, which should be buffered.
    pub fn new(out: W) -> Self {
        Self {
            out,
            line: Vec::new(),
            first: true,
        }
    }

    /// Writes the next block.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn push(&mut self, block: &Block) -> io::Result<()> {
        self.line.clear();
        let before: &[u8] = if self.first { b"[" } else { b", " };
        self.line.extend_from_slice(before);
        self.first = false;
        write_block(block, &mut self.line);
        self.out.write_all(&self.line)
    }

    /// Finishes the chain and returns the flushed `out`.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(if self.first { b"[]" } else { b"]" })?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Appends a block.
pub fn write_block(block: &Block, out: &mut Vec<u8>) {
    // Writing into a Vec cannot fail.
    let _ = write!(
        out,
        "{{\"py/object\": \"{BLOCK}\", \"_index\": {}",
        block.index
    );
    let _ = write!(out, ", \"_timestamp\": {}, \"_data\": ", block.timestamp);
    write_message(&block.message, out);
    match &block.link {
        None => out.extend_from_slice(b", \"_proof\": null, \"_previous_hash\": null}"),
        Some(link) => {
            let _ = write!(out, ", \"_proof\": {}, ", link.proof);
            let _ = write!(out, "\"_previous_hash\": \"{}\"}}", link.previous_hash);
        }
    }
}

/// Appends a message.
pub fn write_message(message: &Message, out: &mut Vec<u8>) {
    let _ = write!(
        out,
        "{{\"py/object\": \"{DATA}\", \"_id\": \"{}\", \"_message\": ",
        message.id()
    );
    write_string(message.text(), out);
    out.push(b'}');
}

/// Appends a string in quotes, as ASCII: bytes below 0x20 and characters above 0x7e are escaped.
pub fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    let plain = text.bytes().position(|byte| !is_plain(byte));
    let (plain, rest) = text.split_at(plain.unwrap_or(text.len()));
    out.extend_from_slice(plain.as_bytes());
    for character in rest.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\u{8}' => out.extend_from_slice(b"\\b"),
            '\u{c}' => out.extend_from_slice(b"\\f"),
            ' '..='~' => out.extend(u8::try_from(character)),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push(b'"');
}

/// Appends JSON as the content of a JSON string, without the quotes. JSON of this module is ASCII
/// without control characters, so only quotes and backslashes are escaped.
pub fn write_escaped(json: &[u8], out: &mut Vec<u8>) {
    for byte in json {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
}

/// Returns the number of bytes that [`write_escaped`] appends.
pub fn escaped_len(json: &[u8]) -> u64 {
    let is_escaped = |byte| u8::from(matches!(byte, b'"' | b'\\'));
    (json.len() + sum_of_bytes(json, is_escaped)) as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::chain::{MessageId, Timestamp};

    #[test]
    fn a_block_has_the_text_of_the_reference_miner() {
        let mut json = Vec::new();
        write_block(&Block::default_genesis(), &mut json);
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"py/object": "blockchain.blockchain.block.Block", "_index": 0, "_timestamp": 1581268484.244806, "_data": {"py/object": "blockchain.blockchain.data.Data", "_id": "324dc066e690437fa68e8afc810e9617", "_message": "This is the workload of the very first Block in this chain!"}, "_proof": null, "_previous_hash": null}"#
        );
    }

    #[test]
    fn strings_are_escaped_as_in_python() {
        let mut json = Vec::new();
        write_string("a\"\\/\n\r\t\u{8}\u{c}\0\u{1f}\u{7f}é€😀", &mut json);
        let expected = r#""a\"\\/\n\r\t\b\f\u0000\u001f\u007f\u00e9\u20ac\ud83d\ude00""#;
        assert_eq!(String::from_utf8(json).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn an_escaped_message_reads_back(text: String) {
            let message = Message::new(MessageId::from_bytes([1; 16]), text).unwrap();
            let (mut json, mut quoted) = (Vec::new(), vec![b'"']);
            write_message(&message, &mut json);
            write_escaped(&json, &mut quoted);
            prop_assert_eq!(escaped_len(&json), quoted.len() as u64 - 1);
            quoted.push(b'"');
            let inner: String = serde_json::from_slice(&quoted).unwrap();
            prop_assert_eq!(inner.as_bytes(), &json);
            let value: serde_json::Value = serde_json::from_str(&inner).unwrap();
            prop_assert_eq!(value["_message"].as_str().unwrap(), message.text());
        }
    }

    #[test]
    fn times_keep_their_type() {
        let mut block = Block::default_genesis();
        block.timestamp = Timestamp::integer(7).unwrap();
        let mut json = Vec::new();
        write_block(&block, &mut json);
        assert!(
            String::from_utf8(json)
                .unwrap()
                .contains("\"_timestamp\": 7,")
        );
    }
}
