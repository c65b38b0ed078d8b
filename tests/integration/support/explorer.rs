//! The explorer of the real binary on a free port, and a stub node with fixed responses.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use tempfile::TempDir;

use super::command::{BINARY, foreign_variables};
use super::http::{TransportResponse, exchange, request};
use super::wait_for;

/// A running `blockchain ui`; it is killed when it is dropped.
pub(crate) struct Explorer {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl Explorer {
    /// Starts the explorer of a node and waits until it listens.
    #[track_caller]
    pub(crate) fn of(node: SocketAddr, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("stderr");
        let mut command = Command::new(BINARY);
        for name in foreign_variables() {
            command.env_remove(name);
        }
        let child = command
            .args(["ui", "--port", "0", "--node", &node.to_string()])
            .args(options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        // Owned from here on, so that a panic kills the process.
        let mut explorer = Self {
            child,
            folder,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        explorer.address = wait_for("the explorer", || {
            let text = explorer.stderr();
            let ended = explorer.child.try_wait().unwrap();
            assert!(ended.is_none(), "the explorer ended: {text}");
            address_in(&text)
        });
        explorer
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its standard error.
    pub(crate) fn stderr(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    /// A page, as a program asks for it.
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> TransportResponse {
        request(self.address, "GET", target, &[], &[]).unwrap()
    }

    /// Sends a request as a browser does: with the host that it was given, and further headers.
    #[track_caller]
    pub(crate) fn browse(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> TransportResponse {
        browse(self.address, method, target, headers, body)
    }
}

impl Drop for Explorer {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Returns the address of the explorer in a log.
pub(crate) fn address_in(log: &str) -> Option<SocketAddr> {
    let rest = log.split_once("explorer=http://")?.1;
    rest.split_once('/')?.0.parse().ok()
}

/// Sends a request as a browser does. `headers` replace its own.
#[track_caller]
pub(crate) fn browse(
    address: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> TransportResponse {
    let mut all = vec![
        ("Host", address.to_string()),
        ("User-Agent", "Mozilla/5.0".to_owned()),
        ("Connection", "close".to_owned()),
        ("Content-Length", body.len().to_string()),
    ];
    for (name, value) in headers {
        all.retain(|(other, _)| other != name);
        all.push((name, (*value).to_owned()));
    }
    let mut request = format!("{method} {target} HTTP/1.1\r\n");
    for (name, value) in &all {
        request.extend([name, ": ", value, "\r\n"]);
    }
    request.extend(["\r\n", body]);
    exchange(address, request.as_bytes()).unwrap()
}

/// A node with one fixed response for each path, and 404 for all others.
pub(crate) struct StubNode {
    address: SocketAddr,
}

impl StubNode {
    /// Serves until the process ends. A body is JSON, or events if it begins with `event:`.
    pub(crate) fn start(responses: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let responses: HashMap<String, String> = responses
            .iter()
            .map(|(path, body)| ((*path).to_owned(), (*body).to_owned()))
            .collect();
        let responses = Arc::new(responses);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let responses = Arc::clone(&responses);
                std::thread::spawn(move || response(stream, &responses));
            }
        });
        Self { address }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Answers requests of one connection until it ends.
fn response(mut stream: TcpStream, responses: &HashMap<String, String>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut first = String::new();
        reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        }
        let target = first.split(' ').nth(1)?;
        let path = target.split('?').next()?;
        let (status, body) = match responses.get(path) {
            Some(body) => ("200 OK", body.as_str()),
            None => (
                "404 Not Found",
                r#"{"error":{"code":"not_found","message":"no"}}"#,
            ),
        };
        if body.starts_with("event:") {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
            stream.write_all(head.as_bytes()).ok()?;
            // Repeats the events at an interval until the client leaves.
            loop {
                stream.write_all(body.as_bytes()).ok()?;
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body.as_bytes()).ok()?;
    }
}
