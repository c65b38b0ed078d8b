//! A node of the real binary with its own folder, on a free port.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

use blockchain::wire::{MempoolPage, PendingMessage, PostedMessage, Status};

use super::command::{BINARY, Blockchain, foreign_variables};
use super::http::{TransportResponse, post_message, request};
use super::wait_for;

/// Maximum time of a clean stop.
const STOP: Duration = Duration::from_secs(2);

/// A node, running or stopped. Dropping it kills the process and deletes its folder.
pub(crate) struct TestNode {
    root: TempDir,
    /// A command that executes the binary, such as `env NAME=VALUE`; empty for none.
    pub(crate) wrapper: Vec<String>,
    /// The command with its positional arguments.
    pub(crate) command: Vec<String>,
    child: Option<Child>,
    address: SocketAddr,
    /// From the start of the process to the first 200 of `/health`.
    pub(crate) started_in: Duration,
}

impl TestNode {
    /// Starts a node on a new folder and waits until it answers.
    #[track_caller]
    pub(crate) fn start(options: &[&str]) -> Self {
        let mut node = Self::stopped();
        node.start_again(options);
        node
    }

    /// Starts a node that joins a network on a new folder, and waits until it answers.
    #[track_caller]
    pub(crate) fn join(code: &str, options: &[&str]) -> Self {
        let mut node = Self::stopped();
        node.command = vec!["join".to_owned(), code.to_owned()];
        node.start_again(options);
        node
    }

    /// An empty folder for a node.
    pub(crate) fn stopped() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            wrapper: Vec::new(),
            command: vec!["node".to_owned()],
            child: None,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            started_in: Duration::ZERO,
        }
    }

    /// Starts it on the same folder and waits until it answers.
    #[track_caller]
    pub(crate) fn start_again(&mut self, options: &[&str]) {
        let begin = Instant::now();
        self.spawn(options);
        self.address = wait_for("the node", || {
            let child = self.child.as_mut().unwrap();
            if let Some(status) = child.try_wait().unwrap() {
                panic!("the node ended with {status}:\n{}", self.stderr());
            }
            let running = self.running()?;
            let address = running["address"].as_str()?.parse().ok()?;
            // A killed node leaves its address behind, and another process may have it now.
            let status = request(address, "GET", "/api/v1/status", &[], &[]).ok()?;
            let status: Status = serde_json::from_slice(&status.body).ok()?;
            let health = request(address, "GET", "/health", &[], &[]).ok()?;
            (running["node_id"] == status.node_id && health.status == 200).then_some(address)
        });
        self.started_in = begin.elapsed();
    }

    /// Starts the process without waiting.
    pub(crate) fn spawn(&mut self, options: &[&str]) {
        assert!(self.child.is_none(), "it runs already");
        let line = self.wrapper.iter().map(String::as_str).chain([BINARY]);
        let line: Vec<_> = line.collect();
        let mut command = Command::new(line[0]);
        for name in foreign_variables() {
            command.env_remove(name);
        }
        let child = command
            .args(&line[1..])
            .args(&self.command)
            .arg("--db")
            .arg(self.folder())
            .args(["--port", "0"])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.root.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// The content of `node.address`.
    pub(crate) fn running(&self) -> Option<Value> {
        let text = fs::read(self.folder().join("node.address")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Kills the process, as a crash would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Stops the process, expects success in time and returns its standard error.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> String {
        let status = self.stop_with("TERM");
        assert_eq!(status.code(), Some(0), "{}", self.stderr());
        self.stderr()
    }

    /// Sends a signal and expects the process to end in time.
    #[track_caller]
    pub(crate) fn stop_with(&mut self, signal: &str) -> ExitStatus {
        let begin = Instant::now();
        let mut child = self.child.take().unwrap();
        super::command::signal(signal, child.id());
        let status = wait_for("the end of the node", || child.try_wait().unwrap());
        let took = begin.elapsed();
        assert!(took < STOP, "took {took:?}:\n{}", self.stderr());
        status
    }

    /// Waits until the process ends without a signal.
    #[track_caller]
    pub(crate) fn wait_for_exit(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        wait_for("the end of the node", || child.try_wait().unwrap())
    }

    /// Returns `true` if the process has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        let child = self.child.as_mut().unwrap();
        child.try_wait().unwrap().is_some()
    }

    /// Returns the standard error of the process since its last start.
    pub(crate) fn stderr(&self) -> String {
        fs::read_to_string(self.root.path().join("stderr")).unwrap()
    }

    /// The folder of the database.
    pub(crate) fn folder(&self) -> PathBuf {
        self.root.path().join("db")
    }

    /// Returns a path next to the folder of the database.
    pub(crate) fn sibling(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the resident memory in bytes, or `None` where the system does not report it.
    pub(crate) fn resident(&self) -> Option<u64> {
        let process = self.child.as_ref()?.id();
        let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
        Some(kibibytes * 1024)
    }

    /// The process that runs.
    #[track_caller]
    pub(crate) fn process(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Returns the used processor time in seconds, or `None` where the system does not report it.
    pub(crate) fn processor_seconds(&self) -> Option<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process())).ok()?;
        let (_, fields) = stat.rsplit_once(") ")?;
        // User and system time, in hundredths of a second on every Linux.
        let ticks = fields.split(' ').skip(11).take(2);
        let ticks: Option<Vec<f64>> = ticks.map(|ticks| ticks.parse().ok()).collect();
        Some(ticks?.iter().sum::<f64>() / 100.0)
    }

    /// Returns a command that asks this node.
    pub(crate) fn command<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Blockchain {
        Blockchain::new(arguments).args(["--port", &self.address.port().to_string()])
    }

    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> TransportResponse {
        self.request("GET", target, &[], &[])
    }

    #[track_caller]
    pub(crate) fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> TransportResponse {
        request(self.address, method, target, headers, body).unwrap()
    }

    /// A successful GET of `/api/v1`.
    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(&self, target: &str) -> T {
        self.get(&format!("/api/v1{target}")).expect(200).json()
    }

    #[track_caller]
    pub(crate) fn status(&self) -> Status {
        self.json("/status")
    }

    /// Adds a message and returns its id.
    #[track_caller]
    pub(crate) fn add(&self, text: &str) -> String {
        let response = post_message(self.address, text, None).unwrap().expect(201);
        response.json::<PostedMessage>().id
    }

    /// Adds messages and waits until none is pending.
    #[track_caller]
    pub(crate) fn mine(&self, texts: &[&str]) -> Vec<String> {
        let ids = texts.iter().map(|text| self.add(text)).collect();
        wait_for("the miner", || {
            (self.status().mempool.count == 0).then_some(())
        });
        ids
    }

    /// All pending messages, page by page.
    #[track_caller]
    pub(crate) fn pending(&self) -> Vec<PendingMessage> {
        let mut all = Vec::new();
        let mut page: MempoolPage = self.json("/mempool");
        loop {
            all.extend(page.messages);
            let Some(after) = page.next else {
                return all;
            };
            page = self.json(&format!("/mempool?after={after}"));
        }
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        self.kill();
    }
}
