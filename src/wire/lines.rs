//! Many messages in one request, one per line.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use utoipa::ToSchema;

/// Byte order mark in UTF-8.
pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// Maximum number of bytes of a body of lines.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Maximum number of lines in a body, without empty ones.
pub const MAX_COUNT: usize = 10_000;

/// Response to `POST /messages/lines`: all messages are on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(remote = "Self")]
pub struct AddedLines {
    /// Number of messages that were added.
    pub added: u64,
    /// Number of messages that were pending or mined already, or repeated in the body.
    pub known: u64,
    /// Id of each message, in the order of the lines; only with `ids=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<String>>,
}

/// Reason why a line is not a message.
#[derive(Debug, Error)]
pub enum InvalidLine {
    /// It has more bytes than a message may have.
    #[error("it is longer than the {limit} bytes allowed")]
    TooLong {
        /// Maximum length in bytes.
        limit: usize,
    },
    /// It is JSON with more bytes than a line may have, however long its message is.
    #[error("it is longer than the {limit} bytes allowed for a line, including its JSON")]
    JsonTooLong {
        /// Maximum length in bytes.
        limit: usize,
    },
    /// It is not valid UTF-8.
    #[error("it is not valid UTF-8: {0}")]
    NotUtf8(#[from] std::str::Utf8Error),
    /// It is not JSON.
    #[error("it is not JSON: {}", in_line(.0))]
    NotJson(#[from] serde_json::Error),
    /// It has no text under the key.
    #[error("it is not an object with a text of at least one character under the key {key:?}")]
    NoText {
        /// The key.
        key: String,
    },
}

/// Formats an error of the parser with its column alone, since the caller knows the line.
fn in_line(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    let reason = text.strip_suffix(&format!(" at line {line} column {column}"));
    reason.map_or_else(
        || text.clone(),
        |reason| format!("{reason} at column {column}"),
    )
}

/// Strips the byte order mark that some programs write before UTF-8 text.
pub fn without_bom(text: &[u8]) -> &[u8] {
    text.strip_prefix(BOM).unwrap_or(text)
}

/// Returns the lines of a body, without line ends. Lines end with LF or CRLF.
pub fn split(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = body.split(|byte| *byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// Returns the message in a line that is not empty: the line itself, or the text under the key
/// `field` of the JSON object in it.
///
/// # Errors
/// If the line is longer than `limit` bytes or has no message.
pub fn message<'a>(
    line: &'a [u8],
    field: Option<&str>,
    limit: usize,
) -> Result<Cow<'a, str>, InvalidLine> {
    if line.len() > limit {
        return Err(match field {
            Some(_) => InvalidLine::JsonTooLong { limit },
            None => InvalidLine::TooLong { limit },
        });
    }
    let line = str::from_utf8(line)?;
    let Some(key) = field else {
        return Ok(line.into());
    };
    match serde_json::from_str(line)? {
        Value::Object(mut object) => match object.remove(key) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.into()),
            _ => Err(InvalidLine::NoText {
                key: key.to_owned(),
            }),
        },
        _ => Err(InvalidLine::NoText {
            key: key.to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_a_line_or_a_text_in_its_object() {
        let lines: Vec<_> = split(b"a\r\n\nb c\n").collect();
        assert_eq!(lines, [&b"a"[..], b"", b"b c", b""]);
        assert_eq!(message(b" {} ", None, 9).unwrap(), " {} ");
        let object = br#"{"level": 3, "log": "a\nb"}"#;
        assert_eq!(message(object, Some("log"), 99).unwrap(), "a\nb");
        for (line, field, reason) in [
            (
                &b"0123456789"[..],
                None,
                "it is longer than the 9 bytes allowed",
            ),
            (b"\xff", None, "it is not valid UTF-8: "),
            (b"{", Some("log"), "object at column 1"),
            (
                &[b' '; 100],
                Some("log"),
                "99 bytes allowed for a line, including its JSON",
            ),
            (b"[]", Some("log"), "it is not an object with a text of "),
            (b"{}", Some("log"), "it is not an object with a text of "),
            (b"{\"a\":1}", Some("a"), "under the key \"a\""),
            (b"{\"a\":\"\"}", Some("a"), "at least one character"),
        ] {
            let limit = if field.is_some() { 99 } else { 9 };
            let error = message(line, field, limit).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
            assert!(!error.contains("at line"), "{error}");
        }
    }
}
