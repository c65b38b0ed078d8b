//! What the original program speaks: its two chain files, the JSON inside its answers and how it
//! decodes a request line. Pure.
//!
//! The original (a Python program) keeps a chain as JSON made by jsonpickle or as a Python pickle.
//! Both are written here byte for byte as it writes them, and read in constant memory, one block
//! at a time, whoever wrote them: bytes are hostile, nothing in them is ever run.
//!
//! A reader takes what the original takes where that changes nothing: any spacing, key order, raw
//! UTF-8, further keys, a key given twice (the last counts), attributes inside `py/state`,
//! references to an earlier message, integer times, negative and huge proofs. It refuses the rest
//! of the original's tolerance with the reason ([`ReadError`]): a message that is no text,
//! booleans, numbers as text, NaN, lone surrogates, a tuple in place of the list, an empty list,
//! bytes after the end. Whether the blocks make a valid chain is checked by
//! [`crate::chain::Checker`]; the readers report a broken rule only where no [`Block`] can hold
//! what they found.
//!
//! [`Block`]: crate::chain::Block

mod attributes;
mod buffer;
pub mod error;
pub mod json;
pub mod pickle;
pub mod query;
mod recent;

pub use error::{FormatViolation, Place, ReadError};

#[cfg(test)]
mod tests;
