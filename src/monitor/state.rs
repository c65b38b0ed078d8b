//! The content of the state folder.
//!
//! | file | content |
//! |---|---|
//! | `settled` | the settled checkpoint, written last |
//! | `kept.txt` | a trust file of settled checkpoints |
//! | `recent.ndjson` | the newest 1,000 blocks seen, as `/api/v1/blocks` gives them |
//! | `tip` | per node: index, hash and time of its tip, `pending` or `idle`, address |
//! | `network` | difficulty and seal rule at the start, by which blocks are checked |
//! | `alarms.ndjson` | the alarms that stand |
//! | `events.ndjson` | every event; `events.old.ndjson` holds those before the last 16 MiB |
//! | `outbox.ndjson` | events that the command of `--exec` is still to be told |
//! | `evidence/` | a folder for each alarm about the history |

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::MonitorError;
use super::checks::is_intact;
use super::event::{Kind, parse_time, rfc3339};
use super::folder::{Folder, SETTLED};
use super::kept::Kept;
use super::recent::Recent;
use crate::proofs::Checkpoint;
use crate::wire::object::objects;
use crate::wire::{Block, NetworkStatus};

const KEPT: &str = "kept.txt";
const RECENT: &str = "recent.ndjson";
const TIP: &str = "tip";
const NETWORK: &str = "network";
const ALARMS: &str = "alarms.ndjson";
const EVENTS: &str = "events.ndjson";

/// Name and size from which on older events are set aside.
const OLD_EVENTS: (&str, u64) = ("events.old.ndjson", 16 << 20);

/// The tip of a node as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenTip {
    /// Index of the tip.
    pub index: u64,
    /// Its hash.
    pub hash: String,
    /// Time since which it is the tip, or since which messages are pending on it.
    pub since: u64,
    /// `true` if messages were pending.
    pub is_pending: bool,
}

/// An alarm that stands, or a notice that is told once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub struct Standing {
    /// Address of the node.
    pub node: String,
    /// Kind of the alarm.
    pub kind: Kind,
    /// Time at which it was first seen, in seconds since the epoch.
    pub since: u64,
    /// Time at which it was last told.
    pub told: u64,
    /// Its evidence folder.
    pub evidence: Option<String>,
    /// Index of a block whose receipt did not hold; it is asked for again.
    pub block: Option<u64>,
}

objects!(Standing);

/// The state of a monitor.
#[derive(Debug)]
pub struct State {
    /// The folder it was read from.
    pub(super) folder: Folder,
    /// The checkpoint that every node must extend.
    pub(super) settled: Checkpoint,
    /// Time since which it is settled.
    pub(super) settled_since: u64,
    /// The rules by which blocks are checked.
    pub(super) network: NetworkStatus,
    pub(super) recent: Recent,
    pub(super) tips: BTreeMap<String, SeenTip>,
    pub(super) standing: Vec<Standing>,
    pub(super) kept: Kept,
    /// The parts as they are on disk.
    written: BTreeMap<&'static str, String>,
}

impl State {
    /// Starts a state in an empty folder. Nothing is written yet.
    pub(super) fn new(
        folder: Folder,
        settled: Checkpoint,
        settled_since: u64,
        network: NetworkStatus,
    ) -> Self {
        Self {
            folder,
            settled,
            settled_since,
            network,
            recent: Recent::default(),
            tips: BTreeMap::new(),
            standing: Vec::new(),
            kept: Kept::default(),
            written: BTreeMap::new(),
        }
    }

