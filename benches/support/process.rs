//! The program itself, as a process.

#![allow(dead_code, reason = "each benchmark uses some of it")]
#![allow(unreachable_pub, reason = "the root is a benchmark")]

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Returns a command of the program without output.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockchain"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A node, killed when this is dropped.
pub struct Node {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process to the first 200 of `/health`.
    pub started_in: Duration,
}

impl Node {
    /// Starts a node on a folder, and waits until it is ready.
    pub fn start(folder: &Path, options: &[&str]) -> Self {
        let _ = fs::remove_file(folder.join("node.address"));
        let folder_text = folder.to_str().unwrap();
        let begun = Instant::now();
        let mut child = command(&["node", "--port", "0", "--snapshot-at-stop", "never"])
            .args(["--backup-interval", "1000h", "--db", folder_text])
            .args(options)
            .spawn()
            .unwrap();
        loop {
            assert!(child.try_wait().unwrap().is_none(), "the node ended");
            if let Some(address) = address_in(folder)
                && get(address, "/health")
                    .is_some_and(|response| response.starts_with("HTTP/1.1 200"))
            {
                return Self {
                    child,
                    address,
                    started_in: begun.elapsed(),
                };
            }
            // A poll interval.
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Returns the resident memory in bytes.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()));
        let status = status.unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        kib.map_or(0, |kib| kib.trim().parse::<u64>().unwrap() * 1024)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address_in(folder: &Path) -> Option<SocketAddr> {
    let text = fs::read(folder.join("node.address")).ok()?;
    let parsed: serde_json::Value = serde_json::from_slice(&text).ok()?;
    parsed["address"].as_str()?.parse().ok()
}

/// Sends a request on its own connection and returns the whole response, unless no node listens.
pub fn get(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut response = String::new();
    stream.read_to_string(&mut response).ok()?;
    Some(response)
}

/// Returns the length of the chain of a node.
pub fn length(address: SocketAddr) -> u64 {
    let response = get(address, "/api/v1/status").unwrap_or_default();
    let body = response.split("\r\n\r\n").nth(1).unwrap_or_default();
    let parsed: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    parsed["length"].as_u64().unwrap_or(0)
}
