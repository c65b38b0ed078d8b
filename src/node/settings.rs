//! The user's settings of a node, and the limits and intervals of its tasks.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use super::profile::ProfileChange;
use crate::client::NodeAddress;
use crate::snapshot::format::Format;

/// Maximum size of a message of a client in bytes.
pub const MAX_INGEST_BYTES: usize = 64 * 1024;

/// Default of the maximum size of the chain of a reference miner, as JSON.
pub const DEFAULT_MAX_CHAIN_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// Time after which the outcome of an addition that is not on disk is reported as unknown.
pub(super) const ADD_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum age of the timestamp in a sealed search. The miner then restarts the search with a new
/// timestamp and commitment.
pub(super) const RENEWAL_INTERVAL: Duration = Duration::from_secs(10);

/// Maximum number of blocks in one mining batch.
pub(super) const BATCH_BLOCKS: usize = 1000;

/// Time after which a mining batch with at least one block ends.
pub(super) const BATCH_TIME: Duration = Duration::from_millis(100);

/// Maximum size of the messages in one mining batch, in bytes.
pub(super) const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Maximum number of commits of mined blocks in flight while the miner continues above them.
pub(super) const MAX_IN_FLIGHT_COMMITS: usize = 2;

/// Delay of the miner after a rejected commit, for example on a full disk.
pub(super) const MINING_RETRY_DELAY: Duration = Duration::from_secs(1);

/// Delay before a message of a peer is mined here, so that the node that received it from a client
/// can mine it first. Without the delay, all nodes would mine each message at once and most blocks
/// would have a competitor.
pub(super) const LEARNED_MESSAGE_DELAY: Duration = Duration::from_secs(1);

/// Number of blocks that the background check reads at a time. With [`SCRUB_INTERVAL`], it checks
/// about 1,000,000 blocks in 17 minutes.
pub(super) const SCRUB_BLOCKS: u64 = 1000;

/// Interval between two reads of the background check.
pub(super) const SCRUB_INTERVAL: Duration = Duration::from_secs(1);

/// The kind of proofs that the miner makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofMode {
    /// Proofs that commit to the content of their block.
    Sealed,
    /// Proofs of the reference miner: the smallest valid number.
    Open,
}

impl std::fmt::Display for ProofMode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sealed => "sealed",
            Self::Open => "open",
        })
    }
}

/// Minimum time between two snapshots, as a multiple of the duration of the last one. Snapshots
/// take at most about 2 % of the time, however long the chain is.
pub(super) const SNAPSHOT_INTERVAL_FACTOR: u32 = 50;

/// Condition for writing a snapshot when the node stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotAtStop {
    /// Always.
    Always,
    /// If the last one took less than a second.
    Auto,
    /// Never.
    Never,
}

/// Settings of the snapshots of the chain.
#[derive(Clone, Debug)]
pub struct SnapshotSettings {
    /// The chain file.
    pub chain: PathBuf,
    /// Format of the chain file.
    pub format: Format,
    /// Interval of the checks whether the chain has changed. The reference miner: 30 s.
    pub interval: Duration,
    /// Maximum number of backups kept, of those written by this program.
    pub max_backups: usize,
    /// Condition for writing a snapshot when the node stops.
    pub at_stop: SnapshotAtStop,
}

/// Maximum number of guests: peers that ask this node, beyond its neighbours.
pub(super) const MAX_GUESTS: usize = 32;

/// Maximum number of candidates: addresses to be dialled for the first time.
pub(super) const MAX_CANDIDATES: usize = 64;

/// Period within which a neighbour must have answered to be listed to others. A reference miner
/// loses a job permanently on one that does not answer.
pub(super) const ANSWERING_PERIOD: Duration = Duration::from_secs(30);

/// Maximum backoff for a configured neighbour that cannot be reached. The network must recover
/// within moments after an outage.
pub(super) const MAX_CONFIGURED_BACKOFF: Duration = Duration::from_secs(5);

/// Maximum backoff for any other peer that cannot be reached.
pub(super) const MAX_LEARNED_BACKOFF: Duration = Duration::from_secs(20);

/// Initial and maximum backoff after misbehaviour.
pub(super) const MISBEHAVIOUR_BACKOFF: (Duration, Duration) =
    (Duration::from_secs(10), Duration::from_secs(300));