    /// Reads the state in a folder; gives the folder back if there is none.
    ///
    /// # Errors
    /// If a file cannot be read, or is not what this program wrote.
    pub(super) fn read(folder: Folder) -> Result<Result<Self, Folder>, MonitorError> {
        let Some(settled) = folder.read(SETTLED)? else {
            return Ok(Err(folder));
        };
        let damaged = |name: &str, why: String| folder.failed(name, std::io::Error::other(why));
        let settled: Checkpoint = settled
            .trim_end()
            .parse()
            .map_err(|error| damaged(SETTLED, format!("{error}")))?;
        let network = folder.read(NETWORK)?.unwrap_or_default();
        let network =
            serde_json::from_str(&network).map_err(|error| damaged(NETWORK, error.to_string()))?;
        let mut recent = Recent::default();
        for line in folder.read(RECENT)?.unwrap_or_default().lines() {
            let block = serde_json::from_str(line).ok().filter(is_intact);
            recent.insert(block.ok_or_else(|| {
                let why = "a line is not an intact block; move the file away to start it again";
                damaged(RECENT, why.to_owned())
            })?);
        }
        recent.take_changed();
        let tips = parse_tips(&folder.read(TIP)?.unwrap_or_default());
        let alarms = folder.read(ALARMS)?.unwrap_or_default();
        let alarms = alarms
            .lines()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>();
        let standing = alarms.map_err(|error| damaged(ALARMS, error.to_string()))?;
        let kept = Kept::read(&folder.read(KEPT)?.unwrap_or_default());
        let since = folder.modified(SETTLED)?;
        let mut state = Self::new(folder, settled, since, network);
        (state.recent, state.tips, state.standing, state.kept) = (recent, tips, standing, kept);
        state.written = state.parts().into();
        Ok(Ok(state))
    }

    /// Returns the folder of the state below `root` that names most of these nodes.
    pub(super) fn genesis_of(root: &Path, nodes: &[String]) -> Option<String> {
        let states = Folder::list(root, TIP).into_iter();
        let counted = states.map(|(path, tips)| {
            let tips = parse_tips(&tips);
            let count = nodes.iter().filter(|node| tips.contains_key(*node)).count();
            (count, path)
        });
        let (count, path) = counted.rev().max_by_key(|(count, _)| *count)?;
        let name = path.file_name()?.to_str()?.to_owned();
        (count > 0).then_some(name)
    }

    /// Appends events.
    pub(super) fn append_events(&self, lines: &str) -> Result<(), MonitorError> {
        self.folder.append(EVENTS, lines, OLD_EVENTS)
    }

    /// Writes what has changed, the settled checkpoint last.
    pub(super) fn write(&mut self) -> Result<(), MonitorError> {
        if self.recent.take_changed() {
            self.folder.replace(RECENT, &self.recent.to_ndjson())?;
        }
        for (name, text) in self.parts() {
            if self.written.get(name) != Some(&text) {
                self.folder.replace(name, &text)?;
                self.written.insert(name, text);
            }
        }
        Ok(())
    }

    /// Returns the small files in the order in which they are written.
    fn parts(&self) -> [(&'static str, String); 5] {
        let alarms = self.standing.iter().map(|standing| {
            let line = serde_json::to_string(standing);
            line.unwrap_or_default() + "\n"
        });
        let network = serde_json::to_string(&self.network).unwrap_or_default();
        [
            (NETWORK, network + "\n"),
            (ALARMS, alarms.collect()),
            (TIP, format_tips(&self.tips)),
            (KEPT, self.kept.to_string()),
            (SETTLED, format!("{}\n", self.settled)),
        ]
    }

    /// Returns the alarm about the history that stands for a node.
    pub(super) fn history_alarm(&self, node: &str) -> Option<&Standing> {
        let mut standing = self.standing.iter();
        standing.find(|standing| standing.node == node && standing.kind.is_about_history())
    }

    /// Returns the blocks of the branch that ends with `tip`, from index `from` on, lowest first.
    pub(super) fn branch(&self, tip: &str, from: u64) -> Vec<Block> {
        let down = self
            .recent
            .down(tip)
            .take_while(|block| block.index >= from);
        let mut blocks: Vec<_> = down.cloned().collect();
        blocks.reverse();
        blocks
    }
}

fn format_tips(tips: &BTreeMap<String, SeenTip>) -> String {
    let mut text = String::new();
    for (node, tip) in tips {
        let since = rfc3339(tip.since);
        let pending = if tip.is_pending { "pending" } else { "idle" };
        // Writing to a text does not fail.
        let _ = writeln!(text, "{} {} {since} {pending} {node}", tip.index, tip.hash);
    }
    text
}

fn parse_tips(text: &str) -> BTreeMap<String, SeenTip> {
    let parse = |line: &str| {
        let mut words = line.split(' ');
        let tip = SeenTip {
            index: words.next()?.parse().ok()?,
            hash: words.next()?.to_owned(),
            since: parse_time(words.next()?)?,
            is_pending: words.next()? == "pending",
        };
        Some((words.next()?.to_owned(), tip))
    };
    text.lines().filter_map(parse).collect()
}
