//! Chains as files.
//!
//! * [`format`](mod@format): the formats of import, export and verify, told apart by content

pub mod format;
