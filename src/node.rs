//! The node: the one door to the store for the API and the tasks.
//!
//! The path of a message:
//! 1. `cli/add.rs` or any HTTP client sends it; `api/` checks its form and calls
//!    [`Node::add_message`].
//! 2. [`Node::add_message`] gives it an id and hands it to the store's writer, which joins what
//!    waits into one durable commit. Only then is the client answered.
//! 3. The commit wakes [`miner`], which takes the oldest unclaimed messages, makes a commitment
//!    ([`crate::chain::seal`]), searches a proof ([`crate::pow::Search`]) and hands the blocks to
//!    the writer. It goes on above them while the commit is under way.
//! 4. The writer checks them against the tip, and block, indexes, history tree and mempool change
//!    in one transaction. After the commit the new state is published; the API and the tasks see
//!    it through [`Node::state`] and [`Node::subscribe`].
//!
//! The path of a block of a peer: a session ([`sync`]) learns that there is something new, fetches
//! what is missing and hands it to the same writer, which checks it and follows it if it is better.
//!
//! The parts:
//! * [`settings`]: what the user decided, and all limits and intervals
//! * `additions`: messages of clients until their outcome is known
//! * [`miner`]: mines pending messages
//! * [`backup`]: writes the chain to files, for exchange and safe-keeping
//! * [`network`]: changes difficulty or seal rule, after a check of the chain
//! * [`scrub`]: checks old blocks in the background after an unclean stop
//! * [`space`]: measures the free space within the database on a nearly full disk
//! * [`peers`]: the book of peers
//! * `discovery`: finds candidates and dials them
//! * `sessions`: supervises one session per peer
//! * [`sync`]: the sessions, and the blocks and messages they fetch
//! * `policy`: the reorgs, genesis blocks and networks this node accepts
//! * `learned`: shares the learned half of the mempool by the address that taught a message
//! * [`rate`]: limits messages by remote address
//! * [`clocks`]: clocks that disagree, and blocks from the future
//! * [`reorgs`]: logs and counts reorgs
//! * [`run`]: starts the tasks, supervises them and stops them in order

mod additions;
pub mod backup;
pub mod clocks;
mod discovery;
mod executor;
mod learned;
pub mod miner;
pub mod network;
pub mod peers;
mod policy;
pub mod rate;
pub mod reorgs;
pub mod run;
pub mod scrub;
mod sessions;
pub mod settings;
pub mod space;
pub mod sync;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tokio::sync::{oneshot, watch};

use crate::chain::{BlockHash, Message};
use crate::clock::Clock;
use crate::store::{Listener, Operation, Rejection, Reply, State, Store, StoreError, View};
use additions::InFlight;
use learned::LearnedShares;
use peers::Peers;
use rate::AddRate;
use settings::Settings;

pub use additions::AddError;
pub use executor::Executor;

/// Version of `/api/v1` between nodes.
pub const PROTOCOL: u32 = 1;

/// Says after each commit how many there were, and whether the store failed.
#[derive(Clone, Debug, Default)]
pub struct Signal {
    /// Commits since the start.
    pub commits: u64,
    /// The tip, and when it was put on the chain.
    pub tip: Option<(BlockHash, Instant)>,
    /// The first failure of the store: of the writer, which has ended, or of a read.
    pub failure: Option<StoreError>,
}

/// Sends a signal for everything the store tells.
#[derive(Clone, Debug, Default)]
pub struct Signals(watch::Sender<Signal>);

impl Signals {
    /// What the store calls after each commit and each failure.
    pub fn listener(&self) -> Listener {
        let sender = self.0.clone();
        Box::new(move |outcome| {
            sender.send_modify(|signal| match outcome {
                Ok(state) => {
                    signal.commits += 1;
                    let hash = state.tip.hash;
                    if signal.tip.is_none_or(|(tip, _)| tip != hash) {
                        signal.tip = Some((hash, Instant::now()));
                    }
                }
                // What follows from the first failure explains nothing.
                Err(error) => _ = signal.failure.get_or_insert_with(|| error.clone()),
            });
        })
    }
}

