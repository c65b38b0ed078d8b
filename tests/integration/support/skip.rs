//! Tests that need something optional of the machine.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use super::environment::is_on;

/// Records that a test cannot run here. The gate prints all records at its end.
///
/// # Panics
///
/// If `REQUIRE_ALL=1` is set, which makes every skip a failure.
#[track_caller]
#[expect(
    clippy::print_stderr,
    reason = "a skipped test must not look like one that ran"
)]
pub(crate) fn skip(test: &str, reason: &str) {
    let line = format!("skipped: {test}: {reason}\n");
    assert!(!is_on("REQUIRE_ALL", "1"), "REQUIRE_ALL is set, but {line}");
    eprint!("{line}");
    // Cargo sets this folder, which lies in the target folder.
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(folder).unwrap();
    let mut file = File::options()
        .append(true)
        .create(true)
        .open(folder.join("skipped"))
        .unwrap();
    // A single write, so that lines of concurrent tests do not mix.
    file.write_all(line.as_bytes()).unwrap();
}
