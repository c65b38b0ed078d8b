//! Combines the responses of all nodes to the conditions that hold now.

use super::MonitorSettings;
use super::event::{Details, Event, Kind, rfc3339};
use super::poll::{Extends, PollOutcome};
use super::source::Source;
use super::state::{SeenTip, State};
use crate::proofs::consistency::TreeHead;
use crate::proofs::{Checkpoint, ConsistencyProof};
use crate::text::counted;
use crate::wire::Block;

/// Something that is wrong with a node now.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) node: usize,
    pub(super) kind: Kind,
    pub(super) message: String,
    pub(super) material: Material,
}

/// Content of the evidence.
#[derive(Debug)]
pub(super) enum Material {
    None,
    Branches {
        /// Checkpoint of the node at the settled index.
        offered: Option<Checkpoint>,
        /// Index of its tip.
        tip: u64,
        /// The branch that it left, as far as it is known.
        old: Vec<Block>,
        /// A node that has the kept history.
        other: Option<String>,
    },
    Response {
        bytes: Vec<u8>,
        /// A block whose receipt does not hold.
        block: Option<u64>,
    },
}

/// A node that extends the settled checkpoint.
#[derive(Debug)]
pub(super) struct Passing {
    pub(super) node: usize,
    pub(super) tip: Checkpoint,
}

/// The outcome of one poll of all nodes.
#[derive(Debug, Default)]
pub(super) struct Judgement {
    pub(super) conditions: Vec<Condition>,
    pub(super) passing: Vec<Passing>,
    /// Nodes that answered as nodes of this network.
    pub(super) answered: Vec<usize>,
    /// Nodes that did not answer at all.
    pub(super) silent: Vec<usize>,
    /// Reorgs above the settled checkpoint.
    pub(super) notices: Vec<Event>,
    pub(super) gap: u64,
}

impl Judgement {
    fn add(&mut self, node: usize, kind: Kind, message: String, material: Material) {
        self.conditions.push(Condition {
            node,
            kind,
            message,
            material,
        });
    }

    /// Judges what one poll of all nodes has found, and notes the new blocks.
    pub(super) async fn of<S: Source>(
        outcomes: Vec<PollOutcome>,
        nodes: &[S],
        state: &mut State,
        settings: &MonitorSettings,
        now: u64,
    ) -> Self {
        let mut this = Self::default();
        let mut shorter = Vec::new();
        for (node, outcome) in outcomes.into_iter().enumerate() {
            match &outcome {
                PollOutcome::Unreachable(_) => this.silent.push(node),
                PollOutcome::OtherNetwork(_) => {}
                _ => this.answered.push(node),
            }
            let address = nodes[node].address();
            let old = || match state.tips.get(&address) {
                Some(last) => state.branch(&last.hash, 0),
                None => Vec::new(),
            };
            match outcome {
                PollOutcome::Unreachable(reason) => {
                    this.add(node, Kind::Unreachable, reason, Material::None);
                }
                PollOutcome::OtherNetwork(reason) => {
                    this.add(node, Kind::OtherNetwork, reason, Material::None);
                }
                PollOutcome::Contradiction {
                    reason,
                    response: bytes,
                    block,
                } => {
                    let material = Material::Response { bytes, block };
                    this.add(node, Kind::Contradiction, reason, material);
                }
                PollOutcome::Rewrite { offered, tip } => {
                    let index = state.settled.index;
                    let message = format!("its block {index} is not the settled one");
                    let material = Material::Branches {
                        offered,
                        tip: tip.0,
                        old: old(),
                        other: None,
                    };
                    this.add(node, Kind::Rewrite, message, material);
                }
                PollOutcome::Shorter { index, hash } => shorter.push((node, index, hash, old())),
                PollOutcome::Extends(extends) => {
                    this.extends(node, &address, extends, state, settings, now);
                }
            }
        }
        for (node, index, hash, old) in shorter {
            let settled = state.settled.index;
            if this.is_behind(nodes, state, index, &hash).await {
                let message = format!("it is at block {index}, below the settled block {settled}");
                this.behind(node, &nodes[node].address(), message, state, settings, now);
                continue;
            }
            let message = format!(
                "its chain ends at block {index}, below the settled block {settled}, with a block \
                 that is not of the kept chain"
            );
            let material = Material::Branches {
                offered: None,
                tip: index,
                old,
                other: None,
            };
            this.add(node, Kind::Rewrite, message, material);
        }
        this.find_divergence(nodes, state, settings);
        this.find_splits(nodes, state);
        this
    }

