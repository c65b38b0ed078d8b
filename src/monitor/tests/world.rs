//! A monitor of simulated nodes.

use std::fs;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::Value;
use tempfile::TempDir;

use super::simulated::SimulatedNode;
use crate::monitor::outbox::Outbox;
use crate::monitor::round::Monitor;
use crate::monitor::{MonitorError, MonitorSettings, settle};
use crate::proofs::Checkpoint;

/// A monitor with its folder and its clock.
pub(super) struct World<'a> {
    root: TempDir,
    nodes: Vec<&'a SimulatedNode>,
    settings: MonitorSettings,
    monitor: Option<Monitor<&'a SimulatedNode>>,
    pub(super) now: u64,
    /// Command of `--exec`.
    pub(super) command: Option<String>,
    /// Number of writes until the process is killed.
    writes_left: Option<usize>,
}

impl<'a> World<'a> {
    pub(super) fn new(nodes: &[&'a SimulatedNode], depth: u64) -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            nodes: nodes.to_vec(),
            settings: MonitorSettings {
                depth,
                stall: Duration::from_secs(600),
                sample: 4,
                repeat: Duration::from_secs(24 * 3600),
            },
            monitor: None,
            now: 1_700_000_000,
            command: None,
            writes_left: None,
        }
    }

    /// Runs one round, in a new process after the first or a restart. Returns the exit code.
    pub(super) async fn round(&mut self) -> u8 {
        self.try_round().await.unwrap()
    }

    /// Runs one round in a new process. Returns `true` if it was killed.
    pub(super) async fn round_with_kill(&mut self, writes: usize) -> bool {
        self.restart();
        self.writes_left = Some(writes);
        let killed = AssertUnwindSafe(self.try_round())
            .catch_unwind()
            .await
            .is_err();
        self.restart();
        self.writes_left = None;
        killed
    }

    async fn try_round(&mut self) -> Result<u8, MonitorError> {
        let mut monitor = if let Some(monitor) = self.monitor.take() {
            monitor
        } else {
            let root = self.root.path();
            let opened = settle::open(&self.nodes, root, &[], &self.settings, self.now);
            let (state, ..) = opened.await?;
            let outbox = self.command.clone();
            let outbox = outbox.map(|command| Outbox::read(command, &state).unwrap());
            Monitor::new(self.nodes.clone(), state, self.settings, outbox, true)
        };
        if let Some(count) = self.writes_left {
            monitor.state.folder.kill_after(count);
        }
        monitor.round(self.now, &mut |_| {}).await?;
        let code = monitor.exit_code();
        self.monitor = Some(monitor);
        Ok(code)
    }

    /// Ends the process; the next round starts another.
    pub(super) fn restart(&mut self) {
        self.monitor = None;
    }

    pub(super) async fn accept(&mut self, hash: &str) -> Result<(), MonitorError> {
        self.restart();
        let root = self.root.path();
        let opened = settle::open(&self.nodes, root, &[], &self.settings, self.now);
        let (mut state, ..) = opened.await?;
        settle::accept(&mut state, &self.nodes, hash, self.now)
            .await
            .map(drop)
    }

    fn folder(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.root.path()).unwrap();
        entries.next().unwrap().unwrap().path()
    }

    pub(super) fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder().join(name)).unwrap_or_default()
    }

    pub(super) fn settled(&self) -> Checkpoint {
        self.file("settled").trim().parse().unwrap()
    }

    pub(super) fn events(&self) -> Vec<Value> {
        let text = self.file("events.ndjson");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    pub(super) fn kinds(&self) -> Vec<String> {
        let events = self.events().into_iter();
        events
            .map(|event| event["kind"].as_str().unwrap().to_owned())
            .collect()
    }
}