/// What the miner is doing.
#[derive(Debug, Default)]
pub struct Mining {
    /// Whether it searches right now.
    pub active: AtomicBool,
    /// Candidates tried since the start.
    pub tries: AtomicU64,
    /// Candidates a second over the last piece of work.
    pub hash_rate: AtomicU64,
}

impl Mining {
    /// Whether it searches, candidates tried, candidates a second.
    pub fn now(&self) -> (bool, u64, f64) {
        (
            self.active.load(Ordering::Relaxed),
            self.tries.load(Ordering::Relaxed),
            f64::from_bits(self.hash_rate.load(Ordering::Relaxed)),
        )
    }
}

/// A running node.
pub struct Node {
    store: Store,
    signals: Signals,
    clock: Arc<dyn Clock>,
    executor: Executor,
    /// Name of this run, fresh at each start.
    pub id: String,
    /// What the user decided.
    pub settings: Settings,
    /// What the miner is doing.
    pub mining: Mining,
    /// Whom it knows.
    pub peers: Peers,
    /// Limits the messages of each remote address.
    pub add_rate: AddRate,
    learned_shares: LearnedShares,
    in_flight: Arc<InFlight>,
    /// Numbers of staged branches.
    branches: AtomicU64,
    /// Sums over the reorgs.
    reorgs: reorgs::ReadReorgs,
    /// How long writes take, from here to their commit.
    pub writes: Histogram,
    started: Instant,
}

impl Node {
    /// Opens the database and makes a node of it that does nothing on its own yet.
    pub fn open(
        path: &Path,
        min_free: u64,
        settings: Settings,
        clock: Arc<dyn Clock>,
        executor: Executor,
    ) -> Result<Self, StoreError> {
        let signals = Signals::default();
        let store = Store::open(path, min_free, signals.listener())?;
        Self::new(store, signals, settings, clock, executor)
    }

    /// A node on an open store whose listener is that of `signals`.
    pub fn new(
        store: Store,
        signals: Signals,
        settings: Settings,
        clock: Arc<dyn Clock>,
        executor: Executor,
    ) -> Result<Self, StoreError> {
        let kept = store.view()?.neighbours()?;
        // Of an earlier run only the time in the block is known, and that may be in the future.
        let tip = store.state().tip.clone();
        let age = Duration::try_from_secs_f64(clock.seconds() - tip.timestamp.seconds());
        let now = Instant::now();
        let connected = now.checked_sub(age.unwrap_or_default()).unwrap_or(now);
        signals
            .0
            .send_modify(|signal| signal.tip = Some((tip.hash, connected)));
        Ok(Self {
            store,
            signals,
            clock,
            executor,
            id: uuid::Uuid::new_v4().simple().to_string(),
            peers: Peers::new(&settings.peers, &kept),
            add_rate: AddRate::new(settings.add_rate),
            learned_shares: LearnedShares::default(),
            in_flight: Arc::default(),
            branches: AtomicU64::new(0),
            reorgs: reorgs::ReadReorgs::default(),
            settings,
            mining: Mining::default(),
            // From 0.5 ms to 8 s, and beyond.
            writes: Histogram::new(exponential_buckets(5e-4, 4.0, 8)),
            started: Instant::now(),
        })
    }

    /// What is committed now.
    pub fn state(&self) -> Arc<State> {
        self.store.state()
    }

    /// A consistent view of what is committed now. Point reads may run where they are; anything
    /// longer belongs into [`Node::blocking`].
    pub fn view(&self) -> Result<View, StoreError> {
        self.store.view()
    }

    /// Wakes after each commit.
    pub fn subscribe(&self) -> watch::Receiver<Signal> {
        self.signals.0.subscribe()
    }

