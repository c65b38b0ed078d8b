//! Signals that end a command: SIGINT (Ctrl-C), SIGTERM and SIGHUP.
//!
//! By default, a signal ends the process at once and removes its unfinished files. A server shuts
//! down in order instead ([`Signals::stop_with`]); a second SIGINT or SIGTERM ends it at once. The
//! exit code is that of a shell: 128 plus the number of the signal.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::Signal as Number;
use tempfile::{NamedTempFile, TempPath};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::error::Error;
use super::log;
use super::output::report_signal;

/// Time within which a second signal counts as the same request: `timeout`, shells and terminals
/// signal both a process and its group.
const REPEATED: Duration = Duration::from_millis(500);

/// Lets a write beyond the file size limit (`ulimit -f`) fail with an error; by default it would end
/// the process silently.
pub(super) fn let_large_writes_fail() -> Result<(), Error> {
    // The handler stays installed when the receiver is dropped.
    listen(Number::XFSZ).map(drop)
}

/// The action on a signal, shared with the task that listens.
#[derive(Clone)]
pub(super) struct Signals(Arc<Mutex<OnSignal>>);

/// The action on a signal.
enum OnSignal {
    /// Removes these files and ends the process.
    End(Vec<PathBuf>),
    /// Ends the process; its files are complete.
    Done,
    /// Cancels the token, for an orderly shutdown.
    Stop(CancellationToken),
}

impl Signals {
    /// Starts to listen for signals.
    pub(super) fn listen() -> Result<Self, Error> {
        let mut listener = Listener {
            interrupt: listen(Number::INT)?,
            terminate: listen(Number::TERM)?,
            hang_up: if hang_up_is_ignored() {
                None
            } else {
                Some(listen(Number::HUP)?)
            },
        };
        let signals = Self(Arc::new(Mutex::new(OnSignal::End(Vec::new()))));
        let on_signal = signals.clone();
        tokio::spawn(async move {
            let mut first: Option<Instant> = None;
            loop {
                let (number, name) = listener.next().await;
                let is_again = first.is_some_and(|first| first.elapsed() > REPEATED);
                on_signal.act(number, name, is_again);
                first.get_or_insert_with(Instant::now);
            }
        });
        Ok(signals)
    }

    /// Makes signals cancel `shutdown`.
    pub(super) fn stop_with(&self, shutdown: CancellationToken) {
        *self.lock() = OnSignal::Stop(shutdown);
    }

    /// Creates a file that a signal removes until [`Self::finish`].
    pub(super) fn create(
        &self,
        make: impl FnOnce() -> io::Result<NamedTempFile>,
    ) -> io::Result<NamedTempFile> {
        // The lock keeps signals off until the file is noted.
        let mut on_signal = self.lock();
        let file = make()?;
        on_signal.note(file.path().to_owned());
        Ok(file)
    }

    /// Registers a file to be created, which a signal removes until [`Self::finish`].
    pub(super) fn note(&self, path: &TempPath) {
        self.lock().note(path.to_path_buf());
    }

    /// Runs the step that renames the finished files, uninterrupted by signals.
    pub(super) fn finish<T>(&self, step: impl FnOnce() -> T) -> T {
        let mut on_signal = self.lock();
        let outcome = step();
        if let OnSignal::End(_) = *on_signal {
            *on_signal = OnSignal::Done;
        }
        outcome
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, OnSignal> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(&self, number: Number, name: &str, is_again: bool) {
        let on_signal = self.lock();
        match &*on_signal {
            OnSignal::End(files) => {
                for file in files {
                    // It may not exist yet, and a failure changes nothing about the end.
                    let _ = fs::remove_file(file);
                }
                report_signal(&format!("ended by {name}; nothing was changed"));
            }
            OnSignal::Done => report_signal(&format!("ended by {name}")),
            OnSignal::Stop(shutdown) if !shutdown.is_cancelled() => {
                shutdown.cancel();
                info!(signal = name, "stopping");
                return;
            }
            // A terminal that closes may send SIGHUP twice.
            OnSignal::Stop(_) if !is_again || number == Number::HUP => return,
            OnSignal::Stop(_) => warn!(
                signal = name,
                "exiting without a snapshot; the next start checks all blocks"
            ),
        }
        // The lock is still held, so no file is finished any more.
        log::flush_and_exit(128 + number.as_raw());
    }
}

impl OnSignal {
    fn note(&mut self, path: PathBuf) {
        if let Self::End(files) = self {
            files.push(path);
        }
    }
}

struct Listener {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Option<Signal>,
}

impl Listener {
    async fn next(&mut self) -> (Number, &'static str) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => (Number::INT, "SIGINT"),
            _ = self.terminate.recv() => (Number::TERM, "SIGTERM"),
            _ = hang_up => (Number::HUP, "SIGHUP"),
        }
    }
}

fn listen(number: Number) -> Result<Signal, Error> {
    let listening = signal(SignalKind::from_raw(number.as_raw()));
    listening.map_err(|source| Error::io("signal handler", source))
}

/// Returns `true` if this process was started to survive its terminal, as by `nohup`. Detected on
/// Linux only.
fn hang_up_is_ignored() -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 << (Number::HUP.as_raw() - 1) != 0)
}
