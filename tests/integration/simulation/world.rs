//! A network of nodes, its faults, and the checks after them.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use blockchain::chain::{Block, Message, MessageId};
use blockchain::client::PeerClient;
use blockchain::clock::Clock;
use blockchain::node::miner::{MiningParams, MiningTip};
use blockchain::node::settings::{PeerSettings, ProofMode, Settings};
use blockchain::node::{Executor, Node, SignalPublisher, run};
use blockchain::pow::Difficulty;
use blockchain::store::{self, Addition, Operation, PageLimit, Rejection, Store, StoreError};

use super::network::{Network, NetworkFaults, address};
use crate::support::random::SeededRng;
use crate::support::simulated_disk::Disk;

/// Rules of the network: every block must be sealed.
const RULES: store::Network = store::Network {
    difficulty: Difficulty::MIN,
    sealed_from: Some(1),
};

const ALL: PageLimit = PageLimit {
    count: usize::MAX,
    bytes: usize::MAX,
};

/// Parameters of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: usize,
    /// Duration of the faults.
    faults: Duration,
    /// Maximum time until all nodes agree again.
    patience: Duration,
}

impl Plan {
    pub(crate) fn new(nodes: usize) -> Self {
        Self {
            nodes,
            faults: Duration::from_secs(30),
            patience: Duration::from_secs(300),
        }
    }
}

/// Messages are equal if id and text are.
fn key(message: &Message) -> (MessageId, &str) {
    (message.id(), message.text())
}

/// Results of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) messages: u64,
    pub(crate) blocks: u64,
    pub(crate) kills: u64,
    pub(crate) reorgs: u64,
    pub(crate) requests: u64,
    pub(crate) bytes: u64,
    /// Time from the end of the faults to one tip with an empty mempool.
    pub(crate) healed_in: Duration,
    pub(crate) trace: String,
}

/// A clock with a fixed error.
struct SkewedClock {
    begun: Instant,
    skew: f64,
}

impl Clock for SkewedClock {
    fn seconds(&self) -> f64 {
        1_800_000_000.0 + self.begun.elapsed().as_secs_f64() + self.skew
    }
}

struct Running {
    node: Arc<Node>,
    end: CancellationToken,
    tasks: JoinHandle<Result<(), StoreError>>,
}

struct Place {
    disk: Disk,
    clock: Arc<SkewedClock>,
    settings: Settings,
    running: Option<Running>,
}

struct World {
    rng: SeededRng,
    network: Network,
    places: Vec<Place>,
    acknowledged: Vec<Message>,
    kills: u64,
}

/// Runs a whole network; one seed makes one run.
pub(crate) fn simulate(plan: Plan, seed: u64) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut world = World::new(plan.nodes, seed);
        world.suffer(plan.faults).await;
        world.heal(plan, seed).await
    })
}

impl World {
    fn new(nodes: usize, seed: u64) -> Self {
        let mut rng = SeededRng::new(seed);
        let network = Network::new(nodes, rng.clone());
        let begun = Instant::now();
        let mut places = Vec::new();
        for number in 0..nodes {
            // Each node has an earlier one as its neighbour, and some have a second one.
            let mut configured = Vec::new();
            if number > 0 {
                configured.push(address(rng.index(number)));
                if rng.below(2) == 0 {
                    configured.push(address(rng.index(number)));
                }
            }
            #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
            let skew = rng.below(20) as f64 - 10.0;
            places.push(Place {
                disk: Disk::default(),
                clock: Arc::new(SkewedClock { begun, skew }),
                settings: Settings {
                    threads: None,
                    proof: ProofMode::Sealed,
                    snapshot: None,
                    peers: PeerSettings {
                        configured,
                        ..PeerSettings::default()
                    },
                    add_rate: None,
                },
                running: None,
            });
        }
        let mut world = Self {
            rng,
            network,
            places,
            acknowledged: Vec::new(),
            kills: 0,
        };
        for number in 0..nodes {
            world.start(number);
        }
        world
    }

    fn start(&mut self, number: usize) {
        let place = &mut self.places[number];
        let signals = SignalPublisher::default();
        let genesis = Block::default_genesis();
        let disk = place.disk.clone();
        let store = Store::with_backend(disk, &genesis, RULES, signals.listener()).unwrap();
        let clock: Arc<dyn Clock> = Arc::<SkewedClock>::clone(&place.clock);
        let node = Node::new(
            store,
            signals,
            place.settings.clone(),
            clock,
            Executor::Inline,
        )
        .unwrap();
        let (node, end) = (Arc::new(node), CancellationToken::new());
        let client = PeerClient::new(self.network.transport(number), ":12345".to_owned());
        let tasks = tokio::spawn(run::run_peers(Arc::clone(&node), client, end.clone()));
        self.network.attach(number, Some(Arc::clone(&node)));
        place.running = Some(Running { node, end, tasks });
    }

    /// Ends a node between two steps, as a kill would: only the written data is left.
    async fn kill(&mut self, number: usize) {
        let Some(running) = self.places[number].running.take() else {
            return;
        };
        self.kills += 1;
        self.network.attach(number, None);
        let image = self.places[number].disk.image();
        self.places[number].disk = Disk::holding(image);
        running.end.cancel();
        running.tasks.await.unwrap().unwrap();
    }

    /// Returns a random running node.
    fn any(&mut self) -> Option<Arc<Node>> {
        let number = self.rng.index(self.places.len());
        let running = self.places[number].running.as_ref()?;
        Some(Arc::clone(&running.node))
    }

