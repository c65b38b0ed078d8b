//! Alarms are edges: told once, again after a while, and when they are over.

use super::MonitorSettings;
use super::event::{Event, Kind};
use super::judge::{Condition, Judgement, Material};
use super::state::{Standing, State};

/// Changes to report.
#[derive(Debug, Default)]
pub(super) struct Edges {
    /// Conditions to tell, and the evidence folder that they have already.
    pub(super) told: Vec<(Condition, Option<String>)>,
    /// Alarms that are over.
    pub(super) over: Vec<Event>,
}

impl Edges {
    /// Compares the conditions that hold with the alarms that stand, and updates the latter.
    pub(super) fn find(
        judgement: &mut Judgement,
        addresses: &[String],
        state: &mut State,
        settings: &MonitorSettings,
        now: u64,
    ) -> Self {
        let mut this = Self::default();
        let conditions = std::mem::take(&mut judgement.conditions);
        let holds: Vec<_> = conditions
            .iter()
            .map(|condition| (condition.node, condition.kind))
            .collect();
        let standing = std::mem::take(&mut state.standing);
        for standing in standing {
            let node = addresses
                .iter()
                .position(|address| *address == standing.node);
            let Some(node) = node else { continue };
            if holds.contains(&(node, standing.kind)) {
                state.standing.push(standing);
                continue;
            }
            let answered = judgement.answered.contains(&node);
            let is_over = match standing.kind {
                Kind::Unreachable => !judgement.silent.contains(&node),
                kind if kind.is_about_history() => {
                    // Another alarm about the history takes its place.
                    if holds
                        .iter()
                        .any(|(at, kind)| *at == node && kind.is_about_history())
                    {
                        continue;
                    }
                    judgement.passing.iter().any(|passing| passing.node == node)
                }
                _ => answered,
            };
            if !is_over {
                state.standing.push(standing);
            } else if standing.kind.is_alarm() {
                let message = match standing.kind {
                    kind if kind.is_about_history() => "it extends the settled checkpoint again",
                    Kind::Stall => "it follows the chain again",
                    Kind::OtherNetwork => "it belongs to the network again",
                    _ => "it answers again",
                };
                let message = format!("{} is over: {message}", standing.kind.name());
                this.over
                    .push(Event::new(Kind::Recovered, &standing.node, now, message));
            }
        }
        for condition in conditions {
            this.edge(condition, addresses, state, settings, now);
        }
        this
    }

    fn edge(
        &mut self,
        condition: Condition,
        addresses: &[String],
        state: &mut State,
        settings: &MonitorSettings,
        now: u64,
    ) {
        let node = &addresses[condition.node];
        let block = match condition.material {
            Material::Response { block, .. } => block,
            _ => None,
        };
        let mut standing = state.standing.iter_mut();
        let same =
            standing.find(|standing| standing.node == *node && standing.kind == condition.kind);
        let Some(standing) = same else {
            state.standing.push(Standing {
                node: node.clone(),
                kind: condition.kind,
                since: now,
                told: now,
                evidence: None,
                block,
            });
            self.told.push((condition, None));
            return;
        };
        let age = now.saturating_sub(standing.told);
        if condition.kind.is_alarm() && age >= settings.repeat.as_secs() {
            standing.told = now;
            self.told.push((condition, standing.evidence.clone()));
        }
    }
}
