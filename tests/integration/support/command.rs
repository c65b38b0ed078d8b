//! Runs the real binary to its end, and checks exit code, standard output and standard error.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt;

use assert_cmd::Command;
use serde::de::DeserializeOwned;

use super::TIMEOUT;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_blockchain");

/// A command line, about to be run.
pub(crate) struct Blockchain(Command);

impl Blockchain {
    pub(crate) fn new<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) -> Self {
        let mut command = Command::new(BINARY);
        command.args(arguments).timeout(TIMEOUT);
        for name in foreign_variables() {
            command.env_remove(name);
        }
        Self(command)
    }

    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.0.args(arguments);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    pub(crate) fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.0.write_stdin(input);
        self
    }

    /// Runs it and expects this exit code.
    #[track_caller]
    pub(crate) fn exits(mut self, code: i32) -> Finished {
        let output = self.0.output().unwrap();
        let finished = Finished {
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert_eq!(
            output.status.code(),
            Some(code),
            "{:?}\n{finished:?}",
            self.0
        );
        finished
    }

    /// Runs it and returns its exit code, or the negative number of the signal that ended it.
    #[track_caller]
    pub(crate) fn exits_any(mut self) -> i32 {
        let status = self.0.output().unwrap().status;
        let signal = status.signal().map(|signal| -signal);
        status.code().or(signal).unwrap()
    }

    /// Runs it and expects success and an empty standard error.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Finished {
        let finished = self.exits(0);
        assert_eq!(finished.stderr, "", "{finished:?}");
        finished
    }
}

/// The output of a finished command.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Expects each text on the standard output.
    #[track_caller]
    pub(crate) fn prints(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text), "no {text:?} in {self:?}");
        }
        self
    }

    /// Expects nothing on the standard output and each text on the standard error.
    #[track_caller]
    pub(crate) fn complains(self, texts: &[&str]) -> Self {
        assert_eq!(self.stdout, "", "{self:?}");
        for text in texts {
            assert!(self.stderr.contains(text), "no {text:?} in {self:?}");
        }
        self
    }

    /// The standard output read as JSON.
    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Environment variables of the test run that would change the behaviour of the binary.
pub(crate) fn foreign_variables() -> impl Iterator<Item = std::ffi::OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("BLOCKCHAIN_") || name == "RUST_LOG"
    })
}

/// Sends a signal to a process.
#[track_caller]
pub(crate) fn signal(name: &str, process: u32) {
    let kill = format!("kill -s {name} {process}");
    let sent = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status();
    assert!(sent.unwrap().success(), "{kill}");
}
