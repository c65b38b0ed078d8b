//! One poll of all nodes: what is told, and the order of all writes.

use futures_util::future::join_all;

use super::alarms::Edges;
use super::branches::Branches;
use super::checks::checkpoint_of;
use super::event::{Details, Event, Kind, rfc3339};
use super::evidence::{self, EventFile};
use super::judge::{Condition, Judgement, Material, Passing};
use super::outbox::Outbox;
use super::poll::{Known, poll};
use super::source::Source;
use super::state::State;
use super::{MonitorError, MonitorSettings};
use crate::proofs::{Checkpoint, ConsistencyProof};
use crate::wire::Block;

/// Watches nodes.
#[derive(Debug)]
pub struct Monitor<S> {
    nodes: Vec<S>,
    pub(super) state: State,
    settings: MonitorSettings,
    outbox: Option<Outbox>,
    /// The command is run within the round.
    is_once: bool,
    /// Number of blocks that were not fetched since the checkpoint was last told.
    gap: u64,
}

/// Receives each event once it is on disk.
pub type Tell<'a> = dyn FnMut(&Event) + 'a;

impl<S: Source> Monitor<S> {
    /// Creates a monitor with a state. With `is_once`, the command of the outbox is run within the
    /// round and not on the outbox's thread.
    pub fn new(
        nodes: Vec<S>,
        mut state: State,
        settings: MonitorSettings,
        outbox: Option<Outbox>,
        is_once: bool,
    ) -> Self {
        // Nothing is said any more about nodes that are not asked.
        let addresses: Vec<_> = nodes.iter().map(Source::address).collect();
        state
            .standing
            .retain(|standing| addresses.contains(&standing.node));
        Self {
            nodes,
            state,
            settings,
            outbox,
            is_once,
            gap: 0,
        }
    }

    /// Returns the exit code of `--once`.
    pub fn exit_code(&self) -> u8 {
        let standing = self.state.standing.iter();
        let alarms = standing.filter(|standing| standing.kind.is_alarm());
        let worst = alarms.map(|alarm| match alarm.kind {
            Kind::Unreachable => 1,
            _ => 2,
        });
        match worst.max() {
            None => 0,
            Some(1) => 3,
            Some(_) => 1,
        }
    }

    /// Polls all nodes once, tells what has changed, and writes the state.
    ///
    /// # Errors
    /// [`MonitorError::State`] if something could not be written. The events were told all the same.
    pub async fn round(&mut self, now: u64, tell: &mut Tell<'_>) -> Result<(), MonitorError> {
        let polls = self.nodes.iter().map(|node| {
            let state = &self.state;
            let suspect = state
                .history_alarm(&node.address())
                .and_then(|alarm| alarm.block);
            let known = Known {
                settled: &state.settled,
                network: &state.network,
                recent: &state.recent,
                sample: self.settings.sample,
                suspect,
            };
            poll(node, known)
        });
        let outcomes = join_all(polls).await;
        let (state, settings) = (&mut self.state, &self.settings);
        let mut judgement = Judgement::of(outcomes, &self.nodes, state, settings, now).await;
        let addresses: Vec<_> = self.nodes.iter().map(Source::address).collect();
        let edges = Edges::find(&mut judgement, &addresses, state, settings, now);
        self.gap += judgement.gap;
        let mut failure = None;
        let mut events = judgement.notices;
        for (condition, evidence) in edges.told {
            let (event, outcome) = self.describe(condition, evidence, now).await;
            if let Some(alarm) = self
                .state
                .standing
                .iter_mut()
                .find(|alarm| alarm.node == event.node && alarm.kind == event.kind)
            {
                alarm.evidence = event.evidence().map(str::to_owned);
            }
            events.push(event);
            failure = failure.or(outcome.err());
        }
        events.extend(edges.over);
        let advanced = self.next_settled(&judgement.passing).await;
        if let Some((checkpoint, node)) = advanced
            && self.state.kept.is_due(now)
        {
            events.push(self.advance(&checkpoint, &addresses[node], now));
        }
        self.tell(&events, tell, failure)?;
        if let Some((checkpoint, _)) = advanced {
            (self.state.settled, self.state.settled_since) = (checkpoint, now);
        }
        self.state.write()
    }

