//! What a node is started with, resolved, and the limits and intervals of its tasks.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use crate::client::NodeAddress;
use crate::snapshot::format::Format;

/// Most bytes of a message that this node takes from a client.
pub const MAX_INGEST_BYTES: usize = 64 * 1024;

/// How long an addition may take to reach the disk before its outcome is called unknown.
pub const ADD_TIMEOUT: Duration = Duration::from_secs(10);

/// How often at least the miner renews the time of the block it works on (and with it, the
/// commitment of a sealed proof).
pub const RENEWAL: Duration = Duration::from_secs(10);

/// Most blocks that the miner makes in one piece of work.
pub const BATCH_BLOCKS: usize = 1000;

/// How long one piece of mining work may take if it has found anything.
pub const BATCH_TIME: Duration = Duration::from_millis(100);

/// Most bytes of messages that one piece of mining work holds.
pub const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Commits of mined blocks that may be under way while the miner goes on above them.
pub const MAX_IN_FLIGHT_COMMITS: usize = 2;

/// How long the miner waits after a refused commit, such as on a full disk.
pub const RETRY: Duration = Duration::from_secs(1);

/// How long a message that came from a peer is left to the node that took it in. Else all nodes
/// would mine each message at once, and most blocks would have a rival.
pub const LEARNED_MESSAGE_DELAY: Duration = Duration::from_secs(1);

/// Blocks the background check reads at a time, and its pause in between: about 1,000,000 blocks
/// in 17 minutes.
pub const SCRUB_BLOCKS: u64 = 1000;
/// See [`SCRUB_BLOCKS`].
pub const SCRUB_PAUSE: Duration = Duration::from_secs(1);

/// Which proofs the miner makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofMode {
    /// Proofs that bind the content of their block.
    Sealed,
    /// The documented search: the smallest number that fits.
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

/// After a snapshot the next one is no sooner than this many times its duration, so that
/// snapshots take at most about 2 % of the time however long the chain gets.
pub const SNAPSHOT_SHARE: u32 = 50;

/// Whether to make a snapshot when the node is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtStop {
    /// Always.
    Always,
    /// If the last one took under a second.
    Auto,
    /// Never.
    Never,
}

/// How the chain is written to files.
#[derive(Clone, Debug)]
pub struct SnapshotSettings {
    /// The chain file.
    pub chain: PathBuf,
    /// How it is written.
    pub format: Format,
    /// Pause between two looks whether the chain has changed. The original: 30 s.
    pub interval: Duration,
    /// Most backups kept of those this program wrote.
    pub max_backups: usize,
    /// Whether to make one when the node is stopped.
    pub at_stop: AtStop,
}

/// Guests: peers that ask this node, beyond its neighbours.
pub const MAX_GUESTS: usize = 32;

/// Addresses that wait to be dialled for the first time.
pub const MAX_CANDIDATES: usize = 64;

/// A neighbour that answered within this time is named to others. A reference miner loses a job
/// for good on one that does not answer.
pub const ANSWERING: Duration = Duration::from_secs(30);

/// Longest pause after failures to reach a configured neighbour, and any other. The network must
/// heal within moments of a cable being plugged in again.
pub const RETRY_CONFIGURED: Duration = Duration::from_secs(5);
/// See [`RETRY_CONFIGURED`].
pub const RETRY_LEARNED: Duration = Duration::from_secs(20);

/// Shortest and longest pause after an answer that no honest node gives.
pub const MISBEHAVED: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(300));

/// A learned neighbour that has not answered for this long is dropped.
pub const DROPPED_AFTER: Duration = Duration::from_secs(600);

/// A guest that has been silent for this long is forgotten.
pub const GUEST_FORGOTTEN: Duration = Duration::from_secs(600);

/// A guest that has been silent for this long makes way for a newcomer when all places are taken.
pub const GUEST_ROTATED: Duration = Duration::from_secs(60);

/// Least pause between two announcements to one peer.
pub const ANNOUNCE_PAUSE: Duration = Duration::from_millis(10);

/// Most blocks asked for at a time.
pub const SYNC_PAGE: usize = 1000;

/// How far a block of a peer may be ahead of the local clock, in seconds.
pub const MAX_AHEAD: f64 = 2.0 * 60.0 * 60.0;

/// A clock that differs by more seconds than this from that of others is said to.
pub const MAX_CLOCK_OFFSET: f64 = 60.0;

/// Pause between two comparisons of the clocks for the log.
pub const CLOCK_CHECK_PAUSE: Duration = Duration::from_secs(2);

/// Messages of a branch of a reference miner are rescued if it forks within this many blocks.
pub const RESCUED_BLOCKS: u64 = 100;

/// The chain of a reference miner is fetched again after this time, even if its length in bytes
/// is unchanged.
pub const REFERENCE_REFRESH: Duration = Duration::from_secs(300);

/// After the chain of a reference miner was fetched, the next fetch is no sooner than this many
/// times its duration.
pub const REFERENCE_SHARE: u32 = 9;

/// How long a node that has only a genesis block waits for neighbours to answer before it mines.
pub const FIRST_ROUND: Duration = Duration::from_secs(30);

/// Longest chain, genesis block included, whose genesis may still be replaced by that of a longer
/// one, where open proofs are accepted.
pub const MAX_REPLACEABLE_GENESIS_LENGTH: u64 = 7;

/// How the node deals with others.
#[derive(Clone, Debug)]
pub struct PeerSettings {
    /// Neighbours named by the user: retried for ever.
    pub configured: Vec<NodeAddress>,
    /// Most neighbours, configured ones included.
    pub max_neighbours: usize,
    /// Where others can ask this node, if that is not its port at the address it asks from.
    pub advertise: Option<NodeAddress>,
    /// Pause between two rounds of asking for chains. The original: 10 s.
    pub chain_interval: Duration,
    /// Pause between two rounds of asking for messages. The original: 5 s.
    pub data_interval: Duration,
    /// Pause between two rounds of asking for neighbours. The original: 20 s.
    pub gossip_interval: Duration,
    /// Most blocks that a switch to another branch may take off.
    pub max_reorg: u64,
    /// Longest chain whose genesis block may be replaced where open proofs are accepted; 0: it is
    /// fixed.
    pub max_replaceable_genesis_length: u64,
    /// Most bytes of a reference miner's chain.
    pub max_chain_bytes: u64,
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
            max_chain_bytes: 4 * 1024 * 1024 * 1024,
        }
    }
}

/// What the user decided.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads for mining; none: this node does not mine.
    pub threads: Option<NonZeroUsize>,
    /// Which proofs to make.
    pub proof: ProofMode,
    /// How the chain is written to files; none: it is not.
    pub snapshot: Option<SnapshotSettings>,
    /// How to deal with others.
    pub peers: PeerSettings,
    /// Most messages a second that are taken from one address of another machine; none: any number.
    pub add_rate: Option<NonZeroU32>,
}
