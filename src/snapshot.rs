//! The chain as files: the formats they are written in, and how snapshots replace each other.

pub mod digest;
pub mod files;
pub mod format;
