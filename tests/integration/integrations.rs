//! The files of `docker/` for other programs, run with the real programs where they are installed.

/// The dashboard and the alert rules use metrics that a node exports, and Prometheus reads both.
mod metrics;
/// Shippers of logs and the Git hook add each line once, also around crashes.
mod recipes;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The path of a file of the repository.
fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A file of the repository.
fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

/// Returns `true` if the program is installed and runs.
fn is_installed(program: &str, argument: &str) -> bool {
    let status = Command::new(program)
        .arg(argument)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.is_ok_and(|status| status.success())
}

/// A process that is killed when it is dropped.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}
