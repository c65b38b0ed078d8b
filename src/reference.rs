//! Formats of the reference miner: its two chain files, the JSON inside its responses, and how it
//! decodes a query string. Pure.
//!
//! The reference miner is the Python project
//! [se-jaeger/blockchain](https://github.com/se-jaeger/blockchain), whose chain this program
//! re-implements down to the bytes that are hashed.
//!
//! # Chain files
//!
//! The reference miner stores a chain as JSON written by jsonpickle or as a Python pickle. The
//! writers here produce the same bytes. The readers take one block at a time, in constant memory,
//! and treat the input as hostile: nothing in it is ever executed.
//!
//! The readers accept what the reference miner accepts if the block stays the same: any spacing, any
//! order of keys, raw UTF-8, unknown keys, duplicate keys (the last one counts), attributes inside
//! `py/state`, references to an earlier message, integer times, negative and huge proofs. They
//! reject the rest of what it tolerates with a [`ReadError`]: a message that is not text, booleans,
//! numbers as text, NaN, lone surrogates, a tuple in place of the list, an empty list, bytes after
//! the end. [`crate::chain::Checker`] checks the chain; the readers report a broken rule only if no
//! [`Block`] can hold the value.
//!
//! # Differences from the reference miner
//!
//! * A 200 response to `/add` means that the message is on disk. The response contains its id.
//! * `get`, `add` and the other commands exit with a code that tells the outcome, and escape text
//!   that could control a terminal.
//! * A message has at most 256 KiB, and at most 64 KiB if a client adds it. Proofs, ids, times and
//!   numbers of a kind that the reference miner never writes are rejected instead of crashing a task.
//! * All new nodes share one genesis block (`c0f0de36…c1ab94`); each reference miner creates its own.
//! * A node listens on 127.0.0.1 by default.
//! * `POST /add` gets 405 and names PUT, not 404. 405 responses are JSON. Bytes of a request line that are not ASCII are decoded as UTF-8.
//! * A request head that cannot be parsed (400) or is too long (414, 431) gets a response without a
//!   body. A request without exactly one valid `Host`, with a target that is neither a path nor a
//!   URL, or with an unknown expectation is rejected (400, 417). `CONNECT` gets 405.
//!
//! [`Block`]: crate::chain::Block

mod attributes;
mod buffer;
pub mod error;
pub mod json;
pub mod pickle;
pub mod query;
mod recent;

pub use error::{FormatViolation, Location, ReadError};

#[cfg(test)]
mod tests;
