//! What the original answers about waiting messages and neighbours.
//!
//! Its answers carry JSON inside a JSON string; these functions take the content of that string.
//! A set, a list or a tuple will do, as it will for the original. Entries that are not
//! well-formed are left out and counted: one of them must not hide the others.

use super::items;
use super::text::{Parsed, Stop, TextCursor};
use crate::chain::Message;
use crate::reference::ReadError;
use crate::reference::error::quoted;

/// Longest host name taken, in bytes.
const MAX_HOST_BYTES: usize = 253;

/// Waiting messages of another miner.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// The well-formed ones, in their order.
    pub taken: Vec<Message>,
    /// How many were left out: not well-formed, or beyond the limit.
    pub left_out: u64,
}

/// Neighbours of another miner.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Neighbours {
    /// Host and port of each, in their order. The host is any text, not yet a checked name.
    pub taken: Vec<(String, u16)>,
    /// How many were left out: not well-formed, or beyond the limit.
    pub left_out: u64,
}

/// Reads the content of the string that `GET /data` answers, at most `most` messages of it.
///
/// # Errors
/// Where the text is not readable as a set of messages at all.
pub fn read_messages(json: &str, most: usize) -> Result<Messages, ReadError> {
    let mut messages = Messages::default();
    collection(json, |cursor| {
        match items::message(cursor)? {
            Ok(message) if messages.taken.len() < most => messages.taken.push(message),
            _ => messages.left_out += 1,
        }
        Ok(())
    })?;
    Ok(messages)
}

/// Reads the content of the string `neighbours` that `GET /neighbours` answers, at most `most`
/// neighbours of it.
///
/// # Errors
/// Where the text is not readable as a set of addresses at all.
pub fn read_neighbours(json: &str, most: usize) -> Result<Neighbours, ReadError> {
    let mut neighbours = Neighbours::default();
    collection(json, |cursor| {
        match address(cursor)? {
            Some(address) if neighbours.taken.len() < most => neighbours.taken.push(address),
            _ => neighbours.left_out += 1,
        }
        Ok(())
    })?;
    Ok(neighbours)
}

/// Passes an address; none if it is something else than a tuple of host and port.
fn address(cursor: &mut TextCursor<'_>) -> Parsed<Option<(String, u16)>> {
    use crate::reference::attributes::Value;

    if cursor.next()? != b'{' {
        cursor.value()?;
        return Ok(None);
    }
    let mut parts = Vec::new();
    cursor.object("an address", |cursor, key| {
        if key != "py/tuple" {
            return cursor.refuse(format!("expected py/tuple, found the key {}", quoted(key)));
        }
        parts.clear();
        cursor.list("host and port", |cursor| {
            let part = cursor.value()?;
            // A third part makes the address unusable already.
            if parts.len() < 3 {
                parts.push(part);
            }
            Ok(())
        })
    })?;
    let [Value::Text(host), Value::Integer(port)] = &parts[..] else {
        return Ok(None);
    };
    let usable = !host.is_empty() && host.len() <= MAX_HOST_BYTES;
    let port = port.parse().ok().filter(|port| *port > 0);
    Ok(port
        .filter(|_| usable)
        .map(|port| (host.clone().into_owned(), port)))
}

/// Passes a list, or an object that holds one as `py/set` or `py/tuple`, and nothing else.
fn collection(
    json: &str,
    item: impl FnMut(&mut TextCursor<'_>) -> Parsed<()>,
) -> Result<(), ReadError> {
    let mut cursor = TextCursor::new(json.as_bytes(), 0);
    let end = json.len() as u64;
    match whole_collection(&mut cursor, item) {
        Ok(()) => Ok(()),
        Err(Stop::Incomplete) => Err(ReadError::not_readable(end, "the text ends too early")),
        Err(Stop::Refused(error)) => Err(*error),
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
                return cursor.refuse(format!(
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
        Ok(_) => cursor.refuse("the set ends here, but the text goes on"),
    }
}
