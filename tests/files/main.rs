//! The commands on chain files: import, export and verify, on the real program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod export;
mod import;
mod support;
mod verify;
