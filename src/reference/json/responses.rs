//! Responses of the reference miner with its pending messages and its neighbours.
//!
//! A response contains JSON inside a JSON string; these functions parse the content of that string.
//! As in the reference miner, it may be a set, a list or a tuple. Malformed entries are skipped and
//! counted, so that one of them does not hide the others.

use super::items;
use super::text::{Parsed, Stop, TextCursor};
use crate::chain::Message;
use crate::reference::ReadError;
use crate::reference::error::quoted;

/// Maximum length of a host name in bytes.
const MAX_HOST_BYTES: usize = 253;

/// Pending messages of a reference miner.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// The well-formed messages, in the order of the response.
    pub accepted: Vec<Message>,
    /// Number of entries that are malformed or beyond the limit.
    pub skipped: u64,
}

/// Neighbours of a reference miner.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// Host and port of each neighbour, in the order of the response. The host is not validated.
    pub accepted: Vec<(String, u16)>,
    /// Number of entries that are malformed or beyond the limit.
    pub skipped: u64,
}

/// Parses the content of the string in a response to `GET /data`, at most `limit` messages.
///
/// # Errors
/// If the text is not a collection.
pub fn read_messages(json: &str, limit: usize) -> Result<Messages, ReadError> {
    let mut messages = Messages::default();
    collection(json, |cursor| {
        match items::message(cursor)? {
            Ok(message) if messages.accepted.len() < limit => messages.accepted.push(message),
            _ => messages.skipped += 1,
        }
        Ok(())
    })?;
    Ok(messages)
}

/// Parses the content of the string `neighbours` in a response to `GET /neighbours`, at most `limit`
/// neighbours.
///
/// # Errors
/// If the text is not a collection.
pub fn read_neighbours(json: &str, limit: usize) -> Result<Neighbours, ReadError> {
    let mut neighbours = Neighbours::default();
    collection(json, |cursor| {
        match address(cursor)? {
            Some(address) if neighbours.accepted.len() < limit => neighbours.accepted.push(address),
            _ => neighbours.skipped += 1,
        }
        Ok(())
    })?;
    Ok(neighbours)
}

/// Consumes an address; `None` if it is not a tuple of a host and a port.
fn address(cursor: &mut TextCursor<'_>) -> Parsed<Option<(String, u16)>> {
    use crate::reference::attributes::Value;

    if cursor.next()? != b'{' {
        cursor.value()?;
        return Ok(None);
    }
    let mut parts = Vec::new();
    cursor.object("an address", |cursor, key| {
        if key != "py/tuple" {
            return cursor.reject(format!("expected py/tuple, found the key {}", quoted(key)));
        }
        parts.clear();
        cursor.list("host and port", |cursor| {
            let part = cursor.value()?;
            // An address with a third part is invalid; further parts need not be kept.
            if parts.len() < 3 {
                parts.push(part);
            }
            Ok(())
        })
    })?;
    let [Value::Text(host), Value::Integer(port)] = &parts[..] else {
        return Ok(None);
    };
    let is_valid = !host.is_empty() && host.len() <= MAX_HOST_BYTES;
    let port = port.parse().ok().filter(|port| *port > 0);
    Ok(port
        .filter(|_| is_valid)
        .map(|port| (host.clone().into_owned(), port)))
}

/// Parses a list, or an object with exactly one list as `py/set` or `py/tuple`.
fn collection(
    json: &str,
    item: impl FnMut(&mut TextCursor<'_>) -> Parsed<()>,
) -> Result<(), ReadError> {
    let mut cursor = TextCursor::new(json.as_bytes(), 0);
    let end = json.len() as u64;
    match whole_collection(&mut cursor, item) {
        Ok(()) => Ok(()),
        Err(Stop::Incomplete) => Err(ReadError::not_readable(end, "the text is truncated")),
        Err(Stop::Invalid(error)) => Err(*error),
    }
}

fn whole_collection(
    cursor: &mut TextCursor<'_>,
    mut item: impl FnMut(&mut TextCursor<'_>) -> Parsed<()>,
) -> Parsed<()> {
    if cursor.next()? == b'{' {
        let mut seen = false;
        cursor.object("a set", |cursor, key| {
            if seen || !matches!(key, "py/set" | "py/tuple") {
                return cursor.reject(format!(
                    "expected one py/set, found the key {}",
                    quoted(key)
                ));
            }
            seen = true;
            cursor.list("a list", &mut item)
        })?;
    } else {
        cursor.list("a set", item)?;
    }
    match cursor.next() {
        Err(Stop::Incomplete) => Ok(()),
        Err(stop) => Err(stop),
        Ok(_) => cursor.reject("unexpected data after the end of the set"),
    }
}
