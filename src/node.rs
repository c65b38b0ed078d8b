//! A node. The API and the tasks access the store only through [`Node`].
//!
//! The path of a message:
//! 1. A client sends it. `api/` checks the request and calls [`Node::add_message`].
//! 2. [`Node::add_message`] assigns an id and submits the message to the writer of the store, which
//!    joins the queued operations into durable commits. The client gets its response after the commit.
//! 3. The commit wakes [`miner`], which takes pending messages in order, computes the commitment of
//!    each block ([`crate::chain::seal`]), searches a proof ([`crate::pow::Search`]) and submits
//!    the blocks to the writer. It mines the next blocks while that commit is in flight.
//! 4. The writer checks the blocks against the tip. Block, indexes, history tree and mempool change
//!    in one transaction, and the new state is published ([`Node::state`], [`Node::subscribe`]).
//! 5. The sessions ([`sync`]) announce the new tip. A peer that receives the announcement fetches
//!    the missing blocks, and submits them to its own writer, which checks them and follows the
//!    better chain.
//! 6. The event stream (`api/v1/events`) reports the block to the explorer, which updates its pages.
//!
//! Pending messages are exchanged in the same way. A peer fetches them into its own mempool, and
//! leaves their mining to the node that accepted them for `LEARNED_MESSAGE_DELAY`.
//!
//! The parts, where each uses only those above it:
//! * [`profile`]: name, title, and who may add or announce
//! * [`settings`]: the user's settings, and all limits and intervals; `executor`: where blocking
//!   work runs
//! * [`mining`]: figures of the miner
//! * [`rate`]: limits messages by remote address
//! * [`peers`]: the known peers, and their blocks that are held back
//! * [`clocks`]: clocks that disagree
//! * `policy`: the networks, genesis blocks and reorgs that this node accepts
//! * `learned`: limits on the learned half of the mempool
//! * `additions`: messages of clients until their outcome is known
//! * [`reorgs`]: logs and counts reorgs
//! * `neighbours`: adds and removes neighbours for the administrator
//! * [`listening`]: the addresses of this node
//! * [`sync`]: the session with a peer, and the blocks and messages that it fetches
//! * `sessions`: supervises the sessions; `discovery`: finds and dials new peers
//! * [`miner`]: mines pending messages
//! * [`backup`]: writes snapshots of the chain
//! * [`network_rules`]: changes difficulty or seal rule after a check of the chain
//! * [`scrub`]: checks old blocks in the background after an unclean stop
//! * [`space`]: measures the free space within the database on a nearly full disk
//! * [`run`]: starts the tasks, supervises them and stops them in order

mod additions;
mod backup;
mod clocks;
mod discovery;
mod executor;
mod learned;
pub mod listening;
pub mod miner;
pub mod mining;
pub mod neighbours;
pub mod network_rules;
pub mod peers;
mod policy;
pub mod profile;
pub(crate) mod rate;
pub(crate) mod reorgs;
pub mod run;
mod scrub;
mod sessions;
pub mod settings;
mod space;
pub mod sync;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tokio::sync::{Mutex, oneshot, watch};

use crate::chain::{BlockHash, Message};
use crate::clock::Clock;
use crate::store::{Listener, Operation, Rejection, Reply, State, Store, StoreError, View};
use additions::InFlight;
use learned::LearnedShares;
use listening::Listening;
use mining::Mining;
use neighbours::NeighbourIps;
use peers::Peers;
use profile::Profile;
use rate::AddRate;
use settings::Settings;

pub use additions::AddError;
pub use executor::Executor;

/// Version of `/api/v1` between nodes.
pub const PROTOCOL: u32 = 1;

/// Published after each commit and each failure of the store.
#[derive(Clone, Debug, Default)]
pub struct Signal {
    /// Number of commits since the start.
    pub commits: u64,
    /// The tip, and the time at which it was connected.
    pub tip: Option<(BlockHash, Instant)>,
    /// The first failure of the store, in the writer or in a read.
    pub failure: Option<StoreError>,
}

/// Publishes the signals of a store.
#[derive(Clone, Debug, Default)]
pub struct SignalPublisher(watch::Sender<Signal>);

impl SignalPublisher {
    /// Returns the listener to open the store with.
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
                // Later failures are only consequences of the first one.
                Err(error) => _ = signal.failure.get_or_insert_with(|| error.clone()),
            });
        })
    }
}

/// A running node.
pub struct Node {
    store: Store,
    signals: SignalPublisher,
    clock: Arc<dyn Clock>,
    executor: Executor,
    /// Random id of this run.
    pub id: String,
    /// The user's settings.
    pub settings: Settings,
    /// Figures of the miner, as it updates them.
    pub mining: Mining,
    /// Name, title, and who may add or announce.
    pub profile: Profile,
    neighbour_ips: Mutex<NeighbourIps>,
    /// The known peers.
    pub peers: Peers,
    /// Rate limit on messages per remote address.
    pub(crate) add_rate: AddRate,
    learned_shares: LearnedShares,
    listening: OnceLock<Listening>,
    in_flight: Arc<InFlight>,
    /// Number of the next staged branch.
    next_branch: AtomicU64,
    /// Totals over the reorgs.
    reorgs: reorgs::ReorgTotalsCache,
    /// Durations of writes, from submission to commit.
    pub(crate) writes: Histogram,
    started: Instant,
}

