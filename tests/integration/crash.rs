//! Acknowledged messages survive `kill -9`.
//!
//! Several threads add messages to a mining node and keep a ledger of the acknowledgements. In each
//! round the process is killed at a random moment, sometimes while it starts, and started again on
//! the same folder. At the end every acknowledged message must exist exactly once, in the chain or
//! pending, and the whole database must verify. In a second campaign a neighbour mines and accepts
//! messages at the same time, so that blocks and branches arrive when the node is killed; at the end
//! both nodes must agree, with each message in exactly one block.
//!
//! Long form: `BLOCKCHAIN_CRASH_ROUNDS=200 cargo test --test integration crash:: -- --nocapture`.
//! `BLOCKCHAIN_CRASH_SEED=N` chooses another seed; the moments of the kills still depend on the
//! machine.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use blockchain::wire::{Block, PostedMessage};

use crate::support::command::Blockchain;
use crate::support::environment::variable;
use crate::support::http;
use crate::support::random::SeededRng;
use crate::support::test_node::TestNode;
use crate::support::wait_for;

/// Threads that add messages.
const CLIENTS: u64 = 4;

/// Rounds of the short form.
const ROUNDS: u64 = 8;

/// Maximum time that a round works before its kill.
const WORK: Duration = Duration::from_millis(300);

/// Maximum lifetime of a process that is killed during its start.
const START: Duration = Duration::from_millis(40);

/// Maximum time of a restart after a kill, also on a busy machine.
const RESTART: Duration = Duration::from_secs(3);

/// Sleeps a random part of `maximum`, so that the kill comes at a random moment.
fn random_pause(rng: &mut SeededRng, maximum: Duration) {
    let maximum = u64::try_from(maximum.as_micros()).unwrap();
    thread::sleep(Duration::from_micros(rng.below(maximum)));
}

/// One message that was sent.
#[derive(Debug)]
struct Entry {
    text: String,
    /// An idempotency key, with which the message may be sent again.
    key: Option<String>,
    /// The id in the acknowledgement, if there was one.
    id: Option<String>,
}

impl Entry {
    /// Sends the message and notes its id if a response comes.
    fn send(&mut self, address: SocketAddr) {
        let (response, success) = match &self.key {
            Some(key) => (http::post_message(address, &self.text, Some(key)), 201),
            None => (http::put_message(address, &self.text), 200),
        };
        if let Ok(response) = response {
            self.id = Some(response.expect(success).json::<PostedMessage>().id);
        }
    }
}

/// Adds messages until the node is gone or `is_over` is set.
fn add_messages(address: SocketAddr, name: &str, seed: u64, is_over: &AtomicBool) -> Vec<Entry> {
    let mut rng = SeededRng::new(seed);
    let mut sent: Vec<Entry> = Vec::new();
    while sent.last().is_none_or(|last| last.id.is_some()) && !is_over.load(Ordering::Relaxed) {
        let name = format!("{name} {}", sent.len());
        let end = match rng.next() % 8 {
            0 => " \"\\\n\u{1b}é😀".to_owned(),
            1 => "x".repeat(4000),
            _ => String::new(),
        };
        let mut entry = Entry {
            text: format!("{name}{end}"),
            key: rng.one_in(2).then_some(name),
            id: None,
        };
        entry.send(address);
        sent.push(entry);
    }
    sent
}

#[derive(Debug, Default)]
struct Counts {
    kills: u64,
    kills_during_start: u64,
    sent_again: u64,
    slowest_restart: Duration,
}

struct Campaign {
    node: TestNode,
    /// A second node that is not killed.
    neighbour: Option<TestNode>,
    rng: SeededRng,
    ledger: Vec<Entry>,
    counts: Counts,
}

