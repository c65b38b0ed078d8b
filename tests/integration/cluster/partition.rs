//! Two halves of a network on two machines (network namespaces), whose cable is pulled while both
//! mine. Skipped where namespaces cannot be created.
//!
//! Long form: `BLOCKCHAIN_PARTITION_SECONDS=60`.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use blockchain::wire::{Block, Status};

use crate::support::command::BINARY;
use crate::support::environment::variable;
use crate::support::lan::Lan;
use crate::support::skip::skip;
use crate::support::wait_for;

/// Node numbers in each half.
const HALVES: [&[u16]; 2] = [&[0, 1, 2], &[3, 4]];

struct Halves {
    nodes: Vec<Child>,
    lan: Lan,
    _folder: TempDir,
}

impl Drop for Halves {
    fn drop(&mut self) {
        for node in &mut self.nodes {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

fn half_of(number: u16) -> usize {
    usize::from(HALVES[1].contains(&number))
}

fn port(number: u16) -> String {
    (24_000 + number).to_string()
}

impl Halves {
    fn start(lan: Lan) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut nodes = Vec::new();
        for number in 0..5 {
            // Each node has the one before it as its neighbour.
            let known = match number {
                0 => String::new(),
                _ => format!("{}:{}", Lan::address(half_of(number - 1)), port(number - 1)),
            };
            let db = folder.path().join(number.to_string());
            let own = port(number);
            let arguments = [
                "node",
                "--host",
                "0.0.0.0",
                "--difficulty",
                "2",
                "--port",
                &own,
                "--neighbours",
                &known,
                "--db",
                &db.display().to_string(),
            ];
            let log = fs::File::create(folder.path().join(format!("{number}.log"))).unwrap();
            let mut command = Command::new(BINARY);
            let command = command
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log);
            nodes.push(lan.on(half_of(number), || command.spawn().unwrap()));
        }
        let halves = Self {
            nodes,
            lan,
            _folder: folder,
        };
        for number in 0..5 {
            wait_for("a node", || {
                halves
                    .status(number)
                    .filter(|status| status.sync.answering > 0)
            });
        }
        halves
    }

    fn ask(&self, number: u16, arguments: &[&str]) -> Option<Vec<u8>> {
        let port = port(number);
        let arguments = [arguments, &["--port", &port, "--json"]].concat();
        let mut command = Command::new(BINARY);
        let command = command.args(arguments);
        let output = self.lan.on(half_of(number), || command.output().unwrap());
        output.status.success().then_some(output.stdout)
    }

    fn status(&self, number: u16) -> Option<Status> {
        serde_json::from_slice(&self.ask(number, &["get", "status"])?).ok()
    }

    fn tips(&self) -> Vec<String> {
        let tip = |number| self.status(number).map(|status| status.tip.hash);
        (0..5).filter_map(tip).collect()
    }

    /// Adds messages to each node for a while.
    fn talk(&self, time: Duration, texts: &mut Vec<String>) {
        let begun = Instant::now();
        while begun.elapsed() < time {
            for number in 0..5 {
                let text = format!("{} from {number}", texts.len());
                assert!(self.ask(number, &["add", &text]).is_some(), "{text}");
                texts.push(text);
            }
            // The interval between messages.
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn wait_for_one_tip(&self) {
        wait_for("one tip", || {
            let states: Vec<_> = (0..5).filter_map(|number| self.status(number)).collect();
            let is_one = states.len() == 5
                && states
                    .iter()
                    .all(|s| s.tip.hash == states[0].tip.hash && s.mempool.count == 0);
            is_one.then_some(())
        });
    }
}

#[test]
#[expect(
    clippy::print_stderr,
    reason = "the figures are shown with --nocapture"
)]
fn a_healed_partition_loses_nothing() {
    let Some(lan) = Lan::of(2) else {
        return skip(
            "partitions",
            "network namespaces cannot be created (needs root)",
        );
    };
    let seconds = variable("BLOCKCHAIN_PARTITION_SECONDS").unwrap_or(5);
    let halves = Halves::start(lan);
    let mut texts = Vec::new();
    halves.talk(Duration::from_secs(1), &mut texts);
    halves.wait_for_one_tip();
    halves.lan.unplug(0);
    halves.talk(Duration::from_secs(seconds), &mut texts);
    let tips = halves.tips();
    assert_ne!(tips[0], tips[4], "nothing was cut");
    halves.lan.plug(0);
    let plugged = Instant::now();
    halves.wait_for_one_tip();
    let healed = plugged.elapsed();
    let chain = halves.ask(4, &["get", "chain"]).unwrap();
    let chain: Vec<Block> = serde_json::from_slice(&chain).unwrap();
    let mut found: Vec<_> = chain[1..]
        .iter()
        .map(|block| block.data.message.clone())
        .collect();
    found.sort();
    texts.sort();
    assert_eq!(found, texts);
    let reorgs = halves.status(4).unwrap().reorgs;
    eprintln!(
        "cut for {seconds} s; one tip {healed:.1?} after the cable was plugged in again; {} \
         messages, each in one block; {reorgs} reorgs at the last node",
        texts.len()
    );
    assert!(healed < Duration::from_secs(20), "{healed:?}");
}
