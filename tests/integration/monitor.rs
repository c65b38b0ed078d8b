//! `monitor` of the real binary against real nodes, and against a proxy that lies.
//!
//! * `alarms`: rewritten chains, reorgs, lies
//! * `command`: `--exec`, kills, options, exit codes
//! * `soak`: a long run on a growing chain

mod alarms;
mod command;
mod soak;

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::command::{Blockchain, Finished};
use crate::support::fake_peer::{FakePeer, response};
use crate::support::http::request;
use crate::support::test_node::TestNode;

/// A state folder, and the watched nodes.
struct Watch {
    root: TempDir,
    nodes: Vec<String>,
}

impl Watch {
    fn new(nodes: &[String]) -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            nodes: nodes.to_vec(),
        }
    }

    fn of(front: &Front) -> Self {
        Self::new(&[front.peer.address().to_string()])
    }

    /// `monitor` with `--depth 2` on this state.
    fn command(&self, options: &[&str]) -> Blockchain {
        let command = Blockchain::new(["--json", "monitor", "--depth", "2", "--state"]);
        let command = command.args([self.root.path().join("state")]);
        command.args(&self.nodes).args(options)
    }

    /// One poll.
    #[track_caller]
    fn polls(&self, code: i32) -> Finished {
        self.command(&["--once"]).exits(code)
    }

    /// The folder of the network.
    #[track_caller]
    fn folder(&self) -> PathBuf {
        let mut entries = fs::read_dir(self.root.path().join("state")).unwrap();
        entries.next().unwrap().unwrap().path()
    }

    fn file(&self, name: &str) -> String {
        fs::read_to_string(self.folder().join(name)).unwrap_or_default()
    }

    fn events(&self) -> Vec<Value> {
        let text = self.file("events.ndjson");
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn kinds(&self) -> Vec<String> {
        let kind = |event: Value| event["kind"].as_str().unwrap().to_owned();
        self.events().into_iter().map(kind).collect()
    }

    /// The index of the settled checkpoint.
    fn settled(&self) -> u64 {
        self.file("settled")
            .split(' ')
            .nth(2)
            .unwrap()
            .parse()
            .unwrap()
    }
}

/// The lines of a file, read as JSON.
#[track_caller]
fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Starts a node with these options as its neighbours, and mines `count` messages.
fn node_with(count: usize, options: &[&str]) -> TestNode {
    let node = TestNode::start(&[&["--difficulty", "1"], options].concat());
    grow(&node, count, "entry");
    node
}

fn grow(node: &TestNode, count: usize, text: &str) {
    let texts: Vec<_> = (1..=count).map(|n| format!("{text} {n}")).collect();
    node.mine(&texts.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Replaces the chain of a stopped node with that of another one, and starts the node again.
fn rewrite(front: &Front, node: &mut TestNode, other: &mut TestNode) {
    node.stop();
    other.stop();
    let chain = other.folder().join("node.chain");
    let import = Blockchain::new(["import"]).args([&chain]).args(["--db"]);
    import
        .args([node.folder()])
        .args(["--force-new-chain"])
        .exits(0);
    front.restart(node, &[]);
}

/// An address that forwards to a node, also after the node was restarted on another port.
struct Front {
    peer: FakePeer,
    to: Arc<Mutex<SocketAddr>>,
}

impl Front {
    fn of(node: &TestNode) -> Self {
        let to = Arc::new(Mutex::new(node.address()));
        let peer = proxy(Arc::clone(&to), "", |body| body);
        Self { peer, to }
    }

    fn restart(&self, node: &mut TestNode, options: &[&str]) {
        node.start_again(options);
        *self.to.lock().unwrap() = node.address();
    }
}

/// A proxy in front of a node that alters the bodies of one path.
fn liar(node: &TestNode, path: &'static str, alter: fn(String) -> String) -> FakePeer {
    proxy(Arc::new(Mutex::new(node.address())), path, alter)
}

fn proxy(to: Arc<Mutex<SocketAddr>>, path: &'static str, alter: fn(String) -> String) -> FakePeer {
    FakePeer::start(move |asked| {
        let to = *to.lock().unwrap();
        let Ok(found) = request(to, &asked.method, &asked.target, &[], &asked.body) else {
            return Vec::new();
        };
        let mut body = found.body;
        if asked.path() == path {
            body = alter(String::from_utf8(body).unwrap()).into_bytes();
        }
        response(found.status, &[("Content-Type", "application/json")], body)
    })
}