/// Silence after which a learned neighbour is dropped.
pub(super) const LEARNED_TIMEOUT: Duration = Duration::from_secs(600);

/// Silence after which a guest is dropped.
pub(super) const GUEST_TIMEOUT: Duration = Duration::from_secs(600);

/// Silence after which a guest may be evicted for a newcomer when all guest slots are used.
pub(super) const GUEST_EVICTABLE_AFTER: Duration = Duration::from_secs(60);

/// Minimum interval between two announcements to one peer.
pub(super) const ANNOUNCE_INTERVAL: Duration = Duration::from_millis(10);

/// Maximum number of blocks requested at a time.
pub(super) const SYNC_PAGE: usize = 1000;

/// Maximum time that a block of a peer may be ahead of the local clock, in seconds.
pub(super) const MAX_BLOCK_AHEAD: f64 = 2.0 * 60.0 * 60.0;

/// Difference of clocks above which there is a warning, in seconds.
pub(super) const MAX_CLOCK_OFFSET: f64 = 60.0;

/// Interval of the clock comparisons for the log.
pub(super) const CLOCK_CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Maximum depth of a fork, in blocks, from which messages of a reference miner's branch are
/// rescued.
pub(super) const RESCUED_BLOCKS: u64 = 100;

/// Time after which the chain of a reference miner is fetched again even if its length in bytes is
/// unchanged.
pub(super) const REFERENCE_REFRESH_INTERVAL: Duration = Duration::from_secs(300);

/// Minimum time between two fetches of the chain of a reference miner, as a multiple of the
/// duration of the last one.
pub(super) const REFERENCE_INTERVAL_FACTOR: u32 = 9;

/// Time that a node with only a genesis block waits for its neighbours before it mines.
pub(super) const FIRST_ROUND_TIMEOUT: Duration = Duration::from_secs(30);

/// Default maximum length of a chain, including the genesis block, whose genesis block may be
/// replaced by that of a longer chain, where open proofs are accepted.
pub const MAX_REPLACEABLE_GENESIS_LENGTH: u64 = 7;

/// Settings of the network of peers.
#[derive(Clone, Debug)]
pub struct PeerSettings {
    /// Neighbours named by the user, which are retried indefinitely.
    pub configured: Vec<NodeAddress>,
    /// Maximum number of neighbours, including configured ones.
    pub max_neighbours: usize,
    /// Address at which other nodes can reach this node, if it is not its port at the source
    /// address of its requests.
    pub advertise: Option<NodeAddress>,
    /// Interval of the requests for chains. The reference miner: 10 s.
    pub chain_interval: Duration,
    /// Interval of the requests for messages. The reference miner: 5 s.
    pub data_interval: Duration,
    /// Interval of the requests for neighbours. The reference miner: 20 s.
    pub gossip_interval: Duration,
    /// Maximum number of blocks that a reorg may disconnect.
    pub max_reorg: u64,
    /// Maximum length of a chain whose genesis block may be replaced, where open proofs are
    /// accepted; 0 if the genesis block is fixed.
    pub max_replaceable_genesis_length: u64,
    /// Maximum size of a reference miner's chain in bytes.
    pub max_chain_bytes: u64,
    /// Changes of name, title and access.
    pub profile: ProfileChange,
}

impl Default for PeerSettings {
    fn default() -> Self {
        Self {
            configured: Vec::new(),
            max_neighbours: 3,
            advertise: None,
            chain_interval: Duration::from_secs(10),
            data_interval: Duration::from_secs(5),
            gossip_interval: Duration::from_secs(20),
            max_reorg: u64::MAX,
            max_replaceable_genesis_length: 0,
            max_chain_bytes: DEFAULT_MAX_CHAIN_BYTES,
            profile: ProfileChange::default(),
        }
    }
}

/// The user's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Number of mining threads; `None` disables mining.
    pub threads: Option<NonZeroUsize>,
    /// Kind of proofs to mine.
    pub proof: ProofMode,
    /// Settings of the snapshots; `None` disables them.
    pub snapshot: Option<SnapshotSettings>,
    /// Settings of the network of peers.
    pub peers: PeerSettings,
    /// Maximum number of messages per second from one remote address; `None` for no limit.
    pub add_rate: Option<NonZeroU32>,
}