impl Node {
    /// Opens the database and creates a node without tasks.
    pub fn open(
        path: &Path,
        min_free: u64,
        settings: Settings,
        clock: Arc<dyn Clock>,
        executor: Executor,
    ) -> Result<Self, StoreError> {
        let signals = SignalPublisher::default();
        let store = Store::open(path, min_free, signals.listener())?;
        Self::new(store, signals, settings, clock, executor)
    }

    /// Creates a node on an open store whose listener is that of `signals`.
    pub fn new(
        store: Store,
        signals: SignalPublisher,
        settings: Settings,
        clock: Arc<dyn Clock>,
        executor: Executor,
    ) -> Result<Self, StoreError> {
        let view = store.view()?;
        let kept = view.neighbours()?;
        let profile = Profile::new(view.profile()?, &settings.peers.profile);
        drop(view);
        // For a tip of an earlier run only its timestamp is known, which may be in the future.
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
            peers: Peers::new(&settings.peers, &kept, profile.is_closed()),
            profile,
            neighbour_ips: Mutex::default(),
            add_rate: AddRate::new(settings.add_rate),
            learned_shares: LearnedShares::default(),
            listening: OnceLock::new(),
            in_flight: Arc::default(),
            next_branch: AtomicU64::new(0),
            reorgs: reorgs::ReorgTotalsCache::default(),
            settings,
            mining: Mining::default(),
            // Buckets from 0.5 ms to 8 s.
            writes: Histogram::new(exponential_buckets(5e-4, 4.0, 8)),
            started: Instant::now(),
        })
    }

    /// Returns the state of the last commit.
    pub fn state(&self) -> Arc<State> {
        self.store.state()
    }

    /// Opens a consistent view of the last commit. Point reads may run on the calling task; longer
    /// reads belong in [`Node::blocking`].
    pub fn view(&self) -> Result<View, StoreError> {
        self.store.view()
    }

    /// Returns a receiver that is notified after each commit and each failure.
    pub fn subscribe(&self) -> watch::Receiver<Signal> {
        self.signals.0.subscribe()
    }

    /// Returns the clock.
    pub fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Returns the time since the start in seconds.
    pub fn uptime(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// Returns the time since the tip was connected, whatever its timestamp.
    pub fn tip_age(&self) -> Duration {
        let signal = self.signals.0.borrow();
        signal.tip.map_or(Duration::ZERO, |(_, at)| at.elapsed())
    }

    /// Runs a long read on the executor.
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

    /// Submits an operation to the writer; the receiver resolves after its commit.
    pub fn submit<T: Send + 'static>(
        &self,
        operation: impl FnOnce(Reply<T>) -> Operation,
    ) -> Result<oneshot::Receiver<Result<T, StoreError>>, StoreError> {
        let (sender, receiver) = oneshot::channel();
        if self.executor == Executor::Inline {
            let (done, waiting) = std::sync::mpsc::sync_channel(1);
            self.store.submit(operation(self.timed(move |result| {
                // The receiver is alive until it has the result.
                let _ = done.send(result);
            })))?;
            if let Ok(result) = waiting.recv() {
                // The receiver is in scope, so the result arrives.
                let _ = sender.send(result);
            }
            return Ok(receiver);
        }
        self.store.submit(operation(self.timed(move |result| {
            // The receiver is gone if the client disconnected; the commit is still valid.
            let _ = sender.send(result);
        })))?;
        Ok(receiver)
    }

    /// Submits an operation to the writer and blocks until its commit.
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

    /// Returns the messages whose ids are neither pending nor in the chain.
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

    /// Records that every block was checked after an unclean stop.
    pub(crate) fn note_scrubbed(&self) {
        self.store.note_scrubbed();
    }

    /// Returns `true` if the previous run closed the database.
    pub fn stopped_cleanly(&self) -> bool {
        self.store.stopped_cleanly()
    }

    /// Returns warnings about open proofs, clocks that disagree and a disk that is nearly full.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.state().network.sealed_from.is_none() {
            let text = "open proofs are accepted: anyone can rewrite the history with a longer chain, \
                        which costs almost nothing to mine";
            warnings.push(text.to_owned());
        }
        warnings.extend(self.clock_warnings());
        if let Some(shortage) = self.space_shortage() {
            warnings.push(format!("no messages are accepted or mined: {shortage}"));
        }
        warnings
    }

    /// Returns the reasons why this node accepts no messages; empty if it does.
    pub fn health_issues(&self) -> Vec<String> {
        let mut health_issues = Vec::new();
        if let Some(failure) = &self.signals.0.borrow().failure {
            health_issues.push(failure.to_string());
        }
        health_issues.extend(self.space_shortage().map(|rejection| rejection.to_string()));
        health_issues
    }

    /// Returns the rejection of writes while the disk is nearly full.
    pub(crate) fn space_shortage(&self) -> Option<Rejection> {
        let (free, needed) = self
            .store
            .free_space()
            .filter(|(free, needed)| free < needed)?;
        Some(Rejection::NoSpace { free, needed })
    }

    /// Measures the reusable space within the database, if the disk is nearly full, until
    /// `is_stopped` returns `true`.
    fn measure_space(&self, is_stopped: &dyn Fn() -> bool) -> Result<(), StoreError> {
        self.store.measure_space(is_stopped)
    }

    /// Commits the queued operations and closes the database cleanly.
    pub fn close(self) -> Result<(), StoreError> {
        self.store.close()
    }

    pub(crate) fn note_hash_rate(&self, rate: f64) {
        self.mining
            .hash_rate
            .store(rate.to_bits(), Ordering::Relaxed);
    }
}
