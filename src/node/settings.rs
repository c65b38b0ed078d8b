//! What a node is started with, resolved, and the limits and intervals of its tasks.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

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
pub const COMMITS_UNDER_WAY: usize = 2;

/// How long the miner waits after a refused commit, such as on a full disk.
pub const RETRY: Duration = Duration::from_secs(1);

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

/// What the user decided.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads for mining; none: this node does not mine.
    pub threads: Option<NonZeroUsize>,
    /// Which proofs to make.
    pub proof: ProofMode,
    /// How the chain is written to files; none: it is not.
    pub snapshot: Option<SnapshotSettings>,
}