    fn add(&mut self, node: &Node) {
        let (id, text) = (
            self.rng.id(),
            format!("message {}", self.acknowledged.len()),
        );
        let message = Message::new(id, text).unwrap();
        let addition = Addition {
            message: message.clone(),
            key: None,
            arrived: node.clock().millis(),
        };
        node.write(|reply| Operation::Add(addition, reply)).unwrap();
        self.network.note(&format!("add {}", message.id()));
        self.acknowledged.push(message);
    }

    /// Mines some of the pending messages of a node.
    fn mine(&mut self, node: &Node) {
        let most = 1 + self.rng.index(3);
        let limit = PageLimit { count: most, ..ALL };
        let waiting = node.view().unwrap().pending_from(0, limit).unwrap();
        let state = node.state();
        let mut mining_tip = MiningTip::new(state.tip.clone(), state.history.clone());
        let params = MiningParams {
            proof: ProofMode::Sealed,
            difficulty: RULES.difficulty,
            threads: NonZeroUsize::MIN,
            stop: &AtomicBool::new(false),
            tries: &AtomicU64::new(0),
        };
        let now = node.clock().seconds();
        let mined = |pending: store::Pending| mining_tip.mine(pending.message, now, &params);
        let blocks: Vec<_> = waiting.into_iter().filter_map(mined).collect();
        if blocks.is_empty() {
            return;
        }
        self.network.note(&format!("mine {}", blocks.len()));
        let parent = state.tip.hash;
        match node.write(|reply| Operation::Append(parent, blocks, reply)) {
            Ok(()) | Err(StoreError::Rejected(Rejection::StaleTip)) => {}
            Err(error) => panic!("{error}"),
        }
    }

    /// Runs the network with faults.
    async fn suffer(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            sleep(Duration::from_millis(50 + self.rng.below(1000))).await;
            if self.rng.below(8) == 0 {
                let faults = self.faults();
                self.network.note(&format!("{faults:?}"));
                self.network.set_weather(faults);
            }
            if self.rng.below(10) == 0 {
                let number = self.rng.index(self.places.len());
                self.kill(number).await;
            }
            let number = self.rng.index(self.places.len());
            if self.places[number].running.is_none() {
                self.start(number);
            }
            for _ in 0..self.rng.below(3) {
                if let Some(node) = self.any() {
                    self.add(&node);
                }
            }
            for _ in 0..self.rng.below(4) {
                if let Some(node) = self.any() {
                    self.mine(&node);
                }
            }
        }
    }

    fn faults(&mut self) -> NetworkFaults {
        let nodes = self.places.len();
        let partition = match self.rng.below(2) {
            0 => (0..nodes).filter(|_| self.rng.below(3) == 0).collect(),
            _ => std::collections::BTreeSet::new(),
        };
        NetworkFaults {
            lost: [0, 5, 20][self.rng.index(3)],
            duplicated: self.rng.below(20),
            delay: [5, 50, 2000][self.rng.index(3)],
            partition,
        }
    }

    /// Ends the faults, and waits until all nodes agree and nothing is pending.
    async fn heal(mut self, plan: Plan, seed: u64) -> Outcome {
        self.network.set_weather(NetworkFaults {
            delay: 20,
            ..NetworkFaults::default()
        });
        for number in 0..self.places.len() {
            if self.places[number].running.is_none() {
                self.start(number);
            }
        }
        let begun = Instant::now();
        while !self.is_one() {
            let states = || self.nodes().map(|node| node.state());
            assert!(
                begun.elapsed() < plan.patience,
                "seed {seed}: after {:?} the nodes have {:?}",
                plan.patience,
                states()
                    .map(|state| (
                        state.length(),
                        state.tip.hash.to_string(),
                        state.mempool_count()
                    ))
                    .collect::<Vec<_>>()
            );
            sleep(Duration::from_millis(200)).await;
            if let Some(node) = self.any() {
                self.mine(&node);
            }
        }
        let healed_in = begun.elapsed();
        let outcome = self.outcome(healed_in, seed);
        for place in &mut self.places {
            if let Some(running) = place.running.take() {
                running.end.cancel();
                running.tasks.await.unwrap().unwrap();
            }
        }
        outcome
    }

    fn nodes(&self) -> impl Iterator<Item = &Arc<Node>> {
        self.places
            .iter()
            .filter_map(|place| place.running.as_ref().map(|running| &running.node))
    }

    fn is_one(&self) -> bool {
        let tip = self.nodes().next().map(|node| node.state().tip.hash);
        self.nodes().all(|node| {
            let state = node.state();
            Some(state.tip.hash) == tip && state.mempool_count() == 0
        })
    }

    /// Asserts that every acknowledged message is in the chain exactly once.
    fn outcome(&self, healed_in: Duration, seed: u64) -> Outcome {
        let node = self.nodes().next().unwrap();
        let blocks = node.view().unwrap().blocks(0, ALL).unwrap();
        let mut mined = BTreeMap::new();
        for block in &blocks[1..] {
            *mined.entry(key(&block.message)).or_insert(0) += 1;
        }
        for message in &self.acknowledged {
            let times = mined.get(&key(message)).copied().unwrap_or(0);
            assert_eq!(
                times, 1,
                "seed {seed}: {message:?} stands in {times} blocks"
            );
        }
        assert_eq!(
            mined.len(),
            self.acknowledged.len(),
            "seed {seed}: blocks of nobody"
        );
        self.network.note(&node.state().tip.hash.to_string());
        let traffic = self.network.traffic();
        Outcome {
            messages: self.acknowledged.len() as u64,
            blocks: blocks.len() as u64 - 1,
            kills: self.kills,
            reorgs: self.nodes().map(|node| node.state().reorgs()).sum(),
            requests: traffic.requests,
            bytes: traffic.bytes,
            healed_in,
            trace: traffic.trace,
        }
    }
}