    /// The time of day.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Seconds since the start.
    pub fn uptime(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Time since the tip was put on the chain, whatever time the block tells.
    pub fn tip_age(&self) -> Duration {
        let signal = self.signals.0.borrow();
        signal.tip.map_or(Duration::ZERO, |(_, at)| at.elapsed())
    }

    /// Runs a read that may take long on a thread that may block.
    pub async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        if self.executor == Executor::Inline {
            return read(self);
        }
        let node = Arc::clone(self);
        tokio::task::spawn_blocking(move || read(&node))
            .await
            .unwrap_or_else(|error| Err(StoreError::interrupted("a read", &error)))
    }

    /// Hands an operation to the writer; the answer comes after its commit.
    pub fn submit<T: Send + 'static>(
        &self,
        operation: impl FnOnce(Reply<T>) -> Operation,
    ) -> Result<oneshot::Receiver<Result<T, StoreError>>, StoreError> {
        let (sender, receiver) = oneshot::channel();
        if self.executor == Executor::Inline {
            // The receiver is in scope, so the result arrives.
            let _ = sender.send(self.store.write(operation));
            return Ok(receiver);
        }
        self.store.submit(operation(self.timed(move |result| {
            // Nobody waits any more if a client went away; the commit stands all the same.
            let _ = sender.send(result);
        })))?;
        Ok(receiver)
    }

    /// Hands an operation to the writer and waits for its commit, on a thread that may block.
    pub fn write<T: Send + 'static>(
        &self,
        operation: impl FnOnce(Reply<T>) -> Operation,
    ) -> Result<T, StoreError> {
        self.store.write(|reply| operation(self.timed(reply)))
    }

    fn timed<T>(&self, reply: impl FnOnce(Result<T, StoreError>) + Send + 'static) -> Reply<T> {
        let (begin, writes) = (Instant::now(), self.writes.clone());
        Box::new(move |result| {
            writes.observe(begin.elapsed().as_secs_f64());
            reply(result);
        })
    }

    /// Returns those of these messages that are neither pending nor in the chain, by their ids.
    fn unknown(&self, messages: Vec<Message>) -> Result<Vec<Message>, StoreError> {
        let view = self.view()?;
        let mut unknown = Vec::new();
        for message in messages {
            let id = message.id();
            if view.index_of_message(&id)?.is_none() && view.pending(&id)?.is_none() {
                unknown.push(message);
            }
        }
        Ok(unknown)
    }

    /// Notes that every block was checked after an unclean stop.
    pub fn note_scrubbed(&self) {
        self.store.note_scrubbed();
    }

    /// Whether the run before this one closed the database.
    pub fn stopped_cleanly(&self) -> bool {
        self.store.stopped_cleanly()
    }

    /// What this node does not protect and which clocks do not agree, in words.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.state().network.sealed_from.is_none() {
            let text = "open proofs are accepted: whoever makes a longer chain, which may cost \
                        next to nothing, can rewrite the history";
            warnings.push(text.to_owned());
        }
        warnings.extend(self.clock_warnings());
        warnings
    }

    /// Why this node takes no messages; empty if it does.
    pub fn health_issues(&self) -> Vec<String> {
        let mut health_issues = Vec::new();
        if let Some(failure) = &self.signals.0.borrow().failure {
            health_issues.push(failure.to_string());
        }
        health_issues.extend(self.lack_of_space().map(|rejection| rejection.to_string()));
        health_issues
    }

    /// The rejection that writing would meet now because the disk is nearly full.
    pub fn lack_of_space(&self) -> Option<Rejection> {
        let (free, needed) = self
            .store
            .free_space()
            .filter(|(free, needed)| free < needed)?;
        Some(Rejection::NoSpace { free, needed })
    }

    /// Measures how much the database can take without growing, if the disk is nearly full, unless
    /// `is_stopped` says so meanwhile.
    fn measure_space(&self, is_stopped: &dyn Fn() -> bool) -> Result<(), StoreError> {
        self.store.measure_space(is_stopped)
    }

    /// Writes what waits and closes the database cleanly.
    pub fn close(self) -> Result<(), StoreError> {
        self.store.close()
    }

    pub(crate) fn note_hash_rate(&self, rate: f64) {
        self.mining
            .hash_rate
            .store(rate.to_bits(), Ordering::Relaxed);
    }
}