    fn extends(
        &mut self,
        node: usize,
        address: &str,
        extends: Extends,
        state: &mut State,
        settings: &MonitorSettings,
        now: u64,
    ) {
        let Extends {
            tip,
            blocks,
            gap,
            is_pending,
        } = extends;
        self.gap += gap;
        let hash = tip.hash.to_string();
        let last = state.tips.get(address);
        if let Some(last) = last.filter(|last| last.hash != hash) {
            let known = match blocks.first() {
                Some(first) => first.previous_hash.clone().unwrap_or_default(),
                None => hash.clone(),
            };
            if let Some(fork) = state.recent.fork(&last.hash, &known)
                && fork < last.index
            {
                let (disconnected, connected) = (last.index - fork, tip.index - fork);
                let message = format!(
                    "it replaced {} above block {fork} by {}",
                    counted(disconnected, "block"),
                    counted(connected, "other")
                );
                if disconnected > settings.depth {
                    let material = Material::Branches {
                        offered: Some(tip),
                        tip: tip.index,
                        old: state.branch(&last.hash, 0),
                        other: None,
                    };
                    self.add(node, Kind::Rewrite, message, material);
                } else {
                    let event = Event::new(Kind::Reorg, address, now, message);
                    self.notices.push(event.with(Details::Reorg {
                        fork,
                        disconnected,
                        connected,
                    }));
                }
            }
        }
        let since = match last {
            Some(last) if last.hash == hash && last.is_pending == is_pending => last.since,
            _ => now,
        };
        if is_pending && now.saturating_sub(since) >= settings.stall.as_secs() {
            let (index, since) = (tip.index, rfc3339(since));
            let message =
                format!("messages are pending and block {index} is the tip since {since}");
            self.add(node, Kind::Stall, message, Material::None);
        }
        for block in blocks {
            state.recent.insert(block);
        }
        let seen = SeenTip {
            index: tip.index,
            hash,
            since,
            is_pending,
        };
        state.tips.insert(address.to_owned(), seen);
        self.passing.push(Passing { node, tip });
    }

    fn behind(
        &mut self,
        node: usize,
        address: &str,
        message: String,
        state: &State,
        settings: &MonitorSettings,
        now: u64,
    ) {
        let mut standing = state.standing.iter();
        let before =
            standing.find(|standing| standing.node == address && standing.kind == Kind::Behind);
        let since = before.map_or(now, |before| before.since);
        if now.saturating_sub(since) >= settings.stall.as_secs() && before.is_some() {
            let message = format!("{message}, since {}", rfc3339(since));
            self.add(node, Kind::Stall, message, Material::None);
        }
        self.add(node, Kind::Behind, message, Material::None);
    }

    /// Returns `true` if a block below the settled one is known to be of its chain.
    async fn is_behind<S: Source>(
        &self,
        nodes: &[S],
        state: &State,
        index: u64,
        hash: &str,
    ) -> bool {
        let settled = &state.settled;
        let (text, is_kept) = (settled.hash.to_string(), |kept: &Checkpoint| {
            kept.index == index && kept.hash.to_string() == hash
        });
        if let Some(below) = state.recent.ancestor(&text, index) {
            return below.hash == hash;
        }
        // Without the settled block itself, a block that was seen is taken for one of its chain.
        if state.recent.get(&text).is_none() && state.recent.get(hash).is_some()
            || state.kept.checkpoints().iter().any(is_kept)
        {
            return true;
        }
        for passing in &self.passing {
            let Ok(file) = nodes[passing.node].consistency(index, &text).await else {
                continue;
            };
            if let Ok(proof) = ConsistencyProof::read(&file)
                && proof.to == TreeHead::from(settled)
                && proof.from.index == index
                && proof.check().is_ok()
            {
                return proof.from.hash.to_string() == hash;
            }
        }
        false
    }

    /// Finds nodes that both extend the settled checkpoint and differ from each other below the next
    /// one.
    fn find_divergence<S: Source>(
        &mut self,
        nodes: &[S],
        state: &State,
        settings: &MonitorSettings,
    ) {
        let Some(lowest) = self.passing.iter().min_by_key(|passing| passing.tip.index) else {
            return;
        };
        let target = lowest.tip.index.saturating_sub(settings.depth);
        if target <= state.settled.index {
            return;
        }
        let at = |passing: &Passing| {
            let block = state.recent.ancestor(&passing.tip.hash.to_string(), target);
            block.cloned()
        };
        let Some(ours) = at(lowest) else { return };
        let (other, old_tip) = (lowest.node, lowest.tip.hash.to_string());
        let mut found = Vec::new();
        for passing in &self.passing {
            let Some(theirs) = at(passing).filter(|theirs| theirs.hash != ours.hash) else {
                continue;
            };
            let message = format!(
                "its block {target} is not that of {}",
                nodes[other].address()
            );
            let material = Material::Branches {
                offered: super::checks::checkpoint_of(&theirs, state.settled.genesis),
                tip: passing.tip.index,
                old: state.branch(&old_tip, 0),
                other: Some(nodes[other].address()),
            };
            found.push((passing.node, message, material));
        }
        for (node, message, material) in found {
            self.add(node, Kind::Split, message, material);
        }
    }

    /// Turns a rewrite into a split if another node still has the kept history.
    fn find_splits<S: Source>(&mut self, nodes: &[S], state: &State) {
        for condition in &mut self.conditions {
            if condition.kind != Kind::Rewrite {
                continue;
            }
            let address = nodes[condition.node].address();
            // The other node may not answer for a while; it is still a split.
            let was_split = state.history_alarm(&address);
            let was_split = was_split.is_some_and(|alarm| alarm.kind == Kind::Split);
            let mut others = self.passing.iter();
            let keeper = others.find(|passing| passing.node != condition.node);
            if let Some(keeper) = keeper {
                let keeper = nodes[keeper.node].address();
                let message = &mut condition.message;
                *message += &["; ", &*keeper, " still has the kept history"].concat();
                if let Material::Branches { other, .. } = &mut condition.material {
                    *other = Some(keeper);
                }
            }
            if was_split || keeper.is_some() {
                condition.kind = Kind::Split;
            }
        }
    }
}
