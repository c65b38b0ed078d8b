//! Events that a command is still to be told. They are on disk before the settled checkpoint moves,
//! and leave when the command has succeeded.

use std::collections::VecDeque;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use serde::Deserialize;
use tracing::{error, warn};

use super::MonitorError;
use super::event::{Event, Kind};
use super::state::State;

/// Name of the file.
const OUTBOX: &str = "outbox.ndjson";

/// Maximum number of events in the outbox; the oldest are dropped.
const MAX_EVENTS: usize = 1000;

/// Maximum time of one run of the command.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Delays before the retries of a command that failed.
const RETRIES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(60),
];

/// The events to tell, and the command that is told.
#[derive(Debug)]
pub struct Outbox {
    command: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    events: Mutex<VecDeque<String>>,
    added: Condvar,
    /// The file as it is on disk.
    is_changed: Mutex<bool>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Drops an event that was told, and notes that the file is out of date.
    fn done(&self, line: &str) {
        let mut queue = self.lock();
        if queue.front().is_some_and(|front| front == line) {
            queue.pop_front();
            *self.changed() = true;
        }
    }

    fn changed(&self) -> MutexGuard<'_, bool> {
        self.is_changed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outbox {
    /// Reads the events that an earlier run has left.
    pub fn read(command: String, state: &State) -> Result<Self, MonitorError> {
        let text = state.folder.read(OUTBOX)?.unwrap_or_default();
        let events = text.lines().map(str::to_owned).collect();
        let shared = Shared {
            events: Mutex::new(events),
            ..Shared::default()
        };
        Ok(Self {
            command,
            shared: Arc::new(shared),
        })
    }

    /// Adds events that the command must be told, and writes the file.
    pub(super) fn add(&self, events: &[Event], state: &State) -> Result<(), MonitorError> {
        let told = events.iter().filter(|event| event.kind.is_for_command());
        let mut queue = self.shared.lock();
        let before = queue.len();
        queue.extend(told.map(Event::line));
        if queue.len() > before {
            *self.shared.changed() = true;
        }
        while queue.len() > MAX_EVENTS {
            error!("dropping the oldest of {MAX_EVENTS} events that the command was not told");
            queue.pop_front();
        }
        drop(queue);
        self.write(state)?;
        self.shared.added.notify_all();
        Ok(())
    }

    /// Writes the file if it is out of date.
    pub(super) fn write(&self, state: &State) -> Result<(), MonitorError> {
        let text: String = {
            let queue = self.shared.lock();
            if !std::mem::take(&mut *self.shared.changed()) {
                return Ok(());
            }
            queue.iter().flat_map(|line| [&**line, "\n"]).collect()
        };
        state.folder.replace(OUTBOX, &text)
    }

    /// Runs the command once for each event. Those for which it failed stay in the outbox.
    pub(super) fn run_once(&self) {
        let events = std::mem::take(&mut *self.shared.lock());
        let count = events.len();
        let failed: VecDeque<_> = events
            .into_iter()
            .filter(|line| {
                let outcome = run(&self.command, line, TIMEOUT);
                if let Err(reason) = &outcome {
                    warn!(reason, "the command failed; the next run tells it again");
                }
                outcome.is_err()
            })
            .collect();
        *self.shared.changed() |= failed.len() < count;
        *self.shared.lock() = failed;
    }

    /// Starts the thread that runs the command for each event, one at a time, with retries.
    ///
    /// # Errors
    /// If the system starts no thread.
    pub fn start(&self) -> std::io::Result<()> {
        let (shared, command) = (Arc::clone(&self.shared), self.command.clone());
        let work = move || {
            loop {
                let mut queue = shared.lock();
                let line = loop {
                    if let Some(line) = queue.front() {
                        break line.clone();
                    }
                    let waited = shared.added.wait(queue);
                    queue = waited.unwrap_or_else(PoisonError::into_inner);
                };
                drop(queue);
                tell(&command, &line);
                shared.done(&line);
            }
        };
        thread::Builder::new()
            .name("exec".to_owned())
            .spawn(work)
            .map(drop)
    }
}

/// Runs the command for one event until it succeeds or no retry is left.
fn tell(command: &str, line: &str) {
    for delay in RETRIES.into_iter().map(Some).chain([None]) {
        let Err(reason) = run(command, line, TIMEOUT) else {
            return;
        };
        let Some(delay) = delay else {
            error!(
                reason,
                "the command failed; the event stays in events.ndjson"
            );
            return;
        };
        let seconds = delay.as_secs();
        warn!(reason, seconds, "the command failed; it is run again");
        thread::sleep(delay);
    }
}

#[derive(Deserialize)]
struct KindOf {
    kind: Kind,
}

/// Runs the command with an event on its standard input. Nothing of the event is part of the command.
fn run(command: &str, line: &str, timeout: Duration) -> Result<(), String> {
    let kind = serde_json::from_str::<KindOf>(line).map(|event| event.kind.name());
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("BLOCKCHAIN_EVENT", kind.unwrap_or_default())
        .stdin(Stdio::piped())
        // The standard output belongs to the events.
        .stdout(Stdio::from(std::io::stderr()))
        .process_group(0)
        .spawn()
        .map_err(|error| format!("cannot start sh: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        let line = format!("{line}\n");
        // A command that does not read must not stop the monitor. The thread ends with the command.
        thread::spawn(move || stdin.write_all(line.as_bytes()));
    }
    let status = wait(&mut child, timeout)?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("it ended with {status}"))
    }
}

/// Waits for a process; ends it and everything that it started after `timeout`.
fn wait(child: &mut Child, timeout: Duration) -> Result<std::process::ExitStatus, String> {
    let deadline = Instant::now() + timeout;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(20)),
            Ok(None) => {
                let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                let killed = group.map(|group| kill_process_group(group, Signal::KILL));
                if !matches!(killed, Some(Ok(()))) {
                    let _ = child.kill();
                }
                let _ = child.wait();
                return Err(format!(
                    "it took more than {} s and was killed",
                    timeout.as_secs()
                ));
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_gets_the_event_on_its_input_and_its_kind_in_a_variable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("told").display().to_string();
        let line = "{\"kind\":\"rewrite\",\"message\":\"$(touch /nowhere) `id`\"}";
        let command = format!("(echo $BLOCKCHAIN_EVENT; cat) > {path}");
        run(&command, line, TIMEOUT).unwrap();
        let told = std::fs::read_to_string(path).unwrap();
        assert_eq!(told, format!("rewrite\n{line}\n"));
        assert_eq!(
            run("false", line, TIMEOUT).unwrap_err(),
            "it ended with exit status: 1"
        );
        // It reads nothing, and ends all the same.
        run("true", line, TIMEOUT).unwrap();
    }

    #[test]
    fn a_command_that_hangs_is_killed_with_its_children() {
        let start = Instant::now();
        let error = run("sleep 60 & sleep 60", "{}", Duration::from_millis(100)).unwrap_err();
        assert!(error.contains("was killed"), "{error}");
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}
