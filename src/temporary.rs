//! How files are named while they are still being written.

use std::ffi::OsString;
use std::path::Path;

/// How the names of temporary files begin that belong to `file`. What a kill leaves of them is
/// removed at the next start.
pub fn prefix(file: &Path) -> OsString {
    let mut prefix = OsString::from(".");
    prefix.push(file.file_stem().unwrap_or_default());
    prefix.push(".tmp-");
    prefix
}