impl Campaign {
    /// Starts the node, lets it work and kills it; sometimes kills it during a few starts first.
    fn round(&mut self, number: u64, difficulty: &str) {
        // Sometimes nothing is mined, so that the next round begins with pending messages.
        let threads = if self.rng.one_in(4) { "0" } else { "1" };
        let mut options = vec!["--difficulty", difficulty, "--threads", threads];
        let known = self
            .neighbour
            .as_ref()
            .map(|node| node.address().to_string());
        options.extend(
            known
                .iter()
                .flat_map(|known| ["--neighbours", known.as_str()]),
        );
        while self.rng.one_in(3) {
            self.kill_during_start(&options);
        }
        self.node.start_again(&options);
        let slowest = &mut self.counts.slowest_restart;
        *slowest = self.node.started_in.max(*slowest);
        let address = self.node.address();
        let unknown = self.ledger.iter_mut().filter(|entry| entry.id.is_none());
        for entry in unknown.filter(|entry| entry.key.is_some()) {
            entry.send(address);
            assert!(entry.id.is_some(), "nobody has killed the node yet");
            self.counts.sent_again += 1;
        }
        let is_over = AtomicBool::new(false);
        let sent = thread::scope(|scope| {
            let beside = self.neighbour.as_ref().map(|node| {
                let (address, is_over) = (node.address(), &is_over);
                let (name, seed) = (format!("round {number} neighbour"), self.rng.next());
                scope.spawn(move || add_messages(address, &name, seed, is_over))
            });
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let name = format!("round {number} client {client} message");
                    let (seed, is_over) = (self.rng.next(), &is_over);
                    scope.spawn(move || add_messages(address, &name, seed, is_over))
                })
                .collect();
            random_pause(&mut self.rng, WORK);
            self.node.kill();
            is_over.store(true, Ordering::Relaxed);
            let sent = clients
                .into_iter()
                .chain(beside)
                .flat_map(|client| client.join().unwrap());
            sent.collect::<Vec<_>>()
        });
        self.ledger.extend(sent);
        self.counts.kills += 1;
    }

    fn kill_during_start(&mut self, options: &[&str]) {
        let before = self.node.running();
        self.node.spawn(options);
        random_pause(&mut self.rng, START);
        self.node.kill();
        self.counts.kills += 1;
        // The address is written when the start is done.
        self.counts.kills_during_start += u64::from(self.node.running() == before);
    }

    /// Compares the content of the disk with the ledger, and returns a summary.
    fn check(&mut self) -> String {
        match &self.neighbour {
            None => self.node.start_again(&["--threads", "0"]),
            Some(neighbour) => {
                let known = neighbour.address().to_string();
                self.node.start_again(&["--neighbours", &known]);
                let nodes = [neighbour, &self.node];
                wait_for("one tip with nothing left to mine", || {
                    let states = nodes.map(TestNode::status);
                    let is_one = states[0].tip.hash == states[1].tip.hash;
                    (is_one && states.iter().all(|state| state.mempool.count == 0)).then_some(())
                });
            }
        }
        let chain: Vec<Block> = Blockchain::new(["export", "--json", "--db"])
            .args([self.node.folder()])
            .succeeds()
            .json();
        let pending = self.node.pending();
        let mut found: HashMap<String, Vec<String>> = HashMap::new();
        let (blocks, pending_count) = (chain.len() - 1, pending.len());
        for block in chain.into_iter().skip(1) {
            let ids = found.entry(block.data.message).or_default();
            ids.push(block.data.id);
        }
        for message in pending {
            let ids = found.entry(message.message).or_default();
            ids.push(message.id);
        }
        for entry in &self.ledger {
            let ids = found.remove(&entry.text).unwrap_or_default();
            match &entry.id {
                Some(id) => assert_eq!(ids, [id.as_str()], "acknowledged: {entry:?}"),
                None => assert!(ids.len() <= 1, "twice: {entry:?} {ids:?}"),
            }
        }
        assert!(found.is_empty(), "never sent: {found:?}");
        self.node.stop();
        let report: Value = Blockchain::new(["verify", "--json", "--db"])
            .args([self.node.folder()])
            .succeeds()
            .json();
        assert_eq!(report["valid"], true, "{report}");
        assert_eq!(report["database_checked"], true, "{report}");
        assert_eq!(report["sealed"], blocks, "{report}");
        let acknowledged = self.ledger.iter().filter(|entry| entry.id.is_some());
        format!(
            "{} sent, {} acknowledged, none lost; {blocks} mined, {pending_count} pending; {:?}",
            self.ledger.len(),
            acknowledged.count(),
            self.counts
        )
    }
}

#[expect(clippy::print_stderr, reason = "the counts are shown with --nocapture")]
fn survive_kills(neighbour: Option<TestNode>, difficulties: [&str; 2]) {
    let rounds = variable("BLOCKCHAIN_CRASH_ROUNDS").unwrap_or(ROUNDS);
    let seed = variable("BLOCKCHAIN_CRASH_SEED").unwrap_or(20_201_122);
    eprintln!("seed {seed}, {rounds} rounds");
    let begin = Instant::now();
    let mut campaign = Campaign {
        node: TestNode::stopped(),
        neighbour,
        rng: SeededRng::new(seed),
        ledger: Vec::new(),
        counts: Counts::default(),
    };
    for number in 0..rounds {
        campaign.round(number, difficulties[usize::from(number >= rounds / 2)]);
    }
    let outcome = campaign.check();
    eprintln!("{outcome}; {:.1} s", begin.elapsed().as_secs_f64());
    let slowest = campaign.counts.slowest_restart;
    assert!(slowest < RESTART, "a restart took {slowest:?}");
}

#[test]
fn acknowledged_messages_survive_kills() {
    // A difficulty is lowered without a check of the chain, raised only with one.
    survive_kills(None, ["2", "1"]);
}

#[test]
fn acknowledged_messages_survive_kills_with_a_neighbour() {
    // Nodes of different difficulties are different networks.
    let neighbour = TestNode::start(&["--difficulty", "2"]);
    survive_kills(Some(neighbour), ["2", "2"]);
}

#[test]
fn a_kill_while_the_database_is_created_leaves_all_of_it_or_none() {
    let mut rng = SeededRng::new(7);
    for _ in 0..6 {
        let mut node = TestNode::stopped();
        node.spawn(&["--difficulty", "1"]);
        random_pause(&mut rng, START);
        node.kill();
        node.start_again(&["--difficulty", "1"]);
        node.mine(&["after the kill"]);
        assert_eq!(node.status().length, 2);
    }
}