    /// Tells events in the order that loses none: file, output, command.
    fn tell(
        &self,
        events: &[Event],
        tell: &mut Tell<'_>,
        mut failure: Option<MonitorError>,
    ) -> Result<(), MonitorError> {
        if !events.is_empty() {
            let lines = events
                .iter()
                .flat_map(|event| [event.line(), "\n".to_owned()]);
            let written = self.state.append_events(&lines.collect::<String>());
            failure = failure.or(written.err());
            events.iter().for_each(tell);
        }
        if let Some(outbox) = &self.outbox {
            failure = failure.or(outbox.add(events, &self.state).err());
            if self.is_once || failure.is_some() {
                // A state that cannot be written ends the monitor, so the command is told now.
                outbox.run_once();
                failure = failure.or(outbox.write(&self.state).err());
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Moves the kept line forward.
    fn advance(&mut self, checkpoint: &Checkpoint, node: &str, now: u64) -> Event {
        self.state.kept.push(checkpoint, node, now);
        let mut message = format!("block {} is settled", checkpoint.index);
        let gap = std::mem::take(&mut self.gap);
        if gap > 0 {
            message = format!("{message}; {gap} new blocks were not fetched");
        }
        Event::new(Kind::Advance, node, now, message).with(Details::Settled {
            settled: checkpoint.to_string(),
            gap,
        })
    }

    /// Returns the checkpoint to settle, which continues the present one by a verified proof, and
    /// the node that has it. There is none while an alarm about the history stands.
    async fn next_settled(&self, passing: &[Passing]) -> Option<(Checkpoint, usize)> {
        let state = &self.state;
        let mut alarms = state.standing.iter();
        if alarms.any(|standing| standing.kind.is_about_history()) {
            return None;
        }
        let lowest = passing.iter().min_by_key(|passing| passing.tip.index)?;
        let target = lowest.tip.index.saturating_sub(self.settings.depth);
        if target <= state.settled.index {
            return None;
        }
        let known = state.recent.ancestor(&lowest.tip.hash.to_string(), target);
        let name = known.map_or_else(|| target.to_string(), |block| block.hash.clone());
        let node = &self.nodes[lowest.node];
        // If the node changes meanwhile, the next poll finds out.
        let file = node.consistency(state.settled.index, &name).await.ok()?;
        let proof = ConsistencyProof::read(&file).ok()?;
        let is_right = proof.from == (&state.settled).into() && proof.to.index == target;
        let is_known = known.is_none_or(|block| block.hash == proof.to.hash.to_string());
        if !is_right || !is_known || proof.check().is_err() {
            return None;
        }
        Some((proof.to.checkpoint(state.settled.genesis), lowest.node))
    }

    /// Makes the event of a condition, and its evidence if it has none yet.
    async fn describe(
        &self,
        condition: Condition,
        evidence: Option<String>,
        now: u64,
    ) -> (Event, Result<(), MonitorError>) {
        let Condition {
            node,
            kind,
            mut message,
            material,
        } = condition;
        let source = &self.nodes[node];
        let address = source.address();
        let event = |message| Event::new(kind, &address, now, message);
        match material {
            Material::None => (event(message), Ok(())),
            Material::Response { bytes, .. } => {
                let event = event(message);
                let event = event.with(Details::Evidence { evidence });
                let response = String::from_utf8_lossy(&bytes).into_owned();
                self.keep(event, None, None, &[("response.json", response)])
            }
            Material::Branches {
                offered,
                tip,
                mut old,
                other,
            } => {
                if old.is_empty() {
                    old = self.highest_branch();
                }
                let old_before = old.clone();
                let fetched = Branches::fetch(source, old, tip).await;
                let branches = fetched.unwrap_or_else(|error| {
                    message = format!("{message}; its blocks cannot be fetched: {error}");
                    Branches {
                        fork: None,
                        old: old_before,
                        new: Vec::new(),
                        new_tip: tip,
                        truncated: true,
                    }
                });
                let (fork, lowest) = (branches.fork, branches.old.first());
                if let Some(fork) = fork {
                    message = format!("{message}; the branches fork above block {fork}");
                } else if let Some(lowest) = lowest {
                    let lowest = lowest.index;
                    message = format!("{message}; the branches fork below block {lowest}");
                }
                let event = event(message).with(Details::Branches {
                    settled: self.state.settled.to_string(),
                    offered: offered.map(|offered| offered.to_string()),
                    fork: branches.fork,
                    disconnected: branches.disconnected(),
                    connected: branches.connected(),
                    other,
                    evidence,
                });
                self.keep(event, Some(&branches), offered, &branches.files())
            }
        }
    }

    /// Returns a trust file of the settled checkpoint and the tip of the old branch, each after the
    /// time since which it is known.
    fn kept_lines(&self, tip: Option<Checkpoint>) -> String {
        let State {
            settled,
            settled_since,
            tips,
            ..
        } = &self.state;
        let since = rfc3339(*settled_since);
        let mut text = format!("# settled since {since}\n{settled}\n");
        if let Some(tip) = tip {
            let hash = tip.hash.to_string();
            let seen = tips.iter().find(|(_, seen)| seen.hash == hash);
            match seen {
                Some((node, seen)) => {
                    let since = rfc3339(seen.since);
                    text = format!("{text}# the tip of {node} since {since}\n");
                }
                None => text.push_str("# the highest block seen of the branch\n"),
            }
            text = format!("{text}{tip}\n");
        }
        text
    }

    /// Returns the highest branch seen, of whichever node.
    fn highest_branch(&self) -> Vec<Block> {
        let highest = self.state.recent.iter().max_by_key(|block| block.index);
        highest.map_or_else(Vec::new, |tip| self.state.branch(&tip.hash, 0))
    }

    /// Writes the evidence folder of an event that has none yet.
    fn keep(
        &self,
        mut event: Event,
        branches: Option<&Branches>,
        offered: Option<Checkpoint>,
        more: &[(&'static str, String)],
    ) -> (Event, Result<(), MonitorError>) {
        let folder = &self.state.folder;
        let (Details::Branches { evidence, .. } | Details::Evidence { evidence }) =
            &mut event.details
        else {
            return (event, Ok(()));
        };
        if evidence.is_some() {
            return (event, Ok(()));
        }
        let name = evidence::name_of(folder, &event.time, event.kind, &event.node);
        let path = folder.path(super::folder::EVIDENCE).join(&name);
        *evidence = Some(path.display().to_string());
        let genesis = self.state.settled.genesis;
        let tip_of = |blocks: Option<&Vec<Block>>| {
            let tip = blocks.and_then(|blocks| blocks.last());
            tip.and_then(|tip| checkpoint_of(tip, genesis))
        };
        let lines = |first: Option<Checkpoint>, tip: Option<Checkpoint>| {
            let tip = tip.filter(|tip| Some(*tip) != first);
            let lines = first.into_iter().chain(tip);
            lines.fold(String::new(), |text, line| format!("{text}{line}\n"))
        };
        let kept_tip = match branches {
            Some(branches) => tip_of(Some(&branches.old)),
            None => tip_of(Some(&self.highest_branch())),
        };
        let kept_tip = kept_tip.filter(|tip| tip.index != self.state.settled.index);
        let kept = self.kept_lines(kept_tip);
        let verdicts = branches.map(|branches| branches.verdicts(&self.state));
        let (old, new) = verdicts.unzip();
        let file = EventFile {
            event: &event,
            network: &self.state.network,
            truncated: branches.is_some_and(|branches| branches.truncated),
            old,
            new,
        };
        let json = serde_json::to_string_pretty(&file).unwrap_or_default() + "\n";
        let mut files = vec![("event.json", json), ("kept.txt", kept)];
        if let Some(branches) = branches {
            files.push(("offered.txt", lines(offered, tip_of(Some(&branches.new)))));
        }
        files.extend(more.iter().cloned());
        let written = evidence::write(folder, &name, event.kind, &files);
        if written.is_err()
            && let Details::Branches { evidence, .. } | Details::Evidence { evidence } =
                &mut event.details
        {
            *evidence = None;
        }
        (event, written.map(drop))
    }
}
