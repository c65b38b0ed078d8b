//! Chain files: their formats, their digest files, and the snapshots that replace each other.

pub mod digest;
pub mod files;
pub mod format;
